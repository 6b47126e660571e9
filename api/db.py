"""The database: Tortoise's context, its configuration and its migrations.

The context that `Tortoise.init()` returns is entered around the app for every request and task
(tortoise's own Quart integration answers 500 on every request).

SQLite has one writer, this process. PostgreSQL has many processes: every change begins with an
advisory lock (`Transaction`), so that what it reads is still true when it writes, and a change that
collided nevertheless, or lost its connection before the commit, is run again (`persistently`).
"""

import asyncio
import random
import sqlite3
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tortoise import Tortoise
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.exceptions import (
    DBConnectionError,
    OperationalError,
    TransactionManagementError,
)
from tortoise.transactions import in_transaction

from api.config import Settings, load
from api.folders import make_writable
from api.logs import hush

MODELS = [
    "api.accounts.models",
    "api.policies.models",
    "api.mail.models",
    "api.bridges.models",
    "api.pairing.models",
    "api.printers.models",
    "api.pools.models",
    "api.files.models",
    "api.models_library.models",
    "api.commands.models",
    "api.jobs.models",
    "api.scheduler.models",
    "api.spools.models",
    "api.alerts.models",
    "api.alerts.preference_models",
    "api.webhooks.models",
    "api.push.models",
    "api.maintenance.models",
    "api.orders.models",
    "api.archives.models",
    "api.projects.models",
    "api.reports.models",
    "api.telemetry.models",
    "api.events.models",
    "api.gateway.models",
    "api.idempotency.models",
    "api.octoprint.models",
]


class DatabaseUnusable(RuntimeError):
    """The database cannot be opened or written; the text says where it is and what to do."""


class Transient(OperationalError):
    """A transaction certainly changed nothing, and may succeed when it is run again."""


class Busy(OperationalError):
    """The database had no time or no room for it now: a limit of time, of connections, of space.

    A read may be asked again, and of the transaction in which it was raised nothing happened.
    """


class OutcomeUnknown(OperationalError):
    """The database went away during a commit: what was to be changed is changed, or it is not."""


class HalfDone(OperationalError):
    """The database was of no use to a call that had committed something; its cause says why."""


class Unstorable(OperationalError):
    """A value that no column can hold: whoever sent it is wrong, and the database is well."""


#: SQLite's words for what passes: somebody else has the file locked, or the disk is full.
_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


def in_our_words(error: sqlite3.OperationalError) -> OperationalError:
    """What *error* of SQLite is to the ORM's users; nothing of its transaction is kept."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return Busy(error) if code & 0xFF in _SQLITE_BUSY else OperationalError(error)


#: What may have passed when it is tried again a little later.
PASSING = (Transient, Busy, HalfDone, DBConnectionError)


@dataclass(slots=True)
class _Call:
    """One run of what `persistently` was given."""

    has_committed: bool = False


#: So much longer than a statement may take, PostgreSQL's own word for it is waited for.
SILENCE_S = 1.0
#: Pauses before a call is run again, in seconds, each drawn between half and one and a half of it.
AGAIN_S = (0.02, 0.1, 0.3)
BEGIN_AGAIN_S = (0.0, 0.05, 0.3)

_call: ContextVar[_Call | None] = ContextVar("database_call", default=None)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """How PostgreSQL is used by one process. Times in seconds; 0 for a time: no limit."""

    min_size: int = 1
    max_size: int = 10
    statement_s: float = 5.0
    lock_s: float = 3.0


#: For commands that may take long and have the database for themselves.
PATIENT = Pool(max_size=2, statement_s=0, lock_s=0)


def tortoise_config(url: str, pool: Pool | None = None) -> dict[str, Any]:
    """The configuration for *url*; times are UTC and aware."""
    return {
        "connections": {"default": _connection(url, pool or Pool())},
        "apps": {
            "farm": {
                "models": MODELS,
                "migrations": "api.migrations",
                "default_connection": "default",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def is_postgres(url: str) -> bool:
    """Whether *url* (as `Settings.database` gives it) names PostgreSQL."""
    return urlsplit(url).scheme == "asyncpg"


def _connection(url: str, pool: Pool) -> dict[str, Any]:
    if not is_postgres(url):
        return {**expand_db_url(url), "engine": "api.sqlite"}
    dsn = "postgresql" + url[len("asyncpg") :]
    credentials = {
        "dsn": dsn,
        "minsize": pool.min_size,
        "maxsize": pool.max_size,
        # The server keeps the time itself; a server that has fallen silent does not.
        "command_timeout": pool.statement_s + SILENCE_S if pool.statement_s else None,
        "server_settings": {
            "application_name": "gantry",
            "timezone": "UTC",
            "statement_timeout": str(round(pool.statement_s * 1000)),
            "lock_timeout": str(round(pool.lock_s * 1000)),
            # A process that is frozen inside a transaction must not keep others out for ever.
            "idle_in_transaction_session_timeout": "10000" if pool.statement_s else "0",
        },
    }
    if "target_session_attrs" not in urlsplit(url).query:
        credentials["target_session_attrs"] = "primary"  # a standby decides nothing
    return {"engine": "api.postgres", "credentials": credentials}


def has_other_writers() -> bool:
    """Whether other processes may write to the open database."""
    return get_connection("default").capabilities.dialect == "postgres"


async def persistently(
    work: Callable[[], Awaitable[T]], *, again_s: Sequence[float] = AGAIN_S
) -> T:
    """What *work* returns; it is run again, after *again_s*, when it raises `Transient`.

    Only while none of its transactions was committed: until then it has done nothing. What it
    does beside the database must bear being done twice. Raises `HalfDone` for what is passing when
    something was committed before it.
    """
    if _call.get() is not None:
        return await work()
    for pause_s in (*again_s, None):
        call = _Call()
        token = _call.set(call)
        try:
            return await work()
        except PASSING as error:
            if call.has_committed:
                raise HalfDone(error) from error
            if pause_s is None or not isinstance(error, Transient):
                raise
        finally:
            _call.reset(token)
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 — jitter
    raise AssertionError("the last run returns or raises")


@contextmanager
def set_apart() -> Iterator[None]:
    """What is committed in this block is not part of the work that `persistently` runs again."""
    token = _call.set(None)
    try:
        yield
    finally:
        _call.reset(token)


def __getattr__(name: str) -> dict[str, Any]:
    """`TORTOISE_ORM`, for `tortoise -c api.db.TORTOISE_ORM makemigrations`.

    Made when it is asked for: a wrong setting must not end the import of this module.
    """
    if name == "TORTOISE_ORM":
        return tortoise_config(load().database)
    raise AttributeError(name)


class Transaction:
    """A transaction of the one writer of an organization, or of the whole farm (None).

    Safe against being cancelled while it begins: Tortoise takes its lock (or a connection from the
    pool) before BEGIN and gives it back only after a whole entry, so a request whose client goes
    away in between would lock everybody out. A connection that turns out to be dead is replaced.

    *is_flushed* False: a PostgreSQL whose machine dies within a second may have forgotten it,
    though nothing that was committed later; all others see it at once.
    """

    def __init__(self, organization_id: int | None = None, *, is_flushed: bool = True) -> None:
        self.number: int | None = None  # as PostgreSQL counts; None on SQLite
        self._organization_id = organization_id
        self._is_flushed = is_flushed
        self._context = in_transaction()

    async def __aenter__(self) -> "Transaction":
        for pause_s in BEGIN_AGAIN_S:
            try:
                await self._begin()
            except (Transient, DBConnectionError):
                self._context = in_transaction()
            else:
                return self
            await asyncio.sleep(pause_s)
        await self._begin()
        return self

    async def _begin(self) -> None:
        begun = False
        try:
            client: Any = await self._context.__aenter__()
            if has_other_writers():
                self.number = await client.lock(self._organization_id, is_flushed=self._is_flushed)
            begun = True
        except TransactionManagementError as failed:
            cause = failed.__context__
            if isinstance(cause, sqlite3.OperationalError):  # SQLite's disk refused
                raise in_our_words(cause) from failed
            raise
        finally:
            if not begun and hasattr(self._context, "token"):  # it holds the connection
                await self._context.__aexit__(*sys.exc_info())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._context.__aexit__(kind, error, trace)
        except sqlite3.OperationalError as failed:  # Tortoise does not translate a failed commit
            await self._roll_back()
            raise in_our_words(failed) from failed
        call = _call.get()
        if kind is None and call is not None:
            call.has_committed = True

    async def _roll_back(self) -> None:
        """After a commit that the disk refused SQLite's transaction may still be open, and the next
        one would commit it: what was answered with an error must not come true later, unannounced.
        """
        client: Any = get_connection("default")
        with suppress(sqlite3.OperationalError):
            await client._connection.rollback()


async def open_database(settings: Settings, pool: Pool | None = None) -> TortoiseContext:
    """The opened context. Raises `DatabaseUnusable`."""
    hush()  # statements are logged with their values
    check_writable(settings)
    pool = pool or Pool(
        min_size=settings.database_pool_min,
        max_size=settings.database_pool_max,
        statement_s=settings.statement_timeout_s,
        lock_s=settings.lock_timeout_s,
    )
    EXECUTOR_CACHE.clear()  # statements are kept by table, in the words of the engine before
    return await Tortoise.init(config=tortoise_config(settings.database, pool))


def check_writable(settings: Settings) -> None:
    """Make the data directory. Raises `DatabaseUnusable` when it cannot be written."""
    directory = settings.data_dir.absolute()
    try:
        make_writable(directory)
        _check_file(directory / "gantry.sqlite3")
    except OSError as error:
        raise DatabaseUnusable(
            f"cannot write in {directory}: {error.strerror}. "
            "Choose another place with --data, or give this user the right to write there."
        ) from None
    _check_folder(settings)


def _check_folder(settings: Settings) -> None:
    """A database elsewhere: SQLite makes its file, but no folder. Raises `DatabaseUnusable`."""
    url = urlsplit(settings.database)
    if url.scheme != "sqlite":
        return
    path = Path(url.netloc + url.path)
    if not path.parent.is_dir():
        raise DatabaseUnusable(
            f"cannot use the database {path}: there is no folder {path.parent}. "
            "Make it, or name another place with --database-url (GANTRY_DATABASE_URL)."
        )
    try:
        _check_file(path)
    except OSError as error:
        raise DatabaseUnusable(
            f"cannot write the database {path}: {error.strerror}. Give this user the right to, "
            "or name another place with --database-url (GANTRY_DATABASE_URL)."
        ) from None


def _check_file(path: Path) -> None:
    if path.exists():
        with path.open("r+b"):
            pass
