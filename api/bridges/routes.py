"""The v1 routes of bridges: who is in the farm, what hangs on them, and turning one away."""

from typing import Annotated, Any, Literal, Protocol

import msgspec
from pydantic import Field, StringConstraints
from quart import Response

from api.bridges.answers import BridgeAnswer, PortAnswer
from api.bridges.keys import fingerprint
from api.bridges.service import Bridge, Bridges
from api.clock import iso
from api.describe import Doc
from api.http import Body, json_answer, json_body, paging
from api.principal import Principal
from api.v1 import V1, caller

_LIST = Doc(
    summary="The printer rooms", answer=list[BridgeAnswer], right="bridges.read", paged=True
)
_PORTS = Doc(
    summary="The serial ports of a room, as its agent last listed them",
    answer=list[PortAnswer],
    right="bridges.read",
    paged=True,
    problems=("bridge_not_found",),
)
_REVOKE = Doc(
    summary="Turn a room away for good; what prints there goes on printing",
    description="A session must have seen the password within ten minutes.",
    status=204,
    right="bridges.admin",
    problems=("bridge_not_found", "reauth_required"),
)


class BridgeUpdateBody(Body):
    """``PATCH /bridges/{id}``."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


_RENAME = Doc(
    summary="Give a room another name",
    body=BridgeUpdateBody,
    answer=BridgeAnswer,
    right="bridges.admin",
    problems=("bridge_not_found",),
    dry_run=True,
)


class SurvivorBody(Body):
    """Which of two machines with one identity stays."""

    machine: Literal["current", "other"] = Field(
        description="`current`: the one that is listened to; `other`: the one turned away"
    )


_SURVIVOR = Doc(
    summary="Of two machines with one identity, say which one stays",
    body=SurvivorBody,
    answer=BridgeAnswer,
    right="bridges.admin",
    problems=("bridge_not_found",),
)


class Confirming(Protocol):
    """Who knows how long ago a person has shown the password."""

    async def require_fresh(self, by: Principal) -> None:
        """Raises `Forbidden` (reauth_required) for a session that has not lately."""


class BridgeRoutes:
    """`/bridges` and what is below it."""

    def __init__(self, bridges: Bridges, people: Confirming) -> None:
        self._bridges = bridges
        self._people = people

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one, see, missing = "/bridges/<int:bridge_id>", "bridges.read", ("bridge_not_found",)
        v1.add("GET", "/bridges", self.list, _LIST)
        doc = Doc(summary="One room", answer=BridgeAnswer, right=see, problems=missing)
        v1.add("GET", one, self.get, doc)
        v1.add("GET", f"{one}/ports", self.ports, _PORTS)
        v1.add("PATCH", one, self.rename, _RENAME)
        v1.add("DELETE", one, self.delete, _REVOKE)
        v1.add("POST", f"{one}/survivor", self.survivor, _SURVIVOR)

    async def list(self) -> Response:
        """The organization's bridges."""
        skip, limit = paging()
        rows = await self._bridges.list(caller())
        shown = [self._view(bridge) for bridge in rows[skip : skip + limit]]
        return json_answer(shown, headers={"X-Total-Count": str(len(rows))})

    async def get(self, bridge_id: int) -> Response:
        """One bridge."""
        return json_answer(self._view(await self._bridges.get(caller(), bridge_id)))

    async def ports(self, bridge_id: int) -> Response:
        """The serial ports of its room."""
        skip, limit = paging()
        ports = await self._bridges.ports(caller(), bridge_id)
        total = {"X-Total-Count": str(len(ports))}
        return json_answer(msgspec.json.encode(ports[skip : skip + limit]), headers=total)

    async def rename(self, bridge_id: int) -> Response:
        """Another name for people; on the link nothing changes."""
        await self._bridges.get(caller(), bridge_id)  # 404 comes before 422
        body = await json_body(BridgeUpdateBody)
        return json_answer(self._view(await self._bridges.rename(caller(), bridge_id, body.name)))

    async def delete(self, bridge_id: int) -> Response:
        """Turn it away; what prints goes on printing."""
        await self._bridges.get(caller(), bridge_id)  # 404 comes before 403
        await self._people.require_fresh(caller())
        await self._bridges.revoke(caller(), bridge_id)
        return Response(status=204)

    async def survivor(self, bridge_id: int) -> Response:
        """Of two machines with one identity, which one stays."""
        await self._bridges.get(caller(), bridge_id)  # 404 comes before 422
        other = (await json_body(SurvivorBody)).machine == "other"
        bridge = await self._bridges.choose_survivor(caller(), bridge_id, other=other)
        return json_answer(self._view(bridge))

    def _view(self, bridge: Bridge) -> dict[str, Any]:
        return {
            "id": bridge.id,
            "bridge_id": bridge.uid,
            "name": bridge.name,
            "online": self._bridges.online(bridge.id),
            "fingerprint": fingerprint(bridge.public_key),
            "agent_version": bridge.agent_version,
            "os": bridge.os,
            "cloned": bool(bridge.quarantined_boot),
            "ports": len(bridge.ports),
            "desired_version": bridge.desired_version,
            "reported_version": bridge.reported_version,
            "created_at": iso(bridge.created_at),
            "connected_at": iso(bridge.connected_at),
            "last_seen_at": iso(bridge.last_seen_at),
        }
