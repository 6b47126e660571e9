"""A websocket as an ASGI server hands it over, driven from the test's side."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

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


class FakeSocket:
    """One upgrade. *stalled*: the peer's receive window is full, nothing can be written."""

    def __init__(self, endpoint: Endpoint, *authorization: str, path: str = LINK_PATH) -> None:
        headers = [(b"authorization", value.encode()) for value in authorization]
        self._scope = {"type": "websocket", "path": path, "headers": headers}
        self._endpoint = endpoint
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self.epoch = 0
        self.stalled = False
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> "FakeSocket":
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.stalled = False
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})
        async with asyncio.timeout(5):
            await self.task

    async def _run(self) -> None:
        await self._endpoint(self._scope, self._incoming.get, self._send)

    async def _send(self, message: Message) -> None:
        while self.stalled:
            await asyncio.sleep(0.001)
        self._sent.put_nowait(message)

    async def message(self) -> Message:
        """The next thing that the server sent."""
        async with asyncio.timeout(5):
            return await self._sent.get()

    async def accepted(self) -> None:
        """The upgrade went through."""
        assert await self.message() == {"type": "websocket.accept"}

    async def refusal(self) -> tuple[int, str]:
        """Status and error code of a refused upgrade."""
        start, body = await self.message(), await self.message()
        assert start["type"] == "websocket.http.response.start"
        return start["status"], json.loads(body["body"])["error"]["code"]

    async def close_code(self) -> int:
        """The code the server closes with; frames before it are passed over."""
        while (message := await self.message())["type"] != "websocket.close":
            pass
        code: int = message["code"]
        return code

    def say(self, body: Body) -> None:
        """Send a frame as the agent."""
        self.write(encode(Frame(body=body, epoch=self.epoch)))

    def write(self, text: str | bytes) -> None:
        """Send anything."""
        key = "text" if isinstance(text, str) else "bytes"
        self._incoming.put_nowait({"type": "websocket.receive", key: text})

    async def hear(self) -> Body:
        """The body of the next frame."""
        message = await self.message()
        assert message["type"] == "websocket.send", message
        return decode(message["text"]).body
