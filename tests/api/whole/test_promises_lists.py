"""What the O.D.I.N. documentation promises of lists, of what is deleted, and of how often one may
ask: a sentence a test, on every route that there is.
"""

from typing import Any, get_origin

import pytest
import pytest_asyncio

from api.accounts.models import Organization
from api.clock import SystemClock
from api.principal import Role
from tests.api.whole.conftest import Whole, person
from tests.api.whole.test_roles import V1

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: One printer's or one person's own: all of it is answered unless `limit` is given.
WHOLE = {
    "/printers/<int:printer_id>/telemetry",
    "/printers/<int:printer_id>/slots",
    "/printers/<int:printer_id>/slots/needs-attention",
    "/printers/<int:printer_id>/unmatched-slots",
    "/alert-preferences",
}
#: Seconds pass between two answers.
MOVES = {"/printers/live-status", "/maintenance/status", "/sessions", "/admin/sessions"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowded(farm_with_all: Whole) -> Whole:
    """The farm, and an organization in it that has more than a page of each of some things."""
    farm_with_all.application.database.__enter__()
    own = await Organization.create(id=70, name="Crowded", created_at=SystemClock().now())
    admin = await person(own.id, Role.ADMIN)
    accounts = farm_with_all.application.rooms.accounts
    _, farm_with_all.secrets["crowded"] = await accounts.create_token(admin, "crowd", [], None)
    bodies: dict[str, Any] = {
        "/presets": {"item_name": "part"},
        "/tokens": {},
        "/consumables": {},
        "/products": {},
        "/projects": {},
        "/maintenance/tasks": {"interval_days": 3},
        "/models": {},
    }
    for path, body in bodies.items():
        for number in range(51):
            given = {**body, "name": f"n{number:02}"}
            answer = await farm_with_all.ask("crowded", "POST", f"/api/v1{path}", json=given)
            assert answer.status_code in (200, 201), (path, answer.text)
    many = [{"item_name": f"n{number:02}"} for number in range(51)]
    answer = await farm_with_all.ask("crowded", "POST", "/api/v1/jobs/bulk", json=many)
    assert answer.status_code == 201, answer.text
    return farm_with_all


async def test_every_list_is_paged(whole: Whole) -> None:
    """`skip` and `limit` on every list: no route answers an array without them, but for the events,
    which go by their cursor.
    """
    unpaged = {
        route.path
        for route in whole.application.v1.declared
        if route.method == "GET" and get_origin(route.doc.answer) is list and not route.doc.paged
    }
    assert unpaged == {"/events"}


async def test_skip_and_limit_offset_as_synonym_x_total_count_on_every_list(whole: Whole) -> None:
    """`skip=1` and `offset=1` leave one row out, `limit=1` is one row, and the count is of all."""
    paged = [route for route in whole.application.v1.declared if route.doc.paged]
    assert len(paged) > 50
    for route in paged:
        path = f"/api/v1{whole.path(route.path)}"
        plain, one, skipped, offset = [
            await whole.ask("admin", "GET", path, params=params)
            for params in ({}, {"limit": 1}, {"skip": 1}, {"offset": 1})
        ]
        assert plain.status_code == 200, path
        total = int(plain.headers["X-Total-Count"])
        assert {int(each.headers["X-Total-Count"]) for each in (one, skipped, offset)} == {total}
        if route.path not in MOVES:
            assert skipped.content == offset.content, path
        if get_origin(route.doc.answer) is not list:
            continue
        assert len(one.json()) == min(total, 1), path
        assert len(skipped.json()) == max(len(plain.json()) - 1, 0) or total > 50, path
        if total and route.path not in MOVES:
            assert one.json() == plain.json()[:1], path
            assert skipped.json()[: total - 1] == [*plain.json()[1:], *skipped.json()[49:]], path


@pytest.mark.parametrize(
    "path",
    [
        *("/jobs", "/presets", "/tokens", "/consumables", "/products", "/projects"),
        *("/maintenance/tasks", "/models", "/models-with-pricing"),
    ],
)
async def test_skip_0_and_limit_50_where_nothing_is_said(crowded: Whole, path: str) -> None:
    """More than 50 rows: a page of 50 of them, and the rest behind it."""
    first = await crowded.ask("crowded", "GET", f"/api/v1{path}")
    said = await crowded.ask("crowded", "GET", f"/api/v1{path}", params={"skip": 0, "limit": 50})
    rest = await crowded.ask("crowded", "GET", f"/api/v1{path}", params={"skip": 50})
    total = int(first.headers["X-Total-Count"])
    assert total > 50
    assert [len(each.json()) for each in (first, said, rest)] == [50, 50, total - 50]
    assert [row["id"] for row in first.json()] == [row["id"] for row in said.json()]
    assert rest.json()[0]["id"] not in {row["id"] for row in first.json()}


async def test_what_is_not_a_page_by_default_says_so(whole: Whole) -> None:
    """All of it without `limit`: the specification tells it, and a limit holds."""
    spec = (await whole.ask("nobody", "GET", "/api/v1/openapi.json")).json()
    for path in WHOLE:
        templated = path.replace("<int:", "{").replace(">", "}")
        text = spec["paths"][templated]["get"]["description"]
        assert "`limit`" in text, path
        answer = await whole.ask("admin", "GET", f"/api/v1{whole.path(path)}?limit=1")
        assert len(answer.json()) <= 1, path


#: 204 route -> how one comes to be that is deleted there: path, body, and where its id stands.
_MADE: dict[str, tuple[str, Any]] = {
    "/bridges/enrolment-tokens/<int:token_id>": ("/bridges/enrolment-tokens", {}),
    "/filaments/<filament_id>": ("/filaments", {"brand": "Gone", "name": "Red"}),
    "/jobs/<int:job_id>": ("/jobs", {"item_name": "gone"}),
    "/maintenance/tasks/<int:task_id>": (
        "/maintenance/tasks",
        {"name": "gone", "interval_days": 1},
    ),
    "/models/<int:model_id>": ("/models", {"name": "gone"}),
    "/orders/<int:order_id>": ("/orders", {}),
    "/pools/<int:pool_id>": ("/pools", {"name": "Gone"}),
    "/presets/<int:preset_id>": ("/presets", {"name": "gone", "item_name": "gone"}),
    "/printer-profiles/<int:profile_id>": ("/printer-profiles", {"name": "Gone"}),
    "/printers/<int:printer_id>": ("/printers", {"name": "Gone"}),
    "/products/<int:product_id>": ("/products", {"name": "Gone"}),
    "/scheduler/circuits/<int:circuit_id>": (
        "/scheduler/circuits",
        {"name": "Gone", "max_w": 100},
    ),
    "/maintenance/logs/<int:log_id>": ("/maintenance/logs", {"task_id": "task_id"}),
    "/orders/<int:order_id>/items/<int:item_id>": (
        "/orders/<int:order_id>/items",
        {"product_id": "product_id"},
    ),
    "/products/<int:product_id>/components/<int:component_id>": (
        "/products/<int:product_id>/components",
        {"model_id": "model_id"},
    ),
    "/push/register/<device_id>": (
        "/push/register",
        {"device_id": "gone-phone", "platform": "ios", "device_token": "ab" * 32},
    ),
}
#: A room and a phone's login are deleted by the tests of their rooms; films need a camera.
_ELSEWHERE = {
    *("/bridges/<int:bridge_id>", "/timelapses/<int:timelapse_id>", "/auth/biometric-token"),
}


async def test_every_204_is_in_the_table_below(whole: Whole) -> None:
    """A new route that deletes needs a row."""
    empty = {route.path for route in whole.application.v1.declared if route.doc.status == 204}
    assert empty == _MADE.keys() | _ELSEWHERE


@pytest.mark.parametrize("path", sorted(_MADE))
async def test_204_without_body(whole: Whole, path: str) -> None:
    """v1 1.5: what is deleted answers an empty 204 that names no type of a body."""
    where, wished = _MADE[path]
    body = {name: int(whole.ids.get(str(value), "0")) or value for name, value in wished.items()}
    made = await whole.ask("admin", "POST", f"/api/v1{whole.path(where)}", json=body)
    assert made.status_code in (200, 201), made.text
    name = path.rpartition("/")[2].strip("<>").removeprefix("int:")
    own = {name: str(made.json().get("device_id") or made.json()["id"])}
    answer = await whole.ask("admin", "DELETE", f"/api/v1{whole.path(path, **own)}")
    assert (answer.status_code, answer.content) == (204, b""), answer.text
    assert "Content-Type" not in answer.headers


async def test_no_rate_limit_on_ordinary_use(whole: Whole) -> None:
    """One token asks every route that reads thrice, and one of them 300 times: never 429."""
    paths = [f"/api/v1{whole.path(path)}" for method, path in V1 if method == "GET"]
    asked = [path for path in paths if "/support-bundle" not in path and "/stream" not in path]
    for path in [*asked * 3, *["/api/v1/printers"] * 300]:
        answer = await whole.ask("admin", "GET", path)
        assert answer.status_code != 429, path
        assert "X-RateLimit-Limit" not in answer.headers, path


async def test_no_rate_limit_on_ordinary_work(whole: Whole) -> None:
    """A hundred jobs, one after the other by one token: each is made."""
    ids = []
    for _ in range(100):
        answer = await whole.ask("admin", "POST", "/api/v1/jobs", json={"item_name": "ordinary"})
        assert answer.status_code == 201, answer.text
        ids.append(answer.json()["id"])
    body = {"job_ids": ids, "action": "delete"}
    answer = await whole.ask("admin", "POST", "/api/v1/jobs/bulk-update", json=body)
    assert answer.json()["affected"] == 100
