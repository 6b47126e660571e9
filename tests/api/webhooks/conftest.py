"""A service that hears of alerts, on this machine, and the room that tells it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import time
from ipaddress import ip_network

import pytest

from api.clock import Clock
from api.events.service import Happened, Ledger
from api.policies.quiet import QuietHours
from api.webhooks.outside import Outside
from api.webhooks.service import Seal, Webhooks

NEVER = QuietHours(enabled=False, start=time(22), end=time(7))


@dataclass
class Service:
    """Keeps what it is told: (head, body) of each request. *answers*: its next ones, then 204.

    An answer is a whole response, or None for silence.
    """

    port: int = 0
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    answers: list[bytes | None] = field(default_factory=list)
    on_call: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def will_say(self, *statuses: int) -> None:
        """The next answers."""
        self.answers += [
            f"HTTP/1.1 {status} X\r\nLocation: {self.url}\r\nContent-Length: 0\r\n\r\n".encode()
            for status in statuses
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = next(
                int(line.partition(":")[2])
                for line in head.lower().splitlines()
                if line.startswith("content-length")
            )
            self.heard.append((head, await reader.readexactly(size)))
            self.on_call()
            answer = self.answers.pop(0) if self.answers else b"HTTP/1.1 204 No\r\n\r\n"
            if answer is None:
                await reader.read()  # until the caller gives up
            else:
                writer.write(answer)
                await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    kept = Service()
    listener = await asyncio.start_server(kept._serve, "127.0.0.1", 0)
    kept.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield kept


@dataclass
class Room:
    """The webhooks of a farm whose quiet hours can be set."""

    webhooks: Webhooks
    ledger: Ledger
    quiet: list[QuietHours]

    async def happen(self, alert_type: str = "print_failed", organization_id: int = 1) -> None:
        """An alert is dispatched."""
        async with self.ledger.change(organization_id) as change:
            data = {"alert_type": alert_type, "severity": "critical", "title": "Vase failed"}
            happened = Happened(
                organization_id, "alert.new", 3, 4, data={**data, "message": "clog"}
            )
            change.record(happened)


@pytest.fixture
def room(ledger: Ledger, clock: Clock) -> Room:
    quiet = [NEVER]

    async def quiet_of(organization_id: int) -> QuietHours:
        del organization_id
        return quiet[0]

    outside = Outside((ip_network("127.0.0.0/8"),))
    seal = Seal(close=lambda text: text[::-1], open=lambda sealed: sealed[::-1] or None)
    return Room(Webhooks(outside, quiet_of, seal, ledger, clock), ledger, quiet)
