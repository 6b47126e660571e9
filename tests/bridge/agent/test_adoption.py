"""A thousand seeded runs of killed agents and killed senders: nothing twice, nothing untold.

The real fleet, journal and command book over fake senders. The agent is cut off at a random await,
also between a journal write and its effect; the sender loses its memory when it dies. At the end
every command has one outcome and no effect happened twice.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from bridge.agent.journal import Journal
from bridge.control.messages import Alarm, Start
from schemas.commands import COMMAND_TRANSITIONS, CommandEvent, CommandState, Verb
from schemas.facts import AlarmFact, AttemptFact, CommandFact, Fact, FactBody
from schemas.jobs import ATTEMPT_TRANSITIONS, AttemptEvent, AttemptState
from schemas.link import Desired
from schemas.printer import PrinterConfig
from schemas.transitions import advance
from tests.fakes.hall import CONFIG, DATA, Hall, InlineJournal
from tests.fakes.sender import FakeHome, FakeSender

STARTED = CommandState.STARTED
RUNS = 1000
SHARDS = 10


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait of the supervision lasts."""
    monkeypatch.setattr("bridge.agent.printers.ADOPT_AGAIN_S", 0.0)
    monkeypatch.setattr("bridge.agent.restarts.DELAYS_S", (0.0,))
    monkeypatch.setattr("bridge.agent.restarts.MAX_DEATHS", 100)
    monkeypatch.setattr("bridge.agent.work.SETTLE_S", 0.002)


class Run:
    """One seed: a printer of its own in a journal that all seeds share."""

    def __init__(self, seed: int, journal: Journal, directory: Path) -> None:
        self.rng = random.Random(seed)
        self.printer = seed + 1
        self.stored = journal
        self.first_fact = journal.fact_span()[1]
        self.hall = Hall(directory, FakeHome(FakeSender(self.printer)))
        self.hall.api.seq = seed * 100
        self.commands: list[tuple[str, Verb]] = []
        self.alarms: list[str] = []
        self.alive = False

    @property
    def sender(self) -> FakeSender:
        return self.hall.home.senders[self.printer]

    async def live(self) -> None:
        await self._agent_starts()
        for _ in range(self.rng.randrange(4, 12)):
            await self.rng.choice(
                (self._command, self._command, self._sender_dies, self._agent_dies, self._event)
            )()
            for _ in range(self.rng.randrange(12)):
                await asyncio.sleep(0)
        if not self.alive:
            await self._agent_starts()
        await self.hall.until(self._is_settled, 10)
        await self._agent_dies()

    def _is_settled(self) -> bool:
        facts = [fact.body for fact in self.facts()]
        ended = {f.id for f in facts if isinstance(f, CommandFact) and f.state is not STARTED}
        told = [f.text for f in facts if isinstance(f, AlarmFact)]
        return ended >= {command_id for command_id, _ in self.commands} and set(told) >= set(
            self.alarms
        )

    def facts(self) -> list[Fact]:
        facts: list[Fact] = []
        while batch := self.stored.facts_after(facts[-1].seq if facts else self.first_fact):
            facts += batch
        return facts

    async def _agent_starts(self) -> None:
        hall = self.hall
        hall.take_up(InlineJournal(self.stored, hall.moment))
        config: PrinterConfig = msgspec.structs.replace(CONFIG, id=self.printer)
        self.stored.configure(Desired(version=1, printers=[config]), hall.moment())
        await hall.fleet.open()
        self.alive = True

    async def _agent_dies(self) -> None:
        if self.alive:
            await self.hall.fleet.close()
            self.alive = False

    async def _sender_dies(self) -> None:
        # What an agent has not acknowledged dies with the sender: such alarms are not expected.
        lost = {e.body.text for e in self.sender.waiting if isinstance(e.body, Alarm)}
        self.alarms = [text for text in self.alarms if text not in lost]
        self.sender.die()

    async def _event(self) -> None:
        if not self.sender.alive:
            return
        if self.sender.grant is not None and self.rng.random() < 0.5:
            self.sender.move(AttemptEvent.COMPLETED)
        else:
            text = f"{self.printer}/{len(self.alarms)}/{self.rng.random()}"
            self.alarms.append(text)
            self.sender.happen(Alarm(code="x", text=text))

    async def _command(self) -> None:
        if not self.alive:
            await self._agent_starts()
        verb = self.rng.choice((Verb.START, Verb.GCODE, Verb.TEMPERATURE, Verb.RESET_STOP))
        api, number = self.hall.api, len(self.commands)
        if verb is Verb.START:
            cmd = api.start(self.printer, f"g{self.printer}.{number}", DATA)
        else:
            args = {Verb.GCODE: {"lines": []}, Verb.TEMPERATURE: {"targets_c": {"bed": 1.0}}}
            cmd = api.command(self.printer, verb, args.get(verb))
        cmd = msgspec.structs.replace(cmd, id=f"c{self.printer}.{number}")
        self.commands.append((cmd.id, verb))
        await self.hall.fleet.commands([cmd])
        if self.rng.random() < 0.2:
            await self.hall.fleet.commands([cmd])  # the API did not hear that it is delivered

    def check(self) -> None:
        facts = [fact.body for fact in self.facts()]
        ran = Counter(str(m.id) for m in self.sender.executed if hasattr(m, "id"))
        for command_id, verb in self.commands:
            if verb is not Verb.TEMPERATURE:
                assert ran[command_id] <= 1, f"{verb} {command_id} ran {ran[command_id]} times"
            self._check_command(command_id, ran[command_id], facts)
        started = Counter(m.job.grant for m in self.sender.executed if isinstance(m, Start))
        grants = {fact.grant for fact in facts if isinstance(fact, AttemptFact)}
        for grant in grants | set(started):
            self._check_attempt(grant, started[grant], facts)
        texts = Counter(fact.text for fact in facts if isinstance(fact, AlarmFact))
        assert all(count == 1 for count in texts.values()), texts

    @staticmethod
    def _check_command(command_id: str, ran: int, facts: list[FactBody]) -> None:
        states = [f.state for f in facts if isinstance(f, CommandFact) and f.id == command_id]
        steps = [state for at, state in enumerate(states) if state not in states[:at]]
        at = CommandState.DELIVERED
        for state in steps:
            at = advance(COMMAND_TRANSITIONS, at, CommandEvent(state.value))
        if at is CommandState.DONE:
            assert ran >= 1, f"{command_id} is told as done and never ran"
        if at in (CommandState.EXPIRED, CommandState.SUPERSEDED):
            assert ran == 0, f"{command_id} is told as {at} and ran"

    @staticmethod
    def _check_attempt(grant: str, started: int, facts: list[FactBody]) -> None:
        assert started <= 1, f"{grant} was started {started} times"
        events = [f.event for f in facts if isinstance(f, AttemptFact) and f.grant == grant]
        distinct = [event for at, event in enumerate(events) if event not in events[:at]]
        at = AttemptState.GRANTED
        for event in distinct:
            at = advance(ATTEMPT_TRANSITIONS, at, event)
        if AttemptEvent.NOT_STARTED in events:
            assert started == 0, f"{grant} was started and told as not started"


@pytest.mark.seeded
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_killed_agents_and_senders_do_nothing_twice(shard: int, quick_dir: Path) -> None:
    """1 000 seeds: outcomes told, starts at most once, events exactly once."""
    journal = Journal(quick_dir / "journal.sqlite3")
    for seed in range(shard * RUNS // SHARDS, (shard + 1) * RUNS // SHARDS):
        run = Run(seed, journal, quick_dir)
        try:
            await run.live()
            run.check()
        except (AssertionError, TimeoutError) as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    journal.close()
