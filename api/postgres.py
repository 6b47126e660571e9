"""PostgreSQL for Tortoise: bounded waits, lost connections survived, commits of unknown outcome.

A Tortoise backend (`"engine": "api.postgres"`). What it adds to Tortoise's own:

* nobody waits for ever: for a connection, a statement or a lock (safety R20);
* a connection that the server ended is replaced. A SELECT outside of a transaction is asked again;
  a transaction that certainly did nothing raises `Transient`, so that `api.db.persistently` may run
  the whole call again (R21, R22);
* when the connection breaks or falls silent while COMMIT is under way, the server is asked what
  became of that transaction (`pg_xact_status`), so a committed change is never reported as failed
  (R23).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    NestedTransactionContext,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.exceptions import (
    BaseORMException,
    DBConnectionError,
    OperationalError,
    TransactionManagementError,
)

from api.db import Busy, OutcomeUnknown, Transient, Unstorable

ACQUIRE_S = 5.0  # for a free connection of the pool
CONNECT_S = 5.0
RELEASE_S = 1.0  # for the server's word that it has let go of what was cancelled
CLASS_OF_LOCKS = 7305  # our half of the advisory locks' numbers: any number, as long as it is ours
WHOLE_FARM = 0
ASK_OUTCOME_S = (0.0, 0.1, 0.3, 0.6, 1.0, 2.0)  # pauses before each question for a lost commit
READ_AGAIN_S = (0.01, 0.05, 0.2)  # pauses before a SELECT is asked again

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's farewell came, and the end of the socket did not
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.TargetServerAttributeNotMatched,
    OSError,
)
_COLLIDED = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_TOO_MUCH = (
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.LockNotAvailableError,  # lock_timeout
    asyncpg.InsufficientResourcesError,  # connections, memory, space on the disk
)
_UNSTORABLE = (
    asyncpg.DataError,  # a NUL, a text too long for its column, a number too large
    asyncpg.ProgramLimitExceededError,  # a value too large for an index or a row
)

_LOCK_FARM = "SELECT pg_current_xact_id()::text, pg_advisory_xact_lock($1, $2)"
_UNFLUSHED = ", set_config('synchronous_commit', 'off', true)"  # until its end
_LOCK_ORGANIZATION = (
    "SELECT pg_current_xact_id()::text, pg_advisory_xact_lock_shared($1, $2), "
    "pg_advisory_xact_lock($1, $3)"
)

_log = logging.getLogger("gantry.database")

Method = Callable[..., Coroutine[None, None, Any]]


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    """Nothing here outlives a transaction, so nothing needs to be reset after one."""

    def get_reset_query(self) -> str:
        """No question for each return to the pool."""
        return ""


class _Pool(asyncpg.Pool):  # type: ignore[misc]
    """Waits for a free connection, but not for ever."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        """A connection, within 5 s unless told otherwise."""
        return super().acquire(timeout=timeout or ACQUIRE_S)

    def release(self, connection: Any, *, timeout: float | None = None) -> Any:
        """Give it back, within 1 s unless told otherwise; what can be awaited.

        One that cannot be used any more is closed, and another takes its place. That is no error:
        what was done with it is over, and how that ended is known already.
        """
        return self._released(connection, timeout or RELEASE_S)

    async def _released(self, connection: Any, within_s: float) -> None:
        try:
            await super().release(connection, timeout=within_s)
        except (*_LOST, asyncpg.PostgresError) as error:
            _log.info("a connection to the database is replaced: %s", error or "no answer")


def translated(error: BaseException) -> BaseORMException | None:
    """What *error* is to Tortoise's users; None: leave it as it is."""
    if isinstance(error, _COLLIDED):
        return Transient(error)
    if isinstance(error, TimeoutError):  # an OSError too, so before those
        return Busy("the database did not answer in time")
    if isinstance(error, _LOST):
        return DBConnectionError(f"the connection to the database was lost: {error}")
    if isinstance(error, _TOO_MUCH):
        return Busy(error)
    if isinstance(error, _UNSTORABLE):
        return Unstorable(error)
    if isinstance(error, asyncpg.PostgresError):
        return OperationalError(error)
    return None


class PostgresClient(AsyncpgDBClient):
    """A pool of connections to one primary server."""

    def __init__(self, *, dsn: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._dsn = dsn
        self.extra.pop("dsn", None)

    async def create_connection(self, with_db: bool) -> None:
        """Open the pool. Raises what asyncpg raises; statements raise `DBConnectionError`."""
        self._pool = await _Pool(
            self._dsn,
            min_size=self.pool_minsize,
            max_size=self.pool_maxsize,
            max_queries=50_000,
            max_inactive_connection_lifetime=300.0,
            setup=None,
            init=None,
            loop=None,
            connection_class=_Connection,
            record_class=asyncpg.Record,
            server_settings=self.server_settings,
            timeout=CONNECT_S,
            **self.extra,
        )
        await self._post_connect()

    async def _translate_exceptions(self, func: Method, *args: Any, **kwargs: Any) -> Any:
        pauses_s = iter(READ_AGAIN_S if _only_reads(func.__name__, args) else ())
        while True:
            try:
                return await super()._translate_exceptions(func, *args, **kwargs)
            except BaseORMException as error:
                raise _narrowed(error) from error.__cause__
            except Exception as error:
                known = translated(error)
                pause_s = next(pauses_s, None) if isinstance(known, DBConnectionError) else None
                if pause_s is None:
                    raise known or error from error
            await self.doubt_connections()
            await asyncio.sleep(pause_s)

    async def doubt_connections(self) -> None:
        """One was lost: whoever takes one of the others from the pool gets a new one instead."""
        await self._expire_connections()

    def _in_transaction(self) -> TransactionContext:
        return _PooledTransaction(PostgresTransaction(self), self._pool_init_lock)

    async def outcome(self, number: str) -> str:
        """What became of transaction *number*: committed, aborted, or in progress."""
        _, rows = await self.execute_query("SELECT pg_xact_status($1::text::xid8) AS s", [number])
        return str(rows[0]["s"])


class _PooledTransaction(TransactionContextPooled):
    """Tortoise's, with the errors of getting a connection in Tortoise's words."""

    async def __aenter__(self) -> Any:
        try:
            return await super().__aenter__()
        except BaseORMException:
            raise
        except Exception as error:
            raise translated(error) or error from error


class PostgresTransaction(TransactionWrapper):
    """A transaction, or a savepoint in one."""

    def __init__(self, connection: AsyncpgDBClient) -> None:
        super().__init__(connection)
        self._number: str | None = None  # as the server counts, once `lock` has asked for it

    async def lock(self, organization_id: int | None, *, is_flushed: bool = True) -> int:
        """Keep other writers of *organization_id* out, or all of them, until the end.

        What was read after this is still true at the end of the transaction, in every process.
        Returns the number of the transaction as the server counts. *is_flushed* False: its commit
        does not wait for the server's disk.
        """
        if organization_id is None:
            query, values = _LOCK_FARM, [CLASS_OF_LOCKS, WHOLE_FARM]
        else:
            query, values = _LOCK_ORGANIZATION, [CLASS_OF_LOCKS, WHOLE_FARM, organization_id]
        _, rows = await self.execute_query(query if is_flushed else query + _UNFLUSHED, values)
        self._number = str(rows[0][0])
        return int(self._number)

    async def _translate_exceptions(self, func: Method, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._translate_exceptions(func, *args, **kwargs)
        except TransactionManagementError as error:
            # Tortoise leaves such a transaction open; a read-only server is nobody's mistake here.
            raise OperationalError(error) from error
        except BaseORMException as error:
            raise _narrowed(error) from error.__cause__
        except Exception as error:
            known = translated(error)
            if isinstance(known, DBConnectionError):  # before COMMIT: it certainly did nothing
                known = Transient(known)
                await self._client().doubt_connections()
            raise known or error from error

    def _client(self) -> PostgresClient:
        parent = self._parent
        while isinstance(parent, PostgresTransaction):
            parent = parent._parent
        assert isinstance(parent, PostgresClient)
        return parent

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(PostgresTransaction(self))

    async def commit(self) -> None:
        """Raises `Transient` when it certainly did not happen, `OutcomeUnknown` when unknown."""
        try:
            await super().commit()
        except (*_LOST, asyncpg.PostgresError) as error:
            self._finalized = True
            known = translated(error)
            has_answered = isinstance(error, asyncpg.PostgresError) and not isinstance(error, _LOST)
            if not has_answered and self._number is not None:
                await self._find_out(self._number, error)
                return
            if isinstance(known, Busy) and not has_answered:
                raise OutcomeUnknown("nobody knows whether the commit happened") from error
            raise known or error from error

    async def _find_out(self, number: str, error: Exception) -> None:
        """Return if transaction *number* was committed."""
        for pause_s in ASK_OUTCOME_S:
            await asyncio.sleep(pause_s)
            try:
                found = await self._client().outcome(number)
            except BaseORMException as still:
                _log.warning("cannot ask what became of transaction %s: %s", number, still)
                continue
            if found == "committed":
                _log.info("transaction %s was committed although its answer was lost", number)
                return
            if found == "aborted":
                raise Transient(f"the commit did not happen: {error}") from error
        raise OutcomeUnknown(
            f"the database went away during a commit and cannot be asked for its outcome: {error}"
        ) from error

    async def rollback(self) -> None:
        """Undo; what the server has undone by itself is no error."""
        try:
            await super().rollback()
        except (*_LOST, asyncpg.PostgresError) as error:
            self._finalized = True
            _log.info("nothing to roll back: %s", error)


def _narrowed(error: BaseORMException) -> BaseORMException:
    """*error* in Tortoise's words, which call what cannot be stored trouble of the database."""
    cause = error.__cause__
    return Unstorable(cause) if isinstance(cause, _UNSTORABLE) else error


def _only_reads(name: str, args: tuple[Any, ...]) -> bool:
    is_query = name in ("execute_query", "execute_query_dict")
    return is_query and str(args[0]).lstrip()[:6].upper() == "SELECT"


client_class = PostgresClient
