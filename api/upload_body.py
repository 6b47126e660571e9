"""A request's body between the server and Quart: never left unread.

A refusal may come before the end of the body, even of one of ten bytes that a client sends behind
its head. A server that answers and closes then resets the connection: the client reads "broken
pipe" instead of the reason, or loses its next request, for which it keeps the connection. So what
is left is read and thrown away before the answer ends, for a while.

Quart reads a body as fast as it comes, so an upload is withheld from it and its route reads the
bytes itself (see `uploads`), the middle of a large one straight from the socket where the server
can do that.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

#: The extension of a server whose `api.straight.straight` may be asked for a body's middle.
STRAIGHT = "gantry.straight"

DRAIN_S = 30.0  # who still sends an upload after this long is answered and cut off
SMALL_DRAIN_S = 5.0  # the same of any other body


def is_upload(scope: MutableMapping[str, Any]) -> bool:
    """Whether this HTTP request carries a multipart body."""
    return scope.get("method") == "POST" and any(
        name == b"content-type" and value.lstrip().lower().startswith(b"multipart/")
        for name, value in scope["headers"]
    )


def has_body(scope: MutableMapping[str, Any]) -> bool:
    """Whether this HTTP request says that a body follows its head."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


class StraightBody(Protocol):
    """The middle of a body, past the server: from its *begins_at*-th byte on."""

    begins_at: int

    async def read(self) -> bytes:
        """The next bytes; empty when what is left comes the usual way."""


def straight_body(scope: MutableMapping[str, Any]) -> StraightBody | None:
    """This HTTP request's, where the server has such a way and the body is worth it."""
    ask = scope.get("extensions", {}).get(STRAIGHT)
    told = [value for name, value in scope["headers"] if name == b"content-length"]
    if ask is None or len(told) != 1 or not told[0].isdigit():
        return None
    found: StraightBody | None = ask(int(told[0]))
    return found


class WholeBody:
    """One request's receive and send, as Quart is to see them."""

    drain_s = SMALL_DRAIN_S

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._over = False
        self._is_reading = False
        self._has_read = asyncio.Event()

    async def receive(self) -> Message:
        """The next message of the body, for who reads it."""
        self._is_reading = True
        try:
            message = await self._next()
        finally:
            self._is_reading = False
            self._has_read.set()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._over = True
        return message

    async def _next(self) -> Message:
        return await self._receive()

    async def send(self, message: Message) -> None:
        """Pass *message* on; the answer ends when the body has ended, or after a while.

        All of the answer leaves at once, for a client that reads while it sends or has stopped
        sending; only its end is kept back, because the server closes the connection at it.
        """
        if _ends(message) and not self._over:
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _drain(self) -> None:
        """Read what is left, unless somebody does so already."""
        try:
            async with asyncio.timeout(self.drain_s):
                while not self._over:
                    if self._is_reading:
                        self._has_read.clear()
                        await self._has_read.wait()
                    else:
                        await self.receive()
        except TimeoutError:
            self._over = True


class UploadBody(WholeBody):
    """The same of an upload, whose route reads it."""

    drain_s = DRAIN_S

    def __init__(self, receive: Receive, send: Send, straight: StraightBody | None = None) -> None:
        super().__init__(receive, send)
        self._straight = straight
        self._taken_bytes = 0  # of what came the usual way

    async def _next(self) -> Message:
        if self._straight is not None and self._taken_bytes == self._straight.begins_at:
            if chunk := await self._straight.read():
                return {"type": "http.request", "body": chunk, "more_body": True}
            self._straight = None
        message = await self._receive()
        self._taken_bytes += len(message.get("body", b""))
        return message

    async def withheld(self) -> Message:
        """What Quart gets of the body: nothing, until the request is over."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


def _ends(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)
