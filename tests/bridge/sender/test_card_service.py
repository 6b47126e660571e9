"""A file for the card through a real sender, a real port and a real kill -9 (serial 6)."""

import hashlib
import time
from pathlib import Path

import pytest

from bridge.control.messages import Cancel, CardWrite, CardWritten, Event, Gcode, Outcome, Verdict
from bridge.simulator import executed
from schemas.commands import CARD_PRINT
from schemas.printer import PrinterState
from tests.fakes.owner import LOG_DELAY_S, Owner, Processes, Simulated

pytestmark = pytest.mark.flow
_S = PrinterState
CARD = ("--speed", "1", "--card", "OLD.GCO:12")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Long enough to be in the middle of it for a while."""
    path = tmp_path / "long.gcode"
    path.write_text("".join(f"G1 X{at % 200} Y{at % 190}.5 F1800\n" for at in range(200_000)))
    return path


def write(owner: Owner, path: Path) -> Outcome:
    """Send *path* to the card."""
    return owner.ask(
        CardWrite(
            id=owner.id(),
            name="LONG.GCO",
            path=str(path),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            size_bytes=path.stat().st_size,
        )
    )


def told(owner: Owner) -> CardWritten:
    """Wait until an event tells how it ended."""
    event = owner.expect(Event, lambda one: isinstance(one.body, CardWritten))
    assert isinstance(event.body, CardWritten)
    return event.body


def saved(printer: Simulated) -> list[str]:
    """The lines that have gone into the file on its card."""
    time.sleep(LOG_DELAY_S)
    return executed.read(printer.log).saved


def test_a_sender_killed_in_the_middle_is_told_and_the_file_is_closed(
    processes: Processes, file: Path
) -> None:
    """The next life says so, and nothing that it asks the printer goes into the file."""
    printer, sender = processes.simulator(*CARD), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    assert write(owner, file).verdict is Verdict.DONE
    owner.state(_S.TRANSFERRING)
    owner.listen(0.3)
    sender.kill()
    later = processes.owner(processes.sender(), 2)
    assert told(later).reason.startswith("the sender died while it sent the file; ")
    later.connect(printer.link)
    assert later.ask(Gcode(id=later.id(), lines=["M118 hears"])).verdict is Verdict.DONE
    lines = saved(printer)
    whole = file.read_text().splitlines()
    assert 0 < len(lines) < len(whole)
    assert lines == whole[: len(lines)]
    assert "M118 hears" in executed.read(printer.log).numbered


def test_a_cancel_means_the_transfer_and_others_are_refused(
    processes: Processes, file: Path
) -> None:
    """With the reason; then the printer is free."""
    printer, sender = processes.simulator(*CARD), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    assert write(owner, file).verdict is Verdict.DONE
    owner.state(_S.TRANSFERRING)
    for refused in (
        owner.ask(Gcode(id=owner.id(), lines=["M105"])),
        owner.start(),
        write(owner, file),
    ):
        assert (refused.verdict, refused.code) == (Verdict.REJECTED, "printer_busy")
        assert "cancel that first" in refused.reason
    assert owner.ask(Cancel(id=owner.id(), grant=CARD_PRINT)).verdict is Verdict.DONE
    assert told(owner).reason == "cancelled"
    owner.state(_S.OPERATIONAL)
    time.sleep(LOG_DELAY_S)
    assert "M30 LONG.GCO" in executed.read(printer.log).numbered


def test_a_small_file_is_there_whole(processes: Processes, tmp_path: Path) -> None:
    """From the message to the card's own bytes."""
    path = tmp_path / "small.gcode"
    path.write_text("; small\nG28\nG1 X1\nM117 done\n")
    printer, sender = processes.simulator(*CARD), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    assert write(owner, path).verdict is Verdict.DONE
    assert told(owner).reason == ""
    assert saved(printer) == ["G28", "G1 X1", "M117 done"]


def test_a_printer_without_a_card_refuses(processes: Processes, file: Path) -> None:
    """Before a byte is sent."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    refused = write(owner, file)
    assert (refused.verdict, refused.code) == (Verdict.REJECTED, "not_possible")
    assert "its firmware was built without one" in refused.reason
    assert not any(line.startswith("M28") for line in executed.read(printer.log).numbered)
