"""v1 routes of jobs (v1 contract, 2.4 and 4.1): parse, ask the service, answer."""

from typing import Any

from quart import Response, request

from api.clock import iso
from api.http import id_query, json_answer, json_body, page_of, paging
from api.jobs import bodies, docs
from api.jobs.forms import FAILURE_REASONS, JobFilter, NewJob, parse_status
from api.jobs.service import Job, Jobs
from api.jobs.show import Shown
from api.jobs.times import planned_end
from api.printers.next_actions import after_job
from api.v1 import V1, caller
from schemas.jobs import AttemptEvent, JobEvent


class JobRoutes:
    """``/jobs`` and the ways to make one from the library."""

    def __init__(self, jobs: Jobs, shown: Shown) -> None:
        self._jobs = jobs
        self._shown = shown

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/jobs", self.list, docs.LIST)
        v1.add("POST", "/jobs", self.create, docs.CREATE)
        v1.add("POST", "/jobs/bulk", self.create_many, docs.BULK)
        v1.add("POST", "/jobs/batch", self.create_batch, docs.BATCH)
        v1.add("PATCH", "/jobs/reorder", self.reorder, docs.REORDER)
        v1.add("POST", "/jobs/bulk-update", self.bulk_update, docs.BULK_UPDATE)
        v1.add("GET", "/failure-reasons", self.failure_reasons, docs.REASONS)
        one = "/jobs/<int:job_id>"
        v1.add("GET", one, self.get, docs.GET)
        v1.add("PATCH", one, self.update, docs.UPDATE)
        v1.add("DELETE", one, self.delete, docs.DELETE)
        v1.add("PATCH", f"{one}/move", self.move, docs.MOVE)
        v1.add("PATCH", f"{one}/failure", self.explain_failure, docs.FAILURE)
        v1.add("POST", f"{one}/cancel", self.cancel, docs.CANCEL)
        v1.add("POST", f"{one}/dispatch", self.dispatch, docs.DISPATCH)
        v1.add("POST", f"{one}/approve", self.approve, docs.APPROVE)
        v1.add("POST", f"{one}/reject", self.reject, docs.REJECT)
        v1.add("POST", f"{one}/resubmit", self.resubmit, docs.RESUBMIT)
        v1.add("POST", f"{one}/reset", self.reset, docs.RESET)
        v1.add("POST", f"{one}/repeat", self.repeat, docs.REPEAT)
        v1.add("POST", f"{one}/start", self.start, docs.START)
        v1.add("POST", f"{one}/complete", self.complete, docs.COMPLETE)
        v1.add("POST", f"{one}/fail", self.fail, docs.FAIL)
        file, model = "/print-files/<int:file_id>", "/models/<int:model_id>"
        v1.add("POST", f"{file}/schedule", self.schedule_file, docs.SCHEDULE_FILE)
        v1.add("POST", f"{model}/schedule", self.schedule_model, docs.SCHEDULE_MODEL)

    # Reading.

    async def list(self) -> Response:
        """A page of jobs, as a bare array, first in the queue first."""
        skip, limit = paging()
        which = JobFilter(
            states=parse_status(request.args.get("status")),
            printer_id=id_query("printer_id"),
            pool_id=id_query("pool_id"),
            organization_id=id_query("org_id"),
        )
        rows, total = await self._jobs.list(caller(), which, skip, limit)
        return json_answer(await self._shown.many(rows), headers={"X-Total-Count": str(total)})

    async def get(self, job_id: int) -> Response:
        """One job."""
        return await self._answer(await self._jobs.get(caller(), job_id))

    async def failure_reasons(self) -> Response:
        """What a failed job may have failed of."""
        caller().require("jobs.read")
        return page_of([{"value": v, "label": text} for v, text in FAILURE_REASONS.items()])

    async def _answer(self, job: Job, status: int = 200, **more: Any) -> Response:
        return json_answer({**await self._shown.one(job), **more}, status)

    # Making and changing.

    async def create(self) -> Response:
        """A new job."""
        body = await json_body(bodies.JobCreateBody)
        return await self._created(body.form())

    async def _created(self, new: NewJob) -> Response:
        job = await self._jobs.create(caller(), new)
        return await self._answer(job, 201, next_actions=after_job(job.id))

    async def create_many(self) -> Response:
        """Many new jobs, or none."""
        body = await json_body(bodies.JobBulkBody)
        jobs = await self._jobs.create_many(caller(), [each.form() for each in body.root])
        return json_answer(await self._shown.many(jobs), 201)

    async def create_batch(self) -> Response:
        """A new job on each printer, or none."""
        body = await json_body(bodies.JobBatchBody)
        jobs = await self._jobs.create_many(caller(), body.forms())
        shown = [{"id": j.id, "printer_id": j.printer_id, "status": j.state} for j in jobs]
        return json_answer(shown)

    async def reorder(self) -> Response:
        """Waiting jobs in another order."""
        body = await json_body(bodies.ReorderBody)
        return json_answer({"reordered": await self._jobs.reorder(caller(), body.job_ids)})

    async def bulk_update(self) -> Response:
        """The same to many jobs."""
        body = await json_body(bodies.BulkUpdateBody)
        count = await self._jobs.bulk(caller(), body.job_ids, body.action, body.wanted_priority())
        return json_answer({"status": "ok", "affected": count})

    async def delete(self, job_id: int) -> Response:
        """Gone; what it printed stays."""
        await self._jobs.delete(caller(), job_id)
        return Response(status=204)

    async def move(self, job_id: int) -> Response:
        """A printer and a time."""
        body = await json_body(bodies.MoveBody)
        start = body.scheduled_start
        job = await self._jobs.move(caller(), job_id, body.printer_id, start)
        return json_answer(
            {
                "success": True,
                "job_id": job.id,
                "printer_id": job.printer_id,
                "scheduled_start": iso(start),
                "scheduled_end": iso(planned_end(start, job)),
            }
        )

    async def explain_failure(self, job_id: int) -> Response:
        """Why it failed."""
        body = await json_body(bodies.FailureBody)
        await self._jobs.explain_failure(caller(), job_id, body.fail_reason, body.fail_notes)
        return json_answer({"success": True, "message": FAILURE_REASONS[body.fail_reason]})

    async def update(self, job_id: int) -> Response:
        """A waiting job, changed."""
        body = await json_body(bodies.JobUpdateBody)
        return await self._answer(await self._jobs.update(caller(), job_id, body.values()))

    async def schedule_file(self, file_id: int) -> Response:
        """A job out of a print file, pinned with ``?printer_id=``."""
        job = await self._schedule(NewJob(item_name="", print_file_id=file_id))
        return await self._scheduled(job, file_id=file_id, project_name=job.item_name)

    async def schedule_model(self, model_id: int) -> Response:
        """A job out of the newest print file of a model."""
        job = await self._schedule(NewJob(item_name="", model_id=model_id))
        return await self._scheduled(job, model_name=await self._shown.model_name(model_id))

    async def _schedule(self, new: NewJob) -> Job:
        return await self._jobs.schedule(caller(), new, id_query("printer_id"))

    async def _scheduled(self, job: Job, **more: Any) -> Response:
        more |= {"success": True, "job_id": job.id, "next_actions": after_job(job.id)}
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
        body = await json_body(bodies.ApproveBody)
        job = await self._jobs.step(caller(), job_id, JobEvent.APPROVE, body.notes or "")
        return json_answer(
            {"status": "approved", "job_id": job.id, "next_actions": after_job(job.id)}
        )

    async def reject(self, job_id: int) -> Response:
        """Send a submitted job back."""
        body = await json_body(bodies.RejectBody)
        job = await self._jobs.step(caller(), job_id, JobEvent.REJECT, body.reason)
        return json_answer(
            {
                "status": "rejected",
                "job_id": job.id,
                "reason": body.reason,
                "next_actions": after_job(job.id),
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
        body = await json_body(bodies.DispatchBody)
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
        body = await json_body(bodies.CancelBody)
        job = await self._jobs.cancel(caller(), job_id, body.reason or "", force=body.force)
        return await self._answer(job, next_actions=after_job(job.id))

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
