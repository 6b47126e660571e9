"""Maintenance: when a task is due, on which printers, and what a log changes."""

from datetime import timedelta

import pytest

from api.bus.local import LocalBus
from api.errors import Invalid, NotFound
from api.events.models import Event
from api.events.service import Ledger
from api.maintenance.service import Maintenance, MaintenanceTask, NewLog
from api.principal import Principal
from api.printers.models import Printer
from api.printers.view import printer_fields
from api.telemetry.service import LiveView
from schemas.jobs import AttemptEvent
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
def maintenance(farm: Farm) -> Maintenance:
    return Maintenance(farm.printers, farm.ledger, farm.clock)


async def printed(farm: Farm, printer: Printer, hours: float) -> None:
    """A print of *hours* on *printer*."""
    job = await farm.job(printer)
    await farm.jobs.start_explicit(farm.admin, job)
    await farm.run(printer, AttemptEvent.STARTED)
    farm.clock.advance(hours * 3600)
    await farm.run(printer, AttemptEvent.COMPLETED)
    await farm.printers.plate_cleared(farm.admin, printer.id)


async def task(maintenance: Maintenance, admin: Principal, **values: object) -> MaintenanceTask:
    return await maintenance.create_task(admin, {"name": "Oil it", **values})


async def overdue(maintenance: Maintenance, admin: Principal) -> list[int]:
    return [row.id for row in await maintenance.tasks(admin, overdue=True)]


async def test_print_hours_make_a_task_due(
    farm: Farm, maintenance: Maintenance, admin: Principal
) -> None:
    """80 % is soon, 100 % overdue and said once; a log begins anew."""
    printer = await farm.printer()
    row = await task(maintenance, admin, interval_print_hours=10)
    await printed(farm, printer, 8)
    [(_, [due])] = await maintenance.status(admin)
    assert (due.status, due.percent, due.hours_since) == ("due_soon", 80.0, 8.0)
    assert await overdue(maintenance, admin) == []
    await printed(farm, printer, 3)
    await printed(farm, printer, 3)
    assert await overdue(maintenance, admin) == [row.id]
    assert (await farm.kinds()).count("maintenance.overdue") == 1
    [log] = await maintenance.log(admin, NewLog(task_id=row.id, notes="done"))
    assert (log.printer_id, log.task_name, log.print_hours_at_service) == (
        *(printer.id, "Oil it"),
        14.0,
    )
    assert await overdue(maintenance, admin) == []


async def test_days_make_a_task_due(farm: Farm, maintenance: Maintenance, admin: Principal) -> None:
    """Since the printer was made, or since it was done."""
    await farm.printer()
    row = await task(maintenance, admin, interval_days=7)
    farm.clock.advance(timedelta(days=7).total_seconds())
    assert await overdue(maintenance, admin) == [row.id]
    await maintenance.update_task(admin, row.id, {"is_active": False})
    assert await overdue(maintenance, admin) == []


async def test_a_task_alone_is_done_where_it_is_overdue(
    farm: Farm, maintenance: Maintenance, admin: Principal
) -> None:
    """The printers that are late, else all that it is for; none of these is refused (ours)."""
    one = await farm.printer("One", "virtual:one")
    two = await farm.printer("Two", "virtual:two")
    row = await task(maintenance, admin, interval_print_hours=5)
    logs = await maintenance.log(admin, NewLog(task_id=row.id))
    assert [log.printer_id for log in logs] == [one.id, two.id]
    await printed(farm, two, 6)
    [log] = await maintenance.log(admin, NewLog(task_id=row.id))
    assert log.printer_id == two.id
    other = await task(maintenance, admin, printer_model_filter="MK4")
    with pytest.raises(Invalid, match="printer_id"):
        await maintenance.log(admin, NewLog(task_id=other.id))
    await farm.printers.update(admin, one.id, {"model": "Prusa mk4s"})
    [log] = await maintenance.log(admin, NewLog(task_id=other.id))
    assert log.printer_id == one.id


async def test_what_was_done_needs_a_name_and_a_place(
    farm: Farm, maintenance: Maintenance, admin: Principal
) -> None:
    """Without a task both; of a task that is gone nothing."""
    printer = await farm.printer()
    with pytest.raises(Invalid, match="task_name"):
        await maintenance.log(admin, NewLog(printer_id=printer.id))
    with pytest.raises(Invalid, match="printer_id"):
        await maintenance.log(admin, NewLog(task_name="wiped"))
    [log] = await maintenance.log(admin, NewLog(printer_id=printer.id, task_name="wiped"))
    await maintenance.delete_log(admin, log.id)
    assert await maintenance.logs(admin, None, 0, 50) == ([], 0)
    row = await task(maintenance, admin)
    await maintenance.delete_task(admin, row.id)
    with pytest.raises(NotFound):
        await maintenance.log(admin, NewLog(task_id=row.id))


async def test_the_usual_tasks_come_once(maintenance: Maintenance, admin: Principal) -> None:
    """(made, there already)."""
    assert await maintenance.add_defaults(admin) == (11, 0)
    assert await maintenance.add_defaults(admin) == (0, 11)


async def test_days_make_a_task_overdue_and_that_is_told_once(
    farm: Farm, maintenance: Maintenance, admin: Principal
) -> None:
    """Without any print: once when its days have passed, again only after it was done and is late.

    A printer that is not for it, and one that is disabled, is not told of.
    """
    printer = await farm.printer("One", "virtual:one")
    idle = await farm.printer("Two", "virtual:two")
    await farm.printers.update(admin, idle.id, {"is_active": False})
    row = await task(maintenance, admin, interval_days=30)
    await task(maintenance, admin, interval_days=1, printer_model_filter="Voron")
    farm.clock.advance(29 * 86400)
    assert await maintenance.overdue.step() == 0
    farm.clock.advance(86400)
    assert await maintenance.overdue.step() == 1
    await printed(farm, printer, 1)
    assert await maintenance.overdue.step() == 0
    [told] = await Event.filter(kind="maintenance.overdue")
    assert (told.printer_id, told.data["task_id"], told.data["printer_name"]) == (
        *(printer.id, row.id),
        "One",
    )
    await maintenance.log(admin, NewLog(task_id=row.id))
    assert await maintenance.overdue.step() == 0
    farm.clock.advance(31 * 86400)
    assert await maintenance.overdue.step() == 1
    assert await Event.filter(kind="maintenance.overdue").count() == 2


async def test_a_printer_shows_what_it_printed_since_somebody_looked_after_it(
    farm: Farm, maintenance: Maintenance, admin: Principal
) -> None:
    """v1 2.3, PrinterResponse: hours and prints since maintenance; null before the first time, and
    as before when a log turns out to be wrong.
    """
    printer = await farm.printer()
    nothing = LiveView(live=None, online=False, age_s=None)

    async def since() -> tuple[float | None, int | None]:
        shown = printer_fields(await farm.row(printer), nothing, None, None)
        return shown["hours_since_maintenance"], shown["prints_since_maintenance"]

    await printed(farm, printer, 2)
    assert await since() == (None, None)
    done = NewLog(printer_id=printer.id, task_name="Oil it")
    [first] = await maintenance.log(admin, done)
    assert await since() == (0.0, 0)
    await printed(farm, printer, 3)
    assert await since() == (3.0, 1)
    [second] = await maintenance.log(admin, done)
    assert await since() == (0.0, 0)
    await maintenance.delete_log(admin, second.id)
    assert await since() == (3.0, None)
    await maintenance.delete_log(admin, first.id)
    assert await since() == (None, None)
