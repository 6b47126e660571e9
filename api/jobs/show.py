"""Jobs as the v1 routes show them, with what stands around them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from api.jobs.service import Attempt, Job, Jobs
from api.jobs.told import NOTHING, QueueRoom
from api.jobs.view import Around, job_fields
from api.pools.service import Pool, Pools
from api.printers.service import Printer, Printers
from schemas.printer import Live


class TelemetryRoom(Protocol):
    """What is needed of telemetry."""

    def state_of(self, printer_id: int) -> Live | None:
        """The last picture of a printer."""


class LibraryRoom(Protocol):
    """What is needed of the library."""

    async def model_names(self, model_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these models."""


class Shown:
    """Asks the other rooms once for a page of jobs, not once for each of them."""

    def __init__(
        self,
        jobs: Jobs,
        printers: Printers,
        pools: Pools,
        telemetry: TelemetryRoom,
        library: LibraryRoom,
        *,
        queue: QueueRoom,
    ) -> None:
        self._jobs = jobs
        self._printers = printers
        self._pools = pools
        self._telemetry = telemetry
        self._library = library
        self._queue = queue

    async def many(self, rows: Sequence[Job]) -> list[dict[str, Any]]:
        """These jobs."""
        attempts = await self._jobs.current_attempts(rows)
        models = await self._library.model_names({row.model_id for row in rows if row.model_id})
        pools = await self._pools.find({row.pool_id for row in rows if row.pool_id})
        told = await self._queue.told(rows)
        now = self._printers.now()
        shown = []
        for row in rows:
            pool = pools.get(row.pool_id or 0)
            around = await self._around(row, attempts.get(row.grant or ""), pool, now)
            around = replace(around, told=told.get(row.id, NOTHING))
            shown.append(job_fields(row, around, models.get(row.model_id or 0)))
        return shown

    async def one(self, row: Job) -> dict[str, Any]:
        """This job."""
        [fields] = await self.many([row])
        return fields

    async def model_name(self, model_id: int) -> str:
        """The name of a model that is there."""
        return (await self._library.model_names({model_id}))[model_id]

    async def _around(
        self, job: Job, attempt: Attempt | None, pool: Pool | None, now: datetime
    ) -> Around:
        printer = await self._printer_of(job)
        live = self._telemetry.state_of(printer.id) if printer is not None else None
        mine = live is not None and live.grant is not None and live.grant == job.grant
        progress = live.progress if live is not None and mine else None
        return Around(
            printer=printer,
            pool=pool,
            attempt=attempt,
            live_progress=round(progress.completion, 1) if progress else None,
            time_left_s=progress.time_left_s if progress else None,
            now=now,
        )

    async def _printer_of(self, job: Job) -> Printer | None:
        return None if job.printer_id is None else await self._printers.find(job.printer_id)
