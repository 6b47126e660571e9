"""A stream against the simulated board, whose lines wait in a queue until they have been run."""

from math import inf

from bridge.gcode.stream import Stream
from bridge.simulator.firmware import Firmware
from bridge.simulator.pace import Pace
from bridge.simulator.profile import Profile
from tests.fakes.conversation import Conversation
from tests.fakes.firmware import Cable, intact


class Queueing(Conversation):
    """The clock is the conversation's; *speed* is that of the machine."""

    def __init__(
        self,
        stream: Stream,
        profile: Profile | None = None,
        *,
        speed: float = 1.0,
        up: Cable = intact,
        down: Cable = intact,
        latency_s: float = 0.001,
    ) -> None:
        super().__init__(stream, self._feed, up=up, down=down, latency_s=latency_s)
        self.board = Firmware(profile or Profile(), Pace(speed))
        self.board.power_on(self.now)
        self.board.data_to_send()
        self.executed: list[bytes] = []
        self._cable = down

    def _feed(self, data: bytes) -> bytes:
        self.board.receive(data, self.now)
        return self.board.data_to_send()

    def _next_moment(self) -> float | None:
        moment, due = super()._next_moment(), self.board.deadline()
        return min(due, inf if moment is None else moment) if due < inf else moment

    def _deliver(self) -> None:
        super()._deliver()
        self.board.tick(self.now)
        if data := self._cable(self.board.data_to_send()):
            self._send(self.now + self._latency_s, to_host=True, data=data)
        self.executed += self.board.take_executed()
