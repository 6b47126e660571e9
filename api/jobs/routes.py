"""v1 routes of jobs (v1 contract, 2.4 and 4.1): parse, ask the service, answer."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from quart import Response, request

from api.http import id_query, json_answer, json_body, paging
from api.jobs.bodies import CancelBody, DispatchBody, JobCreateBody, JobUpdateBody, RejectBody
from api.jobs.forms import JobFilter, NewJob, parse_status
from api.jobs.service import Job, Jobs
from api.jobs.view import job_fields
from api.printers.service import Printer, Printers
from api.v1 import V1, caller
from schemas.jobs import AttemptEvent, JobEvent
from schemas.printer import Live


class TelemetryRoom(Protocol):
    """What job routes need of telemetry."""

    def state_of(self, printer_id: int) -> Live | None:
        """The last picture of a printer."""


class LibraryRoom(Protocol):
    """What job routes need of the library."""

    async def model_names(self, model_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these models."""


class JobRoutes:
    """``/jobs`` and the ways to make one from the library."""

    def __init__(
        self, jobs: Jobs, printers: Printers, telemetry: TelemetryRoom, library: LibraryRoom
    ) -> None:
        self._jobs = jobs
        self._library = library
        self._printers = printers
        self._telemetry = telemetry

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/jobs", self.list)
        v1.add("POST", "/jobs", self.create)
        one = "/jobs/<int:job_id>"
        v1.add("GET", one, self.get)
        v1.add("PATCH", one, self.update)
        v1.add("POST", f"{one}/cancel", self.cancel)
        v1.add("POST", f"{one}/dispatch", self.dispatch)
        v1.add("POST", f"{one}/approve", self.approve)
        v1.add("POST", f"{one}/reject", self.reject)
        v1.add("POST", f"{one}/resubmit", self.resubmit)
        v1.add("POST", f"{one}/reset", self.reset)
        v1.add("POST", f"{one}/repeat", self.repeat)
        v1.add("POST", f"{one}/start", self.start)
        v1.add("POST", f"{one}/complete", self.complete)
        v1.add("POST", f"{one}/fail", self.fail)
        v1.add("POST", "/print-files/<int:file_id>/schedule", self.schedule_file)
        v1.add("POST", "/models/<int:model_id>/schedule", self.schedule_model)

    # Reading.

    async def list(self) -> Response:
        """A page of jobs, as a bare array, first in the queue first."""
        skip, limit = paging()
        which = JobFilter(
            states=parse_status(request.args.get("status")),
            printer_id=id_query("printer_id"),
            organization_id=id_query("org_id"),
        )
        rows, total = await self._jobs.list(caller(), which, skip, limit)
        return json_answer(await self._shown(rows), headers={"X-Total-Count": str(total)})

    async def get(self, job_id: int) -> Response:
        """One job."""
        return await self._answer(await self._jobs.get(caller(), job_id))

    async def _shown(self, rows: Sequence[Job]) -> Sequence[dict[str, Any]]:
        attempts = await self._jobs.current_attempts(rows)
        models = await self._library.model_names({row.model_id for row in rows if row.model_id})
        shown = []
        for job in rows:
            printer = await self._printer_of(job)
            attempt = attempts.get(job.grant or "")
            live = self._telemetry.state_of(printer.id) if printer is not None else None
            mine = live is not None and live.grant is not None and live.grant == job.grant
            progress = live.progress if live is not None and mine else None
            shown.append(
                job_fields(
                    job,
                    printer,
                    attempt,
                    model_name=models.get(job.model_id or 0),
                    reachable=printer is not None and self._printers.reachable(printer),
                    live_progress=round(progress.completion, 1) if progress else None,
                )
            )
        return shown

    async def _printer_of(self, job: Job) -> Printer | None:
        return None if job.printer_id is None else await self._printers.find(job.printer_id)

    async def _answer(self, job: Job, status: int = 200, **more: Any) -> Response:
        [fields] = await self._shown([job])
        return json_answer({**fields, **more}, status)

    # Making and changing.

    async def create(self) -> Response:
        """A new job."""
        body = await json_body(JobCreateBody)
        return await self._created(body.form())

    async def _created(self, new: NewJob) -> Response:
        job = await self._jobs.create(caller(), new)
        return await self._answer(job, 201, next_actions=_next(job))

    async def update(self, job_id: int) -> Response:
        """A waiting job, changed."""
        body = await json_body(JobUpdateBody)
        return await self._answer(await self._jobs.update(caller(), job_id, body.values()))

    async def schedule_file(self, file_id: int) -> Response:
        """A job out of a print file, pinned with ``?printer_id=``."""
        job = await self._schedule(NewJob(item_name="", print_file_id=file_id))
        return await self._scheduled(job, file_id=file_id, project_name=job.item_name)

    async def schedule_model(self, model_id: int) -> Response:
        """A job out of the newest print file of a model."""
        job = await self._schedule(NewJob(item_name="", model_id=model_id))
        names = await self._library.model_names({model_id})
        return await self._scheduled(job, model_name=names[model_id])

    async def _schedule(self, new: NewJob) -> Job:
        return await self._jobs.schedule(caller(), new, id_query("printer_id"))

    async def _scheduled(self, job: Job, **more: Any) -> Response:
        more |= {"success": True, "job_id": job.id, "next_actions": _next(job)}
        return await self._answer(job, 200, **more)

    async def repeat(self, job_id: int) -> Response:
        """The same once more."""
        job = await self._jobs.repeat(caller(), job_id)
        return json_answer(
            {
                "success": True,
                "message": f"Job {job_id} is queued again as {job.id}",
                "original_job_id": job_id,
                "new_job_id": job.id,
            }
        )

    # Approval.

    async def approve(self, job_id: int) -> Response:
        """Let a submitted job into the queue."""
        job = await self._jobs.step(caller(), job_id, JobEvent.APPROVE)
        return json_answer({"status": "approved", "job_id": job.id, "next_actions": _next(job)})

    async def reject(self, job_id: int) -> Response:
        """Send a submitted job back."""
        body = await json_body(RejectBody)
        job = await self._jobs.step(caller(), job_id, JobEvent.REJECT, body.reason)
        return json_answer(
            {
                "status": "rejected",
                "job_id": job.id,
                "reason": body.reason,
                "next_actions": _next(job),
            }
        )

    async def resubmit(self, job_id: int) -> Response:
        """Ask once more."""
        job = await self._jobs.step(caller(), job_id, JobEvent.RESUBMIT)
        return json_answer({"status": "resubmitted", "job_id": job.id})

    async def reset(self, job_id: int) -> Response:
        """Queue a failed or cancelled job again."""
        return await self._answer(await self._jobs.step(caller(), job_id, JobEvent.RESET))

    # Printing.

    async def dispatch(self, job_id: int) -> Response:
        """Start now, on the job's printer or the one named."""
        body = await json_body(DispatchBody)
        job = await self._jobs.get(caller(), job_id)
        await self._jobs.start_explicit(caller(), job, body.printer_id)
        job = await self._jobs.get(caller(), job_id)
        return await self._answer(
            job,
            success=True,
            message=f"{job.item_name} is on its way to the printer",
            job_id=job.id,
        )

    async def cancel(self, job_id: int) -> Response:
        """End it; the answer shows what the printer has reported."""
        body = await json_body(CancelBody)
        job = await self._jobs.cancel(caller(), job_id, force=body.force)
        return await self._answer(job, next_actions=_next(job))

    async def start(self, job_id: int) -> Response:
        """By hand: it was started."""
        return await self._by_hand(job_id, AttemptEvent.STARTED)

    async def complete(self, job_id: int) -> Response:
        """By hand: it is done."""
        return await self._by_hand(job_id, AttemptEvent.COMPLETED)

    async def fail(self, job_id: int) -> Response:
        """By hand: it failed."""
        return await self._by_hand(job_id, AttemptEvent.FAILED, request.args.get("notes", ""))

    async def _by_hand(self, job_id: int, event: AttemptEvent, notes: str = "") -> Response:
        return await self._answer(await self._jobs.by_hand(caller(), job_id, event, notes))


def _next(job: Job) -> Sequence[dict[str, Any]]:
    actions: Sequence[dict[str, Any]] = [
        {"tool": "get_job", "args": {"id": job.id}},
        {"tool": "list_queue", "args": {}},
    ]
    return actions
