"""Quotas: how much a person and an organization may use (v1 2.1, 2.2; safety S55, S74).

What is used is counted for everybody, in the transaction that uses it: a job when it is made, hours
and filament when a print ends. Nothing that prints is ever stopped by a quota; who has used theirs
up makes no more jobs until the next period. Storage is the organization's, as it is at the moment.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tortoise.expressions import F
from tortoise.functions import Sum

from api.accounts.models import Quota, QuotaUse, User
from api.accounts.periods import Period, Span, span_of
from api.accounts.service import Accounts
from api.clock import Clock, iso
from api.errors import TooMany
from api.events.service import Change, Happened, Ledger
from api.principal import Principal

MADE = "job.created"
#: Events with which a run of a job is over, and whether its filament was used whole.
_RUN_ENDS = {
    "job.completed": True,
    "job.printed_one": True,
    "job.failed": False,
    "job.cancelled": False,
}
_S_PER_HOUR = 3600.0
_LIMITED = ("jobs", "grams", "hours")

#: The id of a job -> who made it (None: nobody), and the grams of one print of it (None: unknown).
PrintOf = Callable[[int], Awaitable[tuple[int | None, float | None]]]
#: The id of an organization -> the bytes that it stores.
StoredBy = Callable[[int], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What was used in a period: jobs made, grams of filament, hours of printing."""

    jobs: int = 0
    grams: float = 0.0
    hours: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaState:
    """A quota (its limits None where there are none) and what was used of it.

    *stored_bytes*: of an organization.
    """

    quota: Quota
    use: Use
    span: Span
    stored_bytes: int | None = None


class Quotas:
    """Who may use how much."""

    def __init__(
        self,
        accounts: Accounts,
        print_of: PrintOf,
        stored_by: StoredBy,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._print_of = print_of
        self._stored_by = stored_by
        self._ledger = ledger
        self._clock = clock
        ledger.follow(self.follow)

    # Reading and setting

    async def mine(self, by: Principal) -> QuotaState:
        """The caller's own."""
        by.require("self.read")
        return await self._state(_person(by.user_id), by.organization_id)

    async def of_person(self, by: Principal, user_id: int) -> QuotaState:
        """Somebody's: one's own, or an admin's to see. Raises `NotFound`, `Forbidden`."""
        by.require("self.read" if user_id == by.user_id else "users.admin")
        user = await self._accounts.user(by, user_id)
        return await self._state(_person(user.id), user.organization_id)

    async def of_organization(self, by: Principal, organization_id: int) -> QuotaState:
        """An organization's. Raises `NotFound`, `Forbidden`."""
        by.require("organizations.admin")
        await self._accounts.organization(by, organization_id)
        state = await self._state(_house(organization_id), organization_id)
        stored = await self._stored_by(organization_id)
        return QuotaState(quota=state.quota, use=state.use, span=state.span, stored_bytes=stored)

    async def of_people(
        self, by: Principal, skip: int, limit: int
    ) -> tuple[list[tuple[User, QuotaState]], int]:
        """Everybody's in the organization (a superadmin: in all), and how many people there are."""
        users, total = await self._accounts.users(by, skip, limit)
        return [
            (user, await self._state(_person(user.id), user.organization_id)) for user in users
        ], total

    async def limit_person(
        self, by: Principal, user_id: int, wish: Mapping[str, Any]
    ) -> QuotaState:
        """Set what *wish* names (grams, hours, jobs: None for no limit; period).

        Raises `NotFound`, `Forbidden`.
        """
        by.require("users.admin")
        user = await self._accounts.user(by, user_id)
        await self._set(by, _person(user.id), user.organization_id, wish)
        return await self.of_person(by, user_id)

    async def limit_organization(
        self, by: Principal, organization_id: int, wish: Mapping[str, Any]
    ) -> QuotaState:
        """The same for an organization, storage_bytes too; a superadmin's business alone."""
        by.require("organizations.all")
        await self._accounts.organization(by, organization_id)
        await self._set(by, _house(organization_id), organization_id, wish)
        return await self.of_organization(by, organization_id)

    async def _set(
        self, by: Principal, subject: str, organization_id: int, wish: Mapping[str, Any]
    ) -> None:
        kind, _, number = subject.partition(":")
        async with self._ledger.change() as change:
            row = await Quota.get_or_none(subject=subject)
            row = row or Quota(subject=subject, organization_id=organization_id)
            row.update_from_dict(dict(wish))
            await row.save()
            change.note(by, "quota_updated", (kind, number), **wish)

    async def _state(self, subject: str, organization_id: int) -> QuotaState:
        quota = await Quota.get_or_none(subject=subject)
        quota = quota or Quota(subject=subject, organization_id=organization_id)
        span = span_of(Period(quota.period), self._clock.now().date())
        return QuotaState(quota=quota, use=await _used(subject, span), span=span)

    # Using

    async def follow(self, change: Change, happened: Sequence[Happened]) -> None:
        """Count what is used, in the transaction that uses it. Raises `TooMany` (quota_exceeded)
        for a job that is one too many: nothing of the change happens then.
        """
        del change  # proof that a transaction is open
        made = Counter[tuple[int, int | None]]()
        for event in happened:
            if event.kind == MADE:
                made[event.organization_id, event.user_id] += 1
            elif event.kind in _RUN_ENDS and event.job_id is not None:
                await self._count_run(event, event.job_id)
        for (organization_id, user_id), number in made.items():
            await self._count_jobs(organization_id, user_id, number)

    async def check_storage(self, organization_id: int, more_bytes: int) -> None:
        """Raises `TooMany` (quota_exceeded) when *more_bytes* would not fit."""
        quota = await Quota.get_or_none(subject=_house(organization_id))
        if quota is None or quota.storage_bytes is None:
            return
        stored = await self._stored_by(organization_id)
        if stored + more_bytes > quota.storage_bytes:
            raise TooMany(
                f"The organization may store {quota.storage_bytes} bytes; {stored} are stored and "
                f"this is {more_bytes} more. Delete files, or ask a superadmin for more.",
                code="quota_exceeded",
                **{"of": "organization", "quota": "storage_bytes"},
                **{"limit": quota.storage_bytes, "used": stored},
            )

    async def _count_jobs(self, organization_id: int, user_id: int | None, number: int) -> None:
        now = self._clock.now()
        subjects = _subjects(organization_id, user_id)
        for quota in await Quota.filter(subject__in=subjects):
            span = span_of(Period(quota.period), now.date())
            _check(quota, await _used(quota.subject, span), number, span)
        for subject in subjects:
            await _add(subject, organization_id, now, Use(jobs=number))

    async def _count_run(self, event: Happened, job_id: int) -> None:
        seconds = event.data.get("duration_s") or 0.0
        user_id, grams = await self._print_of(job_id)
        used_g = (grams or 0.0) if _RUN_ENDS[event.kind] else 0.0
        if not seconds and not used_g:
            return
        use = Use(hours=seconds / _S_PER_HOUR, grams=used_g)
        for subject in _subjects(event.organization_id, user_id):
            await _add(subject, event.organization_id, self._clock.now(), use)


def _check(quota: Quota, use: Use, jobs: int, span: Span) -> None:
    """Raises `TooMany` when *quota* leaves no room for so many *jobs* more."""
    for name in _LIMITED:
        limit, used = getattr(quota, name), getattr(use, name)
        full = limit is not None and (used + jobs > limit if name == "jobs" else used >= limit)
        if full:
            whose = quota.subject.partition(":")[0]
            yours = "Your quota" if whose == "user" else "The quota of your organization"
            raise TooMany(
                f"{yours} of {limit:g} {name} for {span.key} is used up ({used:g}). "
                f"It begins anew on {span.end.isoformat()}.",
                code="quota_exceeded",
                **{"of": whose, "quota": name, "limit": limit, "used": used},
                **{"period_key": span.key, "resets_at": iso_day(span)},
            )


def iso_day(span: Span) -> str | None:
    """The moment at which *span* is over."""
    return iso(datetime.fromisoformat(f"{span.end.isoformat()}T00:00:00+00:00"))


async def _used(subject: str, span: Span) -> Use:
    days = QuotaUse.filter(subject=subject, day__gte=span.first, day__lt=span.end)
    summed = await days.annotate(
        all_jobs=Sum("jobs"), all_grams=Sum("grams"), all_hours=Sum("hours")
    ).values("all_jobs", "all_grams", "all_hours")
    [found] = summed or [{}]
    return Use(
        jobs=int(found.get("all_jobs") or 0),
        grams=round(float(found.get("all_grams") or 0.0), 3),
        hours=round(float(found.get("all_hours") or 0.0), 6),
    )


async def _add(subject: str, organization_id: int, now: datetime, use: Use) -> None:
    today = QuotaUse.filter(subject=subject, day=now.date())
    changed = await today.update(
        jobs=F("jobs") + use.jobs, grams=F("grams") + use.grams, hours=F("hours") + use.hours
    )
    if not changed:
        await QuotaUse.create(
            subject=subject,
            organization_id=organization_id,
            day=now.date(),
            jobs=use.jobs,
            grams=use.grams,
            hours=use.hours,
        )


def _subjects(organization_id: int, user_id: int | None) -> list[str]:
    house = [_house(organization_id)]
    return [_person(user_id), *house] if user_id else house


def _person(user_id: int) -> str:
    return f"user:{user_id}"


def _house(organization_id: int) -> str:
    return f"organization:{organization_id}"
