"""The middle of a large body, straight from its socket.

On its way to the application a body is copied from buffer to buffer in asyncio, h11 and Hypercorn,
and that costs more than hashing it. Nobody on this way has to look at the middle of a body whose
length is known: it is read into one buffer of ours. Beginning and end go the usual way, so the
server's own count of the request stays right, and so does everything it does at a body's end.
"""

import asyncio
from contextvars import ContextVar

import h11
from h11._readers import ContentLengthReader
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.protocol.h11 import H11Protocol

#: The connection whose request the running task answers; `api.server` says it.
CONNECTION: ContextVar[TCPServer | None] = ContextVar("connection", default=None)

BUFFER_BYTES = 512 * 1024
#: The end of a body that goes the usual way.
TAIL_BYTES = 4096
#: Less than this is not worth it.
LEAST_BYTES = 1024 * 1024


class Straight(asyncio.BufferedProtocol):
    """Takes the socket's bytes for a while, and passes on to *usual* whatever else happens.

    The body's *begins_at*-th byte is the first that comes this way, *left* bytes are still to come.
    """

    def __init__(self, transport: asyncio.Transport, begins_at: int, left: int) -> None:
        self.begins_at = begins_at
        self._left = left
        self._transport = transport
        self._usual = transport.get_protocol()
        self._buffer = memoryview(bytearray(min(BUFFER_BYTES, left)))
        self._filled = 0
        self._is_full = False
        self._is_gone = False  # the client
        self._news: asyncio.Event = asyncio.Event()
        transport.set_protocol(self)

    async def read(self) -> bytes:
        """The next bytes; empty when the rest comes the usual way, or the client has gone."""
        while not self._filled and self._left and not self._is_gone:
            self._news.clear()
            await self._news.wait()
        chunk = bytes(self._buffer[: self._filled])
        self._filled = 0
        if self._is_full:
            self._is_full = False
            self._transport.resume_reading()
        return chunk

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go: never room for more than are to come this way."""
        return self._buffer[self._filled : self._filled + self._left]

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes have come. A full buffer waits in the kernel, and so does the client."""
        self._filled += nbytes
        self._left -= nbytes
        self._news.set()
        if not self._left:
            self._transport.set_protocol(self._usual)
        elif self._filled == len(self._buffer):
            self._is_full = True
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        """The client says no more."""
        self._end()
        return self._usual.eof_received()  # type: ignore[attr-defined, no-any-return]

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        self._end()
        self._usual.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read."""
        self._usual.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._usual.resume_writing()

    def _end(self) -> None:
        self._is_gone = True
        self._news.set()


def straight(size_bytes: int) -> Straight | None:
    """Take the middle of the running request's body of *size_bytes* from here on.

    To be called before or while its body is read, once. None where that is no gain or no way: a
    small body, another server than ours, TLS, HTTP/2, a body of unknown length.
    """
    server = CONNECTION.get()
    if server is None or size_bytes < LEAST_BYTES:
        return None
    transport = server.writer.transport
    is_plain = transport.get_extra_info("ssl_object") is None and not transport.is_closing()
    if not is_plain or not isinstance(transport, asyncio.Transport):
        return None
    protocol = server.protocol.protocol
    connection = protocol.connection if isinstance(protocol, H11Protocol) else None
    if not isinstance(connection, h11.Connection):
        return None
    count = connection._reader
    if not isinstance(count, ContentLengthReader) or count._length != size_bytes:
        return None
    under_way = len(connection._receive_buffer) + len(server.reader._buffer)  # type: ignore[attr-defined]
    left = count._remaining - under_way - TAIL_BYTES
    if left < LEAST_BYTES:
        return None
    count._remaining -= left
    return Straight(transport, size_bytes - TAIL_BYTES - left, left)
