"""Steps of a job: the only place where its state changes (`schemas.jobs.JOB_TRANSITIONS`)."""

from datetime import datetime
from typing import Any

from api.errors import Conflict, NotFound
from api.events.service import Change, Happened
from api.jobs.models import Attempt, Job
from api.principal import Principal
from schemas.jobs import JOB_OVER, JOB_TRANSITIONS, JOB_WAITING, JobEvent, JobState
from schemas.transitions import can

#: States in which people may change what a job asks for.
CHANGEABLE = JOB_WAITING | {JobState.SUBMITTED}
#: Of a job's details: whoever locked it wants it to stay where and when it is.
LOCKED = "is_locked"


async def job_row(job_id: int) -> Job:
    """The job as the current transaction sees it. Raises `NotFound`."""
    job = await Job.filter(id=job_id, deleted_at=None).first()
    if job is None:
        raise missing(job_id)
    return job


async def job_to_start(job_id: int) -> Job:
    """As `job_row`, and nobody else changes it until the end of the transaction.

    Raises `NotFound`, and `Conflict` when somebody else has it locked: who starts jobs goes on to
    the next one instead of waiting with everybody behind them.
    """
    rows = Job.filter(id=job_id, deleted_at=None).select_for_update(skip_locked=True)
    job = await rows.first()
    if job is None:
        job = await job_row(job_id)
        raise Conflict(f"Job {job.id} is being changed at this moment; start it again.")
    return job


def missing(job_id: int) -> NotFound:
    """There is no such job, or it is not theirs: the answer is the same."""
    return NotFound(f"There is no job {job_id}.", code="job_not_found", job_id=job_id)


def wrong_state(job: Job, why: str) -> Conflict:
    """The refusal of what does not go with a job's state."""
    return Conflict(
        f"Job {job.id} is {job.state}; {why}.",
        code="invalid_state_transition",
        job_id=job.id,
        status=job.state,
    )


def check_changeable(job: Job) -> None:
    """Raises `Conflict` for a job that prints or is over."""
    if JobState(job.state) not in CHANGEABLE:
        raise wrong_state(job, "only a waiting job can be changed")


def check_unlocked(job: Job) -> None:
    """Raises `Conflict` for a job that somebody has locked where it is."""
    if job.details.get(LOCKED):
        raise wrong_state(job, "and locked where it is; unlock it first (is_locked: false)")


async def save_changed(change: Change, by: Principal, job: Job, now: datetime) -> None:
    """Write what *by* has changed of *job*, and tell of it."""
    job.updated_at = now
    await job.save()
    change.record(happened(job, "job.updated", by.user_id))
    change.wake("scheduler")


async def move_job(
    change: Change, job: Job, event: JobEvent, now: datetime, attempt: Attempt | None = None
) -> None:
    """Step *job* and save it; *attempt* is what led to it, if any.

    Raises `Conflict` when it is not in a state for that.
    """
    state = JobState(job.state)
    if not can(JOB_TRANSITIONS, state, event):
        raise wrong_state(job, f"that does not go with {event}")
    job.state = JOB_TRANSITIONS[state][event]
    if event is JobEvent.STARTED:
        began = attempt.started_at if attempt is not None else None
        job.actual_start = job.actual_start or began or now
    if job.state in JOB_OVER:
        job.actual_end = (attempt.ended_at if attempt is not None else None) or now
    told = happened(job, f"job.{event}", **_run_facts(attempt))
    if job.state == JobState.PENDING and not job.pinned:
        job.printer_id = None
    job.updated_at = now
    await job.save()
    change.record(told)
    change.wake("scheduler")


def _run_facts(attempt: Attempt | None) -> dict[str, Any]:
    """Which run it was and, once it has ended, how long it took (seconds; None: never began)."""
    if attempt is None:
        return {}
    facts: dict[str, Any] = {"print_id": attempt.print_id, "attempt": attempt.number}
    if attempt.ended_at is not None:
        began = attempt.started_at
        facts["duration_s"] = (attempt.ended_at - began).total_seconds() if began else None
    return facts


def happened(job: Job, kind: str, user_id: int | None = None, **data: Any) -> Happened:
    """What happened to *job*, for the ledger."""
    return Happened(
        organization_id=job.organization_id,
        kind=kind,
        printer_id=job.printer_id,
        job_id=job.id,
        user_id=user_id,
        data={"item_name": job.item_name, "status": job.state, "reason": job.reason, **data},
    )


def note(change: Change, by: Principal, action: str, job: Job, **details: Any) -> None:
    """The audit entry of what *by* did to *job*."""
    change.note(by, action, ("job", job.id), item_name=job.item_name, **details)
