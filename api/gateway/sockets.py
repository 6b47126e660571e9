"""Events of a WebSocket API: who is meant, and what becomes of it.

Whatever goes wrong with a frame ends its socket: a room greets again and says once more what
nobody acknowledged, a dashboard comes back with its cursor. The gateway itself only tells a client
that something failed, and would leave the rest to luck. While the database is away nobody knows who
is behind a socket, so who knocks is told to come later (503).
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

import orjson
from tortoise.exceptions import BaseORMException

from api.errors import Problem
from api.feed.door import knock_of
from api.gateway.feeds import FeedSockets
from api.gateway.links import LinkSockets
from api.gateway.models import GatewaySocket
from api.readiness import DATABASE

Event = dict[str, Any]
_TAKEN: Event = {"statusCode": 200}
_NOT_OURS: Event = {"statusCode": 400}
_LATER: Event = {
    "statusCode": 503,
    "headers": {"Retry-After": "2", "Content-Type": "application/json"},
    "body": '{"detail":"The database cannot be used.","error":{"code":"storage_unavailable"}}',
}
LONGEST = timedelta(hours=3)  # a gateway ends every socket after two
_KINDS = frozenset({"CONNECT", "MESSAGE", "DISCONNECT"})

_log = logging.getLogger("gantry.gateway")


class Ending(Protocol):
    """What both kinds of sockets can do."""

    async def message(self, socket: GatewaySocket, text: str) -> None:
        """Take a frame."""

    async def gone(self, socket: GatewaySocket) -> None:
        """The socket closed."""

    async def end(self, socket: GatewaySocket) -> None:
        """Close it."""

    async def drop(self, connection_id: str) -> None:
        """Close one whose row cannot be read."""


class GatewaySockets:
    """Both WebSocket APIs: stage variable ``socket`` is ``feed`` for dashboards."""

    def __init__(self, links: LinkSockets, feeds: FeedSockets) -> None:
        self._links = links
        self._feeds = feeds

    async def take(self, event: Event) -> Event:
        """Deal with *event*; the answer counts for ``CONNECT`` only."""
        context = event.get("requestContext") or {}
        connection_id, kind = context.get("connectionId"), context.get("eventType")
        if not isinstance(connection_id, str) or not connection_id or kind not in _KINDS:
            _log.warning("an event that is none of a WebSocket API is left alone")
            return _NOT_OURS
        try:
            return await self._take(kind, connection_id, event)
        except (BaseORMException, OSError) as error:
            _log.error("%s: %s", DATABASE, error)
        if kind == "MESSAGE":
            room: Ending = self._feeds if _is_feed(event) else self._links
            await room.drop(connection_id)
        return _LATER

    async def _take(self, kind: str, connection_id: str, event: Event) -> Event:
        if kind == "CONNECT":
            return await self._connect(connection_id, event)
        socket = await GatewaySocket.get_or_none(connection_id=connection_id)
        if socket is None:
            return _TAKEN
        room: Ending = self._feeds if socket.kind == "feed" else self._links
        if kind == "DISCONNECT":
            await room.gone(socket)
            return _TAKEN
        try:
            await room.message(socket, event.get("body") or "")
        except Exception:  # noqa: BLE001 - supervisor: see the module's text
            _log.exception("a frame of %s could not be taken; the socket ends", connection_id)
            await room.end(socket)
        return _TAKEN

    async def _connect(self, connection_id: str, event: Event) -> Event:
        try:
            knock = knock_of(_scope(event))
            if _is_feed(event):
                await self._feeds.connect(connection_id, knock)
            else:
                await self._links.connect(connection_id, knock.header("authorization") or "")
        except Problem as problem:
            error = {"code": problem.code, "detail": problem.detail}
            body = orjson.dumps({"detail": problem.detail, "error": error}).decode()
            return {"statusCode": problem.kind.v1_status, "body": body}
        return _TAKEN


async def forget_ended(now: datetime) -> int:
    """Remove the rows of sockets that a gateway must have ended, whose end it forgot to tell."""
    return await GatewaySocket.filter(opened_at__lt=now - LONGEST).delete()


def _is_feed(event: Event) -> bool:
    return (event.get("stageVariables") or {}).get("socket") == "feed"


def _scope(event: Event) -> dict[str, Any]:
    """The upgrade of a ``$connect`` event as ASGI would show it.

    Who asks is said by the headers alone: what the event calls an authorizer is not looked at.
    """
    given: dict[str, str] = event.get("headers") or {}
    headers = [(name.encode(), value.encode()) for name, value in given.items()]
    query = urlencode(event.get("queryStringParameters") or {})
    address = (event["requestContext"].get("identity") or {}).get("sourceIp") or ""
    return {
        "path": "/ws",
        "headers": headers,
        "query_string": query.encode(),
        "client": (address, 0),
    }
