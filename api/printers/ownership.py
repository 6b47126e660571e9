"""Whose a printer is: given to another organization, by a superadmin (v1 contract, 2.2).

It arrives as a new one would: nothing of those who had it goes along. Its keys die, its queue
becomes unassigned, its spools are taken off, its tree of files is empty; history stays behind.
"""

from typing import Protocol

from api.errors import Conflict, NotFound
from api.events.service import Change, Ledger
from api.principal import Principal
from api.printers.checks import check_quiet
from api.printers.drafts import tell
from api.printers.models import Printer
from api.printers.places import check_free
from api.printers.service import Printers


class OrganizationRoom(Protocol):
    """What this needs of the accounts."""

    async def organization(self, by: Principal, organization_id: int) -> object:
        """One of them. Raises `NotFound`."""


class TreeRoom(Protocol):
    """What this needs of the files."""

    async def forget_printer(self, change: Change, printer_id: int) -> None:
        """The printer's tree is empty."""


class Ownership:
    """Who has which printer."""

    def __init__(
        self,
        printers: Printers,
        organizations: OrganizationRoom,
        files: TreeRoom,
        ledger: Ledger,
    ) -> None:
        self._printers = printers
        self._organizations = organizations
        self._files = files
        self._ledger = ledger

    async def give(self, by: Principal, organization_id: int, printer_id: int) -> Printer:
        """The printer belongs to the organization from now on; safe to say twice.

        Raises `NotFound`, `Conflict` (it prints, or hangs on a room of another organization) or
        `Invalid` (name_taken).
        """
        by.require("organizations.all")
        await self._organizations.organization(by, organization_id)
        if await self._printers.find(printer_id) is None:
            raise NotFound(f"There is no printer {printer_id}.", code="printer_not_found")
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            before = row.organization_id
            if before == organization_id:
                return row
            check_quiet(row)
            _check_loose(row)
            row.organization_id = organization_id
            await check_free(row)
            for hook in self._printers.delete_hooks:
                await hook(change, printer_id)
            await self._files.forget_printer(change, printer_id)
            row.slots, row.selected_file, row.shared = [], None, False
            row.profile_id = None  # a profile is its organization's; the values stay
            await self._printers.save(
                change, row, *("organization_id", "slots", "selected_file", "shared", "profile_id")
            )
            tell(change, by, row, "printer.given", before=before, organization=organization_id)
            await self._printers.announce(change, row, structure=True, desired=False)
        return row


def _check_loose(row: Printer) -> None:
    if row.bridge_id is not None:
        raise Conflict(
            f"{row.name} hangs on a bridge of its organization. Pair the room with the other "
            "organization and make the printer there, or delete it here first."
        )
