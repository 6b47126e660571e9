"""A pause that the printer has made itself, and its own word to go on (serial 7 and 9)."""

import pytest

from schemas.jobs import AttemptState
from schemas.printer import DoingKind, PrinterConfig, PrinterState
from tests.fakes.host import M115, Host, Speaking

_A, _S = AttemptState, PrinterState
FILE = b"G1 X1\nM601\nG1 X2\nG1 X3\nG1 X4\n"
#: An MK3 of before its temperature reports: it is asked for them, line by line.
MK3 = b"FIRMWARE_NAME:Prusa-Firmware 3.9.0 based on Marlin PROTOCOL_VERSION:1.0 MACHINE_TYPE:MK3\n"
SMOOTHIE = b"FIRMWARE_NAME:Smoothieware, FIRMWARE_URL:http%3A//smoothieware.org\n"
KLIPPER = b"FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.12\n"


class PausingMk3(Speaking):
    """M601 parks and lets its nozzle cool; M602 comes back and counts from before the pause.

    *late*: a line of the file has come in between (`Marlin_main.cpp`, M601 says `ok` first).
    """

    def __init__(self, *, late: bool = False, resend_ok: bool = True) -> None:
        super().__init__(MK3)
        self.silent_repeats = False
        self.paused_at: int | None = None
        self._late, self._says_ok = late, resend_ok

    def answer(self, line: bytes) -> bytes:
        """Like the firmware, with its own pause."""
        count, before = len(self.executed), self.paused_at
        reply = super().answer(line)
        if len(self.executed) == count:
            return reply
        if self.executed[-1] == b"M601" and before is None:
            self.paused_at = self.last
            return reply if self._late else reply + b"//action:paused\n"
        if self.executed[-1] == b"M602" and before is not None:
            return self.back() + reply
        if before is not None and self.last == before + 1 and self._late:
            return b"//action:paused\n" + reply
        return reply

    def back(self) -> bytes:
        """Its pause is over."""
        assert self.paused_at is not None
        self.last, self.paused_at = self.paused_at, None
        ok = b"ok\n" if self._says_ok else b""
        return b"Resend: %d\n%b//action:resumed\n" % (self.last + 1, ok)


class PausingKlipper(Speaking):
    """PAUSE parks and remembers where it was; only RESUME goes back there (`pause_resume.py`)."""

    def __init__(self) -> None:
        super().__init__(KLIPPER)
        self.says[b"PAUSE"] = b"// action:paused\n"
        self.says[b"RESUME"] = b"// action:resumed\n"


def paused(firmware: Speaking, dialect: str, data: bytes) -> Host:
    """A print of *data* that stands in the printer's own pause."""
    config = PrinterConfig(id=7, slug="fake", name="Fake", port_id="x", dialect=dialect)
    host = Host(config)
    host.firmware = firmware
    host.connect()
    host.start(data)
    host.go()
    assert host.printer.state is _S.PAUSED
    return host


def behind(host: Host, word: bytes) -> list[bytes]:
    """The moves that ran behind the first *word*."""
    executed = host.firmware.executed
    return [line for line in executed[executed.index(word) :] if line.startswith(b"G1")]


@pytest.mark.parametrize("resend_ok", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_an_mk3_that_has_paused_is_told_to_go_on(late: bool, resend_ok: bool) -> None:
    """M602 heats and goes back; lines alone would run cold and from where it has parked. It asks
    again for what it took meanwhile, and a person's own command in between is not run twice."""
    host = paused(PausingMk3(late=late, resend_ok=resend_ok), "prusa", FILE)
    host.printer.order(["G91", "M83", "G1 E20 F200"], "purge")
    host.go()
    host.printer.resume(host.now)
    host.wait(30.0)
    executed = host.firmware.executed
    assert executed.count(b"G1 E20 F200") == 1
    assert executed.index(b"G90") < executed.index(b"M82") < executed.index(b"M602")
    assert behind(host, b"M602")[-3:] == [b"G1 X2", b"G1 X3", b"G1 X4"]
    assert b"G1 E20 F200" not in behind(host, b"M602")
    assert host.attempts[-1] is _A.COMPLETED


def test_an_mk3_may_pause_for_hours() -> None:
    """Asked for its temperatures it has counted thousands of lines that it forgets then."""
    host = paused(PausingMk3(late=True), "prusa", FILE)
    host.wait(3 * 3600.0)
    assert host.firmware.last > 2000
    host.printer.order(["M83", "G1 E20 F200"], "purge")
    host.go()
    host.printer.resume(host.now)
    host.wait(60.0)
    assert "pause_cooled" in host.warnings
    assert "position_unknown" not in host.warnings  # the printer goes back by itself
    assert b"M82" in host.firmware.executed
    assert behind(host, b"M602")[-3:] == [b"G1 X2", b"G1 X3", b"G1 X4"]
    assert host.attempts[-1] is _A.COMPLETED


def test_an_mk3_goes_on_by_its_own_knob() -> None:
    """It asks for its lines before it says that its pause is over."""
    firmware = PausingMk3(late=True)
    host = paused(firmware, "prusa", FILE)
    host.printer.order(["G1 E20 F200"], "purge")
    host.wait(100.0)
    host.say(firmware.back())
    host.wait(30.0)
    assert firmware.executed.count(b"G1 E20 F200") == 1
    at = [index for index, line in enumerate(firmware.executed) if line == b"G1 X2"]
    assert [line for line in firmware.executed[at[-1] :] if line.startswith(b"G1 X")] == [
        b"G1 X2",
        b"G1 X3",
        b"G1 X4",
    ]
    assert host.attempts[-1] is _A.COMPLETED


def test_an_mk3_whose_print_is_cancelled_forgets_its_pause() -> None:
    """It would take no further M601 for one, and go on from the old place at its knob."""
    host = paused(PausingMk3(), "prusa", FILE)
    host.printer.cancel(host.now)
    host.go()
    executed = host.firmware.executed
    assert executed.index(b"M603") < executed.index(b"M140 S0")
    assert host.attempts[-1] is _A.CANCELLED


def test_klipper_is_told_to_resume_what_it_has_paused() -> None:
    """Its macro has parked, retracted and kept the state of the print; only RESUME brings it back,
    and while it counts as paused no runout would pause it again."""
    host = paused(PausingKlipper(), "klipper", b"G1 X1\nPAUSE\nG1 X2\nG1 X3\n")
    host.printer.resume(host.now)
    host.go()
    assert behind(host, b"RESUME")[-1:] == [b"G1 X3"]
    assert host.firmware.executed.count(b"RESUME") == 1
    assert host.attempts[-1] is _A.COMPLETED


def test_smoothie_is_told_to_resume_what_it_has_suspended() -> None:
    """It has kept its place and its heat, and switched that off before we could ask for it: the
    print went on cold, and the next M600 was none, because it was suspended still."""
    smoothie = Speaking(SMOOTHIE)
    smoothie.says |= {b"M600": b"// action:pause\n", b"M601": b"// action:resume\n"}
    host = paused(smoothie, "smoothie", b"G1 X1\nM600\nG1 X2\nG1 X3\n")
    assert b"M114" not in smoothie.executed
    host.printer.resume(host.now)
    host.go()
    assert behind(host, b"M601") == [b"G1 X2", b"G1 X3"]
    assert smoothie.executed.count(b"M601") == 1
    assert host.attempts[-1] is _A.COMPLETED


def test_klipper_whose_print_is_cancelled_is_not_paused_any_more() -> None:
    """The next print's runout is to be heard."""
    host = paused(PausingKlipper(), "klipper", b"G1 X1\nPAUSE\nG1 X2\n")
    host.printer.cancel(host.now)
    host.go()
    assert b"CLEAR_PAUSE" in host.firmware.executed
    assert b"RESUME" not in host.firmware.executed


def test_a_pause_of_ours_is_none_of_the_printers() -> None:
    """Nothing that it does not know of is to be gone on with, or taken back."""
    host = paused(PausingKlipper(), "klipper", b"G1 X1\nM0\nG1 X2\n")
    host.printer.resume(host.now)
    host.go()
    assert host.attempts[-1] is _A.COMPLETED
    assert not {b"RESUME", b"CLEAR_PAUSE"} & set(host.firmware.executed)


def printing(dialect: str, m115: bytes, data: bytes, says: dict[bytes, bytes]) -> Host:
    """A print of *data*, at its end."""
    host = Host(PrinterConfig(id=7, slug="fake", name="Fake", port_id="x", dialect=dialect))
    host.firmware = Speaking(m115)
    host.firmware.says |= says
    host.connect()
    host.start(data)
    host.go()
    return host


@pytest.mark.parametrize(
    "error",
    [b"!! No trigger on x after full movement", b"!! Endstop z still triggered after retract"],
)
def test_a_homing_that_failed_ends_klippers_print(error: bytes) -> None:
    """It goes on and refuses every move behind: a print of nothing was told as completed."""
    data = b"G1 X1\nG28\nG1 X2\n" + b"G1 X3\n" * 50
    host = printing("klipper", KLIPPER, data, {b"G28": error + b"\n"})
    assert host.attempts[-1] is _A.FAILED
    assert len(host.printed) < 10
    assert b"M140 S0" in host.firmware.executed
    assert host.printer.state is _S.OPERATIONAL
    host.printer.order(["G28"], "again")
    host.go()
    assert host.printer.state is _S.OPERATIONAL


@pytest.mark.parametrize(
    ("dialect", "m115", "word"),
    [
        ("klipper", KLIPPER, b"!! Must home axis first: 3.0 0.0 5.0\n"),
        ("marlin", M115, b"echo:Home XYZ First\n"),
    ],
)
@pytest.mark.parametrize(("moves", "outcome"), [(200, _A.FAILED), (3, _A.COMPLETED)])
def test_a_print_of_nothing_ends(
    dialect: str, m115: bytes, word: bytes, moves: int, outcome: AttemptState
) -> None:
    """A move or two that were left out are told; when all are, hours of them are no print."""
    host = printing(dialect, m115, b"G1 X3\n" * moves + b"G1 X4\n" * 50, {b"G1 X3": word})
    assert host.attempts[-1] is outcome
    assert "firmware_not_homed" in host.warnings


def test_klipper_that_is_asked_for_its_state_has_not_restarted() -> None:
    """STATUS is answered with the words of a start; a restart is told by others before."""
    host = Host(PrinterConfig(id=7, slug="fake", name="Fake", port_id="x", dialect="klipper"))
    host.firmware = Speaking(KLIPPER)
    host.firmware.says[b"STATUS"] = b"// Klipper state: Ready\n"
    host.connect()
    host.now += 60.0
    host.start(b"G1 X1\n" + b"G1 X3\n" * 50)
    host.printer.order(["STATUS"], "typed")
    host.go()
    assert host.attempts[-1] is _A.COMPLETED


def test_reprapfirmware_that_has_stopped_is_no_printer() -> None:
    """It says `ok` to every move behind its own emergency stop, and makes none."""
    host = Host(
        PrinterConfig(id=7, slug="fake", name="Fake", port_id="x", dialect="reprapfirmware")
    )
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\n" + b"G1 X3\n" * 50)
    host.go()
    host.say(b"Emergency Stop! Reset the controller to continue.\nok\n")
    host.go()
    assert host.printer.state is _S.HALTED
    assert host.attempts[-1] is _A.FAILED


BUDDY = (
    b"FIRMWARE_NAME:Prusa-Firmware-Buddy 6.0.0 UUID:1 MACHINE_TYPE:Prusa-XL\n"
    b"Cap:AUTOREPORT_TEMP:1\nCap:SDCARD:0\n"
)


def longest_silence_s(host: Host, seconds: float) -> float:
    """The longest time in the next *seconds* in which nothing was in the board's queue."""
    since = host.now
    silence_s, end = 0.0, host.now + seconds
    while host.now < end:
        heard = len(host.firmware.heard)
        host.say(b" T:20.0 /0.0 B:20.0 /0.0 @:0 B@:0\n")
        host.wait(0.25)
        if any(b" G4 P100*" in line for line in host.firmware.heard[heard:]):
            since = host.now
        silence_s = max(silence_s, host.now - since)
    return silence_s


def test_a_paused_buddy_does_not_take_its_print_for_finished() -> None:
    """After five seconds of an empty queue an XL puts its tool away, a CORE One draws its filament
    back: a pause of ours is none. What people's programs are told is no dwelling."""
    host = Host(m115=BUDDY)
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\nG1 X2\nG1 X3\n")
    host.go()
    host.printer.pause(host.now)
    host.say(host.firmware.finish())
    host.go()
    assert host.printer.state is _S.PAUSED
    assert longest_silence_s(host, 600.0) < 4.0
    assert not host.printer.doings.tail or host.printer.doings.tail[-1].kind is not DoingKind.DWELL
    host.printer.resume(host.now)
    host.wait(5.0)
    assert host.attempts[-1] is _A.COMPLETED
    heard = len(host.firmware.heard)
    host.wait(30.0)
    assert not any(b"G4 P100" in line for line in host.firmware.heard[heard:])


def test_nobody_else_is_told_that_a_pause_is_none() -> None:
    """A pause of a Marlin says nothing by itself."""
    host = Host()
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\nG1 X2\n")
    host.go()
    host.printer.pause(host.now)
    host.say(host.firmware.finish())
    host.wait(60.0)
    assert b"G4 P100" not in host.firmware.executed


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_long_pause_of_the_printers_own_is_no_inactivity(goes_on: bool) -> None:
    """The same as in one of ours: M85 in the file is taken back for as long as it takes."""
    host = paused(PausingMk3(), "prusa", b"M85 S600\n" + FILE)
    ran = host.firmware.executed
    assert [line for line in ran if line.startswith(b"M85")] == [b"M85 S600", b"M85 S0"]
    if goes_on:
        host.printer.resume(host.now)
    else:
        host.printer.cancel(host.now)
    host.go()
    assert [line for line in ran if line.startswith(b"M85")][2:] == [b"M85 S600"]


def test_a_print_that_ends_in_klippers_own_pause_leaves_its_idle_timeout_as_it_was() -> None:
    """A day without moves was left behind, for whatever came next."""
    host = paused(PausingKlipper(), "klipper", b"G1 X1\nPAUSE\nG1 X2\n")
    host.printer.cancel(host.now)
    host.go()
    idle = [line for line in host.firmware.executed if line.startswith(b"SET_IDLE_TIMEOUT")]
    assert idle == [b"SET_IDLE_TIMEOUT TIMEOUT=86400", b"SET_IDLE_TIMEOUT"]


@pytest.mark.parametrize("dialect", ["prusa", "klipper"])
def test_a_pause_of_the_printers_own_that_lasts_calls_for_a_person(dialect: str) -> None:
    """A runout on Klipper, M601 on an MK3: nothing but the state said so, and nobody looked."""
    klipper = dialect == "klipper"
    data = b"G1 X1\nPAUSE\nG1 X2\n" if klipper else FILE
    host = paused(PausingKlipper() if klipper else PausingMk3(), dialect, data)
    host.wait(50.0)
    assert "printer_paused" not in host.warnings
    host.wait(3600.0)
    assert host.warnings.count("printer_paused") == 1


def test_a_pause_that_a_macro_ends_at_once_calls_for_nobody() -> None:
    """Klipper's macros for time-lapse pictures pause at each layer."""
    host = paused(PausingKlipper(), "klipper", b"G1 X1\nPAUSE\nG1 X2\n")
    host.say(b"// action:resumed\n")
    host.wait(3600.0)
    assert host.attempts[-1] is AttemptState.COMPLETED
    assert "printer_paused" not in host.warnings


def test_a_pause_that_a_person_has_asked_for_calls_for_nobody() -> None:
    """Who pauses knows it."""
    host = Host()
    host.connect()
    host.firmware.stuck = {b"G1"}
    host.start(b"G1 X1\nG1 X2\n")
    host.go()
    host.printer.pause(host.now)
    host.say(host.firmware.finish())
    host.wait(3600.0)
    assert host.printer.state is _S.PAUSED
    assert "printer_paused" not in host.warnings


def test_a_pause_behind_a_resume_that_has_ended_no_pause_of_its_own_ends_that_later() -> None:
    """An MK3 that never hears M602 drops all lines that follow, and does not answer them."""
    host = Host(m115=MK3)
    host.connect()
    host.firmware.stuck = {b"G28"}
    host.start(b"G28\nG1 X2\n")
    host.go()
    host.say(b"//action:paused\n" + host.firmware.finish())
    host.go()
    assert host.printer.state is _S.PAUSED
    host.firmware.stuck = {b"M105"}
    host.printer.resume(host.now)
    host.go()
    host.printer.pause(host.now)
    host.say(host.firmware.finish())
    host.go()
    assert (host.printer.state, b"M602" in host.firmware.executed) == (_S.PAUSED, False)
    host.printer.resume(host.now)
    host.go()
    assert host.firmware.executed.count(b"M602") == 1
    assert host.attempts[-1] is _A.COMPLETED
