"""A push service on this machine, and the room that pushes to it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import time
from ipaddress import ip_network

import pytest

from api.alerts.models import Alert
from api.alerts.preferences import Preferences
from api.clock import Clock
from api.events.service import Ledger
from api.policies.quiet import QuietHours
from api.push.envelope import Sender
from api.push.service import Push
from api.webhooks.outside import Outside
from api.webhooks.service import Seal
from tests.api.webhooks.conftest import Service

NEVER = QuietHours(enabled=False, start=time(22), end=time(7))


class Secrets:
    """Those of a test."""

    def derived(self, purpose: str) -> bytes:
        return hashlib.sha256(purpose.encode()).digest()


@dataclass
class PushRoom:
    """Push, in a farm whose quiet hours and secret key can be set."""

    push: Push
    preferences: Preferences
    ledger: Ledger
    clock: Clock
    quiet: list[QuietHours]
    is_secret_lost: bool = False

    async def alert(self, *user_ids: int, alert_type: str = "print_failed", **row: str) -> None:
        """An alert is dispatched to these people."""
        async with self.ledger.change(1) as change:
            rows = [
                Alert(
                    organization_id=1,
                    user_id=user_id,
                    alert_type=alert_type,
                    **{"severity": "critical", "title": "Vase failed", "message": "clog", **row},
                    printer_id=3,
                    job_id=4,
                    created_at=self.clock.now(),
                )
                for user_id in user_ids
            ]
            assert await self.push.tell(change, rows) == rows


def _room(ledger: Ledger, clock: Clock, *networks: str) -> PushRoom:
    quiet = [NEVER]
    rooms: list[PushRoom] = []

    async def quiet_of(organization_id: int) -> QuietHours:
        del organization_id
        return quiet[0]

    def opened(sealed: str) -> str | None:
        return None if rooms[0].is_secret_lost else sealed[::-1]

    preferences = Preferences(ledger)
    push = Push(
        Outside(tuple(map(ip_network, networks))),
        Sender(Secrets(), "mailto:farm@example.org"),
        Seal(close=lambda text: text[::-1], open=opened),
        wishes=preferences,
        quiet_of=quiet_of,
        ledger=ledger,
        clock=clock,
    )
    rooms.append(PushRoom(push, preferences, ledger, clock, quiet))
    return rooms[0]


@pytest.fixture
def room(ledger: Ledger, clock: Clock) -> PushRoom:
    return _room(ledger, clock, "127.0.0.0/8")


@pytest.fixture
def open_room(ledger: Ledger, clock: Clock) -> PushRoom:
    """It may reach public addresses only."""
    return _room(ledger, clock)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    kept = Service()
    listener = await asyncio.start_server(kept._serve, "127.0.0.1", 0)
    kept.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield kept
