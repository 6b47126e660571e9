"""The queue: gives waiting jobs to free printers, one transaction a decision.

It keeps nothing: every step reads rows, decides (`api.scheduler.choose`) and lets the transaction
of the grant check again. A crash between two steps loses nothing and starts nothing twice.
"""

import logging

from api.bus.local import Bus
from api.commands.service import Commands
from api.errors import Conflict, Invalid, NotFound, Problem, Unavailable
from api.jobs.file_wait import AWAY, FileAway
from api.jobs.service import Job, Jobs
from api.pools.service import Pools
from api.principal import system
from api.printers.plate import may_start
from api.printers.service import Printer, Printers
from api.scheduler import choose
from schemas.jobs import JobEvent

_log = logging.getLogger("gantry.scheduler")

TICK_S = 2.0
#: After an unexpected failure the queue rests this long, so that a broken row does not spin it.
REST_S = 5.0


class Scheduler:
    """Starts what may start."""

    def __init__(
        self, jobs: Jobs, printers: Printers, pools: Pools, commands: Commands, bus: Bus
    ) -> None:
        self._jobs = jobs
        self._printers = printers
        self._pools = pools
        self._commands = commands
        self._bus = bus

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
        waiting = await self._jobs.waiting()
        if not waiting:
            return 0
        pools = await self._pools.find({job.pool_id for job in waiting if job.pool_id is not None})
        queue = choose.Queue(waiting, pools)
        printers = await self._printers.everything()
        free = [
            each
            for each in printers
            if choose.is_free(each, reachable=self._printers.reachable(each))
        ]
        clear = frozenset(
            each.id
            for each in free
            if may_start(each.plate_policy, each.plate_state, explicit=False)
        )
        await self._mark(queue, choose.plate_waiters(free, queue, clear))
        granted = 0
        for printer in free:
            if printer.id not in clear:
                continue
            try:
                job = await self._give(printer, queue)
            except FileAway as away:
                _log.warning("nothing can start now: %s", away.detail)
                break
            except Exception:  # noqa: BLE001 — supervisor: one broken row must not stop the others
                _log.exception("the queue could not serve printer %s", printer.id)
                continue
            if job is not None:
                queue.taken(job)
                granted += 1
        return granted

    async def _mark(self, queue: choose.Queue, waiting: set[int]) -> None:
        needed, cleared = choose.plate_moves(queue.jobs, waiting)
        for jobs, event in ((needed, JobEvent.PLATE_NEEDED), (cleared, JobEvent.PLATE_CLEARED)):
            for job in jobs:
                await self._jobs.queue_step(job, event)

    async def _give(self, printer: Printer, queue: choose.Queue) -> Job | None:
        """Start the first job that *printer* can take; None when there is none.

        Raises `FileAway` when no file can be read now.
        """
        for job in queue.candidates(printer):
            try:
                checked = await self._jobs.attempts.check(job, Printers.profile(printer))
                await self._jobs.file_wait.check(job)
                by = system(job.organization_id)
                await self._jobs.start(by, job.id, printer.id, checked, explicit=False)
            except (Invalid, NotFound) as refused:
                await self._unfit(job, refused)
            except FileAway as away:
                await self._jobs.file_wait.mark(job, away.reason)
                if away.reason == AWAY:
                    raise
            except (Conflict, Unavailable) as not_now:
                _log.info("job %s not on printer %s now: %s", job.id, printer.id, not_now.detail)
                return None
            else:
                return job
        return None

    async def _unfit(self, job: Job, refused: Problem) -> None:
        """A job that its own printer must not print fails; an unpinned one may fit elsewhere."""
        if job.pinned:
            await self._jobs.queue_step(job, JobEvent.FAILED, refused.detail)
