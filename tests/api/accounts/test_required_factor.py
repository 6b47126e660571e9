"""A second factor that a farm requires: who has none sets one up first (v1 1.2, 2.4)."""

from typing import Any

import pyotp
from quart.typing import TestClientProtocol as Client

from api.accounts.models import Credential
from api.accounts.service import Accounts, Login
from api.accounts.totp import STEP_S
from api.events.models import AuditEntry
from api.principal import Role
from tests.api.accounts.conftest import PASSWORD, ask, login_headers, set_up
from tests.api.accounts.people import HERE, add_user, make_admin, refused
from tests.api.conftest import FakeClock

RULE = "/config/require-mfa"


async def half(client: Client, username: str = "olga") -> dict[str, Any]:
    """What a login with the password alone answers."""
    fields = {"username": username, "password": PASSWORD}
    status, body = await ask(client, "POST", "/auth/login", json=fields)
    assert status == 200, body
    return dict(body)


async def required(client: Client, accounts: Accounts) -> dict[str, str]:
    """Headers of the admin of a farm that requires a second factor of olga, too."""
    headers = await set_up(client)
    admin = await accounts.authenticate(headers["Authorization"].removeprefix("Bearer "))
    await add_user(accounts, admin, "olga", Role.OPERATOR)
    wish = {"require_mfa": True}
    assert await ask(client, "PUT", RULE, json=wish, headers=headers) == (200, wish)
    return headers


async def test_the_rule_is_read_and_set(client: Client, accounts: Accounts) -> None:
    """Rows GET and PUT /config/require-mfa; both names of the field, and neither is refused."""
    headers = await set_up(client)
    assert await ask(client, "GET", RULE, headers=headers) == (200, {"require_mfa": False})
    for wish, told in (({"enabled": True}, True), ({"require_mfa": False}, False)):
        answer = await ask(client, "PUT", RULE, json=wish, headers=headers)
        assert answer == (200, {"require_mfa": told})
    for bad in ({}, {"require_mfa": None}, {"require_mfa": "perhaps"}):
        assert (await ask(client, "PUT", RULE, json=bad, headers=headers))[0] == 422, bad
    noted = await AuditEntry.filter(action="config.require_mfa_updated").order_by("id")
    assert [row.details["required"] for row in noted] == [True, False]


async def test_who_has_none_can_do_nothing_but_set_one_up(
    client: Client, accounts: Accounts
) -> None:
    """The token of such a login opens no other route, no socket and no new keys."""
    await required(client, accounts)
    told = await half(client)
    assert told["mfa_setup_required"] is True
    assert "mfa_required" not in told
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    for method, path in (
        ("GET", "/tokens"),
        ("POST", "/tokens"),
        ("GET", "/sessions"),
        ("POST", "/auth/ws-token"),
        ("GET", "/auth/mfa/status"),
        ("DELETE", "/auth/mfa"),
        ("GET", RULE),
    ):
        body = {"name": "x", "code": "123456"}
        status, answer = await ask(client, method, path, json=body, headers=headers)
        assert (status, answer["error"]["code"]) in (
            (403, "scope_denied"),
            (403, "permission_denied"),
        ), path
    by = await accounts.authenticate(told["access_token"])
    assert not by.may("printers.read")
    assert not by.may("jobs.submit")


async def test_setting_it_up_opens_the_session(
    client: Client, accounts: Accounts, clock: FakeClock
) -> None:
    """With the confirmation, once; the next login asks for a code."""
    await required(client, accounts)
    headers = {"Authorization": f"Bearer {(await half(client))['access_token']}"}
    status, made = await ask(client, "POST", "/auth/mfa/setup", headers=headers)
    assert status == 200
    assert made["qr_code"].startswith("data:image/png;base64,iVBOR")
    one = pyotp.TOTP(made["secret"])
    wrong = await ask(client, "POST", "/auth/mfa/confirm", json={"code": "000000"}, headers=headers)
    assert (wrong[0], wrong[1]["error"]["code"]) == (403, "wrong_code")
    body = {"code": one.at(clock.now())}
    status, told = await ask(client, "POST", "/auth/mfa/confirm", json=body, headers=headers)
    assert (status, len(told["recovery_codes"]), told["token_type"]) == (200, 10, "bearer")
    session = {"Authorization": f"Bearer {told['access_token']}"}
    assert (await ask(client, "GET", "/sessions", headers=session))[0] == 200
    assert (await ask(client, "POST", "/auth/mfa/setup", headers=headers))[0] == 401
    clock.advance(STEP_S)
    assert (await half(client))["mfa_required"] is True


async def test_nobody_takes_away_what_is_required(
    client: Client, accounts: Accounts, clock: FakeClock
) -> None:
    """Their own, while the rule holds; an admin may, for who lost the device."""
    admin_headers = await required(client, accounts)
    headers = {"Authorization": f"Bearer {(await half(client))['access_token']}"}
    _, made = await ask(client, "POST", "/auth/mfa/setup", headers=headers)
    one = pyotp.TOTP(made["secret"])
    body = {"code": one.at(clock.now())}
    _, told = await ask(client, "POST", "/auth/mfa/confirm", json=body, headers=headers)
    session = {"Authorization": f"Bearer {told['access_token']}"}
    clock.advance(STEP_S)
    body = {"code": one.at(clock.now())}
    status, refusal = await ask(client, "DELETE", "/auth/mfa", json=body, headers=session)
    assert (status, refusal["error"]["code"]) == (409, "conflict")
    await ask(client, "PUT", RULE, json={"enabled": False}, headers=admin_headers)
    assert (await ask(client, "DELETE", "/auth/mfa", json=body, headers=session))[0] == 200


async def test_sessions_without_one_end_with_the_rule(client: Client, accounts: Accounts) -> None:
    """But for the one that set it; browsers that are remembered and devices come to nothing."""
    headers = await set_up(client)
    admin = await accounts.authenticate(headers["Authorization"].removeprefix("Bearer "))
    await add_user(accounts, admin, "olga", Role.OPERATOR)
    olga = await login_headers(client, "olga")
    by = await accounts.authenticate(olga["Authorization"].removeprefix("Bearer "))
    remembered = await accounts.remember(by, "browser")
    _, secret = await accounts.create_token(by, "program", [], None)
    await ask(client, "PUT", RULE, json={"enabled": True}, headers=headers)
    assert (await ask(client, "GET", "/auth/me", headers=olga))[0] == 401
    assert (await ask(client, "GET", "/auth/me", headers=headers))[0] == 200
    assert await refused(accounts.recall(remembered.token, HERE, "")) == "not_authenticated"
    assert (await accounts.authenticate(secret)).username == "olga"


async def test_the_token_of_a_half_login_ends(
    client: Client, accounts: Accounts, clock: FakeClock
) -> None:
    """After ten minutes, whatever was begun with it."""
    await required(client, accounts)
    headers = {"Authorization": f"Bearer {(await half(client))['access_token']}"}
    assert (await ask(client, "POST", "/auth/mfa/setup", headers=headers))[0] == 200
    clock.advance(601)
    assert (await ask(client, "POST", "/auth/mfa/setup", headers=headers))[0] == 401


async def test_the_rule_asks_for_a_fresh_session(
    client: Client, accounts: Accounts, clock: FakeClock
) -> None:
    """Whoever finds an open browser does not switch it off."""
    headers = await set_up(client)
    clock.advance(601)
    status, body = await ask(client, "PUT", RULE, json={"enabled": False}, headers=headers)
    assert (status, body["error"]["code"]) == (403, "reauth_required")


async def test_another_organization_has_its_own_rule(accounts: Accounts) -> None:
    """An admin's rule is for their people (tenancy)."""
    login: Login = await make_admin(accounts)
    await accounts.require_second_factor(login.principal, required=True)
    second = await accounts.create_organization(login.principal, "Second", "")
    await add_user(accounts, login.principal, "eve", Role.ADMIN, organization_id=second.id)
    session = await accounts.login("eve", PASSWORD, HERE, "")
    assert not await accounts.second_factor_required(session.principal)
    assert await accounts.second_factor_required(login.principal)
    assert await Credential.filter(kind="mfa_setup").count() == 0
