"""A room that exists only here: a bridge as far as starts are concerned, and who watches it.

Its journal consumes each grant once, its printers print at most one attempt; its facts come late
and doubled.
"""

import random
from collections import Counter

from api.commands.models import Command
from api.jobs.models import Attempt, Job
from api.printers.models import Printer
from schemas.commands import CommandState, Verb
from schemas.facts import CommandFact
from schemas.jobs import ATTEMPT_OVER, JOB_RUNNING, AttemptEvent, AttemptState, JobState
from schemas.printer import PrinterState
from tests.fakes.farm import BRIDGE, Farm

E, C, P = AttemptEvent, CommandState, PrinterState

Said = CommandFact | tuple[str, AttemptEvent] | tuple[int, PrinterState]


class Room:
    """A bridge as far as starts are concerned."""

    def __init__(self, farm: Farm, chance: random.Random) -> None:
        self.farm, self.chance = farm, chance
        self.epoch = 1
        self.journal: dict[str, Command] = {}
        self.printing: dict[int, str] = {}
        self.starts: Counter[str] = Counter()  # by grant
        self.outbox: list[Said] = []

    async def carry(self) -> None:
        """The link hands over what is pending; sometimes it is lost on the way."""
        commands = await self.farm.commands.pending(BRIDGE, self.epoch)
        await self.farm.commands.mark_sent(commands, self.epoch)
        for command in commands:
            if self.chance.random() < 0.2:
                self.epoch += 1  # the link broke here; the rest is carried by the next one
                return
            if command.id not in self.journal:
                self.journal[command.id] = command
                self._obey(command, late=self.farm.commands.ttl_left_ms(command) == 0)

    def _obey(self, command: Command, *, late: bool) -> None:
        grant = command.grant or ""
        busy = command.printer_id in self.printing
        if command.verb == Verb.START:
            if late or busy or self.chance.random() < 0.2:
                self._say(command, C.EXPIRED if late else C.REJECTED)
                self.outbox.append((grant, E.NOT_STARTED))
                return
            self.printing[command.printer_id] = grant
            self.starts[grant] += 1
            self._say(command, C.STARTED)
            self.outbox.append((grant, E.STARTED))
            self.outbox.append((command.printer_id, P.PRINTING))
            self._say(command, C.DONE)
        elif command.verb == Verb.CANCEL and not late:
            mine = self.printing.get(command.printer_id) == grant
            self._say(command, C.DONE if mine else C.REJECTED)
            if mine:
                self.end(command.printer_id, E.CANCELLED)
        else:
            self._say(command, C.EXPIRED)

    def end(self, printer_id: int, event: AttemptEvent) -> None:
        """The print on this printer is over."""
        self.outbox.append((self.printing.pop(printer_id), event))
        self.outbox.append((printer_id, P.OPERATIONAL))

    def _say(self, command: Command, state: CommandState) -> None:
        self.outbox.append(CommandFact(id=command.id, state=state))

    async def speak(self) -> None:
        """Some of what was said arrives, in order, some of it twice."""
        for _ in range(self.chance.randrange(4)):
            if self.outbox:
                said = self.outbox.pop(0)
                for _ in range(self.chance.choice((1, 1, 2))):
                    await self._deliver(said)

    async def _deliver(self, said: Said) -> None:
        if isinstance(said, CommandFact):
            await self.farm.answer(await Command.get(id=said.id), said.state, said.code)
        elif isinstance(said[1], AttemptEvent):
            await self.farm.tell(str(said[0]), said[1])
        else:
            await self.farm.report(int(said[0]), said[1])


class Watch:
    """What was seen before, to see that nothing ever goes back."""

    def __init__(self) -> None:
        self.attempts: dict[str, str] = {}

    async def check(self, room: Room) -> None:
        """The invariants I5 and I6."""
        attempts = await Attempt.all()
        open_ones = [each for each in attempts if AttemptState(each.state) not in ATTEMPT_OVER]
        assert max(Counter(each.printer_id for each in open_ones).values(), default=0) <= 1
        assert max(Counter(each.job_id for each in open_ones).values(), default=0) <= 1
        printing = set(room.printing.values())
        assert printing <= {each.grant for each in open_ones}, "over, but it prints"
        holders = {each.active_grant for each in await Printer.all() if each.active_grant}
        assert holders == {each.grant for each in open_ones}
        running = [each for each in await Job.all() if JobState(each.state) in JOB_RUNNING]
        assert {each.grant for each in running} == holders
        for attempt in attempts:
            before = self.attempts.get(attempt.grant)
            if before is not None and AttemptState(before) in ATTEMPT_OVER:
                assert attempt.state == before
            self.attempts[attempt.grant] = attempt.state
        assert max(room.starts.values(), default=0) <= 1


async def drain(farm: Farm, room: Room, printers: list[Printer]) -> None:
    """Everything works again: whatever waits must come to its end."""
    farm.bridges.is_online = True
    room.chance = random.Random(4)  # seeds of the room no longer matter
    for _ in range(60):
        for printer in printers:
            await farm.printers.release_queue(farm.admin, printer.id)
            if (await farm.row(printer)).active_grant is None:
                await farm.printers.plate_cleared(farm.admin, printer.id)
        await farm.scheduler.step()
        await room.carry()
        for printer_id in sorted(room.printing):
            room.end(printer_id, E.COMPLETED)
        while room.outbox:
            await room.speak()
