"""What OctoPrint's documentation promises, a sentence a test: per printer, per pool's root and at
the server's root.
"""

import itertools
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.whole.conftest import BASE, GCODE, Whole
from tests.api.whole.test_roles import OCTOPRINT, PEOPLE

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.parametrize(
        "root",
        ["", "/octoprint/<slug>", "/octoprint/<pool_slug>"],
        ids=["server", "printer", "pool"],
    ),
]

PERSON = {"user": "admin", "pass": "Correct-horse-7"}
EVIL = "https://evil.example"
_names = itertools.count(1)

#: What a browser opens is refused with a page.
PAGES = {
    route
    for _, route in OCTOPRINT
    if route.startswith(("/downloads/", "/plugin/")) and "/appkeys" not in route
}
#: Both dialects answer there together, and say no in their own way (`test_dialects`).
SHARED = "/api/version"


@pytest_asyncio.fixture(loop_scope="session")
async def browser(whole: Whole) -> Any:
    """A client with cookies of its own, and nothing in its headers."""
    transport = httpx.ASGITransport(app=whole.application, client=whole.transport.client)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


def guarded() -> list[tuple[str, str]]:
    """(method, path) of what asks for a credential."""
    return [
        *(route for route, least in OCTOPRINT.items() if not isinstance(least, int)),
        *PEOPLE,
    ]


async def test_keys_as_x_api_key_bearer_and_apikey(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """A key that a person made opens every route that reads, and the three carriers are one."""
    path = whole.path(root + "/api/plugin/appkeys")
    app = {"command": "generate", "app": f"carried {root}"}
    key = (await whole.ask("admin", "POST", path, json=app)).json()["api_key"]
    for method, route in guarded():
        if method != "GET":
            continue
        target = whole.path(root + route)
        answers = [
            await browser.get(target, headers={"X-Api-Key": key}),
            await browser.get(target, headers={"Authorization": f"Bearer {key}"}),
            await browser.get(target, params={"apikey": key}),
        ]
        assert len({answer.status_code for answer in answers}) == 1, route
        if OCTOPRINT.get((method, route)) == "viewer":
            assert answers[0].status_code != 403, route


async def test_missing_or_invalid_key_403(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """Every guarded route and method, an invalid one by each of its three carriers; in JSON."""
    before = await whole.rows()
    wrong = "A" * 43
    for method, route in guarded():
        if (root, route) == ("", SHARED):
            continue
        target = whole.path(root + route)
        carried: tuple[dict[str, Any], ...] = (
            *({}, {"headers": {"X-Api-Key": wrong}}, {"params": {"apikey": wrong}}),
            {"headers": {"Authorization": f"Bearer {wrong}"}},
        )
        for given in carried:
            answer = await browser.request(method, target, **given)
            assert answer.status_code == 403, (method, route, given)
            if route not in PAGES:
                assert set(answer.json()) == {"error"}, (method, route, given)
    assert await whole.rows() == before


async def test_application_keys_workflow_whole_probe_request_poll_decision_revoke(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """204, 201, 202 while nobody has decided, 204, the key once; revoked it is 403."""
    base = whole.path(root) + "/plugin/appkeys"
    assert (await browser.get(f"{base}/probe")).status_code == 204
    app = f"App {next(_names)}"
    asked = await browser.post(f"{base}/request", json={"app": app})
    assert asked.status_code == 201
    location = asked.headers["Location"]
    assert location == f"{BASE}{base}/request/{asked.json()['app_token']}"
    assert (await browser.get(location)).status_code == 202
    keys = whole.path(root) + "/api/plugin/appkeys"
    pending = (await whole.ask("admin", "GET", keys)).json()["pending"]
    [user_token] = [token for token, shown in pending.items() if shown["app_id"] == app]
    decided = await whole.ask(
        "admin", "POST", f"{base}/decision/{user_token}", json={"decision": True}
    )
    assert decided.status_code == 204
    key = (await browser.get(location)).json()["api_key"]
    assert (await browser.get(location)).status_code == 404
    job = whole.path(root) + "/api/job"
    assert (await browser.get(job, headers={"X-Api-Key": key})).status_code == 200
    revoked = await whole.ask("admin", "POST", keys, json={"command": "revoke", "app": app})
    assert revoked.status_code == 204
    assert (await browser.get(job, headers={"X-Api-Key": key})).status_code == 403


async def test_user_keys_that_users_generate_and_revoke(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """By a person's own hand; the list of users shows whether there is one, and never the key."""
    people = whole.path(root) + "/api/access/users"
    path = f"{people}/operator-1/apikey"

    async def shown() -> Any:
        users = (await whole.ask("admin", "GET", people)).json()["users"]
        [one] = [user for user in users if user["name"] == "operator-1"]
        return one["apikey"]

    made = await whole.ask("operator", "POST", path)
    assert made.status_code == 200, made.text
    key = made.json()["apikey"]
    assert await shown() and key not in str(await shown())
    who = await browser.get(whole.path(root) + "/api/currentuser", headers={"X-Api-Key": key})
    assert who.json()["name"] == "operator-1"
    assert (await whole.ask("operator", "DELETE", path)).status_code == 200
    assert not await shown()
    job = whole.path(root) + "/api/job"
    assert (await browser.get(job, headers={"X-Api-Key": key})).status_code == 403


async def test_application_json_in_and_out(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """Every answer with an object says so, in UTF-8's subset; a command that is none is refused."""
    for method, route in guarded():
        target = whole.path(root + route)
        if method == "GET":
            answer = await whole.ask("admin", "GET", target)
            is_file = "/downloads/" in route or "thumbnail" in route
            if answer.content and not is_file and answer.status_code == 200:
                assert answer.headers["Content-Type"] == "application/json", route
                assert answer.json() is not None, route
        refused = await browser.request(method, target)
        if route not in PAGES:
            assert refused.headers["Content-Type"] == "application/json", (method, route)
    for route in ("job", "connection", "printer/printhead", "printer/tool", "printer/bed"):
        answer = await whole.ask(
            *("admin", "POST", whole.path(f"{root}/api/{route}")),
            content=b'{"command": "home"}',
            headers={"Content-Type": "text/plain"},
        )
        assert answer.status_code in (400, 415), (route, answer.text)
        assert set(answer.json()) == {"error"}


NAMES = {
    "UTF-8": ('filename="größe {}.gcode"'.encode(), "größe {}.gcode"),
    "multipart headers with ISO-8859-1 fallback": (
        'filename="größe {}.gcode"'.encode("iso-8859-1"),
        "größe {}.gcode",
    ),
    "RFC 5987 filename* in place of filename": (
        b"filename*=UTF-8''gr%C3%B6%C3%9Fe%20{}.gcode",
        "größe {}.gcode",
    ),
    "both together": (
        b"filename=\"size {}.gcode\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20{}.gcode",
        "größe {}.gcode",
    ),
}


@pytest.mark.parametrize("how", NAMES)
async def test_utf_8_multipart_headers_with_iso_8859_1_fallback_rfc_5987_and_both_together(
    whole: Whole, root: str, how: str
) -> None:
    """The name arrives whole, however the client wrote it; the file can be asked for by it."""
    number = str(next(_names))
    said, wanted = NAMES[how]
    said, wanted = said.replace(b"{}", number.encode()), wanted.replace("{}", number)
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; '
        + (said + b"\r\nContent-Type: application/octet-stream\r\n\r\n")
        + (GCODE + b"\r\n--x--\r\n")
    )
    path = whole.path(root) + "/api/files/local"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await whole.ask("admin", "POST", path, content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    stored = answer.json()["files"]["local"]
    one = await whole.ask("admin", "GET", f"{path}/{stored['path']}")
    assert one.json()["display"] == wanted
    assert (await whole.ask("admin", "DELETE", f"{path}/{stored['path']}")).status_code == 204


async def test_cors_off_by_default_api_allow_cross_origin_in_the_settings_never_with_credentials(
    whole: Whole, root: str
) -> None:
    """Every route that reads, refused or not: nothing; the Origin alone; then nothing again."""
    settings = whole.path(root) + "/api/settings"

    async def told(who: str) -> set[tuple[str | None, str | None]]:
        found = set()
        for method, route in guarded():
            if method != "GET":
                continue
            target = whole.path(root + route)
            answer = await whole.ask(who, "GET", target, headers={"Origin": EVIL})
            names = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials")
            found.add((answer.headers.get(names[0]), answer.headers.get(names[1])))
            assert "Origin" in answer.headers.get("Vary", ""), (route, answer.status_code)
        return found

    async def put(allowed: bool) -> None:
        body = {"api": {"allowCrossOrigin": allowed}}
        assert (await whole.ask("admin", "POST", settings, json=body)).status_code == 200

    shown = (await whole.ask("admin", "GET", settings)).json()
    assert shown["api"]["allowCrossOrigin"] is False
    assert await told("admin") == await told("nobody") == {(None, None)}
    await put(True)
    try:
        assert await told("admin") == await told("nobody") == {(EVIL, None)}
    finally:
        await put(False)
    assert await told("admin") == {(None, None)}


def suffix(whole: Whole, root: str) -> str:
    """What the cookies of *root* end with."""
    return "_P5000" + (f"_R{whole.path(root)}".replace("/", "|") if root else "")


async def test_csrf_double_submit_for_cookie_sessions_not_for_keys(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """`csrf_token_P<port>` and `_R<root>`, and `X-CSRF-Token`: 400 on every route that changes
    something without it, empty or wrong; a key needs none.
    """
    login = whole.path(root) + "/api/login"
    assert (await browser.post(login, json=PERSON)).status_code == 200
    name = f"csrf_token{suffix(whole, root)}"
    token = browser.cookies[name]
    before = await whole.rows()
    for method, route in [*guarded(), ("POST", "/api/logout")]:
        if method == "GET":
            continue
        for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "another"}):
            target = whole.path(root + route)
            answer = await browser.request(method, target, json={}, headers=headers)
            assert answer.status_code == 400, (method, route, headers)
            assert "CSRF" in answer.json()["error"], (method, route, headers)
    assert await whole.rows() == before
    path = whole.path(root) + "/api/files/test"
    body = {"command": "exists", "storage": "local", "path": "", "filename": "a.gcode"}
    fits = await browser.post(path, json=body, headers={"X-CSRF-Token": token})
    assert fits.status_code == 200, fits.text
    assert (await whole.ask("viewer", "POST", path, json=body)).status_code == 200


async def test_login_active_passive_remember_403_for_mismatch_unknown_and_deactivated(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """`session` and `_is_external_client` are in the answer; the three refusals read the same."""
    login = whole.path(root) + "/api/login"
    name = f"asleep-{next(_names)}"
    person = {"username": name, "email": "", "password": "Correct-horse-7", "role": "viewer"}
    user = (await whole.ask("admin", "POST", "/api/v1/users", json=person)).json()["id"]
    account = f"/api/v1/users/{user}"
    await whole.ask("admin", "PATCH", account, json={"is_active": False})
    refused = [
        await browser.post(login, json={"user": who, "pass": password})
        for who, password in (
            *(("admin", "wrong"), ("nobody-here", "wrong")),
            (name, "Correct-horse-7"),
        )
    ]
    assert [answer.status_code for answer in refused] == [403, 403, 403]
    assert refused[0].json() == refused[1].json()
    await whole.ask("admin", "DELETE", account)
    active = await browser.post(login, json={**PERSON, "remember": True})
    record = active.json()
    assert (active.status_code, record["name"]) == (200, "admin")
    assert record["session"] and isinstance(record["_is_external_client"], bool)
    assert f"remember_token{suffix(whole, root)}" in browser.cookies
    passive = (await browser.post(login, json={"passive": True})).json()
    assert passive["name"] == "admin" and passive["session"]
    del browser.cookies[f"session{suffix(whole, root)}"]
    remembered = (await browser.post(login, json={"passive": True})).json()
    assert (remembered["name"], remembered["_login_mechanism"]) == ("admin", "remember_me")


async def test_post_logout_and_get_currentuser(
    whole: Whole, browser: httpx.AsyncClient, root: str
) -> None:
    """currentuser names who is logged in, and a guest after the logout, which is 204."""
    base = whole.path(root) + "/api"
    await browser.post(f"{base}/login", json=PERSON)
    assert (await browser.get(f"{base}/currentuser")).json()["name"] == "admin"
    token = browser.cookies[f"csrf_token{suffix(whole, root)}"]
    answer = await browser.post(f"{base}/logout", headers={"X-CSRF-Token": token})
    assert (answer.status_code, answer.content) == (204, b"")
    guest = (await browser.get(f"{base}/currentuser")).json()
    assert guest == {"name": None, "permissions": [], "groups": ["guests"]}
    assert (await browser.get(f"{base}/job")).status_code == 403
