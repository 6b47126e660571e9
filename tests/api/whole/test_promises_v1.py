"""What the O.D.I.N. documentation promises, a sentence a test, on every route that there is."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.accounts.models import Credential
from api.clock import SystemClock
from api.spec.units import is_measured, tells_unit
from tests.api.whole.conftest import BASE, Whole
from tests.api.whole.test_roles import BODIES, V1, nothing
from tests.api.whole.test_spec import operations

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: What anybody may ask, by the word that the promise has for it.
OPEN = {
    "login": """/auth/login /auth/mfa/verify /auth/oidc/config /auth/oidc/login
        /auth/oidc/callback /auth/oidc/exchange /auth/forgot-password /auth/reset-password
        /auth/capabilities /auth/biometric-refresh /reset-password /api/login /api/logout
        /api/currentuser /login/ /login /api/access/permissions""",
    "set-up": "/setup/status /setup/admin",
    "version": """/version /license /branding /settings/language /settings/education-mode
        /push/vapid-key /api/version""",
    "health": "/health /health/ready /online.txt /online.gif",
    "docs": "/openapi.json /docs /redoc /docs/<name>",
    "pairing": """/bridge/v1/pairing /bridge/v1/pairing/token /bridge/v1/enrol /bridge/v1/nonce
        /plugin/appkeys/probe /plugin/appkeys/request /plugin/appkeys/request/<app_token>
        /plugin/appkeys/auth/<app_token> /sockjs /sockjs/ /sockjs/info""",
    "the dashboard's page and what leads to one": "/ /octoprint/<slug> /octoprint/<slug>/",
    # 404 until somebody has opened this printer's overlay to the public.
    "an opened overlay": "/overlay/<int:printer_id>",
}
ANYBODY = {path for paths in OPEN.values() for path in paths.split()}


@pytest_asyncio.fixture(loop_scope="session")
async def browser(whole: Whole) -> Any:
    """A client with cookies of its own, and nothing in its headers."""
    transport = httpx.ASGITransport(app=whole.application, client=whole.transport.client)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


def rules(whole: Whole) -> Iterator[tuple[str, str, str]]:
    """(method, rule, the rule without what all of its face have in front) of the route table."""
    for rule in whole.application.quart.url_map.iter_rules():
        plain = rule.rule.removeprefix("/octoprint/<slug>")
        for prefix in ("/api/v1", "/api"):
            if f"{prefix}/" in f"{rule.rule}/" and rule.rule.removeprefix(prefix) in V1_PATHS:
                plain = rule.rule.removeprefix(prefix)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, plain


V1_PATHS = {path for _, path in V1} | {"/openapi.json", "/docs", "/redoc", "/docs/<name>"}


async def test_base_api_v1_and_alias_api(whole: Whole) -> None:
    """Every route is served by the same view at `/api/v1/…` and at `/api/…`."""
    quart = whole.application.quart
    views = {
        (method, rule.rule): quart.view_functions[rule.endpoint]
        for rule in quart.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for route in whole.application.v1.declared:
        if route.path in ("/version", "/users"):  # both dialects' at the root
            continue
        base = views[route.method, f"/api/v1{route.path}"]
        assert views[route.method, f"/api{route.path}"] is base, route.path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dead(farm_with_all: Whole) -> Whole:
    """The farm, and an admin's tokens that were good: one revoked, one past its time."""
    for who in ("revoked", "expired"):
        made = await farm_with_all.ask("admin", "POST", "/api/v1/tokens", json={"name": who})
        farm_with_all.secrets[who] = made.json()["token"]
        if who == "revoked":
            path = f"/api/v1/tokens/{made.json()['id']}"
            assert (await farm_with_all.ask("admin", "DELETE", path)).status_code == 200
        else:
            farm_with_all.application.database.__enter__()
            ended = SystemClock().now() - timedelta(days=1)
            await Credential.filter(id=made.json()["id"]).update(expires_at=ended)
    return farm_with_all


@pytest.mark.parametrize("who", ["nobody", "stranger", "revoked", "expired"])
async def test_every_request_needs_authentication_except_login_set_up_version_health_docs_pairing(
    dead: Whole, who: str
) -> None:
    """401 of v1, 403 of OctoPrint's face, for every rule of the route table that the promise does
    not except, whatever credential is none; nothing changed (safety S01).
    """
    before = await dead.rows()
    asked = 0
    for method, rule, plain in rules(dead):
        if {plain, rule} & ANYBODY:
            continue
        answer = await dead.ask(who, method, dead.path(rule.replace("<sha256>", "0" * 64)))
        asked += 1
        if "/bridge/" in rule:
            assert answer.status_code == 401, (method, rule)
        elif plain in V1_PATHS:
            code = answer.json()["error"]["code"]
            assert (answer.status_code, code) == (401, "not_authenticated"), (method, rule)
        else:
            assert answer.status_code == 403, (method, rule)
    assert asked > 700
    assert await dead.rows() == before


@pytest.mark.parametrize("how", ["json", "data"], ids=["json", "form"])
async def test_httponly_session_cookie_by_post_auth_login_with_json_or_form(
    browser: httpx.AsyncClient, how: str
) -> None:
    """Either body sets it; with it alone the next request is somebody's."""
    person = {"username": "admin", "password": "Correct-horse-7"}
    given: dict[str, Any] = {how: person}
    answer = await browser.post("/api/v1/auth/login", **given)
    assert answer.status_code == 200, answer.text
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert (await browser.get("/api/v1/auth/me")).json()["username"] == "admin"
    assert (await browser.post("/api/v1/auth/logout")).status_code == 200
    assert (await browser.get("/api/v1/auth/me")).status_code == 401


async def test_api_tokens_as_bearer_and_as_x_api_key(
    whole: Whole, browser: httpx.AsyncClient
) -> None:
    """Every route that reads answers both headers alike, at both bases."""
    token = whole.secrets["operator"]
    assert token is not None and token.startswith("odin_")
    for method, path in V1:
        if method != "GET":
            continue
        answers = [
            await browser.get(base + whole.path(path), headers=headers)
            for base in ("/api/v1", "/api")
            for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token})
        ]
        assert len({answer.status_code for answer in answers}) == 1, path
        assert answers[0].status_code != 401, path


async def test_tokens_are_made_and_revoked_by_their_user(
    whole: Whole, browser: httpx.AsyncClient
) -> None:
    """A viewer may; the token is theirs, and dead at once when they say so."""
    made = (await whole.ask("viewer", "POST", "/api/v1/tokens", json={"name": "mine"})).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    me = (await browser.get("/api/v1/auth/me", headers=bearer)).json()
    assert me["username"] == "viewer-1"
    path = f"/api/v1/tokens/{made['id']}"
    assert (await whole.ask("operator", "DELETE", path)).status_code == 404
    assert (await whole.ask("viewer", "DELETE", path)).json() == {"status": "ok"}
    assert (await browser.get("/api/v1/auth/me", headers=bearer)).status_code == 401


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
async def test_an_operators_token_gets_403_on_admin_routes(whole: Whole, header: str) -> None:
    """API tokens may never do more than their creator: every admin's route, by either header."""
    token = whole.secrets["operator"]
    value = f"Bearer {token}" if header == "Authorization" else f"{token}"
    before = await whole.rows()
    asked = 0
    for (method, path), role in V1.items():
        if role not in ("admin", "superadmin"):
            continue
        given: dict[str, Any] = {"json": BODIES.get((method, path), {})}
        target = f"/api/v1{whole.path(path)}"
        answer = await whole.ask("nobody", method, target, headers={header: value}, **given)
        assert answer.status_code == 403, (method, path)
        assert answer.json()["error"]["code"] == "permission_denied", (method, path)
        asked += 1
    assert asked > 50
    assert await whole.rows() == before


async def test_a_spec_that_is_generated_from_the_routes_with_every_route(whole: Whole) -> None:
    """What the running app serves and what the document lists are the same set, no name more."""
    spec = (await whole.ask("nobody", "GET", "/api/v1/openapi.json")).json()
    served = {
        (method, rule.rule.removeprefix("/api/v1"))
        for rule in whole.application.quart.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    } - {("GET", path) for path in ("/openapi.json", "/docs", "/redoc", "/docs/<name>")}
    plain = {(method, path.replace("int:", "").replace("path:", "")) for method, path in served}
    listed = {
        (method, path.replace("{", "<").replace("}", ">")) for method, path, _ in operations(spec)
    }
    assert listed == plain


async def test_a_spec_with_every_field_and_every_unit(whole: Whole) -> None:
    """Every object names its fields, and every number says what it is counted in."""
    spec = (await whole.ask("nobody", "GET", "/api/v1/openapi.json")).json()
    measured = 0
    for name, schema in spec["components"]["schemas"].items():
        fields = schema.get("properties", {})
        if schema.get("type") == "object":
            assert fields or "additionalProperties" in schema, name
        for field, described in fields.items():
            if is_measured(described):
                assert tells_unit(field, described), (name, field)
                measured += 1
    assert measured > 300


async def test_a_spec_with_every_error(whole: Whole) -> None:
    """401 wherever a credential is asked for, 403 for a right, 404 for an id, 422 for a body or a
    query; each refers to the form of its body.
    """
    spec = (await whole.ask("nobody", "GET", "/api/v1/openapi.json")).json()
    declared = {(each.method, each.path): each.doc for each in whole.application.v1.declared}
    for (method, path), doc in declared.items():
        templated = path.replace("<int:", "{").replace("<", "{").replace(">", "}")
        told = spec["paths"][templated][method.lower()]["responses"]
        wanted = {"401"} if V1[method, path] != "public" else set()
        wanted |= {"403"} if doc.right else set()
        wanted |= {"404"} if "<int:" in path else set()
        wanted |= {"422"} if doc.body is not None or doc.query else set()
        assert wanted <= set(told), (method, path, wanted - set(told))
        for status, response in told.items():
            if status >= "400":
                kept = json.dumps(response)
                assert "$ref" in kept, (method, path, status)


#: v1 0.5: these are pages with a count inside, because the contract's are.
ENVELOPES = {"/archives", "/archives/log", "/audit-logs", "/tags", "/admin/logs", "/search"}


async def test_a_resource_or_an_array_directly(whole: Whole) -> None:
    """No answer is wrapped: a list is an array, one thing is its fields (v1 0.5)."""
    wrappers = {"data", "result", "results", "payload"}
    for (method, path), role in V1.items():
        if method != "GET" or role == "superadmin":
            continue
        answer = await whole.ask("admin", "GET", f"/api/v1{whole.path(path)}")
        if answer.status_code != 200 or "json" not in answer.headers["Content-Type"]:
            continue
        found = answer.json()
        doc = next(
            each.doc
            for each in whole.application.v1.declared
            if (each.method, each.path) == (method, path)
        )
        if doc.paged and path not in ENVELOPES:
            assert isinstance(found, list), path
        elif isinstance(found, dict) and path not in ENVELOPES:
            assert not wrappers & set(found), path


async def test_detail_on_errors_with_error_code_detail_retriable(whole: Whole) -> None:
    """Every route's 401 and 404: `{"detail", "error": {code, detail, retriable}}` (v1 1.5)."""
    for (method, path), role in V1.items():
        target = f"/api/v1{whole.path(path, **nothing(path))}"
        for who in ("nobody", "admin") if role != "public" else ("nobody",):
            given: dict[str, Any] = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
            if who == "admin" and "<int:" not in path:
                continue  # what it would change is others' business
            answer = await whole.ask(who, method, target, **given)
            if not answer.is_error:
                continue
            said = answer.json()
            if answer.status_code == 422 and isinstance(said["detail"], list):
                assert {"type", "loc", "msg"} <= set(said["detail"][0]), (method, path)
                continue
            assert isinstance(said["detail"], str), (method, path)
            assert {"code", "detail", "retriable"} <= set(said["error"]), (method, path)
            assert said["error"]["detail"] == said["detail"], (method, path)
            assert isinstance(said["error"]["retriable"], bool), (method, path)


async def test_200_201_204_400_401_403_404_422(whole: Whole) -> None:
    """No route answers anything else, but for what the contract adds itself (v1 1.5)."""
    spec = (await whole.ask("nobody", "GET", "/api/v1/openapi.json")).json()
    ordinary = {"200", "201", "204", "400", "401", "403", "404", "422"}
    contracts = {"302", "409", "411", "413", "415", "416", "423", "429", "500", "501", "503"}
    others = {"207"}  # a command to many printers, of which some did it
    for method, path, operation in operations(spec):
        told = set(operation["responses"])
        assert told <= ordinary | contracts | others, (method, path, told)
        assert {"200", "201", "204", "302"} & told, (method, path)
