"""The wall clock: its offset and its jumps are told, and nothing depends on them."""

import msgspec
import pytest

from bridge.agent.database import Clock
from bridge.agent.wallclock import WallClock


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
