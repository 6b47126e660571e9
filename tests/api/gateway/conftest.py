"""A bridge behind a gateway: the farm of the link's tests, and a gateway that keeps what it got."""

import pytest

from api.gateway.links import LinkSockets
from api.gateway.models import GatewaySocket
from schemas.codec import decode, encode
from schemas.link import Body, Frame
from tests.api.link.conftest import Farm, farm

__all__ = ["Gateway", "Room", "farm", "room"]


class Gateway:
    """Takes frames for sockets; those in *gone* are not there any more."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, str]] = []
        self.closed: list[str] = []
        self.gone: set[str] = set()

    async def post(self, connection_id: str, text: str) -> bool:
        if connection_id in self.gone:
            return False
        self.frames.append((connection_id, text))
        return True

    async def close(self, connection_id: str) -> None:
        self.closed.append(connection_id)
        self.gone.add(connection_id)


class Room:
    """The bridge's side of sockets at the gateway."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.gateway = Gateway()
        self.waited: list[float] = []
        self.links = LinkSockets(farm.handler, self.gateway, farm.clock, self._sleep)
        self.mono_ms = 0

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def connect(self, connection_id: str = "c1") -> None:
        await self.links.connect(connection_id, await self.farm.credentials())

    async def say(self, body: Body, connection_id: str = "c1", *, mono_ms: int = -1) -> None:
        """One frame of the agent, as one invocation sees it."""
        self.mono_ms += 1
        taken_ms = self.mono_ms if mono_ms < 0 else mono_ms
        frame = Frame(body=body, epoch=self.farm.epoch, mono_ms=taken_ms)
        socket = await GatewaySocket.get_or_none(connection_id=connection_id)
        if socket is not None:
            await self.links.message(socket, encode(frame))

    async def greet(self, connection_id: str = "c1", *, boot: str = "boot-1") -> None:
        """Connect and say hello; what the API answers is read."""
        from tests.fakes.agents import hello_of

        await self.connect(connection_id)
        self.farm.epoch = 0
        await self.say(hello_of(self.farm.bridge.uid, boot=boot), connection_id)
        row = await GatewaySocket.get_or_none(connection_id=connection_id)
        self.farm.epoch = row.epoch if row is not None else 0

    def told(self, connection_id: str = "c1") -> list[Body]:
        """What came to the socket since the last look."""
        found = [decode(text).body for name, text in self.gateway.frames if name == connection_id]
        self.gateway.frames = [each for each in self.gateway.frames if each[0] != connection_id]
        return found


@pytest.fixture
def room(farm: Farm) -> Room:
    return Room(farm)
