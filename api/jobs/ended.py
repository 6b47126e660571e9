"""Prints that are over, for those who look back on them (v1 contract, 2.10).

A print is one record, however often it was started again; while it prints again it is not over.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from api.jobs.models import Job, Print
from api.jobs.records import OUTCOMES, Run, with_jobs
from api.principal import Principal
from schemas.jobs import ATTEMPT_OVER

_STEP = 500  # rows that a walk reads at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedFilter:
    """Which prints; None: any. *words*: in the name, literally and in any case. *user_id*: who made
    the job. *since* and *until*: when it ended, *until* not included. *only*: what the one who asks
    knows of the numbers of prints.
    """

    printer_id: int | None = None
    outcome: str | None = None
    words: str | None = None
    user_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    only: Q = field(default_factory=Q)


class EndedPrints:
    """The prints of an organization that are over, the one that ended last first."""

    async def page(
        self, by: Principal, which: EndedFilter, skip: int, limit: int
    ) -> tuple[Sequence[Run], int]:
        """(a page, how many there are)."""
        rows = _chosen(by, which)
        found = await rows.order_by("-ended_at", "-id").offset(skip).limit(limit)
        return await with_jobs(found), await rows.count()

    async def walk(
        self, by: Principal, which: EndedFilter, most: int
    ) -> AsyncIterator[Sequence[Run]]:
        """Up to *most*, some at a time; what ends meanwhile is left out."""
        rows = _chosen(by, which).order_by("-ended_at", "-id")
        page = await rows.limit(min(_STEP, most))
        while page:
            yield await with_jobs(page)
            most -= len(page)
            last = page[-1]
            later = Q(ended_at__lt=last.ended_at) | Q(ended_at=last.ended_at, id__lt=last.id)
            page = await rows.filter(later).limit(min(_STEP, most)) if most else []

    async def those(
        self, by: Principal, print_ids: Collection[int], only: Q | None = None
    ) -> Sequence[Run]:
        """Those of these that are theirs, over, and what *only* says."""
        if not print_ids:
            return []
        rows = _over(by).filter(only or Q(), id__in=sorted(print_ids))
        return await with_jobs(await rows.order_by("-ended_at", "-id"))

    async def count(self, by: Principal, only: Q) -> int:
        """How many there are of what *only* says."""
        return await _over(by).filter(only).count()


def _over(by: Principal) -> QuerySet[Print]:
    by.require("archives.read")
    return Print.filter(
        organization_id=by.organization_id,
        started_at__not_isnull=True,
        ended_at__not_isnull=True,
        state__in=tuple(ATTEMPT_OVER),
    )


def _chosen(by: Principal, which: EndedFilter) -> QuerySet[Print]:
    rows = _over(by).filter(which.only)
    if which.printer_id is not None:
        rows = rows.filter(printer_id=which.printer_id)
    if which.outcome is not None:
        states = [state for state, outcome in OUTCOMES.items() if outcome == which.outcome]
        rows = rows.filter(state__in=states)
    if which.since is not None:
        rows = rows.filter(ended_at__gte=which.since)
    if which.until is not None:
        rows = rows.filter(ended_at__lt=which.until)
    jobs = Job.filter(organization_id=by.organization_id)
    if which.user_id is not None:
        theirs = jobs.filter(created_by=which.user_id)
        rows = rows.filter(job_id__in=Subquery(theirs.values("id")))
    if which.words is not None:
        named = jobs.filter(item_name__icontains=which.words)
        own = Q(job_id=None, file_name__icontains=which.words)
        rows = rows.filter(own | Q(job_id__in=Subquery(named.values("id"))))
    return rows
