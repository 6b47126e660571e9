"""The store room as reports count it: names, totals, and what is written out as CSV."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import F, Q, Subquery
from tortoise.functions import Sum

from api.principal import Principal
from api.spools.forms import SpoolStatus
from api.spools.models import Filament, Spool, SpoolUse


@dataclass(frozen=True, slots=True)
class Tally:
    """Spools that are not archived, and those of them with less left than their threshold."""

    total: int
    low: int


async def tally(organization_id: int) -> Tally:
    """How many spools an organization has; for who may read its reports."""
    rows = Spool.filter(organization_id=organization_id).exclude(status=SpoolStatus.ARCHIVED)
    low = rows.filter(remaining_weight_g__lt=F("low_threshold_g"))
    return Tally(await rows.count(), await low.count())


async def named(by: Principal, words: str, limit: int) -> Sequence[tuple[Spool, Filament]]:
    """Spools with *words*, literally and in any case, in their label or in the brand, name or
    material of their filament; archived ones are left out.
    """
    by.require("spools.read")
    kinds = Filament.filter(organization_id=by.organization_id).filter(
        Q(brand__icontains=words) | Q(name__icontains=words) | Q(material__icontains=words)
    )
    rows = Spool.filter(organization_id=by.organization_id).exclude(status=SpoolStatus.ARCHIVED)
    rows = rows.filter(
        Q(qr_code__icontains=words) | Q(filament_id__in=Subquery(kinds.values("id")))
    )
    found = await rows.order_by("id").limit(limit)
    filaments = await _filaments(found)
    return [(row, filaments[row.filament_id]) for row in found if row.filament_id in filaments]


async def spools_after(
    organization_id: int, last_id: int, limit: int
) -> Sequence[tuple[Spool, Filament | None]]:
    """The next spools by number with their filament, for who may write them out."""
    rows = Spool.filter(organization_id=organization_id, id__gt=last_id).order_by("id")
    found = await rows.limit(limit)
    filaments = await _filaments(found)
    return [(row, filaments.get(row.filament_id)) for row in found]


async def uses_after(
    organization_id: int, last_id: int, limit: int
) -> Sequence[tuple[SpoolUse, Spool | None, Filament | None]]:
    """What was taken from spools, the next uses by number, for who may write them out."""
    rows = SpoolUse.filter(organization_id=organization_id, id__gt=last_id).order_by("id")
    uses = await rows.limit(limit)
    numbers = sorted({use.spool_id for use in uses})
    spools = {row.id: row for row in await Spool.filter(id__in=numbers)} if numbers else {}
    filaments = await _filaments([*spools.values()])
    found = []
    for use in uses:
        spool = spools.get(use.spool_id)
        found.append((use, spool, filaments.get(spool.filament_id) if spool else None))
    return found


async def grams_by_job(
    organization_id: int, since: datetime, until: datetime
) -> Mapping[int, float]:
    """What jobs took from spools in between, by job; for who may read the reports."""
    rows = SpoolUse.filter(
        organization_id=organization_id,
        used_at__gte=since,
        used_at__lt=until,
        job_id__not_isnull=True,
    )
    summed = rows.annotate(grams=Sum("weight_used_g")).group_by("job_id")
    found = await summed.values("job_id", "grams")
    return {int(row["job_id"]): float(row["grams"]) for row in found}


async def _filaments(rows: Sequence[Spool]) -> Mapping[int, Filament]:
    if not rows:
        return {}
    ids = {row.filament_id for row in rows}
    return {one.id: one for one in await Filament.filter(id__in=sorted(ids))}


@dataclass(frozen=True, slots=True)
class Taken:
    """Grams that were taken from a spool."""

    spool_id: int
    grams: float


async def taken_by(organization_id: int, sources: Collection[str]) -> Mapping[str, Sequence[Taken]]:
    """What was taken for each of these prints (``<print>.<attempt>``), by print; those for which
    nothing was taken are left out. For who may look at the prints.
    """
    rows = SpoolUse.filter(organization_id=organization_id, source__in=sorted(set(sources)))
    found: dict[str, list[Taken]] = {}
    for use in await rows.order_by("id") if sources else ():
        found.setdefault(use.source or "", []).append(Taken(use.spool_id, use.weight_used_g))
    return found
