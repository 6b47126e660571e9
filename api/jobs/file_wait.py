"""Jobs whose file cannot be read now: they wait and say so, and no printer is troubled (R26, R28).

Whether the bytes are there is asked just before a grant: a room could only find out by trying, with
its printer taken meanwhile.
"""

import asyncio

from api.clock import Clock
from api.errors import Unavailable
from api.events.service import Ledger
from api.jobs.attempts import FileRoom
from api.jobs.models import Job
from api.jobs.moves import happened
from schemas.jobs import JOB_WAITING, JobState

LOOK_S = 3.0  # a storage that takes longer to say that a file is there does not answer

AWAY = "its file: the file storage does not answer"
GONE = "its file: its bytes are gone from the file storage; upload it again"
#: The reasons of jobs that wait for their file, in words that go after "waits for".
REASONS = frozenset({AWAY, GONE})


class FileAway(Unavailable):
    """A job's bytes cannot be had now. *reason* is one of `REASONS`."""

    default_code = "storage_unavailable"

    def __init__(self, job: Job, reason: str) -> None:
        super().__init__(f"{job.item_name} waits for {reason}.", job_id=job.id)
        self.reason = reason


class FileWait:
    """Looks for the files of jobs that are about to start."""

    def __init__(self, files: FileRoom, ledger: Ledger, clock: Clock) -> None:
        self._files = files
        self._ledger = ledger
        self._clock = clock

    async def check(self, job: Job) -> None:
        """Raises `FileAway` unless the bytes of *job* are there."""
        if job.blob_id is None:
            return
        blob = await self._files.blob(job.organization_id, job.blob_id)
        try:
            async with asyncio.timeout(LOOK_S):
                is_there = await self._files.has_bytes(blob)
        except (Unavailable, TimeoutError) as error:
            raise FileAway(job, AWAY) from error
        if not is_there:
            raise FileAway(job, GONE)

    async def mark(self, job: Job, reason: str) -> None:
        """Tell once that *job* waits for its file; the next grant takes the mark away."""
        async with self._ledger.change() as change:
            row = await Job.filter(id=job.id, deleted_at=None).first()
            if row is None or JobState(row.state) not in JOB_WAITING or row.reason == reason:
                return
            row.reason = reason
            row.updated_at = self._clock.now()
            await row.save(update_fields=["reason", "updated_at"])
            change.record(happened(row, "job.file_pending"))
