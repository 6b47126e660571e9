"""Which jobs print which files: what the library shows, and may not delete under a job's feet."""

from collections.abc import Mapping, Sequence

from api.jobs.models import Job
from api.models_library.service import FileJob
from schemas.jobs import JOB_RUNNING, JOB_WAITING, JobState

_NEEDS_FILE = JOB_RUNNING | JOB_WAITING | {JobState.SUBMITTED}


class FileUse:
    """The library's question about jobs, answered."""

    async def jobs_of_files(
        self, organization_id: int, file_ids: Sequence[int]
    ) -> Mapping[int, FileJob]:
        """The newest job of each of these print files; files without a job are left out.

        A file is needed as long as any of its jobs may still start.
        """
        rows = Job.filter(
            organization_id=organization_id, print_file_id__in=list(file_ids), deleted_at=None
        )
        newest: dict[int, Job] = {}
        needed = set()
        for job in await rows.order_by("id"):
            file_id = job.print_file_id or 0
            newest[file_id] = job
            if JobState(job.state) in _NEEDS_FILE:
                needed.add(file_id)
        return {
            file_id: FileJob(
                id=job.id, status=job.state, name=job.item_name, needs_file=file_id in needed
            )
            for file_id, job in newest.items()
        }
