"""Who may do what on the OctoPrint face (octoprint 2, 3; safety S20 to S23)."""

import itertools
import re

import httpx
import pytest

from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALPHA = "/octoprint/alpha"


#: What is there for whoever has no key: to get one, to log in, to see that there is something.
OPEN = {
    *(("POST", "/api/login"), ("POST", "/api/logout"), ("GET", "/api/currentuser")),
    *(("GET", "/"), ("GET", "/login/"), ("POST", "/login/"), ("GET", "/online.txt")),
    *(("GET", "/plugin/appkeys/probe"), ("POST", "/plugin/appkeys/request")),
    *(("GET", f"/plugin/appkeys/{what}/<app_token>") for what in ("request", "auth")),
    *(("GET", "/api/access/permissions"), ("GET", ""), ("GET", "/login"), ("GET", "/online.gif")),
}
KEYS: list[dict[str, str]] = [{}, {"X-Api-Key": ""}, {"X-Api-Key": "x" * 43}]


async def test_a_missing_or_invalid_key_is_403_for_every_method(farm: Farm) -> None:
    """octoprint 0 keys: 403 always, never 400 or 401, with JSON in OctoPrint's form."""
    for route, headers in itertools.product(farm.application.octoprint.routes, KEYS):
        if (route.method, route.path) in OPEN or route.path.startswith("/sockjs"):
            continue
        path = ALPHA + re.sub(r"<(?:path:)?\w+>", "local", route.path)
        answer = await farm.http.request(route.method, path, headers=headers)
        assert answer.status_code == 403, (route.method, path, answer.text)
        if not route.path.startswith("/downloads"):
            assert set(answer.json()) == {"error"}


async def test_the_first_key_that_is_present_counts(farm: Farm) -> None:
    """octoprint 2 key lookup: query, X-Api-Key, Bearer; the first one decides, even if invalid."""
    good, bad = farm.key, "x" * 43
    path = f"{ALPHA}/api/version"
    cases: list[tuple[str, dict[str, str], int]] = [
        (good, {}, 200),
        ("", {"X-Api-Key": good}, 200),
        ("", {"Authorization": f"Bearer {good}"}, 200),
        (bad, {"X-Api-Key": good}, 403),
        (good, {"X-Api-Key": bad}, 200),
        ("", {"X-Api-Key": bad, "Authorization": f"Bearer {good}"}, 403),
        ("", {"X-Api-Key": "", "Authorization": f"Bearer {good}"}, 403),
        ("", {"Authorization": "Basic YTpi"}, 403),
    ]
    for query, headers, status in cases:
        url = f"{path}?apikey={query}" if query else path
        answer = await farm.http.get(url, headers=headers)
        assert answer.status_code == status, (query, headers)


async def test_a_key_in_the_form_counts(farm: Farm) -> None:
    """octoprint 2 key lookup: in form fields too, and before the header."""
    made = await farm.http.post("/api/files/local", data={"foldername": "one", "apikey": farm.key})
    assert made.status_code == 201
    bad = await farm.http.post(
        "/api/files/local",
        data={"foldername": "two", "apikey": "x" * 43},
        headers={"X-Api-Key": farm.key},
    )
    assert bad.status_code == 403


async def test_a_v1_token_works_on_this_face(farm: Farm) -> None:
    """DESIGN 7: `odin_` tokens too, at the root for the default printer."""
    answer = await farm.get("/api/connection", key=farm.token)
    assert answer.json()["options"]["ports"] == ["virtual:a"]


async def test_a_bound_key_reaches_its_printer_only(farm: Farm) -> None:
    """Restricted: another printer's root is 403, the server's root is its own printer."""
    key = await farm.application.rooms.accounts.create_octoprint_key(farm.admin, 2, "beta's")
    assert (await farm.get("/octoprint/alpha/api/job", key=key)).status_code == 403
    assert (await farm.get("/octoprint/nobody/api/job", key=key)).status_code == 403
    assert (await farm.get("/octoprint/beta/api/job", key=key)).status_code == 200
    ports = (await farm.get("/api/connection", key=key)).json()["options"]["ports"]
    assert ports == ["virtual:b"]


async def test_an_unknown_printer_is_404(farm: Farm) -> None:
    """With a valid key; without one it is 403 before anything is looked up."""
    assert (await farm.get("/octoprint/nobody/api/job")).status_code == 404
    assert (await farm.http.get("/octoprint/nobody/api/version")).status_code == 403


async def test_a_viewer_reads_but_changes_nothing(farm: Farm) -> None:
    """octoprint 3 missing permission: it is 403, before the body is looked at."""
    assert (await farm.get("/api/job", key=farm.viewer_key)).status_code == 200
    assert (await farm.get("/api/files", key=farm.viewer_key)).status_code == 200
    headers = {"X-Api-Key": farm.viewer_key}
    for path in ("/api/job", "/api/printer/printhead", "/api/connection", "/api/files/local"):
        body = {"command": "start"}
        answer = await farm.http.post(path, json=body, headers=headers)
        assert answer.status_code == 403, path
    assert (await farm.get("/api/printerprofiles", key=farm.viewer_key)).status_code == 403


async def test_current_user(farm: Farm) -> None:
    """octoprint 0 currentuser, 2 currentuser: 200 for nobody, the caller with a key, 403 with an
    invalid one.
    """
    nobody = (await farm.http.get(f"{ALPHA}/api/currentuser")).json()
    assert nobody == {"name": None, "permissions": [], "groups": ["guests"]}
    viewer = (await farm.get(f"{ALPHA}/api/currentuser", key=farm.viewer_key)).json()
    assert viewer["groups"] == ["readonly"]
    assert "STATUS" in viewer["permissions"]
    assert "CONTROL" not in viewer["permissions"]
    assert (await farm.get(f"{ALPHA}/api/currentuser", key="x" * 43)).status_code == 403


async def log_in(farm: Farm, **more: str) -> httpx.Response:
    body = {"user": "admin", "pass": PASSWORD, **more}
    return await farm.http.post(f"{ALPHA}/api/login", json=body)


async def test_login_by_password_opens_a_cookie_session(farm: Farm) -> None:
    """octoprint 2 login: the record, and the cookies with their suffix."""
    answer = await log_in(farm)
    record = answer.json()
    assert answer.status_code == 200
    assert (record["name"], record["_login_mechanism"]) == ("admin", "password")
    assert record["session"] and record["needs"]["group"] == ["admins", "users"]
    cookies = answer.headers.get_list("set-cookie")
    session = next(line for line in cookies if line.startswith("session_P5000_R|octoprint|alpha="))
    assert "HttpOnly" in session and "Path=/octoprint/alpha/" in session and "Lax" in session
    assert record["session"] not in session
    assert (await farm.http.get(f"{ALPHA}/api/job")).status_code == 200


async def test_a_session_changes_nothing_without_its_csrf_pair(farm: Farm) -> None:
    """octoprint 0 CSRF, 2 CSRF: no header, a wrong one, another session's: 400 (S20); the right
    pair works; S23: logout.
    """
    await log_in(farm)
    other = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=farm.application), base_url=str(farm.http.base_url)
    )
    strange = await other.post(f"{ALPHA}/api/login", json={"user": "admin", "pass": PASSWORD})
    name = "csrf_token_P5000_R|octoprint|alpha"
    own, foreign = farm.http.cookies[name], strange.cookies[name]
    await other.aclose()
    body = {"command": "connect"}
    for token in ("", "x", foreign):
        headers = {"X-CSRF-Token": token} if token else {}
        answer = await farm.http.post(f"{ALPHA}/api/connection", json=body, headers=headers)
        assert answer.status_code == 400, token
        assert "CSRF" in answer.json()["error"]
    assert (await farm.http.post(f"{ALPHA}/api/logout")).status_code == 400
    headers = {"X-CSRF-Token": own}
    answer = await farm.http.post(f"{ALPHA}/api/connection", json=body, headers=headers)
    assert answer.status_code == 204, answer.text
    assert (await farm.http.post(f"{ALPHA}/api/logout", headers=headers)).status_code == 204
    assert (await farm.http.get(f"{ALPHA}/api/job")).status_code == 403


async def test_a_cookie_does_not_help_an_invalid_key(farm: Farm) -> None:
    """S22: the explicit credential wins and must be valid."""
    await log_in(farm)
    assert (await farm.get(f"{ALPHA}/api/job", key="x" * 43)).status_code == 403


async def test_a_wrong_password_and_an_unknown_user_read_the_same(farm: Farm) -> None:
    """octoprint 2 login: 403, the same text; 400 with neither user nor passive; GET is 405."""
    wrong = await farm.http.post(f"{ALPHA}/api/login", json={"user": "admin", "pass": "nope"})
    unknown = await farm.http.post(f"{ALPHA}/api/login", data={"user": "nobody", "pass": "nope"})
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.json() == unknown.json()
    assert (await farm.http.post(f"{ALPHA}/api/login", json={})).status_code == 400
    assert (await farm.http.get(f"{ALPHA}/api/login")).status_code == 405


async def test_a_login_from_another_site_is_refused(farm: Farm) -> None:
    """S23: no pair is needed for a login, but a foreign Origin is refused."""
    body = {"user": "admin", "pass": PASSWORD}
    headers = {"Origin": "https://evil.example"}
    answer = await farm.http.post(f"{ALPHA}/api/login", json=body, headers=headers)
    assert answer.status_code == 403


async def test_passive_login(farm: Farm) -> None:
    """octoprint 0 passive login: with a key the owner's record and a session, else a guest's."""
    answer = await farm.post(f"{ALPHA}/api/login", json={"passive": True})
    assert (answer.json()["name"], answer.json()["_login_mechanism"]) == ("admin", "apikey")
    assert answer.json()["session"]
    assert "set-cookie" not in answer.headers
    for headers in ({}, {"X-Api-Key": "x" * 43}):
        guest = await farm.http.post(f"{ALPHA}/api/login", json={"passive": True}, headers=headers)
        assert guest.status_code == 200
        assert set(guest.json()) == {"needs", "_is_external_client", "_credentials_seen"}


async def test_what_a_session_string_is_worth(farm: Farm) -> None:
    """The `session` of a login opens the push and nothing else: as a key it is 403."""
    session = (await log_in(farm)).json()["session"]
    farm.http.cookies.clear()
    assert (await farm.get(f"{ALPHA}/api/job", key=session)).status_code == 403


async def test_a_multipart_login_works(farm: Farm) -> None:
    """octoprint 1 bodies: login takes form fields, multipart too."""
    files = {"user": (None, "admin"), "pass": (None, PASSWORD)}
    assert (await farm.http.post(f"{ALPHA}/api/login", files=files)).status_code == 200
