"""How often a file was printed at one place, and how that went (OctoPrint contract, 5).

Counted from the runs, so it is right whatever became of the file's names, and nothing has to be
kept in step. A place is a printer, or a pool with whatever printers it had.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import Q

from api.jobs.models import Job, Print
from schemas.jobs import ATTEMPT_OVER, AttemptState

MAX_RUNS = 5000  # the newest ones are counted


@dataclass(slots=True)
class Outcome:
    """The runs of one file that are over. Times in seconds, of those that were completed."""

    successes: int = 0
    failures: int = 0
    last_at: datetime | None = None
    is_last_success: bool = False
    last_s: float | None = None
    printed_s: float = 0.0

    @property
    def average_s(self) -> float | None:
        """None as long as none was completed."""
        return self.printed_s / self.successes if self.successes else None

    def add(self, run: Print) -> None:
        """One run more; they come from the oldest to the newest."""
        is_success = run.state == AttemptState.COMPLETED
        self.last_at, self.is_last_success = run.ended_at, is_success
        if is_success:
            self.successes += 1
            self.last_s = run.printed_s
            self.printed_s += run.printed_s
        else:
            self.failures += 1


async def outcomes(
    blob_ids: Collection[int], *, printer_id: int | None = None, pool_id: int | None = None
) -> Mapping[int, Outcome]:
    """By blob; those that were never printed there are left out. One of the places is given."""
    wanted = sorted(set(blob_ids))
    if not wanted:
        return {}
    asked = Q(pool_id=pool_id) if printer_id is None else Q()
    jobs = Job.filter(asked, blob_id__in=wanted).only("id", "blob_id")
    blob_of = {job.id: job.blob_id for job in await jobs if job.blob_id is not None}
    runs = Print.filter(job_id__in=sorted(blob_of), state__in=[*ATTEMPT_OVER])
    runs = runs.filter(started_at__isnull=False, ended_at__isnull=False)
    if printer_id is not None:
        runs = runs.filter(printer_id=printer_id)
    newest = await runs.order_by("-id").limit(MAX_RUNS)
    found: dict[int, Outcome] = {}
    for run in sorted(newest, key=lambda each: (each.ended_at or each.created_at, each.id)):
        found.setdefault(blob_of[run.job_id or 0], Outcome()).add(run)
    return found
