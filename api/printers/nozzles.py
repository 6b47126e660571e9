"""Nozzles: which one is in a printer, since when, and how long each has printed (v1 2.3).

How wide it is the printer's profile says, which is what the queue compares with a file. Whoever
installs a nozzle changes the profile in the same transaction, so there is no second truth.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from tortoise.queryset import QuerySet

from api.errors import NotFound
from api.events.service import Change, Ledger
from api.principal import Principal
from api.printers import forms
from api.printers.checks import check_quiet
from api.printers.drafts import tell
from api.printers.models import Nozzle, Printer

__all__ = ["Nozzle", "Nozzles"]

_TYPE = "nozzle_type"  # among a printer's details


class Rows(Protocol):
    """What this needs of the printers."""

    def now(self) -> datetime:
        """The farm's time."""

    async def get(self, by: Principal, printer_id: int) -> Printer:
        """One printer. Raises `NotFound`."""

    async def locked(self, change: Change, printer_id: int) -> Printer:
        """The row as this transaction sees it. Raises `NotFound`."""

    async def save(self, change: Change, row: Printer, *names: str) -> None:
        """Write these columns, and tell who holds the row in memory."""

    async def announce(
        self, change: Change, row: Printer, *, structure: bool, desired: bool
    ) -> None:
        """Tell who keeps the set of printers, and its bridge."""


class Nozzles:
    """The nozzles of the printers."""

    def __init__(self, printers: Rows, ledger: Ledger) -> None:
        self._printers = printers
        self._ledger = ledger

    async def current(self, by: Principal, printer_id: int) -> tuple[Printer, Nozzle | None]:
        """A printer and the nozzle that somebody installed in it; None: nobody said so."""
        by.require("printers.read")
        printer = await self._printers.get(by, printer_id)
        return printer, await _installed(printer.id).first()

    async def history(self, by: Principal, printer_id: int) -> tuple[Printer, Sequence[Nozzle]]:
        """A printer and all its nozzles, the newest first."""
        by.require("printers.read")
        printer = await self._printers.get(by, printer_id)
        return printer, await Nozzle.filter(printer_id=printer.id).order_by("-id")

    async def install(
        self,
        by: Principal,
        printer_id: int,
        nozzle_type: str | None,
        diameter_mm: float | None,
        notes: str | None,
    ) -> tuple[Printer, Nozzle]:
        """Another nozzle is in; the one that was is retired. None: as the one before.

        Raises `Conflict` ``printer_busy`` during a print, `Invalid` when the printer follows a
        shared profile that says another width.
        """
        by.require("printers.control")
        await self._printers.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            check_quiet(row)
            await self._retire_all(row)
            await self._fit(change, row, nozzle_type, diameter_mm)
            nozzle = await Nozzle.create(
                organization_id=row.organization_id,
                printer_id=row.id,
                nozzle_type=row.details.get(_TYPE),
                nozzle_diameter=row.profile["nozzle_mm"],
                notes=notes,
                installed_at=self._printers.now(),
                installed_print_seconds=row.print_seconds,
            )
            facts = {_TYPE: nozzle.nozzle_type, "nozzle_diameter": nozzle.nozzle_diameter}
            tell(change, by, row, "printer.nozzle_installed", nozzle_id=nozzle.id, **facts)
        return row, nozzle

    async def retire(
        self, by: Principal, printer_id: int, nozzle_id: int
    ) -> tuple[Printer, Nozzle]:
        """It is out; said twice it is once. Raises `NotFound`, or `Conflict` during a print."""
        by.require("printers.control")
        await self._printers.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            nozzle = await Nozzle.filter(id=nozzle_id, printer_id=row.id).first()
            if nozzle is None:
                raise NotFound(f"{row.name} never had a nozzle {nozzle_id}.", nozzle_id=nozzle_id)
            if nozzle.retired_at is None:
                check_quiet(row)
                await self._retire(row, nozzle)
                tell(change, by, row, "printer.nozzle_retired", nozzle_id=nozzle.id)
        return row, nozzle

    async def _fit(
        self, change: Change, row: Printer, nozzle_type: str | None, diameter_mm: float | None
    ) -> None:
        """The printer is what it is with this nozzle."""
        if nozzle_type is not None:
            row.details = {**row.details, _TYPE: nozzle_type}
        is_other = diameter_mm is not None and diameter_mm != row.profile["nozzle_mm"]
        if is_other and row.profile_id is not None:
            raise forms.refuse(
                "nozzle_diameter",
                f"the printer profile says {row.profile['nozzle_mm']:g} mm; change that, or let "
                "this printer have its own (profile_id: null)",
            )
        if is_other:
            row.profile = {**row.profile, "nozzle_mm": diameter_mm}
        await self._printers.save(change, row, "details", "profile")
        await self._printers.announce(change, row, structure=False, desired=is_other)

    async def _retire_all(self, row: Printer) -> None:
        for nozzle in await _installed(row.id):
            await self._retire(row, nozzle)

    async def _retire(self, row: Printer, nozzle: Nozzle) -> None:
        nozzle.nozzle_diameter = row.profile["nozzle_mm"]
        nozzle.nozzle_type = row.details.get(_TYPE)
        nozzle.retired_at = self._printers.now()
        nozzle.retired_print_seconds = row.print_seconds
        await nozzle.save()


def _installed(printer_id: int) -> QuerySet[Nozzle]:
    return Nozzle.filter(printer_id=printer_id, retired_at=None)
