"""v1 routes of consumables (v1 contract, 2.9): parse, ask the service, answer."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints
from quart import Response, request

from api.clock import iso
from api.describe import Doc, Query
from api.http import json_answer, json_body, paging
from api.orders import answers, bodies
from api.orders.service import Consumable, ConsumableMove, Orders
from api.orders.view import consumable_fields, supply_fields
from api.v1 import V1, caller


class ConsumableRoutes:
    """``/consumables`` and ``/products/{id}/consumables``."""

    def __init__(self, orders: Orders) -> None:
        self._consumables = orders.consumables
        self._products = orders.products

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/consumables", self.list, _LIST)
        v1.add("POST", "/consumables", self.create, _CREATE)
        v1.add("GET", "/consumables/low-stock", self.low, _LOW)
        one = "/consumables/<int:consumable_id>"
        v1.add("GET", one, self.get, _GET)
        v1.add("PATCH", one, self.update, _UPDATE)
        v1.add("DELETE", one, self.delete, _DELETE)
        v1.add("POST", f"{one}/adjust", self.adjust, _ADJUST)
        links = "/products/<int:product_id>/consumables"
        v1.add("POST", links, self.link, _LINK)
        v1.add("DELETE", f"{links}/<int:consumable_link_id>", self.unlink, _UNLINK)

    async def list(self) -> Response:
        """A page by name."""
        status = request.args.get("status")
        rows, total = await self._consumables.list(caller(), *paging(), status=status)
        return _page(rows, total)

    async def low(self) -> Response:
        """Those that have to be bought."""
        rows, total = await self._consumables.list(caller(), *paging(), low=True)
        return _page(rows, total)

    async def create(self) -> Response:
        """A new one."""
        body = await json_body(bodies.ConsumableCreateBody)
        row = await self._consumables.create(caller(), body.model_dump())
        return json_answer(consumable_fields(row))

    async def get(self, consumable_id: int) -> Response:
        """One, and how its stock moved lately."""
        row = await self._consumables.get(caller(), consumable_id)
        moves = [_move_fields(move) for move in await self._consumables.moves(row)]
        return json_answer({**consumable_fields(row), "usage_history": moves})

    async def update(self, consumable_id: int) -> Response:
        """One, changed."""
        body = await json_body(bodies.ConsumableUpdateBody)
        row = await self._consumables.update(caller(), consumable_id, body.values())
        return json_answer(consumable_fields(row))

    async def delete(self, consumable_id: int) -> Response:
        """No longer kept."""
        await self._consumables.delete(caller(), consumable_id)
        return json_answer({"success": True, "message": "The consumable is deleted."})

    async def adjust(self, consumable_id: int) -> Response:
        """More or less in stock."""
        body = await json_body(bodies.ConsumableAdjustBody)
        row, move = await self._consumables.adjust(caller(), consumable_id, body.form())
        return json_answer(
            {
                "success": True,
                "id": row.id,
                "current_stock": row.current_stock,
                "missing": move.missing,
                "is_low_stock": consumable_fields(row)["is_low_stock"],
            }
        )

    async def link(self, product_id: int) -> Response:
        """A product needs it."""
        body = await json_body(bodies.ProductConsumableBody)
        link = await self._products.add_consumable(caller(), product_id, body.form())
        return json_answer(supply_fields(*link))

    async def unlink(self, product_id: int, consumable_link_id: int) -> Response:
        """A product does not need it."""
        await self._products.remove_consumable(caller(), product_id, consumable_link_id)
        return json_answer({"success": True, "message": "The product does not need it any more."})


def _page(rows: Sequence[Consumable], total: int) -> Response:
    shown = [consumable_fields(row) for row in rows]
    return json_answer(shown, headers={"X-Total-Count": str(total)})


def _move_fields(move: ConsumableMove) -> dict[str, object]:
    return {
        "id": move.id,
        "quantity": move.quantity,
        "missing": move.missing,
        "order_id": move.order_id,
        "user_id": move.user_id,
        "notes": move.notes,
        "at": iso(move.at),
    }


_UNKNOWN = ("consumable_not_found",)
_LIST = Doc(
    summary="Consumables by name",
    answer=list[answers.ConsumableAnswer],
    right="orders.read",
    paged=True,
    query=(
        Query(
            name="status",
            type=Annotated[str, StringConstraints(max_length=32)],
            description="Only these, for example active",
        ),
    ),
)
_LOW = Doc(
    summary="Active consumables of which less is there than their min_stock, by name",
    answer=list[answers.ConsumableAnswer],
    right="orders.read",
    paged=True,
)
_CREATE = Doc(
    summary="Add a consumable",
    answer=answers.ConsumableAnswer,
    right="orders.write",
    body=bodies.ConsumableCreateBody,
)
_GET = Doc(
    summary="One consumable, and how its stock moved lately",
    answer=answers.ConsumableDetail,
    right="orders.read",
    problems=_UNKNOWN,
)
_UPDATE = Doc(
    summary="Change a consumable; another current_stock was counted anew",
    answer=answers.ConsumableAnswer,
    right="orders.write",
    body=bodies.ConsumableUpdateBody,
    problems=_UNKNOWN,
)
_DELETE = Doc(
    summary="Delete a consumable, from the products that need it too",
    answer=answers.ConsumableDone,
    right="orders.admin",
    problems=_UNKNOWN,
)
_ADJUST = Doc(
    summary="Put something to the stock of a consumable, or take from it",
    description="A stock does not fall below 0; `missing` says what was not there.",
    answer=answers.ConsumableAdjusted,
    right="orders.write",
    body=bodies.ConsumableAdjustBody,
    problems=_UNKNOWN,
)
_LINK = Doc(
    summary="A product needs this consumable; scheduling an order of it takes it from the stock",
    answer=answers.ProductConsumableAnswer,
    right="orders.write",
    body=bodies.ProductConsumableBody,
    problems=("product_not_found", "consumable_not_found", "conflict", "bad_request"),
)
_UNLINK = Doc(
    summary="A product does not need this consumable",
    answer=answers.ConsumableDone,
    right="orders.write",
    problems=("product_not_found", "not_found"),
)
