"""Orders: the jobs that make them, once, and how far they are."""

import asyncio

import pytest

from api.errors import Conflict, NotFound
from api.jobs.models import Job
from api.jobs.view import Around, job_fields
from api.orders.forms import NewItem, OrderFilter, OrderStatus, parse_status
from api.orders.service import Orders
from api.orders.view import order_fields
from api.principal import Principal
from tests.fakes.farm import Farm
from tests.fakes.ordering import model, ordered, printed


async def test_an_order_is_made_by_its_jobs(farm: Farm, orders: Orders) -> None:
    """in_progress, partial, fulfilled: as its parts are printed, four on a bed."""
    shade, foot = await model(farm), await model(farm, per_bed=4)
    number = await ordered(farm, orders, 2, (shade, 1), (foot, 3))
    planned = (await orders.schedule(farm.admin, number)).planned
    assert [(one.prints, one.per_print) for one in planned] == [(2, 1), (2, 4)]
    view = await orders.get(farm.admin, number)
    assert (view.order.status, view.progress.jobs_total) == ("in_progress", 2)
    first, second = await Job.all().order_by("id")
    assert (first.model_id, first.quantity, first.source) == (shade, 2, "order")
    shown = [job_fields(job, Around(now=farm.clock.now()), None) for job in (first, second)]
    items = [item.id for item in view.items]
    assert [(each["order_item_id"], each["quantity_on_bed"]) for each in shown] == [
        (items[0], 1),
        (items[0], 4),
    ]
    await printed(farm, first)
    view = await orders.get(farm.admin, number)
    assert (view.order.status, view.progress.jobs_complete) == ("partial", 1)
    await printed(farm, second)
    view = await orders.get(farm.admin, number)
    assert (view.order.status, list(view.progress.fulfilled.values())) == ("fulfilled", [2])
    shipped = await orders.ship(farm.admin, number, {"tracking_number": "T1"})
    assert (shipped.order.status, shipped.order.tracking_number) == ("shipped", "T1")
    with pytest.raises(Conflict):
        await orders.schedule(farm.admin, number)


async def test_an_order_costs_what_its_jobs_do(farm: Farm, orders: Orders) -> None:
    """v1 2.9: estimated by all its jobs, actual by the done ones, and what the revenue leaves."""
    shade, foot = await model(farm), await model(farm, per_bed=4)
    number = await ordered(farm, orders, 2, (shade, 1), (foot, 3))
    await orders.schedule(farm.admin, number)
    unknown = order_fields(await orders.get(farm.admin, number))
    costs = ("estimated_cost", "actual_cost", "profit", "margin_percent")
    assert [unknown[name] for name in costs] == [None] * 4
    first, second = await Job.all().order_by("id")
    await Job.filter(id=first.id).update(estimated_cost=12.0)
    await Job.filter(id=second.id).update(estimated_cost=8.0)
    money = {"revenue": 45.0, "shipping_charged": 5.0, "platform_fees": 3.0, "shipping_cost": 2.0}
    await orders.update(farm.admin, number, money)
    await printed(farm, first)
    known = order_fields(await orders.get(farm.admin, number))
    assert [known[name] for name in costs] == [20.0, 12.0, 25.0, 50.0]
    await farm.jobs.cancel(farm.admin, second.id)
    less = order_fields(await orders.get(farm.admin, number))
    assert (less["estimated_cost"], less["profit"]) == (12.0, 33.0)


async def test_asked_again_only_what_is_missing_is_queued(farm: Farm, orders: Orders) -> None:
    """Nothing twice; what was cancelled comes again; a repeat of a job is nobody's."""
    part = await model(farm)
    number = await ordered(farm, orders, 3, (part, 1))
    assert len((await orders.schedule(farm.admin, number)).planned) == 1
    assert (await orders.schedule(farm.admin, number)).planned == []
    job = (await Job.all())[0]
    await farm.jobs.repeat(farm.admin, job.id)
    assert (await orders.get(farm.admin, number)).progress.jobs_total == 1
    await farm.jobs.cancel(farm.admin, job.id)
    [again] = (await orders.schedule(farm.admin, number)).planned
    assert again.prints == 3


async def test_two_who_schedule_at_once_make_it_once(farm: Farm, orders: Orders) -> None:
    """The slower one is refused, and leaves no jobs behind."""
    part = await model(farm)
    number = await ordered(farm, orders, 1, (part, 1))
    asked = (orders.schedule(farm.admin, number) for _ in range(5))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(bool(one) and not isinstance(one, Conflict) for one in answers) == 1
    assert await Job.all().count() == 1


async def test_lists_items_and_words(farm: Farm, orders: Orders, admin: Principal) -> None:
    """By status, `completed` included; an item takes its product's price."""
    number = await ordered(farm, orders, 1, (await model(farm), 1))
    views, total = await orders.list(admin, OrderFilter(status=OrderStatus.PENDING), 0, 50)
    assert (total, views[0].order.id, views[0].items[0].unit_price) == (1, number, 20.0)
    assert parse_status("completed") is OrderStatus.FULFILLED
    assert await orders.list(admin, OrderFilter(status=OrderStatus.SHIPPED), 0, 50) == ([], 0)
    item = await orders.add_item(admin, number, NewItem(product_id=views[0].items[0].product_id))
    await orders.update_item(admin, number, item.id, {"quantity": 7})
    view = await orders.get(admin, number)
    assert [one.quantity for one in view.items] == [1, 7]
    await orders.remove_item(admin, number, item.id)
    with pytest.raises(NotFound):
        await orders.remove_item(admin, number, item.id)
    await orders.delete(admin, number)
    with pytest.raises(NotFound):
        await orders.get(admin, number)
