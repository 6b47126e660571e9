"""What carries migrations out: Tortoise's own statements, at less cost and in whole pieces.

Tortoise copies its picture of every table before each step, and builds all of its models anew after
it: work that grows with the square of the history, and nearly all that a new farm's first start
costs. A step touches one model or two, so here a copy shares the models with its original, and
only what a step has changed is built again.

A migration and the note that it was applied are one transaction: whoever is killed between the two
leaves tables that the next run understands.
"""

import sqlite3
from collections.abc import Iterator
from copy import copy
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.migration import Migration
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_editor.sqlite import SqliteSchemaEditor
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model
from tortoise.transactions import in_transaction


class SharedApps(StateApps):
    """Models of one moment. A model is never changed once it is built: a new one takes its place,
    so that moments before and after may share it.
    """

    def __init__(self, default_connections: dict[str, str] | None = None, **given: Any) -> None:
        super().__init__(default_connections=default_connections, **given)
        self._built: set[type[Model]] = set()

    def unregister_model(self, app_label: str, model_name: str) -> None:
        """Forget the model; it goes on being that of the moments before."""
        self.apps.get(app_label, {}).pop(model_name, None)

    def clone(self, model_states: dict[tuple[str, str], ModelState] | None = None) -> "SharedApps":
        """The same moment once more, to be changed or kept."""
        copied = SharedApps(dict(self._default_connections), connections=self._connections)
        copied.apps = {label: dict(models) for label, models in self.apps.items()}
        copied._built = self._built
        return copied

    def _build_initial_querysets(self) -> None:
        """Make the models usable that are new, as soon as what they refer to is there."""
        fresh = StateApps(self._default_connections, self._connections)
        for label, models in self.apps.items():
            fresh.apps[label] = {
                name: model for name, model in models.items() if model not in self._built
            }
        fresh._build_initial_querysets()
        for models in fresh.apps.values():
            self._built.update(model for model in models.values() if model._meta._inited)


class SharedState(State):
    """The tables of one moment."""

    def clone(self) -> "SharedState":
        """A copy whose tables may be changed one by one. Fields are replaced, never changed."""
        models = {key: _copy(model) for key, model in self.models.items()}
        return SharedState(models=models, apps=self.apps.clone(models))


def _copy(model: ModelState) -> ModelState:
    return ModelState(**{**vars(model), "options": {**model.options}, "fields": {**model.fields}})


class _SqliteEditor(SqliteSchemaEditor):
    """Tortoise's own takes a semicolon in a table's description for the end of a statement."""

    async def _run_sql(self, sql: str) -> None:
        if not self.atomic_migration or self.collect_sql:
            await super()._run_sql(sql)
            return
        for statement in _statements(sql):
            await self.client.execute_query(statement)


def _statements(script: str) -> Iterator[str]:
    """The statements of *script*, one after the other."""
    begun = ""
    for piece in script.split(";"):
        begun += f"{piece};"
        if sqlite3.complete_statement(begun):
            if begun.strip(" \n;"):
                yield begun
            begun = ""


class Executor(MigrationExecutor):
    """Tortoise's own, which begins with tables that are copied cheaply."""

    async def forward(self) -> None:
        """Apply everything that is missing. Raises what the database raises; the migrations before
        the one that failed are kept.
        """
        plan = await self.plan()
        await self.recorder.ensure_schema(self._schema_editor(atomic=False))
        state = await self._project_state(set(await self.recorder.applied_migrations()))
        for migration in (step.migration for step in plan):
            if migration.atomic:
                async with in_transaction(self.connection.connection_name) as client:
                    await self._apply(migration, state, client)
            else:
                await self._apply(migration, state, self.connection)

    def _schema_editor(self, atomic: bool = True, collect_sql: bool = False) -> BaseSchemaEditor:
        if self.connection.capabilities.dialect == "sqlite":
            return _SqliteEditor(self.connection, atomic=atomic, collect_sql=collect_sql)
        return super()._schema_editor(atomic, collect_sql)

    async def _apply(self, migration: Migration, state: State, client: BaseDBAsyncClient) -> None:
        editor = self._schema_editor(atomic=migration.atomic)
        editor.client = client
        await migration.apply(state, schema_editor=editor)
        recorder = copy(self.recorder)
        recorder.connection = client
        await recorder.record_applied(migration.app_label, migration.name)

    async def _project_state(
        self, applied: set[MigrationKey], *, upto: MigrationKey | None = None
    ) -> State:
        """The tables as *applied* have left them, before *upto*."""
        connections = {
            label: config["default_connection"] for label, config in self.loader.apps_config.items()
        }
        state = SharedState(models={}, apps=SharedApps(connections))
        for key in self._full_plan():
            if key == upto:
                break
            migration = self.loader.graph.nodes[key]
            if key in applied and isinstance(migration, Migration):
                await migration.apply(state, dry_run=True)
        return state
