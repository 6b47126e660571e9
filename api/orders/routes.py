"""v1 routes of orders and products (v1 contract, 2.9): parse, ask the service, answer."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from quart import Response, request

from api.clock import Clock
from api.http import json_answer, json_body, paging
from api.jobs.costs import Costs
from api.models_library.service import Library
from api.orders import bodies, docs
from api.orders.forms import OrderFilter, parse_status
from api.orders.goods import Goods, cost_of_goods
from api.orders.invoice_pdf import pdf_of
from api.orders.invoices import invoice_of
from api.orders.service import OrderItem, Orders, OrderView, Product
from api.orders.view import (
    component_fields,
    deducted_fields,
    items_of,
    order_fields,
    product_fields,
    summary_fields,
)
from api.principal import Principal, system
from api.v1 import V1, caller

MOST_INVOICES = 2  # that are made at a time


class Seller(Protocol):
    """What is needed of an organization."""

    @property
    def row(self) -> Any:
        """It has a name."""


class SellersRoom(Protocol):
    """What is needed of the accounts."""

    async def organization(self, by: Principal, organization_id: int) -> Seller:
        """The caller's organization."""


class OrderRoutes:
    """``/orders`` and ``/products``."""

    def __init__(
        self, orders: Orders, library: Library, costs: Costs, sellers: SellersRoom, clock: Clock
    ) -> None:
        self._orders = orders
        self._products = orders.products
        self._library = library
        self._goods = Goods(library, costs)
        self._sellers = sellers
        self._clock = clock
        self._printing = asyncio.Semaphore(MOST_INVOICES)

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/orders", self.list, docs.LIST)
        v1.add("POST", "/orders", self.create, docs.CREATE)
        one = "/orders/<int:order_id>"
        v1.add("GET", one, self.get, docs.GET)
        v1.add("PATCH", one, self.update, docs.UPDATE)
        v1.add("DELETE", one, self.delete, docs.DELETE)
        v1.add("POST", f"{one}/items", self.add_item, docs.ADD_ITEM)
        v1.add("PATCH", f"{one}/items/<int:item_id>", self.update_item, docs.UPDATE_ITEM)
        v1.add("DELETE", f"{one}/items/<int:item_id>", self.remove_item, docs.REMOVE_ITEM)
        v1.add("POST", f"{one}/schedule", self.schedule, docs.SCHEDULE)
        v1.add("PATCH", f"{one}/ship", self.ship, docs.SHIP)
        v1.add("GET", f"{one}/invoice.pdf", self.invoice, docs.INVOICE)
        v1.add("GET", "/products", self.products, docs.PRODUCTS)
        v1.add("POST", "/products", self.create_product, docs.CREATE_PRODUCT)
        product = "/products/<int:product_id>"
        v1.add("GET", product, self.product, docs.PRODUCT)
        v1.add("PATCH", product, self.update_product, docs.UPDATE_PRODUCT)
        v1.add("DELETE", product, self.delete_product, docs.DELETE_PRODUCT)
        v1.add("POST", f"{product}/components", self.add_component, docs.ADD_COMPONENT)
        component = f"{product}/components/<int:component_id>"
        v1.add("DELETE", component, self.remove_component, docs.REMOVE_COMPONENT)

    # Orders.

    async def list(self) -> Response:
        """A page of orders, the newest first."""
        word = request.args.get("status", request.args.get("status_filter"))
        which = OrderFilter(status=parse_status(word), platform=request.args.get("platform"))
        views, total = await self._orders.list(caller(), which, *paging())
        shown = [summary_fields(view) for view in views]
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    async def get(self, order_id: int) -> Response:
        """One order."""
        return _shown(await self._orders.get(caller(), order_id))

    async def create(self) -> Response:
        """A new order."""
        body = await json_body(bodies.OrderCreateBody)
        items = [each.form() for each in body.items or ()]
        return _shown(await self._orders.create(caller(), body.values(), items))

    async def update(self, order_id: int) -> Response:
        """An order, changed."""
        body = await json_body(bodies.OrderUpdateBody)
        return _shown(await self._orders.update(caller(), order_id, body.values()))

    async def delete(self, order_id: int) -> Response:
        """Gone; its jobs stay."""
        await self._orders.delete(caller(), order_id)
        return Response(status=204)

    async def ship(self, order_id: int) -> Response:
        """It is on its way."""
        body = await json_body(bodies.OrderShipBody)
        values = body.model_dump(exclude_none=True)
        return _shown(await self._orders.ship(caller(), order_id, values))

    async def invoice(self, order_id: int) -> Response:
        """What is to be paid for one order."""
        by = caller()
        view = await self._orders.invoiced(by, order_id)
        seller = await self._sellers.organization(system(by.organization_id), by.organization_id)
        made = invoice_of(view, seller.row.name, self._clock.now())
        async with self._printing:
            body = await asyncio.to_thread(pdf_of, made)
        headers = {
            "Content-Disposition": f'attachment; filename="invoice-{order_id}.pdf"',
            "Cache-Control": "no-store",
        }
        return Response(body, 200, headers, content_type="application/pdf")

    async def add_item(self, order_id: int) -> Response:
        """One more item."""
        body = await json_body(bodies.OrderItemBody)
        item = await self._orders.add_item(caller(), order_id, body.form())
        return await self._item(order_id, item)

    async def update_item(self, order_id: int, item_id: int) -> Response:
        """An item, changed."""
        body = await json_body(bodies.OrderItemUpdateBody)
        item = await self._orders.update_item(caller(), order_id, item_id, body.values())
        return await self._item(order_id, item)

    async def _item(self, order_id: int, item: OrderItem) -> Response:
        items = items_of(await self._orders.get(caller(), order_id))
        return json_answer(next(one for one in items if one["id"] == item.id))

    async def remove_item(self, order_id: int, item_id: int) -> Response:
        """One item less."""
        await self._orders.remove_item(caller(), order_id, item_id)
        return Response(status=204)

    async def schedule(self, order_id: int) -> Response:
        """Queue what is missing."""
        scheduled = await self._orders.schedule(caller(), order_id)
        planned, moves = scheduled.planned, scheduled.moves
        models = await self._library.model_names({one.component.model_id for one in planned})
        stocks = await self._orders.consumables.named({move.consumable_id for move in moves})
        details = [
            {
                "model": models.get(one.component.model_id, ""),
                "item_id": one.item.id,
                "quantity": one.prints,
                "quantity_on_bed": one.per_print,
            }
            for one in planned
        ]
        return json_answer(
            {
                "success": True,
                "order_id": order_id,
                "jobs_created": len(planned),
                "details": details,
                "consumables_deducted": [
                    deducted_fields(move, stocks[move.consumable_id]) for move in moves
                ],
            }
        )

    # Products.

    async def products(self) -> Response:
        """A page of products by name."""
        rows, total = await self._products.list(caller(), *paging())
        shown = await self._shown_products(rows)
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    async def _shown_products(self, rows: Sequence[Product]) -> Sequence[dict[str, Any]]:
        numbers = {row.id for row in rows}
        components = await self._products.components(numbers)
        wanted = {each.model_id for some in components.values() for each in some}
        models = await self._library.find_models(wanted)
        names = {model.id: model.name for model in models}
        pieces = await self._goods.pieces(models)
        needs = await self._orders.consumables.of_products(numbers)
        return [
            product_fields(
                *(row, components[row.id], names, needs[row.id]),
                cost_of_goods(components[row.id], pieces, needs[row.id]),
            )
            for row in rows
        ]

    async def _product(self, row: Product) -> Response:
        [shown] = await self._shown_products([row])
        return json_answer(shown)

    async def product(self, product_id: int) -> Response:
        """One product."""
        return await self._product(await self._products.get(caller(), product_id))

    async def create_product(self) -> Response:
        """A new product."""
        body = await json_body(bodies.ProductCreateBody)
        components = [each.form() for each in body.components or ()]
        return await self._product(await self._products.create(caller(), body.values(), components))

    async def update_product(self, product_id: int) -> Response:
        """A product, changed."""
        body = await json_body(bodies.ProductUpdateBody)
        return await self._product(await self._products.update(caller(), product_id, body.values()))

    async def delete_product(self, product_id: int) -> Response:
        """No longer sold."""
        await self._products.delete(caller(), product_id)
        return Response(status=204)

    async def add_component(self, product_id: int) -> Response:
        """One more model."""
        body = await json_body(bodies.ComponentBody)
        row = await self._products.add_component(caller(), product_id, body.form())
        models = await self._library.model_names({row.model_id})
        return json_answer(component_fields(row, models))

    async def remove_component(self, product_id: int, component_id: int) -> Response:
        """One model less."""
        await self._products.remove_component(caller(), product_id, component_id)
        return Response(status=204)


def _shown(view: OrderView) -> Response:
    return json_answer(order_fields(view))
