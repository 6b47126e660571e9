"""Statements that every link and every command asks, spelled once.

The ORM makes the text of a statement anew each time, and on the way of a command, or when a
thousand rooms come back at once, that costs more than the rest of asking. Here a text is made once;
rows and values are the ORM's. Values are $1, $2 and so on, as PostgreSQL has them.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

from tortoise.connection import get_connection
from tortoise.models import Model

M = TypeVar("M", bound=Model)


class Rows(Generic[M]):
    """The rows of *model* of which *condition* is true: SQL from behind WHERE, with its order."""

    def __init__(self, model: type[M], condition: str) -> None:
        self._model = model
        columns = ", ".join(f'"{name}"' for name in model._meta.fields_db_projection.values())
        self._text = f'SELECT {columns} FROM "{model._meta.db_table}" WHERE {condition}'  # noqa: S608 — of ours

    async def of(self, *values: object) -> list[M]:
        """Those for *values*; within a transaction, as it sees them."""
        connection = get_connection("default")
        asked = connection.executor_class(model=self._model, db=connection)
        text = in_dialect(self._text, connection.capabilities.dialect)
        found: list[M] = await asked.execute_select(text, [*values])
        return found

    async def first(self, *values: object) -> M | None:
        """The first of them."""
        found = await self.of(*values)
        return found[0] if found else None


def among(column: str, texts: Iterable[str]) -> str:
    """The condition that *column* is one of *texts*, which are of ours."""
    listed = ", ".join(f"'{text}'" for text in sorted(texts))
    return f"{column} IN ({listed})"


async def ask(text: str, *values: object) -> list[dict[str, Any]]:
    """What *text* answers, row by row; a statement that writes answers with what is RETURNING."""
    connection = get_connection("default")
    text = in_dialect(text, connection.capabilities.dialect)
    return await connection.execute_query_dict(text, [*values])


async def update(model: type[Model], columns: Mapping[str, Any], where: Mapping[str, Any]) -> int:
    """Set *columns* in the rows of *model* that are as *where* says (None: empty); how many."""
    asked = [(name, value) for name, value in where.items() if value is not None]
    empty = tuple(name for name, value in where.items() if value is None)
    text = _update(model, tuple(columns), tuple(name for name, _ in asked), empty)
    fields = model._meta.fields_map
    values = [fields[name].to_db_value(value, model) for name, value in (*columns.items(), *asked)]
    connection = get_connection("default")
    text = in_dialect(text, connection.capabilities.dialect)
    count, _ = await connection.execute_query(text, values)
    return count


@lru_cache(64)
def in_dialect(text: str, dialect: str) -> str:
    """*text*, which is PostgreSQL's, as the database of that *dialect* has it.

    SQLite has one writer: whoever is in a transaction holds all rows.
    """
    if dialect == "postgres":
        return text
    return text.removesuffix(" FOR UPDATE").replace("$", "?")


@lru_cache(64)
def _update(
    model: type[Model], columns: tuple[str, ...], where: tuple[str, ...], empty: tuple[str, ...]
) -> str:
    names = model._meta.fields_db_projection
    bound = [f'"{names[name]}" = ${number}' for number, name in enumerate(columns + where, start=1)]
    sets, conditions = bound[: len(columns)], bound[len(columns) :]
    conditions += [f'"{names[name]}" IS NULL' for name in empty]
    table = model._meta.db_table
    return f'UPDATE "{table}" SET {", ".join(sets)} WHERE {" AND ".join(conditions)}'  # noqa: S608 — of ours
