"""The wall clock: its offset and its jumps are told, and nothing depends on them."""

import time
from pathlib import Path

import msgspec
import pytest

from bridge.agent.database import Clock
from bridge.agent.journal import Journal
from bridge.agent.wallclock import WallClock
from schemas.commands import Verb
from tests.fakes.rows import row


def _later(now: Clock, seconds: int, wall: int) -> Clock:
    return msgspec.structs.replace(
        now, mono_ms=now.mono_ms + seconds * 1000, wall_s=now.wall_s + wall
    )


@pytest.mark.parametrize(("wall", "way"), [(3601, "forward by 3600 s"), (-86_399, "back by 86400")])
def test_jump_is_told_once(now: Clock, wall: int, way: str) -> None:
    """Link contract, "Clock": a jump of the wall clock is itself a fact (safety R37)."""
    watch = WallClock()
    assert watch.look(now) is None
    jumped = _later(now, 1, wall)
    alarm = watch.look(jumped)
    assert alarm is not None and alarm.code == "clock_jumped" and way in alarm.text
    assert watch.look(_later(jumped, 1, 1)) is None


def test_a_sleeping_host_has_not_jumped(now: Clock) -> None:
    """Both clocks went on while nobody looked; a second more or less is rounding."""
    watch = WallClock()
    watch.look(now)
    assert watch.look(_later(now, 600, 601)) is None


def test_offset_is_the_apis_clock_less_ours(now: Clock) -> None:
    """Told at every greeting, and right again after a jump of our own."""
    watch = WallClock()
    watch.look(now)
    watch.greeted("2027-01-15T08:00:07.000Z", now)  # ours says 08:00:00
    assert watch.offset_s == 7
    watch.look(_later(now, 1, 11))
    assert watch.offset_s == -3


@pytest.mark.parametrize("text", ["", "tomorrow", "2027-01-15T08:00:07"])
def test_unreadable_time_gives_no_offset(now: Clock, text: str) -> None:
    """What the API says is not trusted to be a time."""
    watch = WallClock()
    watch.greeted(text, now)
    assert watch.offset_s is None


@pytest.mark.parametrize("wall_s", [2**31 - 1, 2**31 + 10, 2**32 + 10])
def test_journal_works_beyond_2038(quick_dir: Path, wall_s: int) -> None:
    """R38: seconds are no 32-bit numbers; generations rise, deadlines do not hang on the wall."""
    clock = Clock(mono_ms=1000, boot="boot", wall_s=wall_s)
    journal = Journal(quick_dir / "journal.sqlite3")
    _, generation = journal.next_run(clock)
    assert generation >= wall_s
    command = row(Verb.GCODE, "c1", deadline_ms=31_000)
    assert journal.accept([command], clock) == [command]
    assert [one.deadline_ms for one in journal.open_commands(clock)] == [31_000]
    journal.prune(clock)
    assert len(journal.open_commands(clock)) == 1
    journal.close()


@pytest.mark.parametrize(
    "text", ["2038-01-19T03:14:08.000Z", "2028-02-29T23:59:59.999Z", "2026-06-30T23:59:59.999Z"]
)
def test_odd_moments_are_times(now: Clock, text: str) -> None:
    """R38: 2038, a leap day, the last moment before a leap second."""
    watch = WallClock()
    watch.greeted(text, now)
    assert watch.offset_s is not None


def test_time_zone_of_the_host_does_not_matter(now: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """R38: the offset is that of UTC, wherever the room thinks it is."""
    offsets = set()
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        watch = WallClock()
        watch.greeted("2027-01-15T08:00:07.000Z", now)
        offsets.add(watch.offset_s)
    monkeypatch.undo()
    time.tzset()
    assert len(offsets) == 1
