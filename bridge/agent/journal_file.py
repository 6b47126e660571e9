"""The journal's file and what concerns all of it: transactions, counters, the facts that wait.

SQLite in WAL mode with `synchronous=FULL`: a commit that returned is on the disk. Each public
method is one transaction, so a kill leaves the state before or after it, never between.
"""

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.agent.database import Clock, open_database
from bridge.agent.errors import JournalError
from bridge.agent.outbox import MAX_BYTES, Outbox
from schemas.facts import AlarmFact, Fact, FactBody


class JournalFile:
    """One open journal file. Methods raise `JournalError` when the disk refuses."""

    def __init__(self, path: Path, *, max_fact_bytes: int = MAX_BYTES) -> None:
        try:
            self._db = open_database(path)
            self._outbox = Outbox(self._db, max_fact_bytes)
            self._db.execute(
                "INSERT OR IGNORE INTO meta VALUES ('journal', ?)", (secrets.token_hex(8),)
            )
        except sqlite3.Error as error:
            raise JournalError(f"cannot open the journal {path}: {error}") from error

    def close(self) -> None:
        """Close the file; the WAL is folded in."""
        self._db.close()

    # Identity and counters.

    def journal_id(self) -> str:
        """The id under which this journal numbers its facts."""
        return self._meta("journal", "")

    def renew(self, clock: Clock) -> None:
        """Go on under a new id: the numbers of the old one were given twice.

        That happens when the disk forgets, for instance after a restored backup.
        """
        text = "the journal was rolled back; facts of the time between are lost"
        with self._transaction():
            self._set_meta("journal", secrets.token_hex(8))
            self._add(AlarmFact(printer=None, code="journal_rolled_back", text=text), clock)

    def is_copy(self, path: Path, clock: Clock) -> bool:
        """Whether the file at *path*, this one, was not made there: moved, restored, or copied.

        Told as a fact, once. It goes on under a new id then: the original may be in use elsewhere,
        and numbers its facts, too. Raises `OSError`.
        """
        file = str(path.stat().st_ino)
        known = self._meta("file", file)
        text = (
            "the bridge works with a copy of its state directory: moved, restored, or "
            "copied. Where the original is still in use, end one of the two agents"
        )
        with self._transaction():
            self._set_meta("file", file)
            if known == file:
                return False
            self._set_meta("journal", secrets.token_hex(8))
            self._add(AlarmFact(printer=None, code="journal_copied", text=text), clock)
        return True

    def next_run(self, clock: Clock) -> tuple[int, int]:
        """Count this start of the agent: (boot count, owner generation).

        The generation rises for ever, even past the loss of this file: it is never below the
        wall clock in seconds.
        """
        with self._transaction():
            count = int(self._meta("runs", "0")) + 1
            generation = max(int(self._meta("generation", "0")) + 1, clock.wall_s)
            self._set_meta("runs", str(count))
            self._set_meta("generation", str(generation))
            return count, generation

    # Facts.

    def add_fact(self, body: FactBody, clock: Clock) -> None:
        """Store one fact of the agent's own."""
        with self._transaction():
            self._add(body, clock)

    def facts_after(self, seq: int) -> list[Fact]:
        """The next batch for the link."""
        return self._outbox.after(seq)

    def acknowledge(self, seq: int) -> None:
        """The API has committed every fact up to *seq*."""
        with self._transaction():
            self._outbox.drop_through(seq)

    def fact_span(self) -> tuple[int, int]:
        """Oldest waiting number and the newest ever given."""
        return self._outbox.span()

    def fact_load(self) -> tuple[int, int]:
        """How many facts wait, and their bytes."""
        return self._outbox.count, self._outbox.size_bytes

    # Inside a transaction.

    def _add(self, body: FactBody, clock: Clock) -> None:
        self._outbox.add(body, clock.mono_ms, clock.boot)

    def _meta(self, key: str, default: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def _set_meta(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            committed = False
            try:
                yield
                self._db.execute("COMMIT")
                committed = True
            finally:
                if not committed:
                    if self._db.in_transaction:
                        self._db.execute("ROLLBACK")
                    self._outbox.recount()
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be written: {error}") from error
