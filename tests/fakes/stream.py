"""A request whose answer comes in pieces, as an ASGI server hands it over, seen by the client."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Endpoint = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[Message]],
        Callable[[Message], Awaitable[None]],
    ],
    Awaitable[None],
]


class LiveRequest:
    """One request. *stalled*: the client reads nothing, so nothing more can be written."""

    def __init__(
        self, endpoint: Endpoint, method: str, path: str, body: bytes = b"", **headers: str
    ) -> None:
        named = {"host": "farm.example", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self._scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "client": ("10.0.0.1", 50000),
            "scheme": "http",
            "http_version": "1.1",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }
        self._endpoint = endpoint
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._text = ""
        self._is_over = False
        self.stalled = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> "LiveRequest":
        self.task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.stalled = False
        self._incoming.put_nowait({"type": "http.disconnect"})
        async with asyncio.timeout(5):
            await self.task

    async def _run(self) -> None:
        await self._endpoint(self._scope, self._incoming.get, self._send)

    async def _send(self, message: Message) -> None:
        while self.stalled:
            await asyncio.sleep(0.01)
        self._sent.put_nowait(message)

    async def _more(self) -> None:
        async with asyncio.timeout(5):
            message = await self._sent.get()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        self._text += message.get("body", b"").decode()
        self._is_over = not message.get("more_body", False)

    async def until(self, end: str) -> str:
        """What came up to and with *end*; the rest stays for the next call."""
        while end not in self._text:
            assert not self._is_over, f"it ended with {self._text!r}"
            await self._more()
        found, _, self._text = self._text.partition(end)
        return found + end

    async def whole(self) -> str:
        """All that is still to come, to the end of the answer."""
        while not self._is_over:
            await self._more()
        found, self._text = self._text, ""
        return found
