"""Consumables: what products need beside prints, and how much of it is there (v1 contract, 2.9).

A stock moves when somebody restocks or takes from it, and when an order is scheduled: in the
transaction that queues its jobs, once for every piece that was ordered. Every move is a row. A
stock never falls below nothing: what was missing is told, not owed.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tortoise.expressions import F
from tortoise.queryset import QuerySet

from api.clock import Clock
from api.errors import NotFound
from api.events.service import Change, Happened, Ledger
from api.orders.forms import Movement, NewMove
from api.orders.models import Consumable, ConsumableMove, OrderItem, ProductConsumable
from api.principal import Principal

LOW = "inventory.consumable_low"
SHOWN_MOVES = 50  # of one consumable, the newest
_DIGITS = 6  # of a stock: sums of decimal fractions stay what people typed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cause:
    """Why a stock moves."""

    user_id: int | None
    notes: str | None = None
    order_id: int | None = None
    job_id: int | None = None


class Consumables:
    """The consumables of the farm."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    # Reading.

    async def list(
        self, by: Principal, skip: int, limit: int, *, status: str | None = None, low: bool = False
    ) -> tuple[Sequence[Consumable], int]:
        """(a page by name, how many there are). *low*: active ones below their `min_stock`."""
        by.require("orders.read")
        rows = _theirs(by)
        if status is not None:
            rows = rows.filter(status=status)
        if low:
            rows = rows.filter(status="active", current_stock__lt=F("min_stock"))
        return await rows.order_by("name", "id").offset(skip).limit(limit), await rows.count()

    async def get(self, by: Principal, consumable_id: int) -> Consumable:
        """One consumable. Raises `NotFound`."""
        by.require("orders.read")
        return await _one(by, consumable_id)

    async def moves(self, row: Consumable) -> Sequence[ConsumableMove]:
        """The latest moves of its stock, the newest first; the caller has been let see it."""
        return await ConsumableMove.filter(consumable_id=row.id).order_by("-id").limit(SHOWN_MOVES)

    async def of_products(
        self, product_ids: Collection[int]
    ) -> Mapping[int, Sequence[tuple[ProductConsumable, Consumable]]]:
        """What goes into each of these products; the caller has been let see them."""
        found: dict[int, list[tuple[ProductConsumable, Consumable]]] = {p: [] for p in product_ids}
        if not product_ids:
            return found
        links = await ProductConsumable.filter(product_id__in=[*product_ids]).order_by("id")
        rows = await Consumable.filter(id__in={link.consumable_id for link in links})
        named = {row.id: row for row in rows}
        for link in links:
            found[link.product_id].append((link, named[link.consumable_id]))
        return found

    # Making and changing.

    async def create(self, by: Principal, values: Mapping[str, Any]) -> Consumable:
        """A new one, with the stock that *values* say."""
        by.require("orders.write")
        now = self._clock.now()
        async with self._ledger.change() as change:
            row = await Consumable.create(
                organization_id=by.organization_id, created_at=now, updated_at=now, **values
            )
            if row.current_stock:
                cause = _Cause(user_id=by.user_id, notes="what was there at first")
                await self._keep(row, row.current_stock, cause)
            _note(change, by, row, "consumable.created")
        return row

    async def update(
        self, by: Principal, consumable_id: int, values: Mapping[str, Any]
    ) -> Consumable:
        """Change what *values* name; a stock that was counted anew is a move. Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await _one(by, consumable_id)
            was_low, before = row.is_low, row.current_stock
            row.update_from_dict({**values, "updated_at": self._clock.now()})
            await row.save()
            if row.current_stock != before:
                cause = _Cause(user_id=by.user_id, notes="counted anew")
                await self._keep(row, round(row.current_stock - before, _DIGITS), cause)
            _tell_if_low(change, row, was_low)
            _note(change, by, row, "consumable.updated", fields=sorted(values))
        return row

    async def delete(self, by: Principal, consumable_id: int) -> None:
        """Gone, from the products that need it too; its moves stay. Raises `NotFound`."""
        by.require("orders.admin")
        async with self._ledger.change() as change:
            row = await _one(by, consumable_id)
            row.deleted_at = self._clock.now()
            await row.save(update_fields=["deleted_at"])
            await ProductConsumable.filter(consumable_id=row.id).delete()
            _note(change, by, row, "consumable.deleted")

    async def adjust(
        self, by: Principal, consumable_id: int, new: NewMove
    ) -> tuple[Consumable, ConsumableMove]:
        """(the consumable, how its stock moved). Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await _one(by, consumable_id)
            wanted = new.quantity if new.type is Movement.RESTOCK else -new.quantity
            cause = _Cause(user_id=by.user_id, notes=new.notes)
            move = await self._move(change, row, wanted, cause)
            facts = {"type": new.type, "quantity": new.quantity, "current_stock": row.current_stock}
            _note(change, by, row, "consumable.adjusted", **facts)
        return row, move

    # Orders.

    async def supply(
        self, change: Change, items: Sequence[OrderItem], user_id: int | None, job_id: int | None
    ) -> Sequence[ConsumableMove]:
        """Take what the pieces of *items* need that nothing was taken for yet, with *change*.

        *job_id*: the first of the jobs that are queued with it.
        """
        links = await self.of_products({item.product_id for item in items})
        moves = []
        for item in items:
            pieces, item.supplied = item.quantity - item.supplied, item.quantity
            if pieces <= 0:
                continue
            for link, found in links[item.product_id]:
                row = await Consumable.get(id=found.id)  # an item before may have taken some
                cause = _Cause(user_id=user_id, order_id=item.order_id, job_id=job_id)
                moves.append(
                    await self._move(change, row, -pieces * link.quantity_per_product, cause)
                )
            await item.save(update_fields=["supplied"])
        return moves

    async def moved_with(self, job_ids: Collection[int]) -> Sequence[ConsumableMove]:
        """What was taken when these jobs were queued; the caller has been let see them."""
        return await ConsumableMove.filter(job_id__in=[*job_ids]).order_by("id") if job_ids else []

    async def named(self, consumable_ids: Collection[int]) -> Mapping[int, Consumable]:
        """These by number, deleted ones too; the caller has been let see them."""
        rows = await Consumable.filter(id__in=[*consumable_ids]) if consumable_ids else []
        return {row.id: row for row in rows}

    async def _move(
        self, change: Change, row: Consumable, wanted: float, cause: _Cause
    ) -> ConsumableMove:
        """Move the stock by *wanted*, not below nothing."""
        was_low, before = row.is_low, row.current_stock
        row.current_stock = max(0.0, round(before + wanted, _DIGITS))
        row.updated_at = self._clock.now()
        await row.save(update_fields=["current_stock", "updated_at"])
        _tell_if_low(change, row, was_low)
        moved = round(row.current_stock - before, _DIGITS)
        return await self._keep(row, moved, cause, missing=round(moved - wanted, _DIGITS))

    async def _keep(
        self, row: Consumable, quantity: float, cause: _Cause, missing: float = 0.0
    ) -> ConsumableMove:
        return await ConsumableMove.create(
            organization_id=row.organization_id,
            consumable_id=row.id,
            quantity=quantity,
            missing=missing,
            order_id=cause.order_id,
            job_id=cause.job_id,
            user_id=cause.user_id,
            notes=cause.notes,
            at=self._clock.now(),
        )


def _theirs(by: Principal) -> QuerySet[Consumable]:
    return Consumable.filter(organization_id=by.organization_id, deleted_at=None)


async def _one(by: Principal, consumable_id: int) -> Consumable:
    row = await _theirs(by).filter(id=consumable_id).first()
    if row is None:
        raise NotFound(
            f"There is no consumable {consumable_id}.",
            code="consumable_not_found",
            consumable_id=consumable_id,
        )
    return row


def _tell_if_low(change: Change, row: Consumable, was_low: bool) -> None:
    if not was_low and row.is_low:
        facts = {"consumable_id": row.id, "name": row.name, "unit": row.unit}
        stock = {"current_stock": row.current_stock, "min_stock": row.min_stock}
        change.record(Happened(row.organization_id, LOW, data=facts | stock))


def _note(change: Change, by: Principal, row: Consumable, kind: str, **data: Any) -> None:
    facts = {"consumable_id": row.id, "name": row.name, **data}
    change.record(Happened(row.organization_id, kind, user_id=by.user_id, data=facts))
    change.note(by, kind, ("consumable", row.id), name=row.name, **data)
