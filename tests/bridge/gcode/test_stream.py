"""Lines in flight against a firmware over good and bad cables (serial 12)."""

import pytest

from bridge.gcode.dialects import DIALECTS, by_name
from bridge.gcode.happenings import OrderDone, StreamLost
from bridge.gcode.replay import MAX_SAME_RESEND
from bridge.gcode.stream import Stream
from bridge.gcode.window import MAX_WINDOW
from tests.fakes.conversation import Conversation, Wire
from tests.fakes.firmware import Firmware, lossy

LINES = [b"G1 X%d Y%d" % (index, index * 7 % 100) for index in range(300)]


def moves(firmware: Firmware) -> list[bytes]:
    """What the firmware executed of the job."""
    return [line for line in firmware.executed if line.startswith(b"G")]


def printing(
    lines: list[bytes] = LINES, *, lossless: bool = True, dialect: str = "marlin"
) -> Stream:
    """A stream that has *lines* to send."""
    stream = Stream(lossless=lossless)
    chosen = by_name(dialect)
    assert chosen is not None
    stream.configure(chosen)
    stream.feed(lines, alone=False)
    return stream


class Tamper:
    """A cable that changes the n-th chunk (from 1) once, by *change*."""

    def __init__(self, chunk: int, change: tuple[bytes, bytes]) -> None:
        self.chunk, self.change, self.count = chunk, change, 0

    def __call__(self, data: bytes) -> bytes:
        self.count += 1
        if self.count != self.chunk:
            return data
        assert self.change[0] in data
        return data.replace(*self.change, 1)


def test_a_good_cable_needs_no_resend_and_fills_the_window() -> None:
    """Every line once and in order; six in flight once the window has grown, two of them spare."""
    firmware = Firmware()
    talk = Conversation(printing(), firmware.receive)
    most = 0
    while not talk.stream.idle:
        talk.run(until_s=talk.now + 0.001)
        most = max(most, talk.stream.in_flight)
    assert moves(firmware) == LINES
    assert (talk.stream.resends, most) == (0, 6)


@pytest.mark.parametrize(
    ("case", "change"),
    [
        ("10", (b"G1 X20 ", b"G1 X30 ")),
        ("11", (b"N21 ", b"N31 ")),
        ("12", (b"\n", b"")),
        ("13", (b"G1 X2", b"G1 2")),
    ],
)
@pytest.mark.parametrize("silent_repeats", [True, False])
@pytest.mark.parametrize("flushes", [True, False])
@pytest.mark.parametrize("resend_ok", [True, False])
def test_one_damage_is_repaired_exactly(
    case: str, change: tuple[bytes, bytes], silent_repeats: bool, flushes: bool, resend_ok: bool
) -> None:
    """serial 12/#10 to #16: flipped text, flipped number, lost newline, lost byte; all dialects
    of repeating, flushing and answering a Resend."""
    firmware = Firmware(silent_repeats=silent_repeats, flushes=flushes, resend_ok=resend_ok)
    damage = Tamper(1, change)
    damage.count = -1000

    def up(data: bytes) -> bytes:
        if b"N21 " in data and damage.count < 0:
            damage.count = 0
            return damage(data)
        return data

    talk = Conversation(printing(), firmware.receive, up=up)
    talk.run()
    assert moves(firmware) == LINES, case
    assert damage.count == 1
    assert talk.now < 40.0


def test_the_window_falls_to_one_after_a_resend_and_grows_again() -> None:
    """serial 12/#13: lines behind a damaged one are void; one line at a time until it is sure."""
    stream = printing()
    talk = Conversation(stream, Firmware().receive)
    talk.run(until_s=0.08)
    assert stream.in_flight == 6
    talk.say(b"Resend: %d\nok\n" % (stream.acked + 1))
    assert talk.write() == b""  # five lines are still under way
    stream.tick(talk.now + 0.1)
    assert talk.write().count(b"\n") == 1
    talk.run()
    assert stream.acked >= len(LINES)


def test_leftover_resends_replay_once() -> None:
    """serial 12/#16: three Resends for one damage are one replay."""
    stream = printing()
    for now in (0.0, 0.1):
        while stream.in_flight < 4:
            stream.take(now)
            if stream.in_flight < 4:
                stream.plain(b"ok\n", now)
    talk = Conversation(stream, lambda _: b"")
    first = stream.acked + 1
    talk.say(b"Error:checksum mismatch, Last Line: %d\nResend: %d\nok\n" % (first - 1, first))
    stream.tick(0.2)
    replay = stream.take(0.2)
    assert replay.startswith(b"N%d " % first)
    talk.say(b"Resend: %d\nok\nResend: %d\nok\n" % (first, first))
    assert stream.take(0.3) == b""
    talk.say(b"ok\n")
    assert stream.acked == first
    assert stream.take(0.4).startswith(b"N%d " % (first + 1))


@pytest.mark.parametrize("silent_repeats", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_the_rest_of_a_cut_line_never_feeds_a_storm(seed: int, silent_repeats: bool) -> None:
    """serial 12/#13, #67: the `ok` of a cut line's rest sends nothing early; exact, and soon."""
    firmware = Firmware(silent_repeats=silent_repeats)
    stream = printing([b"G1 X100.123 Y102.456 E%d" % index for index in range(300)])
    talk = Wire(stream, firmware.receive, up=lossy(seed, flip=0.0004, lose=0.0004))
    talk.run()
    assert talk.lost is None
    assert len(moves(firmware)) == len(set(moves(firmware))) == 300
    assert stream.resends < 60
    assert talk.now < 40.0


def test_a_line_asked_for_again_rests_and_the_count_decides() -> None:
    """serial 3: a replay that has arrived is not sent a second time where nobody would say so."""
    stream = printing()
    stream.take(0.0)
    talk = Conversation(stream, lambda _: b"")
    for now in (0.0, 0.01):
        talk.now = now
        talk.say(b"Error:checksum mismatch, Last Line: 0\nResend: 1\nok\n")
        stream.tick(now)
        assert (now > 0.0) is (stream.take(now) == b"")
    talk.say(b"ok\n")  # of the first replay, or of anything else
    stream.tick(0.1)
    assert stream.take(0.1).startswith(b"N1000001 M105*")
    talk.now = 0.1
    talk.say(b"Error:Line Number is not Last Line Number+1, Last Line: 1\nResend: 2\nok\n")
    assert stream.acked == 1
    assert stream.take(0.2).startswith(b"N2 ")


@pytest.mark.parametrize("word", [b"rs N%d", b"Resend:%d", b"Resend: N%d", b"rs %d Expected sum 3"])
def test_every_spelling_of_a_resend_means_the_same(word: bytes) -> None:
    """serial 12/#17."""
    stream = printing()
    stream.take(0.0)
    talk = Conversation(stream, lambda _: b"")
    talk.say(word % 1 + b"\nok\n")
    assert stream.take(0.1).startswith(b"N1 ")


def test_a_resend_without_ok_waits_half_a_second() -> None:
    """serial 12/#14: the missing `ok` is taken as said after 0.5 s, not before."""
    stream = printing()
    stream.take(0.0)
    Conversation(stream, lambda _: b"").say(b"Resend: 1\n")
    stream.tick(0.4)
    assert stream.take(0.4) == b""
    stream.tick(0.5)
    assert stream.take(0.5).startswith(b"N1 ")


def test_ok_before_resend_is_exact() -> None:
    """serial 12/#15: the order swapped, nothing is sent twice to a firmware that takes it."""
    firmware = Firmware()

    def answer(data: bytes) -> bytes:
        reply = firmware.receive(data)
        error, resend, rest = reply.partition(b"Resend:")
        return b"ok\n" + error + resend + rest.removesuffix(b"ok\n") if resend else reply

    talk = Conversation(printing(), answer, up=Tamper(9, (b"G1", b"G3")))
    talk.run()
    assert moves(firmware) == LINES


@pytest.mark.parametrize("number", [10_000, 1])
def test_a_resend_that_makes_no_sense_sends_no_wrong_line(number: int) -> None:
    """serial 12/#18 and #19: never sent, or long ago; a probe goes out and the print goes on."""
    firmware = Firmware()
    stream = printing()
    talk = Conversation(stream, firmware.receive)
    talk.run(until_s=0.15)
    assert stream.acked > 50
    talk.say(b"Resend: %d\nok\n" % number)
    assert b"M105" in talk.write()
    talk.run()
    assert moves(firmware) == LINES
    assert talk.lost is None


def test_the_same_resend_again_and_again_is_stuck() -> None:
    """serial 12/#20: no endless loop."""
    talk = Conversation(printing(), lambda data: b"Error:checksum mismatch\nResend: 1\nok\n")
    talk.run()
    assert isinstance(talk.lost, StreamLost)
    assert talk.lost.code == "stuck"
    assert talk.stream.resends <= MAX_SAME_RESEND + MAX_WINDOW


@pytest.mark.parametrize("silent_repeats", [True, False])
@pytest.mark.parametrize("chatter", [True, False])
def test_lost_answers_are_found_by_a_probe(silent_repeats: bool, chatter: bool) -> None:
    """serial 12/#21, #22, #23: every 50th `ok` is swallowed, autoreports go on meanwhile."""
    firmware = Firmware(silent_repeats=silent_repeats)
    answers = 0

    def answer(data: bytes) -> bytes:
        nonlocal answers
        kept = b""
        for line in firmware.receive(data).splitlines(keepends=True):
            answers += line == b"ok\n"
            kept += b"" if line == b"ok\n" and answers % 50 == 0 else line
        return kept + (b" T:20.0 /0.0 B:20.0 /0.0 @:0\n" if chatter else b"")

    talk = Conversation(printing(), answer)
    talk.run()
    assert moves(firmware) == LINES
    assert talk.stream.resends == 0


def test_the_last_answer_lost_is_not_taken_for_done_before_it_is_proven() -> None:
    """serial 3: after a probe only a numbered line proves that the last one was executed."""
    firmware = Firmware()
    lost: list[bytes] = []

    def up(data: bytes) -> bytes:
        if b"G1 X299 " in data and not lost:
            lost.append(data)
            return b""
        return data

    talk = Conversation(printing(), firmware.receive, up=up)
    talk.run()
    assert lost
    assert moves(firmware) == LINES


def test_two_answers_for_one_line_are_one_credit_too_many_at_most() -> None:
    """serial 12/#24: credits are clamped to what is in flight."""
    stream = printing()
    stream.take(0.0)
    talk = Conversation(stream, lambda _: b"")
    talk.say(b"ok\nok\nok\n")
    assert (stream.acked, stream.in_flight) == (1, 0)


@pytest.mark.parametrize(
    ("pieces", "acked"),
    [
        ([b"o", b"k\n"], 1),
        ([b"ok\r\n"], 1),
        ([b"okok\n"], 2),
        ([b"ok\nok", b"\n"], 2),
        ([b"oj\n"], 0),
        ([b"echo:ok\n"], 0),
    ],
)
def test_answers_are_counted_however_they_arrive(pieces: list[bytes], acked: int) -> None:
    """serial 12/#25."""
    stream = printing()
    for now in range(5):  # grow the window to two lines
        stream.take(now)
        stream.plain(b"ok\n", now)
    for _ in range(3):
        stream.take(6.0)
        stream.plain(b"ok\n", 6.0)
    stream.take(7.0)
    before = stream.acked
    assert stream.in_flight == 2
    talk = Conversation(stream, lambda _: b"")
    for piece in pieces:
        talk.say(piece)
    assert stream.acked - before == acked


def test_a_report_that_begins_with_ok_never_credits_beyond_the_window() -> None:
    """serial 12/#26."""
    stream = printing()
    stream.take(0.0)
    talk = Conversation(stream, lambda _: b"")
    for _ in range(5):
        talk.say(b"ok T:20.0 /0.0 B:20.0 /0.0 @:0\n")
    assert stream.acked == 1


def test_free_slots_of_the_firmware_bound_the_window() -> None:
    """serial 12/#27: ADVANCED_OK with B falling to 0 stops the host until all is acknowledged."""
    stream = printing()
    talk = Conversation(stream, lambda _: b"")
    sent = stream.take(0.0).count(b"\n")
    for number in range(1, 60):
        talk.say(b"ok N%d P15 B15\n" % number)
        sent += stream.take(0.1).count(b"\n")
    assert stream.in_flight > 4
    talk.say(b"ok N60 P0 B0\n")
    assert stream.in_flight > 0
    assert stream.take(0.2) == b""
    talk.say(b"ok N%d P0 B0\n" % stream.sent)
    assert stream.take(0.3).count(b"\n") == 1


def test_wait_with_a_line_in_flight_is_resolved() -> None:
    """serial 12/#28: the line was lost whole; `wait` finds it without a timeout."""
    firmware = Firmware()
    dropped: list[bytes] = []

    def up(data: bytes) -> bytes:
        if b"G1 X50 " in data and not dropped:
            dropped.append(data)
            return b""
        return data

    talk = Conversation(printing(dialect="repetier"), firmware.receive, up=up)
    talk.run(until_s=5.0)
    talk.say(b"wait\n")
    talk.run()
    assert moves(firmware) == LINES
    assert talk.now < 10.0


def test_busy_holds_every_timeout_and_silence_ends_in_an_error() -> None:
    """serial 12/#29, safety R42: ten minutes of `busy` are fine; without a sign it is gone."""
    stream = Stream(lossless=True)
    stream.feed([b"G29"], alone=True)
    talk = Conversation(stream, lambda _: b"")
    talk.write()
    for second in range(0, 600, 2):
        talk.run(until_s=float(second))
        talk.say(b"echo:busy: processing\n")
    assert (talk.lost, len(talk.written)) == (None, 1)
    talk.run()
    assert talk.lost == StreamLost("no_answer", "the printer does not answer any more")


def test_heating_lines_hold_the_timeout_without_busy() -> None:
    """serial 12/#30: five minutes of M109 with nothing but its own temperature lines."""
    stream = Stream(lossless=True)
    stream.feed([b"M109 S200"], alone=True)
    talk = Conversation(stream, lambda _: b"")
    talk.write()
    for second in range(700):
        talk.run(until_s=float(second))
        talk.say(b" T:170.00 /200.00 B:23.75 /0.00 @:127 B@:0 W:?\n")
    assert (talk.lost, len(talk.written)) == (None, 1)


def test_a_blocking_line_is_alone_in_flight() -> None:
    """serial 4: never a window over a command that blocks or flushes."""
    stream = Stream(lossless=True)
    stream.feed([b"G1 X1"] * 40, alone=False)
    stream.feed([b"G28"], alone=True)
    stream.feed([b"G1 X2"] * 4, alone=False)
    talk = Conversation(stream, lambda _: b"")
    while b"G28" not in talk.write():
        talk.say(b"ok\n")
    assert stream.in_flight == 1
    assert talk.written[-1].count(b"\n") == 1
    assert talk.write() == b""
    talk.say(b"ok\n")
    assert b"G1 X2" in talk.write()


def test_orders_go_between_job_lines_and_report_when_done() -> None:
    """A poll or an operator's command has its own number at a line boundary."""
    firmware = Firmware()
    stream = printing()
    talk = Conversation(stream, firmware.receive)
    talk.run(until_s=0.1)
    stream.order([b"M106 S1", b"M105"], "fan")
    talk.run()
    assert OrderDone("fan") in talk.events
    at = firmware.executed.index(b"M106 S1")
    assert firmware.executed[at + 1] == b"M105"
    assert moves(firmware) == LINES


def test_a_bypassing_command_costs_no_credit() -> None:
    """serial 12/#31: M108 past the queue has its own `ok`."""
    stream = Stream(lossless=True)
    stream.feed([b"M190 S60"], alone=True)
    stream.feed(LINES[:9], alone=False)
    talk = Conversation(stream, lambda _: b"")
    talk.write()
    stream.bypass(b"M108\n", answered=True)
    assert talk.write() == b"M108\n"
    talk.say(b"ok\n")
    talk.write()
    assert (stream.acked, stream.in_flight) == (1, 1)
    talk.say(b"ok\n")  # M108's own
    assert stream.acked == 1
    talk.say(b"ok\n")
    assert stream.acked == 2


def test_held_lines_wait_while_orders_go() -> None:
    """A pause holds job lines at a boundary; they go on without a gap."""
    firmware = Firmware()
    stream = printing()
    talk = Conversation(stream, firmware.receive)
    talk.run(until_s=0.1)
    stream.hold()
    stream.order([b"M400"], "parked")
    talk.run(until_s=2.0)
    done = len(moves(firmware))
    assert OrderDone("parked") in talk.events
    assert firmware.executed[-1] == b"M400"
    stream.release()
    talk.run()
    assert moves(firmware) == LINES
    assert 0 < done < len(LINES)


def test_a_uart_is_never_overrun() -> None:
    """serial 12/#66: on a link that loses bytes the ring's size bounds what is in flight."""
    firmware = Firmware()
    stream = printing([b"G1 X100.123 Y102.456 E0.01234 F1800"] * 100, lossless=False)
    talk = Conversation(stream, firmware.receive)
    most = 0
    while not stream.idle:
        talk.run(until_s=talk.now + 0.001)
        most = max(most, stream.out.size_of(stream.acked + 1, stream.sent))
    assert len(firmware.executed) == 100
    assert 50 < most <= 127


def test_a_stopped_device_is_waited_for() -> None:
    """serial 12/#57: twenty seconds of nothing, then everything; no line twice."""
    firmware = Firmware()
    stream = printing()
    talk = Conversation(stream, firmware.receive)
    talk.say(b"echo:busy: processing\n")
    talk.run(until_s=0.1)
    held: list[bytes] = []

    def keep(data: bytes) -> bytes:
        held.append(data)
        return b""

    talk.answer = keep
    talk.run(until_s=20.1)
    talk.answer = firmware.receive
    talk.say(firmware.receive(b"".join(held)))
    talk.run()
    assert moves(firmware) == LINES


def test_an_undecidable_loss_is_an_honest_error() -> None:
    """serial 12/#72: where damaged lines vanish in silence no move is repeated by guess."""
    firmware = Firmware()

    def up(data: bytes) -> bytes:
        return b"" if b"G1 X50 " in data else data

    talk = Conversation(printing(dialect="reprapfirmware"), firmware.receive, up=up)
    talk.run()
    assert talk.lost is not None
    assert talk.lost.code == "answer_lost"
    assert moves(firmware) == LINES[:50]


def test_numbers_go_beyond_a_million() -> None:
    """serial 12/#68: a resend of any number."""
    firmware = Firmware()
    stream = printing()
    stream.out.next, stream.out.top, stream.out._base = 999_900, 999_899, 999_900
    stream.acked = firmware.last = 999_899
    talk = Conversation(stream, firmware.receive, up=lossy(5, flip=0.001, lose=0.0005))
    talk.run()
    assert moves(firmware) == LINES
    assert stream.resends > 0


@pytest.mark.parametrize("seed", range(40))
def test_every_line_once_and_in_order_over_a_bad_cable(seed: int) -> None:
    """serial 11, safety R41: flips and losses both ways; printed == file is the oracle."""
    firmware = Firmware(
        silent_repeats=seed % 2 == 0, resend_ok=seed % 5 != 0, flushes=seed % 3 != 0
    )
    talk = Conversation(
        printing(lossless=seed % 4 < 2),
        firmware.receive,
        up=lossy(seed, flip=0.0005, lose=0.0003),
        down=lossy(seed + 1000, flip=0.0005, lose=0.0003),
        latency_s=(0.0001, 0.001, 0.05)[seed % 3],
    )
    talk.run()
    assert talk.lost is None
    assert moves(firmware) == LINES


def test_a_slow_noisy_link_makes_progress() -> None:
    """serial 12/#67: 50 ms latency, a window and noise; no death loop."""
    firmware = Firmware()
    talk = Conversation(
        printing(),
        firmware.receive,
        up=lossy(1, flip=0.0004, lose=0.0001),
        latency_s=0.05,
    )
    talk.run()
    assert moves(firmware) == LINES
    assert talk.stream.resends < 100
    assert talk.now < 300.0


def test_every_dialect_prints_over_a_good_cable() -> None:
    """A row of the table is never a reason to hang."""
    for dialect in DIALECTS:
        firmware = Firmware()
        Conversation(printing(LINES[:20], dialect=dialect.name), firmware.receive).run()
        assert moves(firmware) == LINES[:20], dialect.name
