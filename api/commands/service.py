"""Commands: issued once, carried by the link, answered by facts (link contract, "Command life").

Every step is one of `schemas.commands.COMMAND_TRANSITIONS`; what the table does not have is logged
and changes nothing, so a fact that comes twice or late is harmless.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Container, Sequence
from datetime import timedelta

from ulid import ULID

from api.bus.local import Bus
from api.clock import Clock
from api.commands import rules
from api.commands.carrying import STARTS, Named, at_birth, is_on, to_carry
from api.commands.direct import DirectStops
from api.commands.models import Command
from api.commands.rooms import BridgeRoom, Row
from api.errors import NotFound, Unavailable
from api.events.service import Change, Happened, Ledger
from api.outage import Question
from api.principal import Principal
from api.printers.sending import check_free_for
from api.printers.service import Printer
from api.spelled import Rows, among, ask
from schemas.commands import (
    COMMAND_OVER,
    COMMAND_TRANSITIONS,
    VERBS,
    Args,
    CommandEvent,
    CommandState,
    NoArgs,
    Verb,
    replaces,
)
from schemas.facts import CommandFact
from schemas.transitions import can

__all__ = ["Command", "Commands", "Row"]

_log = logging.getLogger("gantry.commands")

UNCONFIRMED_AFTER = timedelta(seconds=5)

_UNSENT = (CommandState.QUEUED,)
_UNDELIVERED = rules.UNDELIVERED
_GOING_ON = tuple(set(CommandState) - COMMAND_OVER)
_BY_ID = Rows(Command, "id = $1")
_OF_ROOM = Rows(Command, "id = $1 AND bridge_id = $2")
_TO_CARRY = Rows(Command, f"bridge_id = $1 AND {among('state', _UNDELIVERED)} ORDER BY seq")
_UNDERWAY = f"SELECT verb, state FROM command WHERE printer_id = $1 AND {among('state', _GOING_ON)}"  # noqa: S608
_STOPPED = "The printer was stopped before its room was told to start."
_EVENT_OF = {CommandState(event.value): event for event in CommandEvent}

OverHook = Callable[[Change, Command], Awaitable[object]]
Reached = Callable[[], Awaitable[bool]]


class Commands:
    """The commands of the farm."""

    def __init__(self, bridges: BridgeRoom, ledger: Ledger, clock: Clock, bus: Bus) -> None:
        self._bridges = bridges
        self._ledger = ledger
        self._clock = clock
        self._bus = bus
        self._over_hooks: list[OverHook] = []
        self.direct = DirectStops(bus, clock)
        #: whether the database answers
        self.rows = Question(lambda: Command.filter(id="").exists())

    def when_over(self, hook: OverHook) -> None:
        """Call *hook* in the transaction in which a command ends or its `unknown` is resolved."""
        self._over_hooks.append(hook)

    # People and the queue.

    async def issue(
        self,
        by: Principal,
        printer: Printer,
        verb: Verb,
        args: Args | None = None,
        grant: str | None = None,
    ) -> Command:
        """Tell *printer* to do something. A verb that means an attempt gets the running one.

        Raises `Conflict` (``stopped``; nothing runs) or `Unavailable` (the room is offline, or
        too much waits already). Nothing is queued then.
        """
        by.require(rules.RIGHT_OF.get(verb, "printers.control"))
        if printer.organization_id != by.organization_id or not by.reaches(printer.id):
            raise NotFound(f"There is no printer {printer.id}.", code="printer_not_found")
        name = self._named(by, printer, verb)
        async with self._ledger.change(by.organization_id) as change:
            known = await _BY_ID.first(name.id) if name.is_told else None  # by the room's word
            command = known or await self.issue_in(
                change, by, printer, verb, args, grant=grant, name=name
            )
            if known is None or known.actor != by.username[:120]:  # two may press at once
                entity = ("printer", printer.id)
                change.note(by, f"printer.{verb}", entity, name=printer.name, args=command.args)
        self.direct.owed.pop(command.id, None)
        return command

    def _named(self, by: Principal, printer: Printer, verb: Verb) -> Named:
        """What is asked now; a stop goes out before its row, for which there may be a queue."""
        if verb is not Verb.REMOTE_STOP:
            return Named(str(ULID.from_datetime(self._clock.now())))
        stopped = (printer.organization_id, printer.id, printer.name)
        bridge_id = self._reachable_bridge(printer, verb)
        return Named(self.direct.press(by, stopped, bridge_id), is_told=True)

    async def issue_in(
        self,
        change: Change,
        by: Principal,
        printer: Printer,
        verb: Verb,
        args: Args | None = None,
        *,
        grant: str | None = None,
        name: Named | None = None,
    ) -> Command:
        """`issue` inside the caller's transaction; the caller has checked the rights."""
        now = self._clock.now()
        name = name or Named(str(ULID.from_datetime(now)))
        args = args if args is not None else NoArgs()
        rules.check_args(verb, args)
        bridge_id = self._reachable_bridge(printer, verb, is_told=name.is_told)
        check_free_for(printer, verb)
        if VERBS[verb].needs_grant:
            grant = grant or printer.active_grant or rules.card_print(printer.state)
            rules.check_grant(verb, grant, printer.name)
        underway = await self._states_underway(printer, verb)
        rules.check_latch(verb, printer.state, underway, printer.name)
        replaced = 0
        if replaces(verb, args, args):
            args, replaced = await self._supersede(change, printer, verb, args)
        rules.check_room(verb, underway, replaced, printer.name)
        if verb is Verb.REMOTE_STOP:
            await self.withdraw_starts(change, printer.id)
        kept = rules.check_args(verb, args)
        state, epoch = at_birth(verb, kept, self.direct.epoch(bridge_id))
        command = await Command.create(
            id=name.id,
            state=CommandState.SENT if name.is_told else state,
            sent_epoch=epoch,
            organization_id=printer.organization_id,
            printer_id=printer.id,
            bridge_id=bridge_id,
            seq=await self._bridges.next_command_seq(change, bridge_id),
            verb=verb,
            args=kept,
            grant=grant,
            actor=by.username[:120],
            created_at=now,
            deadline_at=rules.deadline(verb, args, now),
        )
        _log.info("%s for printer %d", verb, printer.id, extra={"command": command.id})
        change.record(_event(command, "command.issued", user_id=by.user_id))
        change.wake(f"bridge:{bridge_id}")
        return command

    async def next_seq(self, change: Change, bridge_id: int) -> int:
        """The next number in the room's order of commands."""
        return await self._bridges.next_command_seq(change, bridge_id)

    async def stop_directly(self, by: Principal, printer: Printer) -> bool:
        """M112 past the database; False: no process that can be asked has the room's link."""
        if printer.bridge_id is None:
            return False
        told = (printer.organization_id, printer.id, printer.name)
        return await self.direct.send(by, told, printer.bridge_id)

    async def write_owed(self, change: Change, bridge_id: int | None = None) -> None:
        """Stops that went past the rows (of *bridge_id*, or all) get theirs, and are carried again.

        A stop is owed until its row is seen to be there: a rolled back change loses none.
        """
        for owed in [it for it in self.direct.owed.values() if bridge_id in (None, it.bridge_id)]:
            if await Command.filter(id=owed.id).exists():
                self.direct.owed.pop(owed.id, None)  # `issue` may have been first
                continue
            command = await owed.write(await self.next_seq(change, owed.bridge_id))
            change.record(_event(command, "command.issued", user_id=owed.by.user_id))
            await self.withdraw_starts(change, owed.printer_id)
            owed.note(change)

    async def withdraw(self, change: Change, command_id: str) -> bool:
        """Take back a command that no link has carried yet; False when it is too late for that."""
        command = await Command.filter(id=command_id, state__in=_UNSENT).first()
        if command is None:
            return False
        await self._step(change, command, CommandEvent.SUPERSEDED, "withdrawn", "")
        return True

    async def withdraw_starts(self, change: Change, printer_id: int) -> None:
        """A printer that somebody stopped starts nothing that its room does not have yet.

        What a link carried without the journal's word for it has no life left: only the bridge
        can say whether it had come, and starts it no more if it had not.
        """
        starts = Command.filter(printer_id=printer_id, verb__in=STARTS)
        await starts.filter(state=CommandState.SENT).update(deadline_at=self._clock.now())
        for command in await starts.filter(state__in=_UNSENT).order_by("seq"):
            await self._step(change, command, CommandEvent.SUPERSEDED, "stopped", _STOPPED)

    async def underway(self, printer_id: int, grant: str | None, *verbs: Verb) -> Command | None:
        """The newest command of these kinds that is not over yet, or None."""
        rows = Command.filter(printer_id=printer_id, verb__in=verbs, grant=grant)
        return await rows.exclude(state__in=tuple(COMMAND_OVER)).order_by("-id").first()

    async def get(self, command_id: str) -> Command:
        """One command. Raises `NotFound`."""
        command = await _BY_ID.first(command_id)
        if command is None:
            raise NotFound(f"There is no command {command_id}.")
        return command

    async def wait(self, command_id: str, timeout_s: float) -> Command:
        """The command when it is over, or as it is after *timeout_s* seconds."""
        return await self._until(command_id, timeout_s, COMMAND_OVER)

    async def settle(self, command: Command, reached: Reached, timeout_s: float) -> Command:
        """Wait until the printer has *reached* what was asked, or the command cannot get there.

        A command that is done goes on waiting for the state that shows it. Returns the command as
        it is then, *timeout_s* seconds later at most.
        """
        hopeless, also = COMMAND_OVER - {CommandState.DONE}, f"printer:{command.printer_id}"
        return await self._until(command.id, timeout_s, hopeless, reached, also)

    async def _until(
        self,
        command_id: str,
        timeout_s: float,
        ends_in: Collection[str],
        reached: Reached | None = None,
        *also: str,
    ) -> Command:
        ends = self._clock.monotonic() + timeout_s
        with self._bus.listen(f"command:{command_id}", *also) as listener:
            while True:
                command = await self.get(command_id)
                if command.state in ends_in or (reached is not None and await reached()):
                    return command
                left_s = ends - self._clock.monotonic()
                if left_s <= 0 or not await listener.wait(left_s):
                    return await self.get(command_id)

    # The link.

    async def pending(
        self, bridge_id: int, epoch: int, told: Container[str] | None = None
    ) -> list[Command]:
        """What the link of *epoch* still has to carry, in the room's order (`to_carry`)."""
        return to_carry(await _TO_CARRY.of(bridge_id), epoch, told, self._clock.now())

    async def waits(self, bridge_id: int) -> bool:
        """Whether a command is on its way to the bridge and not in its journal."""
        return await Command.filter(bridge_id=bridge_id, state__in=_UNDELIVERED).exists()

    async def unconfirmed(self, bridge_id: int, epoch: int) -> Sequence[Command]:
        """What the link of *epoch* carried a while ago without the journal's word for it.

        Whoever may lose a frame on a link that stands carries them again: a journal answers what
        it knows already.
        """
        before = self._clock.now() - UNCONFIRMED_AFTER
        rows = Command.filter(bridge_id=bridge_id, state=CommandState.SENT, sent_epoch=epoch)
        return await rows.filter(created_at__lt=before).order_by("seq")

    def ttl_left_ms(self, command: Command) -> int | None:
        """What is left of its life, 0 when it has passed; None: it never expires."""
        verb, now = Verb(command.verb), self._clock.now()
        return rules.ttl_left_ms(verb, command.args, command.deadline_at, now)

    async def mark_sent(self, commands: Sequence[Command], epoch: int) -> Collection[str]:
        """The link of *epoch* is about to carry *commands*; committed before the first byte.

        The ids that it may carry: what was taken back meanwhile is not among them.
        """
        ids = {each.id for each in commands}
        ours = {each.id for each in commands if is_on(each, epoch)}
        if ids == ours:
            return ids
        async with self._ledger.change(commands[0].organization_id):
            rows = Command.filter(id__in=ids - ours, state__in=_UNDELIVERED)
            carried = await rows.update(state=CommandState.SENT, sent_epoch=epoch)
            if not carried or len(ids) == 1:
                return ids if carried else ours
            # which of several: what triggers write is in SQLite's count of changed rows, too
            marked = Command.filter(id__in=ids, state=CommandState.SENT, sent_epoch=epoch)
            return {row.id for row in await marked.only("id")}

    async def delivered(self, change: Change, bridge_id: int, seq: int) -> None:
        """The bridge's journal holds every command up to *seq*.

        A remote stop goes another way than the numbered ones: only its own facts move it.
        """
        rows = Command.filter(bridge_id=bridge_id, seq__lte=seq, state=CommandState.SENT)
        await rows.exclude(verb=Verb.REMOTE_STOP).update(state=CommandState.DELIVERED)

    async def record(self, change: Change, bridge: Row, fact: CommandFact) -> Command | None:
        """A bridge reported a step. None when it means nothing here: foreign, late or repeated."""
        command = await _OF_ROOM.first(fact.id, bridge.id)
        if command is None and fact.id in self.direct.owed:
            await self.write_owed(change, bridge.id)
            command = await _OF_ROOM.first(fact.id, bridge.id)
        event = _EVENT_OF.get(fact.state)
        if command is None or event is None:
            _log.warning("bridge %s reports %s of unknown %s", bridge.id, fact.state, fact.id)
            return None
        if not can(COMMAND_TRANSITIONS, CommandState(command.state), event):
            _log.info("command %s is %s; %s is ignored", command.id, command.state, event)
            return None
        await self._step(change, command, event, fact.code, fact.reason)
        return command

    async def expire_due(self) -> int:
        """End what no link has carried before its deadline: it certainly did nothing."""
        await self.keep_owed()
        now = self._clock.now()
        due = Command.filter(state__in=_UNSENT, deadline_at__lte=now)
        if not await due.exists():
            return 0
        async with self._ledger.change() as change:
            rows = await due.order_by("seq")
            for command in rows:
                reason = "The room was not there before the deadline."
                await self._step(change, command, CommandEvent.EXPIRED, "expired", reason)
        return len(rows)

    async def keep_owed(self) -> None:
        """Write the rows of the stops that have none yet."""
        if self.direct.owed:
            async with self._ledger.change() as change:
                await self.write_owed(change)

    # The rules.

    def _reachable_bridge(self, printer: Printer, verb: Verb, *, is_told: bool = False) -> int:
        if printer.bridge_id is None:
            raise Unavailable(f"{printer.name} hangs on no bridge; nobody can tell it to {verb}.")
        waits = is_told or verb in rules.WAITS_FOR_ROOM
        if not waits and not self._bridges.online(printer.bridge_id):
            where = f"The room of {printer.name} is offline, so it cannot be told to {verb} now."
            if verb is Verb.REMOTE_STOP:
                where += " Nothing was stopped: go there and use its own switch."
            raise Unavailable(where)
        return printer.bridge_id

    async def _states_underway(self, printer: Printer, verb: Verb) -> Collection[rules.Underway]:
        """What the printer has to do yet; nothing is looked up for what passes anyway."""
        if verb in rules.PASSES_LATCH & rules.ALWAYS_TAKEN:
            return ()
        return [(row["verb"], row["state"]) for row in await ask(_UNDERWAY, printer.id)]

    async def _supersede(
        self, change: Change, printer: Printer, verb: Verb, args: Args
    ) -> tuple[Args, int]:
        """*args* with what they take over, and how many commands they replace."""
        older, replaced = Command.filter(printer_id=printer.id, verb=verb, state__in=_UNSENT), 0
        for command in await older.order_by("-seq"):
            if not replaces(verb, args, rules.args_of(verb, command.args)):
                continue
            args = rules.merged(verb, command.args, args)
            await self._step(change, command, CommandEvent.SUPERSEDED, "superseded", "")
            replaced += 1
        return args, replaced

    async def _step(
        self, change: Change, command: Command, event: CommandEvent, code: str, reason: str
    ) -> None:
        state = COMMAND_TRANSITIONS[CommandState(command.state)][event]
        command.state = state
        command.code, command.reason = code[:64], reason[:300]
        if state in COMMAND_OVER:
            command.ended_at = self._clock.now()
        await command.save(update_fields=["state", "code", "reason", "ended_at"])
        change.wake(f"command:{command.id}")
        if state in COMMAND_OVER:
            change.record(_event(command, f"command.{state}", code=command.code))
            for hook in self._over_hooks:
                await hook(change, command)


def _event(command: Command, kind: str, user_id: int | None = None, code: str = "") -> Happened:
    return Happened(
        organization_id=command.organization_id,
        kind=kind,
        printer_id=command.printer_id,
        user_id=user_id,
        data={"id": command.id, "verb": command.verb, "code": code, "reason": command.reason},
    )
