"""What the queue says of a job: why it is where it is, and what would help.

Of a job that a printer has it is what was written with its start. Of one that waits it is what the
rules say now, printer by printer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.clock import Clock, iso
from api.jobs.file_wait import REASONS as FILE_REASONS
from api.jobs.line import waiting_of
from api.jobs.service import Job, Jobs
from api.jobs.told import Told
from api.principal import Principal
from api.scheduler.decisions import Decisions
from api.scheduler.demands import Demands
from api.scheduler.explain import refusals, unblockers, unplaceable, waits_for
from api.scheduler.models import Decision
from api.scheduler.needs import Need
from api.scheduler.sight import Sight, View
from schemas.jobs import JOB_OVER, JOB_WAITING, JobState

MAX_PRINTERS = 500


class Explanations:
    """The queue's words."""

    def __init__(self, jobs: Jobs, sight: Sight, demands: Demands, clock: Clock) -> None:
        self._jobs = jobs
        self._sight = sight
        self._demands = demands
        self._clock = clock

    async def told(self, jobs: Sequence[Job]) -> Mapping[int, Told]:
        """What there is to say of *jobs*, which the caller may see, by their ids."""
        found: dict[int, Told] = {}
        waiting = [job for job in jobs if JobState(job.state) in JOB_WAITING and job.blob_id]
        for organization_id in {job.organization_id for job in waiting}:
            mine = [job for job in waiting if job.organization_id == organization_id]
            view, needs = await self._look(organization_id, mine)
            for job, need in zip(mine, needs, strict=True):
                wait = waits_for(view.whole, need)
                never = unplaceable(view.whole, need) if wait.never else None
                found[job.id] = Told(waiting_for=wait.text, unplaceable=never)
        begun = [job for job in jobs if job.grant is not None and job.id not in found]
        away = await self._away(begun)
        found |= {job_id: Told(waiting_for=text) for job_id, text in away.items()}
        grants = [job.grant for job in begun if job.grant is not None]
        for decision in (await Decisions.of_grants(grants)).values():
            text = away.get(decision.job_id)
            found[decision.job_id] = Told(waiting_for=text, match_score=decision.match_score)
        return found

    async def explain(self, by: Principal, job_id: int) -> dict[str, Any]:
        """All that the queue can say of one job. Raises `NotFound`."""
        job = await self._jobs.get(by, job_id)
        if JobState(job.state) in JOB_WAITING:
            return await self._of_waiting(job)
        decision = (await Decisions.of_grants([job.grant])).get(job.grant) if job.grant else None
        if decision is not None:
            return await self._of_decision(job, decision)
        return _answer(job, self._plain(job), iso(self._clock.now()))

    async def _look(self, organization_id: int, jobs: Sequence[Job]) -> tuple[View, Sequence[Need]]:
        spots = (await self._sight.spots()).get(organization_id, [])
        view = await self._sight.view(organization_id, {job.pool_id for job in jobs}, spots)
        return view, await self._demands.once(organization_id, [waiting_of(job) for job in jobs])

    async def _of_waiting(self, job: Job) -> dict[str, Any]:
        view, [need] = await self._look(job.organization_id, [job])
        wait = waits_for(view.whole, need)
        verdicts = refusals(view.whole, need)
        for_file = job.reason if job.reason in FILE_REASONS else None
        summary = self._held(job) or f"It waits for {for_file or wait.text}."
        return _answer(
            job,
            summary,
            iso(self._clock.now()),
            unplaceable=unplaceable(view.whole, need),
            printers=verdicts[:MAX_PRINTERS],
            printer_count=len(verdicts),
            unblock=unblockers(verdicts),
        )

    def _held(self, job: Job) -> str | None:
        """What keeps a job back before any printer is looked at."""
        if job.hold:
            return "It is on hold; somebody has to take it off hold."
        if job.blob_id is None:
            return "It waits for a file."
        if job.scheduled_start is not None and job.scheduled_start > self._clock.now():
            return f"It waits for its time, {iso(job.scheduled_start)}."
        return None

    async def _away(self, jobs: Sequence[Job]) -> Mapping[int, str]:
        """Which of *jobs* wait for a printer to tell that it has begun, by id, in words."""
        given = [job for job in jobs if JobState(job.state) is JobState.SCHEDULED]
        spots = (await self._sight.spots()) if given else {}
        names = {
            spot.id: spot.name
            for organization_id in {job.organization_id for job in given}
            for spot in spots.get(organization_id, [])
            if not spot.reachable
        }
        return {
            job.id: f"{names[job.printer_id]} to be heard of again: it is offline"
            for job in given
            if job.printer_id in names
        }

    @staticmethod
    def _plain(job: Job) -> str:
        state = JobState(job.state)
        if state is JobState.SUBMITTED:
            return "It waits for approval."
        if state in JOB_OVER:
            return f"It is {state}" + (f": {job.reason}" if job.reason else ".")
        return "A person started it on this printer."

    async def _of_decision(self, job: Job, decision: Decision) -> dict[str, Any]:
        facts: Mapping[str, Any] = decision.facts
        spots = (await self._sight.spots()).get(job.organization_id, [])
        names = {spot.id: spot.name for spot in spots}
        printers = [
            {
                "printer_id": printer_id,
                "printer_name": names.get(printer_id),
                "rule": group["rule"],
                "why_not": _sentence(names.get(printer_id), group["why_not"]),
                "unblock": None,
            }
            for group in facts["others"]
            for printer_id in group["printer_ids"]
        ]
        away = (await self._away([job])).get(job.id)
        return _answer(
            job,
            f"The queue gave it to {facts['printer_name']}."
            + (f" It waits for {away}." if away else ""),
            iso(decision.decided_at),
            match_score=decision.match_score,
            printer_name=facts["printer_name"],
            reasons=facts["reasons"],
            printers=printers[:MAX_PRINTERS],
            printer_count=len(printers),
        )


def _sentence(name: str | None, why_not: str) -> str:
    return f"{name or 'A printer that is gone'} {why_not}."


def _answer(job: Job, summary: str, at: str | None, **more: Any) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "status": job.state,
        "decided_at": at,
        "printer_id": job.printer_id,
        "printer_name": None,
        "match_score": None,
        "summary": summary,
        "unplaceable": None,
        "reasons": [],
        "printers": [],
        "printer_count": 0,
        "unblock": [],
        **more,
    }
