"""A host whose firmware is the simulated board, both on one clock that a test moves."""

from bridge.simulator.firmware import Firmware
from bridge.simulator.pace import Pace
from bridge.simulator.profile import Profile
from schemas.printer import PrinterConfig
from tests.fakes.host import CONFIG, Host


class OnABoard(Host):
    """Its *board* is on before anybody connects; *ran* is what it has executed."""

    def __init__(self, profile: Profile | None = None, config: PrinterConfig = CONFIG) -> None:
        super().__init__(config)
        self.board = Firmware(profile or Profile(), Pace())
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
