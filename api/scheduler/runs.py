"""Runs of the scheduler that people ask for: a plan, kept (v1 contract, 2.4 and 4.3).

A run moves no job: the queue starts what can start, now as always. The run says where and when the
rest is likely to print, and what cannot be placed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from statistics import fmean
from typing import Any

from api.clock import Clock, iso
from api.errors import NotFound
from api.events.rehearsal import would
from api.events.service import Ledger
from api.jobs.forms import JobFilter
from api.jobs.line import waiting_of
from api.jobs.service import Job, Jobs
from api.jobs.times import expected_hours, planned_end
from api.principal import Principal
from api.scheduler.demands import Demands
from api.scheduler.hours import Hours
from api.scheduler.models import Run
from api.scheduler.needs import colors_of
from api.scheduler.plan import Order, Planned, Terms, plan
from api.scheduler.sight import Sight
from api.scheduler.spots import Spot
from schemas.jobs import JOB_RUNNING, JOB_WAITING

#: So many jobs of the queue's head are planned; the others come later than anybody can tell.
MAX_JOBS = 1000
KEPT_RUNS = 100
_NOTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTerms:
    """What a run may be told. *blackout* None: the organization's own."""

    blackout: tuple[time, time] | None = None
    setup_slots: int = 1
    horizon_days: int = 7


class Runs:
    """Plans, made and looked at."""

    def __init__(
        self, jobs: Jobs, sight: Sight, demands: Demands, ledger: Ledger, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._sight = sight
        self._demands = demands
        self._ledger = ledger
        self._clock = clock

    async def run(self, by: Principal, wanted: RunTerms) -> Run:
        """Plan the queue of the caller's organization, keep the plan, and wake the queue."""
        by.require("scheduler.run")
        jobs, running = await self._queue_of(by)
        planned = await self._plan(by.organization_id, jobs, running, wanted)
        row = _row(by, jobs, planned, self._clock.now())
        facts = {"total_jobs": row.total_jobs, "scheduled": row.scheduled_count}
        facts["skipped"] = row.skipped_count
        async with self._ledger.change() as change:
            await row.save()
            await _forget_old(by.organization_id)
            change.note(by, "scheduler.run", ("scheduler_run", row.id), **facts)
            would("run_scheduler", **facts, setup_blocks=row.setup_blocks)
            change.wake("scheduler")
        return row

    async def _queue_of(self, by: Principal) -> tuple[list[Job], Sequence[Job]]:
        waiting = JobFilter(states=frozenset(JOB_WAITING))
        jobs, _ = await self._jobs.list(by, waiting, 0, MAX_JOBS)
        running, _ = await self._jobs.list(
            by, JobFilter(states=frozenset(JOB_RUNNING)), 0, MAX_JOBS
        )
        return [job for job in jobs if not job.hold], running

    async def _plan(
        self, organization_id: int, jobs: Sequence[Job], running: Sequence[Job], wanted: RunTerms
    ) -> list[Planned]:
        spots = (await self._sight.spots()).get(organization_id, [])
        view = await self._sight.view(organization_id, {job.pool_id for job in jobs}, spots)
        needs = await self._demands.once(organization_id, [waiting_of(job) for job in jobs])
        orders = [
            Order(job_id=job.id, need=need, hours=expected_hours(job), earliest=job.scheduled_start)
            for job, need in zip(jobs, needs, strict=True)
        ]
        now = self._clock.now()
        terms = Terms(
            now=now,
            hours=_with_blackout(await self._sight.hours(organization_id), wanted),
            horizon_days=wanted.horizon_days,
            setup_slots=wanted.setup_slots,
        )
        busy = {job.printer_id: planned_end(job.actual_start or now, job) for job in running}
        free_at = [max(now, busy.get(spot.id, now)) for spot in spots]
        return await asyncio.to_thread(plan, orders, view.whole, free_at, terms)

    async def list(self, by: Principal, skip: int, limit: int) -> tuple[Sequence[Run], int]:
        """(a page of runs, how many are kept): the newest first."""
        by.require("scheduler.read")
        rows = Run.filter(organization_id=by.organization_id)
        return await rows.order_by("-id").offset(skip).limit(limit), await rows.count()

    async def get(self, by: Principal, run_id: int) -> Run:
        """One run. Raises `NotFound`."""
        by.require("scheduler.read")
        row = await Run.filter(id=run_id, organization_id=by.organization_id).first()
        if row is None:
            raise NotFound(f"There is no scheduler run {run_id}.")
        return row


def _with_blackout(hours: Hours, wanted: RunTerms) -> Hours:
    return hours if wanted.blackout is None else replace(hours, blackout=wanted.blackout)


def _row(by: Principal, jobs: Sequence[Job], planned: Sequence[Planned], now: datetime) -> Run:
    placed = [each for each in planned if each.printer is not None]
    notes = [each.note for each in planned if each.note][:_NOTES]
    scores = [each.match_score for each in placed if each.match_score is not None]
    return Run(
        organization_id=by.organization_id,
        user_id=by.user_id or None,
        run_at=now,
        total_jobs=len(jobs),
        scheduled_count=len(placed),
        skipped_count=len(planned) - len(placed),
        setup_blocks=sum(each.has_setup for each in placed),
        avg_match_score=_mean(scores),
        avg_job_duration=_mean([expected_hours(job) for job in jobs]),
        notes="\n".join(notes) or None,
        jobs=[_summary(job, each) for job, each in zip(jobs, planned, strict=True)],
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(fmean(values), 2) if values else None


def _summary(job: Job, planned: Planned) -> Mapping[str, Any]:
    """A job of the plan as the contract has it (`JobSummary`), and why it has no place."""
    spot: Spot | None = planned.printer
    return {
        "id": job.id,
        "item_name": job.item_name,
        "status": job.state,
        "priority": job.priority,
        "printer_id": spot.id if spot else None,
        "printer_name": spot.name if spot else None,
        "scheduled_start": iso(planned.start),
        "scheduled_end": iso(planned.end),
        "duration_hours": job.duration_hours,
        "colors_list": list(colors_of(job.colors_required)),
        "match_score": planned.match_score,
        "note": planned.note or None,
    }


async def _forget_old(organization_id: int) -> None:
    kept = Run.filter(organization_id=organization_id).order_by("-id")
    oldest = await kept.offset(KEPT_RUNS - 1).first()
    if oldest is not None:
        await Run.filter(organization_id=organization_id, id__lt=oldest.id).delete()
