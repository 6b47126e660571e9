"""Which printers take a file for their card, and a stop while one goes there (serial 6 and 10)."""

import pytest

from bridge.errors import LocalProtocolError
from bridge.gcode.cardwrite import CardJob
from bridge.gcode.dialects import DIALECTS, STOP_BYTES, Dialect
from bridge.gcode.failures import Failure, Severity
from bridge.gcode.greeting import CLOSE
from bridge.gcode.replies import Ack, Start
from bridge.gcode.sdcard import Saved
from bridge.gcode.stopping import CLOSE_AGAIN_S, STOPS, Stopping
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.host import M115, Host

#: A firmware that does not tell whether it has a card.
SILENT = M115.replace(b"Cap:SDCARD:0\n", b"")
JOB = CardJob(name="CUBE.GCO", size_bytes=10, token="T")
WRITE = {"marlin", "marlin-1.1", "marlin-1.0", "repetier", "malyan", "sprinter"}


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.name)
def test_each_family_takes_files_or_says_why_not(dialect: Dialect) -> None:
    """A clear refusal, and nothing is sent."""
    assert (not dialect.no_card_write) is (dialect.name in WRITE)
    config = PrinterConfig(id=1, slug="", name="", port_id="", dialect=dialect.name)
    host = Host(config, m115=SILENT)
    host.connect()
    heard = len(host.firmware.heard)
    if not dialect.no_card_write:
        host.printer.card_write.start(JOB)
        assert host.printer.state is PrinterState.TRANSFERRING
        return
    with pytest.raises(LocalProtocolError, match="no file can be sent to its card: "):
        host.printer.card_write.start(JOB)
    host.go()
    assert host.printer.state is PrinterState.OPERATIONAL
    assert len(host.firmware.heard) == heard


@pytest.mark.parametrize(
    ("told", "why"),
    [(b"Cap:SD_WRITE:0\n", "SD_WRITE:0"), (b"Cap:SDCARD:0\n", "built without one")],
)
def test_a_firmware_that_says_it_cannot_is_believed(told: bytes, why: str) -> None:
    """By M115."""
    host = Host(m115=b"FIRMWARE_NAME:Marlin 2.1 UUID:1\n" + told)
    host.connect()
    with pytest.raises(LocalProtocolError, match=why):
        host.printer.card_write.start(JOB)


def test_a_failure_before_the_file_is_checked_sends_nothing() -> None:
    """The printer is free at once; who asked is told."""
    host = Host(m115=SILENT)
    host.connect()
    heard = len(host.firmware.heard)
    host.printer.card_write.start(JOB)
    host.printer.card_write.fail("line 3: no", host.now)
    host.go()
    assert host.printer.state is PrinterState.OPERATIONAL
    assert len(host.firmware.heard) == heard


def test_a_card_that_cannot_be_opened_is_told_and_not_deleted_from() -> None:
    """`open failed`: what is there under that name is another file."""
    host = Host(m115=SILENT)
    host.firmware.says[b"M28 CUBE.GCO"] = b"open failed, File: CUBE.GCO.\n"
    host.connect()
    host.printer.card_write.start(JOB)
    host.printer.card_write.begin(host.now)
    host.go()
    assert host.printer.state is PrinterState.OPERATIONAL
    assert not any(line.startswith(b"M30") for line in host.firmware.executed)
    assert host.firmware.executed[-2:] == [b"M29", b"M20"]


def test_a_file_that_the_printer_closes_by_itself_is_given_up() -> None:
    """What comes behind would be run as commands: not a line more is sent."""
    host = Host(m115=SILENT)
    host.firmware.says[b"M28 CUBE.GCO"] = b"Writing to file: CUBE.GCO\n"
    host.connect()
    write = host.printer.card_write
    write.start(JOB)
    write.begin(host.now)
    host.go()
    wanted = write.wants_lines
    host.say(b"Done saving file.\n")
    assert (wanted, write.wants_lines) == (True, False)
    host.go()
    assert host.firmware.executed[-3:] == [b"M29", b"M30 CUBE.GCO", b"M20"]


def test_a_stop_is_said_with_the_close_until_it_is_closed() -> None:
    """Then M112 alone, as often as ever; never for ever."""
    stop = Stopping()
    stop.begin(STOP_BYTES, 0.0, saving=True)
    assert stop.take() == CLOSE + STOP_BYTES
    stop.heard(Ack(), 0.1)
    assert stop.take() == b""
    stop.tick(CLOSE_AGAIN_S)
    assert stop.take() == CLOSE + STOP_BYTES
    stop.heard(Saved(), 0.5)
    assert stop.take() == STOP_BYTES
    sent, now = 1, 0.5
    while stop.deadline() is not None or now < 60.0:
        now += 1.0
        stop.tick(now)
        stop.heard(Ack(), now)
        sent += bool(stop.take())
    assert sent == STOPS
    silent = Stopping()
    silent.begin(STOP_BYTES, 0.0, saving=True)
    for step in range(1000):
        silent.tick(step / 10)
    assert silent.deadline() is None


@pytest.mark.parametrize("reply", [Start(), Failure(Severity.HALTED, "killed")])
def test_a_stop_that_was_obeyed_is_not_said_again(reply: Start | Failure) -> None:
    """The board says so in one of two ways."""
    stop = Stopping()
    stop.begin(STOP_BYTES, 0.0, saving=True)
    stop.take()
    stop.heard(reply, 0.1)
    stop.tick(9.0)
    assert (stop.take(), stop.deadline()) == (b"", None)


@pytest.mark.parametrize("begun", [True, False])
def test_a_card_is_listed_again_behind_a_transfer_that_broke_off(begun: bool) -> None:
    """A part of the file lies there; before anything was sent nothing is another than it was."""
    host = Host(m115=SILENT)
    host.connect()
    host.printer.card_write.start(JOB)
    if begun:
        host.printer.card_write.begin(host.now)
        host.go()
    host.printer.lost("the cable was pulled", host.now)
    host.firmware.heard.clear()
    host.printer.opened(host.now, boots=False, lossless=True)
    host.wait(10.0)
    assert host.printer.state is PrinterState.OPERATIONAL
    assert any(b" M20*" in line for line in host.firmware.heard) is begun
