"""Organizations: who sees, makes and ends them, and what is set for them."""

import pytest

from api.accounts.models import Organization
from api.accounts.people import UserChange
from api.accounts.service import Accounts
from api.principal import Principal, Role
from tests.api.accounts.conftest import PASSWORD
from tests.api.accounts.people import HERE, add_user, make_admin, refused
from tests.api.conftest import FakeClock


class Shelf:
    """A room that has things of organizations."""

    def __init__(self) -> None:
        self.things: dict[int, list[str]] = {}

    async def list(self, by: Principal) -> list[str]:
        return self.things.get(by.organization_id, [])


@pytest.fixture
async def admin(accounts: Accounts) -> Principal:
    return (await make_admin(accounts)).principal


async def test_a_superadmin_sees_all_and_an_admin_their_own(
    accounts: Accounts, admin: Principal
) -> None:
    """With members, owner and the fields of v1 2.2; foreign ones are not there (safety S25)."""
    second = await accounts.create_organization(admin, "Second", "a school", admin.user_id)
    boss = await add_user(accounts, admin, "boss", Role.ADMIN, second.id)
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR, second.id)
    viewer = await add_user(accounts, admin, "viewer", Role.VIEWER, second.id)
    views, total = await accounts.organizations(admin, 0, 50)
    assert [(view.row.name, view.members, view.owner) for view in views] == [
        *(("Test farm", 1, ""), ("Second", 3, "admin")),
    ]
    assert total == 2
    assert [view.row.id for view in (await accounts.organizations(olga, 0, 50))[0]] == [second.id]
    assert await refused(accounts.organization(boss, 1)) == "organization_not_found"
    assert await refused(accounts.organizations(viewer, 0, 50)) == "permission_denied"


async def test_only_a_superadmin_makes_and_ends_them(accounts: Accounts, admin: Principal) -> None:
    """403 for an organization's own admin, who may rename it (v1 2.2)."""
    second = await accounts.create_organization(admin, "Second", "")
    boss = await add_user(accounts, admin, "boss", Role.ADMIN, second.id)
    for asked in (
        accounts.create_organization(boss, "Third", ""),
        accounts.delete_organization(boss, second.id),
    ):
        assert await refused(asked) == "permission_denied"
    foreign = accounts.update_organization(boss, 1, name="Mine")
    assert await refused(foreign) == "organization_not_found"
    await accounts.update_organization(boss, second.id, name="Renamed", owner_id=boss.user_id)
    row = await Organization.get(id=second.id)
    assert (row.name, row.owner_id) == ("Renamed", boss.user_id)


async def test_a_name_is_used_once(accounts: Accounts, admin: Principal) -> None:
    """409; of a deleted one it is free again (v1 2.2)."""
    second = await accounts.create_organization(admin, "Second", "")
    third = await accounts.create_organization(admin, "Third", "")
    assert await refused(accounts.create_organization(admin, "Second", "")) == "conflict"
    renamed = accounts.update_organization(admin, third.id, name="Second")
    assert await refused(renamed) == "conflict"
    await accounts.delete_organization(admin, second.id)
    await accounts.create_organization(admin, "Second", "")


async def test_only_an_empty_one_is_deleted(accounts: Accounts, admin: Principal) -> None:
    """Not with members or printers, nor the first; afterwards it is gone for everybody."""
    shelf = Shelf()
    accounts.never_delete_with(shelf)
    second = await accounts.create_organization(admin, "Second", "")
    olga = await add_user(accounts, admin, "olga", Role.VIEWER, second.id)
    shelf.things[second.id] = ["a printer"]
    assert await refused(accounts.delete_organization(admin, second.id)) == "conflict"
    shelf.things.clear()
    assert await refused(accounts.delete_organization(admin, second.id)) == "conflict"
    await accounts.delete_user(admin, olga.user_id)
    await accounts.delete_organization(admin, second.id)
    assert await refused(accounts.organization(admin, second.id)) == "organization_not_found"
    back = accounts.update_user(admin, 1, UserChange(organization_id=second.id), HERE)
    assert await refused(back) in ("permission_denied", "organization_not_found")
    assert await refused(accounts.delete_organization(admin, 1)) == "bad_request"


async def test_an_end_asks_for_the_password_again(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """A stale session ends no organization (safety S16)."""
    second = await accounts.create_organization(admin, "Second", "")
    clock.advance(601)
    assert await refused(accounts.delete_organization(admin, second.id)) == "reauth_required"
    await accounts.reauthenticate(admin, PASSWORD, HERE)
    await accounts.delete_organization(admin, second.id)


async def test_settings_are_kept_by_name_for_both_faces(
    accounts: Accounts, admin: Principal
) -> None:
    """One name at a time, null removes; what is read is remembered until it changes."""
    assert await accounts.organization_settings(1) == {}
    await accounts.set_organization_setting(admin, 1, "api.allowCrossOrigin", True)
    await accounts.set_organization_settings(admin, 1, {"quiet_hours_start": "22:00"})
    assert await accounts.organization_settings(1) == {
        "api.allowCrossOrigin": True,
        "quiet_hours_start": "22:00",
    }
    await accounts.set_organization_setting(admin, 1, "api.allowCrossOrigin", None)
    assert "api.allowCrossOrigin" not in await accounts.organization_settings(1)
    assert await accounts.organization_settings(99) == {}


async def test_settings_changed_elsewhere_are_seen_after_five_seconds(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """Another process may have changed them."""
    assert await accounts.organization_settings(1) == {}
    await Organization.filter(id=1).update(settings={"a": 1})
    assert await accounts.organization_settings(1) == {}
    clock.advance(5)
    assert await accounts.organization_settings(1) == {"a": 1}


async def test_settings_are_an_admins_and_of_their_own(
    accounts: Accounts, admin: Principal
) -> None:
    """403 for others of the organization, 404 for other organizations."""
    second = await accounts.create_organization(admin, "Second", "")
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR)
    boss = await add_user(accounts, admin, "boss", Role.ADMIN, second.id)
    set_a = {"a": 1}
    mine = accounts.set_organization_settings(olga, 1, set_a)
    assert await refused(mine) == "permission_denied"
    foreign = accounts.set_organization_settings(boss, 1, set_a)
    assert await refused(foreign) == "organization_not_found"
