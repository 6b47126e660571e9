"""What people had made, and what it costs: chargebacks and the usage of a school (v1 2.11).

Counted from jobs, prints and what was taken from spools; whoever has left is still counted, without
a name. Money is that of `/pricing-config`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from api.clock import Clock
from api.errors import Invalid
from api.jobs.work import Span, Work, makers_of, work_of_people
from api.principal import Principal
from api.spools import stock

LONGEST = timedelta(days=366)


class PeopleRoom(Protocol):
    """What is needed of the accounts."""

    async def usernames(self, user_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these people, whoever of them is still there."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one person had made. *user_id* None: nobody asked for it; *name* None: they are gone."""

    user_id: int | None
    name: str | None
    work: Work


class People:
    """Reports about people."""

    def __init__(self, people: PeopleRoom, clock: Clock) -> None:
        self._people = people
        self._clock = clock

    async def chargebacks(self, by: Principal, span: Span) -> Sequence[Share]:
        """What each person used, the most expensive first. Raises `Invalid`, see `check`."""
        by.require("reports.charge")
        check(span)
        shares = await self.shares(by, span)
        return sorted(shares, key=lambda share: (-share.work.cost, -share.work.printed_s))

    async def usage(self, by: Principal, days: int) -> tuple[Span, Sequence[Share]]:
        """The last so many days, and what each person did in them, the busiest first."""
        by.require("reports.people")
        now = self._clock.now()
        span = Span(since=now - timedelta(days=days), until=now)
        shares = await self.shares(by, span)
        return span, sorted(shares, key=lambda share: (-share.work.made, -share.work.printed_s))

    async def shares(self, by: Principal, span: Span) -> Sequence[Share]:
        """What each person had made in *span*, in no order."""
        works = await work_of_people(by, span)
        grams = await stock.grams_by_job(by.organization_id, span.since, span.until)
        makers = await makers_of([*grams])
        for job_id, weight_g in grams.items():
            works.setdefault(makers.get(job_id), Work()).grams += weight_g
        names = await self._people.usernames({each for each in works if each is not None})
        return [Share(each, names.get(each or 0), work) for each, work in works.items()]


def check(span: Span) -> None:
    """Raises `Invalid` for what is no span of time, or too long a one."""
    if span.since >= span.until:
        raise Invalid("end_date: after start_date", code="validation_failed", field="end_date")
    if span.until - span.since > LONGEST:
        raise Invalid(
            f"end_date: at most {LONGEST.days} days after start_date",
            code="validation_failed",
            field="end_date",
        )


def total_of(shares: Sequence[Share]) -> Work:
    """All of it together."""
    total = Work()
    for share in shares:
        for name in Work.__slots__:
            setattr(total, name, getattr(total, name) + getattr(share.work, name))
    return total
