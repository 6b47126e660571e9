"""Devices that open sessions by themselves: one token each, and many ways to end it (v1 2.1)."""

from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from api.accounts.devices import DEVICE_LIFE, MAX_DEVICES
from api.accounts.models import Credential, User
from api.accounts.service import Accounts
from api.events.models import AuditEntry
from tests.api.accounts.conftest import PASSWORD, ask, login_headers, set_up
from tests.api.conftest import FakeClock

PHONE = "8d7c0b1e-6a53-4c0a-9a59-3a1de32bb1d2"
TRUST = f"/auth/biometric-token?device_id={PHONE}"


async def trusted(client: Client, headers: dict[str, str], path: str = TRUST) -> dict[str, Any]:
    """What a device is given."""
    status, body = await ask(client, "POST", path, headers=headers)
    assert status == 200, body
    return dict(body)


async def entered(client: Client, token: str, device_id: str = PHONE) -> tuple[int, Any]:
    body = {"refresh_token": token, "device_id": device_id}
    return await ask(client, "POST", "/auth/biometric-refresh", json=body)


async def test_a_device_opens_sessions_again_and_again(client: Client) -> None:
    """Rows POST /auth/biometric-token and POST /auth/biometric-refresh."""
    headers = await set_up(client)
    given = await trusted(client, headers)
    assert set(given) == {"refresh_token", "expires_at", "device_id"}
    assert (given["device_id"], given["expires_at"]) == (PHONE, "2026-01-31T12:00:00.000Z")
    for _ in range(2):
        status, told = await entered(client, given["refresh_token"])
        assert (status, told["token_type"]) == (200, "bearer")
        session = {"Authorization": f"Bearer {told['access_token']}"}
        assert (await ask(client, "GET", "/auth/me", headers=session))[1]["username"] == "admin"
    logins: list[Any] = list(
        await AuditEntry.filter(action="auth.login").values_list("details", flat=True)
    )
    assert [each for each in logins if each.get("device") == PHONE]


async def test_only_a_hash_is_kept(client: Client) -> None:
    """The token is in no row; it is no key to anything else."""
    headers = await set_up(client)
    token = (await trusted(client, headers))["refresh_token"]
    row = await Credential.get(kind="device")
    assert token not in str(vars(row))
    as_key = {"Authorization": f"Bearer {token}"}
    assert (await ask(client, "GET", "/auth/me", headers=as_key))[0] == 401


async def test_such_a_session_has_not_seen_the_password(client: Client) -> None:
    """What asks for it again asks here, too."""
    headers = await set_up(client)
    _, told = await entered(client, (await trusted(client, headers))["refresh_token"])
    session = {"Authorization": f"Bearer {told['access_token']}"}
    status, body = await ask(client, "POST", "/auth/mfa/setup", headers=session)
    assert (status, body["error"]["code"]) == (403, "reauth_required")


@pytest.mark.parametrize(
    ("token", "device_id"), [("", "other"), ("x" * 43, PHONE), ("a.b.c", PHONE), ("", PHONE[:-1])]
)
async def test_a_wrong_token_or_device_opens_nothing(
    client: Client, token: str, device_id: str
) -> None:
    """The same answer for every reason."""
    headers = await set_up(client)
    good = (await trusted(client, headers))["refresh_token"]
    status, body = await entered(client, token or good, device_id)
    assert (status, body["error"]["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("how", ["asked", "again", "password", "disabled", "age"])
async def test_a_token_ends(client: Client, accounts: Accounts, clock: FakeClock, how: str) -> None:
    """Row DELETE /auth/biometric-token; a newer token, another password, an admin, and time."""
    headers = await set_up(client)
    token = (await trusted(client, headers))["refresh_token"]
    if how == "asked":
        assert (await client.delete(f"/api/v1{TRUST}", headers=headers)).status_code == 204
        assert (await client.delete(f"/api/v1{TRUST}", headers=headers)).status_code == 204
    if how == "again":
        await trusted(client, headers)
    if how == "password":
        body = {"current_password": PASSWORD, "new_password": "Battery-staple-9"}
        await ask(client, "POST", "/auth/change-password", json=body, headers=headers)
    if how == "disabled":
        await User.filter(username="admin").update(is_active=False)
    if how == "age":
        clock.advance(DEVICE_LIFE.total_seconds())
    assert (await entered(client, token))[0] == 401


async def test_a_person_has_so_many_devices(client: Client) -> None:
    """The oldest makes room."""
    headers = await set_up(client)
    first = await trusted(client, headers)
    for number in range(MAX_DEVICES):
        await trusted(client, headers, f"/auth/biometric-token?device_id=phone-{number}")
    assert (await entered(client, first["refresh_token"]))[0] == 401
    assert await Credential.filter(kind="device", revoked_at=None).count() == MAX_DEVICES


async def test_a_program_makes_no_device_known(client: Client, accounts: Accounts) -> None:
    """Only who is logged in does: a token that leaked must not become a session."""
    headers = await set_up(client)
    by = await accounts.authenticate(headers["Authorization"].removeprefix("Bearer "))
    _, secret = await accounts.create_token(by, "program", [], None)
    status, body = await ask(client, "POST", TRUST, headers={"X-API-Key": secret})
    assert (status, body["error"]["code"]) == (403, "reauth_required")


@pytest.mark.parametrize("device_id", ["", "x" * 101])
async def test_a_device_has_a_name(client: Client, device_id: str) -> None:
    """422 that names the field, for both routes."""
    await set_up(client)
    headers = await login_headers(client)
    for method in ("POST", "DELETE"):
        path = f"/auth/biometric-token?device_id={device_id}"
        status, body = await ask(client, method, path, headers=headers)
        assert (status, body["detail"][0]["loc"]) == (422, ["query", "device_id"])


async def test_another_site_opens_nothing(client: Client) -> None:
    """A page elsewhere does not log a browser in."""
    headers = await set_up(client)
    token = (await trusted(client, headers))["refresh_token"]
    body = {"refresh_token": token, "device_id": PHONE}
    foreign = {"Origin": "https://evil.example"}
    status, told = await ask(client, "POST", "/auth/biometric-refresh", json=body, headers=foreign)
    assert (status, told["error"]["code"]) == (403, "csrf_failed")
