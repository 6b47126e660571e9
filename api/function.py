"""Gantry as cloud functions: ``http``, ``websocket``, ``tick`` and ``migrate`` for AWS Lambda.

The same application as in a container, with nothing assumed between two events: who is there and
what printers report is read from rows at the start of each, what a change is to set in motion is
done before it ends. One event loop lives as long as the process; the database is opened by the
first event. infra/aws/template.yaml says how they are deployed.

What functions cannot do: a body of more than about 4.5 MB never reaches them (the gateway answers
413), so large files go straight to the object store (``POST /print-files/uploads``) and come from
there (307); another answer of more than 6 MB is 413, with what to ask for instead; OctoPrint's push
needs paths that WebSocket APIs do not have (`/sockjs/info` says so); what nobody asks for happens
once a minute. Settings that cannot work here end the cold start with their names.
"""

from api import cold_start

# isort: split
import asyncio
import functools
import logging
import os
from collections.abc import Coroutine, MutableMapping
from typing import Any, TypeVar

import orjson
from mangum import Mangum
from quart import request
from tortoise.exceptions import BaseORMException

from api import migrate as migrations
from api.app import Application
from api.config import SettingError, Settings, load
from api.errors import Unavailable
from api.files.orphans import brooms
from api.gateway.bus import FunctionBus
from api.gateway.errands import Errands, Step, all_of
from api.gateway.feeds import FeedSockets
from api.gateway.links import LinkSockets
from api.gateway.post import GatewayPoster, GatewayUnreachable
from api.gateway.sockets import GatewaySockets, forget_ended
from api.logs import log_json
from api.perimeter import HEALTH, GuardedDoor
from api.production import insecurities, lacks_of_functions
from api.readiness import DATABASE
from api.storage.sweeping import sweep

Event = dict[str, Any]
T = TypeVar("T")

JSON_TYPES = ["text/", "application/json", "application/openapi+json", "application/javascript"]

#: Of an answer as the runtime takes it, 6 MB with the JSON around it.
MAX_ANSWER_BYTES = 6_000_000
#: Of a file that is answered: as base64 it is a third more.
MAX_FILE_BYTES = 4_000_000

PRUNE_MINUTES = 10
SWEEP_MINUTE = 7

_log = logging.getLogger("gantry.function")


class Process:
    """One process of the cloud, from its cold start to its end."""

    def __init__(self, settings: Settings) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self._settings = settings
        self._bus = FunctionBus()
        self.application = Application(settings, bus=self._bus)
        rooms, clock = self.application.rooms, self.application.clock
        self._links = LinkSockets(
            self.application.handler, GatewayPoster(settings.gateway_url, "GATEWAY_URL"), clock
        )
        self._feeds = FeedSockets(
            rooms,
            GuardedDoor(self.application.perimeter, rooms.accounts, settings.public_url),
            GatewayPoster(settings.feed_gateway_url, "FEED_GATEWAY_URL"),
            clock,
            self._look,
        )
        self._sockets = GatewaySockets(self._links, self._feeds)
        self.application.octoprint.send_to_the_store_above(MAX_FILE_BYTES)
        self._changed: set[tuple[int, int]] = set()  # (organization, printer) with a new picture
        rooms.telemetry.watch(lambda org, printer, moved: self._changed.add((org, printer)))
        self._bus.attend(Errands(self._links, self._feeds, rooms.scheduler).run)
        self._fits = False  # the tables are those of this version
        self.application.readiness.misfit = self._misfit
        self.application.quart.before_request(self._look_first)
        self._mangum = Mangum(self._asgi, lifespan="off", text_mime_types=JSON_TYPES)
        self._open = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work* and everything that it set in motion."""
        return self.loop.run_until_complete(self._whole(work))

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            await self._ready()
            return await work
        finally:
            await self._bus.finished()

    async def _ready(self) -> None:
        """The database is open, and nothing from before this event is taken for true."""
        if not self._open:
            await self.application.startup(background=False)
            self._open = True
        self.application.database.__enter__()
        self._bus.begin()
        self._changed.clear()

    async def _misfit(self) -> str | None:
        """Why nothing can be done on these tables; None: they fit, which is asked only once."""
        if not self._fits:
            found = await migrations.misfit()
            self._fits = found is None
            return found
        return None

    async def _look(self) -> None:
        """Memory says what the rows say of rooms and pictures: for whoever shows them.

        Raises `Unavailable` on tables of another version.
        """
        if (misfit := await self._misfit()) is not None:
            raise Unavailable(misfit, code="storage_unavailable")
        await self.application.rooms.bridges.refresh(self._settings.dead_s)
        await self.application.rooms.telemetry.refresh()

    # HTTP.

    def http(self, event: Event, context: object) -> Any:
        """A request of the HTTP API."""
        return fitting(self._mangum(event, context))  # type: ignore[arg-type]

    async def _asgi(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        await self._whole(self.application(scope, receive, send))

    async def _look_first(self) -> None:
        """Before a view, whose errors are answered; health says by itself what does not work."""
        if request.path not in HEALTH:
            await self._look()

    # Websockets.

    async def socket(self, event: Event) -> Event:
        """An event of a WebSocket API; the answer counts for ``CONNECT`` only."""
        answer = await self._sockets.take(event)
        try:
            await self._show()
        except (GatewayUnreachable, BaseORMException, OSError) as error:
            _log.error("others see this picture late: %s", error)  # the frame itself was taken
        return answer

    async def _show(self) -> None:
        """Other processes and dashboards see the pictures that came."""
        await self.application.rooms.telemetry.flush()
        changed, self._changed = self._changed, set()
        for organization_id in {organization for organization, _ in changed}:
            printers = {printer for owner, printer in changed if owner == organization_id}
            await self._feeds.pictures(organization_id, printers)

    # The clock.

    async def tick(self) -> Event:
        """Everything that is due once a minute; the names of what failed.

        Raises what the database raises when nothing can be done at all.
        """
        rooms, outreach = self.application.rooms, self.application.outreach
        try:
            await self._look()
        except (BaseORMException, OSError) as error:
            _log.error("%s: %s", DATABASE, error)
            raise
        failed = await all_of(
            {
                "expire commands and run the queue": rooms.scheduler.step,
                "write samples": rooms.telemetry.step,
                **self._hourly(),
                "write mails about alerts": outreach.digests.drain,
                "write reports": outreach.reports.drain,
                "send mail": rooms.accounts.post.drain,
                "tell webhooks": outreach.webhooks.courier.drain,
                "push": outreach.push.courier.drain,
                "analyse a file": rooms.analyst.step,
            }
        )
        return {"failed": failed}

    def _hourly(self) -> dict[str, Step]:
        """What is due at this minute of the hour: a process may live for one event only."""
        rooms, clock = self.application.rooms, self.application.clock
        steps: dict[str, Step] = {}
        if clock.now().minute % PRUNE_MINUTES == 0:
            steps["forget old events"] = rooms.feed.prune
        if clock.now().minute == SWEEP_MINUTE:
            steps["look for overdue maintenance"] = rooms.maintenance.overdue.step
            steps["forget what is old"] = rooms.retention.sweep
            steps["forget sockets that ended"] = lambda: forget_ended(clock.now())
            steps["sweep the storage"] = lambda: sweep(brooms(rooms.storage, clock))
        return steps


def fitting(answer: Any) -> Any:
    """*answer*, or 413 in its place: the runtime would make a failure of one that is too large."""
    body = answer["body"]
    if len(body) <= MAX_ANSWER_BYTES // 6 or len(orjson.dumps(body)) <= MAX_ANSWER_BYTES:
        return answer
    words = (
        "A cloud function answers at most 6 MB. Ask for less at a time: limit and skip of a list, "
        "a Range of a file."
    )
    error = {"code": "too_large", "detail": words, "retriable": False}
    told = orjson.dumps({"detail": words, "error": error}).decode()
    headers = {"content-type": "application/json"}
    return {"statusCode": 413, "headers": headers, "body": told, "isBase64Encoded": False}


def usable(settings: Settings) -> Settings:
    """*settings*, if functions can live by them. Raises `SettingError` with all that is wrong."""
    found = lacks_of_functions(settings)
    if settings.production:
        found += insecurities(settings, os.environ)
    if found:
        raise SettingError("not as functions:\n" + "\n".join(dict.fromkeys(found)))
    return settings


@functools.cache
def _this() -> Process:
    return Process(load())


def http(event: Event, context: object) -> Any:
    """Lambda handler of the HTTP API."""
    return _this().http(event, context)


def websocket(event: Event, context: object) -> Event:
    """Lambda handler of both WebSocket APIs."""
    process = _this()
    return process.run(process.socket(event))


def tick(event: Event, context: object) -> Event:
    """Lambda handler of the schedule, once a minute."""
    process = _this()
    return process.run(process.tick())


def migrate(event: Event, context: object) -> Event:
    """Bring the database up to date; invoked by hand after a deployment."""
    return {"applied": asyncio.run(migrations.migrate(load()))}


if os.environ.get("AWS_LAMBDA_FUNCTION_NAME"):
    log_json()
    # Made while the runtime is starting, which is faster than the first event and says at once
    # when a setting is wrong.
    usable(load())
    _this()
cold_start.over()
