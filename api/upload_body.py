"""An upload's body between the server and Quart: handed over when asked for, never left unread.

Quart reads a body as fast as it comes, so an upload is withheld from it and its route reads the
bytes itself (see `uploads`). A refusal may come before the end of the body; a server that answers
and closes then resets the connection, and the client reads "broken pipe" instead of the reason. So
what is left is read and thrown away before the connection ends, for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DRAIN_S = 30.0  # who still sends after this long is answered and cut off


def is_upload(scope: MutableMapping[str, Any]) -> bool:
    """Whether this HTTP request carries a multipart body."""
    return scope.get("method") == "POST" and any(
        name == b"content-type" and value.lstrip().lower().startswith(b"multipart/")
        for name, value in scope["headers"]
    )


class UploadBody:
    """One request's receive and send, as the upload's route and Quart are to see them."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._over = False

    async def receive(self) -> Message:
        """The next message of the body, for who reads the upload."""
        message = await self._receive()
        self._over = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def withheld(self) -> Message:
        """What Quart gets of the body: nothing, until the request is over."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(self, message: Message) -> None:
        """Pass *message* on; the answer ends when the body has ended, or after `DRAIN_S`.

        All of the answer leaves at once, for a client that reads while it sends or has stopped
        sending; only its end is kept back, because the server closes the connection at it.
        """
        if _ends(message) and not self._over:
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(DRAIN_S):
                while not self._over:
                    await self.receive()
        except TimeoutError:
            self._over = True


def _ends(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)
