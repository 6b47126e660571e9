"""Every route by a token of every scope (v1 1.3): the table of rights is what really happens."""

import pytest
import pytest_asyncio

from api.principal import RIGHTS, SCOPES
from tests.api.whole.conftest import Whole
from tests.api.whole.test_roles import BODIES, V1, code_of, nothing

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: v1 1.3 and 2.3, 2.4: what agents' scopes open.
AGENTS = {
    "agent:read": {
        *(("GET", "/printers"), ("GET", "/printers/<int:printer_id>"), ("GET", "/jobs")),
        ("GET", "/jobs/<int:job_id>"),
        *(("GET", "/alerts"), ("GET", "/spools"), ("GET", "/filament-library")),
        *(("GET", "/maintenance/tasks"), ("GET", "/orders")),
    },
    "agent:write": {
        *(("GET", "/alerts"), ("GET", "/spools"), ("GET", "/filament-library")),
        *(("GET", "/maintenance/tasks"), ("GET", "/orders")),
        ("PATCH", "/alerts/<int:alert_id>/read"),
        ("PATCH", "/alerts/<int:alert_id>/dismiss"),
        ("POST", "/maintenance/logs"),
        *((method, "/spools/<int:spool_id>/use") for method in ("POST", "PATCH")),
        ("POST", "/filament-slots"),
        *(("GET", "/printers"), ("GET", "/jobs"), ("POST", "/jobs")),
        ("POST", "/printers/<int:printer_id>/pause"),
        ("POST", "/printers/<int:printer_id>/resume"),
        ("POST", "/jobs/<int:job_id>/cancel"),
        ("POST", "/jobs/<int:job_id>/approve"),
        ("POST", "/jobs/<int:job_id>/reject"),
    },
}


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
    answer = await whole.ask(scope, method, "/api/v1" + whole.path(path, **ids), **given)
    assert answer.status_code < 500 or answer.status_code == 503, (route, answer.text)
    return code_of(answer)


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_scope_opens_nothing_that_the_table_does_not_give_it(
    scoped: Whole, scope: str
) -> None:
    """403 scope_denied on every route whose right does not name the scope; nothing changes."""
    before = await scoped.rows()
    for route in scoped.application.v1.declared:
        right = route.doc.right
        if right is not None and scope not in RIGHTS[right].scopes:
            code = await asked(scoped, scope, (route.method, route.path))
            assert code in ("scope_denied", "not_found"), (scope, route.path, right, code)
    assert await scoped.rows() == before


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
