"""`infra.bench.served` with printers that can be moved, and a bare websocket broadcast beside.

``POST /bench/move/<turn>`` makes the first printer report another state; ``/bench/ws`` takes bare
sockets, and ``POST /bench/shout/<turn>`` sends each of them a text of the size of a picture: what
any fan-out on this worker costs at least.
"""

import sys
from itertools import cycle
from typing import Any

from api.app import Application, Receive, Scope, Send
from infra.bench.served import Served, main
from schemas.link import LiveSnap
from schemas.printer import Live, PrinterState, Temperature

FIRST = 1
PADDING = "x" * 240  # so that a bare text is as long as the picture of a printer


class FeedServed(Served):
    """The application, the way to move a printer, and the bare sockets."""

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self._bare: set[Send] = set()
        self._states = cycle((PrinterState.CONNECTING, PrinterState.PAUSED))

        @application.quart.post("/bench/move/<int:turn>")
        async def move(turn: int) -> str:
            await self._move(turn)
            return "moved"

        @application.quart.post("/bench/shout/<int:turn>")
        async def shout(turn: int) -> str:
            for send in tuple(self._bare):
                text = f'{{"bare":{turn},"padding":"{PADDING}"}}'
                await send({"type": "websocket.send", "text": text})
            return "shouted"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "websocket" and scope["path"] == "/bench/ws":
            await self._listen(receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _listen(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self._bare.add(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self._bare.discard(send)

    async def _move(self, turn: int) -> None:
        rooms = self.application.rooms
        bridge: Any = await rooms.bridges.paired(FIRST)
        temps = {"tool0": Temperature(1000.0 + turn, 0.0)}
        picture = Live(printer=FIRST, state=next(self._states), temps=temps, z_mm=float(turn))
        await rooms.telemetry.record(bridge, LiveSnap(printers=[picture]))


if __name__ == "__main__":
    sys.exit(main(FeedServed, quiet=1))
