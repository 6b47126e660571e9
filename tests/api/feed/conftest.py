"""The feed over real rows, and a room that reports pictures."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest

from api.accounts.credentials import Ending
from api.bridges.service import Bridge, Bridges
from api.bus.local import LocalBus
from api.config import Settings
from api.errors import NotAuthenticated
from api.events.history import History
from api.events.service import Happened, Ledger
from api.feed.service import Feed
from api.feed.socket import FeedEndpoint
from api.feed.sockets import Sockets
from api.principal import Principal, Role
from api.printers.models import Printer
from api.telemetry.service import Telemetry
from schemas.link import LiveSnap
from schemas.printer import Live, PrinterState, Temperature
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey, hello_of
from tests.fakes.rooms import PrinterRows, printer_row
from tests.fakes.sockets import LiveSocket

TOKEN = "odin_ofTheAdmin"
JWT = "a.session.token"
TICKET = "a-ticket-that-works-once"


class Rows(PrinterRows):
    """Printers straight from the rows."""

    async def find(self, printer_id: int) -> Printer | None:
        return await Printer.get_or_none(id=printer_id, deleted_at=None)

    async def list(self, by: Principal) -> Sequence[Printer]:
        return await Printer.filter(organization_id=by.organization_id).order_by("id")


class FakeAccounts:
    """Secrets and who they are; `over` holds the credentials that have ended."""

    def __init__(self, admin: Principal) -> None:
        self.people = {TOKEN: admin, JWT: admin}
        self.tickets = {TICKET: admin}
        self.over: set[int] = set()

    def give(self, secret: str, by: Principal) -> str:
        self.people[secret] = by
        return secret

    async def authenticate(self, secret: str) -> Principal:
        if secret not in self.people:
            raise NotAuthenticated("Not authenticated")
        return self.people[secret]

    async def redeem_ws_ticket(self, ticket: str) -> Principal:
        if ticket not in self.tickets:
            raise NotAuthenticated("Not authenticated")
        return self.tickets.pop(ticket)

    async def ended_of(self, principals: Collection[Principal]) -> dict[int, Ending]:
        ended = {each.credential_id for each in principals} & self.over
        return dict.fromkeys(ended, Ending.OVER)


class Farm:
    """One room with two printers, its feed, and everybody's sockets."""

    def __init__(
        self,
        ledger: Ledger,
        clock: FakeClock,
        settings: Settings,
        bus: LocalBus,
        admin: Principal,
    ) -> None:
        self.ledger, self.clock, self.bus, self.admin = ledger, clock, bus, admin
        self.settings = replace(settings, live_interval_s=0.05)
        self.bridges = Bridges(ledger, clock, settings, bus)
        self.rows = Rows()
        self.telemetry = Telemetry(self.bridges, self.rows, clock, bus)
        self.history = History(ledger)
        self.feed = Feed(
            self.history,
            self.rows,
            self.telemetry,
            bus=bus,
            clock=clock,
            settings=self.settings,
        )
        self.accounts = FakeAccounts(admin)
        self.sockets = Sockets(self.accounts, bus)
        self.endpoint = FeedEndpoint(self.feed, self.sockets, self.accounts, clock, "")
        self.bridge: Bridge
        self.printers: list[Printer]

    async def open(self) -> None:
        async with self.ledger.change() as change:
            self.bridge = await self.bridges.create(change, 1, "Room", AgentKey().public)
        self.printers = [await printer_row(self.clock, self.bridge.id) for _ in range(2)]
        await self.bridges.open_session(self.bridge, hello_of(self.bridge.uid))

    def socket(self, query: str = f"token={TOKEN}", **headers: str) -> LiveSocket:
        """A dashboard that asks for a socket."""
        return LiveSocket(self.endpoint, query=query, **headers)

    async def happen(
        self, *kinds: str, organization_id: int = 1, printer_id: int | None = None, **data: Any
    ) -> int:
        """Events of these kinds; the number of the last."""
        async with self.ledger.change() as change:
            for kind in kinds:
                change.record(Happened(organization_id, kind, printer_id=printer_id, data=data))
        return (await self.history.span(organization_id)).newest

    async def report(
        self, state: PrinterState = PrinterState.OPERATIONAL, nozzle_c: float = 20.0, at: int = 0
    ) -> None:
        """The room tells how printer number *at* is."""
        temps = {"tool0": Temperature(nozzle_c, 0.0)}
        live = Live(printer=self.printers[at].id, state=state, temps=temps)
        await self.telemetry.record(self.bridge, LiveSnap(printers=[live]))

    def viewer(self, **differences: Any) -> Principal:
        """Somebody of the same farm who may look only."""
        base = replace(self.admin, role=Role.VIEWER, is_superadmin=False)
        return replace(base, **{"user_id": 2, "credential_id": 2, **differences})


@pytest.fixture
async def farm(
    ledger: Ledger, clock: FakeClock, settings: Settings, bus: LocalBus, admin: Principal
) -> Farm:
    farm = Farm(ledger, clock, settings, bus, admin)
    await farm.open()
    return farm
