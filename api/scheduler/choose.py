"""Which job a free printer takes next. Pure: rows in, decisions out.

Order of the queue: priority (1 first), position, age. A job that is pinned to a printer goes only
there; the others go to the first free printer (of their pool, if they have one) that fits them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from api.jobs.service import Job
from api.pools.service import Pool, contains
from api.printers.service import Printer
from schemas.jobs import JobState
from schemas.printer import PrinterState


def is_free(printer: Printer, *, reachable: bool) -> bool:
    """Whether the queue may look at this printer at all; its plate is another question."""
    return (
        printer.bridge_id is not None
        and reachable
        and printer.is_active
        and printer.state == PrinterState.OPERATIONAL
        and printer.active_grant is None
        and not printer.queue_hold
    )


class Queue:
    """The waiting jobs in their order, and the pools that some of them wait for, by number."""

    def __init__(self, jobs: Iterable[Job], pools: Mapping[int, Pool]) -> None:
        self.jobs = list(jobs)
        self._pools = pools

    def taken(self, job: Job) -> None:
        """*job* has a printer now."""
        self.jobs.remove(job)

    def candidates(self, printer: Printer) -> Iterator[Job]:
        """The jobs that *printer* may take, in their order."""
        for job in self.jobs:
            if job.organization_id != printer.organization_id:
                continue
            if job.printer_id == printer.id if job.pinned else self._suits(printer, job):
                yield job

    def _suits(self, printer: Printer, job: Job) -> bool:
        """Whether an unpinned job may go here by pool, tags and kind of printer; limits are
        checked with the file.
        """
        if job.pool_id is not None:
            pool = self._pools.get(job.pool_id)
            if pool is None or not contains(pool, printer):
                return False
        required = job.details.get("required_tags") or []
        if not set(required) <= set(printer.tags):
            return False
        wanted = job.details.get("target_filter")
        actual = {"model": printer.model, "protocol": printer.api_type}
        if wanted and job.details.get("target_type") in actual:
            is_kind = actual[job.details["target_type"]]
            return str(is_kind or "").casefold() == str(wanted).casefold()
        return True


def plate_waiters(free: Sequence[Printer], queue: Queue, clear: frozenset[int]) -> set[int]:
    """Jobs that wait for nothing but a plate: the first one pinned to each free printer whose
    plate is not in *clear*.
    """
    waiting = set()
    for printer in free:
        if printer.id not in clear:
            pinned = (job for job in queue.candidates(printer) if job.pinned)
            first = next(pinned, None)
            if first is not None:
                waiting.add(first.id)
    return waiting


def plate_moves(queue: Sequence[Job], waiting: set[int]) -> tuple[list[Job], list[Job]]:
    """(jobs to mark as waiting for a plate, jobs to unmark)."""
    marked = [job for job in queue if job.state == JobState.WAITING_PLATE_CLEAR]
    plain = [job for job in queue if job.state == JobState.PENDING]
    return (
        [job for job in plain if job.id in waiting],
        [job for job in marked if job.id not in waiting],
    )
