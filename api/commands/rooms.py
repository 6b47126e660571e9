"""What commands need of the bridges, and how a command that a room began by itself gets its row."""

from datetime import datetime
from typing import Any, Protocol

from api.commands.models import Command
from api.events.service import Change
from api.printers.service import Printer
from schemas.commands import CommandState, Verb


class Row(Protocol):
    """Something with a row id."""

    @property
    def id(self) -> int:
        """The row id."""


class BridgeRoom(Protocol):
    """What commands need of the bridges."""

    def online(self, bridge_id: int) -> bool:
        """Whether the room is reachable, a short absence forgiven."""

    async def next_command_seq(self, change: Change, bridge_id: int) -> int:
        """The next number in the room's order of commands."""


async def keep_lone_start(
    printer: Printer, bridge_id: int, command_id: str, *, seq: int, args: Any, at: datetime
) -> Command:
    """The row of a start that the room of *printer* made by itself; its facts move it."""
    return await Command.create(
        id=command_id,
        organization_id=printer.organization_id,
        printer_id=printer.id,
        bridge_id=bridge_id,
        seq=seq,
        verb=Verb.START,
        args=args,
        grant=args["grant"],
        actor="its room, alone",
        state=CommandState.DELIVERED,
        created_at=at,
    )
