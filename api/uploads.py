"""Uploads: a multipart/form-data body read part by part, never held in memory.

`MultipartEvents` is the pure core (bytes in, events out) over python-multipart's parser;
`MultipartReader` pulls the body through it, one network chunk at a time and only when somebody
asks for more, so a slow disk slows the sender of the bytes down. Only what this module parsed is
ever used; a body is bounded in parts, headers, text and total bytes, counted and not declared.
Rules of names: OctoPrint contract, section 6; safety contract, S30 and S45.
"""

import asyncio
import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from quart import Request

from api.errors import Invalid

#: Where api.app puts the raw ASGI receive of a request into its scope.
RECEIVE_KEY = "gantry.receive"

MAX_PARTS = 64
MAX_HEADER_BYTES = 16 * 1024  # of one part, names and values together
MAX_HEADERS = 16
MAX_TEXT_BYTES = 1024 * 1024
SILENCE_S = 60.0  # a sender of bytes that says nothing for this long has gone away

#: What proxies in front of OctoPrint use for themselves; no client has a reason to send them.
RESERVED_SUFFIXES = (".name", ".path", ".size", ".content_type")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# A refused body is the client's business and is answered; its bytes do not belong into our log.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class MalformedForm(Invalid):
    """The body is no multipart form, or not the whole of one."""


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself. *filename* None: a plain field."""

    name: str
    filename: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class PartOver:
    """The current part is complete."""


Event = PartHead | bytes | PartOver


class MultipartEvents:
    """Bytes of a body in, events out. Every method raises `Invalid` for what is not multipart."""

    def __init__(self, boundary: bytes) -> None:
        self._events: deque[Event] = deque()
        self._parts = 0
        self._header_bytes = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._field, self._value = bytearray(), bytearray()
        self._ended = False
        self._delimiter_bytes = len(boundary) + 4  # behind CR, LF and two hyphens
        self._in_part = False
        self._plain = False  # nothing of a delimiter can be pending
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._part_data,
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
                max_header_count=MAX_HEADERS,
                max_header_size=MAX_HEADER_BYTES,
            )
        except FormParserError:
            raise MalformedForm("The multipart boundary is too long.") from None

    def feed(self, data: bytes) -> deque[Event]:
        """The events that *data* completes, oldest first.

        A delimiter begins with CR: amid a part, what has none is the part's, as it is.
        """
        if self._plain and b"\r" not in data:
            return deque((data,))
        try:
            self._parser.write(data)
        except FormParserError:
            raise MalformedForm("The multipart body is malformed.") from None
        tail = data[-self._delimiter_bytes :]
        enough = len(tail) == self._delimiter_bytes
        self._plain = self._in_part and enough and b"\r" not in tail
        events, self._events = self._events, deque()
        return events

    def finish(self) -> None:
        """No more bytes come. Raises `Invalid` when the closing boundary is missing."""
        if not self._ended:
            raise MalformedForm("The multipart body is cut off: its closing boundary is missing.")

    def _part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Invalid(f"The form has more than {MAX_PARTS} parts.")
        self._header_bytes = 0
        self._headers.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise Invalid(f"The headers of a part are longer than {MAX_HEADER_BYTES} bytes.")

    def _header_end(self) -> None:
        self._headers.append((bytes(self._field).lower(), bytes(self._value).strip()))
        self._field.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        self._events.append(parse_head(self._headers))
        self._in_part = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _part_end(self) -> None:
        self._events.append(PartOver())
        self._in_part = False

    def _end(self) -> None:
        self._ended = True


class Part:
    """One part; its bytes are read in order, once, before the next part is asked for."""

    def __init__(self, head: PartHead, reader: "MultipartReader") -> None:
        self.name = head.name
        self.filename = head.filename
        self.content_type = head.content_type
        self._reader = reader

    def __aiter__(self) -> "Part":
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._reader.read(self)
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def read_text(self, limit: int = MAX_TEXT_BYTES) -> str:
        """The whole part as text (UTF-8, else ISO-8859-1). Raises `Invalid` over *limit* bytes."""
        found = bytearray()
        async for chunk in self:
            found += chunk
            if len(found) > limit:
                raise Invalid(f"The field {self.name!r} is longer than {limit} bytes.")
        return _text(bytes(found))


class MultipartReader:
    """The parts of one body, as an async iterator.

    Asking for the next part skips what is left of the current one. Raises `Invalid`: malformed,
    cut off, over a bound, `too_large` for the whole, or the client has gone.
    """

    def __init__(
        self, boundary: bytes, body: AsyncIterator[bytes], max_bytes: int, room_bytes: int = 0
    ) -> None:
        self._core = MultipartEvents(boundary)
        self._body = body
        self._left = max_bytes + room_bytes
        self._max_bytes = max_bytes
        self._events: deque[Event] = deque()
        self._current: Part | None = None

    def __aiter__(self) -> "MultipartReader":
        return self

    async def __anext__(self) -> Part:
        while (event := await self._next()) is not None:
            if isinstance(event, PartHead):
                self._current = Part(event, self)
                return self._current
        self._current = None
        raise StopAsyncIteration

    async def read(self, part: Part) -> bytes | None:
        """The next bytes of *part*; None when it is over (or no longer the current one)."""
        if self._current is not part:
            return None
        event = await self._next()
        if isinstance(event, bytes):
            return event
        self._current = None
        return None

    async def _next(self) -> Event | None:
        while not self._events:
            chunk = await anext(self._body, None)
            if chunk is None:
                self._core.finish()
                return None
            self._left -= len(chunk)
            if self._left < 0:
                raise _too_large(self._max_bytes)
            self._events = self._core.feed(chunk)
        return self._events.popleft()


async def multipart(request: Request, max_bytes: int, room_bytes: int = 0) -> MultipartReader:
    """The parts of *request*'s body: *max_bytes*, and *room_bytes* for what surrounds the file.

    Raises `Invalid`: `unsupported_media_type` when it is no multipart/form-data or is compressed,
    `too_large` when it already says that it is longer.
    """
    if request.mimetype != "multipart/form-data":
        raise Invalid(
            "This takes a form: Content-Type: multipart/form-data.", code="unsupported_media_type"
        )
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Invalid("Send the form uncompressed.", code="unsupported_media_type")
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary or not boundary.isascii():
        raise MalformedForm("The Content-Type has no usable boundary.")
    if request.content_length is not None and request.content_length > max_bytes + room_bytes:
        raise _too_large(max_bytes)
    return MultipartReader(boundary.encode(), body_of(request), max_bytes, room_bytes)


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes, with back-pressure. Raises `Invalid` when the client goes away."""
    receive = cast(Receive | None, cast(dict[str, Any], request.scope).get(RECEIVE_KEY))
    if receive is None:  # Quart alone, without api.app around it
        async for chunk in request.body:
            yield chunk
        return
    more = True
    while more:
        try:
            async with asyncio.timeout(SILENCE_S):
                message = await receive()
        except TimeoutError:
            raise Invalid(f"Nothing came for {SILENCE_S:.0f} s; the upload is dropped.") from None
        if message["type"] == "http.disconnect":
            raise Invalid("The connection ended before the upload was complete.")
        if chunk := message.get("body", b""):
            yield chunk
        more = message.get("more_body", False)


def _too_large(max_bytes: int) -> Invalid:
    return Invalid(
        f"The upload is larger than {max_bytes} bytes, the limit of this server "
        "(GANTRY_MAX_UPLOAD_BYTES).",
        code="too_large",
        max_bytes=max_bytes,
    )


# --- heads of parts --------------------------------------------------------------------------

_PARAMETER = re.compile(
    rb';[ \t]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))[ \t]*'
)
_ESCAPED = re.compile(rb'\\(["\\])')
_EXTENDED = re.compile(rb"(utf-8|iso-8859-1)'[^']*'([^']*)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse_head(headers: list[tuple[bytes, bytes]]) -> PartHead:
    """The head of a part from its headers (names in lower case). Raises `Invalid`."""
    given = dict(headers)
    if len(given) != len(headers):
        raise Invalid("A part of the form has the same header twice.")
    encoding = given.get(b"content-transfer-encoding", b"binary").lower()
    if encoding not in (b"7bit", b"8bit", b"binary"):
        raise Invalid("A part of the form is encoded; send its bytes as they are.")
    parameters = _disposition(given.get(b"content-disposition", b""))
    if b"name" not in parameters:
        raise Invalid("A part of the form has no name.")
    name = _label(_text(parameters[b"name"]))
    if name.lower().endswith(RESERVED_SUFFIXES):
        raise Invalid(f"The field name {name!r} is reserved.")
    return PartHead(name, _filename(parameters), given.get(b"content-type", b"").decode("latin-1"))


def _disposition(value: bytes) -> dict[bytes, bytes]:
    kind, semicolon, rest = value.partition(b";")
    if kind.strip().lower() != b"form-data":
        raise MalformedForm("A part of the form has no Content-Disposition: form-data.")
    rest = (semicolon + rest).rstrip(b"; \t")  # some end it as they end every parameter
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(rest):
        match = _PARAMETER.match(rest, at)
        if match is None or match[1].lower() in found:
            raise MalformedForm("The Content-Disposition of a part is malformed.")
        quoted, plain = match[2], match[3]
        found[match[1].lower()] = plain.rstrip() if quoted is None else _ESCAPED.sub(rb"\1", quoted)
        at = match.end()
    return found


def _filename(parameters: dict[bytes, bytes]) -> str | None:
    """`filename*` (RFC 5987) beats `filename`; None without either."""
    extended = parameters.get(b"filename*")
    if extended is not None:
        match = _EXTENDED.fullmatch(extended)
        if match is None:
            raise Invalid("filename* is not in UTF-8 or ISO-8859-1 as RFC 5987 writes it.")
        try:
            return _label(unquote_to_bytes(match[2]).decode(match[1].decode()))
        except UnicodeDecodeError:
            raise Invalid("filename* is not what its charset says.") from None
    plain = parameters.get(b"filename")
    return None if plain is None else _label(_text(plain))


def _label(text: str) -> str:
    if _CONTROL.search(text):
        raise Invalid("A name in the form has a line break or another control character.")
    return text


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("iso-8859-1")
