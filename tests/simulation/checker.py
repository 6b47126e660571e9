"""The invariants of the link, asserted over a whole history (safety 3.2, where they concern it).

Each rule is a function from the history to what is wrong with it. A rule looks only at what rows,
disks and machines say by themselves, never at what the code under test believes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from schemas.commands import COMMAND_TRANSITIONS, JOG_TTL_MS, VERBS, CommandState, Verb
from schemas.jobs import (
    ATTEMPT_OVER,
    ATTEMPT_TRANSITIONS,
    JOB_TRANSITIONS,
    AttemptState,
    JobState,
)
from tests.simulation.history import Entry, History
from tests.simulation.lone_rules import LONE_RULES, in_hours

Rule = Callable[[History], Iterator[str]]
#: What a machine does because of a command, by the verb that asked for it.
EFFECTS = {
    "accept": Verb.START,
    "pause": Verb.PAUSE,
    "resume": Verb.RESUME,
    "cancel": Verb.CANCEL,
    "gcode": Verb.GCODE,
    "temperature": Verb.TEMPERATURE,
    "reset_stop": Verb.RESET_STOP,
}
#: From a sender's socket to its effect, and the tick of the clock.
MARGIN_S = 0.5
_UNTOUCHED = {CommandState.REJECTED, CommandState.EXPIRED, CommandState.SUPERSEDED}


def check(history: History, longest_frame_s: float) -> list[str]:
    """Everything that must not have happened; *longest_frame_s*: how long frames were under way."""
    found = [f"{rule.__name__}: {text}" for rule in RULES for text in rule(history)]
    found += [f"nothing_late: {text}" for text in nothing_late(history, longest_frame_s)]
    found += [f"in_hours: {text}" for text in in_hours(history, longest_frame_s + MARGIN_S)]
    return found


def _effects(history: History) -> list[Entry]:
    return history.of("machine", *EFFECTS)


# I1, I6: once.


def one_start_per_grant(history: History) -> Iterator[str]:
    """A start grant gives 0 or 1 starts, over all lives of everybody."""
    for what in ("accept", "start"):
        for grant, times in Counter(e.grant for e in history.of("machine", what)).items():
            if times > 1:
                yield f"grant {grant}: {what} {times} times"


def one_effect_per_command(history: History) -> Iterator[str]:
    """No command takes effect twice, but what is the same as once."""
    for (what, command), times in Counter((e.what, e.id) for e in _effects(history)).items():
        if times > 1 and not VERBS[EFFECTS[what]].repeatable:
            yield f"command {command}: {what} {times} times"


def one_entry_per_command(history: History) -> Iterator[str]:
    """A command is new to the journal once."""
    for command, times in Counter(e.a for e in history.of("disk", "command")).items():
        if times > 1:
            yield f"command {command} was new to the journal {times} times"


def one_print_per_printer(history: History) -> Iterator[str]:
    """A printer has at most one attempt under way, and a job too."""
    open_on: dict[tuple[str, int], str] = {}
    places: dict[str, tuple[tuple[str, int], tuple[str, int]]] = {}
    for entry in history.of("api", "granted", "attempt"):
        if entry.what == "granted":
            places[entry.a] = (("printer", entry.b), ("job", entry.c))
            for place in places[entry.a]:
                if place in open_on:
                    yield f"{place} was given {entry.a} while it had {open_on[place]}"
                open_on[place] = entry.a
        elif entry.c in ATTEMPT_OVER:
            for place in places[entry.a]:
                if open_on.get(place) == entry.a:
                    del open_on[place]


def journal_before_effect(history: History) -> Iterator[str]:
    """Nothing goes to a sender that the journal does not know as started, its grant as used."""
    started: set[str] = set()
    used: set[str] = set()
    kinds = {"Start", "Pause", "Resume", "Cancel", "Gcode", "SetTargets", "ResetStop", "Connect"}
    for entry in history.entries:
        if entry.who == "disk" and entry.what == "state" and entry.c == CommandState.STARTED:
            started.add(entry.a)
        elif entry.who == "disk" and entry.what == "grant":
            used.add(entry.a)
        elif entry.what == "handed" and entry.kind in kinds and entry.id not in started:
            yield f"{entry.kind} {entry.id} went to its sender before the journal had it"
        elif entry.who == "machine" and entry.what == "accept" and entry.grant not in used:
            yield f"grant {entry.grant} was started and not consumed"


# I7: not late, not on the wrong job, not on an unclear plate, not after a stop.


def nothing_late(history: History, longest_frame_s: float) -> Iterator[str]:
    """Nothing takes effect after its deadline, which counts from its issue.

    A jump of the API's wall clock may make it count from its last sending instead.
    """
    issued = {e.a: e.at for e in history.of("api", "issued")}
    sent: dict[str, float] = {}
    jumps: list[float] = []
    for entry in history.entries:
        if entry.what == "cmd" and entry.who == "wire":
            sent[entry.id] = entry.at
        elif entry.what == "api_wall_jumps":
            jumps.append(entry.at)
        elif entry.who == "machine" and entry.what in EFFECTS:
            ttl_ms = VERBS[EFFECTS[entry.what]].ttl_ms
            if entry.data.get("jog"):
                ttl_ms = JOG_TTL_MS
            begins = issued.get(entry.id, 0.0)
            if any(begins <= at <= entry.at for at in jumps):
                begins = sent.get(entry.id, begins)  # a room that is cut off starts by itself
            late_s = entry.at - begins - (ttl_ms or 0) / 1000 - longest_frame_s - MARGIN_S
            if ttl_ms is not None and late_s > 0:
                yield f"{entry.what} {entry.id} came {late_s:.1f} s too late"


def right_job(history: History) -> Iterator[str]:
    """What steers a print steers the one that was meant."""
    meant = {e.a: e.d for e in history.of("api", "issued")}
    for entry in history.of("machine", "pause", "resume", "cancel"):
        if meant.get(entry.id) != entry.grant:
            yield f"{entry.what} {entry.id} meant {meant.get(entry.id)}, hit {entry.grant}"


def clear_plate(history: History) -> Iterator[str]:
    """No start on a plate on which something lies."""
    for entry in history.of("machine", "start"):
        if entry.was_occupied:
            yield f"grant {entry.grant} on printer {entry.printer} began on a print"
    for entry in history.of("person", "stale_clear"):
        if entry.answer == "ok" and not (entry.online and _runs_unheard(history, entry)):
            yield f"the plate of printer {entry.printer} was declared clear while it printed"


def _runs_unheard(history: History, clear: Entry) -> bool:
    """Whether the printer had begun alone and the farm, which took its room for there, could not
    know. Rooms wait far longer than a farm until it shows them offline; here they do not.
    """
    before = [entry for entry in history.entries if entry.at <= clear.at]
    runs = [e.grant for e in before if (e.who, e.what) == ("machine", "start")]
    alone = {e.a for e in before if (e.who, e.what) == ("disk", "alone") and e.b == clear.printer}
    heard = {e.a for e in before if e.who == "api" and e.what == "attempt"}
    return any(grant in alone and grant not in heard for grant in runs)


def latched_stop(history: History) -> Iterator[str]:
    """After M112 nothing happens until somebody resets the stop."""
    stopped: set[int] = set()
    for entry in history.of("machine"):
        if entry.what == "stop":
            stopped.add(entry.printer)
        elif entry.what == "reset_stop":
            stopped.discard(entry.printer)
        elif entry.what in (*EFFECTS, "start") and entry.printer in stopped:
            yield f"{entry.what} at {entry.at:.1f} on printer {entry.printer}, which is stopped"


# I3, I4, I5: nothing lost, in order, never back.


def ack_after_commit(history: History) -> Iterator[str]:
    """What the API acknowledges is in its rows."""
    at: dict[str, int] = defaultdict(int)
    for entry in history.entries:
        if entry.who == "api" and entry.what in ("position", "epoch"):
            at[entry.c] = entry.d
        elif entry.who == "wire" and entry.what == "ack" and entry.seq > at[entry.journal]:
            yield f"fact {entry.seq} was acknowledged, the rows end at {at[entry.journal]}"


def got_after_journal(history: History) -> Iterator[str]:
    """What the agent calls delivered is in its journal."""
    held: set[str] = set()
    said: dict[int, str] = {}
    for entry in history.entries:
        if entry.who == "disk" and entry.what == "command":
            held.add(entry.a)
        elif entry.who == "wire" and entry.what == "cmd":
            said[entry.seq] = entry.id
        elif entry.who == "wire" and entry.what == "got":
            missing = [one for seq, one in said.items() if seq <= entry.seq and one not in held]
            if missing:
                yield f"delivered up to {entry.seq} was said, {missing} are not in the journal"


def facts_once_in_order(history: History) -> Iterator[str]:
    """Every fact on the room's disk becomes rows, once, in order, as it was written."""
    stored: dict[int, bytes] = {e.a: e.b for e in history.of("disk", "fact")}
    last: dict[str, int] = {}
    recorded: set[int] = set()
    for entry in history.entries:
        if entry.who == "api" and entry.what == "recorded":
            if entry.seq != last.get(entry.journal, 0) + 1:
                yield f"fact {entry.seq} was recorded after {last.get(entry.journal, 0)}"
            last[entry.journal] = entry.seq
            recorded.add(entry.seq)
            if msgspec.json.encode(entry.body) != stored.get(entry.seq):
                yield f"fact {entry.seq} was recorded as {entry.body}"
        elif entry.who == "disk" and entry.what == "dropped" and entry.a not in recorded:
            yield f"fact {entry.a} left the outbox before it was recorded"
    missing = sorted(stored.keys() - recorded)
    if missing:
        yield f"facts {missing[:10]} were never recorded"


def fenced_epochs(history: History) -> Iterator[str]:
    """A link's epoch rises, and nothing is recorded from a link that was replaced."""
    newest = 0
    for entry in history.of("api", "epoch", "recorded"):
        if entry.what == "epoch":
            if entry.b <= newest:
                yield f"epoch {entry.b} after {newest}"
            newest = entry.b
        elif entry.epoch != entry.newest:
            yield f"fact {entry.seq} came by link {entry.epoch}, the newest is {entry.newest}"


def _machine_of(table: Any, kind: Any) -> Any:
    return {state: set(table[state].values()) for state in kind}


_TABLES = {
    "command": _machine_of(COMMAND_TRANSITIONS, CommandState),
    "attempt": _machine_of(ATTEMPT_TRANSITIONS, AttemptState),
    "job": _machine_of(JOB_TRANSITIONS, JobState),
}


def states_never_go_back(history: History) -> Iterator[str]:
    """Every step of a command, an attempt and a job is one of its table."""
    now: dict[tuple[str, Any], str] = {}
    for entry in history.of("api", *_TABLES):
        key = (entry.what, entry.a)
        if now.get(key, entry.b) != entry.b:
            yield f"{key} was {now[key]} and stepped from {entry.b}"
        if entry.c not in _TABLES[entry.what][entry.b]:
            yield f"{key} went from {entry.b} to {entry.c}"
        now[key] = entry.c


def desired_never_goes_back(history: History) -> Iterator[str]:
    """The newest configuration wins, on the disk and at every sender."""
    version = 0
    names: dict[int, int] = {}
    for entry in history.entries:
        if entry.who == "disk" and entry.what == "desired":
            if entry.a < version:
                yield f"configuration {entry.a} came after {version}"
            version = entry.a
        elif entry.who == "machine" and entry.what == "configured":
            number = int(entry.name.split()[1])
            if number < names.get(entry.printer, 0):
                yield f"printer {entry.printer} was given back its old name {entry.name}"
            names[entry.printer] = number
    for entry in history.of("end", "printer"):
        if names.get(entry.id) != int(entry.name.split()[1]):
            yield f"printer {entry.id} is called {entry.name}, its sender knows {names}"


# I1, I10: honest outcomes, and an end to everything.


def honest_commands(history: History) -> Iterator[str]:
    """What is said not to have happened has not, what is said to be done has."""
    happened = {(e.what, e.id) for e in _effects(history)}
    happened |= {("remote_stop", e.id) for e in history.of("machine", "stop")}
    done_by = {verb: what for what, verb in EFFECTS.items() if verb is not Verb.CANCEL}
    done_by[Verb.REMOTE_STOP] = "remote_stop"
    for entry in history.of("end", "command"):
        effect = done_by.get(entry.verb)
        if effect is None:
            continue
        took = (effect, entry.id) in happened
        if took and entry.state in _UNTOUCHED:
            yield f"{entry.verb} {entry.id} is {entry.state} ({entry.code}) and has happened"
        if not took and entry.state == CommandState.DONE:
            yield f"{entry.verb} {entry.id} is done and has not happened"


def honest_attempts(history: History) -> Iterator[str]:
    """An attempt ended as its machine says, or nobody can know."""
    began = {e.grant for e in history.of("machine", "start")}
    ended = {e.grant: e.event for e in history.of("machine", "over")}
    for entry in history.of("end", "attempt"):
        state = AttemptState(entry.state)
        if state is AttemptState.INTERRUPTED:
            continue
        if state is AttemptState.NOT_STARTED and entry.grant in began:
            yield f"attempt {entry.grant} counts as not started and lies on the plate"
        told = ended.get(entry.grant)
        if told is not None and told != state.value:
            yield f"attempt {entry.grant} is {state}, its machine said {told}"
        if told is None and entry.grant in began:
            yield f"attempt {entry.grant} is {state}, its machine has not ended it"


def all_is_well_in_the_end(history: History) -> Iterator[str]:
    """After healing everything converges, and every printer prints."""
    for entry in history.of("end", "stuck", "skipped"):
        yield str(entry)


RULES: tuple[Rule, ...] = (
    one_start_per_grant,
    one_effect_per_command,
    one_entry_per_command,
    one_print_per_printer,
    journal_before_effect,
    right_job,
    clear_plate,
    latched_stop,
    ack_after_commit,
    got_after_journal,
    facts_once_in_order,
    fenced_epochs,
    states_never_go_back,
    desired_never_goes_back,
    honest_commands,
    honest_attempts,
    all_is_well_in_the_end,
    *LONE_RULES,
)
