"""Spools: what there is, where it is loaded, what has been used (v1 contract, 2.6).

The weight that is left changes in one transaction with the row that says why, and with the slot
of the printer that shows it. A print takes its filament when it is done, once, in the transaction
in which its end is recorded (`Spools.follow`).
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from tortoise.expressions import F, Subquery
from tortoise.queryset import QuerySet

from api.clock import Clock
from api.errors import Conflict, NotFound
from api.events.rehearsal import would
from api.events.service import Change, Happened, Ledger
from api.files.service import Files
from api.jobs.service import Jobs
from api.models_library.service import Library
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.printers.slots import spools_in
from api.spools.consumption import grams_by_slot, spools_for
from api.spools.filaments import Filaments, of_material
from api.spools.forms import EMPTY_BELOW_G, NewSpool, SpoolFilter, SpoolStatus, Use
from api.spools.models import Filament, Spool, SpoolUse
from api.spools.told import happened, running_out, shown_in_slot, status_at, tell

__all__ = ["Filament", "NewSpool", "Spool", "SpoolUse", "Spools"]

_LABEL = re.compile(r"[ -~]{1,16}")
MAX_HISTORY = 100
_DONE = ("job.completed", "job.printed_one")
_NOTHING: dict[str, Any] = {"assigned_spool_id": None, "remaining": None, "spool_confirmed": None}


class Spools:
    """The spools of the farm."""

    def __init__(
        self,
        printers: Printers,
        jobs: Jobs,
        library: Library,
        files: Files,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._printers = printers
        self._jobs = jobs
        self._library = library
        self._files = files
        self._ledger = ledger
        self._clock = clock
        self.filaments = Filaments(ledger, clock)
        printers.when_deleted(self._printer_gone)
        ledger.follow(self.follow)

    # Reading.

    async def list(
        self, by: Principal, which: SpoolFilter, skip: int, limit: int
    ) -> tuple[Sequence[Spool], int]:
        """(a page, oldest first, how many there are)."""
        by.require("spools.read")
        other = which.organization_id if by.is_superadmin else None
        rows = _chosen(Spool.filter(organization_id=other or by.organization_id), which)
        return await rows.order_by("id").offset(skip).limit(limit), await rows.count()

    async def get(self, by: Principal, spool_id: int) -> Spool:
        """One spool. Raises `NotFound`."""
        by.require("spools.read")
        return await _one(by, spool_id)

    async def by_code(self, by: Principal, qr_code: str) -> Spool:
        """The spool with this label. Raises `NotFound`."""
        by.require("spools.read")
        row = None
        if _LABEL.fullmatch(qr_code):  # else no label holds it, and no query takes it
            rows = Spool.filter(organization_id=by.organization_id, qr_code=qr_code)
            row = await rows.first()
        if row is None:
            raise NotFound("There is no spool with this code.", code="spool_not_found")
        return row

    async def history(self, spool: Spool) -> Sequence[SpoolUse]:
        """What was taken from *spool*, the newest first."""
        return await SpoolUse.filter(spool_id=spool.id).order_by("-id").limit(MAX_HISTORY)

    # Making and changing.

    async def create(self, by: Principal, new: NewSpool) -> Spool:
        """A full spool. Raises `NotFound` (the filament)."""
        by.require("spools.write")
        now = self._clock.now()
        async with self._ledger.change() as change:
            filament = await self.filaments.get(by, new.filament_id)
            row = await Spool.create(
                organization_id=by.organization_id,
                filament_id=filament.id,
                qr_code=f"SPL-{secrets.token_hex(4).upper()}",
                initial_weight_g=new.initial_weight_g,
                remaining_weight_g=new.initial_weight_g,
                spool_weight_g=new.spool_weight_g,
                price=new.price,
                purchase_date=new.purchase_date,
                vendor=new.vendor,
                lot_number=new.lot_number,
                storage_location=new.storage_location,
                notes=new.notes,
                low_threshold_g=new.low_threshold_g,
                created_at=now,
                updated_at=now,
            )
            tell(change, by, row, "spool.created")
        return row

    async def update(self, by: Principal, spool_id: int, values: Mapping[str, Any]) -> Spool:
        """Change what *values* name. Raises `NotFound`."""
        by.require("spools.write")
        async with self._ledger.change() as change:
            row = await _one(by, spool_id)
            before_g = row.remaining_weight_g
            row.update_from_dict(dict(values))
            if row.status == SpoolStatus.ARCHIVED:
                await self.take_out(change, by, row)
            elif "remaining_weight_g" in values and "status" not in values:
                row.status = status_at(row.remaining_weight_g)
            await self.save(change, row, before_g)
            tell(change, by, row, "spool.updated", fields=sorted(values))
        return row

    async def archive(self, by: Principal, spool_id: int) -> Spool:
        """Out of use; what was taken from it stays. Raises `NotFound`."""
        return await self.update(by, spool_id, {"status": SpoolStatus.ARCHIVED})

    # Where it is.

    async def load(
        self, by: Principal, spool_id: int, printer_id: int, slot: int
    ) -> tuple[Spool, Printer, int | None]:
        """Hang the spool into slot *slot* (from 1): (spool, printer, the spool that was there).

        Raises `NotFound` (spool, printer, slot) or `Conflict` for an archived one.
        """
        by.require("spools.use")
        await self._printers.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await _one(by, spool_id)
            if row.status == SpoolStatus.ARCHIVED:
                raise Conflict(f"Spool {row.qr_code} is archived.", spool_id=row.id)
            filament = await self.filaments.get(by, row.filament_id)
            printer = await self._printers.locked(change, printer_id)
            previous = spools_in(printer).get(slot)
            if (row.location_printer_id, row.location_slot) != (printer_id, slot):
                await self.take_out(change, by, row)
            if previous is not None and previous != row.id:
                await self.take_out(change, by, await _one(by, previous))
            row.location_printer_id, row.location_slot, row.storage_location = (
                printer_id,
                slot,
                None,
            )
            values = shown_in_slot(row, filament)
            printer = await self._printers.upkeep.fill_slot(change, by, printer_id, slot, values)
            await self.save(change, row, row.remaining_weight_g)
            tell(change, by, row, "slot.assigned", printer_id=printer_id, slot_number=slot)
            would(
                "assign_spool",
                printer_id=printer_id,
                printer_name=printer.name,
                slot_number=slot,
                new_spool_id=row.id,
                previous_spool_id=previous,
                spool_filament_type=filament.material,
            )
        return row, printer, previous

    async def unload(self, by: Principal, spool_id: int, storage_location: str | None) -> Spool:
        """Take the spool out of its printer, if it is in one. Raises `NotFound`."""
        by.require("spools.use")
        async with self._ledger.change() as change:
            row = await _one(by, spool_id)
            await self.take_out(change, by, row)
            row.storage_location = storage_location or row.storage_location
            await self.save(change, row, row.remaining_weight_g)
            tell(change, by, row, "spool.unloaded")
        return row

    async def take_out(self, change: Change, by: Principal, row: Spool) -> None:
        """Inside the caller's transaction: it hangs in no printer any more."""
        printer_id, slot = row.location_printer_id, row.location_slot
        if printer_id is None or slot is None:
            return
        row.location_printer_id = row.location_slot = None
        await row.save(update_fields=["location_printer_id", "location_slot"])
        printer = await self._printers.locked(change, printer_id)
        if spools_in(printer).get(slot) == row.id:
            await self._printers.upkeep.fill_slot(change, by, printer_id, slot, _NOTHING)

    async def _printer_gone(self, change: Change, printer_id: int) -> None:
        rows = Spool.filter(location_printer_id=printer_id)
        await rows.update(location_printer_id=None, location_slot=None)

    # What is used.

    async def use(self, by: Principal, spool_id: int, use: Use) -> Spool:
        """Take filament from the spool, down to nothing. Raises `NotFound` (spool, job)."""
        by.require("spools.use")
        if use.job_id is not None:
            await self._jobs.get(by, use.job_id)
        async with self._ledger.change() as change:
            row = await _one(by, spool_id)
            before_g = row.remaining_weight_g
            await self._consume(change, row, use, user_id=by.user_id)
            details = {"grams": use.grams, "job_id": use.job_id}
            change.note(by, "spool.used", ("spool", row.id), qr_code=row.qr_code, **details)
            would(
                "consume_spool",
                spool_id=row.id,
                grams_consumed=use.grams,
                current_remaining_g=before_g,
                new_remaining_g=row.remaining_weight_g,
                would_deplete_to_empty=row.status == SpoolStatus.EMPTY,
                would_insert_usage_row=True,
                job_id=use.job_id,
            )
        return row

    async def weigh(self, by: Principal, spool_id: int, gross_weight_g: float) -> Spool:
        """The spool with what is on it weighs *gross_weight_g*. Raises `NotFound`."""
        by.require("spools.write")
        async with self._ledger.change() as change:
            row = await _one(by, spool_id)
            left_g = round(max(0.0, gross_weight_g - row.spool_weight_g), 3)
            left_g = 0.0 if left_g <= EMPTY_BELOW_G else left_g
            use = Use(grams=round(row.remaining_weight_g - left_g, 3), notes="weighed")
            await self._consume(change, row, use, user_id=by.user_id)
            tell(change, by, row, "spool.weighed", remaining_g=left_g)
        return row

    async def _consume(
        self,
        change: Change,
        row: Spool,
        use: Use,
        *,
        user_id: int | None = None,
        source: str | None = None,
    ) -> None:
        before_g = row.remaining_weight_g
        row.remaining_weight_g = round(max(0.0, before_g - use.grams), 3)
        if row.status != SpoolStatus.ARCHIVED:
            row.status = status_at(row.remaining_weight_g)
        await SpoolUse.create(
            organization_id=row.organization_id,
            spool_id=row.id,
            weight_used_g=use.grams,
            used_at=self._clock.now(),
            job_id=use.job_id,
            user_id=user_id,
            notes=use.notes,
            source=source,
        )
        await self.save(change, row, before_g)

    async def save(self, change: Change, row: Spool, before_g: float) -> None:
        """Write the row, show it in its slot, and say so when it runs low."""
        row.updated_at = self._clock.now()
        await row.save()
        if row.remaining_weight_g == before_g:
            return
        if row.location_printer_id is not None and row.location_slot is not None:
            left = {"remaining": row.remaining_weight_g}
            place = (row.location_printer_id, row.location_slot)
            await self._printers.upkeep.fill_slot(change, None, *place, left)
        if kind := running_out(row, before_g):
            change.record(happened(row, kind, threshold=row.low_threshold_g))

    async def follow(self, change: Change, happened: Sequence[Happened]) -> None:
        """Prints that are done have used filament, in the transaction that says so."""
        for event in happened:
            if event.kind in _DONE and event.job_id is not None and event.printer_id is not None:
                await self._consume_print(change, event.job_id, event.printer_id, event.data)

    async def _consume_print(
        self, change: Change, job_id: int, printer_id: int, data: Mapping[str, Any]
    ) -> None:
        loaded = spools_in(await self._printers.locked(change, printer_id))
        source = f"{data.get('print_id')}.{data.get('attempt')}"
        for spool_id, grams in spools_for(await self._needed(job_id), loaded):
            row = await Spool.filter(id=spool_id).first()
            known = SpoolUse.filter(spool_id=spool_id, source=source)
            if row is not None and not await known.exists():
                use = Use(grams=grams, job_id=job_id)
                await self._consume(change, row, use, source=source)

    async def print_of(self, job_id: int) -> tuple[int | None, float | None]:
        """Who made a job (None: nobody), and the grams that one print of it takes (None: unknown).

        For the farm itself.
        """
        job = await self._jobs.find(job_id)
        grams = await self._needed(job_id)
        maker = None if job is None else job.created_by
        return maker, sum(grams.values()) if grams else None

    async def _needed(self, job_id: int) -> dict[int, float]:
        job = await self._jobs.find(job_id)
        if job is None:
            return {}
        model = None if job.model_id is None else await self._library.find_model(job.model_id)
        blobs = {}
        if job.blob_id is not None:
            blobs = await self._files.blobs(job.organization_id, [job.blob_id])
        facts = blobs[job.blob_id].facts if job.blob_id in blobs else {}
        requirements = model.details.get("color_requirements") if model is not None else None
        return grams_by_slot(requirements, facts)


async def _one(by: Principal, spool_id: int) -> Spool:
    row = await Spool.filter(id=spool_id, organization_id=by.organization_id).first()
    if row is None:
        raise NotFound(f"There is no spool {spool_id}.", code="spool_not_found", spool_id=spool_id)
    return row


def _chosen(rows: QuerySet[Spool], which: SpoolFilter) -> QuerySet[Spool]:
    if which.status is not None:
        rows = rows.filter(status=which.status)
    else:
        rows = rows.exclude(status=SpoolStatus.ARCHIVED)
    if which.filament_id is not None:
        rows = rows.filter(filament_id=which.filament_id)
    if which.printer_id is not None:
        rows = rows.filter(location_printer_id=which.printer_id)
    if which.material is not None:
        kinds = of_material(Filament.all(), which.material)
        rows = rows.filter(filament_id__in=Subquery(kinds.values("id")))
    if which.available:
        rows = rows.filter(location_printer_id=None, status=SpoolStatus.ACTIVE)
    return rows.filter(remaining_weight_g__lt=F("low_threshold_g")) if which.low else rows
