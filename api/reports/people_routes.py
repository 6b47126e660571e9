"""v1 routes of reports about people (v1 contract, 2.11): parse, ask the service, answer."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field
from quart import Response

from api.clock import Clock, iso
from api.describe import Answer, Doc, Instant, Query
from api.http import json_answer
from api.jobs.work import Span, Work
from api.reports.asked import days_query, end_query, moment_query
from api.reports.people import LONGEST, People, Share, total_of
from api.v1 import V1, caller

LEAST_DAYS, MOST_DAYS = 7, 90


class Charges(Answer):
    """What was used. Of jobs that ended in the span; hours and grams of failed prints too."""

    jobs_completed: int
    jobs_failed: int
    jobs_cancelled: int
    print_hours: float
    filament_grams: float = Field(description="As taken from spools")
    cost: float = Field(description="Of completed jobs, by the rates when they were made")
    jobs_without_cost: int = Field(description="Completed ones whose weight and time were unknown")


class PersonCharges(Charges):
    """What one person used. *user_id* null: nobody asked for it; *username* null: they are gone."""

    user_id: int | None
    username: str | None


class Chargebacks(Answer):
    """What people used between two times."""

    start_date: Instant
    end_date: Instant
    users: list[PersonCharges]
    totals: Charges


class Usage(Answer):
    """What was done."""

    jobs_submitted: int
    jobs_rejected: int = Field(description="Of those that were submitted")
    jobs_completed: int
    jobs_failed: int
    jobs_cancelled: int
    success_rate: float | None = Field(description="Percent; null: nothing has ended yet")
    print_hours: float
    filament_grams: float


class PersonUsage(Usage):
    """What one person did. *user_id* null: nobody asked for it; *username* null: they are gone."""

    user_id: int | None
    username: str | None


class UsageReport(Answer):
    """What people did in the last days."""

    days: int
    start_date: Instant
    end_date: Instant
    users: list[PersonUsage]
    summary: Usage


class PeopleRoutes:
    """``/reports/chargebacks`` and ``/education/usage-report``."""

    def __init__(self, people: People, clock: Clock) -> None:
        self._people = people
        self._clock = clock

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/reports/chargebacks", self.chargebacks, _CHARGEBACKS)
        v1.add("GET", "/education/usage-report", self.usage, _USAGE)

    async def chargebacks(self) -> Response:
        """What each person used."""
        now = self._clock.now()
        until = end_query("end_date") or now
        last = until - timedelta(milliseconds=1)  # a span that ends with a month is in it
        month = last.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        span = Span(since=moment_query("start_date") or month, until=until)
        return json_answer(chargebacks_view(span, await self._people.chargebacks(caller(), span)))

    async def usage(self) -> Response:
        """What each person did."""
        days = days_query(30, MOST_DAYS, LEAST_DAYS)
        span, shares = await self._people.usage(caller(), days)
        return json_answer({"days": days, **usage_view(span, shares)})


def chargebacks_view(span: Span, shares: Sequence[Share]) -> dict[str, Any]:
    """`Chargebacks`."""
    users = [{**_person(share), **_charges(share.work)} for share in shares]
    return {**_between(span), "users": users, "totals": _charges(total_of(shares))}


def usage_view(span: Span, shares: Sequence[Share]) -> dict[str, Any]:
    """`UsageReport`."""
    users = [{**_person(share), **_usage(share.work)} for share in shares]
    return {**_between(span), "users": users, "summary": _usage(total_of(shares))}


def _between(span: Span) -> dict[str, Any]:
    return {"start_date": iso(span.since), "end_date": iso(span.until)}


def _person(share: Share) -> dict[str, Any]:
    return {"user_id": share.user_id, "username": share.name}


def _ended(work: Work) -> dict[str, Any]:
    return {
        "jobs_completed": work.completed,
        "jobs_failed": work.failed,
        "jobs_cancelled": work.cancelled,
        "print_hours": round(work.printed_s / 3600, 3),
        "filament_grams": round(work.grams, 2),
    }


def _charges(work: Work) -> dict[str, Any]:
    return {**_ended(work), "cost": round(work.cost, 2), "jobs_without_cost": work.unpriced}


def _usage(work: Work) -> dict[str, Any]:
    judged = work.completed + work.failed
    rate = round(100 * work.completed / judged, 1) if judged else None
    asked = {"jobs_submitted": work.made, "jobs_rejected": work.rejected}
    return {**asked, **_ended(work), "success_rate": rate}


_CHARGEBACKS = Doc(
    summary="What each person used, and what it costs by the rates of /pricing-config",
    answer=Chargebacks,
    right="reports.charge",
    query=(
        Query(
            name="start_date",
            type=Annotated[str, Field(max_length=40)],
            description="A date or time; default: the first of the month of end_date",
        ),
        Query(
            name="end_date",
            type=Annotated[str, Field(max_length=40)],
            description=f"A date (that day included) or time, at most {LONGEST.days} days after "
            "start_date; default: now",
        ),
    ),
)
_USAGE = Doc(
    summary="What each person asked for and had made in the last days",
    answer=UsageReport,
    right="reports.people",
    query=(
        Query(
            name="days",
            type=Annotated[int, Field(ge=LEAST_DAYS, le=MOST_DAYS)],
            description="Of the last so many days, default 30",
        ),
    ),
)
