"""The printers of the room: which are wanted, who keeps them, and who gets which command."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial

from bridge.agent.alone import waits_for
from bridge.agent.commands import CommandRow, Finish, finish
from bridge.agent.errors import JournalError
from bridge.agent.handover import Refusal, row_of, stop_row
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JOURNAL_RETRY_S, JournalThread
from bridge.agent.leases import Held
from bridge.agent.plugs import Plugs
from bridge.agent.ports import Ports
from bridge.agent.prefetch import Prefetch
from bridge.agent.printers import PrinterKeeper, Tools
from bridge.agent.work import Files, PrinterWork
from bridge.control.messages import WatchTerminal
from schemas.commands import CommandState, Verb
from schemas.facts import Port, PortsFact
from schemas.link import Cmd, Desired, RemoteStop
from schemas.plugs import HOT_C
from schemas.printer import ACTIVE, PrinterConfig, PrinterState
from schemas.watching import Interest, InterestLevel

log = logging.getLogger(__name__)

#: How often a room that is cut off looks whether a printer may go on.
ALONE_LOOK_S = 1.0


class Fleet:
    """Implements what the link asks of the room (`bridge.agent.link.inbox.Room`)."""

    def __init__(
        self,
        tools: Tools,
        journal: JournalThread,
        files: Files,
        ports: Ports,
        on_fact: Callable[[], None],
    ) -> None:
        self._tools = tools
        self._journal = journal
        self.prefetch = Prefetch(files)
        self._files = replace(files, has=self.prefetch.verified)
        #: seconds since the link is gone; None: it stands
        self.away_s: Callable[[], float | None] = lambda: None
        #: so long another agent may still tell of prints that are not here
        self.patience_s = 0.0
        self._ports = ports
        self._on_fact = on_fact
        self.plugs = Plugs(journal, tools.clock, on_fact, self.why_not_off)
        self._keepers: dict[int, PrinterKeeper] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stops: set[str] = set()
        self._refusals: set[asyncio.Task[None]] = set()

    # Start and end.

    async def open(self) -> None:
        """Take up what the journal knows: printers first, then their open commands."""
        self._stops = await self._journal.run(Journal.stop_ids)
        version, configs = await self._journal.run(Journal.desired)
        rows = await self._journal.run(Journal.open_commands, self._journal.now())
        if version:
            self._apply(configs)
        for row in rows:
            keeper = self._keepers.get(row.printer)
            if row.verb is Verb.REMOTE_STOP:
                self.plugs.stopped(row.printer)  # whoever heard it may not have come to that
            if row.verb is Verb.PLUG:
                self.plugs.add(row)
            elif keeper is not None:
                keeper.add(row)
            else:
                await self._end(_unknown_printer(row))
        held = await self._journal.run(Journal.leases, self._journal.now())
        self.prefetch.want(each.lease for each in held)

    async def close(self) -> None:
        """Hang up on every sender; all go on."""
        tasks = [*self._tasks.values(), *self._refusals]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.plugs.close()

    # What the link asks for.

    def ports(self) -> list[Port]:
        """The serial ports of the room, with the printers that use them."""
        return self._ports.listed(self._users())

    def remote_stop(self, stop: RemoteStop) -> None:
        """Hand a stop to its sender, now; a repeated one is only answered again."""
        keeper = self._keepers.get(stop.printer)
        if keeper is None:
            self._in_time(partial(self._refuse, stop))
            return
        repeated = stop.id in self._stops
        keeper.remote_stop(stop, repeated=repeated)
        if not repeated:
            self.plugs.stopped(stop.printer)
        self._stops.add(stop.id)

    def interest(self, interest: Interest) -> None:
        """Tell the senders whose terminals are read."""
        lane, now = self._tools.live.terminal, self._tools.clock()
        if interest.level is not InterestLevel.DETAIL:
            for number in lane.end():
                self._keepers[number].watch_terminal(WatchTerminal(lease_s=0.0))
            return
        for watch in interest.terminals:
            if (keeper := self._keepers.get(watch.printer)) is not None:
                keeper.watch_terminal(lane.asked(watch, now))

    async def commands(self, commands: list[Cmd]) -> int:
        """Journal and dispatch; the number up to which the journal holds every command."""
        now_ms = int(self._tools.clock() * 1000)
        taken = [row_of(command, now_ms) for command in commands]
        rows = [one for one in taken if isinstance(one, CommandRow)]
        refusals = [one for one in taken if isinstance(one, Refusal)]
        now = self._journal.now()
        for row in await self._journal.run(Journal.accept, rows, now, refusals):
            self._dispatch(row)
        self._on_fact()
        return await self._journal.run(Journal.command_seq)

    async def configure(self, desired: Desired) -> None:
        """Work by this configuration from now on, and hold these leases."""
        await self._journal.run(Journal.configure, desired, self._journal.now())
        if desired.recalled:
            self._on_fact()
        self._apply(desired.printers)
        self.prefetch.want(desired.leases)

    async def acknowledged(self, seq: int) -> None:
        """The API has the facts up to *seq*."""
        await self._journal.run(Journal.acknowledge, seq)

    # The rest of the agent.

    async def ports_changed(self) -> None:
        """A port came or went: tell the senders where their ports are now, and the API."""
        for keeper in self._keepers.values():
            if keeper.config is not None:
                keeper.configure(keeper.config, self._ports.device(keeper.config.port_id))
        fact = PortsFact(ports=self.ports())
        await self._journal.run(Journal.add_fact, fact, self._journal.now())
        self._on_fact()

    def why_not_clear(self, printer: int) -> str | None:
        """Why nobody can say now that the plate of *printer* is clear; None: somebody can."""
        keeper = self._keepers.get(printer)
        if keeper is None or keeper.config is None:
            return f"this bridge has no printer {printer}"
        if self.is_printing(keeper):
            return f"{keeper.config.name} prints: its plate is not clear"
        return None

    def why_not_off(self, printer: int) -> str | None:
        """Why the power of *printer* cannot be cut now; None: it can."""
        keeper = self._keepers.get(printer)
        if keeper is None:
            return None
        if self.is_printing(keeper):
            return "it prints"
        picture = keeper.picture()
        if picture is not None and picture.state is PrinterState.TRANSFERRING:
            return "a file is being written to its card"
        temps = picture.temps if picture is not None else {}
        nozzles = [now.actual_c or 0.0 for heater, now in temps.items() if heater[:4] == "tool"]
        hottest_c = max(nozzles, default=0.0)
        if hottest_c <= HOT_C:
            return None
        return f"its nozzle is at {hottest_c:.0f} °C and wants its fan until it is below {HOT_C:g}"

    @staticmethod
    def is_printing(keeper: PrinterKeeper) -> bool:
        """Whether an attempt is bound to the printer, or it moves by its own card."""
        picture = keeper.picture()
        active = picture is not None and picture.state in ACTIVE
        return keeper.work.grant is not None or active

    async def plate_cleared(self, printer: int) -> None:
        """A person at the machine says that its plate is clear."""
        await self._journal.run(Journal.plate_cleared, printer, self._journal.now())
        self._on_fact()

    def pinned(self) -> set[str]:
        """Hashes of the files that must stay in the spool."""
        used = (keeper.work.files() for keeper in self._keepers.values())
        return self.prefetch.pinned().union(*used)

    # Leases.

    async def watch_alone(self) -> None:
        """Let printers go on with their leases while the room is cut off, for ever."""
        while True:
            if self.away_s() is not None:
                for keeper in self.keepers():
                    if keeper.config is not None:
                        keeper.work.go_on_alone(keeper.cut_off(self.away_s))
            await asyncio.sleep(ALONE_LOOK_S)

    async def leases(self) -> list[tuple[Held, str | None]]:
        """The leases that nobody has used, and what each waits for; None: it starts now."""
        found: list[tuple[Held, str | None]] = []
        seen: set[int] = set()
        for held in await self._journal.run(Journal.leases, self._journal.now()):
            printer = held.lease.printer
            keeper = self._keepers.get(printer)
            if keeper is None or keeper.config is None:
                found.append((held, "its printer"))
                continue
            plate = await self._journal.run(Journal.plate_is_clear, printer)
            file = self.prefetch.has(held.lease.sha256)
            cut, turn = keeper.cut_off(self.away_s), None if printer in seen else held
            seen.add(printer)
            standing = keeper.work.standing(cut, turn, plate=plate, file=file)
            found.append((held, waits_for(standing)))
        return found

    def keepers(self) -> Iterable[PrinterKeeper]:
        """Every printer that is kept, by number."""
        return [self._keepers[number] for number in sorted(self._keepers)]

    def _users(self) -> dict[str, int]:
        return {
            keeper.config.port_id: keeper.printer
            for keeper in self._keepers.values()
            if keeper.config is not None
        }

    async def _refuse(self, stop: RemoteStop) -> None:
        row = stop_row(stop, int(self._tools.clock() * 1000))
        if await self._journal.run(Journal.stop, row, self._journal.now()):
            await self._end(_unknown_printer(row))

    async def _end(self, end: Finish) -> None:
        await self._journal.run(Journal.finish, end, self._journal.now())
        self._on_fact()

    def _in_time(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work* beside everything else, when the disk takes it."""
        task = asyncio.create_task(_until_kept(work), name="refusal")
        self._refusals.add(task)
        task.add_done_callback(self._refusals.discard)

    def _dispatch(self, row: CommandRow) -> None:
        """What is in the journal goes to its printer, whatever the disk does now."""
        keeper = self._keepers.get(row.printer)
        if keeper is None or keeper.config is None:
            self._in_time(partial(self._end, _unknown_printer(row)))
        elif row.verb is Verb.PLUG:
            self.plugs.add(row)
        else:
            keeper.add(row)

    def _apply(self, configs: Iterable[PrinterConfig]) -> None:
        wanted = {config.id: config for config in configs if config.enabled}
        self.plugs.configure(wanted.values())
        for number in {*self._tools.home.running(), *self._keepers, *wanted}:
            config = wanted.get(number)
            keeper = self._keepers.get(number) or self._keep(number)
            device = self._ports.device(config.port_id) if config is not None else None
            keeper.configure(config, device)
            if number not in self._tasks:
                self._watch(keeper)

    def _keep(self, number: int) -> PrinterKeeper:
        work = PrinterWork(number, self._journal, self._files, self._tools.clock, self._on_fact)
        work.patience_s = self.patience_s
        keeper = PrinterKeeper(number, self._tools, work)
        self._keepers[number] = keeper
        return keeper

    def _watch(self, keeper: PrinterKeeper) -> None:
        task = asyncio.create_task(keeper.run(), name=f"printer {keeper.printer}")
        self._tasks[keeper.printer] = task
        task.add_done_callback(lambda done: self._ended(keeper, done))

    def _ended(self, keeper: PrinterKeeper, task: asyncio.Task[None]) -> None:
        self._tasks.pop(keeper.printer, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None and keeper.config is None:
            del self._keepers[keeper.printer]
            self._tools.live.forget(keeper.printer)
            return
        if error is not None:
            log.error("the keeper of printer %d failed", keeper.printer, exc_info=error)
        asyncio.get_running_loop().call_later(1.0, self._revive, keeper)

    def _revive(self, keeper: PrinterKeeper) -> None:
        if keeper.printer not in self._tasks and self._keepers.get(keeper.printer) is keeper:
            self._watch(keeper)


async def _until_kept(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            return await work()
        except JournalError as error:
            log.error("a command's refusal waits: %s; trying again", error)
            await asyncio.sleep(JOURNAL_RETRY_S)


def _unknown_printer(row: CommandRow) -> Finish:
    reason = f"this bridge has no printer {row.printer}"
    return finish(row, CommandState.REJECTED, "unknown_printer", reason)
