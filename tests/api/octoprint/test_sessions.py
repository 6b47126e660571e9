"""Cookies, sessions and keys as they come and go (octoprint 0 and 2)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.accounts.models import Credential, User
from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALPHA = "/octoprint/alpha"
SUFFIX = "_P5000_R|octoprint|alpha"
LOGIN = {"user": "admin", "pass": PASSWORD}


def lines(answer: httpx.Response) -> dict[str, str]:
    """What each cookie of *answer* is set to, by its whole name."""
    return {line.partition("=")[0]: line for line in answer.headers.get_list("set-cookie")}


def is_deleted(line: str) -> bool:
    return "Max-Age=0" in line


async def log_in(farm: Farm, user: str = "admin", root: str = ALPHA) -> httpx.Response:
    return await farm.http.post(f"{root}/api/login", json={"user": user, "pass": PASSWORD})


def paired(farm: Farm) -> dict[str, str]:
    """The header that belongs to the CSRF cookie."""
    return {"X-CSRF-Token": farm.http.cookies[f"csrf_token{SUFFIX}"]}


@pytest.mark.parametrize(("scheme", "is_secure"), [("https", True), ("http", False)])
async def test_cookies_keep_to_their_octoprint(farm: Farm, scheme: str, is_secure: bool) -> None:
    """octoprint 2 cookies: named and pathed by port and root as the client sees them; scripts read
    the CSRF token alone; `Secure` on https.
    """
    headers = {
        "X-Script-Name": "/octo/p1",
        "X-Forwarded-Host": "print.example",
        "X-Forwarded-Port": "15001",
        "X-Forwarded-Proto": scheme,
    }
    body = {**LOGIN, "remember": True}
    for root, suffix in (("", "_P15001_R|octo|p1"), (ALPHA, "_P15001_R|octo|p1|octoprint|alpha")):
        set_ = lines(await farm.http.post(f"{root}/api/login", json=body, headers=headers))
        for name, is_hidden in (("session", True), ("csrf_token", False), ("remember_token", True)):
            line = set_[name + suffix]
            assert f"Path=/octo/p1{root}/" in line.split("; "), line
            assert "SameSite=Lax" in line
            assert ("HttpOnly" in line, "Secure" in line) == (is_hidden, is_secure)


async def test_a_logout_is_marked_until_the_next_login(farm: Farm) -> None:
    """octoprint 2 cookies: `active_logout` is set by the one and deleted by the other, under its
    plain name too.
    """
    await log_in(farm)
    left = lines(await farm.http.post(f"{ALPHA}/api/logout", headers=paired(farm)))
    assert left[f"active_logout{SUFFIX}"].startswith(f"active_logout{SUFFIX}=true")
    assert is_deleted(left[f"session{SUFFIX}"])
    back = lines(await log_in(farm))
    assert is_deleted(back[f"active_logout{SUFFIX}"])
    assert is_deleted(back["active_logout"])


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        *((f"{ALPHA}/", SUFFIX), (f"{ALPHA}/login/", SUFFIX)),
        *(("/", "_P5000"), ("/login/", "_P5000")),
    ],
)
async def test_a_page_brings_the_csrf_cookie(farm: Farm, path: str, suffix: str) -> None:
    """octoprint 2 CSRF cookie: of the top and the login; with it, a login sends the pair."""
    answer = await farm.http.get(path)
    assert "HttpOnly" not in lines(answer)[f"csrf_token{suffix}"]
    token = farm.http.cookies[f"csrf_token{suffix}"]
    root = ALPHA if path.startswith(ALPHA) else ""
    login = await farm.http.post(f"{root}/api/login", json=LOGIN, headers={"X-CSRF-Token": token})
    assert login.status_code == 200
    own = farm.http.cookies[f"csrf_token{suffix}"]
    await farm.http.get(path)
    assert farm.http.cookies[f"csrf_token{suffix}"] == own


async def test_the_dialog_of_an_app_brings_it_too(farm: Farm) -> None:
    """octoprint 2 CSRF cookie: whoever is sent on from there has it at the login."""
    asked = await farm.http.post(f"{ALPHA}/plugin/appkeys/request", json={"app": "a"})
    dialog = asked.json()["auth_dialog"]
    page = await farm.http.get(dialog, follow_redirects=True)
    assert page.status_code == 200
    assert farm.http.cookies[f"csrf_token{SUFFIX}"]


async def test_half_a_pair_is_none(farm: Farm) -> None:
    """octoprint 2 CSRF: the cookie missing, the header missing, or either of another login: 400."""
    await log_in(farm)
    old = paired(farm)["X-CSRF-Token"]
    await log_in(farm)
    new = paired(farm)["X-CSRF-Token"]
    session = farm.http.cookies[f"session{SUFFIX}"]
    farm.http.cookies.clear()
    body = {"command": "fake_ack"}
    for cookie, header, status in (
        *((None, new, 400), (new, None, 400), (old, new, 400), (new, old, 400), (old, old, 400)),
        (new, new, 204),
    ):
        cookies = {f"session{SUFFIX}": session, f"csrf_token{SUFFIX}": cookie}
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items() if v is not None)}
        headers |= {"X-CSRF-Token": header} if header is not None else {}
        answer = await farm.http.post(f"{ALPHA}/api/connection", json=body, headers=headers)
        assert answer.status_code == status, (cookie, header)


#: Whoever logs in or asks for a key has no pair yet; the form of a page brings its token itself.
WITHOUT_PAIR = (
    "/api/login",
    "/login/",
    "/plugin/appkeys/request",
    "/plugin/appkeys/auth/<app_token>",
)
THERE = {"origin": "local", "path": "a.gcode", "username": "guest", "key": "users"}


async def test_a_session_changes_nothing_anywhere_without_its_pair(farm: Farm) -> None:
    """octoprint 0 CSRF, 2 CSRF: every unsafe request of a cookie session, whatever it sends."""
    await farm.upload("a.gcode")
    await log_in(farm)
    asked, bodies = 0, list[dict[str, Any]](({}, {"json": {}}, {"data": {"a": "b"}}))
    for route in farm.application.octoprint.routes:
        is_open = route.path in WITHOUT_PAIR or route.path.startswith("/sockjs")
        if route.method in ("GET", "HEAD") or is_open:
            continue
        path = re.sub(r"<(?:path:)?(\w+)>", lambda match: THERE.get(match[1], "x"), route.path)
        for more in bodies:
            answer = await farm.http.request(route.method, ALPHA + path, **more)
            told = (answer.status_code, answer.json()["error"])
            assert told == (400, "CSRF validation failed"), (route.method, path, more)
            asked += 1
    assert asked > 100
    files = {"file": ("b.gcode", b"G28\n")}
    unpaired = await farm.http.post(f"{ALPHA}/api/files/local", files=files)
    assert unpaired.status_code == 400
    names = [one["name"] for one in (await farm.get("/api/files")).json()["files"]]
    assert (names, farm.room.orders) == (["a.gcode"], [])
    sent = await farm.http.post(f"{ALPHA}/api/files/local", files=files, headers=paired(farm))
    assert sent.status_code == 201


async def test_the_old_address_of_users_knows_a_session(farm: Farm) -> None:
    """octoprint 2 login: at the server's root, too, its cookie is a credential of this face."""
    assert (await log_in(farm, root="")).status_code == 200
    moved = await farm.http.get("/api/users/guest")
    assert (moved.status_code, moved.headers["location"]) == (307, "/api/access/users/guest")
    assert (await farm.http.get(moved.headers["location"])).json()["name"] == "guest"


async def test_a_key_needs_no_pair_and_outlives_logouts(farm: Farm) -> None:
    """octoprint 0 CSRF, 2 logout: with a valid key nothing is asked besides; it survives."""
    await log_in(farm)
    answer = await farm.post(f"{ALPHA}/api/connection", json={"command": "fake_ack"})
    assert answer.status_code == 204
    assert (await farm.post(f"{ALPHA}/api/logout")).status_code == 204
    assert (await farm.get(f"{ALPHA}/api/job")).status_code == 200


async def colleague(farm: Farm) -> dict[str, str]:
    """Mara's keys: one of her own, and one of an app of hers."""
    body = {"name": "mara", "password": PASSWORD, "active": True}
    assert (await farm.post("/api/access/users", json=body)).status_code == 200
    own = (await farm.post("/api/access/users/mara/apikey")).json()["apikey"]
    generate = {"command": "generate", "app": "phone"}
    headers = {"X-Api-Key": own}
    made = await farm.http.post("/api/plugin/appkeys", json=generate, headers=headers)
    assert made.status_code == 200, made.text
    return {"user key": own, "app key": made.json()["api_key"]}


async def test_whoever_is_switched_off_is_nobody(farm: Farm) -> None:
    """octoprint 2 key owner, 2 login: no key and no password of theirs opens anything, in the same
    words as for strangers; switched on again they do.
    """
    keys = await colleague(farm)
    stranger = await farm.http.post("/api/login", json={"user": "nobody", "pass": PASSWORD})
    for active, status in ((True, 200), (False, 403), (True, 200)):
        changed = await farm.http.put(
            "/api/access/users/mara", json={"active": active}, headers={"X-Api-Key": farm.key}
        )
        assert changed.status_code == 200
        for name, key in keys.items():
            assert (await farm.get("/api/job", key)).status_code == status, (name, active)
        login = await log_in(farm, "mara", "")
        assert login.status_code == status, active
        assert active or login.text == stranger.text
        farm.http.cookies.clear()


async def test_a_key_is_its_owner(farm: Farm) -> None:
    """octoprint 2 key owner: the key of the whole server is an admin's own, a user's the user's,
    an app's that of who granted it; no password by Basic auth, no proxy's word.
    """
    keys = await colleague(farm)
    keys["server"] = (await farm.post("/api/settings/apikey")).json()["apikey"]
    for name, owner in (("server", "admin"), ("user key", "mara"), ("app key", "mara")):
        found = (await farm.get("/api/currentuser", keys[name])).json()
        assert found["name"] == owner, name
    for headers in ({"X-Remote-User": "admin"}, {"Remote-User": "admin"}):
        assert (await farm.http.get("/api/job", headers=headers)).status_code == 403
    assert (await farm.http.get("/api/job", auth=("admin", PASSWORD))).status_code == 403


#: What takes a password given lately: (method, path, body, status with it).
SELDOM: list[tuple[str, str, Any, int]] = [
    ("GET", "/api/access/users", None, 200),
    ("GET", "/api/access/groups", None, 200),
    ("POST", "/api/access/users/guest/apikey", None, 200),
    ("PUT", "/api/access/users/guest", {"active": True}, 200),
    ("PUT", "/api/access/groups/users", {"description": ""}, 200),
    ("POST", "/api/settings/apikey", None, 200),
    ("POST", "/api/plugin/appkeys", {"command": "generate", "app": "x"}, 200),
]


async def test_administration_asks_for_the_password_again(farm: Farm) -> None:
    """octoprint 2 fresh credentials: a session that saw it long ago (ten minutes here, S15) gets
    403 on users, groups and keys of apps, and goes on with the rest; a key is always fresh.
    """
    await log_in(farm)
    session = await Credential.filter(kind="session").order_by("-id").first()
    assert session is not None
    for age_min, is_fresh in ((4, True), (11, False)):
        at = datetime.now(UTC) - timedelta(minutes=age_min)
        await Credential.filter(id=session.id).update(confirmed_at=at, created_at=at)
        for method, path, body, status in SELDOM:
            more = {} if body is None else {"json": body}
            answer = await farm.http.request(method, ALPHA + path, headers=paired(farm), **more)
            assert answer.status_code == (status if is_fresh else 403), (path, age_min)
        assert (await farm.http.get(f"{ALPHA}/api/job")).status_code == 200
    record = (await farm.http.post(f"{ALPHA}/api/login", json={"passive": True})).json()
    assert (record["name"], record["apikey"]) == ("admin", None)
    await Credential.all().update(created_at=at)
    farm.http.cookies.clear()
    assert (await farm.get("/api/access/users")).status_code == 200


async def test_only_refused_passwords_are_counted(farm: Farm) -> None:
    """octoprint 0 login limiter: three 403 in a minute, by address; what was no attempt or went
    well is none; then 429 for the right password and with a key, and for nobody else.
    """
    path = f"{ALPHA}/api/login"
    for body, status in (
        *[({"user": "admin"}, 400)] * 4,
        *[(LOGIN, 200)] * 4,
        *[({"passive": True}, 200)] * 4,
        *[({**LOGIN, "pass": "no"}, 403)] * 3,
        *[({**LOGIN, "pass": "no"}, 429), (LOGIN, 429), ({"passive": True}, 429)],
    ):
        answer = await farm.http.post(path, json=body)
        assert answer.status_code == status, (body, answer.text)
    passive = await farm.post(path, json={"passive": True})
    assert passive.status_code == 429
    elsewhere = {"X-Forwarded-For": "198.51.100.7"}
    assert (await farm.http.post(path, json=LOGIN, headers=elsewhere)).status_code == 200


async def test_a_login_says_who_and_how(farm: Farm) -> None:
    """octoprint 2 login: the record's types, the mechanism, and when the password was seen."""
    for body, headers, mechanism in (
        (LOGIN, {}, "password"),
        ({"passive": True}, {"X-Api-Key": farm.key}, "apikey"),
    ):
        answer = await farm.http.post("/api/login", json=body, headers=headers)
        record = answer.json()
        farm.http.cookies.clear()
        assert datetime.fromisoformat(record["_credentials_seen"]).tzinfo is not None
        assert (record["_login_mechanism"], record["_is_external_client"]) == (mechanism, False)
        assert isinstance(record["session"], str) and record["session"]
        assert (record["name"], record["active"], record["apikey"]) == ("admin", True, None)
        assert record["roles"] == ["user", "admin"] and record["settings"] == {}
        assert set(record["needs"]) == {"role", "group"}
        assert record["groups"] == record["needs"]["group"] == ["admins", "users"]


async def test_a_deleted_user_stays_signed_in_nowhere(farm: Farm) -> None:
    """octoprint 0 reauthRequired removed: nothing says it; keys and sessions are dead at once."""
    keys = await colleague(farm)
    assert (await log_in(farm, "mara")).status_code == 200
    gone = await farm.http.delete("/api/access/users/mara", headers={"X-Api-Key": farm.key})
    assert gone.status_code == 200
    assert not await User.filter(username="mara", is_active=True).exists()
    assert (await farm.http.get(f"{ALPHA}/api/job")).status_code == 403
    for key in keys.values():
        assert (await farm.get("/api/job", key)).status_code == 403
