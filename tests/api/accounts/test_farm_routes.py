"""The v1 routes of people, organizations, groups and sessions of all (v1 2.1, 2.2)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client
from tortoise import connections

from api.accounts.models import User
from api.events.models import AuditEntry
from tests.api.accounts.conftest import PASSWORD, ask, login_headers, set_up

OTHER = "another good passphrase"


async def add(client: Client, headers: dict[str, str], **person: Any) -> int:
    """The id of a new person."""
    new = {"email": "", "password": PASSWORD, **person}
    status, body = await ask(client, "POST", "/users", json=new, headers=headers)
    assert status == 200, body
    number: int = body["id"]
    return number


async def test_a_person_is_changed_and_removed(client: Client) -> None:
    """PATCH answers `updated`, DELETE `deleted`; oneself and unknown ones are refused (v1 2.1)."""
    headers = await set_up(client)
    olga = f"/users/{await add(client, headers, username='olga')}"
    wish = {"role": "viewer", "email": "o@example.org", "is_active": True}
    assert await ask(client, "PATCH", olga, json=wish, headers=headers) == (
        200,
        {"status": "updated"},
    )
    _, rows = await ask(client, "GET", "/users?skip=1", headers=headers)
    assert (rows[0]["role"], rows[0]["email"]) == ("viewer", "o@example.org")
    assert await ask(client, "DELETE", olga, headers=headers) == (200, {"status": "deleted"})
    for method in ("PATCH", "DELETE"):
        status, body = await ask(client, method, olga, json={}, headers=headers)
        assert (status, body["error"]["code"]) == (404, "user_not_found")
    me = (await ask(client, "GET", "/auth/me", headers=headers))[1]["id"]
    assert (await ask(client, "DELETE", f"/users/{me}", headers=headers))[0] == 400


@pytest.mark.parametrize(
    "extra",
    [
        *({"id": 99}, {"password_hash": "x"}, {"organization_id": 2}, {"created_at": "2000-01-01"}),
        *({"is_admin": True}, {"org_id": 2}, {"last_login_at": None}, {"settings": {"a": 1}}),
    ],
)
async def test_fields_that_are_not_for_setting_are_ignored(
    client: Client, extra: dict[str, object]
) -> None:
    """Mass assignment changes nothing but what the body's model names (safety S27)."""
    headers = await set_up(client)
    olga = await add(client, headers, username="olga")
    before = await User.get(id=olga).values()
    status, _ = await ask(client, "PATCH", f"/users/{olga}", json=extra, headers=headers)
    assert status == 200
    assert await User.get(id=olga).values() == before


async def test_an_operators_token_gets_403_on_admin_routes(client: Client) -> None:
    """Whatever its scopes; as Bearer and as X-API-Key (issue: never more than their creator)."""
    headers = await set_up(client)
    await add(client, headers, username="olga")
    olga = await login_headers(client, "olga")
    made = (await ask(client, "POST", "/tokens", json={"name": "ci"}, headers=olga))[1]["token"]
    for carrier in ({"Authorization": f"Bearer {made}"}, {"X-API-Key": made}):
        assert (await ask(client, "GET", "/auth/me", headers=carrier))[0] == 200
        for path in ("/users", "/orgs", "/admin/sessions"):
            status, body = await ask(client, "GET", path, headers=carrier)
            assert (status, body["error"]["code"]) == (403, "permission_denied")
    asked = {"name": "more", "scopes": ["admin"]}
    assert (await ask(client, "POST", "/tokens", json=asked, headers=olga))[0] == 403


async def test_a_password_is_changed_by_who_knows_it(client: Client) -> None:
    """Both routes; 403 for a wrong one, 400 for a weak new one, 422 without (safety S14)."""
    headers = await set_up(client)
    wrong = {"current_password": "x", "new_password": OTHER}
    status, body = await ask(client, "POST", "/auth/change-password", json=wrong, headers=headers)
    assert (status, body["error"]["code"]) == (403, "wrong_password")
    weak = {"current_password": PASSWORD, "new_password": "password1"}
    assert (await ask(client, "POST", "/auth/change-password", json=weak, headers=headers))[0] == (
        400
    )
    assert (await ask(client, "POST", "/auth/change-password", json={}, headers=headers))[0] == 422
    good = {"current_password": PASSWORD, "new_password": OTHER}
    assert await ask(client, "POST", "/auth/change-password", json=good, headers=headers) == (
        200,
        {"status": "ok"},
    )
    me = f"/users/{(await ask(client, 'GET', '/auth/me', headers=headers))[1]['id']}"
    status, body = await ask(client, "PATCH", me, json={"password": PASSWORD}, headers=headers)
    assert (status, body["error"]["code"]) == (403, "reauth_required")
    again = {"password": PASSWORD, "current_password": OTHER}
    assert (await ask(client, "PATCH", me, json=again, headers=headers))[0] == 200
    await login_headers(client)


async def test_the_password_again_and_a_ticket(client: Client) -> None:
    """POST /auth/reauthenticate and /auth/ws-token; a ticket is no bearer token (safety S43)."""
    headers = await set_up(client)
    body = {"password": PASSWORD}
    assert (await ask(client, "POST", "/auth/reauthenticate", json=body, headers=headers))[0] == 200
    status, ticket = await ask(client, "POST", "/auth/ws-token", headers=headers)
    assert (status, ticket["expires_in"]) == (200, 30)
    carrier = {"Authorization": f"Bearer {ticket['token']}"}
    assert (await ask(client, "GET", "/auth/me", headers=carrier))[0] == 401


async def test_organizations_over_http(client: Client) -> None:
    """Made, listed, changed, filled, set, emptied and removed (v1 2.2)."""
    headers = await set_up(client)
    new = {"name": "School", "description": "two rooms"}
    status, made = await ask(client, "POST", "/orgs", json=new, headers=headers)
    assert (status, made["name"], made["status"]) == (200, "School", "ok")
    assert (await ask(client, "POST", "/orgs", json=new, headers=headers))[0] == 409
    one = f"/orgs/{made['id']}"
    olga = await add(client, headers, username="olga", role="admin", group_id=made["id"])
    anna = await add(client, headers, username="anna")
    member = {"user_id": anna}
    assert (await ask(client, "POST", f"{one}/members", json=member, headers=headers))[0] == 200
    boss = await login_headers(client, "olga")
    _, rows = await ask(client, "GET", "/orgs", headers=boss)
    assert [(row["name"], row["member_count"], row["has_settings"]) for row in rows] == [
        ("School", 2, False)
    ]
    assert (await ask(client, "PATCH", one, json={"owner_id": olga}, headers=boss))[0] == 200
    _, group = await ask(client, "GET", f"/groups/{made['id']}", headers=boss)
    assert (group["owner_username"], group["member_count"]) == ("olga", 2)
    _, groups = await ask(client, "GET", "/groups", headers=headers)
    assert [row["id"] for row in groups] == [1, made["id"]]
    status, body = await ask(client, "DELETE", one, headers=headers)
    assert (status, body["error"]["code"]) == (409, "conflict")
    for user_id in (olga, anna):
        assert (await ask(client, "DELETE", f"/users/{user_id}", headers=headers))[0] == 200
    assert await ask(client, "DELETE", one, headers=headers) == (200, {"status": "ok"})
    assert (await ask(client, "PATCH", one, json={}, headers=headers))[0] == 404


async def test_settings_over_http(client: Client) -> None:
    """Only v1's names are shown and taken; null clears; bad values are 422 (v1 2.2)."""
    headers = await set_up(client)
    path = "/orgs/1/settings"
    _, before = await ask(client, "GET", path, headers=headers)
    assert set(before.values()) == {None}
    wish = {"quiet_hours_start": "22:30", "branding_app_name": "Hall", "unknown": 1}
    assert (await ask(client, "PUT", path, json=wish, headers=headers))[0] == 200
    cleared = {"branding_app_name": None}
    assert (await ask(client, "PUT", path, json=cleared, headers=headers))[0] == 200
    _, after = await ask(client, "GET", path, headers=headers)
    assert after == {**before, "quiet_hours_start": "22:30"}
    for bad in (
        {"quiet_hours_start": "25:00"},
        {"webhook_url": "javascript:alert(1)"},
        {"webhook_url": "file:///etc/passwd"},
        {"quiet_hours_enabled": "maybe"},
    ):
        assert (await ask(client, "PUT", path, json=bad, headers=headers))[0] == 422, bad


async def test_sessions_of_all_are_listed_and_ended(client: Client) -> None:
    """With their user; ended at once (v1 2.2)."""
    headers = await set_up(client)
    await add(client, headers, username="olga")
    olga = await login_headers(client, "olga")
    _, rows = await ask(client, "GET", "/admin/sessions", headers=headers)
    assert [(row["username"], row["is_current"]) for row in rows] == [
        ("olga", False),
        ("admin", True),
    ]
    path = f"/admin/sessions/{rows[0]['id']}"
    assert await ask(client, "DELETE", path, headers=headers) == (200, {"status": "ok"})
    assert (await ask(client, "GET", "/auth/me", headers=olga))[0] == 401
    assert (await ask(client, "DELETE", path, headers=headers))[0] == 404


async def test_a_cookie_login_replaces_its_session_and_marks_the_device(client: Client) -> None:
    """The old cookie is dead; the device mark is HttpOnly and signs nobody in (safety S11, S19)."""
    await set_up(client)
    fields = {"username": "admin", "password": PASSWORD}
    first = await client.post("/api/v1/auth/login", json=fields)
    cookies = [each.partition(";")[0] for each in first.headers.getlist("Set-Cookie")]
    session, device = cookies
    assert device.startswith("device=")
    second = await client.post(
        "/api/v1/auth/login", json=fields, headers={"Cookie": f"{session}; {device}"}
    )
    for each in second.headers.getlist("Set-Cookie"):
        assert "HttpOnly" in each
        assert "SameSite=Strict" in each
        assert "Path=/" in each
    assert (await ask(client, "GET", "/auth/me", headers={"Cookie": session}))[0] == 401
    mark = device.partition("=")[2]
    assert (await ask(client, "GET", "/auth/me", headers={"Cookie": f"session={mark}"}))[0] == 401


async def test_the_trail_knows_from_where(client: Client) -> None:
    """The socket's peer, not what a header says (safety S05, S54)."""
    headers = await set_up(client)
    await add(client, {**headers, "X-Forwarded-For": "1.2.3.4"}, username="olga")
    entry = await AuditEntry.filter(action="user.created").order_by("-id").first()
    assert entry is not None
    assert entry.details["username"] == "olga"
    assert entry.remote_address not in ("", "1.2.3.4")


@asynccontextmanager
async def without_table(name: str) -> AsyncIterator[None]:
    """The storage has lost the table *name* for a while."""
    connection = connections.get("default")
    await connection.execute_script(f'ALTER TABLE "{name}" RENAME TO "lost"')
    try:
        yield
    finally:
        await connection.execute_script(f'ALTER TABLE "lost" RENAME TO "{name}"')


async def test_without_its_trail_nothing_changes(client: Client) -> None:
    """The entry cannot be written: the change is rolled back with it (safety S54, ODIN R7)."""
    headers = await set_up(client)
    olga = await add(client, headers, username="olga")
    before = await User.all().order_by("id").values()
    async with without_table("audit_entry"):
        for method, path, body in (
            ("POST", "/users", {"username": "anna", "email": "", "password": PASSWORD}),
            ("PATCH", f"/users/{olga}", {"role": "viewer"}),
            ("DELETE", f"/users/{olga}", None),
            ("POST", "/tokens", {"name": "ci"}),
            ("POST", "/orgs", {"name": "School"}),
            ("POST", "/auth/login", {"username": "admin", "password": PASSWORD}),
            ("POST", "/auth/login", {"username": "admin", "password": "wrong"}),
        ):
            status, _ = await ask(client, method, path, json=body, headers=headers)
            assert status >= 500, path
    assert await User.all().order_by("id").values() == before
    assert (await ask(client, "GET", "/tokens", headers=headers))[1] == []
    assert len((await ask(client, "GET", "/orgs", headers=headers))[1]) == 1


async def test_a_login_fails_closed_without_its_counters(client: Client) -> None:
    """If failures cannot be counted nobody is let in, with the right password either (S09)."""
    await set_up(client)
    fields = {"username": "admin", "password": PASSWORD}
    async with without_table("login_attempt"):
        status, _ = await ask(client, "POST", "/auth/login", json=fields)
    assert status >= 500


@pytest.mark.parametrize("text", ["'; DROP TABLE user; --", "%", "_", "\\", "x' OR '1'='1"])
async def test_odd_names_are_only_names(client: Client, text: str) -> None:
    """Literal in every place where a name is compared (safety S28)."""
    headers = await set_up(client)
    wrong = {"username": text, "password": PASSWORD}
    assert (await ask(client, "POST", "/auth/login", json=wrong))[0] == 401
    await add(client, headers, username=text)
    assert (await ask(client, "POST", "/auth/login", json=wrong))[0] == 200
    assert (await ask(client, "GET", f"/users?org_id={text}", headers=headers))[0] == 422
