"""Products: what is sold, the models and consumables that it is made of (v1 contract, 2.9)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tortoise.queryset import QuerySet

from api.clock import Clock
from api.errors import Conflict, Invalid, NotFound
from api.events.service import Change, Happened, Ledger
from api.models_library.service import Library
from api.orders.consumables import Consumables
from api.orders.forms import NewComponent, NewSupply
from api.orders.models import Consumable, Product, ProductComponent, ProductConsumable
from api.principal import Principal

MAX_COMPONENTS = 100
MAX_CONSUMABLES = 100


class Products:
    """The products of the farm."""

    def __init__(
        self, library: Library, consumables: Consumables, ledger: Ledger, clock: Clock
    ) -> None:
        self._library = library
        self._consumables = consumables
        self._ledger = ledger
        self._clock = clock

    async def list(self, by: Principal, skip: int, limit: int) -> tuple[Sequence[Product], int]:
        """(a page by name, how many there are)."""
        by.require("orders.read")
        rows = _theirs(by)
        return await rows.order_by("name", "id").offset(skip).limit(limit), await rows.count()

    async def get(self, by: Principal, product_id: int) -> Product:
        """One product. Raises `NotFound`."""
        by.require("orders.read")
        return await self._one(by, product_id)

    async def components(
        self, product_ids: Collection[int]
    ) -> Mapping[int, Sequence[ProductComponent]]:
        """What these products are made of; the caller has been let see them."""
        found: dict[int, list[ProductComponent]] = {each: [] for each in product_ids}
        if product_ids:
            for row in await ProductComponent.filter(product_id__in=[*product_ids]).order_by("id"):
                found[row.product_id].append(row)
        return found

    async def named(self, product_ids: Collection[int]) -> Mapping[int, Product]:
        """These products by number, deleted ones too; the caller has been let see them."""
        rows = await Product.filter(id__in=[*product_ids]) if product_ids else []
        return {row.id: row for row in rows}

    async def create(
        self, by: Principal, values: Mapping[str, Any], components: Sequence[NewComponent]
    ) -> Product:
        """A new product. Raises `NotFound` (a model)."""
        by.require("orders.write")
        now = self._clock.now()
        for each in components:
            await self._library.get_model(by, each.model_id)
        async with self._ledger.change() as change:
            row = await Product.create(
                organization_id=by.organization_id, created_at=now, updated_at=now, **values
            )
            for each in components:
                await self._add(row, each)
            _tell(change, by, row, "product.created")
        return row

    async def update(self, by: Principal, product_id: int, values: Mapping[str, Any]) -> Product:
        """Change what *values* name. Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await self._one(by, product_id)
            row.update_from_dict(dict(values))
            row.updated_at = self._clock.now()
            await row.save()
            _tell(change, by, row, "product.updated", fields=sorted(values))
        return row

    async def delete(self, by: Principal, product_id: int) -> None:
        """No longer sold; orders of it stay. Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await self._one(by, product_id)
            row.deleted_at = self._clock.now()
            await row.save(update_fields=["deleted_at"])
            _tell(change, by, row, "product.deleted")

    async def add_component(
        self, by: Principal, product_id: int, new: NewComponent
    ) -> ProductComponent:
        """One more model of it. Raises `NotFound` (product, model) or `Invalid` (too many)."""
        by.require("orders.write")
        await self._one(by, product_id)
        await self._library.get_model(by, new.model_id)
        async with self._ledger.change() as change:
            row = await self._one(by, product_id)
            if await ProductComponent.filter(product_id=row.id).count() >= MAX_COMPONENTS:
                raise Invalid(f"A product has at most {MAX_COMPONENTS} components.")
            component = await self._add(row, new)
            _tell(change, by, row, "product.updated", fields=["components"])
        return component

    async def remove_component(self, by: Principal, product_id: int, component_id: int) -> None:
        """One model less. Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await self._one(by, product_id)
            found = ProductComponent.filter(id=component_id, product_id=row.id)
            if not await found.delete():
                raise NotFound(f"{row.name} has no component {component_id}.")
            _tell(change, by, row, "product.updated", fields=["components"])

    async def add_consumable(
        self, by: Principal, product_id: int, new: NewSupply
    ) -> tuple[ProductConsumable, Consumable]:
        """One more consumable of it. Raises `NotFound` (product, consumable), `Conflict` (it is one
        already) or `Invalid` (too many).
        """
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await self._one(by, product_id)
            consumable = await self._consumables.get(by, new.consumable_id)
            others = ProductConsumable.filter(product_id=row.id)
            if await others.filter(consumable_id=consumable.id).exists():
                raise Conflict(f"{row.name} needs {consumable.name} already.")
            if await others.count() >= MAX_CONSUMABLES:
                raise Invalid(f"A product has at most {MAX_CONSUMABLES} consumables.")
            link = await ProductConsumable.create(
                organization_id=row.organization_id,
                product_id=row.id,
                consumable_id=consumable.id,
                quantity_per_product=new.quantity_per_product,
                notes=new.notes,
            )
            _tell(change, by, row, "product.updated", fields=["consumables"])
        return link, consumable

    async def remove_consumable(self, by: Principal, product_id: int, link_id: int) -> None:
        """One consumable less. Raises `NotFound`."""
        by.require("orders.write")
        async with self._ledger.change() as change:
            row = await self._one(by, product_id)
            if not await ProductConsumable.filter(id=link_id, product_id=row.id).delete():
                raise NotFound(f"{row.name} has no consumable {link_id}.")
            _tell(change, by, row, "product.updated", fields=["consumables"])

    @staticmethod
    async def _add(row: Product, new: NewComponent) -> ProductComponent:
        return await ProductComponent.create(
            organization_id=row.organization_id,
            product_id=row.id,
            model_id=new.model_id,
            quantity_needed=new.quantity_needed,
            notes=new.notes,
        )

    @staticmethod
    async def _one(by: Principal, product_id: int) -> Product:
        row = await _theirs(by).filter(id=product_id).first()
        if row is None:
            raise NotFound(
                f"There is no product {product_id}.",
                code="product_not_found",
                product_id=product_id,
            )
        return row


def _theirs(by: Principal) -> QuerySet[Product]:
    return Product.filter(organization_id=by.organization_id, deleted_at=None)


def _tell(change: Change, by: Principal, row: Product, kind: str, **data: Any) -> None:
    facts = {"product_id": row.id, "name": row.name, **data}
    change.record(Happened(row.organization_id, kind, user_id=by.user_id, data=facts))
    change.note(by, kind, ("product", row.id), name=row.name, **data)
