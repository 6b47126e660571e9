"""Facts on their way to the API (room link contract, "Facts"): the table and the send window.

Numbers are contiguous per journal: one writer, `AUTOINCREMENT`, and a number is only taken in the
transaction that stores the fact. The bound is 256 MiB. Over it, facts that a later picture repeats
anyway (`DROPPABLE`) are counted instead of stored and one `GapFact` says so when there is room
again; what a job, a command or a person's safety hangs on is always stored.
"""

import sqlite3
from collections import deque

import msgspec

from schemas.facts import (
    CardFact,
    Fact,
    FactBody,
    FirmwareFact,
    GapFact,
    PlugFact,
    PortsFact,
    PrinterFact,
)

MAX_BYTES = 256 * 1024 * 1024
#: A stored fact costs this much beside its text: row header, keys, page share.
ROW_BYTES = 60
DROPPABLE: tuple[type[FactBody], ...] = (PlugFact, PortsFact, FirmwareFact, PrinterFact)

BATCH_FACTS = 100
BATCH_BYTES = 24 * 1024
#: Characters that stay of each text in a fact that is larger than that alone.
MAX_WORDS = 600
#: Ports that stay of a room whose ports have names that long.
MAX_PORTS = 16
WINDOW_FACTS = 1000
WINDOW_BYTES = 1024 * 1024

TABLES = """
CREATE TABLE facts (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ms INTEGER NOT NULL, boot TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE gaps (what TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[FactBody] = msgspec.json.Decoder(FactBody)


class Outbox:
    """The facts table. Every method expects to run inside its caller's transaction."""

    def __init__(self, db: sqlite3.Connection, max_bytes: int = MAX_BYTES) -> None:
        self._db = db
        self._max_bytes = max_bytes
        self.count = self.size_bytes = 0
        self._gaps = False
        self.recount()

    def recount(self) -> None:
        """Take the totals from the table: at the start and after a rolled back transaction."""
        count, size = self._db.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM facts"
        ).fetchone()
        self.count = int(count)
        self.size_bytes = int(size) + self.count * ROW_BYTES
        self._gaps = bool(self._db.execute("SELECT 1 FROM gaps").fetchone())

    def add(self, body: FactBody, at_ms: int, boot: str) -> None:
        """Store *body* under the next number, or count it as dropped when there is no room."""
        if self.size_bytes >= self._max_bytes and isinstance(body, DROPPABLE):
            what = type(body).__name__.removesuffix("Fact").lower()
            self.count_gap(what, 1)
            return
        if self._gaps and self.size_bytes < self._max_bytes:
            for what, count in self._db.execute("SELECT what, count FROM gaps").fetchall():
                self._insert(GapFact(what=what, count=count), at_ms, boot)
            self._db.execute("DELETE FROM gaps")
            self._gaps = False
        self._insert(body, at_ms, boot)

    def count_gap(self, what: str, count: int) -> None:
        """Remember that *count* facts of kind *what* are lost; the next stored fact says so."""
        self._db.execute(
            "INSERT INTO gaps VALUES (?, ?) ON CONFLICT(what) DO UPDATE SET count = count + ?",
            (what, count, count),
        )
        self._gaps = True

    def _insert(self, body: FactBody, at_ms: int, boot: str) -> None:
        data = _encode(body)
        if len(data) > BATCH_BYTES:
            data = _encode(_shorter(body))
        self._db.execute(
            "INSERT INTO facts (at_ms, boot, body) VALUES (?, ?, ?)", (at_ms, boot, data)
        )
        self.count += 1
        self.size_bytes += len(data) + ROW_BYTES

    def after(self, seq: int) -> list[Fact]:
        """The next batch with numbers above *seq*: at most 100 facts and 24 KiB."""
        rows = self._db.execute(
            "SELECT seq, at_ms, boot, body FROM facts WHERE seq > ? ORDER BY seq LIMIT ?",
            (seq, BATCH_FACTS),
        )
        facts: list[Fact] = []
        size = 0
        for number, at_ms, boot, data in rows:
            size += len(data) + len(boot) + ROW_BYTES
            if facts and size > BATCH_BYTES:
                break
            body = _decoder.decode(data)
            if len(data) > BATCH_BYTES:  # of an older release
                body = _shorter(body)
            facts.append(Fact(seq=number, at_ms=at_ms, boot_id=boot, body=body))
        return facts

    def drop_through(self, seq: int) -> None:
        """Forget the facts that the API has committed, up to *seq*."""
        count, size = self._db.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM facts WHERE seq <= ?", (seq,)
        ).fetchone()
        self._db.execute("DELETE FROM facts WHERE seq <= ?", (seq,))
        self.count -= count
        self.size_bytes -= size + count * ROW_BYTES

    def span(self) -> tuple[int, int]:
        """Oldest waiting number and the newest ever given; oldest > newest: nothing waits."""
        newest = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name='facts'").fetchone()
        last = int(newest[0]) if newest else 0
        oldest = self._db.execute("SELECT min(seq) FROM facts").fetchone()[0]
        return (int(oldest) if oldest is not None else last + 1), last


def _shorter(body: FactBody) -> FactBody:
    """*body*, which fits no frame, with what does: it would end every link that it is told on.

    Who and what stays; whatever was said in words is cut, and long lists of it are left out.
    """
    changes: dict[str, object] = {}
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if isinstance(value, str):
            changes[name] = value[:MAX_WORDS]
        elif isinstance(value, dict):
            changes[name] = {}
    if isinstance(body, CardFact):
        changes |= {"files": [], "unlisted": body.unlisted + len(body.files)}
    elif isinstance(body, PortsFact):
        changes["ports"] = body.ports[:MAX_PORTS]
    return msgspec.structs.replace(body, **changes)


class SendWindow:
    """How much may be on its way to the API unacknowledged: 1 000 facts, 1 MiB. Pure."""

    def __init__(self, acked: int) -> None:
        self.acked = acked
        self.sent = acked
        self._flying: deque[tuple[int, int]] = deque()  # last number, bytes of each batch
        self._bytes = 0

    def open(self) -> bool:
        """Whether one more batch may leave."""
        return self.sent - self.acked + BATCH_FACTS <= WINDOW_FACTS and (
            self._bytes + BATCH_BYTES <= WINDOW_BYTES
        )

    def on_sent(self, last: int, size_bytes: int) -> None:
        """A batch that ends with number *last* was given to the link."""
        self.sent = last
        self._flying.append((last, size_bytes))
        self._bytes += size_bytes

    def on_ack(self, seq: int) -> None:
        """The API has everything up to *seq*."""
        self.acked = max(self.acked, seq)
        self.sent = max(self.sent, self.acked)
        while self._flying and self._flying[0][0] <= self.acked:
            self._bytes -= self._flying.popleft()[1]
