"""Keys of people and of apps, and what tokens with scopes may."""

import pytest

from api.accounts.models import Credential
from api.accounts.office import _MAX_CREDENTIALS
from api.accounts.people import UserChange
from api.accounts.service import Accounts
from api.events.models import AuditEntry
from api.principal import RIGHTS, SCOPES, Principal, Role
from tests.api.accounts.people import HERE, add_user, make_admin, refused
from tests.api.conftest import FakeClock


@pytest.fixture
async def admin(accounts: Accounts) -> Principal:
    return (await make_admin(accounts)).principal


async def test_a_person_generates_and_revokes_a_key(accounts: Accounts, admin: Principal) -> None:
    """A new one replaces the old one; only its existence can be read (issue: user keys)."""
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR)
    assert not await accounts.has_user_key(olga.user_id)
    first = await accounts.generate_user_key(olga, olga.user_id)
    second = await accounts.generate_user_key(olga, olga.user_id)
    assert await refused(accounts.authenticate(first)) == "not_authenticated"
    by = await accounts.authenticate(second)
    assert (by.username, by.kind, by.printer_id) == ("olga", "user_key", None)
    assert await accounts.with_user_key([admin.user_id, olga.user_id]) == {olga.user_id}
    assert await accounts.revoke_user_key(olga, olga.user_id)
    assert not await accounts.revoke_user_key(olga, olga.user_id)
    assert await refused(accounts.authenticate(second)) == "not_authenticated"


async def test_admins_handle_keys_of_those_below_them(accounts: Accounts, admin: Principal) -> None:
    """Not of each other, not of a superadmin, not of elsewhere (safety S26)."""
    second = await accounts.create_organization(admin, "Second", "")
    boss = await add_user(accounts, admin, "boss", Role.ADMIN)
    peer = await add_user(accounts, admin, "peer", Role.ADMIN)
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    far = await add_user(accounts, admin, "far", Role.VIEWER, second.id)
    key = await accounts.generate_user_key(boss, olga.user_id)
    assert (await accounts.authenticate(key)).role == Role.VIEWER
    for by, user_id, code in (
        (boss, peer.user_id, "permission_denied"),
        (boss, admin.user_id, "permission_denied"),
        (boss, far.user_id, "user_not_found"),
        (olga, boss.user_id, "permission_denied"),
    ):
        assert await refused(accounts.generate_user_key(by, user_id)) == code
        assert await refused(accounts.add_app_key(by, "Cura", user_id=user_id)) == code


async def test_a_second_grant_adds_a_key_and_revoking_the_app_ends_all(
    accounts: Accounts, admin: Principal
) -> None:
    """In any case of the app's name; other apps and other people's keys live on (DESIGN 7)."""
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR)
    cura = [await accounts.add_app_key(olga, name) for name in ("Cura", "CURA")]
    prusa = await accounts.add_app_key(olga, "PrusaSlicer")
    theirs = await accounts.add_app_key(admin, "Cura")
    assert len(set(cura)) == 2
    assert [(key.app, key.username) for key in await accounts.app_keys(olga)] == [
        *(("Cura", "olga"), ("CURA", "olga"), ("PrusaSlicer", "olga")),
    ]
    assert len(await accounts.app_keys(admin, everybody=True)) == 4
    assert await refused(accounts.app_keys(olga, everybody=True)) == "permission_denied"
    assert await accounts.revoke_app(olga, " cura ") == 2
    assert await accounts.revoke_app(olga, "cura") == 0
    for key in cura:
        assert await refused(accounts.authenticate(key)) == "not_authenticated"
    for key in (prusa, theirs):
        await accounts.authenticate(key)
    assert await accounts.revoke_app(admin, "prusaslicer", olga.user_id) == 1


async def test_an_app_key_is_revoked_by_showing_it(accounts: Accounts, admin: Principal) -> None:
    """By its owner or an admin, not by others; what is none is no error."""
    olga = await add_user(accounts, admin, "olga", Role.OPERATOR)
    mine, theirs = [await accounts.add_app_key(by, "Cura") for by in (olga, admin)]
    assert not await accounts.revoke_app_key(olga, theirs)
    assert not await accounts.revoke_app_key(olga, mine[:-1] + "!")
    assert await accounts.revoke_app_key(olga, mine)
    assert await accounts.revoke_app_key(admin, theirs)


async def test_a_key_reaches_no_further_than_its_giver(
    accounts: Accounts, admin: Principal
) -> None:
    """Its printer and its giver's scopes bind it; a bound key gives none away (safety S56)."""
    _, secret = await accounts.create_token(admin, "ci", ["write"], None)
    limited = await accounts.authenticate(secret)
    key = await accounts.authenticate(await accounts.add_app_key(limited, "Cura", 7))
    assert key.scopes == {"write"}
    assert key.reaches(7)
    assert not key.reaches(8)
    assert await refused(accounts.add_app_key(key, "Other")) == "permission_denied"
    _, secret = await accounts.create_token(admin, "ci", ["read"], None)
    reader = await accounts.authenticate(secret)
    assert await refused(accounts.add_app_key(reader, "Cura")) == "scope_denied"


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "a\x00b", "a\nb", "a\u202eb"])
async def test_an_app_has_a_printable_name(accounts: Accounts, admin: Principal, name: str) -> None:
    """Nothing that a dialog or a log would show as something else (safety S56)."""
    assert await refused(accounts.add_app_key(admin, name)) == "bad_request"
    assert await refused(accounts.create_token(admin, name, [], None)) == "bad_request"


async def test_a_person_has_so_many_keys_and_no_more(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """Bounded, and revoked ones do not count."""
    rows = [
        Credential(
            organization_id=1,
            user_id=admin.user_id,
            kind="token",
            prefix=f"odin_{n}",
            sha256="",
            created_at=clock.now(),
        )
        for n in range(_MAX_CREDENTIALS)
    ]
    await Credential.bulk_create(rows)
    assert await refused(accounts.create_token(admin, "one too many", [], None)) == "conflict"
    await Credential.filter(prefix="odin_7").update(revoked_at=clock.now())
    await accounts.create_token(admin, "in its place", [], None)


async def test_secrets_made_and_revoked_are_in_the_trail(
    accounts: Accounts, admin: Principal
) -> None:
    """By v1's names, with the public prefix and never the secret (safety S54)."""
    row, secret = await accounts.create_token(admin, "ci", [], None)
    await accounts.revoke_token(admin, row.id)
    key = await accounts.add_app_key(admin, "Cura")
    await accounts.revoke_app(admin, "Cura")
    rows = await AuditEntry.filter(user_id=admin.user_id).order_by("id")
    assert [row.action for row in rows][-4:] == [
        *("api_token_created", "api_token_revoked", "app_key_created", "app_key_revoked"),
    ]
    text = repr([row.details for row in rows])
    assert secret not in text
    assert key not in text
    assert secret[:10] in text


def principal(role: Role, *scopes: str, superadmin: bool = False) -> Principal:
    return Principal(
        organization_id=1,
        user_id=1,
        username="x",
        role=role,
        kind="token",
        credential_id=1,
        scopes=frozenset(scopes),
        is_superadmin=superadmin,
    )


#: What a token with one scope of an admin may, as v1 1.3 says; a scope opens nothing else.
OPENS = {
    "agent:read": {"self.read", "printers.read", "jobs.read", "orders.read"},
    "agent:write": {
        *("self.read", "printers.read", "jobs.read", "jobs.submit", "jobs.write"),
        *("prints.control", "printers.stop", "orders.read"),
    },
    "read:printers": {"self.read", "printers.read", "bridges.read"},
    "write:printers": {
        *("self.read", "printers.read", "bridges.read", "printers.write", "printers.control"),
        *("prints.control", "printers.stop"),
    },
    "read:jobs": {"self.read", "jobs.read"},
    "write:jobs": {"self.read", "jobs.read", "jobs.submit", "jobs.write"},
    "read:models": {"self.read", "files.read"},
    "write:models": {"self.read", "files.read", "files.write"},
    "read:orders": {"self.read", "orders.read"},
    "write:orders": {"self.read", "orders.read", "orders.write"},
}


@pytest.mark.parametrize("scope", sorted(OPENS))
def test_a_scope_opens_its_own_area(scope: str) -> None:
    """Exactly the rights of its area, whatever the role would allow (v1 1.3)."""
    known = set().union(*OPENS.values())
    by = principal(Role.ADMIN, scope, superadmin=True)
    assert {right for right in RIGHTS if by.may(right)} & known == OPENS[scope]
    assert not any(by.may(right) for right in RIGHTS if RIGHTS[right].role is Role.ADMIN)


@pytest.mark.parametrize("scope", SCOPES)
def test_no_scope_gives_more_than_the_role(scope: str) -> None:
    """Effective rights: the lesser of the token's and its owner's (safety S26)."""
    for role in (Role.VIEWER, Role.OPERATOR):
        limited, free = principal(role, scope), principal(role)
        for right in RIGHTS:
            assert not limited.may(right) or free.may(right)


def test_the_admin_scope_covers_all(accounts: Accounts) -> None:
    """v1 1.3: a route wants its scope, or admin."""
    by = principal(Role.ADMIN, "admin", superadmin=True)
    assert all(by.may(right) for right in RIGHTS)


async def test_a_demoted_admins_token_is_no_admin(accounts: Accounts, admin: Principal) -> None:
    """The scope admin stays written on it and opens nothing (safety S26)."""
    boss = await add_user(accounts, admin, "boss", Role.ADMIN)
    _, secret = await accounts.create_token(boss, "ci", ["admin"], None)
    await accounts.update_user(admin, boss.user_id, UserChange(role=Role.OPERATOR), HERE)
    by = await accounts.authenticate(secret)
    assert await refused(accounts.users(by, 0, 50)) == "permission_denied"
