"""Pools: who belongs to them, whose they are, and that an address is given once."""

import pytest

from api.bus.local import LocalBus
from api.errors import Invalid, NotFound
from api.events.models import AuditEntry
from api.events.service import Ledger
from api.pools.service import NewPool, Pools
from api.principal import Principal, Role
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
def pools(farm: Farm) -> Pools:
    return farm.pools


def foreigner() -> Principal:
    return Principal(
        organization_id=2,
        user_id=9,
        username="else",
        role=Role.ADMIN,
        kind="token",
        credential_id=9,
    )


async def test_members_are_listed_printers_and_tagged_ones(farm: Farm, pools: Pools) -> None:
    """A printer that gets all of a pool's tags joins at once; one tag of two is not enough."""
    one = await farm.printer("One", "virtual:one")
    two = await farm.printer("Two", "virtual:two")
    new = NewPool(name="Small", printer_ids=[one.id, one.id], tags=["petg", "small"])
    pool = await pools.create(farm.admin, new)
    assert pool.printer_ids == [one.id]
    await farm.printers.update(farm.admin, two.id, {"tags": ["petg"]})
    assert [row.id for row in await pools.printers_of(farm.admin, pool)] == [one.id]
    await farm.printers.update(farm.admin, two.id, {"tags": ["small", "petg", "x"]})
    assert [row.id for row in await pools.printers_of(farm.admin, pool)] == [one.id, two.id]


async def test_slugs_are_unique_over_printers_and_pools_and_never_reused(
    farm: Farm, pools: Pools
) -> None:
    """Neither a pool nor a printer gets an address that the other has, or ever had (DESIGN 7)."""
    printer = await farm.printer("Alpha")
    pool = await pools.create(farm.admin, NewPool(name="Alpha"))
    assert (printer.slug, pool.slug) == ("alpha", "alpha-2")
    await pools.delete(farm.admin, pool.id)
    again = await pools.create(farm.admin, NewPool(name="Alpha"))
    nameless = await pools.create(farm.admin, NewPool(name="日本"))
    third = await farm.printer("ALPHA", "virtual:two")
    assert (again.slug, nameless.slug, third.slug) == ("alpha-3", "pool", "alpha-4")
    with pytest.raises(NotFound):
        await pools.by_slug(farm.admin, "alpha-2")
    assert (await pools.by_slug(farm.admin, "alpha-3")).id == again.id


async def test_a_pool_is_its_organizations(farm: Farm, pools: Pools) -> None:
    """Foreign pools and foreign printers are not found (v1 1.4, S25); a bound key sees none."""
    printer = await farm.printer()
    pool = await pools.create(farm.admin, NewPool(name="Mine"))
    for asked in (
        pools.get(foreigner(), pool.id),
        pools.by_slug(foreigner(), pool.slug),
        pools.update(foreigner(), pool.id, {"name": "Theirs"}),
        pools.delete(foreigner(), pool.id),
        pools.create(foreigner(), NewPool(name="x", printer_ids=[printer.id])),
    ):
        with pytest.raises(NotFound):
            await asked
    assert await pools.list(foreigner()) == []
    assert [row.name for row in await pools.list(farm.admin)] == ["Mine"]


async def test_changes_are_checked_and_noted(farm: Farm, pools: Pools) -> None:
    """Names are unique and not blank; every change leaves an audit entry in its transaction."""
    pool = await pools.create(farm.admin, NewPool(name="A"))
    await pools.create(farm.admin, NewPool(name="B"))
    for name in ("B", "  "):
        with pytest.raises(Invalid):
            await pools.update(farm.admin, pool.id, {"name": name})
    await pools.update(farm.admin, pool.id, {"name": " C ", "organization_id": 7})
    row = await pools.get(farm.admin, pool.id)
    assert (row.name, row.slug, row.organization_id) == ("C", "a", 1)
    await pools.delete(farm.admin, pool.id)
    actions = [each.action for each in await AuditEntry.filter(entity_type="pool").order_by("id")]
    assert actions == ["pool.created", "pool.created", "pool.updated", "pool.deleted"]
