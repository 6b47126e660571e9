"""The farm's door: whoever comes from an address that is not let in gets no further (v1 1.1).

Asked before a request is routed or a socket accepted, for both faces. Health probes are answered
to everybody; bridges prove themselves with keys and are asked for those instead.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import orjson
from tortoise.exceptions import BaseORMException

from api.errors import Forbidden, Problem, Unavailable
from api.feed.door import Authenticator, Door, Knock
from api.policies.service import Policies
from api.principal import Principal
from api.readiness import DATABASE
from api.v1 import PREFIXES

#: Answered to everybody, whatever else works.
HEALTH = {f"{root}{path}" for root in ("", *PREFIXES) for path in ("/health", "/health/ready")}
_BRIDGES = "/bridge/"

_log = logging.getLogger("gantry.api")

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class GuardedDoor(Door):
    """The door of dashboards behind a gateway, whose requests pass no perimeter."""

    def __init__(self, perimeter: "Perimeter", accounts: Authenticator, public_url: str) -> None:
        super().__init__(accounts, public_url)
        self._perimeter = perimeter

    async def enter(self, knock: Knock) -> Principal:
        """Who it is, from where they may come. Raises `Forbidden`, `NotAuthenticated`."""
        await self._perimeter.check(knock.address, knock.path)
        return await super().enter(knock)


class Perimeter:
    """Lets in, or turns away."""

    def __init__(self, policies: Policies, is_octoprint: Callable[[str], bool]) -> None:
        """*is_octoprint*: whether errors at a path look as OctoPrint's do."""
        self._policies = policies
        self._is_octoprint = is_octoprint

    async def turns_away(self, scope: Mapping[str, Any], send: Send) -> bool:
        """Whether the owner of this request was told that they may not come in."""
        path: str = scope["path"]
        if path in HEALTH or path.startswith(_BRIDGES):
            return False
        client = scope.get("client")
        try:
            await self.check(client[0] if client else "", path)
        except Problem as problem:
            await self._tell(scope, send, problem)
            return True
        return False

    async def check(self, address: str, path: str) -> None:
        """Raises `Forbidden` (ip_not_allowed), or `Unavailable` when nobody knows who is let in."""
        try:
            listed = (await self._policies.current()).allowlist
        except (BaseORMException, OSError) as error:
            _log.error("%s: %s", DATABASE, error)
            raise Unavailable("The database cannot be used.", code="storage_unavailable") from None
        if listed is not None and listed.guards(path) and not listed.admits(address):
            raise Forbidden("IP address not allowed", code="ip_not_allowed")

    async def _tell(self, scope: Mapping[str, Any], send: Send, problem: Problem) -> None:
        kind = problem.kind
        facts = {"code": problem.code, "detail": problem.detail, "retriable": kind.retriable}
        told = {"detail": problem.detail, "error": facts}
        body = orjson.dumps(
            {"error": problem.detail} if self._is_octoprint(scope["path"]) else told
        )
        socket = scope["type"] == "websocket"
        start = "websocket.http.response" if socket else "http.response"
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        if kind.retriable:
            headers.append((b"retry-after", b"1"))
        message = {"type": f"{start}.start", "status": kind.v1_status, "headers": headers}
        await send(message)
        await send({"type": f"{start}.body", "body": body})
