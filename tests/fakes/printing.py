"""Rooms that print: each consumes its grants, journals what it reports, and watches who doubles.

A start is done after a few hundredths of a second. What was not acknowledged is said again on the
next link, as a bridge's journal does.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from websockets.asyncio.client import ClientConnection

from infra.bench.rooms import Room
from schemas.commands import CommandState, StartArgs, Verb
from schemas.facts import AttemptFact, CommandFact, Fact, FactBatch, FactBody, PrinterFact
from schemas.jobs import AttemptEvent, AttemptState
from schemas.link import Body, Cmd, CmdGot, FactAck
from schemas.printer import PrinterState
from schemas.session import LinkSession

STEP_S = 0.02
BATCH = 50


@dataclass(slots=True)
class PrintingRoom(Room):
    """One bridge whose printers print. *wrong*: what must never have been asked of it."""

    chance: random.Random = field(default_factory=random.Random)
    wrong: list[str] = field(default_factory=list)
    starts: Counter[int] = field(default_factory=Counter)  # by job
    printing: dict[int, tuple[str, float]] = field(default_factory=dict)  # printer: grant, its end
    _commands: set[str] = field(default_factory=set)
    _grants: set[str] = field(default_factory=set)
    _journal: list[Fact] = field(default_factory=list)
    _acked: int = 0

    def _begin(self, session: LinkSession) -> None:
        if not self._journal:
            idle = PrinterState.OPERATIONAL
            self._tell(session, [PrinterFact(printer=each, state=idle) for each in self.printers])
            return
        waiting = [fact for fact in self._journal if fact.seq > self._acked]
        for first in range(0, len(waiting), BATCH):
            self._say(session, waiting[first : first + BATCH])

    def _answer(self, session: LinkSession, body: Body) -> None:
        if isinstance(body, FactAck):
            self._acked = max(self._acked, body.seq)
        elif isinstance(body, Cmd):
            if body.id not in self._commands:
                self._commands.add(body.id)
                self._obey(session, body)
            session.say(CmdGot(seq=body.seq), time.monotonic())
        else:
            Room._answer(self, session, body)

    def _obey(self, session: LinkSession, command: Cmd) -> None:
        if command.verb != Verb.START:
            self._finish(session, command.id, CommandState.STARTED, CommandState.DONE)
            return
        start = msgspec.json.decode(command.args, type=StartArgs)
        if command.printer in self.printing:
            self.wrong.append(f"printer {command.printer} prints already: {start}")
        if start.grant in self._grants:
            self.wrong.append(f"a grant came twice: {start}")
        self._grants.add(start.grant)
        self.starts[start.job] += 1
        self.printing[command.printer] = start.grant, time.monotonic() + self.chance.random() / 5
        self._tell(
            session,
            [
                CommandFact(id=command.id, state=CommandState.STARTED),
                _attempt(command.printer, start.grant, AttemptEvent.STARTED),
                PrinterFact(printer=command.printer, state=PrinterState.PRINTING),
                CommandFact(id=command.id, state=CommandState.DONE),
            ],
        )

    async def _show(self, session: LinkSession, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(STEP_S)
            if self.linked.is_set():
                session.tick(time.monotonic())
                self._end_prints(session)
                await self._flush(session, socket)

    def _end_prints(self, session: LinkSession) -> None:
        now = time.monotonic()
        for printer in [each for each, (_, end) in self.printing.items() if end < now]:
            grant, _ = self.printing.pop(printer)
            self._tell(
                session,
                [
                    _attempt(printer, grant, AttemptEvent.COMPLETED),
                    PrinterFact(printer=printer, state=PrinterState.OPERATIONAL),
                ],
            )

    def _tell(self, session: LinkSession, bodies: Sequence[FactBody]) -> None:
        facts = []
        for body in bodies:
            self.last_fact += 1
            facts.append(Fact(seq=self.last_fact, at_ms=self.last_fact, boot_id="bench", body=body))
        self._journal += facts
        self._say(session, facts)

    def _say(self, session: LinkSession, facts: list[Fact]) -> None:
        session.say(FactBatch(journal_id=self.uid[:16], facts=facts), time.monotonic())


def printing(room: Room, url: str, seed: int) -> PrintingRoom:
    """*room*, printing."""
    return PrintingRoom(
        url, room.uid, room.key, room.ports, room.printers, chance=random.Random(seed)
    )


def _attempt(printer: int, grant: str, event: AttemptEvent) -> AttemptFact:
    state = AttemptState.STARTED if event is AttemptEvent.STARTED else AttemptState.COMPLETED
    return AttemptFact(printer=printer, grant=grant, event=event, state=state)
