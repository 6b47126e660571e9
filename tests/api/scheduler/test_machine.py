"""The farm as a state machine: any order of jobs, plates, printers, people and crashes.

Hypothesis drives the real services on a database in memory, with a held clock and the room of
`tests.fakes.room`, and holds I5 and I6 after every step: no printer with two jobs, no print on two
printers, no state that goes back. M13 to M16 are rules of it.
"""

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE

from api.accounts.models import Organization
from api.bus.local import LocalBus
from api.db import tortoise_config
from api.errors import Conflict, NotFound, Unavailable
from api.events.service import Ledger
from api.jobs import endings
from api.jobs.models import Attempt, Job
from api.principal import Principal, Role
from api.printers.models import Printer
from api.scheduler.models import Decision
from schemas.jobs import AttemptEvent
from schemas.printer import PlatePolicy
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm
from tests.fakes.queue_room import Room, Watch, drain

pytestmark = pytest.mark.seeded

E = AttemptEvent
ADMIN = Principal(
    organization_id=1, user_id=1, username="admin", role=Role.ADMIN, kind="token", credential_id=1
)
SECOND_PLACE = replace(ADMIN, organization_id=2)
#: What stands in the way of who comes second, too early, or for what is not there any more.
REFUSED = (Conflict, Unavailable, NotFound)
ANY = st.integers(min_value=0, max_value=9)


class Queue(RuleBasedStateMachine):
    """Two printers that clear their plates, one whose plate somebody has to look at."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.claims: set[str] = set()  # that people have made for the strict printer

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Whatever *work* returns; who is refused has changed nothing."""
        return self.runner.run(work)

    def tried(self, work: Coroutine[Any, Any, Any]) -> None:
        """As `run`, and a refusal is an answer too."""
        with suppress(*REFUSED):
            self.run(work)

    @initialize(seed=st.integers(min_value=0, max_value=9999))
    def open(self, seed: int) -> None:
        # Numbers that Hypothesis draws are often 0, and then this room would refuse everything.
        self.chance = random.Random(seed)
        self.run(self._open())

    async def _open(self) -> None:
        EXECUTOR_CACHE.clear()
        self.context = await Tortoise.init(config=tortoise_config("sqlite://:memory:"))
        self.context.__enter__()
        await self.context.generate_schemas()
        clock, bus = FakeClock(), LocalBus()
        await Organization.create(id=1, name="Farm", created_at=clock.now())
        self.farm = Farm(Ledger(bus, clock), clock, bus, ADMIN)
        self.room, self.watch = Room(self.farm, self.chance), Watch()
        await self.farm.printer()
        await self.farm.printer("Two", "virtual:two")
        strict = await self.farm.printer("Strict", "usb:1")
        self.strict = strict.id
        policy = {"plate_policy": PlatePolicy.CONFIRM}
        await self.farm.printers.update(ADMIN, strict.id, policy)
        self.printers = list(await Printer.all().order_by("id"))
        for printer in (*self.printers, None, None, strict):
            await self.farm.job(printer)

    def teardown(self) -> None:
        """Everything works again, and every job comes to its end."""
        try:
            if hasattr(self, "farm"):
                self.run(self._end())
        finally:
            self.runner.close()

    async def _end(self) -> None:
        try:
            await drain(self.farm, self.room, self.printers)
            await self.watch.check(self.room)
            states = {job.state for job in await Job.all()}
            assert states <= {"completed", "failed", "cancelled"}, states
        finally:
            await self.context.close_connections()

    async def _job(self, number: int) -> Job:
        jobs = await Job.all().order_by("id")
        return jobs[number % len(jobs)]

    # Jobs and people.

    @rule(printer=st.none() | st.integers(min_value=0, max_value=2))
    def somebody_queues_a_job(self, printer: int | None) -> None:
        chosen = None if printer is None else self.printers[printer]
        self.run(self.farm.job(chosen))

    @rule(job=ANY)
    def somebody_cancels(self, job: int) -> None:
        self.tried(self._on_job(job, lambda each: self.farm.jobs.cancel(ADMIN, each.id)))

    async def _on_job(self, number: int, work: Any) -> None:
        if await Job.all().exists():
            await work(await self._job(number))

    @rule(job=ANY, printer=st.integers(min_value=0, max_value=2))
    def a_person_starts_a_job(self, job: int, printer: int) -> None:
        target = self.printers[printer].id
        self.tried(
            self._on_job(job, lambda each: self.farm.jobs.start_explicit(ADMIN, each, target))
        )

    @rule(job=ANY, starts=st.integers(min_value=2, max_value=4))
    def many_starts_arrive_at_once(self, job: int, starts: int) -> None:
        """M13, M14: a flood of starts and a cancel at the same moment; at most one wins."""
        self.run(self._on_job(job, lambda each: self._flood(each, starts)))

    async def _flood(self, job: Job, starts: int) -> None:
        before = await Attempt.filter(job_id=job.id).count()
        work: list[Coroutine[Any, Any, Any]] = [
            self.farm.jobs.start_explicit(ADMIN, job, self.printers[number % 3].id)
            for number in range(starts)
        ]
        work.append(self.farm.jobs.cancel(ADMIN, job.id))
        for answer in await asyncio.gather(*work, return_exceptions=True):
            assert not isinstance(answer, BaseException) or isinstance(answer, REFUSED), answer
        assert await Attempt.filter(job_id=job.id).count() - before <= 1

    @rule(printer=st.integers(min_value=0, max_value=2))
    def somebody_releases_a_queue(self, printer: int) -> None:
        self.tried(self.farm.printers.release_queue(ADMIN, self.printers[printer].id))

    @rule()
    def somebody_clears_the_plate(self) -> None:
        """M16: twice is once; refused while a print is bound to the printer; 404 for others."""
        self.run(self._clear())

    async def _clear(self) -> None:
        before = await Printer.get(id=self.strict)
        with pytest.raises(NotFound):
            await self.farm.printers.plate_cleared(SECOND_PLACE, self.strict)
        if before.active_grant is not None:
            with pytest.raises(Conflict):
                await self.farm.printers.plate_cleared(ADMIN, self.strict)
            return
        first = await self.farm.printers.plate_cleared(ADMIN, self.strict)
        second = await self.farm.printers.plate_cleared(ADMIN, self.strict)
        assert first.plate_claim == second.plate_claim
        self.claims.add(first.plate_claim)

    # The queue.

    @rule()
    def the_queue_steps(self) -> None:
        self.run(self.farm.scheduler.step())

    @rule(after=st.integers(min_value=0, max_value=60))
    def the_api_dies_in_mid_step(self, after: int) -> None:
        """Whatever was not committed has never been; a new process finds the rows."""
        self.run(self._die(after))

    async def _die(self, after: int) -> None:
        step = asyncio.create_task(self.farm.scheduler.step())
        for _ in range(after):
            await asyncio.sleep(0)
        step.cancel()
        with suppress(asyncio.CancelledError):
            await step
        self.farm.restart()

    @rule()
    def two_processes_step_at_once(self) -> None:
        self.run(self._two())

    async def _two(self) -> None:
        await asyncio.gather(self.farm.scheduler.step(), self.farm.scheduler.step())

    # The room and time.

    @rule()
    def the_line_is_cut_or_mended(self) -> None:
        self.farm.bridges.is_online = not self.farm.bridges.is_online

    @rule(seconds=st.sampled_from((1, 40, 130)))
    def time_passes(self, seconds: int) -> None:
        self.farm.clock.advance(seconds)

    @precondition(lambda self: self.farm.bridges.is_online)
    @rule()
    def the_room_works(self) -> None:
        self.run(self._work())

    @precondition(lambda self: self.farm.bridges.is_online)
    @rule()
    def the_whole_farm_works(self) -> None:
        self.run(self._all())

    async def _all(self) -> None:
        await self.farm.scheduler.step()
        for _ in range(4):
            await self._work()

    async def _work(self) -> None:
        await self.room.carry()
        await self.room.speak()

    @precondition(lambda self: self.room.printing)
    @rule(end=st.sampled_from((E.COMPLETED, E.COMPLETED, E.FAILED, E.INTERRUPTED)))
    def a_print_ends(self, end: AttemptEvent) -> None:
        self.room.end(min(self.room.printing), end)

    # What must always hold.

    @invariant()
    def no_printer_has_two_jobs_and_no_job_two_printers(self) -> None:
        """I5, I6."""
        if hasattr(self, "watch"):
            self.run(self.watch.check(self.room))

    @invariant()
    def a_strict_printer_starts_once_for_each_look_at_its_plate(self) -> None:
        """M15: no grant there without a person's claim, and no claim for two prints."""
        if hasattr(self, "watch"):
            self.run(self._plates())

    async def _plates(self) -> None:
        there = await Attempt.filter(printer_id=self.strict)
        assert {each.plate_claim for each in there} <= self.claims
        used = [each.plate_claim for each in there if each.started_at is not None]
        assert len(set(used)) == len(used)
        assert await Decision.all().count() <= await Attempt.all().count()


Queue.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestQueue = Queue.TestCase


@pytest.fixture(autouse=True)
def no_waiting_for_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "CANCEL_WAIT_S", 0.0)
