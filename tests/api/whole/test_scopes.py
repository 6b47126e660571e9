"""Every route by a token of every scope (v1 1.3): the table of rights is what really happens."""

import pytest
import pytest_asyncio

from api.principal import AGENT_ROUTES, RIGHTS, SCOPES
from tests.api.whole.conftest import Whole
from tests.api.whole.test_roles import BODIES, RANK, V1, code_of, nothing

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: v1 1.3 and 2.3 to 2.9: what agents' scopes open, exactly.
_READ = {
    *(("GET", "/printers"), ("GET", "/printers/<int:printer_id>")),
    *(("GET", "/jobs"), ("GET", "/jobs/<int:job_id>"), ("GET", "/alerts"), ("GET", "/spools")),
    *(("GET", "/filament-library"), ("GET", "/maintenance/tasks"), ("GET", "/orders")),
}
AGENTS = {
    "agent:read": _READ,
    "agent:write": {
        *_READ,
        ("PATCH", "/alerts/<int:alert_id>/read"),
        ("PATCH", "/alerts/<int:alert_id>/dismiss"),
        ("POST", "/maintenance/logs"),
        *((method, "/spools/<int:spool_id>/use") for method in ("POST", "PATCH")),
        ("POST", "/filament-slots"),
        ("POST", "/jobs"),
        ("POST", "/printers/<int:printer_id>/pause"),
        ("POST", "/printers/<int:printer_id>/resume"),
        ("POST", "/jobs/<int:job_id>/cancel"),
        ("POST", "/jobs/<int:job_id>/approve"),
        ("POST", "/jobs/<int:job_id>/reject"),
    },
}

#: Where a route belongs, by the longest of these that it begins with: to an area with scopes of its
#: own, to the whole farm ("": read and write alone), to the caller, or to nobody's scope at all.
_SELF, _ANYBODY = "self", "anybody"
AREAS = {
    "/printers": "printers",
    "/printers/<int:printer_id>/octoprint-key": _SELF,
    "/printers/<int:printer_id>/slots/needs-attention": "printers",
    "/printers/<int:printer_id>/slots/<int:slot_number>/assign": "spools",
    "/printers/bulk-control": "printers",
    "/printers/fleet-stop": "printers",
    "/printer-profiles": "printers",
    "/pools": "printers",
    "/bridges": "printers",
    "/scheduler/circuits": "printers",
    "/jobs": "jobs",
    "/jobs/<int:job_id>/preflight/fix": "",  # of two areas: it makes a file
    "/scheduler": "jobs",
    "/failure-reasons": "jobs",
    "/presets": "jobs",
    "/pricing-config": "jobs",
    "/config": "jobs",
    "/print-files/<int:file_id>/schedule": "jobs",
    "/models/<int:model_id>/schedule": "jobs",
    "/models": "models",
    "/files": "models",
    "/print-files": "models",
    "/spools": "spools",
    "/spoolman": "spools",
    "/filament": "spools",
    "/alert": "",
    "/push": "",
    "/maintenance": "",
    "/orders": "orders",
    "/products": "orders",
    "/consumables": "orders",
    "/groups": "",
    "/archives": "jobs",
    "/projects": "",
    "/tags": "",
    "/timelapses": "",
    "/stats": "analytics",
    "/analytics": "analytics",
    "/search": "analytics",
    "/timeline": "analytics",
    "/print-jobs": "analytics",
    "/export": "analytics",
    "/education": "analytics",
    "/metrics": "analytics",
    "/auth": _SELF,
    "/tokens": _SELF,
    "/sessions": _SELF,
    "/setup/printer": "printers",
    "/setup/network": _SELF,
    "/quotas": _SELF,
    "/users/<int:user_id>": _SELF,
    "/auth/me": _ANYBODY,
    "/auth/me/theme": _SELF,
    "/auth/logout": _ANYBODY,
    "/permissions": _ANYBODY,
    "/events": _ANYBODY,
}
READERS = {scope for scope in SCOPES if not scope.startswith("agent")}


def scopes_of(route: tuple[str, str]) -> set[str] | None:
    """The scopes that open *route*, by the contract and the table above; None: needs none."""
    method, path = route
    if V1[route] in ("admin", "superadmin"):
        return {"admin", "read:users"} if route == ("GET", "/users") else {"admin"}
    area = AREAS[max((one for one in AREAS if path.startswith(one)), key=len)]
    if area == _ANYBODY:
        return None
    by_agents = {scope for scope, routes in AGENTS.items() if route in routes}
    if area == _SELF:
        return READERS if method == "GET" or path == "/auth/ws-token" else {"write", "admin"}
    own = {f"write:{area}", f"read:{area}"} if method == "GET" else {f"write:{area}"}
    general = {"write", "admin", "read"} if method == "GET" else {"write", "admin"}
    return (general | own | by_agents) & set(SCOPES)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scoped(farm_with_all: Whole) -> Whole:
    """The whole farm, and a token of the admin for each scope alone, by the scope's name."""
    farm_with_all.application.database.__enter__()
    for scope in SCOPES:
        body = {"name": scope, "scopes": [scope]}
        made = await farm_with_all.ask("admin", "POST", "/api/v1/tokens", json=body)
        assert made.status_code == 200, made.text
        farm_with_all.secrets[scope] = made.json()["token"]
    return farm_with_all


async def asked(whole: Whole, scope: str, route: tuple[str, str], **ids: str) -> str | None:
    """The code that *route* answers to a token of *scope* alone; None: no refusal."""
    method, path = route
    given = {"json": BODIES.get(route, {})} if method in ("POST", "PATCH", "PUT") else {}
    if route == ("POST", "/tokens"):  # a limited token makes none without a limit
        given = {"json": {"name": "more", "scopes": [scope.rpartition(" ")[2]]}}
    answer = await whole.ask(scope, method, "/api/v1" + whole.path(path, **ids), **given)
    assert answer.status_code < 500 or answer.status_code == 503, (route, answer.text)
    return code_of(answer)


async def test_every_route_has_its_scopes() -> None:
    """A route that belongs nowhere fails here; so does an area that no route is in."""
    used = set()
    for route, role in V1.items():
        if role != "public":
            scopes_of(route)
            fitting = [one for one in AREAS if route[1].startswith(one)]
            used |= {max(fitting, key=len)} if fitting else set()
    assert {route for routes in AGENTS.values() for route in routes} <= V1.keys()
    assert used <= AREAS.keys()


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_opens_what_the_contract_gives_it_and_nothing_else(
    scoped: Whole, scope: str
) -> None:
    """403 scope_denied on every other route, where nothing changes; an admin's token (v1 1.3)."""
    before = await scoped.rows()
    for route, role in V1.items():
        opening = None if role == "public" else scopes_of(route)
        if opening is not None and scope not in opening:
            code = await asked(scoped, scope, route)
            assert code in ("scope_denied", "not_found"), (scope, route, code)
    assert await scoped.rows() == before
    for route, role in V1.items():
        opening = None if role == "public" else scopes_of(route)
        if opening is not None and scope in opening and role != "superadmin":
            code = await asked(scoped, scope, route, **nothing(route[1]))
            assert code not in ("scope_denied", "permission_denied"), (scope, route, code)


@pytest.mark.parametrize("who", ["viewer", "operator"])
async def test_a_scope_gives_nobody_more_than_their_role(scoped: Whole, who: str) -> None:
    """S71: `write` in the hands of whoever may not; nothing changes."""
    body = {"name": "all", "scopes": ["write"]}
    made = await scoped.ask(who, "POST", "/api/v1/tokens", json=body)
    scoped.secrets["all of " + who] = made.json()["token"]
    before = await scoped.rows()
    for route, role in V1.items():
        if role != "public" and RANK[role] > RANK[who]:
            code = await asked(scoped, "all of " + who, route)
            assert code == "permission_denied", (who, route, code)
    assert await scoped.rows() == before


async def test_another_organizations_rows_are_not_there_for_any_scope(scoped: Whole) -> None:
    """404 for the rows of others, with every scope that opens the route (v1 1.4)."""
    scopes = [one for one in SCOPES if not one.startswith(("read", "agent:read"))]
    for scope in scopes:
        body = {"name": scope, "scopes": [scope]}
        made = await scoped.ask("foreigner", "POST", "/api/v1/tokens", json=body)
        scoped.secrets["far " + scope] = made.json()["token"]
    before = await scoped.rows()
    for route, role in V1.items():
        opening = None if role == "public" else scopes_of(route)
        if "<int:" not in route[1] or opening is None or role == "superadmin":
            continue
        for scope in (one for one in scopes if one in opening):
            code = await asked(scoped, "far " + scope, route)
            assert code is not None, (scope, route)
            assert code.endswith("not_found") or code == "validation_failed", (scope, route, code)
    assert await scoped.rows() == before


async def test_a_token_shrinks_with_its_maker(scoped: Whole) -> None:
    """S71: effective rights are the least of the token's and the person's, now."""
    body = {"username": "shrinks", "email": "", "password": "Correct-horse-7", "role": "operator"}
    user = (await scoped.ask("admin", "POST", "/api/v1/users", json=body)).json()["id"]
    login = {"username": "shrinks", "password": "Correct-horse-7"}
    session = (await scoped.http.post("/api/v1/auth/login", json=login)).json()["access_token"]
    scoped.http.cookies.clear()
    bearer = {"Authorization": f"Bearer {session}"}
    made = await scoped.http.post("/api/v1/tokens", json={"name": "t"}, headers=bearer)
    scoped.secrets["shrinking"] = made.json()["token"]

    async def release() -> str | None:
        path = f"/api/v1/printers/{scoped.ids['printer_id']}/queue/release"
        return code_of(await scoped.ask("shrinking", "POST", path))

    path = f"/api/v1/users/{user}"
    assert await release() is None
    for change, code in (
        ({"role": "viewer"}, "permission_denied"),
        ({"role": "operator"}, None),
        ({"is_active": False}, "not_authenticated"),
    ):
        assert (await scoped.ask("admin", "PATCH", path, json=change)).status_code == 200
        assert await release() == code, change
    await scoped.ask("admin", "DELETE", path)


async def test_agents_open_nothing_of_the_other_face(scoped: Whole) -> None:
    """Their scopes are v1's: a slicer's address refuses them."""
    for scope in AGENTS:
        path = f"/octoprint/{scoped.ids['slug']}/api/printer"
        assert (await scoped.ask(scope, "GET", path)).status_code == 403


@pytest.mark.parametrize("scope", sorted(AGENTS))
async def test_what_agents_need_is_open_to_agents(scoped: Whole, scope: str) -> None:
    """The contract's table, asked for what is not there where it would change something."""
    for route in AGENTS[scope]:
        code = await asked(scoped, scope, route, **nothing(route[1]))
        assert code not in ("scope_denied", "permission_denied"), (scope, route)


@pytest.mark.parametrize(
    "path",
    [
        *("/stats", "/analytics", "/analytics/failures", "/analytics/time-accuracy"),
        *("/print-jobs", "/print-jobs/stats", "/metrics"),
    ],
)
async def test_reports_need_no_other_scope(scoped: Whole, path: str) -> None:
    """`read:analytics` alone opens them: who counts need not read the rows (v1 1.3)."""
    answer = await scoped.ask("read:analytics", "GET", f"/api/v1{path}")
    assert answer.status_code == 200, answer.text


async def test_the_table_of_rights_is_the_contracts(scoped: Whole) -> None:
    """The contract's own table; `read` and `write` open the same (v1 1.3, ours)."""
    told = {scope: {r for r, by in AGENT_ROUTES.items() if scope in by} for scope in AGENTS}
    assert told == AGENTS
    for scope, routes in AGENTS.items():
        for method, path in routes:
            right = next(
                route.doc.right
                for route in scoped.application.v1.declared
                if (route.method, route.path) == (method, path)
            )
            assert right is not None
            assert {scope, "write"} <= RIGHTS[right].scopes, (method, path)
            assert ("read" in RIGHTS[right].scopes) == (method == "GET"), (method, path)


async def test_the_specification_names_the_right_role(whole: Whole) -> None:
    """The right in a route's Doc asks for the role that the route is tried with; people may do
    with themselves what takes an admin with others.
    """
    for route in whole.application.v1.declared:
        if route.doc.right is not None:
            least = V1[route.method, route.path].replace("superadmin", "admin")
            asks = RIGHTS[route.doc.right].role
            assert asks == least or (asks, least) == ("viewer", "admin"), (route.method, route.path)
