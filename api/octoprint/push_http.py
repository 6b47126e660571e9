"""OctoPrint's push without websockets: SockJS over plain requests (contract, 8).

``/sockjs/<server>/<session>/`` with `xhr` (a frame a request), `xhr_streaming` and `eventsource`
(frames until `STREAM_BYTES`), and `xhr_send` for what the client says. A session lives in the
memory of the process that opened it: where several serve one address, a proxy must keep a client
at one of them (websockets need no such care). No cookie is set or looked at.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from api.errors import Forbidden, Problem, TooMany
from api.feed import sockjs
from api.feed.door import Knock, knock_of
from api.feed.sender import CLOSE_RESTART, PATIENCE_S, Flood, Receive, Scope, Send, outcome
from api.feed.sockets import Open
from api.feed.sockjs_session import TAKEN, Session
from api.octoprint.push import Push
from api.octoprint.push_client import PushClient
from api.octoprint.wire import encode

MAX_SESSIONS = 2000
RETRY_AFTER_S = 10
STREAM_BYTES = 128 * 1024  # of one stream, so that what browsers keep of it stays small
MAX_SAID_BYTES = 64 * 1024
PRELUDE = "h" * 2048 + "\n"

_PATH = re.compile(
    r"((?:/octoprint/[^/]+)?)/sockjs/([^/.]+)/([^/.]+)/(xhr|xhr_send|xhr_streaming|eventsource)"
)
_NEVER_KEPT = b"no-store, no-cache, no-transform, must-revalidate, max-age=0"
_SCRIPT = b"application/javascript; charset=UTF-8"
_EVENTS = b"text/event-stream; charset=UTF-8"
_TEXT = b"text/plain; charset=UTF-8"
_YEAR_S = 31_536_000

_log = logging.getLogger("gantry.push")

Headers = list[tuple[bytes, bytes]]


class _Gone(Exception):
    """The client of this request has gone."""


@dataclass(frozen=True, slots=True)
class _Request:
    """One request to a transport, and how to answer it."""

    knock: Knock
    root: str
    key: tuple[str, str]
    receive: Receive
    send: Send

    async def answer(self, status: int, body: bytes = b"", media: bytes = _TEXT) -> None:
        """A whole answer."""
        length = (b"content-length", str(len(body)).encode())
        await self.begin(status, media, [length] if body else [])
        await self.write(body, more=False)

    async def begin(self, status: int, media: bytes, more: Headers | None = None) -> None:
        """The head of an answer."""
        headers = [
            (b"content-type", media),
            (b"cache-control", _NEVER_KEPT),
            (b"x-content-type-options", b"nosniff"),
            (b"x-accel-buffering", b"no"),
            *self._for_pages(),
            *(more or ()),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, more: bool) -> None:
        """A piece of the answer. Raises `_Gone` when the client does not take it."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError:
            raise _Gone from None

    def _for_pages(self) -> Headers:
        """A page of another site may read this when it was let in (`Push.check_origin`)."""
        origin = self.knock.header("origin")
        if origin is None:
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"vary", b"Origin"),
        ]


class PushRequests:
    """The transports, and the sessions of this process."""

    def __init__(self, push: Push) -> None:
        self._push = push
        self._sessions: dict[tuple[str, str], Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        #: transport -> (method, what it does)
        self._transports: dict[str, tuple[str, Callable[[_Request], Awaitable[None]]]] = {
            "xhr": ("POST", self._poll),
            "xhr_streaming": ("POST", self._stream_script),
            "eventsource": ("GET", self._stream_events),
            "xhr_send": ("POST", self._hear),
        }

    def owns(self, path: str) -> bool:
        """Whether a request at *path* is for a transport."""
        return _PATH.fullmatch(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        match = _PATH.fullmatch(scope["path"])
        assert match is not None, "asked with owns()"
        try:
            knock = knock_of(scope)
            request = _Request(knock, match[1], (match[1], match[3]), receive, send)
            await self._push.check_origin(knock, match[1])
            await self._serve(request, scope["method"], match[4])
        except Problem as problem:
            await _refuse(send, problem)
        except _Gone:
            return

    async def _serve(self, request: _Request, method: str, transport: str) -> None:
        wanted, serve = self._transports[transport]
        if method == "OPTIONS":
            await _preflight(request, wanted)
        elif method != wanted:
            await request.answer(405, encode({"error": "Method Not Allowed"}), b"application/json")
        else:
            await serve(request)

    # Transports.

    async def _poll(self, request: _Request) -> None:
        """One frame."""
        session = self._session(request)
        with session.read() as is_mine:
            frame = await _frame(request, session) if is_mine else TAKEN
            await request.answer(200, f"{frame}\n".encode(), _SCRIPT)

    async def _stream_script(self, request: _Request) -> None:
        await self._stream(request, _SCRIPT, PRELUDE, "{}\n")

    async def _stream_events(self, request: _Request) -> None:
        await self._stream(request, _EVENTS, "\r\n", "data: {}\r\n\r\n")

    async def _stream(self, request: _Request, media: bytes, prelude: str, form: str) -> None:
        """Frames in *form* until there were enough for one answer, or the session is over."""
        session = self._session(request)
        with session.read() as is_mine:
            await request.begin(200, media)
            await request.write(prelude.encode(), more=True)
            size_bytes, is_last = 0, False
            while not is_last:
                frame = await _frame(request, session) if is_mine else TAKEN
                body = form.replace("{}", frame, 1).encode()
                size_bytes += len(body)
                is_last = frame.startswith("c") or size_bytes >= STREAM_BYTES
                try:
                    await request.write(body, more=not is_last)
                except _Gone:
                    session.stuck()
                    raise

    async def _hear(self, request: _Request) -> None:
        """What the client says, for a session that is there."""
        body = await _body(request)
        session = self._sessions.get(request.key)
        if session is None or session.over is not None:
            await request.answer(404, b"No such session.\n")
            return
        if not body:
            await request.answer(500, b"Payload expected.")
            return
        messages = sockjs.said(body)
        if messages is None:
            await request.answer(500, b"Broken JSON encoding.")
            return
        session.hear(messages)
        await request.answer(204)

    # Sessions.

    def _session(self, request: _Request) -> Session:
        """The session that the request names; made when it is new. Raises `TooMany`."""
        found = self._sessions.get(request.key)
        if found is not None:
            return found
        if len(self._sessions) >= MAX_SESSIONS:
            raise TooMany(
                "Too many clients without a websocket; come back in a moment.",
                retry_after_s=RETRY_AFTER_S,
            )
        self._push.rooms.sockets.check(request.knock.address)
        client = PushClient(self._push.clock)
        session = self._sessions[request.key] = Session(client, self._push.clock)
        client.transport = session
        task = asyncio.create_task(self._live(session, client, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return session

    async def _live(self, session: Session, client: PushClient, request: _Request) -> None:
        """Hear what its client says until it is over, then let it say goodbye, and forget it."""

        def restart() -> None:
            session.end(CLOSE_RESTART, "the server restarts")

        opened = Open(request.knock.address, client.revoked, restart)
        try:
            with self._push.rooms.sockets.opened(opened):
                async with AsyncExitStack() as life:
                    hearing = self._hearing(session, client, request.root, opened, life)
                    over = await outcome(hearing, _until_over(session), session.lasts(), log=_log)
                session.end(over.code or CLOSE_RESTART, over.reason)
            await session.lasts()
        except Problem as problem:
            session.cut(CLOSE_RESTART, problem.detail)
        finally:
            del self._sessions[request.key]

    async def _hearing(
        self,
        session: Session,
        client: PushClient,
        root: str,
        opened: Open,
        life: AsyncExitStack,
    ) -> None:
        flood = Flood()
        while True:
            text = await session.said.get()
            flood.more(self._push.clock.monotonic())
            said = client.receive(text)
            if said is not None:
                await self._push.sign_in(client, said, root, opened, life)


async def _until_over(session: Session) -> None:
    await session.ended()
    assert session.over is not None, "that is what ended() waits for"
    raise session.over


async def _frame(request: _Request, session: Session) -> str:
    """The next frame. Raises `_Gone` when the client leaves before there is one."""
    leaving = asyncio.create_task(_left(request))
    coming = asyncio.create_task(session.frame())
    try:
        done, _ = await asyncio.wait({leaving, coming}, return_when=asyncio.FIRST_COMPLETED)
        if coming not in done:
            raise _Gone
        return coming.result()
    finally:
        leaving.cancel()
        coming.cancel()
        await asyncio.gather(leaving, coming, return_exceptions=True)


async def _left(request: _Request) -> None:
    """Until the client has gone; what it may still send is nothing to a transport that tells."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: _Request) -> bytes:
    """What was said. Raises `Forbidden` when that is too much."""
    chunks, size_bytes, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        chunk: bytes = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes > MAX_SAID_BYTES:
            raise Forbidden(f"More than {MAX_SAID_BYTES} bytes at once.")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _preflight(request: _Request, method: str) -> None:
    asked = request.knock.header("access-control-request-headers")
    more: Headers = [
        (b"access-control-allow-methods", f"OPTIONS, {method}".encode()),
        (b"access-control-max-age", str(_YEAR_S).encode()),
    ]
    if asked:
        more.append((b"access-control-allow-headers", asked.encode("latin-1")))
    await request.begin(204, _TEXT, more)
    await request.write(b"", more=False)


async def _refuse(send: Send, problem: Problem) -> None:
    body = encode({"error": problem.detail})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", _NEVER_KEPT),
        (b"retry-after", str(problem.extra.get("retry_after_s", 1)).encode()),
    ]
    status = problem.kind.octoprint_status
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
