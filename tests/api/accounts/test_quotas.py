"""Quotas: counted where they are used, refused where they are used up (v1 2.1, 2.2; S55, S74)."""

import asyncio
from datetime import date
from typing import Any

import pytest

from api.accounts.models import QuotaUse
from api.accounts.periods import Period, span_of
from api.accounts.quotas import Quotas
from api.accounts.service import Accounts
from api.errors import Problem
from api.events.models import AuditEntry, Event
from api.events.service import Happened, Ledger
from api.principal import Principal, Role
from tests.api.accounts.people import add_user, make_admin, refused
from tests.api.conftest import FakeClock


class Store:
    """What an organization stores, and who made which job, as other rooms say it."""

    def __init__(self) -> None:
        self.stored_bytes = 0
        self.maker: int | None = None
        self.grams: float | None = None

    async def stored_by(self, organization_id: int) -> int:
        assert organization_id
        return self.stored_bytes

    async def print_of(self, job_id: int) -> tuple[int | None, float | None]:
        assert job_id
        return self.maker, self.grams


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def quotas(accounts: Accounts, store: Store, ledger: Ledger, clock: FakeClock) -> Quotas:
    return Quotas(accounts, store.print_of, store.stored_by, ledger=ledger, clock=clock)


async def make_jobs(ledger: Ledger, by: Principal, number: int = 1) -> None:
    async with ledger.change() as change:
        for job_id in range(1, number + 1):
            made = Happened(by.organization_id, "job.created", job_id=job_id, user_id=by.user_id)
            change.record(made)


async def end_run(ledger: Ledger, kind: str, seconds: float | None) -> None:
    async with ledger.change() as change:
        change.record(Happened(1, kind, job_id=7, data={"duration_s": seconds}))


@pytest.mark.parametrize(
    ("period", "first", "end", "key"),
    [
        (Period.DAILY, date(2026, 12, 31), date(2027, 1, 1), "2026-12-31"),
        (Period.WEEKLY, date(2026, 12, 28), date(2027, 1, 4), "2026-W53"),
        (Period.MONTHLY, date(2026, 12, 1), date(2027, 1, 1), "2026-12"),
        (Period.YEARLY, date(2026, 1, 1), date(2027, 1, 1), "2026"),
    ],
)
def test_periods(period: Period, first: date, end: date, key: str) -> None:
    """Whole days of UTC, over the end of a year too."""
    span = span_of(period, date(2026, 12, 31))
    assert (span.first, span.end, span.key) == (first, end, key)


async def test_jobs_are_counted_and_end_at_the_quota(
    accounts: Accounts, quotas: Quotas, ledger: Ledger, clock: FakeClock
) -> None:
    """429 quota_exceeded that says whose, how much and until when; nothing is written then."""
    admin = (await make_admin(accounts)).principal
    await quotas.limit_person(admin, admin.user_id, {"jobs": 2})
    await make_jobs(ledger, admin, 2)
    before = await Event.all().count()
    with pytest.raises(Problem) as one_more:
        await make_jobs(ledger, admin)
    problem = one_more.value
    assert (problem.code, problem.kind.v1_status) == ("quota_exceeded", 429)
    assert problem.extra == {
        **{"of": "user", "quota": "jobs", "limit": 2, "used": 2, "period_key": "2026-01"},
        "resets_at": "2026-02-01T00:00:00.000Z",
    }
    assert await Event.all().count() == before
    state = await quotas.mine(admin)
    assert (state.use.jobs, state.quota.jobs, state.span.key) == (2, 2, "2026-01")
    clock.advance(31 * 24 * 3600)
    await make_jobs(ledger, admin)
    assert (await quotas.mine(admin)).use.jobs == 1


async def test_many_at_once_are_one_request(
    accounts: Accounts, quotas: Quotas, ledger: Ledger
) -> None:
    """Three jobs where two are left: none is made."""
    admin = (await make_admin(accounts)).principal
    await quotas.limit_person(admin, admin.user_id, {"jobs": 2})
    assert await refused(make_jobs(ledger, admin, 3)) == "quota_exceeded"
    assert (await quotas.mine(admin)).use.jobs == 0


async def test_of_many_at_once_exactly_so_many_win(
    accounts: Accounts, quotas: Quotas, ledger: Ledger
) -> None:
    """S55: 20 in parallel, room for 3."""
    admin = (await make_admin(accounts)).principal
    await quotas.limit_person(admin, admin.user_id, {"jobs": 3})
    work = [make_jobs(ledger, admin) for _ in range(20)]
    ended = await asyncio.gather(*work, return_exceptions=True)
    assert [one for one in ended if one is None] == [None] * 3
    assert (await quotas.mine(admin)).use.jobs == 3


async def test_printing_is_counted_for_who_made_the_job(
    accounts: Accounts, quotas: Quotas, ledger: Ledger, store: Store
) -> None:
    """Hours of every run, filament of those that were printed whole; a quota stops only new jobs,
    never what prints.
    """
    admin = (await make_admin(accounts)).principal
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR)
    await quotas.limit_person(admin, olga.user_id, {"grams": 15.0, "hours": 1.5})
    store.maker, store.grams = olga.user_id, 12.5
    await end_run(ledger, "job.printed_one", 3600)
    await make_jobs(ledger, olga)
    await end_run(ledger, "job.failed", 1800)
    await end_run(ledger, "job.cancelled", None)  # it never began
    state = await quotas.of_person(admin, olga.user_id)
    assert (state.use.grams, state.use.hours) == (12.5, 1.5)
    assert await refused(make_jobs(ledger, olga)) == "quota_exceeded"
    await end_run(ledger, "job.completed", 3600)
    state = await quotas.of_person(admin, olga.user_id)
    assert (state.use.grams, state.use.hours) == (25.0, 2.5)
    house = await quotas.of_organization(admin, 1)
    assert (house.use.grams, house.use.hours, house.use.jobs) == (25.0, 2.5, 1)
    await make_jobs(ledger, admin)  # another's quota is another's


async def test_an_organization_has_one_too(
    accounts: Accounts, quotas: Quotas, ledger: Ledger
) -> None:
    """All of its people together; only a superadmin sets it (S74)."""
    admin = (await make_admin(accounts)).principal
    anna = await add_user(accounts, admin, "anna", Role.ADMIN)
    await quotas.limit_organization(admin, 1, {"jobs": 1, "period": "daily"})
    await make_jobs(ledger, admin)
    assert await refused(make_jobs(ledger, anna)) == "quota_exceeded"
    limit = quotas.limit_organization(anna, 1, {"jobs": None})
    assert await refused(limit) == "permission_denied"
    state = await quotas.of_organization(anna, 1)
    assert (state.use.jobs, state.quota.jobs, state.span.key) == (1, 1, "2026-01-01")


async def test_storage_is_full_some_day(accounts: Accounts, quotas: Quotas, store: Store) -> None:
    """What is stored and what would come more, in bytes."""
    admin = (await make_admin(accounts)).principal
    await quotas.check_storage(1, 2**60)
    await quotas.limit_organization(admin, 1, {"storage_bytes": 1000})
    store.stored_bytes = 600
    await quotas.check_storage(1, 400)
    assert await refused(quotas.check_storage(1, 401)) == "quota_exceeded"
    await quotas.check_storage(2, 401)


async def test_who_may_see_and_set(accounts: Accounts, quotas: Quotas, ledger: Ledger) -> None:
    """One's own by everybody, others' by an admin of the same organization; noted."""
    admin = (await make_admin(accounts)).principal
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR)
    await accounts.create_organization(admin, "Second", "")
    ben = await add_user(accounts, admin, "ben", Role.ADMIN, 2)
    await quotas.limit_person(admin, olga.user_id, {"jobs": 5})
    assert (await quotas.mine(olga)).quota.jobs == 5
    own = quotas.limit_person(olga, olga.user_id, {"jobs": None})
    assert await refused(own) == "permission_denied"
    assert await refused(quotas.of_person(olga, admin.user_id)) == "permission_denied"
    assert await refused(quotas.limit_person(ben, olga.user_id, {})) == "user_not_found"
    assert await refused(quotas.of_organization(ben, 1)) == "organization_not_found"
    seen, total = await quotas.of_people(ben, 0, 50)
    assert ([user.username for user, _ in seen], total) == (["ben"], 1)
    noted = await AuditEntry.filter(action="quota_updated").values("entity_id", "details")
    facts: list[Any] = [{"entity_id": str(olga.user_id), "details": {"jobs": 5}}]
    assert noted == facts


async def test_the_farms_own_jobs_count_for_the_organization_alone(
    accounts: Accounts, quotas: Quotas, ledger: Ledger
) -> None:
    """Nobody asked for them."""
    await make_admin(accounts)
    async with ledger.change() as change:
        change.record(Happened(1, "job.created", job_id=1))
    assert await QuotaUse.all().values_list("subject", "jobs") == [("organization:1", 1)]
