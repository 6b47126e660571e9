"""Ending a print from the card on a board that empties its queue then (serial 6)."""

import msgspec

from bridge.simulator.firmware import Firmware
from bridge.simulator.pace import Pace
from bridge.simulator.profile import Profile
from schemas.commands import CardAction
from schemas.printer import PrinterState
from tests.fakes.host import CONFIG, Host

SCRIPT = ["M107", "M104 S0", "M140 S0", "M117 over", "M84"]


class OnABoard(Host):
    """A host whose firmware is the simulated board, with a file on its card."""

    def __init__(self) -> None:
        super().__init__(msgspec.structs.replace(CONFIG, scripts={"on_cancel": "\n".join(SCRIPT)}))
        self.board = Firmware(Profile(card={"CUBE.GCO": 400_000}), Pace())
        self.board.power_on(self.now)
        self.board.data_to_send()
        self.ran: list[str] = []

    def go(self) -> None:
        """Exchange bytes; what was written together arrives together."""
        while data := self.printer.take(self.now):
            self.board.receive(data, self.now)
            self._hear()
        self.happened += self.printer.events()

    def live(self, seconds: float) -> None:
        """Let both sides live for so long."""
        end = self.now + seconds
        while self.now < end:
            self.wait(0.05)
            self.board.tick(self.now)
            self._hear()
            self.go()

    def _hear(self) -> None:
        self.say(self.board.data_to_send())
        self.ran += [line.decode().strip() for line in self.board.take_executed()]


def test_the_script_for_a_cancel_runs_whole_behind_m524() -> None:
    """Lines sent along with M524 are taken and never run: a script would lose its first ones."""
    host = OnABoard()
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
