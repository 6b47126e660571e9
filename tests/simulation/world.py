"""One seed from its beginning to its end: a farm, a bad day, healing, and proof that all works."""

import asyncio
import random
from dataclasses import dataclass

from api.commands.models import Command
from api.config import Settings
from api.jobs.models import Attempt, Job
from api.printers.models import Printer
from schemas.commands import COMMAND_OVER
from schemas.jobs import ATTEMPT_OVER, JOB_RUNNING, AttemptState, JobState
from schemas.printer import PrinterState
from tests.simulation.farm import Farm
from tests.simulation.faults import Faults
from tests.simulation.history import History
from tests.simulation.machines import Machine, Machines, Plate
from tests.simulation.network import Weather
from tests.simulation.people import People
from tests.simulation.room import Room
from tests.simulation.rows import Rows
from tests.simulation.time import VirtualLoop

POLICIES = ("self_clearing", "start_confirms", "confirm")
#: Share of the days with minutes in which nothing starts by itself.
CLOSES = 0.25
#: Processes that die are started again after so long.
RESTART_S = 1.0
#: After the last fault everything is in order again within this time.
SETTLE_S = 400.0


@dataclass(frozen=True)
class Outcome:
    """What a seed has shown. *virtual_s*: how long its day was."""

    history: History
    failures: list[str]
    virtual_s: float
    longest_frame_s: float


@dataclass(frozen=True)
class Bias:
    """A day on which only these faults happen and people do only this; empty: everything.

    *closes*: there are minutes in which nothing starts by itself.
    """

    faults: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    closes: bool = False


class World:
    """Everything of one seed."""

    def __init__(self, seed: str, rows: Rows, settings: Settings, bias: Bias) -> None:
        self.seed = seed
        self.rng = random.Random(f"{seed} world")
        self.history = History()
        self.history.now = lambda: asyncio.get_running_loop().time()
        self.rows = rows
        rows.begin(self.history, random.Random(f"{seed} rows"))
        self.policies = [POLICIES[0], self.rng.choice(POLICIES[1:])]
        self.weather = Weather()
        self.machines = Machines(
            *(
                Machine(
                    number,
                    self.history,
                    random.Random(f"{seed} machine {number}"),
                    Plate(policy == "self_clearing"),
                )
                for number, policy in enumerate(self.policies, start=1)
            )
        )
        self.farm = Farm(rows, self.history, self.weather, settings, seed)
        self.room = Room(self.farm, self.machines, self.history, seed)
        self.people = People(self.farm, self.room, self.history, seed)
        self.faults = Faults(self.farm, self.room, self.machines, self.history, seed)
        hours = random.Random(f"{seed} hours")
        self.closed: tuple[int, int] | None = None
        if bias.closes or hours.random() < CLOSES:
            begins = hours.randrange(0, 3)
            self.closed = begins, begins + hours.randrange(1, 4)
        if bias.faults:
            self.faults.only(bias.faults)
        if bias.acts:
            self.people.only(bias.acts)

    async def run(self) -> None:
        """The whole day."""
        await self.farm.found(self.policies)
        if self.closed is not None:
            await self.farm.close_at(*self.closed)
        await self.farm.start()
        self.room.start()
        supervisor = asyncio.create_task(self._supervise())
        try:
            await self._day()
        finally:
            supervisor.cancel()
            await self._close()

    async def _day(self) -> None:
        await self._until(self._operational, 60.0, "the farm did not come up")
        day = (
            self.people.live(self.rng.randrange(6, 16), self.rng.choice((0.5, 3.0, 10.0))),
            self.faults.happen(self.rng.randrange(1, 6), self.rng.choice((1.0, 10.0, 30.0))),
        )
        await asyncio.gather(*day)
        self.faults.heal()
        await self._until(self._settled, SETTLE_S, "not settled after healing")
        await self._usable()
        await self._until(self._settled, SETTLE_S, "not settled at the end")
        await self._final()

    async def _close(self) -> None:
        for life in (self.farm.life, self.room.life):
            if life is not None:
                life.kill()
        await self.farm.bury()
        await self.room.bury()
        for machine in self.machines.machines.values():
            machine.die()

    async def _supervise(self) -> None:
        """Start what has died, as systemd does."""
        while True:
            await asyncio.sleep(RESTART_S)
            if self.farm.life is not None and not self.farm.life.alive:
                await self.farm.bury()
                await self.farm.start()
            if self.room.life is not None and not self.room.life.alive:
                await self.room.bury()
                self.room.start()
            self._look()

    def _look(self) -> None:
        """Which combination of states the farm is in."""
        machines = self.machines.machines.values()
        parts = [(each.state, each.run.state if each.run else None) for each in machines]
        lives = [bool(life and life.alive) for life in (self.farm.life, self.room.life)]
        self.history.states.add((*parts, *lives, self.weather.down, len(self.farm.wires)))

    async def _until(self, reached: object, limit_s: float, complaint: str) -> None:
        ends = asyncio.get_running_loop().time() + limit_s
        why = "?"
        while asyncio.get_running_loop().time() < ends:
            why = await reached()  # type: ignore[operator]
            if not why:
                return
            await asyncio.sleep(2.0)
        self.history.add("end", "stuck", complaint=complaint, why=why)

    async def _operational(self) -> str:
        for number, state in await self.rows.read("SELECT id, state FROM printer"):
            if state != PrinterState.OPERATIONAL:
                return f"printer {number} is {state}"
        return ""

    async def _settled(self) -> str:
        """Why the farm is not at rest yet; people resume what stands paused."""
        for command, verb, state in await self.rows.read("SELECT id, verb, state FROM command"):
            if state not in COMMAND_OVER:
                return f"command {command} {verb} is {state}"
        attempts = 'SELECT "grant", printer_id, state FROM attempt'
        for grant, number, state in await self.rows.read(attempts):
            if state == AttemptState.PAUSED:
                await self.people.resume(number)
            if state not in ATTEMPT_OVER:
                return f"attempt {grant} is {state}"
        for job, state in await self.rows.read("SELECT id, state FROM job"):
            if state in JOB_RUNNING:
                return f"job {job} is {state}"
        for number, state in await self.rows.read("SELECT id, state FROM printer"):
            machine = self.machines.machines[number]
            if state != machine.state:
                return f"printer {number} is {machine.state}, the farm says {state}"
        held = self.room.disk.raw.execute("SELECT count(*) FROM facts").fetchone()[0]
        return f"{held} facts wait" if held else ""

    async def _usable(self) -> None:
        """Every printer prints again, with no more than a person can do from a page."""
        await self._until(self._cancelled, SETTLE_S, "what waits cannot be cancelled")
        for number in self.machines.machines:
            await self._until(lambda n=number: self._print(n), SETTLE_S, "a printer is not usable")

    async def _cancelled(self) -> str:
        """Why jobs still wait or run; people cancel them, and a room that has one says its word."""
        waiting = "SELECT id FROM job WHERE state IN ('pending', 'waiting_plate_clear')"
        for (job,) in await self.rows.read(waiting):
            await self.people.cancel_job(job)
        left = await self.rows.read(waiting)
        return f"job {left[0][0]} waits" if left else await self._settled()

    async def _print(self, number: int) -> str:
        row = await Printer.get(id=number)
        if row.state != PrinterState.OPERATIONAL:
            await self.people.recover(number)
            return f"printer {number} is {row.state}"
        answer = await self.people.clear(number)
        if answer == "ok":
            answer = await self.people.start_now(number)
        if answer != "ok":
            return f"printer {number} does not start: {answer}"
        job = await Job.filter(printer_id=number).order_by("-id").first()
        assert job is not None
        for _ in range(60):
            await asyncio.sleep(1.0)
            query = f"SELECT state, reason FROM job WHERE id = {job.id}"
            ((state, reason),) = await self.rows.read(query)
            if state in (JobState.COMPLETED, JobState.FAILED):
                return ""
        return f"printer {number}: its job is {state} ({reason})"

    async def _final(self) -> None:
        """What the rows say at the end."""
        for command in await Command.all():
            verb, grant = command.verb, command.grant
            data = {"verb": verb, "state": command.state, "code": command.code, "grant": grant}
            self.history.add("end", "command", id=command.id, **data)
        for attempt in await Attempt.all():
            self.history.add("end", "attempt", grant=attempt.grant, state=attempt.state)
        for row in await Printer.all():
            self.history.add("end", "printer", id=row.id, state=row.state, name=row.name)


def run_seed(seed: int | str, rows: Rows, settings: Settings, bias: Bias | None = None) -> Outcome:
    """Everything that happens under *seed*."""
    loop = VirtualLoop(random.Random(f"{seed} loop"))
    try:
        world = World(str(seed), rows, settings, bias or Bias())
        with world.room.opened_disk():
            loop.run_until_complete(world.run())
        return Outcome(world.history, loop.failures, loop.time(), world.weather.longest_s)
    finally:
        loop.close()
