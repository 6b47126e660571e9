"""What happens to one printer, in order: sender's words to the journal, book's decisions obeyed.

The journal is written before the sender is told and before its events are acknowledged. When the
disk refuses, nothing is lost: what was heard stays in the queue, what was to be done stays in the
book, and both are tried again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from bridge.agent.alone import Standing, start_row, waits_for
from bridge.agent.commands import CommandBook, CommandRow, Fetch, Finish, Hand, SenderView, finish
from bridge.agent.errors import (
    GrantConsumed,
    JournalError,
    SenderLost,
    SpoolError,
    WentOnAlone,
)
from bridge.agent.handover import message_of
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JOURNAL_RETRY_S, JournalThread
from bridge.agent.leases import Held
from bridge.agent.senders import Line
from bridge.agent.work_items import (
    Adoption,
    CutOff,
    Death,
    Item,
    Loss,
    Removal,
    Stop,
)
from bridge.control.messages import (
    WITH_CARD_WRITE,
    CardWritten,
    Event,
    EventAck,
    Outcome,
    Verdict,
)
from schemas.commands import CardWriteArgs, CommandState, StartArgs, Verb
from schemas.facts import PrinterFact
from schemas.leases import WENT_ON
from schemas.printer import PrinterState

log = logging.getLogger(__name__)

#: A new sender life first repeats what its predecessor had not delivered; only then is it certain
#: which attempts died with that one.
SETTLE_S = 0.5
MAX_BATCH = 200
_DONE = CommandState.DONE


async def nowhere(sha256: str, size_bytes: int) -> bool:
    """A spool that has no file."""
    return False


@dataclass(frozen=True, slots=True)
class Files:
    """The spool as a printer needs it. *has*: the file lies there, whole; nothing is fetched."""

    fetch: Callable[[str, int], Awaitable[Path]]
    path: Callable[[str], Path]
    has: Callable[[str, int], Awaitable[bool]] = nowhere


class PrinterWork:
    """The ordered work of one printer; *clock* is monotonic seconds."""

    def __init__(
        self,
        printer: int,
        journal: JournalThread,
        files: Files,
        clock: Callable[[], float],
        on_fact: Callable[[], None],
    ) -> None:
        self.patience_s = 0.0  # so long another agent may still tell of prints that are not here
        self.grant: str | None = None  # what the sender says it is printing
        self.last_file: str | None = None  # the hash of what was started last
        self._card_file: str | None = None  # the hash of what goes to its printer's card
        self._book = CommandBook()
        self._printer = printer
        self._journal = journal
        self._files = files
        self._clock = clock
        self._on_fact = on_fact
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._taken = asyncio.Event()
        self._line: Line | None = None
        self._down = False  # its death is told
        self._quarantined = False
        self._settle_at: float | None = None  # None: settled
        self._fetches: set[asyncio.Task[None]] = set()

    # What comes in; never waits.

    def hear(self, item: Item) -> None:
        """Take *item* behind what came before it."""
        self._items.append(item)
        self._wake.set()

    def add(self, row: CommandRow) -> None:
        """Take a journalled command, new or left from an earlier run of the agent."""
        if row.state is CommandState.DELIVERED:
            self._items.extend(self._book.add(row))
        else:
            self._book.add_started(row)
        self._wake.set()

    def go_on_alone(self, cut: CutOff) -> None:
        """Start the next lease, in its turn, if everything allows it then."""
        if not any(isinstance(item, CutOff) for item in self._items):
            self.hear(cut)

    def wants_connect(self) -> bool:
        """Whether somebody asks for this printer's connection."""
        return self._book.wants_connect()

    def open_commands(self) -> int:
        """How many commands have no outcome yet."""
        return self._book.without_outcome()

    def files(self) -> set[str]:
        """Hashes of the files that must stay in the spool."""
        return self._book.files() | {one for one in (self.last_file, self._card_file) if one}

    async def given_up(self) -> str | None:
        """The newest attempt where that is over: no sender may take it up again."""
        return await self._journal.run(Journal.given_up, self._printer)

    async def room(self, limit: int) -> None:
        """Wait while more than *limit* items are not taken."""
        while len(self._items) > limit:
            self._taken.clear()
            await self._taken.wait()

    # The loop.

    async def run(self) -> None:
        """Work for ever; a refusing disk is tried again."""
        try:
            while True:
                self._wake.clear()
                try:
                    while await self._step():
                        pass
                except JournalError as error:
                    log.error("printer %d: %s; trying again", self._printer, error)
                    await asyncio.sleep(JOURNAL_RETRY_S)
                    continue
                await self._sleep()
        finally:
            for task in self._fetches:
                task.cancel()

    async def _step(self) -> bool:
        """One item or one decision; False when there is nothing to do now."""
        if self._items:
            count = await self._take(self._items[0])
            for _ in range(count):
                self._items.popleft()
            self._taken.set()
            return True
        if self._settle_at is not None and self._clock() >= self._settle_at:
            await self._settle()
            return True
        decision = self._book.next(self._now_ms(), self._view())
        match decision:
            case Finish():
                self.hear(decision)
            case Hand(row=row):
                await self._hand(row)
            case Fetch(row=row):
                self._fetch(row)
            case None:
                return False
        return True

    async def _sleep(self) -> None:
        deadlines = [] if self._settle_at is None else [self._settle_at]
        if (deadline_ms := self._book.deadline_ms()) is not None:
            deadlines.append(deadline_ms / 1000)
        delay_s = max(0.0, min(deadlines) - self._clock()) if deadlines else None
        try:
            async with asyncio.timeout(delay_s):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _view(self) -> SenderView:
        settled = self._line is not None and self._settle_at is None
        boot = self._line.adopted.boot if self._line is not None and settled else None
        protocol = self._line.adopted.protocol if self._line is not None else WITH_CARD_WRITE
        return SenderView(
            boot=boot,
            grant=self.grant,
            quarantined=self._quarantined,
            writes_cards=protocol >= WITH_CARD_WRITE,
        )

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    # Items. Each is taken off the queue only after it is in the journal.

    async def _take(self, item: Item) -> int:
        """Deal with *item*; how many items of the queue that has settled."""
        match item:
            case Event():
                return await self._record()
            case Outcome():
                return self._outcome(item)
            case Finish():
                await self._journal.run(Journal.finish, item, self._journal.now())
                self._on_fact()
            case Adoption(line=line):
                await self._adopted(line)
            case Loss():
                self._line, self._settle_at = None, None
            case Death():
                await self._died(item)
            case Stop() | CutOff():
                await (self._stop(item.row) if isinstance(item, Stop) else self._go_on(item))
            case Removal(done=done):
                self._items.extend(self._book.gone())
                await self._journal.run(Journal.interrupt, self._printer, None, self._journal.now())
                done.set()
        return 1

    async def _record(self) -> int:
        events: list[Event] = []
        for item in self._items:
            if not isinstance(item, Event) or len(events) == MAX_BATCH:
                break
            events.append(item)
        await self._journal.run(Journal.record_events, self._printer, events, self._journal.now())
        self._on_fact()
        if any(isinstance(event.body, CardWritten) for event in events):
            self._card_file = None
        for boot, seq in {event.boot: event.seq for event in events}.items():
            self._send_ack(EventAck(boot=boot, seq=seq))
        return len(events)

    def _outcome(self, outcome: Outcome) -> int:
        end = self._book.outcome(outcome.id, outcome.verdict, outcome.code, outcome.reason)
        if end is not None and end.row.verb is Verb.CARD_WRITE and end.state is not _DONE:
            self._card_file = None
        if end is not None:
            self._items[0] = end  # now it cannot be lost: it stays until the journal has it
            return 0
        if outcome.verdict is not Verdict.DONE:
            log.warning("printer %d: %s %s", self._printer, outcome.code, outcome.reason)
        return 1

    async def _adopted(self, line: Line) -> None:
        boot = line.adopted.boot
        self._line, self.grant = line, line.adopted.live.grant
        self._down = self._quarantined = False
        strangers = await self._journal.run(Journal.open_grants, self._printer, boot)
        waits = strangers or self._book.handed_to_others(boot)
        self._settle_at = self._clock() + (max(SETTLE_S, self.patience_s) if waits else 0.0)

    async def _died(self, death: Death) -> None:
        self._line, self._settle_at, self.grant, self._card_file = None, None, None, None
        if not self._down or death.alarm is not None:
            off = PrinterState.OFFLINE
            fact = PrinterFact(printer=self._printer, state=off, reason=death.reason)
            await self._journal.run(Journal.add_fact, fact, self._journal.now())
            self._down = True
        if death.alarm is not None:
            self._quarantined = True
            await self._settle()  # its attempt is over before anybody can start the next sender
            await self._journal.run(Journal.add_fact, death.alarm, self._journal.now())
        self._on_fact()

    async def _stop(self, row: CommandRow) -> None:
        if await self._journal.run(Journal.stop, row, self._journal.now()):
            self.add(row)
        self._on_fact()

    async def _settle(self) -> None:
        """Resolve what another agent or another sender life has left open.

        Not settled until all of it is in the journal; doing it twice changes nothing.
        """
        boot = self._line.adopted.boot if self._line is not None else None
        view = SenderView(boot=boot, grant=self.grant, quarantined=self._quarantined)
        reported = await self._journal.run(Journal.reported_grants, self._printer)
        for decision in self._book.adopted(self._now_ms(), view, reported):
            if isinstance(decision, Finish):
                self._items.append(decision)
            elif isinstance(decision, Hand):
                self._send(decision.row)
        now = self._journal.now()
        await self._journal.run(Journal.interrupt, self._printer, boot, now, view.grant)
        self._settle_at = None
        self._on_fact()

    # Decisions.

    async def _hand(self, row: CommandRow) -> None:
        try:
            await self._journal.run(Journal.start, row, self._journal.now())
        except (GrantConsumed, WentOnAlone) as error:
            self._items.append(self._refused(row, error))
            return
        except JournalError:
            self._book.put_back(row)
            raise
        self._on_fact()
        if isinstance(row.args, StartArgs):
            self.last_file = row.args.sha256
        elif isinstance(row.args, CardWriteArgs):
            self._card_file = row.args.sha256
        self._send(row)

    def _refused(self, row: CommandRow, error: GrantConsumed | WentOnAlone) -> Finish:
        self._book.forget(row)
        if isinstance(error, GrantConsumed):
            return Finish(row, CommandState.REJECTED, "grant_used", str(error))
        row.state, row.sender_boot = CommandState.DELIVERED, None
        return finish(row, CommandState.REJECTED, WENT_ON, str(error))

    # Going on alone.

    def standing(self, cut: CutOff, held: Held | None, *, plate: bool, file: bool) -> Standing:
        """How this printer stands for its next lease *held*."""
        settled = self._line is not None and self._settle_at is None
        return Standing(
            away_s=cut.away_s(),
            held=held,
            picture=cut.picture(),
            is_free=settled and not self._quarantined and self.grant is None,
            open_commands=self._book.without_outcome(),
            plate_clear=plate,
            file_there=file,
        )

    async def _go_on(self, cut: CutOff) -> None:
        now = self._journal.now()
        held = await self._journal.run(Journal.next_lease, self._printer, now)
        plate = await self._journal.run(Journal.plate_is_clear, self._printer)
        if held is None or waits_for(self.standing(cut, held, plate=plate, file=True)) is not None:
            return
        lease = held.lease
        file = await self._files.has(lease.sha256, lease.size_bytes)
        line = self._line  # all of it once more: reading a file takes its time
        waits = waits_for(self.standing(cut, held, plate=plate, file=file))
        if waits is not None or line is None:
            return
        row = start_row(held, line.adopted.boot, self._now_ms())
        if await self._journal.run(Journal.start_alone, row, lease, self._journal.now()):
            log.warning("printer %d goes on alone with job %d", self._printer, lease.job)
            self._on_fact()
            self._book.add_started(row)
            self.last_file = lease.sha256
            self._send(row)

    def _send(self, row: CommandRow) -> None:
        if self._line is None:
            return
        try:
            self._line.send(message_of(row, self._files.path))
        except SenderLost as error:
            log.info("printer %d: %s; resolved at the next adoption", self._printer, error)

    def _send_ack(self, ack: EventAck) -> None:
        if self._line is None:
            return
        try:
            self._line.send(ack)
        except SenderLost:
            pass  # the events come again, and the journal knows them

    def _fetch(self, row: CommandRow) -> None:
        task = asyncio.create_task(self._bring(row), name=f"file for {row.id}")
        self._fetches.add(task)
        task.add_done_callback(self._fetches.discard)

    async def _bring(self, row: CommandRow) -> None:
        assert row.file is not None
        try:
            await self._files.fetch(row.file.sha256, row.file.size_bytes)
        except SpoolError as error:
            end = self._book.file_failed(row.id, str(error))
            if end is not None:
                self._items.append(end)
        else:
            self._book.file_ready(row.id)
        self._wake.set()
