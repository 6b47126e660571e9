"""Leases in the journal: what a printer may start alone, and whose plate a person called clear.

Every method expects to run inside its caller's transaction. A lease is used by consuming its grant
(`bridge.agent.grants`), so it is worth nothing any more whoever started it. It ends by the clock
of this life of the host: after a reboot nobody knows how long the host was off. A print that ends
otherwise than completed voids what its printer holds: a person looks first.
"""

import sqlite3
from collections.abc import Iterable, Mapping

import msgspec

from bridge.agent.database import Clock
from bridge.agent.grants import Grants
from schemas.leases import Lease

_decoder = msgspec.json.Decoder(Lease)


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A lease that nobody has used. *left_s*: what is left of it; 0: nothing, or it is void.

    *is_open*: the hours in which prints start let it begin now.
    """

    lease: Lease
    left_s: float
    is_open: bool = True


class Leases:
    """The tables of leases and of plate claims."""

    def __init__(self, db: sqlite3.Connection, grants: Grants) -> None:
        self._db = db
        self._grants = grants

    # What the API gives and wants back.

    def replace(self, leases: Iterable[Lease], clock: Clock) -> None:
        """Hold these from now on, in this order; what was void before stays void."""
        void = {row[0] for row in self._db.execute("SELECT id FROM leases WHERE void")}
        self._db.execute("DELETE FROM leases")
        for place, lease in enumerate(leases):
            ends_ms = clock.mono_ms + int(lease.left_s * 1000)
            self._db.execute(
                "INSERT OR IGNORE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    lease.grant,
                    lease.printer,
                    place,
                    msgspec.json.encode(lease),
                    ends_ms,
                    clock.boot,
                    lease.grant in void,
                ),
            )

    def recall(self, recalled: Mapping[str, int], clock: Clock) -> list[tuple[int, str]]:
        """Never start under these grants again: (printer, grant) of those that had not."""
        return [
            (printer, grant)
            for grant, printer in recalled.items()
            if self._grants.never_start(printer, grant, clock.wall_s)
        ]

    def void(self, printer: int) -> None:
        """What this printer holds is worth nothing any more."""
        self._db.execute("UPDATE leases SET void = 1 WHERE printer = ?", (printer,))

    def held(self, clock: Clock) -> list[Held]:
        """All that are not used yet, in order."""
        rows = self._db.execute(
            "SELECT lease, ends_ms, boot, void FROM leases"
            " WHERE id NOT IN (SELECT id FROM grants) ORDER BY printer, place"
        )
        return [_held(row, clock) for row in rows]

    def first(self, printer: int, clock: Clock) -> Held | None:
        """The next one of this printer; None: it has none."""
        row = self._db.execute(
            "SELECT lease, ends_ms, boot, void FROM leases"
            " WHERE printer = ? AND id NOT IN (SELECT id FROM grants) ORDER BY place LIMIT 1",
            (printer,),
        ).fetchone()
        return _held(row, clock) if row is not None else None

    # Plates: a claim is newer than everything that happened on the plate, and used once.

    def claim_plate(self, printer: int) -> None:
        """A person says that it is clear. What the room did alone before is settled by that."""
        self._db.execute("INSERT OR IGNORE INTO plates VALUES (?)", (printer,))
        self.forget_alone(printer)

    def plate_used(self, printer: int) -> None:
        """Something starts or happens on it."""
        self._db.execute("DELETE FROM plates WHERE printer = ?", (printer,))

    def plate_is_clear(self, printer: int) -> bool:
        """Whether a claim waits to be used."""
        found = self._db.execute("SELECT 1 FROM plates WHERE printer = ?", (printer,)).fetchone()
        return found is not None

    # What the room did alone.

    def went_on(self, printer: int, grant: str) -> None:
        """This is the newest start that the room made by itself."""
        self._db.execute("INSERT OR REPLACE INTO alone VALUES (?, ?)", (printer, grant))

    def last_alone(self, printer: int) -> str | None:
        """The grant of that start; None: there was none."""
        row = self._db.execute("SELECT id FROM alone WHERE printer = ?", (printer,)).fetchone()
        return str(row[0]) if row is not None else None

    def forget_alone(self, printer: int) -> None:
        """A person has looked at the plate since."""
        self._db.execute("DELETE FROM alone WHERE printer = ?", (printer,))


def _held(row: tuple[bytes, int, str, int], clock: Clock) -> Held:
    data, ends_ms, boot, void = row
    worth = boot == clock.boot and not void
    left_s = max(0.0, (ends_ms - clock.mono_ms) / 1000) if worth else 0.0
    lease = _decoder.decode(data)
    return Held(lease=lease, left_s=left_s, is_open=_is_open(lease, lease.left_s - left_s))


def _is_open(lease: Lease, age_s: float) -> bool:
    if lease.opens_s is None:
        return True
    return any(begin <= age_s < end for begin, end in lease.opens_s)
