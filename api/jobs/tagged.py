"""Tags that jobs and presets ask of a printer: counted, and called otherwise (v1 contract, 2.10).

Jobs that are over keep the words that they were printed with.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tortoise.queryset import QuerySet

from api.clock import Clock
from api.events.service import Change
from api.jobs.models import Job, Preset
from api.jobs.moves import save_changed
from api.principal import Principal
from api.printers.forms import renamed
from schemas.jobs import JobState

_OVER = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
_ASKED = "required_tags"


@dataclass(frozen=True, slots=True)
class Asked:
    """How many jobs and how many presets ask for each tag."""

    jobs: Counter[str]
    presets: Counter[str]


class RequiredTags:
    """What the jobs and presets of an organization ask for; the caller has checked the right."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def counts(self, organization_id: int) -> Asked:
        """All tags that are asked for."""
        jobs, presets = Counter[str](), Counter[str]()
        async for job in _jobs(organization_id).only("id", "details"):
            jobs.update(set(_of(job)))
        async for preset in Preset.filter(organization_id=organization_id):
            presets.update(set(preset.required_tags))
        return Asked(jobs, presets)

    async def asking(self, organization_id: int, tag: str) -> tuple[Sequence[int], Sequence[int]]:
        """(the jobs, the presets) that ask for *tag*, by number."""
        jobs = [job.id async for job in _jobs(organization_id) if tag in _of(job)]
        presets = Preset.filter(organization_id=organization_id).order_by("id")
        return jobs, [row.id async for row in presets if tag in row.required_tags]

    async def rename(self, change: Change, by: Principal, old: str, new: str) -> int:
        """Ask for *new* instead of *old*; how many jobs and presets did. Part of *change*."""
        changed = 0
        for job in await _jobs(by.organization_id):
            if old in _of(job):
                job.details = {**job.details, _ASKED: renamed(_of(job), old, new)}
                await save_changed(change, by, job, self._clock.now())
                changed += 1
        for preset in await Preset.filter(organization_id=by.organization_id):
            if old in preset.required_tags:
                preset.required_tags = renamed(preset.required_tags, old, new)
                await preset.save(update_fields=[_ASKED])
                changed += 1
        return changed


def _jobs(organization_id: int) -> QuerySet[Job]:
    rows = Job.filter(organization_id=organization_id, deleted_at=None)
    return rows.exclude(state__in=_OVER).order_by("id")


def _of(job: Job) -> Sequence[str]:
    details: dict[str, Any] = job.details or {}
    return details.get(_ASKED) or []
