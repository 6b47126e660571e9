"""A small Quart app over a `Farm`: the v1 routes of printers and jobs, signed in as its admin."""

from typing import Any, cast

from quart import Quart
from quart.typing import TestClientProtocol

from api.bridges.models import Bridge
from api.bridges.service import Bridges
from api.commands.machine import Machine
from api.errors import NotAuthenticated
from api.jobs.routes import JobRoutes
from api.jobs.show import Shown
from api.principal import Principal
from api.printers.control_routes import ControlRoutes
from api.printers.routes import PrinterRoutes
from api.telemetry.service import Telemetry
from api.v1 import V1
from schemas.link import LiveSnap
from schemas.printer import Live
from tests.fakes.farm import BRIDGE, Farm

TOKEN = "odin_farm"


class FarmApp:
    """Requests to the farm's routes."""

    def __init__(self, farm: Farm) -> None:
        self.farm = farm
        self.principal = farm.admin
        bridges = cast(Bridges, farm.bridges)
        self.telemetry = Telemetry(bridges, farm.printers, farm.clock, farm.bus)
        self.quart = Quart("farm", static_folder=None)
        self.v1 = V1(self.quart, self)
        PrinterRoutes(farm.printers, self.telemetry, farm.jobs).register(self.v1)
        machine = Machine(
            farm.printers, farm.commands, farm.jobs.control, self.telemetry, farm.ledger
        )
        ControlRoutes(farm.printers, farm.jobs, machine, self.telemetry).register(self.v1)
        near = (farm.printers, farm.pools, self.telemetry, farm.library)
        shown = Shown(farm.jobs, *near, queue=farm.scheduler.explanations)
        JobRoutes(farm.jobs, shown).register(self.v1)
        self.client: TestClientProtocol = self.quart.test_client()

    async def authenticate(self, secret: str) -> Principal:
        if secret != TOKEN:
            raise NotAuthenticated("Not authenticated")
        return self.principal

    async def ask(self, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
        """The JSON answer to ``/api/v1`` + *path*; fails on another status than *expect*."""
        more = {} if body is None else {"json": body}
        headers = {"X-API-Key": TOKEN}
        answer = await self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)
        text = await answer.get_data(as_text=True)
        assert answer.status_code == expect, text
        return await answer.get_json() if text else None

    async def show(self, live: Live) -> None:
        """The room sends a picture."""
        bridge = Bridge(id=BRIDGE, organization_id=1)
        assert await self.telemetry.record(bridge, LiveSnap(printers=[live])) == []
