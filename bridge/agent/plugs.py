"""The plugs that feed the printers of the room: switched by command, looked at now and then.

v1 contract 2.3, room link contract "Command life", safety case M27. A plug's command is journalled
like every other one, carried out here instead of by a sender, and never cuts the power of a print
or of a hot nozzle unless who asked insists. What a plug says goes up as facts, on change.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bridge.agent.commands import CommandRow, Finish, finish
from bridge.agent.errors import JournalError
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JOURNAL_RETRY_S, JournalThread
from bridge.agent.plug_talk import DIALECTS, Ask, Dialect, PlugError, Reading, asker
from schemas.commands import CommandState, PlugAction, PlugArgs
from schemas.facts import AlarmFact, FactBody, PlugFact
from schemas.plugs import address_of
from schemas.printer import PlugConfig, PrinterConfig

log = logging.getLogger(__name__)

#: How often every plug is looked at, and how often what it has measured is news.
LOOK_S = 60.0
METER_S = 300.0
#: A stop that cuts the power is worth more than one try.
CUT_TRIES = 3


@dataclass(slots=True)
class _Plug:
    """One plug; *told*: the newest fact about it, *told_at* monotonic seconds.

    *stops*: how often a stop has cut its power; what was asked for before one does not undo it.
    """

    printer: int
    config: PlugConfig
    turn: asyncio.Lock
    told: PlugFact | None = None
    told_at: float = float("-inf")
    stops: int = 0


class Plugs:
    """The plugs of the room.

    *why_not_off* says why the power of a printer cannot be cut now, None: it can. *locate* is how
    a host becomes an address, or a `ValueError`.
    """

    def __init__(
        self,
        journal: JournalThread,
        clock: Callable[[], float],
        on_fact: Callable[[], None],
        why_not_off: Callable[[int], str | None],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._on_fact = on_fact
        self._why_not_off = why_not_off
        self.locate: Callable[[str], tuple[str, int]] = address_of
        self._plugs: dict[int, _Plug] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    # What comes in; never waits.

    def configure(self, configs: Iterable[PrinterConfig]) -> None:
        """The plugs are these from now on."""
        wanted = {each.id: each.plug for each in configs if each.plug is not None}
        for printer, config in wanted.items():
            known = self._plugs.get(printer)
            if known is None or known.config != config:
                self._plugs[printer] = _Plug(printer, config, asyncio.Lock())
                self._changed.set()
        for printer in self._plugs.keys() - wanted.keys():
            del self._plugs[printer]

    def add(self, row: CommandRow) -> None:
        """Take a journalled command of a plug, new or left from an earlier run of the agent."""
        if row.state is CommandState.DELIVERED:
            plug = self._plugs.get(row.printer)
            work = self._obey(row, plug, plug.stops if plug is not None else 0)
        else:
            work = self._resolve(row)
        self._begin(work, f"plug command {row.id}")

    def stopped(self, printer: int) -> None:
        """The printer was stopped from afar: where its plug is set so, its power goes, too."""
        plug = self._plugs.get(printer)
        if plug is not None and plug.config.off_on_stop:
            plug.stops += 1
            self._begin(self._cut(plug), f"cut the power of printer {printer}")

    # The rest of the agent.

    async def run(self) -> None:
        """Look at every plug now and then, for ever."""
        while True:
            self._changed.clear()
            await asyncio.gather(*(self._look(plug) for plug in [*self._plugs.values()]))
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()

    async def close(self) -> None:
        """What is under way ends where it is; the next agent says that nobody knows."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Commands.

    async def _obey(self, row: CommandRow, plug: _Plug | None, stops: int) -> None:
        if plug is None:
            reason = f"printer {row.printer} has no plug that this bridge knows"
            await self._write(Journal.finish, finish(row, CommandState.REJECTED, "no_plug", reason))
            return
        async with plug.turn:
            await self._write(Journal.start, row)
            end = self._refusal(row, plug, stops) or await self._outcome(row, plug)
            await self._write(Journal.finish, end)

    async def _resolve(self, row: CommandRow) -> None:
        if row.state is CommandState.STARTED:
            reason = "the agent ended meanwhile; look at the plug"
            await self._write(
                Journal.finish, finish(row, CommandState.UNKNOWN, "agent_restarted", reason)
            )

    def _refusal(self, row: CommandRow, plug: _Plug, stops: int) -> Finish | None:
        """Why *row* is not carried out in its turn; None: it is."""
        assert isinstance(row.args, PlugArgs)
        if row.deadline_ms is not None and self._clock() * 1000 >= row.deadline_ms:
            reason = "its deadline passed before it could start"
            return finish(row, CommandState.EXPIRED, "expired", reason)
        if row.args.action is PlugAction.ON and plug.stops != stops:
            reason = "the printer was stopped meanwhile, which cut its power"
            return finish(row, CommandState.REJECTED, "stopped", reason)
        if row.args.action is PlugAction.OFF and not row.args.force:
            why = self._why_not_off(row.printer)
            if why is not None:
                return finish(row, CommandState.REJECTED, "needs_power", why)
        return None

    async def _outcome(self, row: CommandRow, plug: _Plug) -> Finish:
        """Carry out *row*, which is in the journal as started."""
        assert isinstance(row.args, PlugArgs)
        try:
            reading = await self._do(plug, row.args.action)
        except PlugError as error:
            await self._tell(plug, _silent(plug, error))
            return finish(row, CommandState.FAILED, "plug_failed", str(error))
        await self._tell(plug, _fact(plug, reading))
        return finish(row, CommandState.DONE)

    async def _do(self, plug: _Plug, action: PlugAction) -> Reading:
        """Switch, then ask: what counts is what the plug says itself. Raises `PlugError`."""
        dialect, ask = self._reach(plug)
        if action is not PlugAction.STATE:
            await dialect.switch(ask, action is PlugAction.ON)
        reading = await dialect.read(ask)
        if action is not PlugAction.STATE and reading.is_on is not (action is PlugAction.ON):
            raise PlugError(f"the plug was told to go {action} and stays as it was")
        return reading

    def _reach(self, plug: _Plug) -> tuple[Dialect, Ask]:
        dialect = DIALECTS.get(plug.config.kind)
        if dialect is None:
            raise PlugError(f"this bridge does not know plugs of the kind {plug.config.kind[:40]}")
        try:
            return dialect, asker(self.locate(plug.config.host))
        except ValueError as error:
            raise PlugError(str(error)) from None

    async def _cut(self, plug: _Plug) -> None:
        """Off, past every turn, then once more behind what was under way; a person hears of it."""
        error = await self._off(plug)
        async with plug.turn:
            for _ in range(CUT_TRIES):
                error = await self._off(plug)
                if error is None:
                    break
        code, how = "power_cut", "its plug is off: it cools down without its fans"
        if error is not None:
            code = "power_not_cut"
            how = f"its power could not be cut ({error}): go there and switch it off"
            log.error("printer %d: %s", plug.printer, how)
        text = f"the printer was stopped from afar; {how}"
        await self._say(AlarmFact(printer=plug.printer, code=code, text=text))

    async def _off(self, plug: _Plug) -> PlugError | None:
        """Off, whatever prints; why not, or None."""
        try:
            reading = await self._do(plug, PlugAction.OFF)
        except PlugError as error:
            return error
        await self._tell(plug, _fact(plug, reading))
        return None

    # What plugs say.

    async def _look(self, plug: _Plug) -> None:
        async with plug.turn:
            try:
                fact = _fact(plug, await self._do(plug, PlugAction.STATE))
            except PlugError as error:
                fact = _silent(plug, error)
            if self._is_news(plug, fact):
                await self._tell(plug, fact)

    def _is_news(self, plug: _Plug, fact: PlugFact) -> bool:
        told = plug.told
        if told is None or (told.is_on, told.error) != (fact.is_on, fact.error):
            return True
        return fact != told and self._clock() - plug.told_at >= METER_S

    async def _tell(self, plug: _Plug, fact: PlugFact) -> None:
        if self._plugs.get(plug.printer) is plug:  # not one that was replaced meanwhile
            plug.told, plug.told_at = fact, self._clock()
            await self._say(fact)

    async def _say(self, fact: FactBody) -> None:
        await self._write(Journal.add_fact, fact)

    async def _write(self, method: Callable[..., object], what: object) -> None:
        """To the journal, however long the disk refuses."""
        while True:
            try:
                await self._journal.run(method, what, self._journal.now())
                break
            except JournalError as error:
                log.error("plugs: %s; trying again", error)
                await asyncio.sleep(JOURNAL_RETRY_S)
        self._on_fact()


def _fact(plug: _Plug, reading: Reading) -> PlugFact:
    return PlugFact(
        printer=plug.printer,
        is_on=reading.is_on,
        power_w=reading.power_w,
        energy_kwh=reading.energy_kwh,
    )


def _silent(plug: _Plug, error: PlugError) -> PlugFact:
    return PlugFact(printer=plug.printer, is_on=None, error=str(error)[:300])
