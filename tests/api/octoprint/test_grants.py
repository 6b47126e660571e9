"""Permissions that a person has at one printer only (octoprint 3; safety S26)."""

import asyncio
from typing import Any

import httpx
import pytest

from api.events.models import AuditEntry
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
    """octoprint 3: at that printer an operator, at every other and over v1 a viewer."""
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
    """octoprint 2: currentuser and login at that printer have it, elsewhere not."""
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
