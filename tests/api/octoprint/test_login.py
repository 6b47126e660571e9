"""Login, remember, limits and the pages for browsers (octoprint 0 and 2; safety S18 to S20)."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.accounts.models import Credential, LoginAttempt
from api.octoprint.pages import own_path
from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALPHA = "/octoprint/alpha"
SUFFIX = "_P5000_R|octoprint|alpha"


async def log_in(farm: Farm, **more: object) -> httpx.Response:
    body = {"user": "admin", "pass": PASSWORD, **more}
    return await farm.http.post(f"{ALPHA}/api/login", json=body)


def cookie(answer: httpx.Response, name: str) -> str:
    """The Set-Cookie line of *name*, the last one; "" without."""
    lines = answer.headers.get_list("set-cookie")
    return next((line for line in reversed(lines) if line.startswith(f"{name}{SUFFIX}=")), "")


async def test_a_remembered_browser_comes_back(farm: Farm) -> None:
    """octoprint 2 cookies: remember_token 90 days, HttpOnly; passive login with it, mechanism,
    rotation.
    """
    answer = await log_in(farm, remember=True)
    line = cookie(answer, "remember_token")
    assert "HttpOnly" in line and f"Path={ALPHA}/" in line
    ends = datetime.now(UTC) + timedelta(days=90)
    assert ends.strftime("%b %Y") in line
    old = farm.http.cookies[f"remember_token{SUFFIX}"]
    del farm.http.cookies[f"session{SUFFIX}"]
    passive = await farm.http.post(f"{ALPHA}/api/login", json={"passive": True})
    record = passive.json()
    assert (record["name"], record["_login_mechanism"]) == ("admin", "remember_me")
    assert (await farm.http.get(f"{ALPHA}/api/job")).status_code == 200
    new = farm.http.cookies[f"remember_token{SUFFIX}"]
    assert new != old
    farm.http.cookies.clear()
    farm.http.cookies.set(f"remember_token{SUFFIX}", old)
    again = await farm.http.post(f"{ALPHA}/api/login", json={"passive": True})
    assert "name" not in again.json()


async def test_a_passive_login_tells_a_session_who_it_is(farm: Farm) -> None:
    """octoprint 0 CSRF, 0 passive login: a login needs no CSRF pair, but one that comes must
    fit.
    """
    await log_in(farm)
    path = f"{ALPHA}/api/login"
    record = (await farm.http.post(path, json={"passive": True})).json()
    assert record["name"] == "admin" and record["session"]
    token = farm.http.cookies[f"csrf_token{SUFFIX}"]
    headers = {"X-CSRF-Token": token}
    record = (await farm.http.post(path, json={"passive": True}, headers=headers)).json()
    assert record["name"] == "admin"
    headers = {"X-CSRF-Token": "another"}
    answer = await farm.http.post(path, json={"passive": True}, headers=headers)
    assert answer.status_code == 400


async def test_a_remembered_session_has_not_seen_the_password(farm: Farm) -> None:
    """octoprint 2 fresh credentials: it has none, so 403 on administration; it is no key either."""
    await log_in(farm, remember=True)
    token = farm.http.cookies[f"remember_token{SUFFIX}"]
    assert (await farm.get("/api/job", token)).status_code == 403
    assert (await farm.http.get(f"{ALPHA}/api/access/users")).status_code == 200
    del farm.http.cookies[f"session{SUFFIX}"]
    await farm.http.post(f"{ALPHA}/api/login", json={"passive": True})
    assert (await farm.http.get(f"{ALPHA}/api/access/users")).status_code == 403


async def test_logout_forgets_the_browser(farm: Farm) -> None:
    """octoprint 0 logout, 2 logout: 204, active_logout is set; the remember token is dead wherever
    it is.
    """
    await log_in(farm, remember=True)
    token = farm.http.cookies[f"remember_token{SUFFIX}"]
    headers = {"X-CSRF-Token": farm.http.cookies[f"csrf_token{SUFFIX}"]}
    answer = await farm.http.post(f"{ALPHA}/api/logout", headers=headers)
    assert answer.status_code == 204
    assert cookie(answer, "active_logout").startswith(f"active_logout{SUFFIX}=true")
    farm.http.cookies.clear()
    farm.http.cookies.set(f"remember_token{SUFFIX}", token)
    passive = await farm.http.post(f"{ALPHA}/api/login", json={"passive": True})
    assert "name" not in passive.json()
    assert not await Credential.filter(kind="remember", revoked_at=None).exists()


async def test_a_revoked_session_takes_its_remember_token_along(farm: Farm) -> None:
    """Ending all other sessions over v1 ends their browsers' memory, too."""
    await log_in(farm, remember=True)
    accounts = farm.application.rooms.accounts
    assert await accounts.revoke_other_sessions(farm.admin) >= 1
    passive = await farm.http.post(f"{ALPHA}/api/login", json={"passive": True})
    assert "name" not in passive.json()


async def test_without_remember_cookies_end_with_the_browser(farm: Farm) -> None:
    """No expiry, no remember token."""
    answer = await log_in(farm)
    assert "expires" not in cookie(answer, "session").lower()
    assert cookie(answer, "remember_token") == ""


async def test_the_limiter_counts_failures_of_an_address(farm: Farm) -> None:
    """octoprint 0 login limiter: 3 a minute, 5 in 10 minutes, 10 an hour; then correct and passive
    logins too.
    """
    for age_s, limit in ((0, 3), (120, 5), (1200, 10)):
        await LoginAttempt.all().delete()
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        for number in range(limit):
            if number == limit - 1:
                assert (await log_in(farm)).status_code == 200, limit
            await LoginAttempt.create(subject=f"{number}", remote_address="127.0.0.1", at=at)
        limited = await log_in(farm)
        assert limited.status_code == 429, limit
        assert int(limited.headers["retry-after"]) > 0
        assert set(limited.json()) == {"error"}
        headers = {"X-Api-Key": farm.key}
        path = f"{ALPHA}/api/login"
        passive = await farm.http.post(path, json={"passive": True}, headers=headers)
        assert passive.status_code == 429


async def test_a_csrf_pair_that_comes_must_fit(farm: Farm) -> None:
    """octoprint 0 CSRF: without a pair accepted; a mismatch is 400."""
    body = {"user": "admin", "pass": PASSWORD}
    headers = {"X-CSRF-Token": "x"}
    answer = await farm.http.post(f"{ALPHA}/api/login", json=body, headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": "CSRF validation failed"})


async def test_a_planted_cookie_counts_for_nothing(farm: Farm) -> None:
    """S19: a session cookie that comes twice is nobody's; S20: nor is an empty pair a pair."""
    await log_in(farm)
    session = farm.http.cookies[f"session{SUFFIX}"]
    farm.http.cookies.clear()
    name = f"session{SUFFIX}"
    twice = {"Cookie": f"{name}={session}; {name}={session}"}
    assert (await farm.http.get(f"{ALPHA}/api/job", headers=twice)).status_code == 403
    empty = {"Cookie": f"{name}={session}; csrf_token{SUFFIX}=", "X-CSRF-Token": ""}
    answer = await farm.http.post(f"{ALPHA}/api/job", json={"command": "start"}, headers=empty)
    assert answer.status_code == 400


async def test_a_login_changes_the_session_and_the_csrf_token(farm: Farm) -> None:
    """S20: what was there before the login is of no use after it."""
    await log_in(farm)
    before = dict(farm.http.cookies)
    await log_in(farm)
    assert not set(before.values()) & set(dict(farm.http.cookies).values())
    farm.http.cookies.clear()
    for name, value in before.items():
        farm.http.cookies.set(name, value)
    assert (await farm.http.get(f"{ALPHA}/api/job")).status_code == 403


async def test_the_page_logs_a_browser_in(farm: Farm) -> None:
    """octoprint 2 GET /: it sends to /login/, which brings the CSRF cookie; the form leads back."""
    top = await farm.http.get(f"{ALPHA}/")
    assert top.status_code == 302
    wanted = f"{ALPHA}/login/?redirect={ALPHA}/?&permissions=STATUS,SETTINGS_READ"
    assert top.headers["location"] == wanted
    page = await farm.http.get(f"{ALPHA}/login/?redirect={ALPHA}/%3F")
    token = farm.http.cookies[f"csrf_token{SUFFIX}"]
    assert token in page.text
    assert "httponly" not in cookie(page, "csrf_token").lower()
    form = {"user": "admin", "pass": "wrong", "redirect": f"{ALPHA}/?"}
    assert (await farm.http.post(f"{ALPHA}/login/", data=form)).status_code == 400
    form["csrf_token"] = token
    assert (await farm.http.post(f"{ALPHA}/login/", data=form)).status_code == 403
    form["pass"] = PASSWORD
    entered = await farm.http.post(f"{ALPHA}/login/", data=form)
    assert (entered.status_code, entered.headers["location"]) == (302, f"{ALPHA}/?")
    assert "Alpha" in (await farm.http.get(f"{ALPHA}/")).text


async def test_the_page_of_the_server_itself(farm: Farm) -> None:
    """The same at the server's root, with cookies of its own name; S23: not from another site."""
    page = await farm.http.get("/login/")
    assert page.status_code == 200
    token = farm.http.cookies["csrf_token_P5000"]
    form = {"user": "admin", "pass": PASSWORD, "csrf_token": token}
    foreign = {"Origin": "https://evil.example"}
    assert (await farm.http.post("/login/", data=form, headers=foreign)).status_code == 403
    entered = await farm.http.post("/login/", data=form)
    assert (entered.status_code, entered.headers["location"]) == (302, "/")
    assert (await farm.http.get("/api/job")).status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        *("//evil", "/\\evil", "/%09/evil", "https:evil", "javascript:alert(1)", "data:x", ""),
        *("/%5cevil", "%2f%2fevil", "/%2fevil", "/\tx", "evil", "/x\r\nSet-Cookie:a", "/<b>"),
    ],
)
async def test_a_redirect_stays_here(wanted: str) -> None:
    """S18: only a path of this server; anything else is the top."""
    assert own_path(wanted, "/top/") == "/top/"


@pytest.mark.parametrize("wanted", ["/", "/octoprint/alpha/?", "/a%20b/c?x=1&y=2"])
async def test_a_path_of_this_server_is_kept(wanted: str) -> None:
    """S18: the other side of it."""
    assert own_path(wanted, "/top/") == wanted


async def test_pages_echo_nothing_as_html(farm: Farm) -> None:
    """S36: what comes in the query or the form comes back as text, if at all."""
    evil = '"><script>alert(1)</script>'
    page = await farm.http.get(f"{ALPHA}/login/", params={"redirect": evil, "user": evil})
    assert "<script" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
