"""The v1 routes of upkeep (v1 2.2 `/admin/…`, 2.4 `/config/retention`)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from quart import Response, request

from api.clock import Clock
from api.config import Settings
from api.describe import Doc, Query
from api.http import Unprocessable, int_query, json_answer, json_body
from api.upkeep.answers import CleanedAnswer, LogAnswer, RetentionAnswer
from api.upkeep.bodies import RetentionBody
from api.upkeep.bundle import bundle
from api.upkeep.retention import Retention
from api.upkeep.ring import Line, Wish
from api.upkeep.service import Logs, wish_of
from api.v1 import V1, caller

_RIGHT = "farm.admin"
_DEFAULT_LINES, _MAX_LINES = 200, 5000
_MAX_SEARCH = 200
_WHICH = (
    Query(name="source", description="`backend`: the log of the process that answers"),
    Query(name="level", description="At least this: debug, info, warning, error, critical"),
    Query(
        name="search",
        type=Annotated[str, Field(max_length=_MAX_SEARCH)],
        description="Lines with this somewhere, in any case",
    ),
)
_LINES = Query(
    name="lines",
    type=Annotated[int, Field(ge=1, le=_MAX_LINES)],
    description=f"At most so many, default {_DEFAULT_LINES}",
)
_GET_DAYS = Doc(summary="How long what happened is kept", answer=RetentionAnswer, right=_RIGHT)
_PUT_DAYS = Doc(
    summary="Keep what happened for another time",
    description="Applied once an hour. Jobs that are over go with what was printed for them, but "
    "for jobs of orders. Events go by GANTRY_EVENTS_DAYS.",
    answer=RetentionAnswer,
    body=RetentionBody,
    right=_RIGHT,
)
_CLEAN = Doc(
    summary="Remove now what is older than it is kept",
    answer=CleanedAnswer,
    right=_RIGHT,
    dry_run=True,
)
_LOG = Doc(
    summary="The newest lines of the log",
    answer=LogAnswer,
    right=_RIGHT,
    query=(*_WHICH, _LINES),
    problems=("bad_request",),
)
_STREAM = Doc(
    summary="The log as it is written: server-sent events, a line each",
    description="Ends after an hour, or when the session does; ask again then.",
    answer=str,
    media="text/event-stream",
    right=_RIGHT,
    query=_WHICH,
    problems=("bad_request", "feature_disabled", "rate_limited"),
)
_BUNDLE = Doc(
    summary="What runs here, how it is set up and how it does, for who helps; without secrets",
    answer=bytes,
    media="application/zip",
    right=_RIGHT,
)

#: What a bundle tells, by the name of its file.
Facts = Callable[[], Awaitable[Mapping[str, Any]]]


class UpkeepRoutes:
    """`/config/retention`, `/admin/retention/cleanup`, `/admin/logs`, `/admin/support-bundle`."""

    def __init__(
        self, retention: Retention, logs: Logs, facts: Facts, settings: Settings, clock: Clock
    ) -> None:
        self._retention = retention
        self._logs = logs
        self._facts = facts
        self._settings = settings
        self._clock = clock

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/config/retention", self.days, _GET_DAYS)
        v1.add("PUT", "/config/retention", self.set_days, _PUT_DAYS)
        v1.add("POST", "/admin/retention/cleanup", self.clean, _CLEAN)
        v1.add("GET", "/admin/logs", self.log, _LOG)
        v1.add("GET", "/admin/logs/stream", self.stream, _STREAM)
        v1.add("GET", "/admin/support-bundle", self.bundle, _BUNDLE)

    async def days(self) -> Response:
        """How long."""
        return json_answer(await self._retention.days(caller()))

    async def set_days(self) -> Response:
        """For another time."""
        given = (await json_body(RetentionBody)).model_dump(exclude_none=True)
        return json_answer(await self._retention.set_days(caller(), given))

    async def clean(self) -> Response:
        """Now."""
        cleaned = await self._retention.clean(caller())
        return json_answer({"status": "ok", "deleted": cleaned.deleted, "more": cleaned.more})

    async def log(self) -> Response:
        """The newest lines."""
        most = int_query("lines", _DEFAULT_LINES)
        if not 1 <= most <= _MAX_LINES:
            wanted = f"Input should be 1 to {_MAX_LINES}"
            place = ["query", "lines"]
            odd = {"type": "out_of_range", "loc": place, "msg": wanted, "input": most}
            raise Unprocessable([odd])
        lines = self._logs.last(caller(), _wish(), most)
        told = [line.text for line in lines]
        return json_answer({"source": _source(), "lines": told, "count": len(told)})

    async def stream(self) -> Response:
        """New lines, as they come."""
        found = self._logs.follow(caller(), _wish())
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        answer = Response(_events(found), headers=headers, content_type="text/event-stream")
        answer.timeout = None
        return answer

    async def bundle(self) -> Response:
        """A zip file."""
        by, now = caller(), self._clock.now()
        lines = [line.text for line in self._logs.last(by, Wish(), _MAX_LINES)]
        made = bundle(await self._facts(), self._settings, lines, now)
        name = f"gantry-support-{now:%Y%m%d-%H%M%S}.zip"
        return Response(
            made,
            headers={
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "no-store",
            },
            content_type="application/zip",
        )


async def _events(found: AsyncIterator[Sequence[Line]]) -> AsyncIterator[bytes]:
    """Lines as server-sent events; a comment shows that the stream lives."""
    async for lines in found:
        if not lines:
            yield b": alive\n\n"
        for line in lines:
            yield f"id: {line.number}\ndata: {line.text}\n\n".encode()


def _source() -> str:
    return request.args.get("source", "backend")


def _wish() -> Wish:
    """Which lines the query asks for. Raises `Invalid`."""
    search = request.args.get("search", "")
    return wish_of(_source(), request.args.get("level"), search)
