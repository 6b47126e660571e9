"""What a cloud function costs: its import, a warm request, a warm message of a room's link.

The real handlers (`api.function`) with real events, on PostgreSQL; the gateway that takes frames
is a bare loopback server. The reference is the same adapter around an application that says hello.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mangum import Mangum

from infra.bench.postgres import postgres
from infra.bench.table import Figure, show

IMPORTS = 5
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
EVENTS = 300
CONNECTION = "bench="
PASSWORD = "Bench-a-passphrase-7"  # noqa: S105 - of a database that lives for a minute


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with postgres() as url:
        gateway = ThreadingHTTPServer(("127.0.0.1", 0), _Gateway)
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        os.environ.update(
            GANTRY_DATABASE_URL=url,
            GANTRY_SETUP_TOKEN=PASSWORD,
            GANTRY_GATEWAY_URL=f"http://127.0.0.1:{gateway.server_port}",
            GANTRY_FEED_GATEWAY_URL=f"http://127.0.0.1:{gateway.server_port}",
            AWS_ACCESS_KEY_ID="bench",
            AWS_SECRET_ACCESS_KEY="bench",  # noqa: S106 - of nobody
            AWS_DEFAULT_REGION="eu-central-1",
        )
        subprocess.run([sys.executable, "-m", "api.migrate"], check=True)
        try:
            figures = [_imported(), *_warm()]
        finally:
            gateway.shutdown()
            gateway.server_close()
    show("cloud functions", figures, as_json=as_json)


class _Gateway(BaseHTTPRequestHandler):
    """Takes every frame."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _imported() -> Figure:
    """CPU seconds until the handlers can be called, best of some cold processes.

    Each has its bytecode, as a deployed package has; the first of each kind may have to make it.
    """
    code = (
        "import time, api.function as f; f._this(); "
        "print(time.process_time()); f._this().loop.close()"
    )
    bare = "import time, quart, tortoise; print(time.process_time())"
    return Figure(
        "cold start: import and application",
        min(_cpu(code) for _ in range(1 + IMPORTS)),
        "s CPU",
        min(_cpu(bare) for _ in range(1 + IMPORTS)),
        "s quart and tortoise alone",
        "<= 1.2 s",
    )


def _cpu(code: str) -> float:
    environ = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, check=True)
    return float(done.stdout)


def _warm() -> list[Figure]:
    from api import function

    process = function._this()
    headers = {"content-type": "application/json", "host": "farm.example"}
    person = {"username": "bench", "password": PASSWORD, "email": "b@farm.example"}
    person |= {"setup_token": PASSWORD}
    login = function.http(_http("POST", "/api/v1/setup/admin", headers, person), None)
    token = json.loads(login["body"])["access_token"]
    signed = {**headers, "authorization": f"Bearer {token}"}
    printer, epoch = process.run(_furnish(process.application))
    get = _http("GET", f"/api/v1/printers/{printer}", signed)
    assert function.http(get, None)["statusCode"] == 200
    hello = Mangum(_hello, lifespan="off")
    bare_ms = _median(lambda turn: hello(get, None))  # type: ignore[arg-type]
    request_ms = _median(lambda turn: function.http(get, None))
    message_ms = _median(lambda turn: function.websocket(_picture(printer, epoch, turn), None))
    beat_ms = _median(lambda turn: function.websocket(_beat(epoch, turn), None))
    reference = (bare_ms, "ms bare hello")
    return [
        Figure("warm GET of a printer", request_ms, "ms", *reference, "<= 10 ms"),
        Figure("warm message: a picture of the room", message_ms, "ms", *reference, "<= 10 ms"),
        Figure("warm message: a beat, answered", beat_ms, "ms", *reference, "<= 10 ms"),
    ]


def _median(call: Callable[[int], Any]) -> float:
    took = []
    for turn in range(EVENTS):
        started = time.perf_counter()
        call(turn)
        took.append((time.perf_counter() - started) * 1000)
    return sorted(took)[EVENTS // 2]


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def _furnish(application: Any) -> tuple[int, int]:
    """A room whose link stands, with one printer: its number, and the link's epoch."""
    from api.bridges.models import Bridge
    from api.gateway.models import GatewaySocket
    from api.printers.models import Printer

    now = application.clock.now()
    async with application.rooms.ledger.change() as change:
        key = base64.b64encode(os.urandom(32)).decode()
        bridge = await application.rooms.bridges.create(change, 1, "bench", key)
    await Bridge.filter(id=bridge.id).update(
        epoch=1, connected_at=now, last_seen_at=now, reported_version=bridge.desired_version
    )
    await GatewaySocket.create(
        connection_id=CONNECTION,
        kind="link",
        organization_id=1,
        bridge_id=bridge.id,
        greeted=True,
        epoch=1,
        desired_told=bridge.desired_version,
        opened_at=now,
    )
    printer = await Printer.create(
        organization_id=1,
        name="Bench",
        slug="bench",
        bridge_id=bridge.id,
        port_id="virtual:bench",
        created_at=now,
        updated_at=now,
    )
    application.bus.begin()
    return printer.id, 1


def _http(method: str, path: str, headers: dict[str, str], body: Any = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
            },
            "stage": "$default",
            "domainName": "farm.example",
        },
        "body": json.dumps(body) if body is not None else "",
        "isBase64Encoded": False,
    }


def _message(frame: dict[str, Any]) -> dict[str, Any]:
    context = {"eventType": "MESSAGE", "routeKey": "$default", "connectionId": CONNECTION}
    return {"requestContext": context, "body": json.dumps(frame), "isBase64Encoded": False}


def _picture(printer: int, epoch: int, turn: int) -> dict[str, Any]:
    live = {
        "printer": printer,
        "state": "operational",
        "temps": {"tool0": [200 + turn % 10 / 10, 200.0]},
    }
    return _message({"t": "live", "e": epoch, "m": turn + 1, "d": {"printers": [live]}})


def _beat(epoch: int, turn: int) -> dict[str, Any]:
    beat = {"sent_ms": turn, "echo_ms": None, "printing": 0, "outbox": 0}
    return _message({"t": "beat", "e": epoch, "m": 10_000 + turn, "d": beat})


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    run()
