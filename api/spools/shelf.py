"""The shelf of spools: many at once, and how they were dried (v1 contract, 2.6)."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.clock import Clock
from api.errors import NotFound
from api.events.rehearsal import would
from api.events.service import Change, Ledger
from api.principal import Principal
from api.spools.forms import ShelfAction, SpoolStatus
from api.spools.models import Drying, Filament, Spool
from api.spools.service import Spools
from api.spools.told import tell

__all__ = ["Drying", "NewDrying", "Shelf", "Stock"]

MAX_DRYINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDrying:
    """A spool was dried: hours, °C."""

    duration_hours: float
    temp_c: float | None
    method: str
    notes: str | None


@dataclass(frozen=True, slots=True)
class Stock:
    """A kind of filament, and the spools of it that are not archived; grams."""

    filament: Filament
    spools: int
    remaining_g: float


class Shelf:
    """Spools in the store room."""

    def __init__(self, spools: Spools, ledger: Ledger, clock: Clock) -> None:
        self._spools = spools
        self._ledger = ledger
        self._clock = clock

    async def bulk(self, by: Principal, spool_ids: Sequence[int], action: ShelfAction) -> int:
        """Do *action* to all of these or to none; how many. What is archived or deleted hangs in no
        printer any more; what was taken from it stays. Raises `NotFound`.
        """
        by.require("spools.write")
        async with self._ledger.change() as change:
            rows = await _theirs(by, [*dict.fromkeys(spool_ids)])
            for row in rows:
                await self._act(change, by, row, action)
            would(f"{action}_spools", spool_ids=[row.id for row in rows])
        return len(rows)

    async def _act(self, change: Change, by: Principal, row: Spool, action: ShelfAction) -> None:
        if action is ShelfAction.ACTIVATE:
            row.status = SpoolStatus.ACTIVE if row.remaining_weight_g > 0 else SpoolStatus.EMPTY
            await self._spools.save(change, row, row.remaining_weight_g)
            tell(change, by, row, "spool.updated", fields=["status"])
            return
        await self._spools.take_out(change, by, row)
        if action is ShelfAction.DELETE:
            tell(change, by, row, "spool.deleted")
            await row.delete()
            return
        row.status = SpoolStatus.ARCHIVED
        await self._spools.save(change, row, row.remaining_weight_g)
        tell(change, by, row, "spool.updated", fields=["status"])

    async def dry(self, by: Principal, spool_id: int, new: NewDrying) -> Drying:
        """It was dried. Raises `NotFound`."""
        by.require("spools.write")
        async with self._ledger.change() as change:
            [spool] = await _theirs(by, [spool_id])
            row = await Drying.create(
                organization_id=by.organization_id,
                spool_id=spool.id,
                duration_hours=new.duration_hours,
                temp_c=new.temp_c,
                method=new.method,
                notes=new.notes,
                user_id=by.user_id,
                dried_at=self._clock.now(),
            )
            facts = {"hours": new.duration_hours, "temp_c": new.temp_c, "method": new.method}
            tell(change, by, spool, "spool.dried", **facts)
        return row

    async def dryings(self, by: Principal, spool_id: int) -> Sequence[Drying]:
        """How it was dried, the newest first; 100 at most. Raises `NotFound`."""
        spool = await self._spools.get(by, spool_id)
        return await Drying.filter(spool_id=spool.id).order_by("-id").limit(MAX_DRYINGS)

    async def stock(self, by: Principal, skip: int, limit: int) -> tuple[Sequence[Stock], int]:
        """(a page of the library with what there is of each kind, how many kinds there are)."""
        kinds, total = await self._spools.filaments.list(by, None, None, skip, limit)
        spools = Spool.filter(filament_id__in=[kind.id for kind in kinds])
        left: dict[int, list[float]] = {kind.id: [] for kind in kinds}
        for row in await spools.exclude(status=SpoolStatus.ARCHIVED) if kinds else ():
            left[row.filament_id].append(row.remaining_weight_g)
        found = [Stock(kind, len(left[kind.id]), sum(left[kind.id])) for kind in kinds]
        return found, total


async def _theirs(by: Principal, spool_ids: Sequence[int]) -> Sequence[Spool]:
    """These spools. Raises `NotFound` for the first that is not the caller's."""
    rows = Spool.filter(organization_id=by.organization_id, id__in=spool_ids)
    found = {row.id: row for row in await rows}
    for spool_id in spool_ids:
        if spool_id not in found:
            detail = f"There is no spool {spool_id}."
            raise NotFound(detail, code="spool_not_found", spool_id=spool_id)
    return [found[spool_id] for spool_id in spool_ids]
