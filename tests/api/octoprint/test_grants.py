"""Permissions that a person has at one printer only (octoprint 3; safety S26)."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.events.models import AuditEntry
from api.pools.service import NewPool
from api.printers.service import PrinterCreate
from tests.api.octoprint.conftest import GCODE, PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

USERS = "/octoprint/alpha/api/access/users"
ALL = ["CONTROL", "PRINT", "FILES_UPLOAD", "FILES_SELECT", "STATUS"]


async def put(farm: Farm, path: str, body: dict[str, Any]) -> httpx.Response:
    return await farm.http.put(path, json=body, headers={"X-Api-Key": farm.key})


async def grant(farm: Farm, permissions: list[str]) -> httpx.Response:
    return await put(farm, f"{USERS}/guest", {"permissions": permissions})


async def print_at(farm: Farm, slug: str) -> tuple[int, Any]:
    """A viewer's upload with print at a printer: status, and whether it prints."""
    answer = await farm.http.post(
        f"/octoprint/{slug}/api/files/local",
        headers={"X-Api-Key": farm.viewer_key},
        files={"file": ("a.gcode", GCODE)},
        data={"print": "true"},
    )
    return answer.status_code, answer.json().get("effectivePrint")


async def test_a_viewer_prints_where_it_was_granted(farm: Farm) -> None:
    """octoprint 3 permissions: at that printer an operator, at every other a viewer."""
    assert await print_at(farm, "alpha") == (403, None)
    told = (await grant(farm, ALL)).json()["users"]
    guest = next(one for one in told if one["name"] == "guest")
    assert set(ALL) <= set(guest["permissions"])
    assert guest["groups"] == ["readonly"]
    assert await print_at(farm, "alpha") == (201, True)
    for _ in range(500):
        if (await farm.job())["state"] == "Printing":
            break
        await asyncio.sleep(0.02)
    key = {"X-Api-Key": farm.viewer_key}
    cancelled = await farm.http.post(
        "/octoprint/alpha/api/job", json={"command": "cancel"}, headers=key
    )
    assert cancelled.status_code == 204
    assert await print_at(farm, "beta") == (403, None)


async def test_only_what_was_granted(farm: Farm) -> None:
    """octoprint 3: an upload without control; nothing that concerns the farm."""
    told = (await grant(farm, ["FILES_UPLOAD"])).json()["users"]
    guest = next(one for one in told if one["name"] == "guest")
    assert {"FILES_UPLOAD", "FILES_DELETE"} <= set(guest["permissions"])  # one right here
    assert "CONTROL" not in guest["permissions"]
    headers = {"X-Api-Key": farm.viewer_key}
    files = {"file": ("a.gcode", GCODE)}
    alpha = "/octoprint/alpha"
    sent = await farm.http.post(f"{alpha}/api/files/local", files=files, headers=headers)
    assert sent.status_code == 201
    for path, body in (
        ("/api/printer/printhead", {"command": "home", "axes": ["x"]}),
        ("/api/settings", {"appearance": {"name": "mine"}}),
        ("/api/access/users", {"name": "x", "password": PASSWORD}),
    ):
        answer = await farm.http.post(alpha + path, json=body, headers=headers)
        assert answer.status_code == 403, path


async def test_it_is_shown_to_whom_it_was_given(farm: Farm) -> None:
    """octoprint 2 currentuser, 2 login: at that printer both have it, elsewhere not."""
    await grant(farm, ["CONTROL"])
    here = (await farm.get("/octoprint/alpha/api/currentuser", farm.viewer_key)).json()
    there = (await farm.get("/octoprint/beta/api/currentuser", farm.viewer_key)).json()
    assert "CONTROL" in here["permissions"]
    assert "CONTROL" not in there["permissions"]
    login = {"user": "guest", "pass": PASSWORD}
    record = (await farm.http.post("/octoprint/alpha/api/login", json=login)).json()
    assert "CONTROL" in record["permissions"]


async def test_it_ends(farm: Farm) -> None:
    """An empty list takes it back at once; a change without permissions leaves it; both noted."""
    before = await AuditEntry.filter(action="user.granted").count()
    await grant(farm, ALL)
    assert (await put(farm, f"{USERS}/guest", {"active": True})).status_code == 200
    assert (await print_at(farm, "alpha"))[0] == 201
    await grant(farm, [])
    assert (await print_at(farm, "alpha"))[0] == 403
    assert await AuditEntry.filter(action="user.granted").count() == before + 2


@pytest.mark.parametrize("permission", ["ADMIN", "SETTINGS", "SYSTEM", "NONSENSE"])
async def test_what_reaches_beyond_a_printer_cannot_be_granted(farm: Farm, permission: str) -> None:
    """S26: 400, and nothing changed."""
    assert (await grant(farm, [permission])).status_code == 400
    assert (await print_at(farm, "alpha"))[0] == 403


async def test_a_grant_needs_a_printer(farm: Farm) -> None:
    """At the server's own root 400 says where; what the role has already is no grant."""
    answer = await put(farm, "/api/access/users/guest", {"permissions": ["CONTROL"]})
    assert answer.status_code == 400
    assert "printer's address" in answer.json()["error"]
    same = await put(farm, "/api/access/users/guest", {"permissions": ["STATUS"]})
    assert same.status_code == 200


async def v1(farm: Farm, method: str, path: str, body: Any = None) -> httpx.Response:
    """The same viewer over v1."""
    more = {} if body is None else {"json": body}
    return await farm.http.request(
        method, f"/api/v1{path}", headers={"X-API-Key": farm.viewer_key}, **more
    )


async def test_a_grant_holds_on_both_faces(farm: Farm) -> None:
    """One decision, two faces: printer A is open, B of the own organization 403, a foreign 404."""
    foreign = await farm.application.rooms.printers.create(
        replace(farm.admin, organization_id=2), PrinterCreate(name="Foreign")
    )
    home, heat = {"command": "home", "axes": ["x"]}, {"targets_c": {"tool0": 0}}
    headers = {"X-Api-Key": farm.viewer_key}
    for permissions, opened in (([], False), (ALL, True), ([], False)):
        await grant(farm, permissions)
        for number, slug, is_open in ((1, "alpha", opened), (2, "beta", False)):
            path = f"/octoprint/{slug}/api/printer/printhead"
            there = await farm.http.post(path, json=home, headers=headers)
            here = await v1(farm, "POST", f"/printers/{number}/temperature", heat)
            assert there.status_code == (204 if is_open else 403), (slug, there.text)
            assert here.status_code == (200 if is_open else 403), (slug, here.text)
        away = f"/octoprint/{foreign.slug}/api/printer"
        assert (await farm.http.get(away, headers=headers)).status_code == 404
        assert (await v1(farm, "GET", f"/printers/{foreign.id}")).status_code == 404
        post = await farm.http.post(f"{away}/printhead", json=home, headers=headers)
        assert post.status_code == 404
    await foreign.delete()


async def test_a_granted_persons_jobs_print(farm: Farm) -> None:
    """Over v1, too: a job for the granted printer is theirs to make and to cancel, B's is not."""
    assert (await v1(farm, "PATCH", "/jobs/999999", {"notes": "x"})).status_code == 403
    for slug, status in (("alpha", "pending"), ("beta", "pending")):
        made = await v1(
            farm, "POST", "/jobs", {"item_name": slug, "printer_id": 1 + (slug == "beta")}
        )
        assert made.status_code == 201, made.text
        assert made.json()["status"] == status
    alpha, beta = (await v1(farm, "GET", "/jobs")).json()
    await grant(farm, ALL)
    assert (await v1(farm, "POST", f"/jobs/{beta['id']}/cancel", {})).status_code == 403
    assert (await v1(farm, "POST", f"/jobs/{alpha['id']}/cancel", {})).status_code == 200


async def test_a_grant_at_a_pool_is_one_at_all_its_printers(farm: Farm) -> None:
    """octoprint 3: given at the pool's address; what is missing at one of them is missing there."""
    pool = await farm.application.rooms.pools.create(
        farm.admin, NewPool(name="Both", printer_ids=[1, 2])
    )
    files = {"file": ("a.gcode", GCODE)}
    headers = {"X-Api-Key": farm.viewer_key}
    at = f"/octoprint/{pool.slug}"

    async def upload() -> int:
        path = f"{at}/api/files/local"
        return (await farm.http.post(path, files=files, headers=headers)).status_code

    assert await upload() == 403
    await grant(farm, ALL)  # at alpha alone
    assert await upload() == 403
    told = await put(farm, f"{at}/api/access/users/guest", {"permissions": ALL})
    guest = next(one for one in told.json()["users"] if one["name"] == "guest")
    assert set(ALL) <= set(guest["permissions"])
    assert await upload() == 201
    assert (await print_at(farm, "beta"))[0] == 201
    await put(farm, f"{USERS.replace('alpha', 'beta')}/guest", {"permissions": []})
    assert await upload() == 403
