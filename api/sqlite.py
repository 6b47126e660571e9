"""SQLite for Tortoise, in the words that `api.postgres` has for the same troubles.

A Tortoise backend (`"engine": "api.sqlite"`). A file that somebody else keeps locked (a backup, a
shell) and a full disk are `Busy`, so whoever is patient with a busy PostgreSQL is patient here too.
"""

import sqlite3
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from tortoise.backends.base.client import NestedTransactionContext, TransactionContext
from tortoise.backends.sqlite.client import (
    SqliteClient,
    SqliteTransactionContext,
    SqliteTransactionWrapper,
)
from tortoise.exceptions import IntegrityError, OperationalError

from api.db import Busy, in_our_words

T = TypeVar("T")


async def _told(work: Awaitable[T]) -> T:
    try:
        return await work
    except IntegrityError:
        raise
    except OperationalError as error:
        cause = error.__context__
        known = in_our_words(cause) if isinstance(cause, sqlite3.OperationalError) else error
        if isinstance(known, Busy):
            raise known from cause
        raise


class _Words(SqliteClient):
    """Every way to ask."""

    async def execute_insert(self, query: str, values: list[Any]) -> int:
        """One row."""
        return await _told(super().execute_insert(query, values))

    async def execute_many(self, query: str, values: list[list[Any]]) -> None:
        """Many rows."""
        await _told(super().execute_many(query, values))

    async def execute_query(
        self, query: str, values: list[Any] | None = None
    ) -> tuple[int, Sequence[dict[str, Any]]]:
        """How many rows, and which."""
        return await _told(super().execute_query(query, values))

    async def execute_query_dict(
        self, query: str, values: list[Any] | None = None
    ) -> list[dict[str, Any]]:
        """Rows by name."""
        return await _told(super().execute_query_dict(query, values))

    async def execute_script(self, query: str) -> None:
        """Several statements."""
        await _told(super().execute_script(query))


class OurSqlite(_Words):
    """The one connection to a file."""

    def _in_transaction(self) -> TransactionContext:
        return SqliteTransactionContext(SqliteTransaction(self), self._lock)


class SqliteTransaction(_Words, SqliteTransactionWrapper):
    """A transaction, or a savepoint in one."""

    def _in_transaction(self) -> TransactionContext:
        return NestedTransactionContext(SqliteTransaction(self))


client_class = OurSqlite
