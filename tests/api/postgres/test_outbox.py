"""Lost wake-ups come by the outbox (safety R31)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from api.bus.shared import Received, SharedBus
from api.events import outbox
from api.events.models import Outbox
from api.events.outbox import Repair
from api.events.service import Ledger
from tests.api.conftest import FakeClock
from tests.api.postgres.conftest import Database


class Silence:
    """A channel that takes everything and brings nothing."""

    max_bytes = 1000

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        opened()
        await asyncio.Event().wait()

    async def publish(self, messages: Sequence[bytes]) -> None:
        pass

    async def close(self) -> None:
        pass


@asynccontextmanager
async def two() -> AsyncIterator[tuple[SharedBus, SharedBus]]:
    """The buses of two processes that hear nothing of each other."""
    here, there = SharedBus(Silence()), SharedBus(Silence())
    await here.start()
    await there.start()
    yield here, there
    await here.stop()
    await there.stop()


async def test_a_lost_wake_up_is_found_once(clock: FakeClock, database: Database) -> None:
    """The other process wakes by the row, and by the same row only once; we do not wake again."""
    async with two() as (here, there):
        ledger = Ledger(here, clock)
        repair, own = Repair(there, clock), Repair(here, clock)
        await repair.look()
        await own.look()
        with there.listen("bridge:1") as listener, here.listen("bridge:1") as near:
            async with ledger.change(1) as change:
                change.wake("bridge:1")
            near.take()
            assert await repair.look() == 1
            assert listener.take()
            assert await repair.look() == 0
            assert await own.look() == 0
            assert not near.rang


async def test_what_came_by_the_bus_is_not_woken_again(
    clock: FakeClock, database: Database
) -> None:
    """A look is a question to the database; nobody asks twice for one change."""
    async with two() as (here, there):
        repair = Repair(there, clock)
        await repair.look()
        async with Ledger(here, clock).change(1) as change:
            change.wake("bridge:1")
        there.heard.add((await Outbox.all())[0].number)
        assert await repair.look() == 0


async def test_a_change_that_commits_late_is_not_skipped(
    clock: FakeClock, database: Database
) -> None:
    """Transactions end in another order than they begin: one that was open is looked for again."""
    async with two() as (here, there):
        repair = Repair(there, clock)
        await repair.look()
        slow = await asyncpg.connect(database.url)
        try:
            transaction = slow.transaction()
            await transaction.start()
            await slow.execute(
                "INSERT INTO outbox (number, origin, names, at) VALUES "
                "(pg_current_xact_id()::text::bigint, 'x', '[\"late\"]', now())"
            )
            async with Ledger(here, clock).change(1) as change:
                change.wake("early")
            with there.listen("late") as late:
                assert await repair.look() == 1
                assert not late.rang
                await transaction.commit()
                assert await repair.look() == 1
                assert late.rang
        finally:
            await slow.close()


async def test_while_the_bus_is_known_to_be_away_the_outbox_is_looked_at_often(
    clock: FakeClock, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to wait for the next of the rare looks (safety R30)."""
    monkeypatch.setattr(outbox, "LOOK_EVERY_S", 3600.0)
    monkeypatch.setattr(outbox, "LOOK_OFTEN_S", 0.01)
    here, there = SharedBus(Silence()), SharedBus(Silence())  # not started: nothing is open
    looking = asyncio.create_task(Repair(there, clock).run())
    try:
        for name in ("first", "second"):
            with there.listen(name) as waiting:
                async with Ledger(here, clock).change(1) as change:
                    change.wake(name)
                assert await waiting.wait(20)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def test_old_rows_are_swept(clock: FakeClock, database: Database) -> None:
    """The outbox holds a minute."""
    async with two() as (here, there):
        repair = Repair(there, clock)
        await repair.look()
        async with Ledger(here, clock).change(1) as change:
            change.wake("a")
        await repair.look()
        assert await Outbox.all().count() == 1
        clock.advance(timedelta(minutes=2).total_seconds())
        await repair.look()
        assert await Outbox.all().count() == 0
