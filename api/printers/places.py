"""Where a printer may be: a port that its room has and nobody else, a name that is free."""

from collections.abc import Sequence
from typing import Any, Protocol

from api.errors import Conflict, Invalid
from api.events.service import Change
from api.principal import Principal
from api.printers import forms
from api.printers.checks import check_quiet
from api.printers.models import PLUG, Printer
from schemas.facts import Port as LinkPort
from schemas.printer import PrinterState


class BridgeRoom(Protocol):
    """What printers need of the bridges."""

    def online(self, bridge_id: int) -> bool:
        """Whether the room is reachable, a short absence forgiven."""

    async def ports(self, by: Principal, bridge_id: int) -> Sequence[LinkPort]:
        """The room's ports. Raises `NotFound`."""

    async def raise_desired(self, change: Change, bridge_id: int) -> object:
        """The room's desired configuration has a new version."""


def is_away(bridges: BridgeRoom, row: Printer) -> bool:
    """Whether the room of this printer cannot be reached, now or ever."""
    return row.bridge_id is not None and not bridges.online(row.bridge_id)


def check_rest(bridges: BridgeRoom, row: Printer, parsed: dict[str, Any]) -> None:
    """Raises `Conflict` ``printer_busy`` for a printer that prints, unless its room is away and it
    leaves that: what the room said last is then worth nothing, and is not kept.
    """
    leaves = "bridge_id" in parsed and is_away(bridges, row)
    check_quiet(row, is_away=leaves)
    if leaves:
        parsed["state"] = PrinterState.OFFLINE


async def check_port(
    bridges: BridgeRoom, by: Principal, bridge_id: int | None, port_id: str | None
) -> None:
    """Raises `Invalid` (the field, or ``port_not_found``) for a port that the room has not."""
    if bridge_id is None:
        if port_id is not None:
            raise forms.refuse("port_id", "this printer hangs on no bridge")
        return
    known = [port.port_id for port in await bridges.ports(by, bridge_id)]
    if port_id not in known:
        raise Invalid(
            f"The bridge has no port {port_id!r}. It lists: {', '.join(known) or 'none'}.",
            code="port_not_found",
            ports=known,
        )


async def check_move(
    bridges: BridgeRoom, by: Principal, row: Printer, wanted: dict[str, Any]
) -> None:
    """Of a printer that is to get other *wanted* values: raises as `check_port` when they name a
    port that is not there; what goes with another room goes into *wanted*.
    """
    bridge_id = wanted.get("bridge_id", row.bridge_id)
    port_id = wanted.get("port_id", row.port_id)
    if (bridge_id, port_id) == (row.bridge_id, row.port_id):
        return
    if bridge_id is not None and port_id is None:
        raise forms.refuse("port_id", "bridge_id and port_id belong together")
    await check_port(bridges, by, bridge_id, port_id)
    if bridge_id != row.bridge_id:
        wanted["api_type"] = "serial" if bridge_id is not None else None
        if row.details.get(PLUG):  # at its address another room has something else
            wanted["details"] = {**(wanted.get("details") or {}), PLUG: None}


async def check_free(row: Printer) -> None:
    """Raises `Invalid` ``name_taken`` or `Conflict` ``port_in_use`` when another one has it."""
    others = Printer.filter(deleted_at=None).exclude(id=row.id or 0)
    if await others.filter(organization_id=row.organization_id, name=row.name).exists():
        raise Invalid(f"Printer '{row.name}' already exists", code="name_taken")
    if row.port_id is None:
        return
    user = await others.filter(bridge_id=row.bridge_id, port_id=row.port_id).first()
    if user is not None:
        raise Conflict(
            f"Port {row.port_id} belongs to printer {user.name} already.",
            code="port_in_use",
            printer_id=user.id,
        )
