"""Starting a job locks its row and its printer's; a row that somebody else holds is skipped."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from api.bus.local import LocalBus
from api.errors import Conflict
from api.events.service import Ledger
from api.jobs.models import Attempt
from api.principal import Principal
from tests.api.conftest import FakeClock
from tests.api.postgres.conftest import Database
from tests.fakes.farm import Farm


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@asynccontextmanager
async def held(database: Database, table: str, number: int) -> AsyncIterator[None]:
    """Somebody with a console has locked a row and went for a coffee (safety R20)."""
    other = await asyncpg.connect(database.url)
    try:
        async with other.transaction():
            await other.execute(f"SELECT id FROM {table} WHERE id = $1 FOR UPDATE", number)
            yield
    finally:
        await other.close()


async def test_the_queue_leaves_out_a_job_that_is_locked(database: Database, farm: Farm) -> None:
    """Nobody waits for it: the next job starts at once, this one when it is let go, both once."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    first, second = await farm.job(priority=0), await farm.job(two)
    async with held(database, "job", first.id):
        assert await farm.scheduler.step() == 1
        assert (await farm.job_now(first)).state == "pending"
        assert (await farm.job_now(second)).printer_id == two.id
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(first)).printer_id == one.id
    assert await farm.scheduler.step() == 0
    assert await Attempt.all().count() == 2


async def test_the_queue_leaves_out_a_printer_that_is_locked(
    database: Database, farm: Farm
) -> None:
    """Its job waits, those of other printers start."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    first, second = await farm.job(one, priority=0), await farm.job(two)
    async with held(database, "printer", one.id):
        assert await farm.scheduler.step() == 1
        assert (await farm.job_now(second)).printer_id == two.id
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(first)).printer_id == one.id


@pytest.mark.parametrize("table", ["job", "printer"])
async def test_a_person_is_told_and_nothing_has_changed(
    database: Database, farm: Farm, table: str
) -> None:
    """A conflict at once instead of a second of waiting and a timeout."""
    printer = await farm.printer()
    job = await farm.job(printer)
    number = job.id if table == "job" else printer.id
    async with held(database, table, number):
        with pytest.raises(Conflict, match="being changed at this moment"):
            await farm.jobs.start_explicit(farm.admin, job)
        assert await Attempt.all().count() == 0
    attempt = await farm.jobs.start_explicit(farm.admin, job)
    assert attempt.printer_id == printer.id
