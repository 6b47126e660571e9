"""The bridges' websocket in a container: raw ASGI in front of Quart.

Credentials are checked before the upgrade is accepted: nobody unauthenticated gets a socket
(room link contract, "Identity"; safety S41, S43). Refusals are ordinary HTTP answers in v1's form.
"""

import asyncio

from api.bridges.service import Bridge
from api.bus.local import Bus
from api.clock import Clock
from api.db import PASSING
from api.errors import NotAuthenticated, NotFound, Problem, Unavailable
from api.feed.door import refuse
from api.feed.sender import Receive, Scope, Send
from api.link.connection import Connection
from api.link.handler import LinkHandler
from api.link.turns import Step, Turns
from api.telemetry import interest, terminals
from schemas.link import LINK_PATH

DRAIN_S = 2.0  # so long may saying goodbye to all bridges take


class LinkEndpoint:
    """Takes websocket scopes; every other path than the link's is not found."""

    def __init__(self, handler: LinkHandler, bus: Bus, clock: Clock) -> None:
        self._handler = handler
        self._bus = bus
        self._clock = clock
        self._connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._draining = False
        self.turns = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one upgrade and the socket behind it."""
        await receive()  # websocket.connect
        try:
            authorization = self._admit(scope)
            bridge = await self._connect(authorization)
        except Problem as problem:
            status = problem.kind.v1_status
            ask = [(b"www-authenticate", b"Gantry-Ed25519")] if status == 401 else []
            await refuse(send, problem, status, *ask)
            return
        await send({"type": "websocket.accept"})
        connection = Connection(self._handler, bridge, self._clock, receive, send, turns=self.turns)
        self._connections.add(connection)
        self._empty.clear()
        try:
            looks = self._bus.listen(interest.bell(bridge.id), on_ring=connection.watched)
            reads = self._bus.listen(terminals.bell(bridge.id), on_ring=connection.read)
            with self._bus.listen(f"bridge:{bridge.id}") as listener, looks, reads:
                await connection.run(listener)
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()

    async def _connect(self, authorization: str) -> Bridge:
        try:
            async with self.turns.turn(Step.UPGRADE):
                return await self._handler.connect(authorization)
        except PASSING:
            raise Unavailable(
                "The database is busy; come back in a moment.", retry_after_s=2
            ) from None

    def _admit(self, scope: Scope) -> str:
        if scope["path"] != LINK_PATH:
            raise NotFound("There is no websocket here.")
        if self._draining:
            raise Unavailable("The API restarts; come back in a moment.", retry_after_s=2)
        found = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        if len(found) != 1:
            raise NotAuthenticated("The bridge did not say who it is.")
        value: bytes = found[0]
        return value.decode("latin-1")

    async def drain(self) -> None:
        """Take no new bridges, and close the connected ones with 1012; at most two seconds."""
        self._draining = True
        if not self._connections:
            return
        for connection in tuple(self._connections):
            connection.drain()
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._empty.wait()
        except TimeoutError:
            pass
