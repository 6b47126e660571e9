"""Getting a firmware to talk (serial 12/#1 to #6, #8)."""

import pytest

from bridge.gcode.greeting import (
    BOOT_S,
    BUSY_EVERY_S,
    CLOSE,
    CLOSE_EVERY_S,
    CLOSES,
    GARBAGE_BYTES,
    HELLO,
    HELLO_AGAIN,
    HELLOS,
    MAX_BUSY_S,
    MAX_CLOSES,
    Greeting,
    Outcome,
)
from bridge.gcode.replies import Ack, Busy, Reply, Resend, Start, Text, Wait
from bridge.gcode.temperatures import Temperatures
from schemas.printer import PrinterState
from tests.fakes.on_a_board import OnABoard


def test_a_board_that_does_not_boot_is_greeted_at_once() -> None:
    """serial 12/#2: native USB sends nothing on open."""
    greeting = Greeting(10.0, boots=False)
    assert greeting.tick(10.0) == HELLO
    greeting.receive(Ack(), 10.1)
    assert greeting.outcome is Outcome.ANSWERED


def test_a_booting_board_has_time() -> None:
    """serial 1.6: the bootloader eats bytes, so nothing is sent before it is through."""
    greeting = Greeting(0.0, boots=True)
    assert greeting.tick(BOOT_S - 0.1) == b""
    assert greeting.tick(BOOT_S) == HELLO


def test_a_swallowed_hello_is_said_again() -> None:
    """serial 12/#1 and #3: `start` comes late, and twice."""
    greeting = Greeting(0.0, boots=False)
    assert greeting.tick(0.0) == HELLO
    greeting.receive(Start(), 1.5)
    greeting.receive(Start(), 1.8)
    assert greeting.tick(1.9) == b""
    assert greeting.tick(2.1) == HELLO
    greeting.receive(Text("echo: Free Memory: 1"), 2.2)
    greeting.receive(Ack(), 2.3)
    assert greeting.outcome is Outcome.ANSWERED


def test_an_ok_of_the_boot_text_is_no_answer() -> None:
    """serial 10: Smoothie and Teacup say it; the line count is not ours before M110 is through."""
    greeting = Greeting(0.0, boots=True)
    for reply in (Text("Smoothie"), Ack(), Wait()):
        greeting.receive(reply, 0.5)
    assert greeting.deadline() == BOOT_S
    assert greeting.tick(BOOT_S) == HELLO
    greeting.receive(Ack(), BOOT_S)
    assert greeting.outcome is Outcome.ANSWERED


def test_silence_ends_in_bounded_time() -> None:
    """serial 12/#6: a port that never answers, and was asked in two ways."""
    greeting = Greeting(0.0, boots=False)
    now = 0.0
    hellos = 0
    while greeting.outcome is Outcome.WAITING:
        deadline = greeting.deadline()
        assert deadline is not None
        now = deadline
        said = greeting.tick(now)
        assert said in (b"", HELLO if hellos % 2 == 0 else HELLO_AGAIN)
        hellos += said != b""
    assert (hellos, greeting.outcome) == (HELLOS, Outcome.SILENT)
    assert now < 20.0
    assert greeting.deadline() is None


@pytest.mark.parametrize("alive", [Busy(human=False), Temperatures({}, settling=True)])
def test_who_is_busy_is_not_silent(alive: Reply) -> None:
    """It has read the hello and answers when it has done: nothing piles up in its ring."""
    greeting = Greeting(0.0, boots=False)
    said = greeting.tick(0.0)
    for step in range(300):
        greeting.receive(alive, 2.0 * step)
        said += greeting.tick(2.0 * step + 1.0)
    assert (greeting.outcome, said) == (Outcome.WAITING, HELLO)
    assert greeting.tick(600.0 + BUSY_EVERY_S) == HELLO_AGAIN, "an answer may be lost"
    greeting.receive(Ack(), 610.0)
    assert greeting.outcome is Outcome.ANSWERED


def test_nobody_is_busy_for_ever() -> None:
    """Half an hour; then it counts as one that does not answer."""
    greeting, now = Greeting(0.0, boots=False), 0.0
    while greeting.outcome is Outcome.WAITING and now < 2 * MAX_BUSY_S:
        greeting.tick(now)
        greeting.receive(Busy(human=True), now)
        now += 2.0
    assert greeting.outcome is Outcome.SILENT
    assert MAX_BUSY_S < now < MAX_BUSY_S + 60.0


def test_a_board_that_dwells_when_we_come_is_waited_for() -> None:
    """A host before us has left it at that: one connect, no error on the way."""
    host = OnABoard()
    host.board.receive(b"G4 S90\n", host.now)
    host.printer.opened(host.now, boots=False, lossless=True)
    host.live(80.0)
    assert host.states[-1:] == [PrinterState.CONNECTING]
    host.live(20.0)
    assert host.states == [PrinterState.CONNECTING, PrinterState.OPERATIONAL]
    assert "FIRMWARE_NAME" in host.printer.link.status.fields


def test_garbage_means_the_next_baud_rate() -> None:
    """serial 12/#5: bytes that are no text end the try early."""
    greeting = Greeting(0.0, boots=False, trying=True)
    greeting.receive(Text("\xf0\xf1"), 0.1, garbage=GARBAGE_BYTES + 1)
    assert greeting.outcome is Outcome.SILENT


def test_a_refused_hello_is_repeated() -> None:
    """serial 12/#8: the `ok` behind a Resend is not an answer to the hello."""
    greeting = Greeting(0.0, boots=False)
    greeting.tick(0.0)
    greeting.receive(Resend(1), 0.1)
    greeting.receive(Ack(), 0.1)
    assert greeting.outcome is Outcome.WAITING
    assert greeting.tick(0.2) == HELLO
    greeting.receive(Wait(), 0.3)
    assert greeting.deadline() is None


def said(greeting: Greeting, refusals: int) -> list[bytes]:
    """What it writes before its hello when so many of those are refused."""
    written: list[bytes] = []
    while written[-1:] != [HELLO]:
        now = greeting.deadline() or 0.0
        written.append(greeting.tick(now))
        if len(written) <= refusals:
            greeting.receive(Resend(5), now + 0.01)
        greeting.receive(Ack(), now + 0.02)  # it may be that of a line of the life before
        assert greeting.outcome is Outcome.WAITING or written[-1] == HELLO
    return written


def test_a_file_that_may_be_open_is_closed_before_the_hello() -> None:
    """Marlin writes a numbered M110 into the file; a bare M29 it takes, and says only `ok` to."""
    greeting = Greeting(0.0, boots=False, closes=True)
    assert said(greeting, 0) == [CLOSE] * CLOSES + [HELLO]


def test_a_refused_close_is_said_once_more_each_time() -> None:
    """A half line empties the ring, and the M29 behind it with that; but not for ever."""
    assert said(Greeting(0.0, boots=False, closes=True), 2) == [CLOSE] * (CLOSES + 2) + [HELLO]
    assert said(Greeting(0.0, boots=False, closes=True), 99) == [CLOSE] * MAX_CLOSES + [HELLO]


def test_a_board_that_boots_has_nothing_open() -> None:
    """`start` leads straight to the hello."""
    greeting = Greeting(0.0, boots=False, closes=True)
    assert greeting.tick(0.0) == CLOSE
    greeting.receive(Start(), CLOSE_EVERY_S / 2)
    assert greeting.tick(greeting.deadline() or 0.0) == HELLO
