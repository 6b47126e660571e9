"""A job as the v1 dialect shows it (v1 contract, 2.4): pure. What `JobResponse` lacks is ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from api.clock import iso
from api.jobs.file_wait import REASONS
from api.jobs.models import Attempt, Job
from api.jobs.moves import LOCKED
from api.jobs.times import expected_hours, planned_end
from api.jobs.told import NOTHING, Told
from api.pools.service import Pool
from api.printers.service import Printer
from schemas.jobs import JOB_OVER, JOB_RUNNING, JOB_WAITING, AttemptState, JobState
from schemas.printer import Progress

#: Among a job's details: what of which order it is made for.
_ORDER = "order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is shown beside a job's own fields. *attempt*: its latest; *told*: by the queue;
    *live_progress*: percent.
    """

    printer: Printer | None = None
    pool: Pool | None = None
    attempt: Attempt | None = None
    told: Told = NOTHING
    live_progress: float | None = None
    time_left_s: float | None = None
    now: datetime


def waiting_for(job: Job, around: Around) -> str | None:
    """What a job that does not print waits for, in words; None for every other job."""
    state = JobState(job.state)
    if state is JobState.SUBMITTED:
        return "approval"
    if state is JobState.SCHEDULED:
        return around.told.waiting_for
    if state not in JOB_WAITING:
        return None
    if job.hold:
        return "somebody to take it off hold"
    if job.blob_id is None:
        return "a file"
    if job.scheduled_start is not None and job.scheduled_start > around.now:
        return f"its time, {iso(job.scheduled_start)}"
    return job.reason if job.reason in REASONS else around.told.waiting_for


def job_fields(job: Job, around: Around, model_name: str | None) -> dict[str, Any]:
    """`JobResponse`, and ours."""
    printer, attempt = around.printer, around.attempt
    start = job.scheduled_start
    details: Mapping[str, Any] = job.details or {}
    state = JobState(job.state)
    return {
        "id": job.id,
        "item_name": job.item_name,
        "status": state,
        "model_id": job.model_id,
        "quantity": job.quantity,
        "priority": job.priority,
        "duration_hours": job.duration_hours,
        "effective_duration": expected_hours(job),
        "colors_required": job.colors_required,
        "colors_list": _colors(job.colors_required),
        "filament_type": job.filament_type,
        "notes": job.notes,
        "hold": job.hold,
        "due_date": iso(job.due_date),
        "required_tags": details.get("required_tags") or [],
        "target_type": details.get("target_type", "specific"),
        "target_filter": details.get("target_filter"),
        "model_revision_id": details.get("model_revision_id"),
        "printer_id": job.printer_id,
        "pool_id": job.pool_id,
        "pool_name": around.pool.name if around.pool else None,
        "scheduled_start": iso(start),
        "scheduled_end": iso(planned_end(start, job)) if start is not None else None,
        "actual_start": iso(job.actual_start),
        "actual_end": iso(job.actual_end),
        "match_score": around.told.match_score,
        "is_locked": state in JOB_RUNNING or state in JOB_OVER or bool(details.get(LOCKED)),
        "estimated_cost": job.estimated_cost,
        "suggested_price": job.suggested_price,
        **_of_order(job, details),
        "printer": {"id": printer.id, "name": printer.name} if printer else None,
        "model": {"id": job.model_id, "name": model_name} if model_name else None,
        "created_at": iso(job.created_at),
        "updated_at": iso(job.updated_at),
        "printer_name": printer.name if printer else None,
        "print_file_id": job.print_file_id,
        "file_name": job.file_name or None,
        "source": job.source,
        "reason": job.reason or None,
        "fail_reason": job.fail_reason,
        "fail_notes": job.fail_notes,
        "created_by": job.created_by,
        "position": job.position,
        "waiting_for": waiting_for(job, around),
        "unplaceable": around.told.unplaceable,
        "progress": _progress(state, attempt, around.live_progress),
        "time_left_s": around.time_left_s if state in JOB_RUNNING else None,
        "attempt": attempt.number if attempt else None,
        "cancel_requested": _cancel_requested(state, attempt),
        "stream_quality": attempt.quality if attempt else None,
    }


def _of_order(job: Job, details: Mapping[str, Any]) -> dict[str, Any]:
    """The item of an order that *job* is for, and how many pieces of it one print makes."""
    link = details.get(_ORDER)
    if not link:
        return {"order_item_id": None, "quantity_on_bed": 1}
    return {
        "order_item_id": link["item_id"],
        "quantity_on_bed": max(1, link["makes"] // job.quantity),
    }


def _colors(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def _progress(
    state: JobState, attempt: Attempt | None, live_progress: float | None
) -> float | None:
    if state is JobState.COMPLETED:
        return 100.0
    if attempt is None or attempt.state == AttemptState.NOT_STARTED:
        return None
    if state in JOB_RUNNING and (live_progress is not None or state is not JobState.PAUSED):
        return live_progress  # what the start reported is out of date by now
    stored = attempt.progress
    if not stored:
        return None
    return round(msgspec.convert(stored, Progress).completion, 1)


def _cancel_requested(state: JobState, attempt: Attempt | None) -> bool:
    return state in JOB_RUNNING and attempt is not None and attempt.cancel_asked_at is not None
