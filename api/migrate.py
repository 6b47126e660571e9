"""``python -m api.migrate``: bring the database's tables up to date.

exit status: 0 the tables are up to date (now or already), 1 a migration failed, 2 wrong arguments
or settings, 5 the database cannot be opened or written. Two runs at once are safe: the second
waits for the first and finds nothing to do.

Processes of the version before may go on while a migration runs if it only adds (expand); what
they still use is taken away by the version after (contract). The exception is said in CHANGELOG:
`0002` moves the names of files, so processes of the first release are stopped before it. A process
never starts on tables of a later version than its own.

Whoever waits for a table keeps everybody out who comes later, so a migration waits for less than a
second, gives everything back and tries again (safety R49).
"""

import argparse
import asyncio
import fcntl
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.connection import get_connection
from tortoise.exceptions import BaseORMException, DBConnectionError, OperationalError

from api import migrations
from api.config import SettingError, Settings, load
from api.db import Busy, DatabaseUnusable, Pool, Transient, open_database, tortoise_config
from api.schema_states import Executor

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DATABASE = 5
LOCK_NUMBER = 4_702_394_157  # of PostgreSQL's advisory lock: any number, as long as it is ours
#: As long as a migration has the database, and as short as others can wait for its tables.
POOL = Pool(max_size=2, statement_s=0, lock_s=0.8)
OLDER = (
    "the tables of the database (GANTRY_DATABASE_URL) are of an earlier version: "
    "invoke the migrate function, or run python -m api.migrate"
)
LATER = "the tables of the database (GANTRY_DATABASE_URL) are of a later version ({}): deploy that"
_APPLIED = "SELECT name FROM tortoise_migrations WHERE app = 'farm'"
AGAIN_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # pauses before a table is asked for again


class MigrationFailed(RuntimeError):
    """A migration could not be applied; the text says which and why."""


def place(settings: Settings) -> str:
    """Where the database is, for people: without a password."""
    url = urlsplit(settings.database)
    if url.scheme == "sqlite":
        return url.netloc + url.path
    return f"{url.scheme}://{url.hostname or ''}{url.path}"


def command(settings: Settings) -> str:
    """What brings this database up to date."""
    if settings.database_url:
        return "python -m api.migrate --database-url …"
    return f"python -m api.migrate --data {settings.data_dir}"


async def pending(settings: Settings) -> list[str]:
    """The names of the migrations that this database lacks. Raises `DatabaseUnusable`."""
    async with _opened(settings) as connection:
        return await _missing(connection, settings)


async def misfit() -> str | None:
    """Why this version cannot work on the tables of the open database; None: it can.

    By the names of what was applied alone: a cloud function has no time for more. Raises what a
    database raises that does not answer.
    """
    try:
        rows = await get_connection("default").execute_query_dict(_APPLIED)
    except DBConnectionError:
        raise
    except OperationalError:
        rows = []  # not even the list is there
    applied = {row["name"] for row in rows}
    known = {path.stem for path in Path(migrations.__file__).parent.glob("[0-9]*.py")}
    if later := applied - known:
        return LATER.format(max(later))
    return OLDER if known - applied else None


async def migrate(settings: Settings) -> list[str]:
    """Apply what is missing; the names of what was applied.

    Raises `DatabaseUnusable`, `MigrationFailed`.
    """
    async with _opened(settings) as connection:
        await _missing(connection, settings)  # says it well when the database cannot be reached
        return await _apply(connection, settings)


async def _apply(connection: BaseDBAsyncClient, settings: Settings) -> list[str]:
    async with _alone(connection, settings):
        missing = await _missing(connection, settings)
        if not missing:
            return []
        try:
            await _forward(connection, settings)
        except _trouble(settings) as error:
            why = _explained(settings, error)
            raise MigrationFailed(f"{missing[0]} or a later migration failed: {why}") from error
        return missing


async def _forward(connection: BaseDBAsyncClient, settings: Settings) -> None:
    executor = _executor(connection, settings)
    for pause_s in AGAIN_S:
        try:
            await executor.forward()
        except (Busy, Transient):
            await asyncio.sleep(pause_s)
        else:
            return
    await executor.forward()


async def _missing(connection: BaseDBAsyncClient, settings: Settings) -> list[str]:
    try:
        await connection.execute_query("SELECT 1")
        await _check_server(connection, settings)
        executor = _executor(connection, settings)
        missing = [step.migration.name for step in await executor.plan()]
        await _check_not_later(executor, settings)
    except _trouble(settings) as error:
        raise _unusable(settings, _explained(settings, error)) from error
    return missing


async def _check_server(connection: BaseDBAsyncClient, settings: Settings) -> None:
    if not settings.uses_postgres:
        return
    from api.postgres_trouble import too_old

    _, rows = await connection.execute_query("SHOW server_version_num")
    if (why := too_old(int(rows[0][0]))) is not None:
        raise _unusable(settings, why)


async def _check_not_later(executor: Executor, settings: Settings) -> None:
    known = {(key.app_label, key.name) for key in executor.loader.graph.nodes}
    applied = await executor.recorder.applied_migrations()
    later = sorted(key.name for key in applied if (key.app_label, key.name) not in known)
    if later:
        raise _unusable(settings, f"its tables are of a later version ({later[-1]}); start that")


def _unusable(settings: Settings, why: str) -> DatabaseUnusable:
    setting = " (GANTRY_DATABASE_URL)" if settings.database_url else ""
    return DatabaseUnusable(f"cannot use the database {place(settings)}{setting}: {why}")


def _explained(settings: Settings, error: Exception) -> str:
    if not settings.uses_postgres:
        return str(error)
    from api.postgres_trouble import explained

    return explained(error)


def _trouble(settings: Settings) -> tuple[type[Exception], ...]:
    """What opening a database raises; not everything goes through Tortoise's own errors."""
    if not settings.uses_postgres:
        return BaseORMException, OSError, sqlite3.Error
    from api.postgres_trouble import kinds

    return kinds()


def _executor(connection: BaseDBAsyncClient, settings: Settings) -> Executor:
    return Executor(connection, tortoise_config(settings.database)["apps"])


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[BaseDBAsyncClient]:
    context = await open_database(settings, POOL)
    try:
        with context:
            yield get_connection("default")
    finally:
        await context.close_connections()


@asynccontextmanager
async def _alone(connection: BaseDBAsyncClient, settings: Settings) -> AsyncIterator[None]:
    """Hold the one lock of everybody who migrates this database."""
    url = urlsplit(settings.database)
    if url.scheme != "sqlite":
        # A lock of the session: it ends when the connection is closed. For it there is time.
        await connection.execute_script(
            f"SET lock_timeout = 0; SELECT pg_advisory_lock({LOCK_NUMBER}); RESET lock_timeout"
        )
        yield
        return
    path = Path(url.netloc + url.path + ".migrating")
    with await asyncio.to_thread(path.open, "wb") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m api.migrate", description="Bring the database's tables up to date."
    )
    parser.add_argument("--data", type=Path, help="data directory (GANTRY_DATA_DIR; ./data)")
    parser.add_argument("--database-url", help="instead of SQLite there (GANTRY_DATABASE_URL)")
    given = parser.parse_args(arguments)
    os.umask(0o077)  # the database is for this user alone
    try:
        settings = load(data_dir=given.data, database_url=given.database_url)
        applied = asyncio.run(migrate(settings))
    except SettingError as error:
        return _fail(str(error), EXIT_USAGE)
    except DatabaseUnusable as error:
        return _fail(str(error), EXIT_DATABASE)
    except MigrationFailed as error:
        return _fail(f"{place(settings)}: {error}", EXIT_FAILED)
    for name in applied:
        sys.stdout.write(f"applied {name}\n")
    sys.stdout.write(f"{place(settings)} is up to date\n")
    return 0


def _fail(text: str, status: int) -> int:
    sys.stderr.write(f"api.migrate: {text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
