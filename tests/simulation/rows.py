"""The API's database: Tortoise over SQLite in memory, without threads, in the hands of the seed.

Every statement is a place to die and, while `failing`, one to fail. What a commit has changed is
read back by triggers and written into the history; what is rolled back never happened.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

import aiosqlite
from pypika_tortoise.context import SqlContext
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.fields import data as data_fields

from api.db import tortoise_config
from tests.simulation.history import History
from tests.simulation.time import current_life

_TRIGGERS = """
CREATE TEMP TABLE seen (n INTEGER PRIMARY KEY, kind TEXT, a, b, c, d);
CREATE TEMP TRIGGER t1 AFTER INSERT ON main.command BEGIN INSERT INTO seen (kind, a, b, c, d)
  VALUES ('issued', NEW.id, NEW.verb, NEW.printer_id, NEW."grant"); END;
CREATE TEMP TRIGGER t2 AFTER UPDATE OF state ON main.command WHEN NEW.state != OLD.state BEGIN
  INSERT INTO seen (kind, a, b, c, d) VALUES ('command', NEW.id, OLD.state, NEW.state, NEW.code);
  END;
CREATE TEMP TRIGGER t3 AFTER INSERT ON main.attempt BEGIN INSERT INTO seen (kind, a, b, c, d)
  VALUES ('granted', NEW."grant", NEW.printer_id, NEW.job_id, NEW.plate_claim); END;
CREATE TEMP TRIGGER t4 AFTER UPDATE OF state ON main.attempt WHEN NEW.state != OLD.state BEGIN
  INSERT INTO seen (kind, a, b, c, d) VALUES ('attempt', NEW."grant", OLD.state, NEW.state,
  NEW.printer_id); END;
CREATE TEMP TRIGGER t5 AFTER UPDATE OF state ON main.job WHEN NEW.state != OLD.state BEGIN
  INSERT INTO seen (kind, a, b, c, d) VALUES ('job', NEW.id, OLD.state, NEW.state, NEW."grant");
  END;
CREATE TEMP TRIGGER t6 AFTER UPDATE OF epoch ON main.bridge BEGIN
  INSERT INTO seen (kind, a, b, c, d) VALUES ('epoch', NEW.id, NEW.epoch, NEW.fact_journal,
  NEW.fact_seq); END;
CREATE TEMP TRIGGER t7 AFTER UPDATE OF fact_seq ON main.bridge WHEN NEW.epoch = OLD.epoch BEGIN
  INSERT INTO seen (kind, a, b, c, d) VALUES ('position', NEW.id, NEW.epoch, NEW.fact_journal,
  NEW.fact_seq); END;
CREATE TEMP TRIGGER t8 AFTER UPDATE OF state ON main.printer WHEN NEW.state != OLD.state BEGIN
  INSERT INTO seen (kind, a, b, c, d) VALUES ('printer', NEW.id, OLD.state, NEW.state,
  NEW.active_grant); END;
CREATE TEMP TRIGGER t9 AFTER INSERT ON main.lease BEGIN INSERT INTO seen (kind, a, b, c, d)
  VALUES ('lent', NEW."grant", NEW.printer_id, NEW.job_id, NEW.command_id); END;
CREATE TEMP TRIGGER t10 AFTER UPDATE OF state ON main.lease WHEN NEW.state != OLD.state BEGIN
  INSERT INTO seen (kind, a, b, c, d) VALUES ('lease', NEW."grant", OLD.state, NEW.state,
  NEW.job_id); END;
"""


class Rows:
    """The one database of this test process; `begin` empties it for a seed."""

    def __init__(self) -> None:
        self.history = History()
        self.rng = random.Random(0)
        self.failing = 0.0
        self.pending: list[tuple[str, dict[str, Any]]] = []
        self.raw: sqlite3.Connection

    def begin(self, history: History, rng: random.Random) -> None:
        """An empty farm."""
        self.history, self.rng, self.failing = history, rng, 0.0
        self.pending.clear()
        for table in self._tables:
            self.raw.execute(f'DELETE FROM "{table}"')
        self.raw.execute("DELETE FROM seen")
        client: Any = get_connection("default")
        client._lock = asyncio.Lock()  # the last one belongs to another loop

    def power_off(self) -> None:
        """The API is dead: what it had not committed is gone."""
        self.pending.clear()
        if self.raw.in_transaction:
            self.raw.rollback()

    async def read(self, query: str) -> list[Any]:
        """What is committed, as the world itself sees it: quick, and no place to die."""
        client: Any = get_connection("default")
        async with client._lock:
            return self.raw.execute(query).fetchall()

    def note(self, what: str, **data: Any) -> None:
        """Something that is true if the open transaction commits."""
        self.pending.append((what, data))

    async def run(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """Do *work* on the database in the name of whoever asks."""
        life = current_life()
        if life is not None:
            life.step()
            if self.rng.random() < 0.1:
                await asyncio.sleep(0)
                life.check()
        name = work.__name__
        failing = self.failing if life is not None and name != "rollback" else 0.0
        if failing and self.rng.random() < failing:
            raise sqlite3.OperationalError("disk I/O error")
        commits = name == "commit" and self.raw.in_transaction
        result = work(*args, **named)
        if commits:
            self._committed()
            if life is not None:
                life.step()
        elif name == "rollback":
            self.pending.clear()
        return result

    def _committed(self) -> None:
        for what, data in self.pending:
            self.history.add("api", what, **data)
        self.pending.clear()
        rows = self.raw.execute("SELECT kind, a, b, c, d FROM seen ORDER BY n").fetchall()
        for kind, a, b, c, d in rows:
            self.history.add("api", kind, a=a, b=b, c=c, d=d)
        if rows:
            self.raw.execute("DELETE FROM seen")

    def opened(self, raw: sqlite3.Connection) -> None:
        """The schema is there."""
        self.raw = raw
        raw.executescript(_TRIGGERS)
        names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        self._tables = [name for (name,) in names]


class _Inline(aiosqlite.Connection):
    """aiosqlite without its thread."""

    rows: Rows

    def __init__(self, connector: Callable[[], sqlite3.Connection], iter_chunk_size: int) -> None:
        super().__init__(connector, iter_chunk_size)
        self._running = True

    def __await__(self) -> Generator[Any, None, aiosqlite.Connection]:
        async def ready() -> aiosqlite.Connection:
            self._connection = self._connector()
            return self

        return ready().__await__()

    async def _execute(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        return await self.rows.run(fn, *args, **kwargs)

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _copied(context: SqlContext, **changes: Any) -> SqlContext:
    copy = object.__new__(SqlContext)
    copy.__dict__.update(context.__dict__, **changes)
    return copy


@contextmanager
def _quickened() -> Iterator[None]:
    """What Tortoise does slowly, the same way but quicker: an eighth of a seed's time."""
    with (
        mock.patch.object(data_fields, "parse_datetime", datetime.fromisoformat),
        mock.patch.object(SqlContext, "copy", _copied),
    ):
        yield


@contextmanager
def opened_rows() -> Iterator[Rows]:
    """The database of a test process, with its schema, entered."""
    rows = Rows()

    def connect(database: str, **options: Any) -> aiosqlite.Connection:
        inline = _Inline(lambda: sqlite3.connect(":memory:", **options), 64)
        inline.rows = rows
        return inline

    async def prepare() -> TortoiseContext:
        context = await Tortoise.init(config=tortoise_config("sqlite://:memory:"))
        with context:
            rows.raw = sqlite3.connect(":memory:")  # until the real one is open
            await context.generate_schemas()
            client: Any = get_connection("default")
            rows.raw.close()
            rows.opened(client._connection._connection)
            client._bound_loop = None  # each seed has a loop of its own
        return context

    with (
        mock.patch.object(aiosqlite, "connect", connect),
        _quickened(),
        # A runner with a factory leaves the thread's own loop alone, which is pytest's.
        asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner,
    ):
        context = runner.run(prepare())
        with context:
            yield rows
        runner.run(context.close_connections())
