"""A cloud of one machine: real function runtimes behind a gateway that speaks HTTP and websockets.

Every function is a number of processes of Amazon's own runtime client (`awslambdaric`), which poll
a loopback Runtime API as they do in the cloud. The gateway turns requests and frames into events
of API Gateway's form (HTTP API 2.0, WebSocket API), enforces its limits (frames of 32 KB) and
offers the management calls that write to sockets. Between two events a process may be frozen, and
events may be doubled and delayed: what a cloud does now and then, it can do here always. Whoever
sent a frame that failed is told so by the gateway itself, as in the cloud.
"""

import asyncio
import base64
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from hypercorn.asyncio import serve
from hypercorn.config import Config

ROOT = Path(__file__).parents[2]
MAX_FRAME_BYTES = 32 * 1024
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
NEXT = "/2018-06-01/runtime/invocation/next"

T = TypeVar("T")


class FunctionFailed(RuntimeError):
    """An invocation ended with an error; the text is what the runtime reported."""


@dataclass
class Chaos:
    """What goes wrong on the way of websocket events, seeded. Chances are 0.0 to 1.0."""

    seed: int = 0
    double: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.2
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def happens(self, likely: float) -> bool:
        return likely > 0 and self.chance.random() < likely


@dataclass
class Invocation:
    event: dict[str, Any]
    answer: "asyncio.Future[Any]"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Function:
    """One function: its waiting events, and the processes that take them."""

    def __init__(self, handler: str, processes: int, *, freeze: bool) -> None:
        self.handler = handler
        self.processes = processes
        self.freeze = freeze
        self.invocations = 0
        self.workers: list[subprocess.Popen[bytes]] = []
        self._waiting: deque[Invocation] = deque()
        self._running: dict[str, Invocation] = {}
        self._filled = asyncio.Condition()

    async def invoke(self, event: dict[str, Any], timeout_s: float = 29.0) -> Any:
        """What the function answers to *event*. Raises `FunctionFailed`, `TimeoutError`."""
        invocation = Invocation(event, asyncio.get_running_loop().create_future())
        self.invocations += 1
        self._signal(signal.SIGCONT)
        async with self._filled:
            self._waiting.append(invocation)
            self._filled.notify()
        try:
            async with asyncio.timeout(timeout_s):
                return await invocation.answer
        finally:
            if self.freeze and not self._waiting and not self._running:
                self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        if self.freeze:
            for worker in self.workers:
                worker.send_signal(number)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One runtime's connection to the Runtime API."""
        running: Invocation | None = None
        try:
            while request := await _request(reader):
                method, path, body = request
                if path == NEXT:
                    running = await self._next()
                    await _answer(writer, 200, json.dumps(running.event).encode(), running.id)
                    continue
                assert method == "POST", path
                self._finish(path, body)
                running = None
                await _answer(writer, 202, b'{"status":"OK"}')
        except ConnectionError:
            pass
        finally:
            if running is not None and not running.answer.done():
                running.answer.set_exception(FunctionFailed("the runtime died"))
            writer.close()

    async def _next(self) -> Invocation:
        async with self._filled:
            await self._filled.wait_for(lambda: bool(self._waiting))
            invocation = self._waiting.popleft()
        self._running[invocation.id] = invocation
        return invocation

    def _finish(self, path: str, body: bytes) -> None:
        *_, invocation_id, outcome = path.split("/")
        invocation = self._running.pop(invocation_id, None)
        if invocation is None or invocation.answer.done():
            return
        if outcome == "response":
            invocation.answer.set_result(json.loads(body or b"null"))
        else:
            invocation.answer.set_exception(FunctionFailed(body.decode()[:4000]))


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bytes] | None:
    head = await _head(reader)
    if head is None:
        return None
    start, headers = head
    method, path, _ = start.split(" ", 2)
    if headers.get("transfer-encoding") == "chunked":
        return method, path, await _chunks(reader)
    return method, path, await reader.readexactly(int(headers.get("content-length", "0")))


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = raw.decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return start, {name.strip().lower(): value.strip() for name, value in pairs}


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).strip() or b"0", 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def _answer(
    writer: asyncio.StreamWriter, status: int, body: bytes, invocation_id: str = ""
) -> None:
    deadline_ms = int((time.time() + 29) * 1000)
    lines = [
        f"HTTP/1.1 {status} OK",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    if invocation_id:
        lines += [
            f"Lambda-Runtime-Aws-Request-Id: {invocation_id}",
            f"Lambda-Runtime-Deadline-Ms: {deadline_ms}",
            "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:0:function:x",
        ]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)  # one packet: see Nagle
    await writer.drain()


@dataclass
class Socket:
    """A websocket that the gateway holds."""

    id: str
    send: Callable[[dict[str, Any]], Coroutine[Any, Any, None]]
    closed: bool = False


class Gateway:
    """ASGI: HTTP to ``http`` events, websockets to ``websocket`` events, and management calls."""

    def __init__(self, cloud: "Cloud") -> None:
        self._cloud = cloud
        self.sockets: dict[str, Socket] = {}
        self.frames_up = 0
        self.frames_down = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return

    async def _http(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        no_headers: list[Any] = []
        if scope["path"].startswith("/@connections/"):
            status, headers, answer = await self._manage(scope, body), no_headers, b""
        else:
            status, headers, answer = await self._invoke_http(scope, body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _invoke_http(self, scope: Any, body: bytes) -> tuple[int, list[Any], bytes]:
        event = http_event(scope, body)
        if len(json.dumps(event)) > MAX_PAYLOAD_BYTES:
            return 413, [], b'{"message":"Request Too Long"}'
        try:
            answer = await self._cloud.functions["http"].invoke(event)
        except (FunctionFailed, TimeoutError) as error:
            self._cloud.failures.append(repr(error))
            return 500, [], b'{"message":"Internal Server Error"}'
        raw = answer.get("body") or ""
        content = base64.b64decode(raw) if answer.get("isBase64Encoded") else raw.encode()
        headers = [(n.encode(), v.encode()) for n, v in (answer.get("headers") or {}).items()]
        headers += [(b"set-cookie", cookie.encode()) for cookie in answer.get("cookies") or []]
        return int(answer["statusCode"]), headers, content

    async def _manage(self, scope: Any, body: bytes) -> int:
        socket = self.sockets.get(scope["path"].rpartition("/")[2])
        if socket is None or socket.closed:
            return 410
        if scope["method"] == "DELETE":
            await self._close(socket, 1000)
            return 204
        if len(body) > MAX_FRAME_BYTES * 4:
            return 413
        self.frames_down += 1
        await socket.send({"type": "websocket.send", "text": body.decode()})
        return 200

    async def _close(self, socket: Socket, code: int) -> None:
        if not socket.closed:
            socket.closed = True
            await socket.send({"type": "websocket.close", "code": code})

    async def _websocket(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        socket = Socket(uuid.uuid4().hex[:14] + "=", send)
        event = socket_event(scope, socket.id, "$connect")
        try:
            answer = await self._cloud.functions["websocket"].invoke(event)
        except (FunctionFailed, TimeoutError) as error:
            self._cloud.failures.append(repr(error))
            answer = {"statusCode": 502}
        if answer["statusCode"] != 200:
            await self._refuse(send, answer)
            return
        await send({"type": "websocket.accept"})
        self.sockets[socket.id] = socket
        try:
            await self._frames(scope, socket, receive)
        finally:
            socket.closed = True
            self.sockets.pop(socket.id, None)
            self._cloud.later(self._event(socket_event(scope, socket.id, "$disconnect")))

    async def _refuse(self, send: Any, answer: Any) -> None:
        status = int(answer["statusCode"])
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        body = (answer.get("body") or "").encode()
        await send({"type": "websocket.http.response.body", "body": body})

    async def _frames(self, scope: Any, socket: Socket, receive: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text") or ""
            if len(text.encode()) > MAX_FRAME_BYTES:
                await self._close(socket, 1009)
                return
            self.frames_up += 1
            event = socket_event(scope, socket.id, "$default", text)
            self._cloud.later(self._event(event))
            if self._cloud.chaos.happens(self._cloud.chaos.double):
                self._cloud.later(self._event(event))

    async def _event(self, event: dict[str, Any]) -> None:
        chaos = self._cloud.chaos
        if chaos.happens(chaos.delay):
            await asyncio.sleep(chaos.chance.random() * chaos.delay_s)
        if await self._cloud.event("websocket", event) or "body" not in event:
            return
        context = event["requestContext"]
        socket = self.sockets.get(context["connectionId"])
        if socket is not None and not socket.closed:  # the gateway's own words, in no dialect
            named = {name: context[name] for name in ("connectionId", "requestId")}
            text = json.dumps({"message": "Internal server error", **named})
            await socket.send({"type": "websocket.send", "text": text})


def http_event(scope: Any, body: bytes) -> dict[str, Any]:
    """A request as HTTP APIs hand it to functions, payload format 2.0."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += [each.strip() for each in value.split(";")]
        else:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": scope["query_string"].decode("latin-1"),
        **({"cookies": cookies} if cookies else {}),
        "headers": headers,
        "requestContext": {
            "http": {
                "method": scope["method"],
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": scope["client"][0],
                "userAgent": headers.get("user-agent", ""),
            },
            "stage": "$default",
            "domainName": headers.get("host", ""),
            "requestId": uuid.uuid4().hex,
            "timeEpoch": int(time.time() * 1000),
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def socket_event(scope: Any, connection_id: str, route: str, text: str = "") -> dict[str, Any]:
    """What a WebSocket API hands to functions."""
    kinds = {"$connect": "CONNECT", "$disconnect": "DISCONNECT", "$default": "MESSAGE"}
    pairs = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in scope["headers"]]
    event: dict[str, Any] = {
        "requestContext": {
            "routeKey": route,
            "eventType": kinds[route],
            "connectionId": connection_id,
            "domainName": "127.0.0.1",
            "stage": "$default",
            "apiId": "local",
            "requestId": uuid.uuid4().hex,
            "requestTimeEpoch": int(time.time() * 1000),
            "identity": {"sourceIp": scope["client"][0]},
        },
        "isBase64Encoded": False,
    }
    if route == "$connect":
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        event["headers"] = dict(pairs)
        event["queryStringParameters"] = dict(query) or None
    if scope["path"].startswith("/feed"):
        event["stageVariables"] = {"socket": "feed"}
    if route == "$default":
        event["body"] = text
    return event


class Cloud:
    """``with Cloud(environment) as cloud:`` runs the gateway at `url` and the functions behind."""

    def __init__(
        self,
        environment: dict[str, str],
        directory: Path,
        *,
        freeze: bool = False,
        tick_every_s: float = 5.0,
    ) -> None:
        self._tick_every_s = tick_every_s
        self.environment = environment
        self.directory = directory
        self.chaos = Chaos()
        self.failures: list[str] = []
        self.functions: dict[str, Function] = {}
        self.gateway = Gateway(self)
        self.url = ""
        self._freeze = freeze
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> "Cloud":
        self._thread.start()
        self.call(self._start())
        for name in self.functions:
            for _ in range(self.functions[name].processes):
                self.cold_start(name)
        return self

    def __exit__(self, *error: object) -> None:
        for function in self.functions.values():
            for worker in function.workers:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
                worker.wait()
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* in the cloud's own loop and wait for it."""
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(60)

    def invoke(self, name: str, event: dict[str, Any]) -> Any:
        """Invoke a function directly, as a schedule does."""
        return self.call(self.functions[name].invoke(event))

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run *work* beside everything else."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cold_start(self, name: str) -> None:
        """One more process of the function, which has to import everything first."""
        function = self.functions[name]
        log = (self.directory / f"{name}-{len(function.workers)}.log").open("ab")
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "GANTRY_"))},
            **self.environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._ports[name]}",
            "LAMBDA_TASK_ROOT": str(ROOT),
            "PYTHONPATH": str(ROOT),
            "GANTRY_GATEWAY_URL": self.url,
            "GANTRY_FEED_GATEWAY_URL": self.url,
            "GANTRY_LINK_URL": self.url.replace("http", "ws") + "/link",
        }
        with log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", function.handler],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        function.workers.append(worker)

    def kill(self, name: str) -> None:
        """The cloud takes the oldest process of the function away; a cold one takes its place."""
        function = self.functions[name]
        worker = function.workers.pop(0)
        worker.kill()
        worker.wait()
        self.cold_start(name)

    def cut_sockets(self, code: int = 1001) -> None:
        """End every socket, as the gateway does after two hours."""

        async def cut() -> None:
            for socket in tuple(self.gateway.sockets.values()):
                await self.gateway._close(socket, code)

        self.call(cut())

    async def _start(self) -> None:
        for name, processes in (("http", 2), ("websocket", 2), ("tick", 1)):
            function = Function(f"api.function.{name}", processes, freeze=self._freeze)
            self.functions[name] = function
            serve_one = self._kept(function.serve)
            server = await asyncio.start_server(serve_one, "127.0.0.1", 0, limit=2**24)
            self._servers.append(server)
            self._ports[name] = server.sockets[0].getsockname()[1]
        config = Config()
        probe = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port = probe.sockets[0].getsockname()[1]
        probe.close()
        await probe.wait_closed()
        config.bind = [f"127.0.0.1:{port}"]
        config.websocket_max_message_size = 2 * MAX_FRAME_BYTES
        self.url = f"http://127.0.0.1:{port}"
        served = serve(self.gateway, config, shutdown_trigger=self._stop.wait)
        self._served = self._loop.create_task(served)
        self.later(self._schedule())

    async def _schedule(self) -> None:
        while True:
            await asyncio.sleep(self._tick_every_s)
            await self.event("tick", {"source": "aws.scheduler"})

    async def event(self, name: str, event: dict[str, Any]) -> bool:
        """An event that nobody waits for the answer of; whether it was dealt with."""
        try:
            await self.functions[name].invoke(event)
        except (FunctionFailed, TimeoutError) as error:
            self.failures.append(repr(error))
            return False
        return True

    def _kept(
        self, serve_one: Callable[..., Coroutine[Any, Any, None]]
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        """*serve_one* as a task that is ended with the cloud."""
        return lambda reader, writer: self.later(serve_one(reader, writer))

    async def _end(self) -> None:
        self._stop.set()
        for server in self._servers:
            server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(self._served, *self._tasks, return_exceptions=True)
