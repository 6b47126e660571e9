"""The filament library of an organization (v1 contract, 2.6)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tortoise.expressions import Q
from tortoise.functions import Avg
from tortoise.queryset import QuerySet

from api.clock import Clock
from api.errors import Conflict, NotFound
from api.events.service import Change, Happened, Ledger
from api.principal import Principal
from api.spools.forms import NewFilament
from api.spools.models import Filament, Spool


class Filaments:
    """Kinds of filament."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def list(
        self, by: Principal, brand: str | None, material: str | None, skip: int, limit: int
    ) -> tuple[Sequence[Filament], int]:
        """(a page by brand and name, how many there are)."""
        by.require("spools.read")
        rows = _theirs(by)
        if brand is not None:
            rows = rows.filter(brand__iexact=brand)
        if material is not None:
            rows = of_material(rows, material)
        page = rows.order_by("brand", "name", "id").offset(skip).limit(limit)
        return await page, await rows.count()

    async def get(self, by: Principal, filament_id: int) -> Filament:
        """One filament. Raises `NotFound`."""
        by.require("spools.read")
        return await self._one(by, filament_id)

    async def create(self, by: Principal, new: NewFilament) -> Filament:
        """A new kind of filament."""
        by.require("spools.write")
        now = self._clock.now()
        row = Filament(
            organization_id=by.organization_id,
            brand=new.brand,
            name=new.name,
            material=new.material,
            color_hex=new.color_hex,
            cost_per_gram=new.cost_per_gram,
            created_at=now,
            updated_at=now,
        )
        async with self._ledger.change() as change:
            await row.save()
            _tell(change, by, row, "filament.created")
        return row

    async def update(self, by: Principal, filament_id: int, values: Mapping[str, Any]) -> Filament:
        """Change what *values* name. Raises `NotFound`."""
        by.require("spools.write")
        async with self._ledger.change() as change:
            row = await self._one(by, filament_id)
            row.update_from_dict(dict(values))
            row.updated_at = self._clock.now()
            await row.save()
            _tell(change, by, row, "filament.updated", fields=sorted(values))
        return row

    async def delete(self, by: Principal, filament_id: int) -> None:
        """Gone. Raises `Conflict` ``filament_in_use`` while there is a spool of it."""
        by.require("spools.write")
        async with self._ledger.change() as change:
            row = await self._one(by, filament_id)
            if await Spool.filter(filament_id=row.id).exists():
                raise Conflict(
                    f"There are spools of {row.brand} {row.name}.",
                    code="filament_in_use",
                )
            await row.delete()
            _tell(change, by, row, "filament.deleted")

    async def cost_per_gram(self, organization_id: int, material: str) -> float | None:
        """Money a gram of *material*, the mean of what has a price; None: nothing has."""
        rows = of_material(Filament.filter(organization_id=organization_id), material)
        priced = rows.filter(cost_per_gram__not_isnull=True)
        [found] = await priced.annotate(mean=Avg("cost_per_gram")).values("mean")
        return None if found["mean"] is None else float(found["mean"])

    async def kinds(self, organization_id: int) -> frozenset[tuple[str, str]]:
        """(material, colour) of everything in a library, as `spelled`. For the farm itself."""
        rows = Filament.filter(organization_id=organization_id)
        found = await rows.distinct().values_list("material", "color_hex")
        return frozenset(spelled(material, color_hex) for material, color_hex in found)

    async def of(self, spools: Collection[Spool]) -> Mapping[int, Filament]:
        """The filaments of these spools by number; the caller has been let see the spools."""
        wanted = {spool.filament_id for spool in spools}
        return {row.id: row for row in await Filament.filter(id__in=sorted(wanted))}

    @staticmethod
    async def _one(by: Principal, filament_id: int) -> Filament:
        row = await _theirs(by).filter(id=filament_id).first()
        if row is None:
            raise NotFound(f"There is no filament {filament_id}.", code="filament_not_found")
        return row


def of_material(rows: QuerySet[Filament], material: str) -> QuerySet[Filament]:
    """Those of *rows* that are of *material*, in any case, ``_`` and ``-`` alike."""
    spellings = {material, material.replace("_", "-"), material.replace("-", "_")}
    return rows.filter(Q(*(Q(material__iexact=each) for each in spellings), join_type="OR"))


def spelled(material: str, color_hex: str | None) -> tuple[str, str]:
    """A material and a colour in one spelling."""
    kind = material.strip().upper().replace("-", "_")
    return kind, (color_hex or "").strip().casefold().removeprefix("#")


def _theirs(by: Principal) -> QuerySet[Filament]:
    return Filament.filter(organization_id=by.organization_id)


def _tell(change: Change, by: Principal, row: Filament, kind: str, **data: Any) -> None:
    facts = {"filament_id": row.id, "brand": row.brand, "name": row.name, **data}
    change.record(Happened(row.organization_id, kind, user_id=by.user_id, data=facts))
    change.note(by, kind, ("filament", row.id), brand=row.brand, name=row.name, **data)
