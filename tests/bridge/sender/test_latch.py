"""A stop that was told as done is one in the next life, however this one ends."""

import pytest

from bridge.control.messages import RemoteStop, ResetStop, Verdict
from schemas.printer import PrinterState
from tests.fakes.owner import Processes

pytestmark = pytest.mark.flow


@pytest.mark.parametrize("prints", [False, True], ids=["idle", "printing"])
def test_a_stop_holds_behind_a_kill_right_after_its_answer(
    processes: Processes, *, prints: bool
) -> None:
    """safety M06, M10: and so does its reset."""
    printer, sender = processes.simulator("--speed", "1"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    if prints:
        owner.start()
        owner.state(PrinterState.PRINTING)
    for life in range(2, 5):
        stop = f"01KAT0000{life}" + "0" * 16
        assert owner.ask(RemoteStop(id=stop)).verdict is Verdict.DONE
        sender.kill()
        sender = processes.sender()
        owner = processes.owner(sender, life)
        assert owner.adopted.live.state is PrinterState.HALTED
        assert owner.adopted.live.error == "stopped remotely"
    overtaken, reset = "01KAT00003" + "1" * 16, "01KAT00005" + "1" * 16
    assert owner.ask(ResetStop(id=overtaken)).verdict is Verdict.REJECTED
    assert owner.ask(ResetStop(id=reset)).verdict is Verdict.DONE
    sender.kill()
    owner = processes.owner(processes.sender(), 5)
    assert owner.adopted.live.state is not PrinterState.HALTED
