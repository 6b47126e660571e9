"""A pool as an OctoPrint: its queue where a printer shows its job, and prints that are queued."""

from collections.abc import Sequence

from api.files.service import Blob, Files, TreeName
from api.jobs.forms import JobFilter
from api.jobs.service import Job, Jobs, NewJob
from api.octoprint.job_document import JobFile
from api.octoprint.orders import picture
from api.octoprint.pool_document import PoolQueue
from api.octoprint.states import LOOKS
from api.octoprint.visitor import Visit
from api.pools.service import Pool, Pools
from api.principal import system
from api.printers.service import Printer
from api.telemetry.service import Telemetry
from schemas.jobs import JOB_RUNNING, JOB_WAITING, JobState

SOURCE = "octoprint"
_SHOWN = 500  # of a longer queue the rest is not counted


class PoolFace:
    """What is asked of a pool."""

    def __init__(self, pools: Pools, jobs: Jobs, files: Files, telemetry: Telemetry) -> None:
        self._pools = pools
        self._jobs = jobs
        self._files = files
        self._telemetry = telemetry

    async def queue(self, visit: Visit, pool: Pool) -> PoolQueue:
        """The queue of *pool* as it is now."""
        waiting = await self._of(visit, pool, JOB_WAITING)
        printing = await self._of(visit, pool, JOB_RUNNING)
        asking = await self._of(visit, pool, frozenset({JobState.SUBMITTED}))
        return PoolQueue(
            is_reachable=await self._is_reachable(visit, pool),
            waiting=len(waiting),
            printing=len(printing),
            asking=len(asking),
            first=await self._file(waiting[0]) if waiting else None,
        )

    async def members(self, visit: Visit, pool: Pool) -> Sequence[Printer]:
        """The printers of *pool*."""
        return await self._pools.printers_of(visit.by, pool)

    async def printed_paths(self, visit: Visit, pool: Pool) -> set[str]:
        """The names in the pool's tree that its running prints came from."""
        running = await self._of(visit, pool, JOB_RUNNING)  # whoever only uploads sees no jobs
        return {job.file_path for job in running if job.file_path}

    async def print(self, visit: Visit, pool: Pool, row: TreeName, blob: Blob) -> Job:
        """Queue the file *row* for the first printer of *pool* that fits.

        It waits for approval when the caller may only upload. Raises `Invalid` when no printer of
        the pool may print it.
        """
        name = row.path.rpartition("/")[2]
        new = NewJob(
            item_name=name,
            blob_id=blob.id,
            file_name=name,
            file_path=row.path,
            source=SOURCE,
        )
        return await self._jobs.queue_on_pool(visit.printing_by, pool, new)

    async def _of(self, visit: Visit, pool: Pool, states: frozenset[JobState]) -> Sequence[Job]:
        which = JobFilter(states=states, pool_id=pool.id)
        by = visit.by if visit.by.may("jobs.read") else system(pool.organization_id)
        rows, _ = await self._jobs.list(by, which, 0, _SHOWN)
        return rows

    async def _is_reachable(self, visit: Visit, pool: Pool) -> bool:
        return any(
            LOOKS[picture(self._telemetry, printer).state].operational
            for printer in await self.members(visit, pool)
        )

    async def _file(self, job: Job) -> JobFile | None:
        if job.blob_id is None:
            return None
        blob = await self._files.blob(job.organization_id, job.blob_id)
        path = job.file_path or job.file_name
        return JobFile(
            blob_id=blob.id,
            name=path.rpartition("/")[2],
            path=path,
            display=job.file_name,
            size_bytes=blob.size_bytes,
            uploaded_at=blob.created_at,
            facts=blob.facts,
        )
