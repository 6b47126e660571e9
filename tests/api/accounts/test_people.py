"""People: what admins may do with them, what they may do themselves, who must stay."""

import asyncio
from dataclasses import replace

import pytest

from api.accounts.models import Credential, User
from api.accounts.people import NewUser, UserChange
from api.accounts.service import Accounts
from api.errors import Conflict, Invalid, NotAuthenticated, NotFound
from api.events.models import AuditEntry
from api.principal import Principal, Role
from tests.api.accounts.conftest import PASSWORD
from tests.api.accounts.people import HERE, add_user, make_admin, refused
from tests.api.conftest import FakeClock

OTHER = "another good passphrase"


async def change(accounts: Accounts, by: Principal, user_id: int, **wish: object) -> User:
    return await accounts.update_user(by, user_id, UserChange(**wish), HERE)  # type: ignore[arg-type]


@pytest.fixture
async def admin(accounts: Accounts) -> Principal:
    return (await make_admin(accounts)).principal


async def test_an_admin_changes_names_roles_and_activity(
    accounts: Accounts, admin: Principal
) -> None:
    """Each of them, one at a time and together; what is absent stays (v1 2.1)."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    await change(accounts, admin, olga.user_id, role=Role.OPERATOR)
    row = await change(accounts, admin, olga.user_id, username="olga2", email="o@example.org")
    assert (row.username, row.email, row.role, row.is_active) == (
        *("olga2", "o@example.org", "operator", True),
    )
    row = await change(accounts, admin, olga.user_id, is_active=False)
    assert not row.is_active
    assert await refused(accounts.login("olga2", PASSWORD, HERE, "")) == "not_authenticated"


@pytest.mark.parametrize(
    "wish",
    [
        {"role": Role.OPERATOR},
        {"is_active": False},
        {"password": OTHER},
        {"organization_id": 2},
    ],
)
async def test_sessions_end_with_role_activity_password_and_organization(
    accounts: Accounts, admin: Principal, wish: dict[str, object]
) -> None:
    """401 at once, also for what was in memory; open sockets are told (safety S12)."""
    await accounts.create_organization(admin, "Second", "")
    await add_user(accounts, admin, "olga", Role.VIEWER)
    login = await accounts.login("olga", PASSWORD, HERE, "")
    olga = await accounts.authenticate(login.token)
    assert not await accounts.ended(olga)
    await change(accounts, admin, olga.user_id, **wish)
    assert await refused(accounts.authenticate(login.token)) == "not_authenticated"
    assert await accounts.ended(olga)


async def test_a_token_may_what_its_owner_may_now(accounts: Accounts, admin: Principal) -> None:
    """It keeps living through a change of role, and loses what the role loses (v1 1.3)."""
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR)
    _, token = await accounts.create_token(olga, "ci", ["write"], None)
    before = await accounts.authenticate(token)
    assert before.may("printers.write")
    await change(accounts, admin, olga.user_id, role=Role.VIEWER)
    now = await accounts.authenticate(token)
    assert not now.may("printers.write")
    assert await accounts.ended(before)
    assert not await accounts.ended(now)


async def test_nothing_given_in_one_organization_reaches_from_another(
    accounts: Accounts, admin: Principal
) -> None:
    """Tokens and keys die with the move, not only sessions (safety S12)."""
    second = await accounts.create_organization(admin, "Second", "")
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    _, token = await accounts.create_token(olga, "ci", [], None)
    await accounts.add_member(admin, second.id, olga.user_id, HERE)
    assert await refused(accounts.authenticate(token)) == "not_authenticated"
    assert (await User.get(id=olga.user_id)).organization_id == second.id


async def test_the_own_password_asks_for_the_current_one(
    accounts: Accounts, admin: Principal
) -> None:
    """Through both routes; other sessions end, this one stays (safety S14)."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    other = await accounts.login("olga", PASSWORD, HERE, "")
    assert await refused(change(accounts, olga, olga.user_id, password=OTHER)) == "reauth_required"
    wrong = change(accounts, olga, olga.user_id, password=OTHER, current_password="wrong")
    assert await refused(wrong) == "wrong_password"
    assert await refused(accounts.change_password(olga, "wrong", OTHER, HERE)) == "wrong_password"
    await change(accounts, olga, olga.user_id, password=OTHER, current_password=PASSWORD)
    assert not await accounts.ended(olga)
    assert await refused(accounts.authenticate(other.token)) == "not_authenticated"
    await accounts.change_password(olga, OTHER, PASSWORD, HERE)
    await accounts.login("olga", PASSWORD, HERE, "")


async def test_a_stolen_session_does_not_find_the_password_out(
    accounts: Accounts, admin: Principal
) -> None:
    """Five guesses; the owner's login elsewhere is not locked by them (safety S09, S14)."""
    codes = [await refused(accounts.change_password(admin, "x", OTHER, HERE)) for _ in range(7)]
    assert codes == ["wrong_password"] * 5 + ["locked_out"] * 2
    await accounts.login("admin", PASSWORD, "198.51.100.7", "")


async def test_the_own_mail_address_asks_for_the_password_too(
    accounts: Accounts, admin: Principal
) -> None:
    """Whoever has it resets the password (safety S14)."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    asked = change(accounts, olga, olga.user_id, email="thief@example.org")
    assert await refused(asked) == "reauth_required"
    await change(accounts, olga, olga.user_id, email="olga@example.org", current_password=PASSWORD)


async def test_an_admins_password_asks_for_ones_own(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """A token cannot take an admin over, nor can a session that is not fresh (CVE-2024-23637)."""
    victim = await add_user(accounts, admin, "victim", Role.ADMIN)
    _, secret = await accounts.create_token(admin, "ci", [], None)
    token = await accounts.authenticate(secret)
    assert await refused(change(accounts, token, victim.user_id, password=OTHER)) == (
        "reauth_required"
    )
    clock.advance(601)
    assert await refused(change(accounts, admin, victim.user_id, password=OTHER)) == (
        "reauth_required"
    )
    await accounts.reauthenticate(admin, PASSWORD, HERE)
    await change(accounts, admin, victim.user_id, password=OTHER)
    await change(accounts, token, victim.user_id, password=PASSWORD, current_password=PASSWORD)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_nobody_below_an_admin_changes_others(
    accounts: Accounts, admin: Principal, role: Role
) -> None:
    """Nor their own standing, whatever is mixed into the body (safety S26, S27)."""
    olga = await add_user(accounts, admin, "olga", role)
    theirs = change(accounts, olga, admin.user_id, email="x@y", current_password=PASSWORD)
    assert await refused(theirs) == "permission_denied"
    for wish in (
        {"role": Role.ADMIN},
        {"is_active": True},
        {"organization_id": 2},
        {"is_superadmin": True},
        {"username": "boss"},
        {"role": Role.ADMIN, "password": OTHER, "current_password": PASSWORD},
    ):
        asked = change(accounts, olga, olga.user_id, **wish)
        assert await refused(asked) == "permission_denied", wish
    assert await refused(accounts.delete_user(olga, admin.user_id)) == "permission_denied"


async def test_nobody_raises_themselves(accounts: Accounts, admin: Principal) -> None:
    """An organization's admin becomes no superadmin, touches none, and lowers not themselves;
    sending back what one was shown is no change (safety S26)."""
    boss = await add_user(accounts, admin, "boss", Role.ADMIN)
    for by, user_id, wish in (
        (boss, boss.user_id, {"is_superadmin": True}),
        (boss, boss.user_id, {"role": Role.VIEWER}),
        (boss, admin.user_id, {"role": Role.VIEWER}),
        (boss, admin.user_id, {"password": OTHER}),
        (admin, admin.user_id, {"role": Role.VIEWER}),
        (admin, admin.user_id, {"is_superadmin": False}),
        (admin, admin.user_id, {"is_active": False}),
    ):
        assert await refused(change(accounts, by, user_id, **wish)) == "permission_denied", wish
    assert await refused(accounts.delete_user(boss, admin.user_id)) == "permission_denied"
    await change(accounts, boss, boss.user_id, role=Role.ADMIN, is_active=True)


async def test_people_of_elsewhere_are_not_there(accounts: Accounts, admin: Principal) -> None:
    """404 for an organization's admin, whatever is asked; a superadmin reaches all (safety S26)."""
    second = await accounts.create_organization(admin, "Second", "")
    boss = await add_user(accounts, admin, "boss", Role.ADMIN, second.id)
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    for asked in (
        change(accounts, boss, olga.user_id, role=Role.ADMIN),
        accounts.delete_user(boss, olga.user_id),
        accounts.add_member(boss, second.id, olga.user_id, HERE),
        accounts.add_member(boss, second.id, admin.user_id, HERE),
    ):
        assert await refused(asked) == "user_not_found"
    moved = change(accounts, boss, boss.user_id, organization_id=1)
    assert await refused(moved) == "permission_denied"
    assert await refused(add_user(accounts, boss, "spy", Role.ADMIN, 1)) == "organization_not_found"
    assert [row.username for row in (await accounts.users(boss, 0, 50))[0]] == ["boss"]
    assert (await accounts.users(admin, 0, 50))[1] == 3
    assert (await accounts.users(admin, 0, 50, second.id))[1] == 1


async def test_nobody_deletes_themselves(accounts: Accounts, admin: Principal) -> None:
    """400 (v1 2.1)."""
    with pytest.raises(Invalid):
        await accounts.delete_user(admin, admin.user_id)


async def test_a_deleted_person_is_gone_with_all_they_had(
    accounts: Accounts, admin: Principal
) -> None:
    """Sessions and tokens end at once; the name is free; the trail still tells of them."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    _, token = await accounts.create_token(olga, "ci", [], None)
    await accounts.delete_user(admin, olga.user_id)
    assert await refused(accounts.authenticate(token)) == "not_authenticated"
    assert await accounts.ended(olga)
    with pytest.raises(NotFound):
        await accounts.user(admin, olga.user_id)
    assert await Credential.filter(user_id=olga.user_id, revoked_at=None).count() == 0
    entry = await AuditEntry.get(action="user.deleted")
    assert entry.details == {"username": "olga"}
    again = await add_user(accounts, admin, "olga", Role.VIEWER)
    assert again.user_id != olga.user_id


@pytest.mark.parametrize("how", ["delete", "demote", "disable"])
async def test_two_admins_who_remove_each_other_leave_one(
    accounts: Accounts, admin: Principal, how: str
) -> None:
    """Of two parallel requests exactly one wins, for superadmins too (safety S26, S55)."""
    first = await add_user(accounts, admin, "first", Role.ADMIN)
    second = await add_user(accounts, admin, "second", Role.ADMIN)
    await User.filter(id__in=[first.user_id, second.user_id]).update(is_superadmin=True)
    await User.filter(id=admin.user_id).delete()
    one, two = [await accounts.login(name, PASSWORD, HERE, "") for name in ("first", "second")]

    async def remove(by: Principal, user_id: int) -> None:
        if how == "delete":
            await accounts.delete_user(by, user_id)
            return
        wish: dict[str, object] = {"is_active": False}
        if how == "demote":
            wish = {"role": Role.VIEWER, "is_superadmin": False}
        await change(accounts, by, user_id, **wish)

    results = await asyncio.gather(
        remove(one.principal, second.user_id),
        remove(two.principal, first.user_id),
        return_exceptions=True,
    )
    failed = [result for result in results if isinstance(result, Invalid)]
    assert [problem.code for problem in failed] == ["last_admin"]
    assert await User.filter(is_superadmin=True, is_active=True, role=Role.ADMIN).count() == 1


async def test_admins_of_an_organization_leave_one_too(
    accounts: Accounts, admin: Principal
) -> None:
    """However often they race, one wins each time (safety S55)."""
    second = await accounts.create_organization(admin, "Second", "")
    for race in range(10):
        names = [f"a{race}", f"b{race}"]
        people = [await add_user(accounts, admin, name, Role.ADMIN, second.id) for name in names]
        await asyncio.gather(
            change(accounts, people[0], people[1].user_id, role=Role.VIEWER),
            change(accounts, people[1], people[0].user_id, role=Role.VIEWER),
            return_exceptions=True,
        )
        left = User.filter(organization_id=second.id, role=Role.ADMIN)
        assert await left.count() == 1
        await left.delete()


@pytest.mark.parametrize("password", ["", "short", "password1", "olga.smith"])
async def test_the_password_rule_holds_for_everybody(
    accounts: Accounts, admin: Principal, password: str
) -> None:
    """Also where an admin chooses it for another (safety 0.5f)."""
    olga = await add_user(accounts, admin, "olga.smith", Role.VIEWER)
    assert await refused(change(accounts, admin, olga.user_id, password=password)) == "bad_request"
    asked = accounts.change_password(olga, PASSWORD, password, HERE)
    assert await refused(asked) == "bad_request"


async def test_a_taken_name_is_refused(accounts: Accounts, admin: Principal) -> None:
    """For a new person and for a changed one."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    assert await refused(add_user(accounts, admin, "olga", Role.VIEWER)) == "name_taken"
    assert await refused(change(accounts, admin, olga.user_id, username="admin")) == "name_taken"


async def test_a_superadmin_makes_another(accounts: Accounts, admin: Principal) -> None:
    """Only an admin can be one, and stays an admin as long."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    assert await refused(change(accounts, admin, olga.user_id, is_superadmin=True)) == "bad_request"
    await change(accounts, admin, olga.user_id, role=Role.ADMIN, is_superadmin=True)
    second = (await accounts.login("olga", PASSWORD, HERE, "")).principal
    assert second.is_superadmin
    assert await refused(change(accounts, admin, olga.user_id, role=Role.VIEWER)) == "bad_request"


async def test_every_act_is_in_the_trail(accounts: Accounts, admin: Principal) -> None:
    """Who did it to whom, from where; rights and passwords by their own names (safety S54)."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    await change(accounts, admin, olga.user_id, role=Role.OPERATOR, password=OTHER, email="o@e")
    await accounts.delete_user(admin, olga.user_id)
    rows = await AuditEntry.filter(entity_id=str(olga.user_id), user_id=admin.user_id)
    assert [row.action for row in rows] == [
        "user.created",
        "user.password_changed",
        "user.role_changed",
        "user.updated",
        "user.deleted",
    ]
    assert rows[2].details == {"from": "viewer", "to": "operator"}
    assert OTHER not in repr([row.details for row in rows])
    assert {row.organization_id for row in rows} == {1}


async def test_a_disabled_person_does_nothing(accounts: Accounts, admin: Principal) -> None:
    """Their tokens and keys sleep until they are back (safety S12)."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    _, token = await accounts.create_token(olga, "ci", [], None)
    await change(accounts, admin, olga.user_id, is_active=False)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(token)
    await change(accounts, admin, olga.user_id, is_active=True)
    await accounts.authenticate(token)


async def test_a_password_that_is_the_farms_name_is_refused(accounts: Accounts) -> None:
    """Of the organization that the person is put into."""
    admin = (await make_admin(accounts)).principal
    await accounts.create_organization(admin, "Acme Prints", "")
    new = NewUser(username="olga", email="", password="AcmePrints26", role=Role.VIEWER)
    assert await refused(accounts.create_user(admin, replace(new, organization_id=2))) == (
        "bad_request"
    )
    assert (await accounts.create_user(admin, new)).organization_id == 1


async def test_other_rooms_forget_who_is_gone(accounts: Accounts, admin: Principal) -> None:
    """In the same transaction: when they cannot, nobody is deleted or erased."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    ivan = await add_user(accounts, admin, "ivan", Role.VIEWER)
    forgotten: list[int] = []

    async def forget(user_id: int) -> None:
        if user_id in forgotten:
            raise Conflict("no")
        forgotten.append(user_id)

    accounts.when_gone(forget)
    await accounts.delete_user(admin, olga.user_id)
    await accounts.erase_user(admin, ivan.user_id)
    assert forgotten == [olga.user_id, ivan.user_id]
    nina = await add_user(accounts, admin, "nina", Role.VIEWER)
    forgotten.append(nina.user_id)
    for gone in (accounts.delete_user, accounts.erase_user):
        with pytest.raises(Conflict):
            await gone(admin, nina.user_id)
    assert await User.filter(username="nina", is_active=True).count() == 1
