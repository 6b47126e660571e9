"""A firmware that reads ahead: what it has taken is answered behind a Resend (serial 3)."""

import pytest

from bridge.gcode.dialects import MARLIN
from bridge.gcode.stream import Stream
from bridge.simulator.profile import Profile
from tests.fakes.queueing import Queueing

#: A twentieth of a second each, so that the planner and the queue are full all the time.
MOVES = [b"G1 X%d Y%d E%d F3000" % (10 + index % 2 * 5, index, index) for index in range(200)]


class Once:
    """A cable that changes *before* to *after*, once."""

    def __init__(self, before: bytes, after: bytes) -> None:
        self._before, self._after = before, after

    def __call__(self, data: bytes) -> bytes:
        if self._before not in data:
            return data
        before, self._before = self._before, b"\xff never"
        return data.replace(before, self._after, 1)


def printing(*, lossless: bool, damage: bytes, profile: Profile | None = None) -> Queueing:
    """A print of `MOVES` whose line *damage* is damaged once."""
    stream = Stream(lossless=lossless)
    stream.configure(MARLIN)
    stream.feed(MOVES, alone=False)
    return Queueing(stream, profile, up=Once(damage + b" G1", damage + b" G7"))


def moves(talk: Queueing) -> list[bytes]:
    """What ran, in order."""
    return [line for line in talk.executed if line.startswith(b"G1")]


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("advanced_ok", [True, False])
def test_a_resend_leaves_no_answer_too_many_behind(lossless: bool, advanced_ok: bool) -> None:
    """Three lines were taken and wait to run when the fourth is asked for again: their answers are
    theirs. Counted for the replay the window would be wider by three until the print is over."""
    talk = printing(lossless=lossless, damage=b"N100", profile=Profile(advanced_ok=advanced_ok))
    ahead = []
    while not talk.stream.idle:
        talk.run(until_s=talk.now + 0.01)
        if talk.stream.acked > 100:
            ahead.append(talk.stream.acked - len(moves(talk)))
    assert (moves(talk), talk.stream.resends, talk.stream.strays.count) == (MOVES, 1, 0)
    assert max(ahead) <= 0  # nothing counts as done that waits in the queue


def test_the_end_is_not_told_before_it_has_come() -> None:
    """M400 behind a Resend is answered when nothing moves any more, and not three lines earlier."""
    talk = printing(lossless=True, damage=b"N195")
    while talk.stream.out.top < len(MOVES):
        talk.run(until_s=talk.now + 0.01)
    talk.stream.order([b"M400"], "drained")
    while not talk.events:
        talk.run(until_s=talk.now + 0.01)
        planner = talk.board._machine.motion.planner
    assert planner.drained(talk.now)
    assert moves(talk) == MOVES


@pytest.mark.parametrize(
    ("damaged", "top"),
    [(b"", 99), (b"ok\x02", 105)],
    ids=["lost before a Resend", "run into that of its probe"],
)
def test_an_answer_that_does_not_come_costs_a_second(damaged: bytes, top: int) -> None:
    """One of the answers that are due is lost, or its line feed is: a probe settles it."""
    talk = printing(lossless=False, damage=b"N100")
    spoil = Once(b"ok\n", damaged)
    talk._cable = lambda data: spoil(data) if talk.stream.out.top >= top else data
    longest, before = 0.0, 0.0
    while not talk.stream.idle:
        acked = talk.stream.acked
        talk.run(until_s=talk.now + 0.01)
        if talk.stream.acked > acked:
            longest, before = max(longest, talk.now - before), talk.now
    assert moves(talk) == MOVES
    assert longest < 2.0


def test_noise_behind_all_that_was_sent_leaves_no_answer_too_many() -> None:
    """Rubbish that looks like a line is asked for again, which is the line behind the last: those
    in the queue are answered when they have run, and not by that."""
    talk = printing(lossless=False, damage=b"N none")
    ahead, noise = [], b"N\n"
    while not talk.stream.idle:
        talk.run(until_s=talk.now + 0.01)
        if talk.stream.acked > 100 and noise:
            talk._send(talk.now, to_host=False, data=noise)
            noise = b""
        elif not noise and not talk.stream._replay.holds:
            ahead.append(talk.stream.acked - len(moves(talk)))
    assert (moves(talk), talk.stream.resends) == (MOVES, 1)
    assert max(ahead) <= 0
