"""The invariants of rooms that go on alone, asserted over a whole history (link, "Assignments")."""

from collections import Counter
from collections.abc import Iterator

from schemas.jobs import AttemptEvent, JobState
from tests.simulation.history import Entry, History

_BAD_ENDS = {AttemptEvent.FAILED, AttemptEvent.CANCELLED, AttemptEvent.INTERRUPTED}


def _jobs(history: History) -> dict[str, int]:
    """Which job each grant starts: those that the API gave, and those that it lent."""
    found = {e.a: e.c for e in history.of("api", "granted")}
    return found | {e.a: e.d for e in history.of("api", "lent") if e.a not in found}


def one_start_per_job(history: History) -> Iterator[str]:
    """A job that asks for one print lies on one plate, whoever started it."""
    job_of = _jobs(history)
    started = Counter(job_of[e.grant] for e in history.of("machine", "start"))
    for job, times in started.items():
        if times > 1:
            yield f"job {job} was started {times} times"


def histories_merge(history: History) -> Iterator[str]:
    """What the room did by itself is in the rows in the end."""
    known = {e.grant for e in history.of("end", "attempt")}
    for entry in history.of("machine", "start"):
        if entry.grant not in known:
            yield f"grant {entry.grant} lies on printer {entry.printer}, the farm does not know it"


def cancelled_is_not_started(history: History) -> Iterator[str]:
    """What is called cancelled does not begin after that."""
    job_of = _jobs(history)
    cancelled: set[int] = set()
    for entry in history.entries:
        if entry.who == "api" and entry.what == "job" and entry.c == JobState.CANCELLED:
            cancelled.add(entry.a)
        elif (entry.who, entry.what) == ("machine", "start") and job_of[entry.grant] in cancelled:
            yield f"job {job_of[entry.grant]} was cancelled, and began with {entry.grant}"


def person_after_a_bad_end(history: History) -> Iterator[str]:
    """After a print that went wrong nothing goes on alone that was lent before."""
    lent = {e.a: e.at for e in history.of("api", "lent")}
    bad: dict[int, Entry] = {}
    for entry in history.entries:
        if entry.who == "machine" and entry.what == "over":
            if entry.event in _BAD_ENDS:
                bad[entry.printer] = entry
        elif entry.who == "disk" and entry.what == "alone":
            end = bad.get(entry.b)
            if end is not None and lent[entry.a] < end.at:
                yield f"printer {entry.b} went on with {entry.a} after {end.grant} {end.event}"


def in_hours(history: History, tolerance_s: float) -> Iterator[str]:
    """Nothing goes on alone in the minutes in which nothing starts by itself.

    A room knows them by the time at which it was told, so *tolerance_s* later than the farm; when
    the farm's wall clock jumps they are others.
    """
    if history.of("fault", "api_wall_jumps"):
        return
    for closed in history.of("farm", "closed"):
        for entry in history.of("disk", "alone"):
            if closed.begin + tolerance_s <= entry.at < closed.end:
                yield f"printer {entry.b} went on with {entry.a} at {entry.at:.1f}, out of hours"


LONE_RULES = (
    one_start_per_job,
    histories_merge,
    cancelled_is_not_started,
    person_after_a_bad_end,
)
