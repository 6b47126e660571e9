"""The v1 routes of people, sessions and tokens, asked as clients ask (v1 1.1-1.5, 2.1)."""

from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from quart.typing import TestClientProtocol as Client

from api.accounts.models import User
from api.config import Settings
from tests.api.accounts.conftest import ADMIN, PASSWORD, ask, login_headers, set_up


async def test_first_hour(client: Client) -> None:
    """Status, the first admin, complete; the second time each is refused (v1 1.2, safety S03)."""
    assert await ask(client, "GET", "/setup/status") == (
        200,
        {"needs_setup": True, "has_users": False, "is_complete": False},
    )
    headers = await set_up(client)
    status, body = await ask(client, "POST", "/setup/admin", json=ADMIN)
    assert status == 403
    assert body["error"]["code"] == "setup_complete"
    assert await ask(client, "POST", "/setup/complete", headers=headers) == (
        200,
        {"status": "complete"},
    )
    assert (await ask(client, "POST", "/setup/complete", headers=headers))[0] == 403
    assert await ask(client, "GET", "/setup/status") == (
        200,
        {"needs_setup": False, "has_users": True, "is_complete": True},
    )


@pytest.mark.parametrize("how", ["json", "form", "oauth form", "multipart form"])
async def test_login_takes_json_and_form(client: Client, settings: Settings, how: str) -> None:
    """Both forms give the token pair and the cookie; the JWT has the claims of v1."""
    await set_up(client)
    fields = {"username": "admin", "password": PASSWORD}
    if how == "oauth form":
        fields |= {"grant_type": "password", "scope": ""}
    given: dict[str, Any] = {"json": fields} if how == "json" else {"form": fields}
    if how == "multipart form":  # what a browser's FormData sends
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
            for name, text in fields.items()
        ]
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        given = {"data": f"{''.join(parts)}--x--\r\n", "headers": headers}
    answer = await client.post("/api/v1/auth/login", **given)
    body = await answer.get_json()
    assert answer.status_code == 200
    assert body["token_type"] == "bearer"
    key = OctKey.import_key((settings.data_dir / "session.key").read_bytes())
    claims = jwt.decode(body["access_token"], key, algorithms=["HS256"]).claims
    assert claims["sub"] == "admin"
    assert claims["role"] == "admin"
    assert set(claims) == {"sub", "role", "exp", "jti"}
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"session={body['access_token']};")
    for attribute in ("HttpOnly", "Path=/", "SameSite=Strict", "Max-Age=86400"):
        assert attribute in cookie
    assert "Secure" not in cookie


async def test_cookie_is_secure_on_https(client: Client) -> None:
    """Over https the browser must not send it in the clear."""
    await set_up(client)
    answer = await client.post(
        "/api/v1/auth/login", json={"username": "admin", "password": PASSWORD}, scheme="https"
    )
    assert "Secure" in answer.headers["Set-Cookie"]


async def test_me_by_every_carrier(client: Client) -> None:
    """Bearer JWT, cookie, and tokens as Bearer and as X-API-Key (v1 0.3, 1.1); alias /api too."""
    headers = await set_up(client)
    jwt_text = headers["Authorization"].removeprefix("Bearer ")
    _, made = await ask(client, "POST", "/tokens", headers=headers, json={"name": "ci"})
    for carrier in (
        headers,
        {"Cookie": f"session={jwt_text}"},
        {"X-API-Key": made["token"]},
        {"Authorization": f"Bearer {made['token']}"},
    ):
        for prefix in ("/api/v1", "/api"):
            answer = await client.get(f"{prefix}/auth/me", headers=carrier)
            body = await answer.get_json()
            assert answer.status_code == 200
            assert body["username"] == "admin"
            assert body["email"] == "admin@example.org"
            assert body["role"] == "admin"
            assert body["group_id"] is None


BAD_CREDENTIALS: list[dict[str, str]] = [
    {},
    {"X-API-Key": ""},
    {"X-API-Key": "null"},
    {"X-API-Key": "odin_" + "x" * 43},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer null"},
    {"Authorization": "Bearer undefined"},
    {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."},
    {"Authorization": "Basic YWRtaW46eA=="},
    {"Cookie": "session="},
    {"Cookie": "session=a; session=b"},
]


async def test_bad_credentials_are_401(client: Client) -> None:
    """The same answer for all of them (v1 1.4, safety S04)."""
    await set_up(client)
    for headers in BAD_CREDENTIALS:
        status, body = await ask(client, "GET", "/auth/me", headers=headers)
        assert status == 401, headers
        assert body["detail"] == "Not authenticated"
        assert body["error"]["code"] == "not_authenticated"
        assert body["error"]["retriable"] is False


async def test_logout_kills_cookie_and_token(client: Client) -> None:
    """The session is dead at once; a replayed cookie is 401 (safety S12)."""
    headers = await set_up(client)
    answer = await client.post("/api/v1/auth/logout", headers=headers)
    assert await answer.get_json() == {"detail": "Logged out"}
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert (await ask(client, "GET", "/auth/me", headers=headers))[0] == 401
    cookie = {"Cookie": "session=" + headers["Authorization"].removeprefix("Bearer ")}
    assert (await ask(client, "GET", "/auth/me", headers=cookie))[0] == 401


async def test_cookie_from_another_site_changes_nothing(client: Client) -> None:
    """Unsafe methods with a cookie need our own origin; so do login and set-up."""
    headers = await set_up(client)
    jwt_text = headers["Authorization"].removeprefix("Bearer ")
    foreign = {"Cookie": f"session={jwt_text}", "Origin": "https://evil.example"}
    status, body = await ask(client, "POST", "/auth/logout", headers=foreign)
    assert (status, body["error"]["code"]) == (403, "csrf_failed")
    login = {"username": "admin", "password": PASSWORD}
    status, _ = await ask(
        client, "POST", "/auth/login", json=login, headers={"Origin": "https://evil.example"}
    )
    assert status == 403
    own = {"Cookie": f"session={jwt_text}", "Origin": "http://localhost"}
    assert (await ask(client, "POST", "/auth/logout", headers=own))[0] == 200


async def test_wrong_logins_end_in_429_with_retry_after(client: Client) -> None:
    """Ten wrong ones, then come back later (v1 1.2, safety S09)."""
    await set_up(client)
    for n in range(10):
        wrong = {"username": f"user{n}", "password": "x"}
        status, body = await ask(client, "POST", "/auth/login", json=wrong)
        assert (status, body["detail"]) == (401, "Invalid credentials")
    answer = await client.post("/api/v1/auth/login", json=wrong)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


BAD_BODIES = [
    b"",
    b"nonsense",
    b"[]",
    b"null",
    b'"text"',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"username": NaN, "password": 1}',
    b'{"username": "\\ud800", "password": "x"}',
    b'{"username": 1e400, "password": []}',
    b'{"username": ' + b"9" * 5000 + b', "password": {}}',
    b'\xff\xfe{"username": "a"}',
    b'{"username": "a\\u0000b", "password": "x", "email": "", "name": "a\\u0000b"}',
    b'{"username": "a\x00b", "password": "x", "email": "", "name": "a\x00b"}',
    b'{"name": "x", "scopes": "read", "expires_days": 1e400}',
    b'{"name": "x", "scopes": [1], "expires_days": 99999999999999999999}',
]


@pytest.mark.parametrize("path", ["/auth/login", "/setup/admin", "/tokens", "/users"])
async def test_bad_bodies_are_422(client: Client, path: str) -> None:
    """Whatever is sent: a list of what is wrong, nothing changed, never a 500 (safety S29)."""
    headers = await set_up(client) | {"Content-Type": "application/json"}
    for body in BAD_BODIES:
        status, answer = await ask(client, "POST", path, data=body, headers=headers)
        assert status == 422, body[:50]
        assert {"type", "loc", "msg"} <= set(answer["detail"][0])
    assert await User.all().count() == 1


BAD_PEOPLE = [
    {"username": "a\x07b", "email": "", "password": "x"},
    {"username": "", "email": "", "password": "x"},
    {"username": "x" * 101, "email": "", "password": "x"},
    {"username": "x", "email": "no address", "password": "x"},
    {"username": "x", "email": "", "password": ""},
    {"username": "x", "email": "", "password": "x", "role": "owner"},
    {"username": "admin", "email": "", "password": "x"},
    {"username": "x", "email": "x@y", "password": "x" * 2000},
]


async def test_people_who_cannot_be_are_refused(client: Client) -> None:
    """With a sentence; nobody is added."""
    headers = await set_up(client)
    for person in BAD_PEOPLE:
        status, answer = await ask(client, "POST", "/users", json=person, headers=headers)
        assert status == 400, person
        assert answer["detail"]
    assert await User.all().count() == 1


async def test_forms_that_are_no_login_are_refused(client: Client) -> None:
    """A flood of fields, a missing one, and multipart, which is nobody's body here."""
    await set_up(client)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for data in (b"&".join(b"a%d=1" % n for n in range(1000)), b"username=admin", b"\xff%00=%ff"):
        assert (await ask(client, "POST", "/auth/login", data=data, headers=form))[0] == 422
    multi = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await ask(client, "POST", "/auth/login", data=b"--x--", headers=multi))[0] == 422


async def test_tokens_are_shown_once(client: Client) -> None:
    """Made, listed without the secret, revoked; the shapes of v1 1.3."""
    headers = await set_up(client)
    status, made = await ask(
        client,
        "POST",
        "/tokens",
        headers=headers,
        json={"name": "ci", "scopes": ["read"], "expires_days": 7},
    )
    assert status == 200
    assert set(made) == {"id", "name", "token", "prefix", "scopes", "expires_at", "created_at"}
    assert made["prefix"] == made["token"][:10]
    assert made["expires_at"] == "2026-01-08T12:00:00.000Z"
    _, rows = await ask(client, "GET", "/tokens", headers=headers)
    assert [set(row) for row in rows] == [set(made) - {"token"} | {"last_used_at"}]
    token = {"X-API-Key": made["token"]}
    assert (await ask(client, "GET", "/tokens", headers=token))[0] == 200
    status, body = await ask(client, "POST", "/tokens", headers=token, json={"name": "more"})
    assert (status, body["error"]["code"]) == (403, "scope_denied")
    assert body["error"]["token_scopes"] == ["read"]
    path = f"/tokens/{made['id']}"
    assert await ask(client, "DELETE", path, headers=headers) == (200, {"status": "ok"})
    assert (await ask(client, "DELETE", path, headers=headers))[0] == 404
    assert (await ask(client, "GET", "/tokens", headers=token))[0] == 401


async def test_unknown_ids_are_404(client: Client) -> None:
    """Also those that no database can hold."""
    headers = await set_up(client)
    for number in (0, 999, 2**31, 2**63, 10**30):
        for path in ("/tokens", "/sessions"):
            assert (await ask(client, "DELETE", f"{path}/{number}", headers=headers))[0] == 404


async def test_sessions_are_listed_and_ended(client: Client) -> None:
    """One's own; one by one, or all the others."""
    first = await set_up(client)
    second = await login_headers(client)
    third = await login_headers(client)
    _, rows = await ask(client, "GET", "/sessions", headers=third)
    assert [row["is_current"] for row in rows] == [True, False, False]
    assert set(rows[0]) == {
        *("id", "ip_address", "user_agent", "created_at", "last_seen_at", "is_current")
    }
    assert (await ask(client, "DELETE", f"/sessions/{rows[1]['id']}", headers=third))[0] == 200
    assert (await ask(client, "GET", "/auth/me", headers=second))[0] == 401
    assert await ask(client, "DELETE", "/sessions", headers=third) == (
        200,
        {"status": "ok", "revoked": 1},
    )
    assert (await ask(client, "GET", "/auth/me", headers=first))[0] == 401
    assert (await ask(client, "GET", "/auth/me", headers=third))[0] == 200


async def test_people_are_added_by_admins_only(client: Client) -> None:
    """POST answers the id; the list has v1's fields and pages."""
    headers = await set_up(client)
    new = {
        "username": "olga",
        "email": "olga@example.org",
        "password": PASSWORD,
        "is_superadmin": True,
    }
    status, body = await ask(client, "POST", "/users", json=new, headers=headers)
    assert (status, body["status"]) == (200, "created")
    answer = await client.get("/api/v1/users?skip=1&limit=1", headers=headers)
    (row,) = await answer.get_json()
    assert answer.headers["X-Total-Count"] == "2"
    assert row["id"] == body["id"]
    assert row["role"] == "operator"
    assert row["is_active"] == 1
    assert row["group_id"] == 1
    assert not (await User.get(id=body["id"])).is_superadmin
    olga = await login_headers(client, "olga")
    for method, path in (("GET", "/users"), ("POST", "/users"), ("POST", "/setup/complete")):
        status, body = await ask(client, method, path, json=new, headers=olga)
        assert (status, body["error"]["code"]) == (403, "permission_denied")


async def test_bad_pages_are_422(client: Client) -> None:
    """Pages are whole numbers."""
    headers = await set_up(client)
    for query in ("skip=a%00", "skip=-1", "limit=x", "limit=1e3", "skip=9" + "9" * 20):
        assert (await ask(client, "GET", f"/tokens?{query}", headers=headers))[0] == 422
