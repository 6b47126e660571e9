"""Farms of older releases are brought up to date with everything that they have (safety R49)."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

from api import migrations
from api.config import Settings
from api.db import DatabaseUnusable, open_database, tortoise_config
from api.files.models import TreeName
from api.jobs.models import Print
from api.migrate import POOL, MigrationFailed, migrate, pending
from api.printers.models import Printer
from api.schema_states import Executor
from tests.fakes import databases

RELEASES = sorted(path.stem for path in Path(next(iter(migrations.__path__))).glob("0*.py"))
NOW = "2026-01-02T03:04:05+00:00"
COLUMNS = {
    "sqlite": "SELECT m.name AS t, c.name AS c, lower(c.type) AS kind FROM sqlite_master m, "
    "pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'",
    "postgres": "SELECT table_name AS t, column_name AS c, data_type AS kind "
    "FROM information_schema.columns WHERE table_schema = 'public'",
}
#: What is said of one kind of column; the first that fits.
VALUES: tuple[tuple[str, str], ...] = (
    ("bool", "false"),
    ("json", "'{}'"),
    ("time", f"'{NOW}'"),
    ("date", "'2026-01-02'"),
    ("numeric", "1"),
    ("int", "1"),
    ("double", "1.5"),
    ("real", "1.5"),
    ("", "'x'"),
)
ROWS: dict[str, dict[str, str]] = {
    "file_name": {"path": "'parts/cube.gcode'", "printer_id": "7", "userdata": "'{\"a\": 1}'"},
    "attempt": {"state": "'completed'", "print_id": "1", "number": "2"},
}


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> databases.Server | None:
    """Where the database is; None: a file."""
    if request.param == "sqlite":
        return None
    found: databases.Server = request.getfixturevalue("postgres")
    return found


@pytest.fixture
async def empty(server: databases.Server | None, settings: Settings) -> AsyncIterator[Settings]:
    """A database without a table."""
    EXECUTOR_CACHE.clear()
    if server is not None:
        settings = replace(settings, database_url=server.url(await server.new_database()))
    yield settings
    EXECUTOR_CACHE.clear()


@pytest.fixture
async def old(empty: Settings) -> Settings:
    """A database of the first release."""
    async with _opened(empty):
        await _release(RELEASES[0])
        await _insert(await _columns())
    return empty


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[None]:
    context = await open_database(settings, POOL)  # what is compared with takes its time
    try:
        with context:
            yield
    finally:
        await context.close_connections()


def _executor(kind: type[Executor] = Executor) -> Executor:
    return kind(get_connection("default"), tortoise_config("sqlite://:memory:")["apps"])


async def _release(name: str) -> None:
    """The open database becomes one of that release."""
    await _executor().migrate([MigrationTarget("farm", name)])


async def _columns() -> dict[str, dict[str, str]]:
    """What to say in every column of every table, in SQL."""
    connection = get_connection("default")
    tables: dict[str, dict[str, str]] = {}
    for row in await connection.execute_query_dict(COLUMNS[connection.capabilities.dialect]):
        if row["t"] != "tortoise_migrations" and (row["c"] != "id" or "char" in row["kind"]):
            value = next(value for kind, value in VALUES if kind in row["kind"])
            tables.setdefault(row["t"], {})[row["c"]] = value
    return {name: {**made, **ROWS.get(name, {})} for name, made in tables.items()}


async def _insert(tables: dict[str, dict[str, str]]) -> None:
    """One row in every table, with something in every one of these columns."""
    for name, values in tables.items():
        columns = ", ".join(f'"{column}"' for column in values)
        await get_connection("default").execute_script(
            f'INSERT INTO "{name}" ({columns}) VALUES ({", ".join(values.values())})'
        )


async def _all_rows() -> dict[str, list[Any]]:
    models = Tortoise.apps["farm"] if Tortoise.apps else {}
    return {name: await model.all() for name, model in models.items()}


async def test_everything_of_the_first_release_is_there(old: Settings) -> None:
    """Every table still has its row and can be read; what moved has moved."""
    assert await pending(old) != []
    await migrate(old)
    assert await pending(old) == []
    async with _opened(old):
        found = await _all_rows()
        for name in ("User", "Printer", "Job", "Print", "Attempt", "Blob", "Bridge", "Credential"):
            assert len(found[name]) == 1, name
        [file] = await TreeName.all()
        assert (file.tree, file.path) == ("printer:7", "parts/cube.gcode")
        assert file.userdata == {"a": 1}
        [run] = await Print.all()
        moment = datetime.fromisoformat(NOW)
        assert (run.state, run.started_at, run.ended_at) == ("completed", moment, moment)
        [printer] = await Printer.all()
        assert printer.details == {}
        again = await TreeName.create(
            organization_id=1, tree="pool:1", path="a", display="a", uploaded_at=moment
        )
        assert again.id > file.id


async def test_a_database_of_a_later_version_is_refused(old: Settings) -> None:
    """An old process must not guess what later tables mean: one line says what to start."""
    await migrate(old)
    async with _opened(old):
        await get_connection("default").execute_script(
            "INSERT INTO tortoise_migrations (app, name, applied_at) "
            f"VALUES ('farm', '0999_later', '{NOW}')"
        )
    with pytest.raises(DatabaseUnusable, match="0999_later"):
        await pending(old)
    with pytest.raises(DatabaseUnusable, match="later version"):
        await migrate(old)


@pytest.mark.parametrize(("before", "after"), [*itertools.pairwise(RELEASES[1:])])
async def test_the_release_before_works_on_the_tables_of_the_next(
    empty: Settings, before: str, after: str
) -> None:
    """Its processes know no new column: rows are made, changed, read and removed without (R49).

    The first release is none of them: the changelog says that its processes are stopped.
    """
    async with _opened(empty):
        await _release(before)
        known = await _columns()
        await _release(after)
        await _insert(known)
        connection = get_connection("default")
        for name, values in known.items():
            column, value = next(iter(values.items()))
            columns = ", ".join(f'"{each}"' for each in values)
            await connection.execute_script(f'UPDATE "{name}" SET "{column}" = {value}')
            rows = await connection.execute_query_dict(f'SELECT {columns} FROM "{name}"')
            assert len(rows) == 1, name
            await connection.execute_script(f'DELETE FROM "{name}"')


@pytest.mark.parametrize("where", [BaseSchemaEditor, MigrationRecorder])
async def test_a_migration_that_breaks_off_is_as_if_it_had_not_begun(
    empty: Settings, where: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amid its tables, or behind them and before the note of it: the next run finds what was."""
    name, left = ("create_model", 5) if where is BaseSchemaEditor else ("record_applied", 1)
    real = getattr(where, name)
    calls = 0

    async def breaks_off(self: Any, *given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > left:
            raise OSError("the plug was pulled")
        await real(self, *given)

    everything = await pending(empty)
    monkeypatch.setattr(where, name, breaks_off)
    with pytest.raises(MigrationFailed, match="the plug was pulled"):
        await migrate(empty)
    monkeypatch.undo()
    whole = 0 if where is BaseSchemaEditor else left
    assert await pending(empty) == everything[whole:]
    assert await migrate(empty) == everything[whole:]


SCHEMAS = {
    "sqlite": ("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name",),
    "postgres": (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, "
        "character_maximum_length FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY table_name, ordinal_position",
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef",
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    ),
}


class Plain(Executor):
    """Tortoise's own way: everything is copied and built anew at every step."""

    _project_state = MigrationExecutor._project_state


async def _schema() -> list[dict[str, Any]]:
    connection = get_connection("default")
    queries = SCHEMAS[connection.capabilities.dialect]
    return [row for query in queries for row in await connection.execute_query_dict(query)]


@pytest.mark.flow  # what is compared with takes its time
async def test_the_tables_are_those_that_tortoise_itself_makes(
    empty: Settings, server: databases.Server | None, tmp_path: Path
) -> None:
    """Column by column, index by index: ours only computes less on the way."""
    other = replace(empty, data_dir=tmp_path / "other")
    if server is not None:
        other = replace(other, database_url=server.url(await server.new_database()))
    await migrate(empty)
    async with _opened(empty):
        ours = await _schema()
    async with _opened(other):
        await _executor(Plain).migrate()
        theirs = await _schema()
    assert len(ours) > 100
    assert ours == theirs
