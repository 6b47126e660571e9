"""The streaming multipart reader: names, bounds and refusals (safety S30, S45, S46)."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quart import Quart, request

from api.errors import Invalid
from api.uploads import (
    MAX_HEADER_BYTES,
    MAX_PARTS,
    RECEIVE_KEY,
    MultipartEvents,
    MultipartReader,
    PartHead,
    multipart,
    parse_head,
)

BOUNDARY = b"----GantryTest"
BIG = 1 << 30


def part(disposition: bytes, content: bytes, *headers: bytes) -> bytes:
    lines = [b"Content-Disposition: form-data; " + disposition, *headers]
    return b"--" + BOUNDARY + b"\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


async def chunks_of(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def read_all(
    data: bytes, size: int = 65536, limit: int = BIG
) -> list[tuple[str, str | None, bytes]]:
    return [
        (each.name, each.filename, b"".join([chunk async for chunk in each]))
        async for each in MultipartReader(BOUNDARY, chunks_of(data, size), limit)
    ]


PRINT = form(
    part(b'name="print"', b"true"),
    part(b'name="path"', b""),
    part(b'name="file"; filename="a.gcode"', b"G28\r\n--\r\n-\rG1 X1\n" * 50),
)


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        (b'name="file"; filename="a.gcode";', "a.gcode"),
        (b'name="file"; filename="a.gcode" ; ', "a.gcode"),
        (b"name=file; filename=my part.gcode", "my part.gcode"),
        (b"name=file; filename=my part.gcode ;", "my part.gcode"),
        (b'name = "file" ;filename = "a.gcode"', "a.gcode"),
    ],
)
async def test_heads_that_microcontrollers_put_together_are_read(
    disposition: bytes, filename: str
) -> None:
    """A semicolon behind the last one, a name without its quotes: OctoPrint reads them, too."""
    assert await read_all(form(part(disposition, b"G28"))) == [("file", filename, b"G28")]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 65536])
async def test_every_chunking_gives_the_same_parts(size: int) -> None:
    """Where the network cuts the body does not change what is read."""
    assert await read_all(PRINT, size) == [
        ("print", None, b"true"),
        ("path", None, b""),
        ("file", "a.gcode", b"G28\r\n--\r\n-\rG1 X1\n" * 50),
    ]


async def test_a_part_that_nobody_reads_is_skipped() -> None:
    """Asking for the next part drops the rest of the current one."""
    names = [each.name async for each in MultipartReader(BOUNDARY, chunks_of(PRINT, 9), BIG)]
    assert names == ["print", "path", "file"]


async def test_an_earlier_part_gives_nothing_after_the_next_began() -> None:
    """A part is read before the next one is asked for, or not at all."""
    reader = MultipartReader(BOUNDARY, chunks_of(PRINT, 16), BIG)
    first = await anext(reader)
    await anext(reader)
    assert [chunk async for chunk in first] == []


NAMES = [
    ('filename="naïve bär.gcode"'.encode(), "naïve bär.gcode"),
    ('filename="naïve.gcode"'.encode("iso-8859-1"), "naïve.gcode"),
    (b"filename=plain.gcode", "plain.gcode"),
    (b'filename=""', ""),
    (b'filename="a \\"b\\" \\\\ c.gcode"', 'a "b" \\ c.gcode'),
    (b'filename="semi;colon.gcode"', "semi;colon.gcode"),
    (b"filename=\"x.gcode\"; filename*=UTF-8''na%C3%AFve.gcode", "naïve.gcode"),
    (b"filename*=iso-8859-1'de'na%EFve.gcode; filename=\"x.gcode\"", "naïve.gcode"),
    (b'filename="$(id);reboot.gcode"', "$(id);reboot.gcode"),
    (b"filename*=utf-8''..%2F..%2Fx.gcode", "../../x.gcode"),
]


@pytest.mark.parametrize(("parameter", "expected"), NAMES)
def test_a_file_name_is_read_as_the_contract_says(parameter: bytes, expected: str) -> None:
    """octoprint 6 part header, 6 filename*: UTF-8, else ISO-8859-1; `filename*` wins."""
    head = parse_head([(b"content-disposition", b'form-data; name="file"; ' + parameter)])
    assert head.filename == expected


BAD_HEADS = [
    b'form-data; filename="a.gcode"',
    b'attachment; name="file"',
    b"",
    b'form-data; name="file"; name="path"',
    b'form-data; name="file"; filename="a"; filename="b"',
    b'form-data; name="file.path"',
    b'form-data; name="file.NAME"',
    b'form-data; name="x.content_type"',
    b'form-data; name="file"; filename="unclosed',
    b"form-data; name=\"file\"; filename*=UTF-8''a%0Ab.gcode",
    b"form-data; name=\"file\"; filename*=UTF-8''a%0D%0Ab.gcode",
    b"form-data; name=\"file\"; filename*=utf-16''a.gcode",
    b"form-data; name=\"file\"; filename*=UTF-8''%FF.gcode",
    b'form-data; name="file"; filename*=a.gcode',
    b'form-data; name="file"; filename="a\x00b"',
    b'form-data; name="file" filename="a"',
]


@pytest.mark.parametrize("value", BAD_HEADS)
def test_a_head_that_is_ambiguous_or_reserved_is_refused(value: bytes) -> None:
    """octoprint 6 reserved names, 6 newline: S30; forged proxy fields, double names, line breaks
    and broken quotes are 400."""
    with pytest.raises(Invalid):
        parse_head([(b"content-disposition", value)])


def test_a_header_given_twice_is_refused() -> None:
    """S30: two Content-Dispositions leave nothing to choose."""
    twice = [(b"content-disposition", b'form-data; name="file"')] * 2
    with pytest.raises(Invalid, match="twice"):
        parse_head(twice)


def test_an_encoded_part_is_refused() -> None:
    """base64 would be stored as it is, and printed as nonsense."""
    headers = [
        (b"content-disposition", b'form-data; name="file"'),
        (b"content-transfer-encoding", b"base64"),
    ]
    with pytest.raises(Invalid, match="encoded"):
        parse_head(headers)


BROKEN = {
    "nothing": b"",
    "no boundary": b"hello world",
    "unterminated": PRINT[: -len(BOUNDARY) - 6],
    "cut in the head": PRINT[:40],
    "other boundary": PRINT.replace(BOUNDARY, b"----Another---"),
    "folded header": form(part(b'name="file";\r\n filename="a"', b"")),
    "no colon": b"--" + BOUNDARY + b"\r\nnonsense\r\n\r\n\r\n--" + BOUNDARY + b"--\r\n",
    "long header": form(part(b'name="file"', b"", b"X: " + b"y" * MAX_HEADER_BYTES)),
    "a megabyte of header": form(part(b'name="file"', b"", b"X: " + b"y" * (1 << 20))),
    "many headers": form(part(b'name="file"', b"", *[b"X-%d: y" % n for n in range(40)])),
    "headers over the sum": form(
        part(b'name="file"', b"", *[b"X-%d: %s" % (n, b"y" * 2000) for n in range(10)])
    ),
    "10 000 parts": form(*[part(b'name="x"', b"")] * 10_000),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("size", [11, 65536])
async def test_what_is_not_multipart_is_refused(body: bytes, size: int) -> None:
    """S45: every broken body ends in `Invalid`, however it is cut."""
    with pytest.raises(Invalid):
        await read_all(body, size)


async def test_as_many_parts_as_allowed_pass() -> None:
    """The bound is on the part after the last one."""
    assert len(await read_all(form(*[part(b'name="x"', b"")] * MAX_PARTS))) == MAX_PARTS


async def test_a_flood_of_carriage_returns_costs_little() -> None:
    """S45: 20 MB of CR, before and inside a part, take a fraction of a second."""
    flood = b"\r" * (10 << 20)
    began = time.process_time()
    found = await read_all(flood + form(part(b'name="file"; filename="a.gcode"', flood)))
    assert len(found[0][2]) == len(flood)
    assert time.process_time() - began < 0.5


async def test_the_whole_body_is_counted_not_declared() -> None:
    """S46: the limit holds for a chunked body without a length."""
    with pytest.raises(Invalid) as refused:
        await read_all(PRINT, 100, limit=300)
    assert refused.value.code == "too_large"


async def test_the_limit_that_is_named_is_that_of_the_file() -> None:
    """What surrounds the file has room of its own; the refusal names the setting's value."""
    roomy = MultipartReader(BOUNDARY, chunks_of(PRINT, 16), 5, room_bytes=len(PRINT))
    assert [each.name async for each in roomy]
    tight = MultipartReader(BOUNDARY, chunks_of(PRINT, 16), 5, room_bytes=7)
    with pytest.raises(Invalid) as refused:
        [each async for each in tight]
    assert refused.value.extra["max_bytes"] == 5


async def test_text_is_bounded() -> None:
    """A field is no place for a file."""
    reader = MultipartReader(BOUNDARY, chunks_of(form(part(b'name="x"', b"y" * 101)), 16), BIG)
    with pytest.raises(Invalid, match="longer than 100"):
        await (await anext(reader)).read_text(limit=100)


async def test_text_is_utf8_or_latin_1() -> None:
    """Old clients send ISO-8859-1."""
    body = form(part(b'name="x"', "bär".encode("iso-8859-1")), part(b'name="y"', "ü".encode()))
    found = [
        await each.read_text() async for each in MultipartReader(BOUNDARY, chunks_of(body, 16), BIG)
    ]
    assert found == ["bär", "ü"]


def test_a_boundary_that_no_standard_allows_is_refused() -> None:
    """RFC 2046 ends a boundary at 70 characters; the parser has its own, larger bound."""
    with pytest.raises(Invalid):
        MultipartEvents(b"x" * 5000)


def test_events_of_one_small_form_come_at_once() -> None:
    """The core alone: bytes in, events out, nothing asynchronous."""
    events = list(MultipartEvents(BOUNDARY).feed(form(part(b'name="x"', b"1"))))
    assert events[0] == PartHead("x", None, "")
    assert events[1] == b"1"


# --- in a request ------------------------------------------------------------------------------


def quart_app(limit: int = BIG) -> Quart:
    app = Quart("uploads")

    @app.post("/")
    async def upload() -> tuple[str, int]:
        try:
            found = [
                f"{each.name}={sum([len(chunk) async for chunk in each])}"
                async for each in await multipart(request, limit)
            ]
        except Invalid as refused:
            return refused.code, refused.kind.v1_status
        return " ".join(found), 200

    return app


CONTENT_TYPE = "multipart/form-data; boundary=" + BOUNDARY.decode()


async def test_quart_alone_reads_a_form() -> None:
    """Without the raw receive (tests, other servers) Quart's body is read."""
    answer = (
        await quart_app()
        .test_client()
        .post("/", data=PRINT, headers={"Content-Type": CONTENT_TYPE})
    )
    assert await answer.get_data(as_text=True) == "print=4 path=0 file=850"


class Server:
    """An ASGI server's side of one request: hands out messages, keeps the answer."""

    def __init__(self, messages: Iterable[dict[str, object]]) -> None:
        self.messages = list(messages)
        self.handed_out = 0
        self.answer = b""
        self.status = 0

    async def receive(self) -> dict[str, object]:
        self.handed_out += 1
        return self.messages.pop(0)

    async def send(self, message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            self.status = int(str(message["status"]))
        self.answer += bytes(message.get("body", b""))  # type: ignore[call-overload]


async def call(server: Server, limit: int = BIG, headers: dict[str, str] | None = None) -> None:
    headers = headers or {"content-type": CONTENT_TYPE}

    async def never() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    scope = {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "extensions": {},
        RECEIVE_KEY: server.receive,
    }
    await quart_app(limit)(scope, never, server.send)  # type: ignore[arg-type]


def messages_of(data: bytes, size: int) -> list[dict[str, object]]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return [
        {"type": "http.request", "body": piece, "more_body": n + 1 < len(pieces)}
        for n, piece in enumerate(pieces)
    ]


REFUSED_REQUESTS = [
    ({"content-type": "text/plain"}, 415),
    ({"content-type": "multipart/form-data"}, 400),
    ({"content-type": CONTENT_TYPE, "content-encoding": "gzip"}, 415),
    ({"content-type": CONTENT_TYPE, "content-length": str(BIG + 1)}, 413),
]


@pytest.mark.parametrize(("headers", "status"), REFUSED_REQUESTS)
async def test_a_request_is_refused_before_its_body(headers: dict[str, str], status: int) -> None:
    """Wrong type, no boundary, compressed, or too long by its own word: not a byte is read."""
    server = Server([])
    await call(server, headers=headers)
    assert (server.status, server.handed_out) == (status, 0)


async def test_the_raw_receive_is_read_to_its_end() -> None:
    """With api.app around it the body comes from the scope's own receive."""
    server = Server(messages_of(PRINT, 50))
    await call(server)
    assert (server.status, server.answer) == (200, b"print=4 path=0 file=850")


async def test_a_refused_body_is_not_read_on() -> None:
    """S46: what is over the limit stays on the wire: back-pressure is real."""
    server = Server(messages_of(PRINT, 50))
    await call(server, limit=120)
    assert (server.status, server.answer) == (413, b"too_large")
    assert server.handed_out == 3


async def test_a_client_that_goes_away_ends_the_upload() -> None:
    """S46: an abort in mid-body raises in the reader, so that whoever stores cleans up."""
    server = Server([*messages_of(PRINT, 50)[:4], {"type": "http.disconnect"}])
    await call(server)
    assert (server.status, server.answer) == (400, b"bad_request")


_BITS = [b"\r", b"\n", b"\r\n", b"--", b"--b", b"\r\n--b", b"\r\n--bx", b"G1 X1\n" * 9, b"", b"b"]


@given(st.lists(st.sampled_from(_BITS), max_size=30).map(b"".join), st.integers(1, 60))
def test_the_bytes_of_a_part_are_those_that_were_sent_however_they_are_cut(
    content: bytes, step: int
) -> None:
    """Delimiters that are none, and pieces handed over as they are, change nothing (S45)."""
    head = b'--bxy\r\nContent-Disposition: form-data; name="file"; filename="a.gcode"\r\n\r\n'
    body = head + content + b"\r\n--bxy--\r\n"
    core = MultipartEvents(b"bxy")
    found = b""
    for at in range(0, len(body), step):
        found += b"".join(one for one in core.feed(body[at : at + step]) if isinstance(one, bytes))
    core.finish()
    assert found == content
