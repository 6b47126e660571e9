"""The board of the serial benchmark counts what it says it counts."""

from infra.bench.board import PLANNER_BLOCKS, SEGMENT_S, Wire

MOVE = b"N1 G1 X1*1\n"


def fed(wire: Wire, lines: int, gap_s: float, now: float = 1.0) -> float:
    """Give *wire* so many moves, one each *gap_s*; the time behind the last."""
    for _ in range(lines):
        wire.answers(MOVE, now)
        now += gap_s
    return now


def test_a_planner_that_is_fed_in_time_never_starves() -> None:
    """A move just before each is done keeps all places taken."""
    wire = Wire("planner2ms")
    fed(wire, 500, SEGMENT_S * 0.99)
    assert wire.starvations == 0


def test_a_planner_that_runs_dry_is_counted_each_time() -> None:
    """A host that stops for longer than all planned moves last has starved it, once a stop."""
    wire = Wire("planner2ms")
    now = 1.0
    for _ in range(3):
        now = fed(wire, 4 * PLANNER_BLOCKS, SEGMENT_S * 0.9, now)
        now += SEGMENT_S * (PLANNER_BLOCKS + 2)
    fed(wire, 1, 0.0, now)
    assert wire.starvations == 3


def test_a_full_planner_answers_when_a_place_is_free() -> None:
    """The next move's answer waits for the first planned one to be done."""
    wire = Wire("planner2ms")
    moments = wire.answers(MOVE * (PLANNER_BLOCKS + 1), 1.0)
    assert moments[-1] - moments[0] >= SEGMENT_S


def test_bytes_beyond_the_ring_are_counted() -> None:
    """At 115200 baud a ring of 127 bytes loses what a host sends beyond it."""
    wire = Wire("baud115200")
    wire.answers(b"x" * 100 + b"\n", 1.0)
    assert wire.lost_bytes == 0
    wire.answers(b"x" * 49 + b"\n", 1.0)
    assert wire.lost_bytes == 24
    assert len(wire.answers(MOVE, 2.0)) == 1
    assert wire.lost_bytes == 24
