"""The application: every room put together once, and the ASGI entry in front of Quart.

Requests come in three ways: the bridges' websocket goes to the link endpoint; uploads and all
other HTTP go to Quart, but the bytes of a body are handed over only when somebody asks for them
(Quart itself reads a body as fast as it comes, without back-pressure); lifespan opens and closes
the database. Everything runs inside the database's context.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any

from quart import Quart, request
from quart.ctx import RequestContext
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException

from api import history
from api.accounts import all_routes as people_routes
from api.accounts.personal_routes import PersonalRoutes
from api.addresses import MatchedRule
from api.alerts.preferences import Preferences
from api.alerts.routes import AlertRoutes
from api.audit.denials import Denials
from api.audit.routes import AuditRoutes
from api.audit.service import Audit
from api.bridges.routes import BridgeRoutes
from api.bus import Bus, SharedBus, open_bus
from api.clock import Clock, SystemClock
from api.commands.fleet import Fleet
from api.commands.fleet_routes import FleetRoutes
from api.commands.machine import Machine
from api.config import Settings
from api.db import open_database, persistently
from api.events.outbox import Repair
from api.failures import register_errors
from api.feed.routes import EventRoutes
from api.feed.socket import PATHS, FeedEndpoint
from api.files.direct import DirectUploads
from api.files.orphans import brooms
from api.http import MAX_BODY_BYTES
from api.idempotency.requests import IdempotentRequests
from api.idempotency.service import Idempotency
from api.jobs import all_routes as job_routes
from api.jobs.card_routes import CardRoutes
from api.jobs.costs import Costs
from api.jobs.show import Shown
from api.link.handler import LinkHandler
from api.link.routes import LinkRoutes
from api.link.socket import LinkEndpoint
from api.logs import identified
from api.maintenance.routes import MaintenanceRoutes
from api.metrics import MetricsRoutes, RequestMetrics
from api.models_library.direct_routes import DirectUploadRoutes
from api.models_library.revision_routes import RevisionRoutes
from api.models_library.revisions import Revisions
from api.models_library.routes import LibraryRoutes
from api.octoprint.addresses import tidy
from api.octoprint.face import OctoPrintFace
from api.octoprint.keys import OctoPrintKeyRoutes
from api.orders.consumable_routes import ConsumableRoutes
from api.orders.routes import OrderRoutes
from api.outreach import Outreach
from api.pairing.routes import PairingRoutes
from api.perimeter import Perimeter
from api.pools.routes import PoolRoutes
from api.preflight.routes import PreflightRoutes
from api.printers import all_routes as printer_routes
from api.printers.control_routes import ControlRoutes
from api.printers.ownership import Ownership
from api.printers.ownership_routes import OwnershipRoutes
from api.proxies import introduce, networks
from api.readiness import Readiness
from api.reports.exports import ExportRoutes
from api.reports.people_routes import PeopleRoutes
from api.reports.routes import ReportRoutes
from api.reports.written import Writer
from api.rooms import Rooms, open_rooms
from api.scheduler.filament_check import FilamentCheckRoutes
from api.scheduler.routes import SchedulerRoutes
from api.spec.routes import SpecRoutes
from api.spools.routes import SpoolRoutes
from api.spools.shelf import Shelf
from api.spools.shelf_routes import ShelfRoutes
from api.spools.slot_routes import SlotRoutes
from api.spools.slots import Slots
from api.status import StatusRoutes
from api.storage.sweeping import sweep_hourly
from api.upkeep import all_routes as upkeep_routes
from api.upload_body import UploadBody, WholeBody, has_body, is_upload, straight_body
from api.uploads import RECEIVE_KEY
from api.v1 import V1

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger("gantry.api")


class _Quart(Quart):
    """Quart, whose requests are run again when the database collided before anything was done."""

    url_rule_class = MatchedRule

    async def dispatch_request(self, request_context: RequestContext | None = None) -> Any:
        """The view's answer. An upload is not run again: its bytes come once."""
        answer = partial(super().dispatch_request, request_context)
        if RECEIVE_KEY in request.scope:
            return await persistently(answer, again_s=())
        return await persistently(answer)


class Application:
    """The ASGI application. Lifespan startup opens the database and starts the queue."""

    def __init__(
        self, settings: Settings, clock: Clock | None = None, bus: Bus | None = None
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.bus: Bus = bus or open_bus(settings)
        self.rooms = open_rooms(settings, self.clock, self.bus)
        self.requests = RequestMetrics(self.clock)
        self.readiness = Readiness(self.rooms.storage.check, self.bus)
        self.quart = _Quart("gantry", static_folder=None)
        self.quart.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        self.v1 = V1(self.quart, self.rooms.accounts, settings.public_url)
        idempotency = Idempotency(self.rooms.ledger, self.clock)
        self.idempotent = IdempotentRequests(idempotency)
        self.v1.replay_with(self.idempotent)
        self.v1.ask_jobs(self.rooms.jobs)
        self.outreach = Outreach(
            *(self.rooms.alerts, self.rooms.accounts, self.rooms.policies),
            writer=Writer(self.rooms.people, self.rooms.printers, self.rooms.jobs.records),
            settings=settings,
            ledger=self.rooms.ledger,
            clock=self.clock,
        )
        self.outreach.register(self.v1, self.rooms.printers)
        self.octoprint = _register(self.quart, self.v1, self.rooms, settings, self.readiness)
        denials = Denials(self.rooms.ledger, self.clock)
        self.v1.tell_of_denials(denials)
        self.octoprint.tell_of_denials(denials)
        rooms = self.rooms
        metrics = MetricsRoutes(rooms.reports, rooms.telemetry, rooms.alerts, self.requests)
        metrics.register(self.v1)
        register_errors(self.quart, self.octoprint, self.readiness)
        self.handler = LinkHandler(self.rooms, self.clock, settings)
        self.link = LinkEndpoint(self.handler, self.bus, self.clock)
        beside = LinkRoutes(rooms.bridges, rooms.files, self.link.turns, settings.link_url)
        beside.register(self.quart)
        self.dashboards = FeedEndpoint(
            self.rooms.feed,
            self.rooms.sockets,
            self.rooms.accounts,
            self.clock,
            settings.public_url,
        )
        self.perimeter = Perimeter(self.rooms.policies, self.octoprint.owns)
        self._trusted = networks(settings.trusted_proxies)
        self._context: TortoiseContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def database(self) -> TortoiseContext:
        """The database's context, once `startup()` has opened it."""
        assert self._context is not None, "startup() opens the database"
        return self._context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        # Entered, never left: it holds for this request's task alone, and the context keeps only
        # one token for leaving, which requests that overlap would take from each other.
        self.database.__enter__()
        introduce(scope, self._trusted)
        tidy(scope)
        serve: Any
        if scope["type"] == "websocket":
            serve = self._websocket(scope["path"])
            if serve is self.link or not await self.perimeter.turns_away(scope, send):
                await serve(scope, receive, send)
            return
        if await self.perimeter.turns_away(scope, send):
            return
        telemetry = self.rooms.telemetry
        if scope["method"] == "GET" and telemetry.catching_up() and "/health" not in scope["path"]:
            await telemetry.caught_up()
        serve = self.octoprint.push_requests(scope["path"]) or self.quart
        send = self.requests.watching(scope["method"], identified(scope, send))
        if is_upload(scope):
            body = UploadBody(receive, send, straight_body(scope))
            scope[RECEIVE_KEY] = body.receive
            await serve(scope, body.withheld, body.send)
        elif has_body(scope):
            whole = WholeBody(receive, send)
            await serve(scope, whole.receive, whole.send)
        else:
            await serve(scope, receive, send)

    async def startup(self, *, background: bool = True) -> None:
        """Open the database and start what runs by itself. Raises `DatabaseUnusable`.

        *background* False: nothing runs by itself; a function steps the queue when it is called.
        """
        self._context = await open_database(self.settings)
        try:
            await self._begin(self._context, background=background)
        except BaseException:
            await self.shutdown()  # the database's threads would keep the process
            raise

    async def _begin(self, context: TortoiseContext, *, background: bool) -> None:
        await self.quart.startup()
        if not background:
            self.octoprint.without_sockets()
            return
        await self.bus.start()
        self.rooms.logs.start()
        with context:
            await self.rooms.policies.current()
            await self.rooms.accounts.offer_setup()
            await self.rooms.bridges.load()
            await self.rooms.telemetry.load()
            rooms = self.rooms
            for work in (
                rooms.scheduler.run(),
                self.idempotent.endings.run(),
                rooms.telemetry.run(),
                rooms.feed.run(),
                rooms.analyst.run(),
                rooms.accounts.post.run(self.bus),
                self.outreach.run(self.bus),
                rooms.sockets.run(),
                rooms.maintenance.overdue.run(),
                rooms.bridges.replicas.run(),
                sweep_hourly(
                    {**brooms(rooms.storage, self.clock), "retention": rooms.retention.sweep}
                ),
                *([Repair(self.bus, self.clock).run()] if isinstance(self.bus, SharedBus) else []),
            ):
                task = asyncio.create_task(work)
                self._tasks.add(task)

    async def shutdown(self) -> None:
        """Close bridges' sockets with 1012, stop the tasks, close the database."""
        async with AsyncExitStack() as stack:
            if self._context is not None:
                stack.push_async_callback(self._context.close_connections)
                stack.push_async_callback(self._leave)
            stack.callback(self.rooms.logs.stop)
            stack.push_async_callback(self.quart.shutdown)
            await self.drain()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _websocket(self, path: str) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
        if path in PATHS:
            return self.dashboards
        return self.octoprint.push if self.octoprint.push.owns(path) else self.link

    async def drain(self) -> None:
        """Close every socket with 1012, so that their owners come back soon."""
        self.rooms.logs.part()
        await asyncio.gather(self.link.drain(), self.rooms.sockets.drain())

    async def _leave(self) -> None:
        """What it owes is written, and the other processes hear at once that this one goes."""
        self.database.__enter__()
        with suppress(BaseORMException, OSError):
            await self.rooms.commands.keep_owed()
        with suppress(BaseORMException, OSError):
            await self.rooms.bridges.replicas.leave()
        await self.bus.stop()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.startup()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.shutdown()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _register(
    quart: Quart, v1: V1, rooms: Rooms, settings: Settings, readiness: Readiness
) -> OctoPrintFace:
    people_routes.register(v1, quart, rooms.accounts, rooms.quotas, settings)
    upkeep_routes.register(v1, rooms, settings, readiness)
    audit = Audit()
    AuditRoutes(audit).register(v1)
    jobs_of, acts_of = rooms.jobs.submitted_by, audit.of_person
    wishes_of = Preferences(rooms.ledger).of_person
    PersonalRoutes(rooms.accounts, rooms.quotas, jobs_of, acts_of, wishes_of).register(v1)
    BridgeRoutes(rooms.bridges, rooms.accounts).register(v1)
    owners = Ownership(rooms.printers, rooms.accounts, rooms.files, rooms.ledger)
    OwnershipRoutes(owners).register(v1)
    PairingRoutes(rooms.pairing, settings, rooms.policies.host_ip).register(v1, quart)
    printer_routes.register(v1, rooms)
    machine = Machine(
        rooms.printers, rooms.commands, rooms.jobs.control, rooms.telemetry, rooms.ledger
    )
    ControlRoutes(rooms.printers, rooms.jobs, machine, rooms.telemetry).register(v1)
    CardRoutes(rooms.printers, rooms.library, rooms.files, rooms.card_writes).register(v1)
    PoolRoutes(rooms.pools, rooms.printers).register(v1)
    fleet = Fleet(rooms.printers, rooms.pools, machine, rooms.jobs, ledger=rooms.ledger)
    FleetRoutes(fleet, machine, rooms.printers).register(v1)
    LibraryRoutes(rooms.library, rooms.files, settings).register(v1)
    revisions = Revisions(rooms.library, rooms.accounts, rooms.ledger, rooms.scheduler.clock)
    RevisionRoutes(revisions, rooms.library, rooms.files, settings).register(v1)
    direct = DirectUploads(rooms.storage, rooms.files, settings)
    DirectUploadRoutes(direct, rooms.library).register(v1)
    EventRoutes(rooms.feed).register(v1)
    jobs = Shown(
        rooms.jobs,
        *(rooms.printers, rooms.pools, rooms.telemetry, rooms.library),
        queue=rooms.scheduler.explanations,
    )
    job_routes.register(v1, rooms, jobs)
    SchedulerRoutes(rooms.scheduler).register(v1)
    FilamentCheckRoutes(rooms.printers).register(v1)
    PreflightRoutes(rooms.preflights).register(v1)
    _register_stores(v1, rooms)
    history.register(v1, rooms, settings)
    ReportRoutes(rooms.reports, rooms.printers, rooms.jobs, rooms.telemetry).register(v1)
    ExportRoutes(rooms.library).register(v1)
    PeopleRoutes(rooms.people, rooms.scheduler.clock).register(v1)
    OctoPrintKeyRoutes(rooms.accounts, rooms.printers).register(v1)
    StatusRoutes(quart, readiness).register(v1)
    SpecRoutes(v1).register(quart)
    face = OctoPrintFace(rooms, settings)
    face.register(quart)
    return face


def _register_stores(v1: V1, rooms: Rooms) -> None:
    """What is kept beside the printers: filament, alerts, maintenance, orders."""
    SpoolRoutes(rooms.spools).register(v1)
    shelf = Shelf(rooms.spools, rooms.ledger, rooms.scheduler.clock)
    ShelfRoutes(shelf, rooms.spools).register(v1)
    slots = Slots(rooms.spools, rooms.printers, rooms.ledger)
    SlotRoutes(slots, rooms.spools, rooms.printers).register(v1)
    AlertRoutes(rooms.alerts, rooms.printers, rooms.jobs).register(v1)
    MaintenanceRoutes(rooms.maintenance).register(v1)
    clock = rooms.scheduler.clock
    costs = Costs(rooms.accounts, rooms.library, rooms.files, rooms.spools.filaments)
    OrderRoutes(rooms.orders, rooms.library, costs, rooms.accounts, clock).register(v1)
    ConsumableRoutes(rooms.orders).register(v1)
