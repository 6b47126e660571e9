"""Random noise both ways: the executed list is the file, or the failure is honest (serial 11)."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.gcode.dialects import by_name
from bridge.gcode.stream import Stream
from tests.fakes.conversation import Conversation
from tests.fakes.firmware import Firmware
from tests.fakes.noise import noisy

LINES = [b"G1 X%d Y%d E%d.5" % (index % 200, index * 7 % 100, index) for index in range(120)]
#: Up to this share of damaged lines every print must come through.
REPAIRABLE = 0.02


def run(seed: int, share: float) -> tuple[list[bytes], str | None, int]:
    """One print over a bad cable: the moves executed, why it ended early, the Resends."""
    rng = random.Random(seed)
    firmware = Firmware(
        silent_repeats=rng.random() < 0.5,
        resend_ok=rng.random() < 0.7,
        flushes=rng.random() < 0.7,
    )
    stream = Stream(lossless=rng.random() < 0.5)
    dialect = by_name(rng.choice(["marlin", "marlin-1.1", "prusa", "malyan"]))
    assert dialect is not None
    stream.configure(dialect)
    stream.feed(LINES[:60], alone=False)
    stream.feed([b"G4 P0"], alone=True)
    stream.feed(LINES[60:], alone=False)
    talk = Conversation(
        stream,
        firmware.receive,
        up=noisy(seed + 1, share),
        down=noisy(seed + 2, share),
        latency_s=rng.choice([0.0001, 0.001, 0.02]),
    )
    for _ in range(rng.randrange(4)):
        stream.order([b"M105"], "poll")
    talk.run()
    if talk.lost is None:  # an `ok` has no number: only lines behind it prove the last one
        stream.order([b"M400", b"M105", b"M105"], "end")
        talk.run()
    moves = [line for line in firmware.executed if line.startswith(b"G1")]
    return moves, talk.lost.code if talk.lost else None, stream.resends


@pytest.mark.seeded
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.002, 0.01, REPAIRABLE]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_line_exactly_once_over_a_bad_cable(seed: int, share: float) -> None:
    """serial 12/#10 to #28, #67 at random: flips, losses, doubles, merges, lost answers."""
    moves, lost, resends = run(seed, share)
    assert (lost, moves) == (None, LINES)
    assert resends < 200


@pytest.mark.seeded
@given(st.integers(0, 2**32), st.floats(0.05, 0.6))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_hopeless_cable_ends_honestly(seed: int, share: float) -> None:
    """What was executed is the file or its beginning, never a gap, never a line twice."""
    moves, lost, resends = run(seed, share)
    assert moves == LINES[: len(moves)]
    assert lost is not None or moves == LINES
    assert resends < 3000


@pytest.mark.seeded
@pytest.mark.parametrize("first", [0, 250])
def test_five_hundred_cables(first: int) -> None:
    """The same, the same every time."""
    check(range(first, first + 250))


def test_a_first_line_whose_resend_is_lost_is_no_restart() -> None:
    """Its `ok` counts for the line that was refused; line 1 is asked for behind that."""
    check([1000700, 1001477, 1002041, 1003931])


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_many_cables(seeds: Sequence[int]) -> None:
    """As many as are asked for."""
    check(seeds)


def check(seeds: Sequence[int]) -> None:
    """A print over a cable of each seed is exact."""
    for seed in seeds:
        share = (0.0, 0.005, 0.02)[seed % 3]
        moves, lost, _ = run(seed, share)
        assert (lost, moves) == (None, LINES), seed
