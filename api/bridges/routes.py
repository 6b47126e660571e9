"""The v1 routes of bridges: who is in the farm, what hangs on them, and turning one away."""

from typing import Any

import msgspec
from quart import Response

from api.bridges.keys import fingerprint
from api.bridges.service import Bridge, Bridges
from api.clock import iso
from api.http import json_answer, paging
from api.v1 import V1, caller


class BridgeRoutes:
    """`/bridges` and what is below it."""

    def __init__(self, bridges: Bridges) -> None:
        self._bridges = bridges

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/bridges", self.list)
        v1.add("GET", "/bridges/<int:bridge_id>", self.get)
        v1.add("GET", "/bridges/<int:bridge_id>/ports", self.ports)
        v1.add("DELETE", "/bridges/<int:bridge_id>", self.delete)

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
        ports = await self._bridges.ports(caller(), bridge_id)
        return json_answer(msgspec.json.encode(ports))

    async def delete(self, bridge_id: int) -> Response:
        """Turn it away; what prints goes on printing."""
        await self._bridges.revoke(caller(), bridge_id)
        return Response(status=204)

    def _view(self, bridge: Bridge) -> dict[str, Any]:
        return {
            "id": bridge.id,
            "bridge_id": bridge.uid,
            "name": bridge.name,
            "online": self._bridges.online(bridge.id),
            "fingerprint": fingerprint(bridge.public_key),
            "agent_version": bridge.agent_version,
            "os": bridge.os,
            "ports": len(bridge.ports),
            "desired_version": bridge.desired_version,
            "reported_version": bridge.reported_version,
            "created_at": iso(bridge.created_at),
            "connected_at": iso(bridge.connected_at),
            "last_seen_at": iso(bridge.last_seen_at),
        }
