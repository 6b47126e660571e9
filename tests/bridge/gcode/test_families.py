"""Firmware families with their habits, over good and bad cables (serial 10 and 12)."""

import pytest

from bridge.gcode.dialects import by_name
from bridge.gcode.happenings import OrderDone
from bridge.gcode.lines import is_alone
from bridge.gcode.prepare import Preparer, Run
from bridge.gcode.stream import Stream
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, Profile
from tests.fakes.conversation import Conversation
from tests.fakes.families import Klipper, Mk3, Repetier, RepRapFirmware, Smoothie
from tests.fakes.firmware import Firmware, lossy
from tests.fakes.host import Host

LINES = [b"G1 X%d Y%d" % (index % 200, index * 7 % 100) for index in range(200)]


def moves(firmware: Firmware) -> list[bytes]:
    """What the firmware executed of the job."""
    return [line for line in firmware.executed if line.startswith(b"G")]


def printing(dialect: str, lines: list[bytes] = LINES, *, lossless: bool = False) -> Stream:
    """A stream in *dialect* that has *lines* to send."""
    stream = Stream(lossless=lossless)
    chosen = by_name(dialect)
    assert chosen is not None
    stream.configure(chosen)
    stream.feed(lines, alone=False)
    return stream


class Losing:
    """A cable that loses the *n*-th `ok` (from 1)."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, data: bytes) -> bytes:
        kept = b""
        for line in data.splitlines(keepends=True):
            self.left -= line.startswith(b"ok")
            kept += b"" if line.startswith(b"ok") and self.left == 0 else line
        return kept


@pytest.mark.parametrize(
    ("dialect", "family"),
    [("prusa", Mk3), ("repetier", Repetier), ("smoothie", Smoothie)],
)
@pytest.mark.parametrize("seed", range(6))
def test_families_that_ask_again_are_exact_over_a_bad_cable(
    dialect: str, family: type[Firmware], seed: int
) -> None:
    """serial 12/#10 to #17, #25, #73: in their own spelling, with and without `ok`."""
    firmware = family()
    talk = Conversation(
        printing(dialect),
        firmware.receive,
        up=lossy(seed, flip=0.0005, lose=0.0003),
        down=lossy(seed + 100, flip=0.0005, lose=0.0003),
    )
    talk.run()
    assert talk.lost is None
    assert moves(firmware) == LINES


def test_a_runout_on_an_mk3_is_waited_for() -> None:
    """serial 12/#74: lines vanish for a minute while it says `busy`; then it asks for them."""
    firmware = Mk3()
    talk = Conversation(printing("prusa"), firmware.receive)
    talk.run(until_s=0.1)
    done = len(moves(firmware))
    firmware.saved = True
    for second in range(1, 61):
        talk.run(until_s=float(second))
        talk.say(b"echo:busy: paused for user\n")
    assert len(moves(firmware)) == done < len(LINES)
    talk.say(firmware.back())
    talk.run()
    assert talk.lost is None
    assert moves(firmware) == LINES


def test_an_mk3_asks_again_for_moves_that_it_had_said_ok_to() -> None:
    """Behind a runout or a crash it goes back to where its head was: what was planned is gone."""
    firmware = Mk3()
    talk = Conversation(printing("prusa"), firmware.receive)
    talk.run(until_s=0.1)
    assert len(moves(firmware)) > 20
    firmware.saved = True
    talk.run(until_s=10.0)
    talk.say(firmware.back(planned=18))
    talk.run()
    assert talk.lost is None
    assert moves(firmware) == LINES


@pytest.mark.parametrize("raw", [b"M117 PRUSA MK3 stand", b"M486 APRUSA logo.stl", b"G1 X1 PRUSA"])
def test_a_label_with_prusa_in_it_stops_no_mk3(raw: bytes) -> None:
    """Such a line is not counted there, and asked for again for ever."""
    (run,) = Preparer(Profile()).feed(b"G1 X5\n" + raw + b"\nG1 X6\n", last=True)
    assert isinstance(run, Run)
    firmware = Mk3()
    talk = Conversation(printing("prusa", run.texts), firmware.receive)
    talk.run()
    assert talk.lost is None
    assert len(firmware.executed) == 3


def test_a_half_line_that_times_out_is_sent_again() -> None:
    """serial 12/#75: the rest of it arrives later and is refused; exact."""
    firmware = Mk3()
    halves: list[bytes] = []

    def answer(data: bytes) -> bytes:
        if b"G1 X50 " in data and not halves:
            halves.append(data[9:])
            return firmware.receive(data[:9])
        return firmware.receive(data)

    talk = Conversation(printing("prusa"), answer)
    while not halves:
        talk.run(until_s=talk.now + 0.01)
    talk.run(until_s=talk.now + 2.0)
    talk.say(firmware.half_line_times_out())
    talk.say(firmware.receive(halves[0]))
    talk.run()
    assert talk.lost is None
    assert moves(firmware) == LINES


def test_repetiers_second_resend_is_no_second_replay() -> None:
    """serial 12/#76: every line once, and the answer behind the `ok` is read."""
    firmware = Repetier()
    damaged: list[bytes] = []

    def up(data: bytes) -> bytes:
        if b"G1 X60 " in data and not damaged:
            damaged.append(data)
            return data.replace(b"X60", b"X61")
        return data

    talk = Conversation(printing("repetier"), firmware.receive, up=up)
    talk.run()
    assert damaged
    assert moves(firmware) == LINES
    assert sum(data.count(b"G1 X60 ") for data in talk.written) == 2


def test_repetier_is_probed_with_a_number() -> None:
    """serial 10: once it has seen a checksum, a bare line is an error for it."""
    firmware = Repetier()
    talk = Conversation(printing("repetier"), firmware.receive, down=Losing(40))
    talk.run()
    assert talk.lost is None
    assert firmware.bare == 0
    assert moves(firmware) == LINES


@pytest.mark.parametrize("latency_s", [0.001, 0.02])
def test_lines_that_repetier_skips_are_no_strays(latency_s: float) -> None:
    """It says so, and `ok`: that one is for no line, and nothing has run out of its turn."""
    firmware = Repetier(skips=14)
    damaged = {b"N60 ", b"N130 "}

    def up(data: bytes) -> bytes:
        for number in [one for one in damaged if one in data]:
            damaged.discard(number)
            data = data.replace(number + b"G1", number + b"G7")
        return data

    talk = Conversation(
        printing("repetier", lossless=True), firmware.receive, up=up, latency_s=latency_s
    )
    ahead = 0
    while not talk.stream.idle and talk.lost is None:
        talk.run(until_s=talk.now + 0.01)
        ahead = max(ahead, talk.stream.acked - firmware.last)
    assert talk.lost is None
    assert firmware.skipped
    assert moves(firmware) == LINES
    assert (talk.stream.strays.count, ahead) == (0, 0)


@pytest.mark.parametrize(
    ("dialect", "ahead"), [("repetier", 2), ("teacup", 8)], ids=["repetier", "teacup"]
)
def test_who_reads_ahead_is_not_gone_while_it_works(dialect: str, ahead: int) -> None:
    """Its `ok` comes when it has read G29, and those of a few lines behind; then it is silent."""
    firmware = Repetier() if dialect == "repetier" else Firmware(resend_ok=False)
    lines = [*LINES[:20], b"G29", b"G92 E0", *LINES[20:]]
    unread, full = b"", 21 + ahead  # lines that it has when it reads no further

    def answer(data: bytes) -> bytes:
        nonlocal unread
        unread += data
        replies = b""
        while unread and len(firmware.executed) < full:
            line, feed, unread = unread.partition(b"\n")
            replies += firmware.receive(line + feed)
        return replies

    talk = Conversation(printing(dialect, [], lossless=True), answer)
    for text in lines:
        talk.stream.feed([text], alone=is_alone(text))
    talk.run(until_s=300.0)
    assert talk.lost is None
    assert b"M105" not in b"".join(talk.written)
    full = 10_000
    talk.say(answer(b""))
    talk.run()
    assert firmware.executed == lines


def test_repetier_that_is_gone_is_given_up() -> None:
    """Numbered probes do not ask for ever."""
    talk = Conversation(printing("repetier"), lambda _: b"")
    talk.run()
    assert talk.lost is not None
    assert talk.lost.code == "no_answer"


def test_reprapfirmware_never_gets_a_move_twice() -> None:
    """serial 12/#72: a damaged relative move is an honest end, within bounded time."""
    firmware = RepRapFirmware()
    damaged: list[bytes] = []

    def up(data: bytes) -> bytes:
        if b"G1 X30 " in data and not damaged:
            damaged.append(data)
            return data.replace(b"X30", b"X38")
        return data

    talk = Conversation(printing("reprapfirmware", lossless=True), firmware.receive, up=up)
    talk.run()
    assert talk.lost is not None
    assert talk.lost.code == "answer_lost"
    assert moves(firmware) == LINES[:30]
    assert talk.now < 300.0


def test_klippers_long_macro_is_waited_for() -> None:
    """serial 12/#71: three minutes without a word, then `!!` and `ok`: counted as one."""
    firmware = Klipper()
    firmware.slow.add(b"G1 X20 Y40")
    talk = Conversation(printing("klipper", lossless=True), firmware.receive)
    talk.run(until_s=180.0)
    assert talk.lost is None
    assert b"M105" not in b"".join(talk.written)
    talk.say(b"!! Probe triggered prior to movement\nok\n" * firmware.owed)
    firmware.slow.clear()
    talk.run()
    assert moves(firmware) == LINES
    assert talk.stream.acked == talk.stream.sent


def test_a_probe_behind_klippers_macro_brings_no_answer_too_many() -> None:
    """serial 12/#73: an hour of silence is probed; a blank line of it would be answered, too."""
    firmware = Klipper()
    held: list[bytes] = []

    def answer(data: bytes) -> bytes:
        held.append(firmware.receive(data))
        return b""

    talk = Conversation(printing("klipper", lossless=True), answer)
    talk.run(until_s=3000.0)
    assert b"M105" in b"".join(talk.written)
    while talk.stream.acked < 20:
        talk.say(held.pop(0))
        talk.run(until_s=talk.now + 0.01)
        assert talk.stream.acked <= len(moves(firmware)) - sum(each == b"ok\n" for each in held)


@pytest.mark.parametrize(("dialect", "family"), [("klipper", Klipper), ("smoothie", Smoothie)])
def test_no_blank_line_is_ever_sent(dialect: str, family: type[Firmware]) -> None:
    """serial 12/#73: a family that says `ok` to a blank line would be counted wrong."""
    firmware = family()
    talk = Conversation(printing(dialect, lossless=True), firmware.receive)
    talk.stream.order([b"M105"], "poll")
    talk.run()
    assert OrderDone("poll") in talk.events
    assert all(b"\n\n" not in data and data[:1] != b"\n" for data in talk.written)
    assert talk.stream.acked == len(LINES) + 1


@pytest.mark.parametrize(("dialect", "drain"), [("teacup", b"G4 P0"), ("marlin", b"M400")])
def test_a_pause_and_an_end_wait_in_the_families_own_way(dialect: str, drain: bytes) -> None:
    """serial 6: old firmwares know no M400."""
    host = Host(PrinterConfig(id=1, slug="", name="", port_id="", dialect=dialect))
    host.connect()
    host.start(b"G1 X1\nM0\nG1 X2\n")
    host.go()
    assert drain in host.firmware.executed
    host.printer.resume(host.now)
    host.go()
    assert host.firmware.executed[-1] == drain
    assert host.attempts[-1] is AttemptState.COMPLETED


def test_a_lost_answer_on_a_firmware_that_drops_repeats_is_found_soon() -> None:
    """serial 12/#22: Marlin 2.1.2 says nothing to a repeat; nothing hangs."""
    firmware = Firmware(silent_repeats=True)
    talk = Conversation(printing("marlin", lossless=True), firmware.receive, down=Losing(70))
    talk.run()
    assert moves(firmware) == LINES
    assert talk.now < 15.0
