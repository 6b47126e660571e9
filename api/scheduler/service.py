"""The queue: gives waiting jobs to free printers, one transaction a decision.

Every step reads rows, lets the rules decide (`api.scheduler.rules`, `board`) and lets the
transaction of the grant check again. What it remembers between steps only saves work. A crash
between two steps loses nothing and starts nothing twice.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

from api.bus.local import Bus
from api.clock import Clock
from api.commands.service import Commands
from api.errors import Conflict, Invalid, NotFound, Unavailable
from api.events.service import Change, Ledger
from api.jobs.file_wait import AWAY, FileAway
from api.jobs.line import Waiting
from api.jobs.service import Attempt, Job, Jobs
from api.principal import system
from api.scheduler.board import Board, places
from api.scheduler.decisions import Decisions, Reasons
from api.scheduler.demands import Demands
from api.scheduler.explain import decided
from api.scheduler.explanations import Explanations
from api.scheduler.lending import Lending
from api.scheduler.materials import color_match
from api.scheduler.needs import Need
from api.scheduler.rules import BY_NAME
from api.scheduler.runs import Runs
from api.scheduler.sight import Sight, View
from api.scheduler.spots import Spot
from schemas.jobs import JobEvent, JobState

_log = logging.getLogger("gantry.scheduler")

TICK_S = 2.0
#: After an unexpected failure the queue rests this long, so that a broken row does not spin it.
REST_S = 5.0
_PLATE = BY_NAME["plate"]


@dataclass(slots=True)
class _Round:
    """One organization's turn in a step. *left*: the free printers that are not given yet."""

    view: View
    left: int
    pinned: list[int]
    granted: int = 0

    @property
    def board(self) -> Board:
        """The free printers."""
        return self.view.free


@dataclass(frozen=True, slots=True)
class Queued:
    """Those who wait in one organization, in the order of the queue, and what each asks for."""

    jobs: Sequence[Waiting] = ()
    needs: Sequence[Need] = field(default=())

    def __iter__(self) -> Iterator[tuple[Waiting, Need]]:
        return zip(self.jobs, self.needs, strict=True)


class Scheduler:
    """Starts what may start."""

    def __init__(
        self,
        jobs: Jobs,
        commands: Commands,
        sight: Sight,
        demands: Demands,
        *,
        ledger: Ledger,
        clock: Clock,
        bus: Bus,
    ) -> None:
        self.sight = sight
        sight.ask_preflight(demands.refusal)
        self.clock = clock
        self.explanations = Explanations(jobs, sight, demands, clock)
        self.runs = Runs(jobs, sight, demands, ledger, clock)
        self._demands = demands
        self._lending = Lending(jobs.leases, sight, demands)
        self._decisions = Decisions(sight, clock)
        self._jobs = jobs
        self._commands = commands
        self._bus = bus
        self._lent: Mapping[int, int | None] = {}  # as of this step

    async def run(self) -> None:
        """Step on every wake-up and every 2 s, until cancelled; what goes wrong is logged."""
        with self._bus.listen("scheduler") as listener:
            while True:
                pause_s = TICK_S
                try:
                    await self.step()
                except Exception:  # noqa: BLE001 — the supervisor of the queue: it must go on
                    _log.exception("the queue failed; it goes on in %s s", REST_S)
                    pause_s = REST_S
                await listener.wait(pause_s)

    async def step(self) -> int:
        """Expire what is late, then give each free printer its next job; how many were given."""
        await self._commands.expire_due()
        line = await self._jobs.line.read()
        self._demands.keep_only(line)
        if not line and self._lending.is_idle:
            return 0
        spots = await self.sight.spots()
        self._lent = await self._lending.places()
        granted = await self._give_all(line, spots)
        await self._lending.step(line, spots)
        return granted

    async def _give_all(self, line: Sequence[Waiting], spots: Mapping[int, list[Spot]]) -> int:
        granted = 0
        by_organization = sorted(line, key=lambda job: job.organization_id)  # stable: order is kept
        for organization_id, jobs in groupby(by_organization, lambda job: job.organization_id):
            mine = spots.get(organization_id, ())
            try:
                granted += await self._serve(organization_id, list(jobs), mine)
            except FileAway as away:
                _log.warning("nothing can start now: %s", away.detail)
                break
        return granted

    async def _serve(
        self, organization_id: int, jobs: Sequence[Waiting], spots: Collection[Spot]
    ) -> int:
        """The turn of one organization. Raises `FileAway` when no file can be read now."""
        if not any(each.free for each in spots):
            await self._mark(jobs, set())
            return 0
        view = await self.sight.view(organization_id, {job.pool_id for job in jobs}, spots)
        queued = Queued(jobs, await self._demands.of_line(organization_id, jobs))
        await self._mark(jobs, plate_waiters(view.free, queued))
        turn = _Round(view, view.free.everybody, pinned_to(view.free, jobs))
        for job, need in queued:
            if not turn.left:
                break
            able = turn.board.fitting(need) & turn.left & self._lenders(job, turn.board)
            if able:
                await self._place(job, need, able, turn)
        return turn.granted

    def _lenders(self, job: Waiting, board: Board) -> int:
        """The printers whose room does not keep *job* from them."""
        if job.id not in self._lent:
            return board.everybody
        number = self._lent[job.id]
        return sum(1 << place for place, spot in enumerate(board.spots) if spot.id == number)

    async def _mark(self, jobs: Sequence[Waiting], waiting: set[int]) -> None:
        """Tell which jobs wait for nothing but a plate, and which do not any more."""
        for job in jobs:
            is_marked = job.state is JobState.WAITING_PLATE_CLEAR
            if is_marked != (job.id in waiting):
                event = JobEvent.PLATE_CLEARED if is_marked else JobEvent.PLATE_NEEDED
                row = await self._jobs.find(job.id)
                if row is not None and row.state == job.state:
                    await self._jobs.queue_step(row, event)

    async def _place(self, job: Waiting, need: Need, able: int, turn: _Round) -> None:
        """Start *job* on the best of the printers *able*, or on the next one if its file is refused
        there. Raises `FileAway` when no file can be read now.
        """
        while able:
            place = turn.board.best(need, able, turn.pinned)
            spot = turn.board.spots[place]
            try:
                is_given = await self._give(job, need, spot, able, turn)
            except (Invalid, NotFound) as refused:
                if job.pinned:
                    await self._fail(job, refused.detail)
                able &= ~(1 << place)
                continue
            except FileAway as away:
                await self._wait_for_file(job, away)
                return
            except (Conflict, Unavailable) as not_now:
                _log.info("job %s not on %s now: %s", job.id, spot.name, not_now.detail)
                is_given = False
            except Exception:  # noqa: BLE001 — supervisor: one broken row must not stop the others
                _log.exception("the queue could not serve printer %s", spot.id)
                is_given = False
            turn.left &= ~(1 << place)
            if is_given:
                turn.granted += 1
                if turn.board.scene.power.start(spot.id):
                    turn.view.free.forget_power()
                    turn.view.whole.forget_power()
            return

    async def _give(self, job: Waiting, need: Need, spot: Spot, able: int, turn: _Round) -> bool:
        """One grant, one transaction, with the reasons for it; False: the job is gone."""
        row = await self._jobs.find(job.id)
        if row is None:
            return False
        checked = await self._jobs.attempts.check(row, spot.profile)
        await self._jobs.file_wait.check(row)
        whole = turn.view.whole
        among = _as_seen_by(whole, turn.board, able)
        reasons = Reasons(color_match(need.colors, spot), decided(whole, need, spot, among))
        await self._jobs.start(
            system(row.organization_id),
            row.id,
            spot.id,
            checked,
            explicit=False,
            also=partial(self._keep, reasons),
        )
        return True

    async def _keep(self, reasons: Reasons, change: Change, attempt: Attempt) -> None:
        await self._decisions.keep(change, attempt, reasons)

    async def _wait_for_file(self, job: Waiting, away: FileAway) -> None:
        row = await self._jobs.find(job.id)
        if row is not None:
            await self._jobs.file_wait.mark(row, away.reason)
        if away.reason == AWAY:
            raise away

    async def _fail(self, job: Waiting, reason: str) -> None:
        """A job that its own printer must not print fails; an unpinned one may fit elsewhere."""
        row: Job | None = await self._jobs.find(job.id)
        if row is not None and row.state == job.state:
            await self._jobs.queue_step(row, JobEvent.FAILED, reason)


def pinned_to(board: Board, jobs: Sequence[Waiting]) -> list[int]:
    """How many jobs wait for each printer alone, by place."""
    place_of = {spot.id: place for place, spot in enumerate(board.spots)}
    found = [0] * len(board.spots)
    for job in jobs:
        if job.pinned and job.printer_id in place_of:
            found[place_of[job.printer_id]] += 1
    return found


def plate_waiters(board: Board, queued: Queued) -> set[int]:
    """Jobs that wait for nothing but a plate: the first one that is for each free printer."""
    waiting: dict[int, int] = {}
    blocked = {spot.id for spot in board.spots if not spot.plate_clear}
    for job, need in queued:
        if job.pinned and job.printer_id in blocked and job.printer_id not in waiting:
            nearest = board.nearest(need)
            if nearest is not None and nearest[0] is _PLATE:
                waiting[job.printer_id] = job.id
    return set(waiting.values())


def _as_seen_by(whole: Board, part: Board, able: int) -> int:
    """The printers *able* of one board as places of the other."""
    chosen = {part.spots[place].id for place in places(able)}
    return sum(1 << place for place, spot in enumerate(whole.spots) if spot.id in chosen)
