"""Ending a print from the card on a board that empties its queue then (serial 6)."""

import msgspec

from bridge.simulator.profile import Profile
from schemas.commands import CardAction
from schemas.printer import PrinterState
from tests.fakes.host import CONFIG
from tests.fakes.on_a_board import OnABoard

SCRIPT = ["M107", "M104 S0", "M140 S0", "M117 over", "M84"]


def test_the_script_for_a_cancel_runs_whole_behind_m524() -> None:
    """Lines sent along with M524 are taken and never run: a script would lose its first ones."""
    config = msgspec.structs.replace(CONFIG, scripts={"on_cancel": "\n".join(SCRIPT)})
    host = OnABoard(Profile(card={"CUBE.GCO": 400_000}), config)
    host.printer.opened(host.now, boots=False, lossless=True)
    host.live(2.0)
    host.printer.card_print.do(CardAction.START, "CUBE.GCO", "start")
    host.live(8.0)
    assert host.states[-1:] == [PrinterState.PRINTING]
    host.printer.order(["M105"] * 80, "talk")  # several lines at once are nothing new by now
    host.live(2.0)
    host.ran.clear()
    host.printer.cancel(host.now)
    host.live(1.0)
    assert host.states[-1:] == [PrinterState.OPERATIONAL]
    assert [line for line in host.ran if line in SCRIPT] == SCRIPT
    assert host.ran[0] == "M524"
