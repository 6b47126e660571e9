"""The API with fifty printers that report every second, and bare routes beside it to compare with.

A process of its own (`python -m infra.bench.served`): prints one JSON line with what a client
needs, then serves until it is stopped. ``/bench/hello`` is a bare Quart route on the same worker,
``/bench/sink`` takes a body as raw ASGI and hashes it: what any upload costs at least.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve

from api.app import Application, Receive, Scope, Send
from api.config import Settings
from api.container import listen
from api.events.service import Ledger
from api.migrate import migrate
from api.printers.forms import PrinterCreate
from api.server import WithoutLifespan, server_config, settle
from schemas.facts import Port
from schemas.link import Hello, LiveSnap
from schemas.printer import Live, PrinterState, Temperature

PASSWORD = f"Bench1-{secrets.token_hex(12)}"


class Served:
    """The application with the bare routes in front."""

    def __init__(self, application: Application) -> None:
        self.application = application
        quart = application.quart

        @quart.get("/bench/hello")
        async def hello() -> str:
            return "hello"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope.get("path") == "/bench/sink":
            await _sink(receive, send)
        else:
            await self.application(scope, receive, send)


async def _sink(receive: Receive, send: Send) -> None:
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        chunk = message.get("body", b"")
        digest.update(chunk)
        size += len(chunk)
        more = message.get("more_body", False)
    body = json.dumps({"size": size, "sha256": digest.hexdigest()}).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def furnish(application: Application, count: int, quiet: int = 0) -> dict[str, Any]:
    """A first admin, a room with *count* printers; the credentials for them.

    The first *quiet* printers report nothing by themselves.
    """
    rooms = application.rooms
    login = await rooms.accounts.setup("bench", "bench@localhost", PASSWORD, "127.0.0.1")
    by = login.principal
    _, token = await rooms.accounts.create_token(by, "bench", [], None)
    ledger = Ledger(application.bus, application.clock)
    ports = [Port(port_id=f"virtual:b{n}", device=f"/dev/bench{n}") for n in range(count)]
    async with ledger.change() as change:
        key = base64.b64encode(os.urandom(32)).decode()
        bridge = await rooms.bridges.create(change, by.organization_id, "bench", key)
        await rooms.bridges.record_ports(change, bridge, ports)
    hello = Hello(
        protocols=(1, 1),
        bridge_id=bridge.uid,
        boot_id="bench",
        boot_count=1,
        agent_version="bench",
        ports=ports,
    )
    await rooms.bridges.open_session(bridge, hello)
    printers = [
        await rooms.printers.create(
            by, PrinterCreate(name=f"Bench {n}", bridge_id=bridge.id, port_id=port.port_id)
        )
        for n, port in enumerate(ports)
    ]
    octoprint = await rooms.accounts.create_octoprint_key(by, printers[0].id, "bench")
    live = asyncio.create_task(_report(application, bridge, [each.id for each in printers[quiet:]]))
    live.add_done_callback(lambda task: task.cancelled() or task.result())
    known = {"token": token, "password": PASSWORD, "octoprint_key": octoprint}
    return {**known, "slug": printers[0].slug, "task": live}


async def _report(application: Application, bridge: Any, printers: list[int]) -> None:
    turn = 0
    while True:
        turn += 1
        temps = {
            "tool0": Temperature(200 + turn % 10 / 10, 200.0),
            "bed": Temperature(60 + turn % 7 / 10, 60.0),
        }
        pictures = [
            Live(printer=each, state=PrinterState.OPERATIONAL, temps=temps, temps_age_s=0.1)
            for each in printers
        ]
        await application.rooms.bridges.touch(bridge.id)
        await application.rooms.telemetry.record(bridge, LiveSnap(printers=pictures))
        await asyncio.sleep(1.0)


async def run(
    data: Path, count: int, make: Callable[[Application], Any] = Served, quiet: int = 0
) -> None:
    """Serve what *make* puts around the application, until the process is ended."""
    settings = Settings(data_dir=data)
    await migrate(settings)
    application = Application(settings)
    await application.startup()
    context = application.database
    with context:
        facts = await furnish(application, count, quiet)
    settle()
    task = facts.pop("task")
    listening = listen("127.0.0.1", 0)
    facts |= {"port": listening.getsockname()[1], "pid": os.getpid()}
    print(json.dumps(facts), flush=True)
    try:
        served = WithoutLifespan(make(application))
        await serve(served, server_config(listening))  # type: ignore[arg-type]
    finally:
        task.cancel()
        await application.shutdown()


def main(make: Callable[[Application], Any] = Served, quiet: int = 0) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--printers", type=int, default=50)
    given = parser.parse_args()
    asyncio.run(run(given.data, given.printers, make, quiet))
    return 0


if __name__ == "__main__":
    sys.exit(main())
