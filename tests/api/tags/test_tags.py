"""Tags over all rooms (v1 2.10): counted, renamed, deleted, each in one go."""

from typing import Any

from api.archives.models import ArchiveTag
from api.events.trail import AuditEntry
from tests.fakes.desk import Desk
from tests.fakes.past import printed, refused, somebody


async def tagged(desk: Desk) -> dict[str, int]:
    """Something of every kind with the tag `petg`; their numbers."""
    one = desk.printer_id
    await desk.ask("PATCH", f"/printers/{one}", json={"tags": ["petg", "tall"]})
    number = await printed(desk)
    await desk.ask("PATCH", f"/archives/{number}/tags", json={"tags": ["petg", "good"]})
    pool = (await desk.ask("POST", "/pools", json={"name": "P", "tags": ["petg"]})).json()["id"]
    body = {"item_name": "waits", "required_tags": ["petg"], "hold": True}
    job = (await desk.ask("POST", "/jobs", json=body)).json()["id"]
    preset = {"name": "Again", "required_tags": ["petg", "tall"]}
    made = (await desk.ask("POST", "/presets", json=preset)).json()["id"]
    return {"printer": one, "archive": number, "pool": pool, "job": job, "preset": made}


async def tags(desk: Desk) -> dict[str, Any]:
    """The list, by name."""
    found = (await desk.ask("GET", "/tags")).json()["tags"]
    return {each["name"]: each for each in found}


async def test_all_tags_are_counted(desk: Desk) -> None:
    """{tags: [{name, count}]} by name, and of what kind they are."""
    assert await tags(desk) == {}
    await tagged(desk)
    found = await tags(desk)
    assert [*found] == ["good", "petg", "tall"]
    assert found["petg"] == {
        **{"name": "petg", "count": 5},
        **{"printers": 1, "pools": 1, "archives": 1, "jobs": 1, "presets": 1},
    }
    assert (found["tall"]["count"], found["good"]["count"]) == (2, 1)
    page = await desk.ask("GET", "/tags?skip=1&limit=1")
    assert [each["name"] for each in page.json()["tags"]] == ["petg"]
    assert page.headers["X-Total-Count"] == "3"


async def test_a_tag_is_renamed_everywhere_at_once(desk: Desk) -> None:
    """Printers, pools, records, waiting jobs and presets; the audit trail has one entry of it."""
    ids = await tagged(desk)
    dry = await desk.ask(
        "POST", "/tags/rename", json={"old": "petg", "new": "x"}, headers={"X-Dry-Run": "1"}
    )
    assert dry.json()["would_execute"] == {
        **{"action": "rename_tag", "old": "petg"},
        **{"new": "x", "would_update": 5},
    }
    answer = await desk.ask("POST", "/tags/rename", json={"old": " petg ", "new": "PETG"})
    assert answer.json() == {"updated": 5}
    assert "petg" not in await tags(desk)
    printer = (await desk.ask("GET", f"/printers/{ids['printer']}")).json()
    assert printer["tags"] == ["PETG", "tall"]
    assert (await desk.ask("GET", f"/pools/{ids['pool']}")).json()["tags"] == ["PETG"]
    assert (await desk.ask("GET", f"/jobs/{ids['job']}")).json()["required_tags"] == ["PETG"]
    [preset] = (await desk.ask("GET", "/presets")).json()
    assert preset["required_tags"] == ["PETG", "tall"]
    archive = (await desk.ask("GET", f"/archives/{ids['archive']}")).json()
    assert archive["tags"] == ["PETG", "good"]
    assert await AuditEntry.filter(action="tag.renamed").count() == 1


async def test_two_tags_become_one(desk: Desk) -> None:
    """Where both were it is there once, in the place of the first."""
    ids = await tagged(desk)
    answer = await desk.ask("POST", "/tags/rename", json={"old": "good", "new": "petg"})
    assert answer.json() == {"updated": 1}
    archive = (await desk.ask("GET", f"/archives/{ids['archive']}")).json()
    assert archive["tags"] == ["petg"]
    await desk.ask("POST", "/tags/rename", json={"old": "tall", "new": "petg"})
    printer = (await desk.ask("GET", f"/printers/{ids['printer']}")).json()
    assert printer["tags"] == ["petg"]
    assert (await tags(desk))["petg"]["count"] == 5


async def test_a_tag_that_something_asks_for_stays(desk: Desk) -> None:
    """409 names pools, jobs and presets; when nothing asks any more, it goes."""
    ids = await tagged(desk)
    error = await refused(await desk.ask("DELETE", "/tags/petg"), 409, "conflict")
    assert (error["pools"], error["jobs"]) == ([ids["pool"]], [ids["job"]])
    assert error["presets"] == [ids["preset"]]
    await desk.ask("DELETE", f"/pools/{ids['pool']}")
    await desk.ask("POST", f"/jobs/{ids['job']}/cancel", json={})
    await desk.ask("DELETE", f"/presets/{ids['preset']}")
    dry = await desk.ask("DELETE", "/tags/petg", headers={"X-Dry-Run": "1"})
    assert dry.json()["would_execute"]["would_update"] == 2
    assert (await desk.ask("DELETE", "/tags/petg")).json() == {"updated": 2}
    assert [*await tags(desk)] == ["good", "tall"]
    printer = (await desk.ask("GET", f"/printers/{ids['printer']}")).json()
    assert printer["tags"] == ["tall"]
    await refused(await desk.ask("DELETE", "/tags/petg"), 404, "not_found")


async def test_a_tag_may_have_any_letters(desk: Desk) -> None:
    """A blank is part of it; one with a slash is renamed first; what can be no tag is not there."""
    number = await printed(desk)
    await desk.ask("PATCH", f"/archives/{number}/tags", json={"tags": ["a/b c", "é"]})
    assert (await desk.ask("DELETE", "/tags/a%2Fb%20c")).status_code == 404
    body = {"old": "a/b c", "new": "b c"}
    assert (await desk.ask("POST", "/tags/rename", json=body)).json() == {"updated": 1}
    assert (await desk.ask("DELETE", "/tags/b%20c")).json() == {"updated": 1}
    assert (await desk.ask("DELETE", "/tags/%C3%A9")).json() == {"updated": 1}
    for odd in ("%20", "%0A", "x" * 51, "%00"):
        answer = await desk.ask("DELETE", f"/tags/{odd}")
        assert answer.status_code in (404, 405), odd


async def test_a_rename_out_of_limits_names_the_field(desk: Desk) -> None:
    """422; a tag that nothing has is not there."""
    for field, value in (("old", ""), ("old", "x" * 51), ("new", " "), ("new", "x" * 51)):
        body = {"old": "a", "new": "b", field: value}
        answer = await desk.ask("POST", "/tags/rename", json=body)
        assert answer.status_code == 422 and field in answer.text, (field, value)
    answer = await desk.ask("POST", "/tags/rename", json={"old": "a", "new": "b"})
    await refused(answer, 404, "not_found")


async def test_tags_are_an_organizations_own(desk: Desk) -> None:
    """The same word elsewhere is another tag; viewers look, admins change."""
    number = await printed(desk)
    await desk.ask("PATCH", f"/archives/{number}/tags", json={"tags": ["mine"]})
    await ArchiveTag.create(organization_id=2, print_id=987, name="mine")
    await ArchiveTag.create(organization_id=2, print_id=987, name="theirs")
    assert [*await tags(desk)] == ["mine"]
    operator, viewer = await somebody(desk, "operator"), await somebody(desk, "viewer")
    assert (await desk.ask("GET", "/tags", headers=viewer)).status_code == 200
    body = {"old": "mine", "new": "ours"}
    answer = await desk.ask("POST", "/tags/rename", json=body, headers=operator)
    await refused(answer, 403, "permission_denied")
    await refused(
        await desk.ask("DELETE", "/tags/mine", headers=operator), 403, "permission_denied"
    )
    await desk.ask("POST", "/tags/rename", json=body)
    assert await ArchiveTag.filter(organization_id=2, name="mine").count() == 1
