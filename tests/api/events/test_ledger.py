"""The ledger: rows, events and wake-ups of one change."""

import asyncio

import pytest

from api.bus.local import LocalBus
from api.events.service import Happened, Ledger


async def test_events_are_numbered_without_gaps_per_organization(ledger: Ledger) -> None:
    """A cursor over one organization never skips a number, whatever others do."""
    for turn in range(3):
        async with ledger.change() as change:
            change.record(Happened(organization_id=1, kind=f"a.{turn}"))
            change.record(Happened(organization_id=2, kind=f"b.{turn}"))
    mine = await ledger.read(1, since=0, limit=10)
    assert [(event.number, event.kind) for event in mine] == [(1, "a.0"), (2, "a.1"), (3, "a.2")]
    assert [event.number for event in await ledger.read(1, since=2, limit=10)] == [3]


async def test_failed_change_writes_nothing_and_wakes_nobody(ledger: Ledger, bus: LocalBus) -> None:
    """An exception rolls the events back and keeps the wake-ups in."""
    with bus.listen("events:1") as listener:
        with pytest.raises(RuntimeError, match="midway"):
            async with ledger.change() as change:
                change.record(Happened(organization_id=1, kind="a"))
                raise RuntimeError("midway")
        assert not await listener.wait(0)
    assert await ledger.read(1, since=0, limit=10) == []


async def test_wake_up_comes_after_the_commit(ledger: Ledger, bus: LocalBus) -> None:
    """Whoever is woken finds the rows."""
    with bus.listen("events:1") as listener:
        async with ledger.change() as change:
            change.record(Happened(organization_id=1, kind="a"))
            assert not await listener.wait(0)
        assert await listener.wait(1)
        assert len(await ledger.read(1, since=0, limit=10)) == 1


async def test_concurrent_changes_get_their_own_numbers(ledger: Ledger) -> None:
    """Twenty writers at once: twenty numbers, none twice."""

    async def write(turn: int) -> None:
        async with ledger.change() as change:
            change.record(Happened(organization_id=1, kind=f"a.{turn}"))

    await asyncio.gather(*(write(turn) for turn in range(20)))
    numbers = [event.number for event in await ledger.read(1, since=0, limit=50)]
    assert numbers == list(range(1, 21))


async def test_a_change_cancelled_at_any_point_locks_nobody_out(ledger: Ledger) -> None:
    """A client that goes away cancels its request: the next one still gets its transaction."""

    async def work() -> None:
        async with ledger.change():
            await asyncio.sleep(0)

    for steps in range(30):
        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(5), ledger.change() as change:
            change.record(Happened(organization_id=1, kind=f"after.{steps}"))
    assert len(await ledger.read(1, since=0, limit=100)) == 30
