"""The agent's journal: what must survive a power cut (room link contract; safety R03, R34, R36).

SQLite in WAL mode with `synchronous=FULL`: a commit that returned is on the disk. Each method is
one transaction, so a kill leaves the state before or after it, never between. The class is not
thread-safe and blocks; `JournalThread` gives it a thread of its own.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bridge.agent.commands import CommandRow, Finish
from bridge.agent.database import Clock
from bridge.agent.errors import JournalError, WentOnAlone
from bridge.agent.facts import fact_of
from bridge.agent.grants import Grants
from bridge.agent.handover import BAD_ARGUMENTS, Refusal, pack, unpack
from bridge.agent.journal_file import JournalFile
from bridge.agent.leases import Held, Leases
from bridge.agent.outbox import MAX_BYTES
from bridge.control.messages import AttemptChanged, Event
from schemas.commands import (
    COMMAND_OVER,
    COMMAND_TRANSITIONS,
    CommandEvent,
    CommandState,
    StartArgs,
    Verb,
)
from schemas.facts import AttemptFact, CommandFact, PlateFact, PrinterFact
from schemas.jobs import ATTEMPT_OVER, ATTEMPT_TRANSITIONS, AttemptEvent, AttemptState
from schemas.leases import ALONE, Lease
from schemas.link import Desired
from schemas.printer import ACTIVE, PrinterConfig
from schemas.transitions import advance, can

#: Ids of finished commands answer repeats for this long, and the newest ones whatever the wall
#: clock says: it may jump by weeks between a command and its repeat.
KEEP_COMMANDS_S = 7 * 86_400
KEEP_NEWEST = 1000
_config_decoder = msgspec.json.Decoder(PrinterConfig)
_encode = msgspec.json.encode


class Journal(JournalFile):
    """One open journal file. Methods raise `JournalError` when the disk refuses."""

    def __init__(self, path: Path, *, max_fact_bytes: int = MAX_BYTES) -> None:
        super().__init__(path, max_fact_bytes=max_fact_bytes)
        self._grants = Grants(self._db)
        self._leases = Leases(self._db, self._grants)

    # Desired configuration.

    def desired(self) -> tuple[int, list[PrinterConfig]]:
        """The cached configuration and its version; version 0 before the first."""
        rows = self._db.execute("SELECT config FROM printers ORDER BY id").fetchall()
        configs = [_config_decoder.decode(data) for (data,) in rows]
        return int(self._meta("desired", "0")), configs

    def configure(self, desired: Desired, clock: Clock) -> None:
        """Replace the cached configuration and the leases; answer for those wanted back."""
        with self._transaction():
            self._db.execute("DELETE FROM printers")
            self._db.executemany(
                "INSERT INTO printers VALUES (?, ?)", [(p.id, _encode(p)) for p in desired.printers]
            )
            self._set_meta("desired", str(desired.version))
            self._leases.replace(desired.leases, clock)
            for printer, grant in self._leases.recall(desired.recalled, clock):
                self._add(_ended(printer, grant, AttemptEvent.NOT_STARTED, "given back"), clock)

    # Going on alone (`bridge.agent.alone`).

    def leases(self, clock: Clock) -> list[Held]:
        """The leases that nobody has used, by printer in their order."""
        return self._leases.held(clock)

    def next_lease(self, printer: int, clock: Clock) -> Held | None:
        """What this printer may start alone now; None: nothing, or its last print is not over."""
        first = self._leases.first(printer, clock)
        if first is None or first.left_s == 0 or not first.is_open:
            return None
        return None if self.open_grants(printer, None) else first

    def plate_is_clear(self, printer: int) -> bool:
        """Whether a person at the machine has said so, after all that happened on the plate."""
        return self._leases.plate_is_clear(printer)

    def plate_cleared(self, printer: int, clock: Clock) -> None:
        """A person at the machine says that its plate is clear."""
        with self._transaction():
            self._leases.claim_plate(printer)
            self._add(PlateFact(printer=printer), clock)

    def start_alone(self, row: CommandRow, lease: Lease, clock: Clock) -> bool:
        """Before *row* goes to its sender: *lease* is used. False, and nothing changed, when it is
        not what the printer may start now.
        """
        with self._transaction():
            held = self.next_lease(row.printer, clock)
            is_clear = lease.clears_itself or self.plate_is_clear(row.printer)
            if held is None or held.lease != lease or not is_clear or self._is_journalled(row):
                return False
            self._insert_command(row, clock)
            self._grants.consume(lease.grant, row.printer, row.sender_boot or "", clock.wall_s)
            self._leases.plate_used(row.printer)
            self._leases.went_on(row.printer, lease.grant)
            self._move(row, CommandEvent.STARTED, ALONE)
            self._add(CommandFact(id=row.id, state=CommandState.STARTED, code=ALONE), clock)
            row.state = CommandState.STARTED
        return True

    # Commands.

    def accept(
        self, rows: Sequence[CommandRow], clock: Clock, refusals: Sequence[Refusal] = ()
    ) -> list[CommandRow]:
        """Journal what is new and return it; what is known is answered from the journal.

        *refusals*, of the same frame, are answered and not kept.
        """
        fresh = []
        with self._transaction():
            for refusal in refusals:
                self._refuse(refusal, clock)
            for row in rows:
                if not self._known(row, clock):
                    self._insert_command(row, clock)
                    fresh.append(row)
        return fresh

    def command_seq(self) -> int:
        """The highest command number that was ever journalled."""
        return int(self._meta("command_seq", "0"))

    def start(self, row: CommandRow, clock: Clock) -> None:
        """Before *row* goes to its sender: it is started, its grant is consumed.

        Raises `GrantConsumed`, with nothing changed, when the grant was used before, `WentOnAlone`
        when whoever asked does not know of the newest start that this room made by itself.
        """
        with self._transaction():
            if row.grant is not None:
                self._check_alone(row)
                self._leases.plate_used(row.printer)
                self._grants.consume(row.grant, row.printer, row.sender_boot or "", clock.wall_s)
            self._move(row, CommandEvent.STARTED)
            self._add(CommandFact(id=row.id, state=CommandState.STARTED), clock)

    def stop(self, row: CommandRow, clock: Clock) -> bool:
        """Journal a remote stop; with a *sender_boot* it has been sent already.

        False when its id is known: then it is answered from the journal.
        """
        with self._transaction():
            if self._known(row, clock):
                return False
            self._insert_command(row, clock)
            if row.sender_boot is not None:
                self._move(row, CommandEvent.STARTED)
                self._add(CommandFact(id=row.id, state=CommandState.STARTED), clock)
                row.state = CommandState.STARTED
        return True

    def stop_ids(self) -> set[str]:
        """Every remote stop that is in the journal."""
        rows = self._db.execute("SELECT id FROM commands WHERE verb = ?", (Verb.REMOTE_STOP,))
        return {row[0] for row in rows}

    def finish(self, end: Finish, clock: Clock) -> None:
        """Write how a command ended, and what that means for its attempt."""
        row = end.row
        with self._transaction():
            if not self._move(row, CommandEvent(end.state), end.code, end.reason):
                return
            self._add(
                CommandFact(id=row.id, state=end.state, code=end.code, reason=end.reason), clock
            )
            if end.attempt is not None and row.grant is not None:
                self._end_attempt(row.printer, row.grant, end.attempt, end.reason, clock)

    def open_commands(self, clock: Clock) -> list[CommandRow]:
        """What has no outcome yet, oldest first; deadlines of an earlier host boot have passed.

        What another version has left and this one cannot read has ended by that.
        """
        over = tuple(COMMAND_OVER)
        rows = self._db.execute(
            "SELECT id, row, state, boot FROM commands WHERE state NOT IN "  # noqa: S608
            f"({','.join('?' * len(over))}) ORDER BY seq, rowid",
            over,
        ).fetchall()
        commands = []
        for command_id, data, state, boot in rows:
            try:
                row = unpack(data)
            except msgspec.DecodeError as error:
                self._give_up(command_id, state, str(error), clock)
                continue
            row.state = CommandState(state)
            if boot != clock.boot and row.deadline_ms is not None:
                row.deadline_ms = 0
            commands.append(row)
        return commands

    def _give_up(self, command_id: str, state: str, reason: str, clock: Clock) -> None:
        """Nothing was done, or nobody here knows what came of it."""
        was_begun = state == CommandState.STARTED
        end = CommandState.UNKNOWN if was_begun else CommandState.REJECTED
        with self._transaction():
            self._db.execute(
                "UPDATE commands SET state = ?, code = ?, reason = ? WHERE id = ?",
                (end, BAD_ARGUMENTS, reason, command_id),
            )
            told = CommandFact(id=command_id, state=end, code=BAD_ARGUMENTS, reason=reason)
            self._add(told, clock)

    # What senders say.

    def record_events(self, printer: int, events: Sequence[Event], clock: Clock) -> None:
        """Turn a sender's *events* into facts, each exactly once, and move the position."""
        with self._transaction():
            for event in events:
                at = self._position(printer, event.boot)
                if event.seq <= at:
                    continue
                if event.seq > at + 1:
                    self._outbox.count_gap(f"printer {printer}", event.seq - at - 1)
                self._db.execute(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
                    (printer, event.boot, event.seq),
                )
                self._record(printer, event, clock)

    def interrupt(
        self, printer: int, alive_boot: str | None, clock: Clock, resumed: str | None = None
    ) -> list[str]:
        """End every open attempt that a sender life other than *alive_boot* was printing.

        *resumed*: the attempt that the living one has taken up. Returns the grants of the others;
        a second call finds none.
        """
        reason = "the sender of this printer died; nobody knows how the print lies"
        with self._transaction():
            ended = [one for one in self.open_grants(printer, alive_boot) if one != resumed]
            for grant in ended:
                self._end_attempt(printer, grant, AttemptEvent.INTERRUPTED, reason, clock)
        return ended

    def open_grants(self, printer: int, alive_boot: str | None) -> list[str]:
        """Attempts without an end that were given to another sender life than *alive_boot*."""
        return self._grants.open(printer, alive_boot)

    def reported_grants(self, printer: int) -> frozenset[str]:
        """Grants of which a sender has said that they started."""
        return self._grants.reported(printer)

    def given_up(self, printer: int) -> str | None:
        """The printer's newest grant where its attempt is over: no sender may take it up again."""
        return self._grants.given_up(printer)

    def prune(self, clock: Clock) -> None:
        """Forget commands and grants that ended long ago."""
        over = tuple(COMMAND_OVER)
        with self._transaction():
            self._db.execute(
                "DELETE FROM commands WHERE received_at < ? AND rowid <= "  # noqa: S608
                "(SELECT max(rowid) FROM commands) - ? AND state IN "
                f"({','.join('?' * len(over))})",
                (clock.wall_s - KEEP_COMMANDS_S, KEEP_NEWEST, *over),
            )
            self._grants.prune(clock.wall_s)

    # Inside a transaction.

    def _refuse(self, refusal: Refusal, clock: Clock) -> None:
        self._set_meta("command_seq", str(max(self.command_seq(), refusal.seq)))
        self._add(refusal.fact(), clock)

    def _insert_command(self, row: CommandRow, clock: Clock) -> None:
        self._db.execute(
            "INSERT INTO commands (id, seq, printer, verb, row, state, boot, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                row.id,
                row.seq,
                row.printer,
                row.verb,
                pack(row),
                row.state,
                clock.boot,
                clock.wall_s,
            ),
        )
        if row.seq > self.command_seq():
            self._set_meta("command_seq", str(row.seq))

    def _check_alone(self, row: CommandRow) -> None:
        alone = self._leases.last_alone(row.printer)
        known = row.args.last_alone if isinstance(row.args, StartArgs) else None
        if alone is not None and alone not in (known, row.grant):
            raise WentOnAlone(
                f"this room has started {alone} by itself since; the farm hears of it, then start "
                "it again"
            )

    def _is_journalled(self, row: CommandRow) -> bool:
        found = self._db.execute("SELECT 1 FROM commands WHERE id = ?", (row.id,)).fetchone()
        return found is not None

    def _known(self, row: CommandRow, clock: Clock) -> bool:
        """Whether the journal has this id; if so, what it says is told again."""
        known = self._db.execute(
            "SELECT state, code, reason FROM commands WHERE id = ?", (row.id,)
        ).fetchone()
        if known is None:
            return False
        state, (_, code, reason) = CommandState(known[0]), known
        if state is not CommandState.DELIVERED:
            self._add(CommandFact(id=row.id, state=state, code=code, reason=reason), clock)
        grant = row.grant
        if grant is not None and self._grants.state(grant) is AttemptState.NOT_STARTED:
            self._add(_ended(row.printer, grant, AttemptEvent.NOT_STARTED, reason), clock)
        return True

    def _move(self, row: CommandRow, event: CommandEvent, code: str = "", reason: str = "") -> bool:
        stored = self._db.execute("SELECT state FROM commands WHERE id = ?", (row.id,)).fetchone()
        state = CommandState(stored[0]) if stored else CommandState.DELIVERED
        if not can(COMMAND_TRANSITIONS, state, event):
            return False
        self._db.execute(
            "UPDATE commands SET state = ?, code = ?, reason = ?, row = ? WHERE id = ?",
            (advance(COMMAND_TRANSITIONS, state, event), code, reason, pack(row), row.id),
        )
        return True

    def _position(self, printer: int, boot: str) -> int:
        row = self._db.execute(
            "SELECT seq FROM positions WHERE printer = ? AND boot = ?", (printer, boot)
        ).fetchone()
        return int(row[0]) if row else 0

    def _record(self, printer: int, event: Event, clock: Clock) -> None:
        body = event.body
        if isinstance(body, AttemptChanged):
            if not self._grants.move(printer, body.grant, body.event, event.boot, clock.wall_s):
                return
            self._attempt_moved(printer, body.grant, body.state)
        fact = fact_of(printer, body)
        if isinstance(fact, PrinterFact) and fact.state in ACTIVE:
            self._leases.plate_used(printer)  # whoever started it, the printer's own card too
        self._outbox.add(fact, event.at_ms, clock.boot)

    def _attempt_moved(self, printer: int, grant: str, state: AttemptState) -> None:
        """What a print leaves behind: a used plate, and after a bad end a person who looks first.

        A start of the API that came to nothing changes neither; one of our own is a bad end.
        """
        if state is not AttemptState.NOT_STARTED:
            self._leases.plate_used(printer)
        elif self._leases.last_alone(printer) != grant:
            return
        if state in ATTEMPT_OVER and state is not AttemptState.COMPLETED:
            self._leases.void(printer)

    def _end_attempt(
        self, printer: int, grant: str, event: AttemptEvent, reason: str, clock: Clock
    ) -> None:
        if self._grants.move(printer, grant, event, "", clock.wall_s):
            self._attempt_moved(printer, grant, ATTEMPT_TRANSITIONS[AttemptState.GRANTED][event])
            self._add(_ended(printer, grant, event, reason), clock)


def _ended(printer: int, grant: str, event: AttemptEvent, reason: str) -> AttemptFact:
    state = ATTEMPT_TRANSITIONS[AttemptState.GRANTED][event]
    return AttemptFact(printer=printer, grant=grant, event=event, state=state, reason=reason)


def open_or_replace(path: Path, wall_s: int) -> tuple[Journal, str | None]:
    """The journal at *path*; a damaged one is put aside and begun anew.

    The second value says what was put aside, for an alarm; None when all is well.
    """
    try:
        return Journal(path), None
    except JournalError as error:
        if not isinstance(error.__cause__, sqlite3.DatabaseError) or isinstance(
            error.__cause__, sqlite3.OperationalError
        ):
            raise
        aside = path.with_name(f"{path.name}.damaged-{wall_s}")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        return Journal(path), f"{error}; it was put aside as {aside.name}"
