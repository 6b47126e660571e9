"""The room's disk with the agent's journal: a real SQLite that forgets what was not committed.

Every statement is a place to die, before and (a commit) after it took effect; `failing` makes the
disk refuse writes. What was committed is read back from the tables by triggers of the simulation's
own, so the history says what is on the disk and not what the code believes.
"""

import random
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bridge.agent import database
from tests.simulation.history import History
from tests.simulation.time import Life, current_life

PATH = Path("/simulated/journal.sqlite3")

_TRIGGERS = """
CREATE TEMP TABLE seen (n INTEGER PRIMARY KEY, kind TEXT, a, b, c);
CREATE TEMP TRIGGER t1 AFTER INSERT ON main.commands BEGIN
  INSERT INTO seen (kind, a, b, c) VALUES ('command', NEW.id, NEW.seq, NEW.state); END;
CREATE TEMP TRIGGER t2 AFTER UPDATE OF state ON main.commands BEGIN
  INSERT INTO seen (kind, a, b, c) VALUES ('state', NEW.id, OLD.state, NEW.state); END;
CREATE TEMP TRIGGER t3 AFTER INSERT ON main.facts BEGIN
  INSERT INTO seen (kind, a, b, c) VALUES ('fact', NEW.seq, NEW.body, ''); END;
CREATE TEMP TRIGGER t4 AFTER DELETE ON main.facts BEGIN
  INSERT INTO seen (kind, a, b, c) VALUES ('dropped', OLD.seq, '', ''); END;
CREATE TEMP TRIGGER t5 AFTER INSERT ON main.grants BEGIN
  INSERT INTO seen (kind, a, b, c) VALUES ('grant', NEW.id, '', NEW.state); END;
CREATE TEMP TRIGGER t6 AFTER INSERT ON main.meta WHEN NEW.key = 'desired' BEGIN
  INSERT INTO seen (kind, a, b, c) VALUES ('desired', CAST(NEW.value AS INTEGER), '', ''); END;
CREATE TEMP TRIGGER t7 AFTER INSERT ON main.alone BEGIN
  INSERT INTO seen (kind, a, b, c) VALUES ('alone', NEW.id, NEW.printer, ''); END;
"""


class Disk:
    """What survives the agent."""

    def __init__(self, history: History, rng: random.Random) -> None:
        self.history = history
        self.rng = rng
        self.failing = 0.0  # share of writes that are refused
        self.raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        database._prepare(self.raw, PATH)
        self.raw.executescript(_TRIGGERS)

    def power_off(self) -> None:
        """Whoever wrote is dead: what was not committed is gone."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")

    def refuses(self) -> bool:
        """Whether this write fails."""
        return self.failing > 0 and self.rng.random() < self.failing

    def committed(self) -> None:
        """Write down what is on the disk now."""
        for _, kind, a, b, c in self.raw.execute("SELECT * FROM seen ORDER BY n").fetchall():
            self.history.add("disk", kind, a=a, b=b, c=c)
        self.raw.execute("DELETE FROM seen")


class DiskConnection:
    """The agent's handle: what `sqlite3.Connection` offers as far as the journal uses it."""

    def __init__(self, disk: Disk) -> None:
        life = current_life()
        assert life is not None
        self._disk = disk
        self._life: Life = life

    @property
    def in_transaction(self) -> bool:
        return self._disk.raw.in_transaction

    def execute(self, sql: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        self._life.step()
        self._fail(sql)
        cursor = self._disk.raw.execute(sql, values)  # type: ignore[arg-type]
        if sql == "COMMIT":
            self._disk.committed()
            self._life.step()
        return cursor

    def executemany(self, sql: str, values: Iterable[Any]) -> sqlite3.Cursor:
        self._life.step()
        self._fail(sql)
        return self._disk.raw.executemany(sql, values)

    def close(self) -> None:
        self._life.check()

    def _fail(self, sql: str) -> None:
        if sql.startswith(("SELECT", "ROLLBACK")) or not self._disk.refuses():
            return
        text = self._disk.rng.choice(("disk I/O error", "database or disk is full"))
        raise sqlite3.OperationalError(text)
