"""Consumables: their stocks, what moves them, and that an order takes its own exactly once."""

import asyncio

import pytest
from pydantic import ValidationError

from api.errors import Conflict, Forbidden, NotFound
from api.events.models import AuditEntry, Event
from api.orders.bodies import ConsumableAdjustBody, ConsumableCreateBody, ConsumableUpdateBody
from api.orders.consumables import LOW
from api.orders.forms import Movement, NewMove, NewSupply
from api.orders.models import Consumable, ConsumableMove, OrderItem, ProductConsumable
from api.orders.service import Orders
from api.principal import Principal, Role
from tests.fakes.farm import Farm
from tests.fakes.ordering import model, ordered


async def box(orders: Orders, by: Principal, stock: float = 10, least: float = 0) -> Consumable:
    values = {"name": "Box", "current_stock": stock, "min_stock": least, "cost_per_unit": 0.5}
    return await orders.consumables.create(by, values)


async def needing(farm: Farm, orders: Orders, quantity: int, each: float) -> tuple[int, int]:
    """(an order of *quantity* of a product that needs *each* of a box, the box)."""
    number = await ordered(farm, orders, quantity, (await model(farm), 1))
    row = await box(orders, farm.admin)
    [item] = (await orders.get(farm.admin, number)).items
    new = NewSupply(consumable_id=row.id, quantity_per_product=each)
    await orders.products.add_consumable(farm.admin, item.product_id, new)
    return number, row.id


async def stock(number: int) -> float:
    return (await Consumable.get(id=number)).current_stock


async def test_a_stock_moves_by_hand(orders: Orders, admin: Principal) -> None:
    """Restock and deduct; not below nothing, and what was missing is said (v1 2.9)."""
    row = await box(orders, admin, stock=2)
    more = NewMove(type=Movement.RESTOCK, quantity=0.1)
    for _ in range(3):
        row, _ = await orders.consumables.adjust(admin, row.id, more)
    assert row.current_stock == 2.3
    less = NewMove(type=Movement.DEDUCT, quantity=5, notes="fell down")
    row, move = await orders.consumables.adjust(admin, row.id, less)
    assert (row.current_stock, move.quantity, move.missing) == (0, -2.3, 2.7)
    moves = await orders.consumables.moves(row)
    assert [each.quantity for each in moves] == [-2.3, 0.1, 0.1, 0.1, 2]
    assert moves[0].notes == "fell down" and moves[0].user_id == admin.user_id
    await orders.consumables.update(admin, row.id, {"current_stock": 7.0})
    assert (await orders.consumables.moves(row))[0].quantity == 7


async def test_an_order_takes_its_consumables_with_its_jobs(farm: Farm, orders: Orders) -> None:
    """So many for every piece, as the answer says; asked again nothing more (v1 2.9)."""
    number, consumable = await needing(farm, orders, quantity=3, each=2)
    [move] = (await orders.schedule(farm.admin, number)).moves
    assert (move.quantity, move.missing, move.order_id) == (-6, 0, number)
    assert await stock(consumable) == 4
    assert (await orders.schedule(farm.admin, number)).moves == []
    [item] = await OrderItem.filter(order_id=number)
    await orders.update_item(farm.admin, number, item.id, {"quantity": 4})
    [move] = (await orders.schedule(farm.admin, number)).moves
    assert (move.quantity, await stock(consumable)) == (-2, 2)


async def test_jobs_that_failed_take_nothing_again(farm: Farm, orders: Orders) -> None:
    """What is printed anew was packed or not: its consumables are taken already."""
    number, consumable = await needing(farm, orders, quantity=1, each=1)
    await orders.schedule(farm.admin, number)
    [job] = await farm.jobs.of_source("order", [1])
    await farm.jobs.cancel(farm.admin, job.id)
    again = await orders.schedule(farm.admin, number)
    assert (len(again.planned), again.moves, await stock(consumable)) == (1, [], 9)


async def test_two_who_schedule_at_once_take_it_once(farm: Farm, orders: Orders) -> None:
    """The slower ones are refused, and take nothing."""
    number, consumable = await needing(farm, orders, quantity=2, each=1)
    asked = (orders.schedule(farm.admin, number) for _ in range(5))
    await asyncio.gather(*asked, return_exceptions=True)
    assert await stock(consumable) == 8
    assert await ConsumableMove.filter(order_id=number).count() == 1


async def test_a_product_without_prints_takes_its_consumables(farm: Farm, orders: Orders) -> None:
    """Nothing is queued for it, its boxes are used up all the same, once."""
    number = await ordered(farm, orders, 2)
    [item] = (await orders.get(farm.admin, number)).items
    row = await box(orders, farm.admin, stock=1)
    new = NewSupply(consumable_id=row.id)
    await orders.products.add_consumable(farm.admin, item.product_id, new)
    asked = [await orders.schedule(farm.admin, number) for _ in range(2)]
    assert [[(move.quantity, move.missing) for move in one.moves] for one in asked] == [
        [(-1, 1)],
        [],
    ]
    assert await AuditEntry.filter(action="order.supplied").count() == 1


async def test_a_stock_that_runs_low_is_told_once(orders: Orders, admin: Principal) -> None:
    """When it falls below its least, not as long as it stays there (v1 1.9)."""
    row = await box(orders, admin, stock=5, least=3)
    less = NewMove(type=Movement.DEDUCT, quantity=1)
    for _ in range(4):
        await orders.consumables.adjust(admin, row.id, less)
    [told] = await Event.filter(kind=LOW)
    assert (told.data["consumable_id"], told.data["current_stock"]) == (row.id, 2)
    rows, total = await orders.consumables.list(admin, 0, 50, low=True)
    assert ([each.id for each in rows], total) == ([row.id], 1)
    await orders.consumables.update(admin, row.id, {"status": "discontinued"})
    assert await orders.consumables.list(admin, 0, 50, low=True) == ([], 0)
    assert (await orders.consumables.list(admin, 0, 50, status="discontinued"))[1] == 1


async def test_a_deleted_consumable_leaves_its_products(farm: Farm, orders: Orders) -> None:
    """Products do not need it any more; what it was used for is still known."""
    number, consumable = await needing(farm, orders, quantity=1, each=1)
    await orders.schedule(farm.admin, number)
    await orders.consumables.delete(farm.admin, consumable)
    with pytest.raises(NotFound):
        await orders.consumables.get(farm.admin, consumable)
    assert await ProductConsumable.all().count() == 0
    assert await ConsumableMove.filter(order_id=number).count() == 1


async def test_a_consumable_is_in_a_product_once(farm: Farm, orders: Orders) -> None:
    """A second link is refused; a link goes by its own number."""
    number, consumable = await needing(farm, orders, quantity=1, each=1)
    [item] = (await orders.get(farm.admin, number)).items
    with pytest.raises(Conflict):
        new = NewSupply(consumable_id=consumable)
        await orders.products.add_consumable(farm.admin, item.product_id, new)
    [link] = await ProductConsumable.all()
    await orders.products.remove_consumable(farm.admin, item.product_id, link.id)
    with pytest.raises(NotFound):
        await orders.products.remove_consumable(farm.admin, item.product_id, link.id)


async def test_stocks_are_an_organizations_own(orders: Orders, admin: Principal) -> None:
    """404 for others, also as part of their products; viewers change nothing."""
    row = await box(orders, admin)
    other = Principal(
        organization_id=2,
        user_id=9,
        username="far",
        role=Role.ADMIN,
        kind="token",
        credential_id=9,
    )
    with pytest.raises(NotFound):
        await orders.consumables.get(other, row.id)
    theirs = await orders.products.create(other, {"name": "Theirs"}, [])
    with pytest.raises(NotFound):
        await orders.products.add_consumable(other, theirs.id, NewSupply(consumable_id=row.id))
    viewer = Principal(
        organization_id=1,
        user_id=3,
        username="looks",
        role=Role.VIEWER,
        kind="token",
        credential_id=3,
    )
    with pytest.raises(Forbidden):
        move = NewMove(type=Movement.RESTOCK, quantity=1)
        await orders.consumables.adjust(viewer, row.id, move)
    assert await stock(row.id) == 10


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (ConsumableCreateBody, '{"name": ""}'),
        (ConsumableCreateBody, '{"name": "x", "current_stock": -1}'),
        (ConsumableCreateBody, '{"name": "x", "status": "In use!"}'),
        (ConsumableUpdateBody, '{"min_stock": 1e10}'),
        (ConsumableAdjustBody, '{"type": "steal", "quantity": 1}'),
        (ConsumableAdjustBody, '{"type": "deduct", "quantity": 0}'),
        (ConsumableAdjustBody, '{"type": "deduct", "quantity": NaN}'),
    ],
)
def test_what_is_no_stock_is_refused(
    body: type[ConsumableCreateBody | ConsumableUpdateBody | ConsumableAdjustBody], text: str
) -> None:
    """Limits of the bodies (S74)."""
    with pytest.raises(ValidationError):
        body.model_validate_json(text)
