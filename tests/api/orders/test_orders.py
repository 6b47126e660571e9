"""Orders: the jobs that make them, once, and how far they are."""

import asyncio
from typing import Any

import pytest

from api.bus.local import LocalBus
from api.errors import Conflict, NotFound
from api.events.service import Ledger
from api.jobs.models import Job
from api.jobs.view import Around, job_fields
from api.models_library.models import LibraryModel, PrintFile
from api.orders.forms import NewComponent, NewItem, OrderFilter, OrderStatus, parse_status
from api.orders.service import Orders
from api.principal import Principal
from schemas.jobs import AttemptEvent
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


class Shelf:
    """Models straight from the rows."""

    async def get_model(self, by: Principal, model_id: int) -> LibraryModel:
        row = await LibraryModel.filter(id=model_id).first()
        if row is None:
            raise NotFound("no such model", code="model_not_found")
        return row


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
def orders(farm: Farm) -> Orders:
    shelf: Any = Shelf()
    return Orders(farm.jobs, shelf, farm.ledger, farm.clock)


async def model(farm: Farm, per_bed: int = 1) -> int:
    """A model with a file that can be printed."""
    number = await LibraryModel.all().count() + 1
    now = farm.clock.now()
    row = await LibraryModel.create(
        organization_id=1,
        name=f"part {number}",
        key=f"part {number}",
        details={"quantity_per_bed": per_bed},
        created_at=now,
        updated_at=now,
    )
    blob = await farm.blob()
    await PrintFile.create(
        organization_id=1,
        model_id=row.id,
        blob_id=blob.id,
        filename="part.gcode",
        original_filename="part.gcode",
        uploaded_at=now,
    )
    return row.id


async def ordered(farm: Farm, orders: Orders, quantity: int, *needs: tuple[int, int]) -> int:
    """An order of *quantity* of a product that *needs* (model, pieces)."""
    parts = [NewComponent(model_id=model_id, quantity_needed=n) for model_id, n in needs]
    product = await orders.products.create(farm.admin, {"name": "Lamp", "price": 20.0}, parts)
    item = NewItem(product_id=product.id, quantity=quantity)
    return (await orders.create(farm.admin, {"order_number": "A-1"}, [item])).order.id


async def printed(farm: Farm, job: Job) -> None:
    """All prints of *job*, by hand."""
    printer = await farm.printer(f"Hand {job.id}", None)
    await farm.jobs.update(farm.admin, job.id, {"printer_id": printer.id})
    for _ in range(job.quantity):
        await farm.printers.plate_cleared(farm.admin, printer.id)
        await farm.jobs.by_hand(farm.admin, job.id, AttemptEvent.STARTED)
        await farm.jobs.by_hand(farm.admin, job.id, AttemptEvent.COMPLETED)


async def test_an_order_is_made_by_its_jobs(farm: Farm, orders: Orders) -> None:
    """in_progress, partial, fulfilled: as its parts are printed, four on a bed."""
    shade, foot = await model(farm), await model(farm, per_bed=4)
    number = await ordered(farm, orders, 2, (shade, 1), (foot, 3))
    planned = await orders.schedule(farm.admin, number)
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


async def test_asked_again_only_what_is_missing_is_queued(farm: Farm, orders: Orders) -> None:
    """Nothing twice; what was cancelled comes again; a repeat of a job is nobody's."""
    part = await model(farm)
    number = await ordered(farm, orders, 3, (part, 1))
    assert len(await orders.schedule(farm.admin, number)) == 1
    assert await orders.schedule(farm.admin, number) == []
    job = (await Job.all())[0]
    await farm.jobs.repeat(farm.admin, job.id)
    assert (await orders.get(farm.admin, number)).progress.jobs_total == 1
    await farm.jobs.cancel(farm.admin, job.id)
    [again] = await orders.schedule(farm.admin, number)
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
