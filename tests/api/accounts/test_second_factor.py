"""The second factor: a code is good once, and the password alone opens nothing (S08, S14)."""

from datetime import datetime
from typing import Any

import pyotp
import pytest
from quart.typing import TestClientProtocol as Client

from api.accounts import totp
from api.accounts.models import Credential, RecoveryCode, SecondFactor
from api.accounts.service import Accounts, Login, SecondFactorAsked
from api.errors import Problem
from api.events.models import AuditEntry
from api.principal import Role
from tests.api.accounts.conftest import PASSWORD, ask, set_up
from tests.api.accounts.people import HERE, add_user, make_admin, refused
from tests.api.conftest import FakeClock

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_now(secret: str, clock: FakeClock) -> str:
    return pyotp.TOTP(secret).at(clock.now())


async def enable(accounts: Accounts, login: Login, clock: FakeClock) -> tuple[str, list[str]]:
    """(the secret, the recovery codes) of a second factor that is asked for from now on."""
    made = await accounts.set_up_second_factor(login.principal)
    code = code_now(made.secret, clock)
    confirmed = await accounts.confirm_second_factor(login.principal, code, HERE)
    clock.advance(totp.STEP_S)
    return made.secret, confirmed.recovery_codes


async def half(accounts: Accounts, username: str = "admin") -> str:
    """What the password alone gives."""
    with pytest.raises(SecondFactorAsked) as asked:
        await accounts.login(username, PASSWORD, HERE, "")
    return asked.value.ticket


def test_a_code_counts_for_its_step_and_the_neighbours(clock: FakeClock) -> None:
    """Clocks may differ by half a minute; a step that was taken is not taken again."""
    one, now = pyotp.TOTP(SECRET), clock.now()
    current = int(now.timestamp()) // totp.STEP_S
    for offset, counts in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        code = one.generate_otp(current + offset)
        found = totp.step_of(SECRET, code, now, after=0)
        assert found == (current + offset if counts else None), offset
    assert totp.step_of(SECRET, one.generate_otp(current), now, after=current) is None
    for odd in ("", "12345", "1234567", "abcdef", "１２３４５６"):
        assert totp.step_of(SECRET, odd, now, after=0) is None


async def test_the_password_alone_opens_nothing(accounts: Accounts, clock: FakeClock) -> None:
    """Its half login is no session; with a code it becomes one, once."""
    secret, _ = await enable(accounts, await make_admin(accounts), clock)
    ticket = await half(accounts)
    assert await refused(accounts.authenticate(ticket)) == "not_authenticated"
    code = code_now(secret, clock)
    login = await accounts.finish_login(ticket, code, HERE, "")
    assert (await accounts.authenticate(login.token)).username == "admin"
    clock.advance(totp.STEP_S)
    again = accounts.finish_login(ticket, code_now(secret, clock), HERE, "")
    assert await refused(again) == "not_authenticated"


async def test_a_code_is_good_once(accounts: Accounts, clock: FakeClock) -> None:
    """Whoever looked over a shoulder is too late, also with another half login."""
    secret, _ = await enable(accounts, await make_admin(accounts), clock)
    code = code_now(secret, clock)
    await accounts.finish_login(await half(accounts), code, HERE, "")
    second = accounts.finish_login(await half(accounts), code, HERE, "")
    assert await refused(second) == "not_authenticated"


async def test_a_half_login_ends(accounts: Accounts, clock: FakeClock) -> None:
    """After five minutes, and when the password is changed."""
    login = await make_admin(accounts)
    secret, _ = await enable(accounts, login, clock)
    late, replaced = await half(accounts), await half(accounts)
    await accounts.change_password(login.principal, PASSWORD, "another one, long", HERE)
    assert await refused(accounts.finish_login(replaced, code_now(secret, clock), HERE, ""))
    clock.advance(301)
    assert await refused(accounts.finish_login(late, code_now(secret, clock), HERE, ""))


async def test_recovery_codes_are_good_once_and_kept_as_hashes(
    accounts: Accounts, clock: FakeClock
) -> None:
    """S08: neither they nor the secret are in the rows; typed in any form, each works once."""
    secret, codes = await enable(accounts, await make_admin(accounts), clock)
    assert len(set(codes)) == 10
    rows: list[Any] = [*await RecoveryCode.all().values(), *await SecondFactor.all().values()]
    assert not any(one in repr(rows) for one in (*codes, secret, codes[0].replace("-", "")))
    typed = codes[0].replace("-", " ").upper()
    login = await accounts.finish_login(await half(accounts), typed, HERE, "")
    state = await accounts.second_factor(login.principal)
    assert (state.is_enabled, state.recovery_codes_left) == (True, 9)
    assert await refused(accounts.finish_login(await half(accounts), codes[0], HERE, ""))


async def test_wrong_codes_are_counted(accounts: Accounts, clock: FakeClock) -> None:
    """Five from strange places lock the name out, whoever has the password."""
    secret, _ = await enable(accounts, await make_admin(accounts), clock)
    ticket = await half(accounts)
    for guess in range(5):
        with pytest.raises(Problem) as wrong:
            await accounts.finish_login(ticket, f"00000{guess}", f"198.51.100.{guess}", "")
        assert wrong.value.code == "not_authenticated"
    right = accounts.finish_login(ticket, code_now(secret, clock), "198.51.100.9", "")
    assert await refused(right) == "locked_out"
    # Who has been here before still comes in.
    assert (await accounts.finish_login(ticket, code_now(secret, clock), HERE, "")).token


async def test_confirming_ends_every_other_way_in(accounts: Accounts, clock: FakeClock) -> None:
    """Sessions and remembered browsers from before, which never saw a code (S14)."""
    login = await make_admin(accounts)
    other = await accounts.login("admin", PASSWORD, HERE, "")
    remembered = await accounts.remember(other.principal, "")
    clock.advance(25 * 3600)  # that session is over by its age, its browser still remembered
    login = await accounts.login("admin", PASSWORD, HERE, "")
    await enable(accounts, login, clock)
    assert (await accounts.authenticate(login.token)).username == "admin"
    assert await refused(accounts.recall(remembered.token, HERE, "")) == "not_authenticated"


async def test_a_changed_password_forgets_browsers(accounts: Accounts, clock: FakeClock) -> None:
    """S12: also those whose session had ended by its age."""
    other = await make_admin(accounts)
    remembered = await accounts.remember(other.principal, "")
    clock.advance(25 * 3600)
    login = await accounts.login("admin", PASSWORD, HERE, "")
    await accounts.change_password(login.principal, PASSWORD, "another one, long", HERE)
    assert await refused(accounts.recall(remembered.token, HERE, "")) == "not_authenticated"


async def test_who_may_set_one_up(accounts: Accounts, clock: FakeClock) -> None:
    """Only a fresh session: a token that leaked must not lock its owner out (S14)."""
    login = await make_admin(accounts)
    _, secret = await accounts.create_token(login.principal, "t", [], None)
    token = await accounts.authenticate(secret)
    assert await refused(accounts.set_up_second_factor(token)) == "reauth_required"
    assert await refused(accounts.confirm_second_factor(login.principal, "123456", HERE))
    clock.advance(601)
    assert await refused(accounts.set_up_second_factor(login.principal)) == "reauth_required"


async def test_a_wrong_code_confirms_nothing(accounts: Accounts, clock: FakeClock) -> None:
    """The password goes on being enough until the app has proved that it works."""
    login = await make_admin(accounts)
    await accounts.set_up_second_factor(login.principal)
    confirm = accounts.confirm_second_factor(login.principal, "000000", HERE)
    assert await refused(confirm) == "wrong_code"
    assert (await accounts.login("admin", PASSWORD, HERE, "")).token


async def test_it_ends_with_a_code(accounts: Accounts, clock: FakeClock) -> None:
    """Not without one; then the password is enough again, and the audit trail knows."""
    login = await make_admin(accounts)
    secret, _ = await enable(accounts, login, clock)
    assert await refused(accounts.set_up_second_factor(login.principal)) == "conflict"
    wrong = accounts.remove_second_factor(login.principal, "000000", HERE)
    assert await refused(wrong) == "wrong_code"
    await accounts.remove_second_factor(login.principal, code_now(secret, clock), HERE)
    assert (await accounts.login("admin", PASSWORD, HERE, "")).token
    assert await refused(accounts.remove_second_factor(login.principal, "1", HERE)) == "not_found"
    actions = [entry.action for entry in await AuditEntry.all().order_by("id")]
    assert [one for one in actions if "mfa" in one] == ["user.mfa_enabled", "user.mfa_disabled"]


async def test_an_admin_helps_who_lost_theirs(accounts: Accounts, clock: FakeClock) -> None:
    """Others' in the organization, in a fresh session; never one's own like that (S14)."""
    login = await make_admin(accounts)
    await add_user(accounts, login.principal, "olga", Role.OPERATOR)
    olga = await accounts.login("olga", PASSWORD, HERE, "")
    await enable(accounts, olga, clock)
    own = accounts.remove_second_factor_of(login.principal, login.principal.user_id, HERE)
    assert await refused(own) == "permission_denied"
    by_olga = accounts.remove_second_factor_of(olga.principal, login.principal.user_id, HERE)
    assert await refused(by_olga) == "permission_denied"
    user_id = olga.principal.user_id
    await accounts.remove_second_factor_of(login.principal, user_id, HERE)
    assert await refused(accounts.authenticate(olga.token)) == "not_authenticated"
    assert (await accounts.login("olga", PASSWORD, HERE, "")).token
    again = accounts.remove_second_factor_of(login.principal, user_id, HERE)
    assert await refused(again) == "not_found"


async def test_another_secret_key_leaves_the_recovery_codes(
    accounts: Accounts, clock: FakeClock
) -> None:
    """The secret cannot be read then; nobody gets in by a code made with another one."""
    secret, codes = await enable(accounts, await make_admin(accounts), clock)
    row = await SecondFactor.get()
    tampered = row.sealed[:-4] + ("AAAA" if row.sealed[-4:] != "AAAA" else "BBBB")
    await SecondFactor.all().update(sealed=tampered)
    ticket = await half(accounts)
    assert await refused(accounts.finish_login(ticket, code_now(secret, clock), HERE, ""))
    assert (await accounts.finish_login(ticket, codes[1], HERE, "")).token


async def test_nothing_is_left_of_who_is_gone(accounts: Accounts, clock: FakeClock) -> None:
    """Neither the secret nor the codes stay behind."""
    login = await make_admin(accounts)
    await add_user(accounts, login.principal, "olga", Role.OPERATOR)
    olga = await accounts.login("olga", PASSWORD, HERE, "")
    await enable(accounts, olga, clock)
    await accounts.delete_user(login.principal, olga.principal.user_id)
    assert (await SecondFactor.all().count(), await RecoveryCode.all().count()) == (0, 0)


async def test_the_routes(client: Client, clock: FakeClock) -> None:
    """v1 2.1: setup, confirm, status, a login in two halves with the cookie after both, DELETE."""
    headers = await set_up(client)
    _, made = await ask(client, "POST", "/auth/mfa/setup", headers=headers)
    assert made["provisioning_uri"].startswith("otpauth://totp/Gantry:admin?secret=")
    code = code_now(made["secret"], clock)
    _, done = await ask(client, "POST", "/auth/mfa/confirm", headers=headers, json={"code": code})
    assert (done["mfa_enabled"], len(done["recovery_codes"])) == (True, 10)
    _, state = await ask(client, "GET", "/auth/mfa/status", headers=headers)
    assert state == {"mfa_enabled": True, "recovery_codes_left": 10}
    clock.advance(totp.STEP_S)
    answer = await client.post(
        "/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}
    )
    login = await answer.get_json()
    assert (answer.status_code, login["mfa_required"]) == (200, True)
    assert "Set-Cookie" not in answer.headers
    half_way = {"Authorization": f"Bearer {login['access_token']}"}
    assert (await ask(client, "GET", "/auth/me", headers=half_way))[0] == 401
    body = {"mfa_token": login["access_token"], "code": code_now(made["secret"], clock)}
    answer = await client.post("/api/v1/auth/mfa/verify", json=body)
    assert answer.status_code == 200
    assert any(one.startswith("session=") for one in answer.headers.getlist("Set-Cookie"))
    token = (await answer.get_json())["access_token"]
    clock.advance(totp.STEP_S)
    wrong = await ask(client, "POST", "/auth/mfa/verify", json={**body, "mfa_token": "x" * 40})
    assert wrong[0] == 401
    code = code_now(made["secret"], clock)
    bearer = {"Authorization": f"Bearer {token}"}
    status, _ = await ask(client, "DELETE", "/auth/mfa", headers=bearer, json={"code": code})
    assert status == 200
    rows = await Credential.filter(kind="half_login").only("revoked_at")
    assert isinstance(rows[0].revoked_at, datetime)
