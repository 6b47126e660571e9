"""How many lines may be in flight, and what a ring that is too small teaches (serial 4)."""

from dataclasses import replace

from bridge.gcode.dialects import MARLIN
from bridge.gcode.replies import Ack
from bridge.gcode.stream import Stream
from bridge.gcode.window import GROW_AFTER, MAX_GROW_AFTER, Window
from tests.fakes.conversation import Conversation
from tests.fakes.firmware import Firmware

LINES = [b"G1 X%d.123 Y%d.456 E.%05d" % (100 + i % 90, 100 + i % 97, i) for i in range(4000)]


def window(limit: int = 4) -> Window:
    """A window of up to *limit* lines that has just begun."""
    made = Window()
    made.bound(limit)
    return made


def answers_until(made: Window, size: int) -> int:
    """How many good answers it takes to get to *size*."""
    count = 0
    while made.size < size:
        made.grow(1)
        count += 1
    return count


class SmallRing(Firmware):
    """Takes its bytes into a ring and what does not fit is gone, as on a UART."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.size_bytes = size_bytes
        self.overruns = 0

    def receive(self, data: bytes) -> bytes:
        """What of *data* fits is looked at."""
        self.overruns += len(data) > self.size_bytes
        return super().receive(data[: self.size_bytes])


def test_it_grows_by_one_to_its_limit_and_falls_to_one() -> None:
    """A few good answers for each line more, and none more than the dialect allows."""
    made = window()
    assert answers_until(made, 4) == 3 * GROW_AFTER
    made.grow(10_000)
    assert (made.size, made.settled) == (4, True)
    made.shrink()
    assert made.size == 1


def test_a_size_that_fails_again_and_again_is_tried_ever_more_rarely() -> None:
    """Each failure at the same size doubles what the next try costs, up to a bound."""
    made, costs = window(), []
    for _ in range(12):
        answers_until(made, 3)
        costs.append(answers_until(made, 4))
        made.shrink()
    assert costs[:4] == [GROW_AFTER, 2 * GROW_AFTER, 4 * GROW_AFTER, 8 * GROW_AFTER]
    assert costs[-1] == MAX_GROW_AFTER


def test_a_size_that_holds_is_believed_again() -> None:
    """One burst of noise does not make a good cable slow for ever."""
    made = window()
    answers_until(made, 4)
    made.shrink()
    answers_until(made, 4)
    settled = [made.settled]
    for _ in range(2 * GROW_AFTER):
        made.grow(1)
    settled.append(made.settled)
    assert settled == [False, True]
    made.shrink()
    assert answers_until(made, 3) == (4 + 1) * GROW_AFTER


def test_a_cable_that_damages_again_and_again_gets_one_line_at_a_time() -> None:
    """Each Resend quadruples what the second line costs, up to a bound; full windows forgive."""
    made, costs = window(), []
    for _ in range(6):
        costs.append(answers_until(made, 2))
        made.shrink()
    assert costs[:4] == [GROW_AFTER, 4 * GROW_AFTER, 16 * GROW_AFTER, 64 * GROW_AFTER]
    assert costs[-1] == MAX_GROW_AFTER
    for _ in range(5):
        answers_until(made, 4)
        made.grow(MAX_GROW_AFTER)
        made.grow(MAX_GROW_AFTER)
        made.shrink()
    assert answers_until(made, 2) < MAX_GROW_AFTER


def test_a_resend_with_one_line_in_flight_says_nothing_about_the_ring() -> None:
    """Noise at size one leaves the growth as quick as it was."""
    made = window()
    for _ in range(5):
        made.shrink()
    assert answers_until(made, 4) == 3 * GROW_AFTER


def test_a_window_that_a_person_chose_is_not_widened() -> None:
    """serial 12/#27: ADVANCED_OK may narrow it, never more than that."""
    stream = Stream(lossless=True)
    stream.configure(replace(MARLIN, window=2), fixed=True)
    stream.feed(LINES[:200], alone=False)
    most = 0
    for number in range(1, 100):
        stream.take(0.0)
        most = max(most, stream.in_flight)
        stream.on_ack(Ack(number=number, free=15), 0.0)
    assert most == 2


def test_free_slots_count_beside_bytes_on_a_uart() -> None:
    """serial 12/#27, #66: whichever is less."""
    stream = Stream(lossless=False)
    stream.feed([b"G1 X1"] * 50, alone=False)
    for number in range(1, 40):
        stream.take(0.0)
        stream.on_ack(Ack(number=number, free=1), 0.0)
    assert stream.take(0.0).count(b"\n") + stream.in_flight <= 2


def test_a_small_ring_behind_a_lossless_link_is_not_overrun_for_long() -> None:
    """serial 12/#66 on a pty: four lines do not fit, three do; exact, and found out soon."""
    firmware = SmallRing(127)
    stream = Stream(lossless=True)
    stream.configure(MARLIN)
    stream.feed(LINES, alone=False)
    Conversation(stream, firmware.receive).run()
    assert [line for line in firmware.executed if line.startswith(b"G")] == LINES
    assert firmware.overruns < 20
