"""The journal's file: its tables, how it is opened, what its transactions are stamped with."""

import sqlite3
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bridge.agent import grants, outbox
from bridge.agent.errors import JournalError

SCHEMA_VERSION = 1

_SCHEMA = (
    outbox.TABLES
    + grants.TABLES
    + """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE commands (
  id TEXT PRIMARY KEY, seq INTEGER NOT NULL, printer INTEGER NOT NULL, verb TEXT NOT NULL,
  row BLOB NOT NULL, state TEXT NOT NULL,
  code TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
  boot TEXT NOT NULL, received_at INTEGER NOT NULL
);
CREATE INDEX commands_state ON commands (state);
CREATE TABLE positions (
  printer INTEGER NOT NULL, boot TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (printer, boot)
);
CREATE TABLE printers (id INTEGER PRIMARY KEY, config BLOB NOT NULL);
"""
)

#: Tables that came after journals of this version; an older agent leaves them alone.
_ADDED = """
CREATE TABLE IF NOT EXISTS leases (
  id TEXT PRIMARY KEY, printer INTEGER NOT NULL, place INTEGER NOT NULL, lease BLOB NOT NULL,
  ends_ms INTEGER NOT NULL, boot TEXT NOT NULL, void INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS plates (printer INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS alone (printer INTEGER PRIMARY KEY, id TEXT NOT NULL);
"""


class Clock(msgspec.Struct, frozen=True):
    """When a transaction happens: monotonic ms of host life *boot*, and wall seconds."""

    mono_ms: int
    boot: str
    wall_s: int


def open_database(path: Path) -> sqlite3.Connection:
    """The database at *path*, made or checked. Raises `sqlite3.Error` or `JournalError`."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with ExitStack() as undo:
        undo.callback(db.close)
        _prepare(db, path)
        undo.pop_all()
    path.chmod(0o600)
    return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    check = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if check != "ok":
        raise sqlite3.DatabaseError(f"damaged: {check}")
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
    elif version != SCHEMA_VERSION:
        raise JournalError(
            f"the journal {path} was written by another version of the agent (its schema is "
            f"{version}, this one knows {SCHEMA_VERSION}): start that version or move the file away"
        )
    db.executescript(f"BEGIN IMMEDIATE;{_ADDED}COMMIT;")
