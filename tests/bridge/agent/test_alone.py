"""Leases in the room: when one is started alone, what the journal lets through, what it answers."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bridge.agent.alone import Standing, start_row, waits_for
from bridge.agent.commands import CommandRow
from bridge.agent.database import Clock
from bridge.agent.errors import WentOnAlone
from bridge.agent.handover import row_of
from bridge.agent.journal import Journal
from bridge.agent.leases import Held
from bridge.agent.link.uplink import worn
from bridge.agent.prefetch import Prefetch
from bridge.agent.work import Files
from bridge.control.messages import AttemptChanged, Event, StateChanged
from schemas.commands import CommandState, Verb
from schemas.facts import AttemptFact, CommandFact
from schemas.jobs import AttemptEvent, AttemptState
from schemas.leases import ALONE, Lease
from schemas.link import Desired
from schemas.printer import Live, PrinterState
from tests.fakes.api_link import FakeApi
from tests.fakes.hall import DATA, hall_of
from tests.fakes.sender import FakeSender


def lease(number: int = 1, **more: object) -> Lease:
    """A lease of printer 1."""
    standard: dict[str, object] = {
        "grant": f"g{number}",
        "command": f"c{number}",
        "printer": 1,
        "job": number,
        "file_name": "cube.gcode",
        "sha256": f"{number:064d}",
        "size_bytes": 4,
        "clears_itself": True,
        "left_s": 3600.0,
        "silence_s": 180.0,
    }
    return msgspec.convert(standard | more, Lease)


READY = Standing(
    away_s=200.0,
    held=Held(lease=lease(), left_s=10.0),
    picture=Live(printer=1, state=PrinterState.OPERATIONAL),
    is_free=True,
    open_commands=0,
    plate_clear=False,
    file_there=True,
)
#: What is different, and a word of what is then waited for.
WAITS: list[tuple[dict[str, object], str]] = [
    ({"held": None}, "print before"),
    ({"held": Held(lease=lease(), left_s=0.0)}, "may not be started alone"),
    ({"held": Held(lease=lease(), left_s=9.0, is_open=False)}, "hours in which prints start"),
    ({"file_there": False}, "its file"),
    ({"picture": None}, "its printer"),
    ({"picture": Live(printer=1, state=PrinterState.HALTED)}, "its printer"),
    ({"picture": Live(printer=1, state=PrinterState.OPERATIONAL, grant="g0")}, "its printer"),
    ({"is_free": False}, "its printer"),
    ({"open_commands": 1}, "commands before"),
    ({"held": Held(lease=lease(clears_itself=False), left_s=9.0)}, "bridge plate clear"),
    ({"away_s": None}, "the farm, which starts it"),
    ({"away_s": 179.0}, "to come back"),
]


@pytest.mark.parametrize(("different", "word"), WAITS)
def test_next_job_waits_for_what_is_missing(different: dict[str, object], word: str) -> None:
    """safety M15, M17: one missing condition is enough, and a person is told which."""
    found = waits_for(replace(READY, **different))  # type: ignore[arg-type]
    assert found is not None
    assert word in found


def test_next_job_starts_when_nothing_is_missing() -> None:
    """A printer that clears itself needs no word; another one needs it."""
    assert waits_for(READY) is None
    held = Held(lease=lease(clears_itself=False), left_s=9.0)
    assert waits_for(replace(READY, held=held, plate_clear=True)) is None


def test_lease_that_came_late_ends_no_later() -> None:
    """What stood before a frozen agent has run on meanwhile."""
    late = worn(Desired(version=1, printers=[], leases=[lease(left_s=60.0)]), 59_500)
    assert [each.left_s for each in late.leases] == [0.5]
    assert worn(late, 10_000).leases[0].left_s == 0.0


def test_hours_of_a_lease_that_came_late_are_no_later() -> None:
    """They were told from the moment at which it left."""
    late = worn(Desired(version=1, printers=[], leases=[lease(opens_s=[(10, 20)])]), 4_000)
    assert late.leases[0].opens_s == [(6.0, 16.0)]


# The journal.


def lend(journal: Journal, now: Clock, *leases: Lease, **more: object) -> None:
    """The API's newest configuration holds these."""
    version = journal.desired()[0] + 1
    desired = Desired(version=version, printers=[], leases=list(leases), **more)  # type: ignore[arg-type]
    journal.configure(desired, now)


def go_on(journal: Journal, now: Clock, one: Lease) -> bool:
    """Start *one* alone."""
    row = start_row(Held(lease=one, left_s=1.0), "life-1", now.mono_ms)
    return journal.start_alone(row, one, now)


def end(journal: Journal, now: Clock, grant: str, event: AttemptEvent) -> None:
    """The sender says how the attempt ended."""
    body = AttemptChanged(grant=grant, job=1, event=event, state=AttemptState(event.value))
    seq = journal.fact_span()[1] + 1000
    journal.record_events(1, [Event(boot="life-1", seq=seq, at_ms=1, body=body)], now)


def test_leases_are_used_in_order_and_once(journal: Journal, now: Clock) -> None:
    """safety I1, I6: the second waits for the end of the first, none starts twice."""
    one, two = lease(1), lease(2)
    lend(journal, now, one, two)
    assert not go_on(journal, now, two)
    assert go_on(journal, now, one)
    assert not go_on(journal, now, one)
    assert not go_on(journal, now, two)
    end(journal, now, "g1", AttemptEvent.COMPLETED)
    assert go_on(journal, now, two)
    told = [f.body for f in journal.facts_after(0) if isinstance(f.body, CommandFact)]
    assert [(fact.id, fact.code) for fact in told] == [("c1", ALONE), ("c2", ALONE)]


@pytest.mark.parametrize(
    ("after_s", "is_open"), [(0, True), (599, True), (600, False), (1799, False), (1800, True)]
)
def test_lease_is_used_in_its_hours_only(
    journal: Journal, now: Clock, after_s: int, is_open: bool
) -> None:
    """safety M26: by the clock of this life of the host, whatever the wall says."""
    one = lease(opens_s=[(0, 600), (1800, 3600)])
    lend(journal, now, one)
    mono_ms, wall_s = now.mono_ms + 1000 * after_s, now.wall_s - 100_000
    then = msgspec.structs.replace(now, mono_ms=mono_ms, wall_s=wall_s)
    assert [held.is_open for held in journal.leases(then)] == [is_open]
    assert (journal.next_lease(1, then) is not None) == is_open
    assert go_on(journal, then, one) == is_open


def test_start_of_the_api_under_the_same_grant_changes_nothing(
    journal: Journal, now: Clock
) -> None:
    """The command comes late: the journal knows it, and only answers."""
    lend(journal, now, lease(1))
    assert go_on(journal, now, lease(1))
    command = FakeApi().start(1, "g1", DATA)
    row = row_of(msgspec.structs.replace(command, id="c1"), now.mono_ms)
    assert isinstance(row, CommandRow)
    assert journal.accept([row], now) == []


def test_lease_that_is_wanted_back_never_starts(journal: Journal, now: Clock) -> None:
    """The word is given once, in order behind what happened, and it binds."""
    one = lease(1)
    lend(journal, now, one)
    lend(journal, now, recalled={"g1": 1})
    lend(journal, now, recalled={"g1": 1})
    lend(journal, now, one)
    assert not go_on(journal, now, one)
    said = [f.body for f in journal.facts_after(0) if isinstance(f.body, AttemptFact)]
    assert [(fact.grant, fact.event) for fact in said] == [("g1", AttemptEvent.NOT_STARTED)]


def test_used_lease_is_not_given_back(journal: Journal, now: Clock) -> None:
    """What has started cannot be called not started."""
    lend(journal, now, lease(1))
    assert go_on(journal, now, lease(1))
    lend(journal, now, recalled={"g1": 1})
    facts = [f.body for f in journal.facts_after(0)]
    assert not [fact for fact in facts if isinstance(fact, AttemptFact)]


@pytest.mark.parametrize("event", ["failed", "cancelled", "interrupted"])
def test_bad_end_asks_for_a_person(journal: Journal, now: Clock, event: str) -> None:
    """What was lent before it stays void, also when it is told again."""
    lend(journal, now, lease(1), lease(2))
    assert go_on(journal, now, lease(1))
    end(journal, now, "g1", AttemptEvent(event))
    lend(journal, now, lease(2))
    assert not go_on(journal, now, lease(2))
    lend(journal, now, lease(3))
    assert go_on(journal, now, lease(3))


def test_lease_ends_by_the_clock_of_this_boot(journal: Journal, now: Clock) -> None:
    """safety M12: the wall clock does not matter, a reboot of the host ends it."""
    lend(journal, now, lease(1, left_s=60.0))
    later = msgspec.structs.replace(now, mono_ms=now.mono_ms + 59_000, wall_s=now.wall_s + 10**8)
    assert journal.next_lease(1, later) is not None
    over = msgspec.structs.replace(now, mono_ms=now.mono_ms + 60_000)
    assert journal.next_lease(1, over) is None
    assert journal.next_lease(1, msgspec.structs.replace(now, boot="another")) is None


def test_claim_of_a_plate_is_used_once(journal: Journal, now: Clock) -> None:
    """safety M15: one word, one start; what happens on the plate uses it too."""
    one, two = (lease(number, clears_itself=False) for number in (1, 2))
    lend(journal, now, one, two)
    assert not go_on(journal, now, one)
    journal.plate_cleared(1, now)
    assert go_on(journal, now, one)
    end(journal, now, "g1", AttemptEvent.COMPLETED)
    assert not go_on(journal, now, two)
    journal.plate_cleared(1, now)
    body = StateChanged(state=PrinterState.PRINTING, previous=PrinterState.OPERATIONAL, grant=None)
    journal.record_events(1, [Event(boot="life-1", seq=5000, at_ms=1, body=body)], now)
    assert not go_on(journal, now, two)


def test_start_by_somebody_who_does_not_know_is_refused(journal: Journal, now: Clock) -> None:
    """safety M16: a claim that the API had before the room went on is worth nothing after it."""
    lend(journal, now, lease(1))
    assert go_on(journal, now, lease(1))
    end(journal, now, "g1", AttemptEvent.COMPLETED)
    stale = row_of(FakeApi().start(1, "g9", DATA), now.mono_ms)
    assert isinstance(stale, CommandRow)
    journal.accept([stale], now)
    with pytest.raises(WentOnAlone):
        journal.start(stale, now)
    stale.args = msgspec.structs.replace(stale.args, last_alone="g1")
    journal.start(stale, now)
    facts = [f.body for f in journal.facts_after(0) if isinstance(f.body, CommandFact)]
    assert facts[-1].id == stale.id


# The fleet.


async def test_room_goes_on_with_a_file_that_lies_whole(quick_dir: Path) -> None:
    """safety M17: cut off, it starts what it has, once; without the file it does not."""
    async with hall_of(quick_dir, FakeSender(1)) as hall:
        there: set[str] = set()

        async def has(sha256: str, size_bytes: int) -> bool:
            return sha256 in there

        hall.fleet._keepers[1].work._files = Files(hall._fetch, Path, has)
        one = lease(1, silence_s=0.0)
        keeper = hall.fleet._keepers[1]
        desired = Desired(version=2, printers=[keeper.config or pytest.fail()], leases=[one])
        await hall.fleet.configure(desired)
        await hall.until(lambda: keeper.picture() is not None)
        cut = keeper.cut_off(lambda: 1.0)
        keeper.work.go_on_alone(cut)
        await keeper.work.room(0)
        assert await hall.states("c1") == []
        there.add(one.sha256)

        async def started() -> bool:
            keeper.work.go_on_alone(cut)
            return await hall.states("c1") == ["started", "done"]

        await hall.until(started)
        assert hall.sender.grant == "g1"
        assert [held.lease.grant for held, _ in await hall.fleet.leases()] == []
        stop = await hall.command(Verb.CANCEL, grant="g1")
        await hall.told(stop, CommandState.STARTED, CommandState.DONE)


async def test_files_of_leases_are_fetched_and_stay(tmp_path: Path) -> None:
    """What is wanted is pinned; what turns out to be damaged is fetched again."""
    fetched: list[str] = []
    whole = True

    async def fetch(sha256: str, size_bytes: int) -> Path:
        fetched.append(sha256)
        return tmp_path

    async def has(sha256: str, size_bytes: int) -> bool:
        return whole

    prefetch = Prefetch(Files(fetch, lambda name: tmp_path, has))
    one = lease(1)
    prefetch.want([one])
    await prefetch._bring(one.sha256, one.size_bytes)
    assert prefetch.has(one.sha256)
    assert prefetch.pinned() == {one.sha256}
    whole = False
    assert not await prefetch.verified(one.sha256, one.size_bytes)
    assert not prefetch.has(one.sha256)
    assert fetched == [one.sha256]
