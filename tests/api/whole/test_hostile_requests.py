"""Ways around the front door, from the routes of the running farm (safety S02, S04, S19–S29)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.whole.conftest import BASE, Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: What anybody may read: nothing else answers a GET without a credential.
PUBLIC = {
    *(
        "/",
        "/health",
        "/online.txt",
        "/online.gif",
        "/openapi.json",
        "/login/",
        "/sockjs",
        "/sockjs/",
    ),
    *("/docs", "/redoc", "/docs/<name>", "/version", "/health/ready", "/setup/status"),
    *("/auth/capabilities", "/permissions", "/api/currentuser", "/api/languages", "/sockjs/info"),
    *("/api/access/permissions", "/plugin/appkeys/probe", "/license", "/branding"),
    *("/auth/oidc/config", "/settings/language", "/settings/education-mode", "/reset-password"),
    "/push/vapid-key",
}
SECRET_SHAPES = (
    *(
        "",
        " ",
        "null",
        "undefined",
        "None",
        "0",
        "[]",
        "{}",
        "odin_",
        "admin",
        "*",
        "%",
        "' OR 1=1",
    ),
    *("odin_" + "A" * 43, "x" * 100_000, "é", "eyJhbGciOiJub25lIn0.e30."),
)
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
#: They log in or prove themselves otherwise; a foreign page must not get through either.
OPEN = {"/auth/login", "/setup/admin"}


def places(whole: Whole, method: str) -> list[str]:
    """Every v1 path with *method* that is not public, with ids of what exists."""
    found = []
    for route in whole.application.v1.declared:
        if route.method == method and not route.public:
            path = route.path
            for name, value in whole.ids.items():
                path = path.replace(f"<int:{name}>", value).replace(f"<{name}>", value)
            if "<" not in path:
                found.append(f"/api/v1{path}")
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def session(whole: Whole) -> AsyncIterator[httpx.AsyncClient]:
    """A browser in which an admin is logged in."""
    transport = httpx.ASGITransport(app=whole.application, client=("192.0.2.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        person = {"username": "admin", "password": "Correct-horse-7"}
        answer = await client.post("/api/v1/auth/login", json=person)
        assert answer.status_code == 200, answer.text
        yield client


async def test_nobody_reads_anything_but_the_public_pages(whole: Whole) -> None:
    """S02: every GET of the url map without a credential; 200 only from the list above."""
    for rule in whole.application.quart.url_map.iter_rules():
        if "GET" not in (rule.methods or set()):
            continue
        plain = rule.rule
        for prefix in ("/api/v1", "/octoprint/<slug>"):
            plain = plain.removeprefix(prefix)
        if {plain, plain.removeprefix("/api"), rule.rule} & PUBLIC:
            continue
        path = rule.rule
        for name in rule.arguments:
            value = whole.ids.get(name, "1")
            for kind in ("", "int:", "path:"):
                path = path.replace(f"<{kind}{name}>", value)
        answer = await whole.ask("nobody", "GET", path)
        assert answer.status_code in (302, 308, 400, 401, 403, 404), (path, answer.status_code)


@pytest.mark.parametrize(
    "spell",
    [
        *(lambda path: "/" + path, lambda path: path + "/", lambda path: path.upper()),
        *(lambda path: path + ";x=1", lambda path: path + "/.", lambda path: path + "%00"),
        *(
            lambda path: path.replace("/v1/", "/v1/%2e%2e/v1/"),
            lambda path: path.replace("/v1/", "/v1//"),
            lambda path: path.replace("/v1/", "/v1\\"),
            lambda path: path + "/..;/health",
        ),
    ],
)
async def test_no_spelling_of_a_path_gets_around(whole: Whole, spell: Any) -> None:
    """S02: `//A/x`, `/A/x/`, `%2e%2e`, case, `;x`: refused or not there, never answered."""
    for path in places(whole, "GET"):
        answer = await whole.ask("nobody", "GET", spell(path))
        assert answer.status_code in (308, 400, 401, 403, 404), (spell(path), answer.status_code)


async def test_no_method_gets_around(whole: Whole) -> None:
    """S02: HEAD as GET, OPTIONS tells nothing but methods, TRACE is none, overrides count not."""
    for path in places(whole, "GET"):
        assert (await whole.ask("nobody", "HEAD", path)).status_code == 401, path
        options = await whole.ask("nobody", "OPTIONS", path)
        assert (options.status_code, options.content) == (200, b""), path
        assert (await whole.ask("admin", "TRACE", path)).status_code == 405, path
    before = await whole.rows()
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        path = f"/api/v1/printers/{whole.ids['printer_id']}"
        answer = await whole.ask("admin", "GET", path, headers={header: "DELETE"})
        assert answer.status_code == 200
        answer = await whole.ask("admin", "GET", path, params={"_method": "DELETE"})
        assert answer.status_code == 200
    assert await whole.rows() == before


@pytest.mark.parametrize("secret", SECRET_SHAPES, ids=lambda secret: repr(secret[:20]))
async def test_no_empty_or_odd_credential_is_one(whole: Whole, secret: str) -> None:
    """S04: 401 in v1, 403 on the OctoPrint face, by every carrier."""
    raw = secret.encode()
    carriers: tuple[dict[str, Any], ...] = (
        {"headers": {"X-Api-Key": raw}},
        {"headers": {"Authorization": b"Bearer " + raw}},
        {"headers": {"Authorization": b"Basic " + raw}},
        {"headers": {"Cookie": b"session=" + raw}},
    )
    for given in carriers:
        for path in ("/api/v1/printers", "/api/printers"):
            answer = await whole.ask("nobody", "GET", path, **given)
            assert answer.status_code == 401, (path, given)
        answer = await whole.ask("nobody", "GET", "/octoprint/alpha/api/job", **given)
        assert answer.status_code == 403, given
    answer = await whole.ask("nobody", "GET", "/api/job", params={"apikey": secret[:200]})
    assert answer.status_code == 403


async def test_odd_cookies_are_nobody(whole: Whole, session: httpx.AsyncClient) -> None:
    """S19: nameless, double, two hundred of them: anonymous; the real one's attributes."""
    value = session.cookies["session"]
    for cookie in (
        *(f"=session={value}", f"session={value}; session={value}", f"session={value}; session="),
        "; ".join(f"session{n}={value}" for n in range(200)),
    ):
        headers = {"Cookie": cookie}
        answer = await whole.ask("nobody", "GET", "/api/v1/auth/me", headers=headers)
        assert answer.status_code == 401, cookie[:60]
    login = {"username": "admin", "password": "Correct-horse-7"}
    answer = await session.post("/api/v1/auth/login", json=login)
    said = answer.headers["Set-Cookie"].lower()
    assert "httponly" in said and "samesite=strict" in said and "path=/" in said


async def test_a_foreign_page_changes_nothing_with_our_cookie(
    whole: Whole, session: httpx.AsyncClient
) -> None:
    """S20, S23: every unsafe route with the cookie and a foreign Origin is 403 csrf_failed."""
    before = await whole.rows()
    for method in sorted(UNSAFE):
        for path in places(whole, method):
            for headers in (
                {"Origin": "https://evil.example"},
                {"Origin": "null"},
                {"Origin": f"{BASE}.evil.example"},
                {"Sec-Fetch-Site": "cross-site"},
            ):
                answer = await session.request(method, path, json={}, headers=headers)
                assert answer.status_code == 403, (method, path, headers)
                assert answer.json()["error"]["code"] == "csrf_failed", (method, path)
    assert await whole.rows() == before


@pytest.mark.parametrize("path", ["/api/v1/auth/login", "/api/v1/setup/admin", "/api/login"])
async def test_a_foreign_page_logs_nobody_in(whole: Whole, path: str) -> None:
    """S23: login CSRF is refused, whatever the password."""
    person = {"username": "admin", "user": "admin", "pass": "Correct-horse-7"}
    body = {**person, "password": "Correct-horse-7", "email": "a@b.example"}
    evil = {"Origin": "https://evil.example"}
    answer = await whole.ask("nobody", "POST", path, json=body, headers=evil)
    assert answer.status_code == 403, answer.text
    assert "Set-Cookie" not in answer.headers


async def test_a_wrong_key_beside_the_cookie_is_not_forgiven(
    whole: Whole, session: httpx.AsyncClient
) -> None:
    """S22: the explicit credential counts; the cookie does not stand in for it."""
    for headers in ({"X-API-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"X-API-Key": ""}):
        for method in ("GET", "POST"):
            answer = await session.request(method, "/api/v1/printers", json={}, headers=headers)
            assert answer.status_code == 401, (method, headers)


async def test_no_other_site_reads_answers(whole: Whole) -> None:
    """S24: without the setting no answer allows another origin, errors included."""
    for path in ("/api/v1/printers", "/api/v1/nothing", "/api/job", "/octoprint/alpha/api/job"):
        for who in ("admin", "nobody"):
            headers = {"Origin": "https://evil.example"}
            answer = await whole.ask(who, "GET", path, headers=headers)
            assert "Access-Control-Allow-Origin" not in answer.headers, path


async def test_reading_changes_nothing(whole: Whole) -> None:
    """S21: no GET of any route writes a row."""
    before = await whole.rows()
    for path in places(whole, "GET"):
        await whole.ask("admin", "GET", path)
        await whole.ask("admin", "HEAD", path)
    assert await whole.rows() == before


WILD = ("%", "_", "\\", "%%", "' OR '1'='1", "1; DROP TABLE printer", "a*", "[a-z]", "\U0001f600")


async def test_filters_take_what_they_are_given_literally(whole: Whole) -> None:
    """S28: SQL and its wildcards in every text of a query: nothing found or refused, never 500."""
    spec = (await whole.ask("nobody", "GET", "/openapi.json")).json()
    for path, item in spec["paths"].items():
        for one in item.get("get", {}).get("parameters", ()):
            if one["in"] != "query":
                continue
            target = "/api/v1" + path
            for name, value in whole.ids.items():
                target = target.replace(f"{{{name}}}", value)
            for value in WILD:
                answer = await whole.ask("admin", "GET", target, params={one["name"]: value})
                assert answer.status_code in (200, 400, 404, 422), (target, one["name"], value)
    for path in ("printers?tag=%25", "jobs?status=%25", "models?category=%25", "printers?status=_"):
        answer = await whole.ask("admin", "GET", f"/api/v1/{path}")
        assert answer.status_code == 422 or answer.json() == [], path


async def test_every_list_has_bounds(whole: Whole) -> None:
    """S29: `limit=10**9` is a page, `skip=-1` 422; `skip` and `limit` on every list there is."""
    spec = (await whole.ask("nobody", "GET", "/openapi.json")).json()
    for path, item in spec["paths"].items():
        names = {one["name"] for one in item.get("get", {}).get("parameters", ())}
        target = "/api/v1" + path
        for name, value in whole.ids.items():
            target = target.replace(f"{{{name}}}", value)
        plain = await whole.ask("admin", "GET", target, params={"unknown": "x"})
        if "skip" not in names or plain.status_code != 200:
            continue
        assert {"skip", "offset", "limit"} <= names, path
        assert int(plain.headers["X-Total-Count"]) >= 0, path
        for query in ({"limit": 10**9}, {"skip": 10**9}, {"offset": 1, "limit": 1}):
            answer = await whole.ask("admin", "GET", target, params=query)
            assert answer.status_code == 200, (path, query)
            assert answer.headers["X-Total-Count"] == plain.headers["X-Total-Count"], path
        for name, wrong in (("skip", "-1"), ("limit", "-1"), ("offset", "x")):
            answer = await whole.ask("admin", "GET", target, params={name: wrong})
            assert answer.status_code == 422, (path, name)


#: Of every JSON type, and beyond every bound: some fit, most do not.
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**31,
    2**63,
    10**30,
    1e308,
    "",
    "\u202e",
    "a" * 300,
    [],
    [None],
    {},
)


async def test_odd_values_in_every_field_of_every_body(whole: Whole) -> None:
    """S27, S29: generated from the specification; nothing there is touched, never a 500."""
    spec = (await whole.ask("nobody", "GET", "/openapi.json")).json()
    schemas = spec["components"]["schemas"]
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
            target = "/api/v1" + path
            for one in operation.get("parameters", ()):
                target = target.replace(f"{{{one['name']}}}", "987654")
            if "987654" not in target:
                continue  # what makes or sets something is tried by test_odd_requests and fuzzing
            for field in schema.get("properties", {}):
                for value in ODD:
                    answer = await whole.ask("admin", method.upper(), target, json={field: value})
                    assert answer.status_code < 500, (method, path, field, value)
                    assert "detail" in answer.json(), (method, path, field, value)
