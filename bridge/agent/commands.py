"""The life of a command between the journal and the sender (room link contract, "Command life").

Pure: no I/O, no clock. A `CommandBook` holds the open commands of one printer in the order they
came and says, one decision at a time, what its shell has to do next. The shell writes the journal
*before* it obeys `Hand` and again when a `Finish` comes, so a kill at any moment leaves a row that
`adopted()` can resolve: asked again where the same sender life can answer from memory, reported
`unknown` where nobody can know. What is not repeatable is never run again by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from bridge.control.messages import Verdict
from schemas.commands import (
    CARD_PRINT,
    EXPIRED,
    VERBS,
    Args,
    CardWriteArgs,
    CommandState,
    Expect,
    StartArgs,
    TemperatureArgs,
    Verb,
    replaces,
)
from schemas.jobs import AttemptEvent

#: A stop waits this long for a sender that is just being restarted.
STOP_WAIT_MS = 10_000
#: Commands with an unknown outcome that are kept, in case the sender still answers.
UNKNOWN_KEPT = 100


class CommandRow(msgspec.Struct, kw_only=True):
    """One journalled command. *deadline_ms* is on the host's monotonic clock; None: never.

    *retried*: a sender that died had it too, so nobody can say any more that nothing happened.
    """

    id: str
    seq: int
    printer: int
    verb: Verb
    args: Args
    expect: Expect = Expect()
    deadline_ms: int | None = None
    state: CommandState = CommandState.DELIVERED
    sender_boot: str | None = None
    retried: bool = False

    @property
    def grant(self) -> str | None:
        """The grant of a start; None for every other verb."""
        return self.args.grant if isinstance(self.args, StartArgs) else None

    @property
    def file(self) -> StartArgs | CardWriteArgs | None:
        """The arguments that name a file, which must lie in the spool first."""
        return self.args if isinstance(self.args, StartArgs | CardWriteArgs) else None

    @property
    def means(self) -> str | None:
        """The attempt that must run for this command; a start brings its own."""
        return None if self.verb is Verb.START else self.expect.grant


@dataclass(frozen=True, slots=True)
class SenderView:
    """What the agent knows of a sender: *boot* None while none is adopted.

    *writes_cards*: it understands a file for its printer's card; an older one does not.
    """

    boot: str | None = None
    grant: str | None = None
    quarantined: bool = False
    writes_cards: bool = True


@dataclass(frozen=True, slots=True)
class Finish:
    """Write the end of *row* to the journal; *attempt* is what that means for its grant."""

    row: CommandRow
    state: CommandState
    code: str = ""
    reason: str = ""
    attempt: AttemptEvent | None = None


@dataclass(frozen=True, slots=True)
class Hand:
    """Journal *row* as started, then give it to the sender; *again*: the journal knows it."""

    row: CommandRow
    again: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring the file of this command into the spool, then say `file_ready` or `file_failed`."""

    row: CommandRow


Decision = Finish | Hand | Fetch

_S = CommandState
_TOO_OLD = (
    "the printer's sender is older than its bridge and sends no files to a card: end it with "
    "`bridge stop`, then start the bridge again"
)
_UNTOUCHED = frozenset({_S.REJECTED, _S.EXPIRED, _S.SUPERSEDED})
_NOT_STARTED = frozenset({_S.REJECTED, _S.EXPIRED, _S.FAILED, _S.SUPERSEDED})
_OF_VERDICT = {
    Verdict.DONE: _S.DONE,
    Verdict.FAILED: _S.FAILED,
    Verdict.REJECTED: _S.REJECTED,
}


def finish(row: CommandRow, state: CommandState, code: str = "", reason: str = "") -> Finish:
    """The end of *row*; a start that ends without effect says so for its attempt."""
    if row.retried and state in _UNTOUCHED:
        reason = f"a sender that died may have done it; then: {reason}"
        return Finish(row, _S.UNKNOWN, code, reason)
    ends_start = row.verb is Verb.START and state in _NOT_STARTED
    return Finish(row, state, code, reason, AttemptEvent.NOT_STARTED if ends_start else None)


class CommandBook:
    """The open commands of one printer."""

    def __init__(self) -> None:
        self._rows: dict[str, CommandRow] = {}
        self._fetching: set[str] = set()
        self._ready: set[str] = set()
        self._started_grant: str | None = None
        self._withdrawn: str | None = None

    # What comes in.

    def add(self, row: CommandRow) -> list[Finish]:
        """Take a journalled command; the ends of those that it replaces come back."""
        replaced = [old for old in self._waiting() if _replaces(row, old)]
        for old in replaced:
            del self._rows[old.id]
        self._rows[row.id] = row
        reason = f"replaced by the newer command {row.id}"
        return [finish(old, _S.SUPERSEDED, "superseded", reason) for old in replaced]

    def add_started(self, row: CommandRow) -> None:
        """Take a command that the sender has got already: a stop does not wait for the journal."""
        row.state = _S.STARTED
        self._rows[row.id] = row

    def file_ready(self, command_id: str) -> None:
        """The file of this command lies verified in the spool."""
        self._ready.add(command_id)

    def file_failed(self, command_id: str, reason: str) -> Finish | None:
        """The file cannot be had: the command has failed. None when it has ended already."""
        row = self._rows.get(command_id)
        if row is None or row.state is not _S.DELIVERED:
            return None
        self._drop(row)
        return finish(row, _S.FAILED, "file_unavailable", reason)

    def outcome(self, command_id: str, verdict: Verdict, code: str, reason: str) -> Finish | None:
        """The sender's answer. None for an id that is not open here."""
        row = self._rows.get(command_id)
        if row is None or row.state is _S.DELIVERED:
            return None
        state = _OF_VERDICT[verdict]
        if row.state is _S.UNKNOWN and verdict is Verdict.REJECTED:
            state = _S.FAILED  # `unknown` may only be resolved to done or failed
        elif verdict is Verdict.REJECTED and code == EXPIRED:
            state = _S.EXPIRED
        self._drop(row)
        return finish(row, state, code, reason)

    def forget(self, row: CommandRow) -> None:
        """The caller ends *row* by itself."""
        self._drop(row)

    def handed_to_others(self, boot: str) -> bool:
        """Whether a command is open that was handed to another sender life than *boot*."""
        started = (row for row in self._rows.values() if row.state is _S.STARTED)
        return any(row.sender_boot != boot for row in started)

    def put_back(self, row: CommandRow) -> None:
        """The journal refused the start of *row*: it waits again, untouched."""
        row.state = _S.DELIVERED

    def adopted(self, now_ms: int, view: SenderView, reported: frozenset[str]) -> list[Decision]:
        """Resolve what was handed over before the sender of *view* was adopted.

        *reported* holds the grants that a sender has said something about.
        """
        decisions: list[Decision] = []
        for row in [row for row in self._rows.values() if row.state is _S.STARTED]:
            decision = _resolve(row, now_ms, view, reported)
            if decision is None:
                row.state, row.retried = _S.DELIVERED, True
                continue
            if isinstance(decision, Finish):
                self._end(decision)
            decisions.append(decision)
        return decisions

    def gone(self) -> list[Finish]:
        """The printer is no longer this bridge's: the ends of everything that is open."""
        ends = [
            finish(row, _S.REJECTED, "unknown_printer", "this bridge no longer has the printer")
            if row.state is _S.DELIVERED
            else finish(row, _S.UNKNOWN, "printer_removed", "the printer was removed meanwhile")
            for row in self._rows.values()
            if row.state is not _S.UNKNOWN
        ]
        self._rows.clear()
        return ends

    # What goes out.

    def next(self, now_ms: int, view: SenderView) -> Decision | None:
        """The next thing to do; None when everything waits."""
        for row in self._waiting():
            decision = self._judge(row, now_ms, view)
            if decision is None:
                continue
            if isinstance(decision, Finish):
                self._end(decision)
            elif isinstance(decision, Hand):
                row.state, row.sender_boot = _S.STARTED, view.boot
                self._started_grant = row.grant or self._started_grant
            else:
                self._fetching.add(row.id)
            return decision
        return None

    def deadline_ms(self) -> int | None:
        """When the next waiting command expires; None when none can."""
        return min((r.deadline_ms for r in self._waiting() if r.deadline_ms), default=None)

    def wants_connect(self) -> bool:
        """Whether somebody asks for this printer's connection."""
        return any(row.verb is Verb.CONNECT for row in self._waiting())

    def files(self) -> set[str]:
        """Hashes of the files that open commands need."""
        needed = (r for r in self._rows.values() if r.grant or r.state is not _S.UNKNOWN)
        return {row.file.sha256 for row in needed if row.file is not None}

    def without_outcome(self) -> int:
        """How many commands nobody has said anything final about, not even `unknown`."""
        return sum(row.state is not _S.UNKNOWN for row in self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    # The rules.

    def _judge(self, row: CommandRow, now_ms: int, view: SenderView) -> Decision | None:
        decision = self._end_early(row, now_ms, view)
        if decision is not None or self._start_of(row.means) is not None:
            return decision  # what means a start that still waits has to wait for it
        if row.file is not None and row.id not in self._ready:
            return None if row.id in self._fetching else Fetch(row)
        return self._check_job(row, view) if view.boot is not None else None

    def _end_early(self, row: CommandRow, now_ms: int, view: SenderView) -> Finish | None:
        """What ends without a sender: too late, withdrawn, or no hope for one."""
        if row.deadline_ms is not None and now_ms >= row.deadline_ms:
            if row.verb is Verb.REMOTE_STOP:
                return finish(row, _S.FAILED, "no_sender", "the printer's sender is not running")
            return finish(row, _S.EXPIRED, EXPIRED, "its deadline passed before it could start")
        if row.verb is Verb.CANCEL and row.means is not None:
            start = self._start_of(row.means) or self._transfer_of(row.means)
            if start is not None:
                return self._withdraw(start, row)
            if self._withdrawn in (row.means, row.id):
                return finish(row, _S.DONE, "", "what it ends was still waiting and is withdrawn")
        if view.quarantined and row.verb is not Verb.CONNECT:
            reason = "the printer's sender failed repeatedly; connect the printer again"
            return finish(row, _S.REJECTED, "sender_failed", reason)
        return None

    def _check_job(self, row: CommandRow, view: SenderView) -> Decision:
        wanted = row.means
        if row.verb is Verb.CARD_WRITE and not view.writes_cards:
            return finish(row, _S.REJECTED, "sender_too_old", _TOO_OLD)
        if wanted is None:
            if VERBS[row.verb].needs_grant:
                return finish(row, _S.REJECTED, "wrong_job", f"{row.verb} must name its attempt")
            return Hand(row)
        if wanted in (view.grant, self._started_grant):
            return Hand(row)
        if wanted == CARD_PRINT and view.grant is None:  # the sender knows whether one runs
            return Hand(row)
        return finish(row, _S.REJECTED, "wrong_job", f"attempt {wanted} is not the one running")

    def _withdraw(self, start: CommandRow, cancel: CommandRow) -> Finish:
        self._withdrawn = start.grant or cancel.id  # what goes to a card has no grant of its own
        reason = "cancelled before it was started"
        attempt = AttemptEvent.CANCELLED if start.grant is not None else None
        return Finish(start, _S.REJECTED, "cancelled", reason, attempt)

    def _start_of(self, grant: str | None) -> CommandRow | None:
        if grant is None:
            return None
        return next((row for row in self._waiting() if row.grant == grant), None)

    def _transfer_of(self, means: str | None) -> CommandRow | None:
        """What waits for its file to go to the printer's card, where a cancel means the card."""
        if means != CARD_PRINT:
            return None
        return next((row for row in self._waiting() if row.verb is Verb.CARD_WRITE), None)

    def _waiting(self) -> list[CommandRow]:
        return [row for row in self._rows.values() if row.state is _S.DELIVERED]

    def _end(self, end: Finish) -> None:
        if end.state is not _S.UNKNOWN:
            self._drop(end.row)
            return
        end.row.state = _S.UNKNOWN
        kept = [row for row in self._rows.values() if row.state is _S.UNKNOWN]
        for row in kept[:-UNKNOWN_KEPT]:
            self._drop(row)

    def _drop(self, row: CommandRow) -> None:
        self._rows.pop(row.id, None)
        self._fetching.discard(row.id)
        self._ready.discard(row.id)


def _replaces(new: CommandRow, old: CommandRow) -> bool:
    """Whether *new* makes the unsent *old* pointless: same verb, and nothing of old is lost."""
    if old.verb is not new.verb or not replaces(new.verb, new.args, old.args):
        return False
    if old.sender_boot is not None:
        return False  # it was handed to a sender that died: it may have had its effect
    if isinstance(old.args, TemperatureArgs) and isinstance(new.args, TemperatureArgs):
        return old.args.targets_c.keys() <= new.args.targets_c.keys()
    return True


def _resolve(
    row: CommandRow, now_ms: int, view: SenderView, reported: Iterable[str]
) -> Decision | None:
    """What to do with a command that was handed to a sender; None: judge it afresh."""
    late = row.deadline_ms is not None and now_ms >= row.deadline_ms
    same_life = row.sender_boot == view.boot
    if same_life and not late:
        return Hand(row, again=True)
    if row.grant is not None:
        if row.grant in reported or row.grant == view.grant:
            return finish(row, _S.DONE, "", "the sender had taken it")
        if same_life:
            return finish(row, _S.EXPIRED, EXPIRED, "it never reached the sender")
    if VERBS[row.verb].repeatable and not late and not same_life:
        return None
    code = "agent_restarted" if same_life else "sender_died"
    return finish(row, _S.UNKNOWN, code, "nobody can say whether it took effect")
