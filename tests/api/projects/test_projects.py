"""Projects over HTTP (v1 2.10): made, changed, given prints, put away."""

from typing import Any

import pytest

from api.archives.models import ArchiveNote
from api.projects.models import Project
from tests.fakes.desk import Desk
from tests.fakes.past import printed, printed_again, refused, somebody


async def project(desk: Desk, **fields: Any) -> int:
    """The number of a new one."""
    made = await desk.ask("POST", "/projects", json={"name": "Ship", **fields})
    assert made.status_code == 200, made.text
    return int(made.json()["id"])


async def test_a_project_from_beginning_to_end(desk: Desk) -> None:
    """v1 2.10: create, list, get, PUT, DELETE, with the fields of the contract."""
    made = await desk.ask("POST", "/projects", json={"name": " Ship ", "expected_parts": 12})
    assert made.json() == {"id": made.json()["id"], "name": "Ship", "status": "active"}
    path = f"/projects/{made.json()['id']}"
    [shown] = (await desk.ask("GET", "/projects")).json()
    assert (shown["color"], shown["expected_parts"], shown["archive_count"]) == ("#6366f1", 12, 0)
    assert shown["description"] is None and shown["org_id"] == 1
    change = {"name": "Boat", "color": "#FF0000", "description": "Of wood", "expected_parts": None}
    answer = await desk.ask("PUT", path, json=change)
    assert answer.json() == {"status": "updated", "id": shown["id"]}
    await desk.ask("PUT", path, json={"status": "completed", "name": None})
    whole = (await desk.ask("GET", path)).json()
    assert (whole["name"], whole["color"], whole["status"]) == ("Boat", "#FF0000", "completed")
    assert (whole["description"], whole["expected_parts"]) == ("Of wood", None)
    assert (whole["archives"], whole["archive_count"]) == ([], 0)
    for _ in range(2):
        assert (await desk.ask("DELETE", path)).json() == {"status": "archived", "id": shown["id"]}
    assert (await desk.ask("GET", "/projects?status=active")).json() == []
    assert len((await desk.ask("GET", "/projects?status=archived")).json()) == 1


async def test_the_list_is_paged_by_what_changed_last(desk: Desk) -> None:
    """`skip` and `limit`, and how many there are."""
    first, second = await project(desk, name="First"), await project(desk, name="Second")
    await desk.ask("PUT", f"/projects/{first}", json={"description": "now"})
    answer = await desk.ask("GET", "/projects?limit=1")
    assert [each["id"] for each in answer.json()] == [first]
    assert answer.headers["X-Total-Count"] == "2"
    answer = await desk.ask("GET", "/projects?skip=1")
    assert [each["id"] for each in answer.json()] == [second]


async def test_a_project_out_of_limits_names_the_field(desk: Desk) -> None:
    """422 for making and for changing, and nothing is changed."""
    path = f"/projects/{await project(desk)}"
    before = (await desk.ask("GET", path)).json()
    wrong: tuple[tuple[str, Any], ...] = (
        *(("name", ""), ("name", "x" * 201), ("description", "x" * 10_001)),
        *(("color", "red"), ("color", "#12345"), ("color", "#00000g"), ("color", "#000;x:y")),
        *(("expected_parts", 0), ("expected_parts", 1_000_001)),
    )
    for field, value in wrong:
        made = await desk.ask("POST", "/projects", json={"name": "n", field: value})
        changed = await desk.ask("PUT", path, json={field: value})
        for answer in (made, changed):
            assert answer.status_code == 422 and field in answer.text, (field, value)
    lost = await desk.ask("PUT", path, json={"status": "lost"})
    assert lost.status_code == 422 and "status" in lost.text
    assert (await desk.ask("GET", "/projects?status=lost")).status_code == 422
    assert (await desk.ask("GET", path)).json() == before
    assert await Project.all().count() == 1


async def test_a_project_stays_in_its_organization(desk: Desk) -> None:
    """The own number is taken, another one is not there."""
    await project(desk, org_id=1)
    answer = await desk.ask("POST", "/projects", json={"name": "n", "org_id": 2})
    await refused(answer, 404, "organization_not_found")
    assert await Project.filter(organization_id=1).count() == await Project.all().count() == 1


async def test_prints_are_put_into_a_project(desk: Desk) -> None:
    """All of them or none; a print leaves the project that it was in."""
    one, two = await printed(desk), await printed_again(desk, "fail", item_name="two")
    first, second = await project(desk), await project(desk, name="Other")
    path = f"/projects/{first}/archives"
    dry = await desk.ask("POST", path, json={"archive_ids": [one]}, headers={"X-Dry-Run": "1"})
    assert dry.json()["would_execute"]["action"] == "project.archives_assigned"
    missing = await desk.ask("POST", path, json={"archive_ids": [one, 987]})
    assert (await refused(missing, 404, "not_found"))["archive_id"] == 987
    assert await ArchiveNote.all().count() == 0
    answer = await desk.ask("POST", path, json={"archive_ids": [one, two, one]})
    assert answer.json() == {"assigned": 2}
    whole = (await desk.ask("GET", f"/projects/{first}")).json()
    assert [each["id"] for each in whole["archives"]] == [two, one]
    assert {each["project_id"] for each in whole["archives"]} == {first}
    await desk.ask("POST", f"/projects/{second}/archives", json={"archive_ids": [two]})
    counts = {
        each["id"]: each["archive_count"] for each in (await desk.ask("GET", "/projects")).json()
    }
    assert counts == {first: 1, second: 1}
    await desk.ask("DELETE", f"/archives/{one}")
    whole = (await desk.ask("GET", f"/projects/{first}")).json()
    assert (whole["archives"], whole["archive_count"]) == ([], 0)


async def test_a_wrong_list_of_prints_is_named(desk: Desk) -> None:
    """422 names the field."""
    path = f"/projects/{await project(desk)}/archives"
    wrong: tuple[Any, ...] = ([], [0], ["x"], [1] * 501, None)
    for ids in wrong:
        answer = await desk.ask("POST", path, json={"archive_ids": ids})
        assert answer.status_code == 422 and "archive_ids" in answer.text, ids


async def test_a_project_has_an_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """409, and what was in it before is in it still."""
    monkeypatch.setattr("api.projects.service.MAX_PRINTS", 1)
    one, two = await printed(desk), await printed_again(desk)
    path = f"/projects/{await project(desk)}/archives"
    assert (await desk.ask("POST", path, json={"archive_ids": [one]})).status_code == 200
    await refused(await desk.ask("POST", path, json={"archive_ids": [two]}), 409, "conflict")
    assert await ArchiveNote.exclude(project_id=None).count() == 1


async def test_roles(desk: Desk) -> None:
    """Viewers look, operators write and export, admins put away."""
    path = f"/projects/{await project(desk)}"
    viewer, operator = await somebody(desk, "viewer"), await somebody(desk, "operator")
    assert (await desk.ask("GET", path, headers=viewer)).status_code == 200
    for method, where, body in (
        ("POST", "/projects", {"name": "n"}),
        ("PUT", path, {"name": "n"}),
        ("POST", f"{path}/archives", {"archive_ids": [1]}),
        ("GET", f"{path}/export", None),
    ):
        answer = await desk.ask(method, where, json=body, headers=viewer)
        await refused(answer, 403, "permission_denied")
    assert (await desk.ask("PUT", path, json={}, headers=operator)).status_code == 200
    assert (await desk.ask("GET", f"{path}/export", headers=operator)).status_code == 200
    answer = await desk.ask("DELETE", path, headers=operator)
    await refused(answer, 403, "permission_denied")
