"""Changes on PostgreSQL: lost connections, lost commits, collisions, other writers (R20 to R23)."""

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from tortoise.connection import get_connection
from tortoise.exceptions import DBConnectionError, OperationalError

from api.accounts.models import Organization
from api.config import Settings
from api.db import (
    Busy,
    HalfDone,
    OutcomeUnknown,
    Pool,
    Transaction,
    Transient,
    open_database,
    persistently,
)
from api.events.service import Happened, Ledger
from api.postgres import PostgresClient, PostgresTransaction, translated
from tests.api.postgres.conftest import Database
from tests.fakes.database_proxy import database_proxy

Lock = Callable[[PostgresTransaction, int | None], Awaitable[int]]


@pytest.fixture
def on_postgres(database: Database, settings: Settings) -> Settings:
    return replace(settings, database_url=database.url)


async def _happen(ledger: Ledger, kind: str = "a") -> None:
    async with ledger.change(1) as change:
        change.record(Happened(organization_id=1, kind=kind))


async def _kinds(ledger: Ledger) -> list[str]:
    return [event.kind for event in await ledger.read(1, since=0, limit=500)]


async def test_ended_connections_are_replaced_before_anybody_notices(
    ledger: Ledger, database: Database
) -> None:
    """After a failover of the server the next read and the next change just work (safety R21)."""
    await _happen(ledger, "before")
    assert await database.end_backends() > 0
    assert await Organization.all().count() == 1
    await database.end_backends()
    await _happen(ledger, "after")
    assert await _kinds(ledger) == ["before", "after"]


async def test_a_select_is_asked_again_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only reads may be asked twice; what changes something is the caller's business (R21)."""
    asked: list[str] = []
    real = asyncpg.Connection.fetch

    async def fetch(self: asyncpg.Connection, query: str, *values: object) -> object:
        asked.append(query)
        if len(asked) == 1:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed")
        return await real(self, query, *values)

    monkeypatch.setattr(asyncpg.Connection, "fetch", fetch)
    assert await Organization.all().count() == 1
    assert len(asked) == 2
    asked.clear()
    with pytest.raises(DBConnectionError):
        await get_connection("default").execute_query("VALUES (1)")
    assert len(asked) == 1


async def test_a_call_whose_connection_dies_midway_is_run_again_whole(
    ledger: Ledger, database: Database
) -> None:
    """What was not committed did not happen, so doing it again does it once (safety R21)."""
    runs = 0

    async def work() -> None:
        nonlocal runs
        async with ledger.change(1) as change:
            await Organization.create(name=f"org {runs}", created_at="2026-01-01T00:00:00Z")
            change.record(Happened(organization_id=1, kind=f"run {runs}"))
            runs += 1
            if runs == 1:
                await database.end_backends()

    await persistently(work)
    assert runs == 2
    assert await _kinds(ledger) == ["run 1"]
    assert await Organization.all().count() == 2


async def test_a_call_that_has_committed_something_is_not_run_again(
    ledger: Ledger, database: Database
) -> None:
    """Its first part would be done twice."""

    async def work() -> None:
        await _happen(ledger, "first")
        async with ledger.change(1):
            await database.end_backends()

    with pytest.raises(HalfDone):
        await persistently(work)
    assert await _kinds(ledger) == ["first"]


@pytest.mark.parametrize(
    "broken", [asyncpg.ConnectionDoesNotExistError("connection was closed"), TimeoutError()]
)
@pytest.mark.parametrize("reaches_the_server", [True, False])
async def test_a_lost_answer_to_a_commit_is_found_out(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, reaches_the_server: bool, broken: Exception
) -> None:
    """The cable breaks behind COMMIT: no doubled row, no change reported as failed (safety R23).

    The same when the server only takes too long to answer.
    """
    cut = 0
    real = asyncpg.transaction.Transaction.commit

    async def commit(self: asyncpg.transaction.Transaction) -> None:
        nonlocal cut
        cut += 1
        if cut == 1:
            if reaches_the_server:
                await real(self)
            else:
                await self.rollback()
            raise broken
        await real(self)

    monkeypatch.setattr(asyncpg.transaction.Transaction, "commit", commit)
    await persistently(lambda: _happen(ledger))
    assert await _kinds(ledger) == ["a"]
    assert cut == (1 if reaches_the_server else 2)


async def test_an_unknown_outcome_is_an_error_and_not_done_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say whether it happened: better to say so than to do it twice."""
    monkeypatch.setattr("api.postgres.ASK_OUTCOME_S", (0.0,))

    async def commit(self: asyncpg.transaction.Transaction) -> None:
        raise asyncpg.ConnectionDoesNotExistError("connection was closed")

    async def outcome(self: PostgresClient, number: str) -> str:
        raise OperationalError("still away")

    monkeypatch.setattr(asyncpg.transaction.Transaction, "commit", commit)
    monkeypatch.setattr(PostgresClient, "outcome", outcome)
    with pytest.raises(OutcomeUnknown, match="outcome") as raised:
        await persistently(lambda: _happen(ledger))
    assert not isinstance(raised.value, Transient)


async def test_a_fifth_of_collisions_is_not_seen_by_callers(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serialization failures and deadlocks are tried again, at most three times (safety R22)."""
    dice = random.Random(4)
    real = PostgresTransaction.lock
    collided = 0

    async def lock(self: PostgresTransaction, organization_id: int | None, **how: bool) -> int:
        nonlocal collided
        number = await real(self, organization_id, **how)
        if dice.random() < 0.2:
            collided += 1
            raise dice.choice([asyncpg.SerializationError, asyncpg.DeadlockDetectedError])("x")
        return number

    monkeypatch.setattr("api.db.AGAIN_S", (0.0, 0.0, 0.0))
    monkeypatch.setattr(PostgresTransaction, "lock", _translating(lock))
    await asyncio.gather(*(persistently(lambda: _happen(ledger)) for _ in range(100)))
    assert len(await _kinds(ledger)) == 100
    assert collided > 10


def _translating(lock: Lock) -> Lock:
    async def wrapped(self: PostgresTransaction, organization_id: int | None, **how: bool) -> int:
        try:
            return await lock(self, organization_id, **how)
        except asyncpg.PostgresError as error:
            known = translated(error)
            assert known is not None
            raise known from error

    return wrapped


async def test_waiting_for_another_writer_ends(
    database: Database, on_postgres: Settings, ledger: Ledger
) -> None:
    """Somebody else's open change makes ours fail in time, and reads go on (safety R20)."""
    quick = await open_database(on_postgres, Pool(lock_s=0.2))
    other = await asyncpg.connect(database.url)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("SELECT pg_advisory_xact_lock(7305, 0)")
        with quick:
            with pytest.raises(Busy, match="lock timeout"):
                await _happen(ledger)
            assert await Organization.all().count() == 1
            await transaction.rollback()
            await _happen(ledger)
    finally:
        await other.close()
        await quick.close_connections()


async def test_a_statement_that_takes_too_long_says_that_the_database_is_busy(
    on_postgres: Settings,
) -> None:
    """By the server's limit, in a transaction or not; the connection serves the next one."""
    quick = await open_database(on_postgres, Pool(statement_s=0.1))
    try:
        with quick:
            with pytest.raises(Busy, match="statement timeout"):
                await get_connection("default").execute_query("SELECT pg_sleep(5)")
            with pytest.raises(Busy, match="statement timeout"):
                async with Transaction(1):
                    await get_connection("default").execute_query("SELECT pg_sleep(5)")
            assert await Organization.all().count() == 1
    finally:
        await quick.close_connections()


async def test_organizations_do_not_wait_for_each_other(ledger: Ledger) -> None:
    """A change of one organization can end while one of another is open; a farm's cannot."""
    is_open, may_end = asyncio.Event(), asyncio.Event()

    async def long_change() -> None:
        async with ledger.change(1):
            is_open.set()
            await may_end.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(long_change())
        await is_open.wait()
        async with asyncio.timeout(2), ledger.change(2) as change:
            change.record(Happened(organization_id=2, kind="b"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), ledger.change():
                pass
        may_end.set()
    assert [event.number for event in await ledger.read(2, since=0, limit=9)] == [1]


@pytest.mark.parametrize("organization", [1, None])
async def test_only_what_may_be_forgotten_does_not_wait_for_the_disk(
    on_postgres: Settings, ledger: Ledger, organization: int | None
) -> None:
    """For that one change, and not for the next one of the same connection."""

    async def waits() -> str:
        rows = await get_connection("default").execute_query_dict("SHOW synchronous_commit")
        return str(rows[0]["synchronous_commit"])

    context = await open_database(on_postgres, Pool(max_size=1))
    try:
        with context:
            await get_connection("default").execute_query("SET synchronous_commit TO on")
            for is_flushed, expected in ((True, "on"), (False, "off"), (True, "on")):
                async with ledger.change(organization, is_flushed=is_flushed):
                    assert await waits() == expected
                assert await waits() == "on"
    finally:
        await context.close_connections()


async def test_a_pool_that_is_used_up_is_an_error_in_time(
    on_postgres: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a connection for ever (safety R20)."""
    monkeypatch.setattr("api.postgres.ACQUIRE_S", 0.1)
    context = await open_database(on_postgres, Pool(max_size=1))
    try:
        with context:
            connection = get_connection("default")
            asleep = asyncio.create_task(connection.execute_query("SELECT pg_sleep(0.5)"))
            await asyncio.sleep(0.05)
            with pytest.raises(Busy, match="in time"):
                await connection.execute_query("SELECT 1")
            await asleep
    finally:
        await context.close_connections()


@pytest.mark.parametrize("is_in_transaction", [True, False])
async def test_a_server_that_is_frozen_is_busy_in_a_transaction_too(
    database: Database,
    settings: Settings,
    is_in_transaction: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Giving the connection back waits for nobody and hides no reason (safety R20)."""
    monkeypatch.setattr("api.postgres.ACQUIRE_S", 0.5)  # shorter than a word is waited for, as ours
    with tempfile.TemporaryDirectory(prefix="gantry-") as short:
        async with database_proxy(Path(short), database.url) as proxy:
            through = replace(settings, database_url=proxy.url)
            context = await open_database(through, Pool(statement_s=0.1))
            with context:
                assert await Organization.all().count() == 1
                proxy.fall_silent()
                started = time.monotonic()
                with pytest.raises(Busy, match="in time"):
                    if is_in_transaction:
                        async with Transaction(1):
                            raise AssertionError("nobody has answered")
                    else:
                        await get_connection("default").execute_query("SELECT 1")
                assert time.monotonic() - started < 4
                await proxy.open()
                assert await Organization.all().count() == 1
                async with Transaction(1):
                    assert await Organization.all().count() == 1
            await context.close_connections()
