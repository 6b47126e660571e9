"""A PostgreSQL that takes no changes, or cannot be used at all."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from tortoise.exceptions import OperationalError

from api.accounts.models import Organization
from api.config import Settings
from api.db import DatabaseUnusable
from api.events.service import Happened, Ledger
from api.migrate import MigrationFailed, migrate, pending
from api.readiness import FULL, READ_ONLY, Readiness
from tests.api.postgres.conftest import Database


async def test_a_read_only_database_is_read_and_changes_wait(
    database: Database, ledger: Ledger
) -> None:
    """Readiness names the setting; when changes are taken again, so are ours (safety R21, R25)."""
    readiness = Readiness()
    assert await readiness.problems() == []
    make = f"ALTER DATABASE {database.name} SET default_transaction_read_only"
    await database.server.run(f"{make} = on")
    await database.end_backends()
    try:
        assert await Organization.all().count() == 1
        assert await readiness.problems() == [READ_ONLY]
        with pytest.raises(OperationalError):
            async with ledger.change(1) as change:
                change.record(Happened(organization_id=1, kind="a"))
    finally:
        await database.server.run(f"{make} = off")
        await database.end_backends()
    async with ledger.change(1) as change:
        change.record(Happened(organization_id=1, kind="b"))
    assert [event.kind for event in await ledger.read(1, 0, 9)] == ["b"]
    assert await readiness.problems() == []


async def test_a_database_that_is_not_there_is_named(
    database: Database, settings: Settings
) -> None:
    """One line that says where, and no password."""
    url = database.server.url("no_such_database").replace("postgres:@", "postgres:s3cret@")
    with pytest.raises(DatabaseUnusable, match="no_such_database") as raised:
        await pending(replace(settings, database_url=url))
    assert "s3cret" not in str(raised.value)


@pytest.fixture
async def guest(database: Database) -> AsyncIterator[str]:
    """The name of a user that may log in and nothing else."""
    await database.server.run("CREATE ROLE guest LOGIN PASSWORD 'gu3st-pass'")
    yield "guest"
    await database.server.run("DROP OWNED BY guest", database=database.name)
    await database.server.run("DROP ROLE guest")


async def _refusal(settings: Settings, url: str) -> str:
    with pytest.raises((DatabaseUnusable, MigrationFailed)) as raised:
        await migrate(replace(settings, database_url=url))
    text = str(raised.value)
    assert "\n" not in text and "s3cret" not in text and "gu3st-pass" not in text
    return text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("postgres:@", "nobody:s3cret@"), "does not take this user and password"),
        (("/postgres?", "/missing?"), "there is no such database"),
        (("host=", "host=/nowhere/at-all&x="), "nobody answers there"),
    ],
)
async def test_what_is_wrong_with_a_url_is_one_line(
    database: Database, settings: Settings, change: tuple[str, str], words: str
) -> None:
    """The setting, what is wrong and what to do; no password, no trace."""
    url = database.server.url("postgres").replace(*change)
    text = await _refusal(settings, url)
    assert words in text and "GANTRY_DATABASE_URL" in text


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((b"N",), "speaks no PostgreSQL, or none with this sslmode"),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "speaks no PostgreSQL, or none with this sslmode"),
        ((b"S", b"and then no TLS at all"), "see sslmode and sslrootcert"),
    ],
)
async def test_somebody_else_who_answers_is_not_taken_for_nobody(
    settings: Settings, answers: tuple[bytes, ...], words: str
) -> None:
    """A server without TLS, a web server, and one whose TLS is not to be had."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(4096)
            writer.write(answer)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://gantry:s3cret@127.0.0.1:{port}/farm?sslmode=require"
        assert words in await _refusal(settings, url)


async def test_a_user_without_rights_is_told_so(
    database: Database, settings: Settings, guest: str
) -> None:
    """The migration says what the user needs."""
    name = await database.server.new_database()
    url = database.server.url(name).replace("postgres:@", f"{guest}:gu3st-pass@")
    assert "lacks rights" in await _refusal(settings, url)


async def test_a_server_that_is_too_old_is_refused(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked that it does not know."""
    monkeypatch.setattr("api.postgres_trouble.OLDEST", 99)
    assert "needs 99 or newer" in await _refusal(settings, database.url)


async def test_a_full_disk_is_503_and_over_when_there_is_room(
    database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads go on, the change fails whole, and the next one works (safety R25)."""
    full = True
    real = asyncpg.Connection.execute

    async def execute(self: asyncpg.Connection, query: str, *values: object, **more: Any) -> Any:
        if full and query.startswith(("INSERT", "UPDATE")):
            raise asyncpg.DiskFullError('could not extend file "base/1/2": No space left on device')
        return await real(self, query, *values, **more)

    async def happen(kind: str) -> None:
        async with ledger.change(1) as change:
            await Organization.filter(id=1).update(name=kind)
            change.record(Happened(organization_id=1, kind=kind))

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    with pytest.raises(OperationalError, match="No space left") as raised:
        await happen("lost")
    assert await Organization.all().count() == 1
    assert await ledger.read(1, 0, 9) == []
    readiness = Readiness()
    readiness.failed(raised.value)
    assert await readiness.problems() == [FULL]
    full = False
    await happen("kept")
    monkeypatch.setattr("api.readiness.FULL_S", 0.0)
    readiness.failed(raised.value)
    assert await readiness.problems() == []
    assert [event.kind for event in await ledger.read(1, 0, 9)] == ["kept"]
