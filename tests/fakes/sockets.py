"""Websockets as an ASGI server hands them over, driven from the client's side."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self

from schemas.codec import decode, encode
from schemas.link import LINK_PATH, Body, Frame

Message = MutableMapping[str, Any]
Endpoint = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]


class Upgrade:
    """One upgrade. *stalled*: the client reads nothing, so nothing can be written."""

    def __init__(self, endpoint: Endpoint, scope: MutableMapping[str, Any]) -> None:
        self._scope = {"type": "websocket", **scope}
        self._endpoint = endpoint
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self.stalled = False
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(self._run())
        return self

    def hang_up(self) -> None:
        """End it from the client's side."""
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def __aexit__(self, *exc: object) -> None:
        self.stalled = False
        self.hang_up()
        async with asyncio.timeout(5):
            await self.task

    async def _run(self) -> None:
        await self._endpoint(self._scope, self._incoming.get, self._send)

    async def _send(self, message: Message) -> None:
        while self.stalled:
            await asyncio.sleep(0.001)
        self._sent.put_nowait(message)

    async def message(self) -> Message:
        """The next thing that the server did."""
        async with asyncio.timeout(5):
            return await self._sent.get()

    async def accepted(self) -> None:
        """The upgrade went through."""
        assert await self.message() == {"type": "websocket.accept"}

    async def refusal(self) -> tuple[int, str]:
        """Status and error code of a refused upgrade."""
        start, body = await self.message(), await self.message()
        assert start["type"] == "websocket.http.response.start", start
        return start["status"], json.loads(body["body"])["error"]["code"]

    async def closed(self) -> tuple[int, str]:
        """The code and reason the server closes with; frames before it are passed over."""
        while (message := await self.message())["type"] != "websocket.close":
            pass
        return message["code"], message.get("reason", "")

    def write(self, text: str | bytes) -> None:
        """Send anything."""
        key = "text" if isinstance(text, str) else "bytes"
        self._incoming.put_nowait({"type": "websocket.receive", key: text})

    async def frame(self) -> Any:
        """The next frame as it is."""
        message = await self.message()
        assert message["type"] == "websocket.send", message
        return message["text"]

    async def unheard(self) -> list[Message]:
        """What was sent and not listened to, once the loop has nothing more to do."""
        for _ in range(20):
            await asyncio.sleep(0.001)
        return [self._sent.get_nowait() for _ in range(self._sent.qsize())]


class FakeSocket(Upgrade):
    """The link of an agent."""

    def __init__(self, endpoint: Endpoint, *authorization: str, path: str = LINK_PATH) -> None:
        headers = [(b"authorization", value.encode()) for value in authorization]
        super().__init__(endpoint, {"path": path, "headers": headers})
        self.epoch = 0

    async def close_code(self) -> int:
        """The code the server closes with; frames before it are passed over."""
        return (await self.closed())[0]

    def say(self, body: Body) -> None:
        """Send a frame as the agent."""
        self.write(encode(Frame(body=body, epoch=self.epoch)))

    async def hear(self) -> Body:
        """The body of the next frame."""
        return decode(await self.frame()).body


class LiveSocket(Upgrade):
    """A dashboard's or an app's."""

    def __init__(
        self,
        endpoint: Endpoint,
        path: str = "/ws",
        query: str = "",
        address: str = "10.0.0.1",
        **headers: str,
    ) -> None:
        named = {"host": "farm.example", **{k.replace("_", "-"): v for k, v in headers.items()}}
        scope = {
            "path": path,
            "query_string": query.encode(),
            "client": (address, 50000),
            "scheme": "ws",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }
        super().__init__(endpoint, scope)

    async def text(self) -> str:
        """The next frame as it is."""
        text: str = await self.frame()
        return text

    async def hear(self) -> Any:
        """The next frame, parsed."""
        return json.loads(await self.text())

    async def hear_type(self, name: str) -> Any:
        """The next frame of this type; others are passed over."""
        while (frame := await self.hear())["type"] != name:
            pass
        return frame

    async def events(self, count: int) -> list[Any]:
        """The next *count* frames that have a number and are neither `hello` nor `reset`."""
        found: list[Any] = []
        while len(found) < count:
            frame = await self.hear()
            if "id" in frame and frame["type"] not in ("hello", "reset"):
                found.append(frame)
        return found
