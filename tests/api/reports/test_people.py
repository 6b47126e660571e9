"""What people had made: counted by person, within a span, by whoever asked for it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from api.accounts.models import Organization
from api.bus.local import LocalBus
from api.errors import Forbidden
from api.events.service import Ledger
from api.jobs.models import Job
from api.jobs.work import Span, makers_of
from api.principal import Principal, Role
from api.reports.people import People
from api.reports.people_routes import PeopleRoutes
from api.spools.models import SpoolUse
from schemas.jobs import AttemptEvent
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp

E = AttemptEvent
JANUARY = "start_date=2026-01-01&end_date=2026-01-31"


class Names:
    """Everybody but number 7, who has left."""

    async def usernames(self, user_ids: Collection[int]) -> Mapping[int, str]:
        return {each: f"user{each}" for each in user_ids if each != 7}


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
def people(farm: Farm) -> People:
    return People(Names(), farm.clock)


@pytest.fixture
def app(farm: Farm, people: People) -> FarmApp:
    app = FarmApp(farm)
    PeopleRoutes(people, farm.clock).register(app.v1)
    return app


async def printed(farm: Farm, user_id: int, hours: float, end: AttemptEvent, **row: Any) -> Job:
    """A job of somebody's that printed so long."""
    printer = await farm.printer(f"P{await Job.all().count()}", None)
    job = await farm.job(printer)
    await Job.filter(id=job.id).update(created_by=user_id, **row)
    await farm.printers.plate_cleared(farm.admin, printer.id)
    await farm.jobs.by_hand(farm.admin, job.id, E.STARTED)
    farm.clock.advance(3600 * hours)
    await farm.jobs.by_hand(farm.admin, job.id, end)
    return job


async def used(farm: Farm, job: Job, weight_g: float, organization_id: int = 1) -> None:
    await SpoolUse.create(
        organization_id=organization_id,
        spool_id=1,
        weight_used_g=weight_g,
        used_at=farm.clock.now(),
        job_id=job.id,
    )


async def test_people_are_charged_for_what_they_had_made(app: FarmApp, farm: Farm) -> None:
    """Cost of what was completed, hours and grams of everything; the dearest first (v1 2.11)."""
    cheap = await printed(farm, 2, 1, E.COMPLETED, estimated_cost=2.5)
    await printed(farm, 2, 2, E.FAILED, estimated_cost=9.0)
    dear = await printed(farm, 7, 1, E.COMPLETED, estimated_cost=20.25)
    await printed(farm, 7, 1, E.COMPLETED)
    for job, weight_g in ((cheap, 10.0), (cheap, 2.5), (dear, 100.0)):
        await used(farm, job, weight_g)
    found = await app.ask("GET", f"/reports/chargebacks?{JANUARY}")
    assert (found["start_date"], found["end_date"]) == (
        "2026-01-01T00:00:00.000Z",
        "2026-02-01T00:00:00.000Z",
    )
    assert found["users"] == [
        {
            "user_id": 7,
            "username": None,
            "jobs_completed": 2,
            "jobs_failed": 0,
            "jobs_cancelled": 0,
            "print_hours": 2.0,
            "filament_grams": 100.0,
            "cost": 20.25,
            "jobs_without_cost": 1,
        },
        {
            "user_id": 2,
            "username": "user2",
            "jobs_completed": 1,
            "jobs_failed": 1,
            "jobs_cancelled": 0,
            "print_hours": 3.0,
            "filament_grams": 12.5,
            "cost": 2.5,
            "jobs_without_cost": 0,
        },
    ]
    totals = found["totals"]
    assert (totals["cost"], totals["print_hours"], totals["jobs_completed"]) == (22.75, 5.0, 3)


async def test_a_span_begins_and_ends_where_it_says(app: FarmApp, farm: Farm) -> None:
    """By default this month; a job that ended before is not in it, a deleted one is."""
    job = await printed(farm, 2, 1, E.COMPLETED, estimated_cost=1.0)
    await farm.jobs.delete(farm.admin, job.id)
    farm.clock.advance(1)
    found = await app.ask("GET", "/reports/chargebacks")
    assert (found["start_date"], found["totals"]["cost"]) == ("2026-01-01T00:00:00.000Z", 1.0)
    later = await app.ask("GET", "/reports/chargebacks?start_date=2026-01-02&end_date=2026-01-03")
    assert (later["users"], later["totals"]["cost"]) == ([], 0)
    whole = await app.ask("GET", "/reports/chargebacks?end_date=2026-01-31")
    assert whole["start_date"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("start_date=yesterday", "start_date"),
        ("end_date=2026-13-01", "end_date"),
        ("start_date=2026-02-01&end_date=2026-01-01", "end_date"),
        ("start_date=2024-01-01&end_date=2026-01-01", "end_date"),
    ],
)
async def test_what_is_no_span_is_refused(app: FarmApp, query: str, field: str) -> None:
    """422 that names the field (S74)."""
    refused = await app.ask("GET", f"/reports/chargebacks?{query}", expect=422)
    assert refused["error"]["field"] == field


async def test_what_a_school_did(app: FarmApp, farm: Farm) -> None:
    """Jobs asked for, refused, printed; the busiest first (v1 2.11 /education/usage-report)."""
    await printed(farm, 2, 1, E.COMPLETED)
    await printed(farm, 3, 1, E.COMPLETED)
    await printed(farm, 3, 2, E.FAILED)
    waiting = await farm.job()
    await Job.filter(id=waiting.id).update(created_by=3, state="rejected")
    farm.clock.advance(1)
    found = await app.ask("GET", "/education/usage-report?days=7")
    assert [(row["username"], row["jobs_submitted"]) for row in found["users"]] == [
        ("user3", 3),
        ("user2", 1),
    ]
    busiest = found["users"][0]
    assert (busiest["jobs_rejected"], busiest["success_rate"], busiest["print_hours"]) == (1, 50, 3)
    assert (found["days"], found["summary"]["jobs_submitted"]) == (7, 4)
    farm.clock.advance(8 * 86400)
    assert (await app.ask("GET", "/education/usage-report?days=7"))["users"] == []
    for days in (6, 91):
        await app.ask("GET", f"/education/usage-report?days={days}", expect=422)


async def test_others_people_are_not_counted(farm: Farm, people: People) -> None:
    """Neither jobs nor filament of another organization (v1 1.4)."""
    job = await printed(farm, 2, 1, E.COMPLETED, estimated_cost=5.0)
    await Organization.create(id=2, name="Second", created_at=farm.clock.now())
    await used(farm, job, 10.0)
    other = replace(farm.admin, organization_id=2)
    now = farm.clock.now()
    span = Span(since=now.replace(day=1, hour=0), until=now.replace(day=2))
    assert await people.chargebacks(other, span) == []
    [share] = await people.chargebacks(farm.admin, span)
    assert share.work.grams == 10


async def test_who_may_see_what_others_did(farm: Farm, people: People) -> None:
    """Chargebacks are an admin's, usage an operator's."""
    now = farm.clock.now()
    span = Span(since=now.replace(hour=0), until=now)
    operator = replace(farm.admin, role=Role.OPERATOR, is_superadmin=False)
    with pytest.raises(Forbidden):
        await people.chargebacks(operator, span)
    assert (await people.usage(operator, 30))[1] == []
    with pytest.raises(Forbidden):
        await people.usage(replace(operator, role=Role.VIEWER), 30)


async def test_makers_of_many_jobs(farm: Farm) -> None:
    """More ids than one question to a database may have."""
    job = await farm.job()
    found = await makers_of([*range(1, 1500)])
    assert found == {job.id: farm.admin.user_id}
