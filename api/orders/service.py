"""Orders: what was ordered, the jobs that make it, how far it is (v1 contract, 2.9 and 4.1).

pending -> in_progress (its jobs are queued) -> partial -> fulfilled (as jobs are completed, in the
transaction of their end) -> shipped. Cancelled, shipped and pending are what people said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from tortoise.functions import Count
from tortoise.queryset import QuerySet

from api.clock import Clock
from api.errors import Conflict, Invalid, NotFound
from api.events.service import Change, Happened, Ledger
from api.jobs.service import Jobs
from api.models_library.service import Library
from api.orders.consumables import Consumables
from api.orders.forms import (
    COMPUTED,
    Costs,
    NewItem,
    OrderFilter,
    OrderStatus,
    Progress,
    costs_of,
    progress_of,
    status_of,
    still_needed,
)
from api.orders.models import (
    Consumable,
    ConsumableMove,
    Order,
    OrderItem,
    OrderJob,
    Product,
    ProductComponent,
    ProductConsumable,
)
from api.orders.planned import SOURCE, Planned, Scheduled, new_job
from api.orders.products import Products
from api.principal import Principal

__all__ = [
    "Consumable",
    "ConsumableMove",
    "Consumables",
    "Order",
    "OrderItem",
    "OrderJob",
    "OrderView",
    "Orders",
    "Product",
    "ProductComponent",
    "ProductConsumable",
    "Products",
    "Scheduled",
]

MAX_ITEMS = 200
MAX_JOBS_A_CALL = 500


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with all that is shown of it."""

    order: Order
    items: Sequence[OrderItem]
    products: Mapping[int, Product]
    progress: Progress
    costs: Costs


class Orders:
    """The orders of the farm."""

    def __init__(self, jobs: Jobs, library: Library, ledger: Ledger, clock: Clock) -> None:
        self._jobs = jobs
        self._library = library
        self._ledger = ledger
        self._clock = clock
        self.consumables = Consumables(ledger, clock)
        self.products = Products(library, self.consumables, ledger, clock)
        ledger.follow(self.follow)

    # Reading.

    async def list(
        self, by: Principal, which: OrderFilter, skip: int, limit: int
    ) -> tuple[Sequence[OrderView], int]:
        """(a page, the newest first, how many there are)."""
        by.require("orders.read")
        rows = _theirs(by)
        if which.status is not None:
            rows = rows.filter(status=which.status)
        if which.platform is not None:
            rows = rows.filter(platform=which.platform)
        page = await rows.order_by("-id").offset(skip).limit(limit)
        return await self._views(page), await rows.count()

    async def get(self, by: Principal, order_id: int) -> OrderView:
        """One order. Raises `NotFound`."""
        by.require("orders.read")
        return await self._view(await _one(by, order_id))

    async def invoiced(self, by: Principal, order_id: int) -> OrderView:
        """One order, to be invoiced. Raises `NotFound`."""
        by.require("orders.invoice")
        return await self._view(await _one(by, order_id))

    @staticmethod
    async def by_status(organization_id: int) -> dict[OrderStatus, int]:
        """How many orders there are in each state, for who may read the reports."""
        rows = Order.filter(organization_id=organization_id).annotate(many=Count("id"))
        found = await rows.group_by("status").values("status", "many")
        return {OrderStatus(row["status"]): int(row["many"]) for row in found}

    async def _view(self, row: Order) -> OrderView:
        [view] = await self._views([row])
        return view

    async def _views(self, rows: Sequence[Order]) -> Sequence[OrderView]:
        """These orders, each other table asked once."""
        ids = [row.id for row in rows]
        items = await OrderItem.filter(order_id__in=ids).order_by("id") if ids else []
        made = await OrderJob.filter(order_id__in=ids) if ids else []
        job_ids = [one.job_id for one in made]
        states, costs = await self._jobs.states(job_ids), await self._jobs.costs(job_ids)
        product_ids = {item.product_id for item in items}
        components = await self.products.components(product_ids)
        products = await self.products.named(product_ids)
        views = []
        for row in rows:
            mine = [item for item in items if item.order_id == row.id]
            jobs = [one for one in made if one.order_id == row.id]
            progress = progress_of(mine, components, jobs, states)
            spent = costs_of(jobs, states, costs)
            views.append(OrderView(row, mine, products, progress, spent))
        return views

    # Making and changing.

    async def create(
        self, by: Principal, values: Mapping[str, Any], items: Sequence[NewItem]
    ) -> OrderView:
        """A new order. Raises `NotFound` (a product)."""
        by.require("orders.write")
        now = self._clock.now()
        async with self._ledger.change() as change:
            row = await Order.create(
                organization_id=by.organization_id, created_at=now, updated_at=now, **values
            )
            for item in items:
                await self._new_item(by, row, item)
            _tell(change, by, row, "order.created")
        return await self._view(row)

    async def update(self, by: Principal, order_id: int, values: Mapping[str, Any]) -> OrderView:
        """Change what *values* name, the status included. Raises `NotFound`."""
        by.require("orders.admin")
        return await self._changed(by, order_id, values, "order.updated")

    async def ship(self, by: Principal, order_id: int, values: Mapping[str, Any]) -> OrderView:
        """It is on its way. Raises `NotFound`, or `Conflict` for a cancelled one."""
        by.require("orders.write")
        row = await _one(by, order_id)
        if row.status == OrderStatus.CANCELLED:
            raise _wrong_state(row, "it cannot be shipped")
        shipped = {"shipped_date": self._clock.now(), **values, "status": OrderStatus.SHIPPED}
        return await self._changed(by, order_id, shipped, "order.shipped")

    async def _changed(
        self, by: Principal, order_id: int, values: Mapping[str, Any], kind: str
    ) -> OrderView:
        async with self._ledger.change() as change:
            row = await _one(by, order_id)
            row.update_from_dict(dict(values))
            row.updated_at = self._clock.now()
            await row.save()
            _tell(change, by, row, kind, fields=sorted(values))
        return await self._view(row)

    async def delete(self, by: Principal, order_id: int) -> None:
        """Gone; its jobs stay. Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await _one(by, order_id)
            row.deleted_at = row.updated_at = self._clock.now()
            await row.save(update_fields=["deleted_at", "updated_at"])
            _tell(change, by, row, "order.deleted")

    # Items.

    async def add_item(self, by: Principal, order_id: int, new: NewItem) -> OrderItem:
        """One more item. Raises `NotFound` (order, product) or `Invalid` (too many)."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await _one(by, order_id)
            if await OrderItem.filter(order_id=row.id).count() >= MAX_ITEMS:
                raise Invalid(f"An order has at most {MAX_ITEMS} items.")
            item = await self._new_item(by, row, new)
            _tell(change, by, row, "order.updated", fields=["items"])
        return item

    async def update_item(
        self, by: Principal, order_id: int, item_id: int, values: Mapping[str, Any]
    ) -> OrderItem:
        """Change what *values* name. Raises `NotFound`."""
        by.require("orders.admin")
        async with self._ledger.change() as change:
            row = await _one(by, order_id)
            item = await _item(row, item_id)
            item.update_from_dict(dict(values))
            await item.save()
            _tell(change, by, row, "order.updated", fields=["items"])
        return item

    async def remove_item(self, by: Principal, order_id: int, item_id: int) -> None:
        """One item less; jobs that make it stay. Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await _one(by, order_id)
            await (await _item(row, item_id)).delete()
            _tell(change, by, row, "order.updated", fields=["items"])

    async def _new_item(self, by: Principal, row: Order, new: NewItem) -> OrderItem:
        product = await self.products.get(by, new.product_id)
        return await OrderItem.create(
            organization_id=row.organization_id,
            order_id=row.id,
            product_id=product.id,
            quantity=new.quantity,
            unit_price=new.unit_price if new.unit_price is not None else product.price,
            created_at=self._clock.now(),
        )

    # Its jobs.

    async def schedule(self, by: Principal, order_id: int) -> Scheduled:
        """Queue the jobs that the order still needs, one for each component of each item, and take
        its consumables from the stocks.

        Called again it queues only what is missing: what failed or was added since. All of its
        jobs are made and all is taken, or nothing. Raises `NotFound`, `Conflict` (shipped,
        cancelled, or somebody else was faster) or `Invalid`.
        """
        by.require("orders.write")
        row = await _one(by, order_id)
        if row.status in (OrderStatus.SHIPPED, OrderStatus.CANCELLED):
            raise _wrong_state(row, "nothing is made for it any more")
        planned = await self._planned(by, row)
        if not planned:
            return Scheduled(planned, await self._supply(by, row))
        jobs = await self._jobs.create_many(by, [new_job(row, one) for one in planned])
        return Scheduled(planned, await self.consumables.moved_with([job.id for job in jobs]))

    async def _supply(self, by: Principal, row: Order) -> Sequence[ConsumableMove]:
        """What is taken for an order that needs no jobs now."""
        async with self._ledger.change() as change:
            items = await OrderItem.filter(order_id=row.id).order_by("id")
            moves = await self.consumables.supply(change, items, by.user_id, None)
            if moves:
                change.note(by, "order.supplied", ("order", row.id), moves=len(moves))
        return moves

    async def _planned(self, by: Principal, row: Order) -> Sequence[Planned]:
        items = await OrderItem.filter(order_id=row.id).order_by("id")
        made = await OrderJob.filter(order_id=row.id)
        states = await self._jobs.states([one.job_id for one in made])
        components = await self.products.components({item.product_id for item in items})
        planned = []
        for item in items:
            for component in components[item.product_id]:
                needed = still_needed(item, component, made, states)
                if needed:
                    model = await self._library.get_model(by, component.model_id)
                    per_print = int(model.details.get("quantity_per_bed") or 1)
                    prints = ceil(needed / per_print)
                    planned.append(Planned(item, component, prints, per_print))
        if len(planned) > MAX_JOBS_A_CALL:
            raise Invalid(f"An order makes at most {MAX_JOBS_A_CALL} jobs at a time.")
        return planned

    async def follow(self, change: Change, happened: Sequence[Happened]) -> None:
        """Jobs that are made for an order belong to it, and bring it on when they are done."""
        made = {event.job_id: event.user_id for event in happened if event.kind == "job.created"}
        done = [event.job_id for event in happened if event.kind == "job.completed"]
        orders = {one.order_id for one in await OrderJob.filter(job_id__in=done)} if done else set()
        first_jobs: dict[int, int] = {}  # by order, of those that are queued now
        for job in await self._jobs.of_source(SOURCE, [each for each in made if each is not None]):
            if job.details.get(SOURCE):
                order_id = await self._link(job.organization_id, job.id, job.details[SOURCE])
                first_jobs.setdefault(order_id, job.id)
        for order_id, job_id in first_jobs.items():
            items = await OrderItem.filter(order_id=order_id).order_by("id")
            await self.consumables.supply(change, items, made[job_id], job_id)
        for order_id in orders | first_jobs.keys():
            row = await Order.filter(id=order_id, deleted_at=None).first()
            if row is not None and row.status in COMPUTED | {OrderStatus.PENDING}:
                await self._follow_jobs(change, row)

    async def _link(self, organization_id: int, job_id: int, link: Mapping[str, int]) -> int:
        """The order that the job is for. Raises `Conflict` when others make these pieces already:
        then none of the jobs is made.
        """
        item = await OrderItem.filter(id=link["item_id"]).first()
        component = await ProductComponent.filter(id=link["component_id"]).first()
        made = await OrderJob.filter(item_id=link["item_id"])
        states = await self._jobs.states([one.job_id for one in made])
        if item is None or component is None or not still_needed(item, component, made, states):
            raise Conflict("The order has changed meanwhile; look at it again.")
        row = OrderJob(organization_id=organization_id, job_id=job_id, **link)
        await row.save()
        return link["order_id"]

    async def _follow_jobs(self, change: Change, row: Order) -> None:
        view = await self._view(row)
        status = status_of(view.items, view.progress)
        if status == row.status:
            return
        row.status, row.updated_at = status, self._clock.now()
        await row.save(update_fields=["status", "updated_at"])
        change.record(_happened(row, "order.status"))


def _theirs(by: Principal) -> QuerySet[Order]:
    return Order.filter(organization_id=by.organization_id, deleted_at=None)


async def _one(by: Principal, order_id: int) -> Order:
    row = await _theirs(by).filter(id=order_id).first()
    if row is None:
        raise NotFound(f"There is no order {order_id}.", code="order_not_found", order_id=order_id)
    return row


async def _item(row: Order, item_id: int) -> OrderItem:
    item = await OrderItem.filter(id=item_id, order_id=row.id).first()
    if item is None:
        raise NotFound(f"Order {row.id} has no item {item_id}.")
    return item


def _wrong_state(row: Order, why: str) -> Conflict:
    return Conflict(
        f"Order {row.id} is {row.status}; {why}.",
        code="invalid_state_transition",
        order_id=row.id,
        status=row.status,
    )


def _happened(row: Order, kind: str, user_id: int | None = None, **data: Any) -> Happened:
    facts = {"order_id": row.id, "order_number": row.order_number, "status": row.status}
    return Happened(row.organization_id, kind, user_id=user_id, data=facts | data)


def _tell(change: Change, by: Principal, row: Order, kind: str, **data: Any) -> None:
    change.record(_happened(row, kind, by.user_id, **data))
    change.note(by, kind, ("order", row.id), order_number=row.order_number, **data)
