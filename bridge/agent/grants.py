"""Start grants and how far their attempts are: the table behind "started exactly once".

Every method expects to run inside its caller's transaction. A grant is consumed before its start
goes to a sender, together with the sender life that gets it; when that life ends first, the attempt
is interrupted, once. States move by `ATTEMPT_TRANSITIONS` only, so nothing is told twice.
"""

import sqlite3

from bridge.agent.errors import GrantConsumed
from schemas.jobs import ATTEMPT_OVER, ATTEMPT_TRANSITIONS, AttemptEvent, AttemptState
from schemas.transitions import advance, can

TABLES = """
CREATE TABLE grants (
  id TEXT PRIMARY KEY, printer INTEGER NOT NULL, state TEXT NOT NULL, sender_boot TEXT NOT NULL,
  consumed_at INTEGER NOT NULL
);
"""
#: A consumed grant is remembered far longer than any start can be late, and the newest ones
#: whatever the wall clock says.
KEEP_S = 90 * 86_400
KEEP_NEWEST = 1000


class Grants:
    """The grants table; times are wall seconds."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def consume(self, grant: str, printer: int, sender_boot: str, wall_s: int) -> None:
        """This grant goes to this sender life. Raises `GrantConsumed` when it was used before."""
        try:
            self._insert(grant, printer, AttemptState.GRANTED, sender_boot, wall_s)
        except sqlite3.IntegrityError:
            raise GrantConsumed(f"grant {grant} was consumed before") from None

    def move(
        self, printer: int, grant: str, event: AttemptEvent, sender_boot: str, wall_s: int
    ) -> bool:
        """Step the attempt; False when the table has no such step: it is told already."""
        stored = self.state(grant)
        state = stored or AttemptState.GRANTED
        if not can(ATTEMPT_TRANSITIONS, state, event):
            return False
        after = advance(ATTEMPT_TRANSITIONS, state, event)
        if stored is None:
            self._insert(grant, printer, after, sender_boot, wall_s)
        else:
            self._db.execute("UPDATE grants SET state = ? WHERE id = ?", (after, grant))
        return True

    def state(self, grant: str) -> AttemptState | None:
        """Where the attempt is; None: never heard of it."""
        row = self._db.execute("SELECT state FROM grants WHERE id = ?", (grant,)).fetchone()
        return AttemptState(row[0]) if row else None

    def never_start(self, printer: int, grant: str, wall_s: int) -> bool:
        """Consume *grant* without a start; False when it was used before."""
        if self.state(grant) is not None:
            return False
        self._insert(grant, printer, AttemptState.NOT_STARTED, "", wall_s)
        return True

    def open(self, printer: int, alive_boot: str | None) -> list[str]:
        """Attempts without an end that went to another sender life than *alive_boot*."""
        rows = self._db.execute(
            "SELECT id, state FROM grants WHERE printer = ? AND sender_boot IS NOT ?",
            (printer, alive_boot),
        )
        return [grant for grant, state in rows if AttemptState(state) not in ATTEMPT_OVER]

    def reported(self, printer: int) -> frozenset[str]:
        """Grants of which a sender has said that they started.

        That one was interrupted says nothing of that: the agent writes it for a sender that died.
        """
        rows = self._db.execute(
            "SELECT id FROM grants WHERE printer = ? AND state NOT IN (?, ?)",
            (printer, AttemptState.GRANTED, AttemptState.INTERRUPTED),
        )
        return frozenset(row[0] for row in rows)

    def given_up(self, printer: int) -> str | None:
        """The printer's newest grant where its attempt is over, None: it may still go on."""
        row = self._db.execute(
            "SELECT id, state FROM grants WHERE printer = ? ORDER BY rowid DESC LIMIT 1", (printer,)
        ).fetchone()
        return row[0] if row and AttemptState(row[1]) in ATTEMPT_OVER else None

    def prune(self, wall_s: int) -> None:
        """Forget attempts that ended long ago."""
        rows = self._db.execute(
            "SELECT id, state FROM grants WHERE consumed_at < ?"
            " AND rowid <= (SELECT max(rowid) FROM grants) - ?",
            (wall_s - KEEP_S, KEEP_NEWEST),
        ).fetchall()
        ended = [(grant,) for grant, state in rows if AttemptState(state) in ATTEMPT_OVER]
        self._db.executemany("DELETE FROM grants WHERE id = ?", ended)

    def _insert(
        self, grant: str, printer: int, state: AttemptState, sender_boot: str, wall_s: int
    ) -> None:
        self._db.execute(
            "INSERT INTO grants VALUES (?, ?, ?, ?, ?)",
            (grant, printer, state, sender_boot, wall_s),
        )
