"""What a room says of itself when it greets, as columns; and which rooms can do what."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from api.bridges.models import Bridge
from schemas import leases, plugs
from schemas.link import Hello


def columns(hello: Hello) -> Mapping[str, Any]:
    """The columns of `Bridge` that *hello* tells."""
    return {
        "agent_version": hello.agent_version[:32],
        "os": hello.os[:100],
        "ports": msgspec.to_builtins(hello.ports),
        "takes_leases": leases.CAPABILITY in hello.capabilities,
        "keeps_hours": leases.HOURS_CAPABILITY in hello.capabilities,
        "reaches_plugs": plugs.CAPABILITY in hello.capabilities,
    }


async def borrowers() -> Mapping[int, str]:
    """The rooms that take leases, and the journals with which they answer for them."""
    rows = Bridge.filter(takes_leases=True, revoked_at=None).exclude(fact_journal="")
    return dict(await rows.values_list("id", "fact_journal"))


async def timekeepers() -> Collection[int]:
    """The rooms whose agents keep to the hours of a lease."""
    return {row.id for row in await Bridge.filter(keeps_hours=True).only("id")}


async def reaches_plugs(bridge_id: int) -> bool:
    """Whether the agent of this room speaks to plugs (`schemas.plugs`)."""
    return await Bridge.filter(id=bridge_id, reaches_plugs=True).exists()
