"""Groups of people, and what they leave of a role (octoprint 3 and 4, /api/access/groups)."""

from typing import Any

import httpx
import pytest

from api.accounts.models import User
from tests.api.octoprint.conftest import GCODE, PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

GROUPS, USERS = "/api/access/groups", "/api/access/users"
ALPHA = "/octoprint/alpha"
WATCH = ["STATUS", "FILES_LIST"]


async def ask(
    farm: Farm, method: str, path: str, body: Any = None, key: str = ""
) -> httpx.Response:
    more = {} if body is None else {"json": body}
    return await farm.http.request(method, path, headers={"X-Api-Key": key or farm.key}, **more)


async def made(farm: Farm, key: str, permissions: list[str], **more: Any) -> httpx.Response:
    body = {"key": key, "name": key.title(), "permissions": permissions, "subgroups": [], **more}
    return await ask(farm, "POST", GROUPS, body)


async def member(farm: Farm, *groups: str) -> str:
    """The key of a new person in these groups."""
    body = {"name": "mara", "password": PASSWORD, "active": True, "groups": [*groups]}
    answer = await ask(farm, "POST", USERS, body)
    assert answer.status_code == 200, answer.text
    key: str = (await ask(farm, "POST", f"{USERS}/mara/apikey")).json()["apikey"]
    return key


async def group(farm: Farm, key: str) -> dict[str, Any]:
    found: dict[str, Any] = (await farm.get(f"{GROUPS}/{key}")).json()
    return found


async def test_a_group_is_made_changed_and_removed(farm: Farm) -> None:
    """octoprint 4: each answers the whole list with 200."""
    answer = await made(farm, "watch", WATCH, description="They look.")
    assert answer.status_code == 200
    assert [one["key"] for one in answer.json()["groups"]] == [
        *("admins", "guests", "readonly", "users", "watch")
    ]
    watch = await group(farm, "watch")
    assert (watch["name"], watch["description"]) == ("Watch", "They look.")
    assert watch["permissions"] == sorted(WATCH)
    flags = ("removable", "changeable", "toggleable", "dangerous", "default")
    assert [watch[flag] for flag in flags] == [True, True, True, False, False]
    change = {"permissions": ["STATUS"], "description": "", "default": True}
    changed = await ask(farm, "PUT", f"{GROUPS}/watch", change)
    assert changed.json()["groups"][-1]["permissions"] == ["STATUS"]
    assert (await group(farm, "watch"))["default"] is True
    removed = await ask(farm, "DELETE", f"{GROUPS}/watch")
    assert "watch" not in [one["key"] for one in removed.json()["groups"]]
    assert (await farm.get(f"{GROUPS}/watch")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", GROUPS, {"name": "x", "permissions": [], "subgroups": []}, 400),
        ("POST", GROUPS, {"key": "x", "permissions": [], "subgroups": []}, 400),
        ("POST", GROUPS, {"key": "x", "name": "x", "subgroups": []}, 400),
        ("POST", GROUPS, {"key": "x", "name": "x", "permissions": []}, 400),
        ("POST", GROUPS, {"key": "x", "name": "x", "permissions": "ADMIN", "subgroups": []}, 400),
        ("POST", GROUPS, {"key": "x", "name": "x", "permissions": ["NO"], "subgroups": []}, 400),
        ("POST", GROUPS, {"key": "x", "name": "x", "permissions": [], "subgroups": ["no"]}, 400),
        ("POST", GROUPS, {"key": "users", "name": "x", "permissions": [], "subgroups": []}, 409),
        ("PUT", f"{GROUPS}/admins", {"permissions": []}, 403),
        ("PUT", f"{GROUPS}/guests", {"permissions": ["STATUS"]}, 403),
        ("PUT", f"{GROUPS}/readonly", {"permissions": ["PRINT"]}, 403),
        ("PUT", f"{GROUPS}/nothing", {"permissions": []}, 404),
        *[("DELETE", f"{GROUPS}/{key}", None, 403) for key in ("admins", "guests", "readonly")],
        ("DELETE", f"{GROUPS}/users", None, 403),
        ("DELETE", f"{GROUPS}/nothing", None, 404),
    ],
)
async def test_what_is_refused(farm: Farm, method: str, path: str, body: Any, status: int) -> None:
    """octoprint 4: 400 missing, 409 exists, 404, 403 unchangeable; the four stay as they are."""
    before = (await farm.get(GROUPS)).json()
    answer = await ask(farm, method, path, body)
    assert answer.status_code == status, answer.text
    assert (await farm.get(GROUPS)).json() == before


async def test_only_admins_keep_groups(farm: Farm) -> None:
    """octoprint 4: groups need ADMIN, to be seen and to be changed."""
    for method, path in (("GET", GROUPS), ("POST", GROUPS), ("DELETE", f"{GROUPS}/users")):
        answer = await ask(farm, method, path, {"key": "x"}, key=farm.viewer_key)
        assert answer.status_code == 403, (method, path)


#: What a permission opens: (method, path below the printer, body, status once it is let in).
OPENED: list[tuple[str, str, str, Any, int]] = [
    ("STATUS", "GET", "/api/job", None, 200),
    ("FILES_LIST", "GET", "/api/files", None, 200),
    ("FILES_DOWNLOAD", "GET", "/downloads/files/local/a.gcode", None, 200),
    ("FILES_DELETE", "DELETE", "/api/files/local/a.gcode", None, 204),
    ("SETTINGS_READ", "GET", "/api/settings", None, 200),
    ("CONNECTION", "GET", "/api/printerprofiles", None, 200),
    ("CONTROL", "POST", "/api/printer/printhead", {"command": "home", "axes": ["x"]}, 204),
    ("TIMELAPSE_LIST", "GET", "/api/timelapse", None, 200),
    ("PRINT", "POST", "/api/job", {"command": "cancel"}, 409),
    ("SYSTEM", "GET", "/api/system/commands", None, 200),
]


@pytest.mark.parametrize("permission", [row[0] for row in OPENED])
async def test_a_permission_decides(farm: Farm, permission: str) -> None:
    """octoprint 3 missing permission: with it, this and nothing else of these opens; without it,
    403.
    """
    await farm.upload("a.gcode")
    assert (await made(farm, "one", [permission])).status_code == 200
    key = await member(farm, "one")
    for other, method, path, body, status in OPENED:
        answer = await ask(farm, method, ALPHA + path, body, key)
        assert answer.status_code == (status if other == permission else 403), (other, answer.text)
    record = (await ask(farm, "GET", f"{ALPHA}/api/currentuser", key=key)).json()
    assert record == {"name": "mara", "groups": ["one"], "permissions": [permission]}


async def test_uploading_without_printing_asks_for_approval(farm: Farm) -> None:
    """octoprint 6 permission: select is ignored, and (DESIGN 5) `print` of who may only upload
    waits for approval."""
    await made(farm, "senders", ["STATUS", "FILES_LIST", "FILES_UPLOAD"])
    key = await member(farm, "senders")
    files = {"file": ("a.gcode", GCODE)}
    sent = await farm.http.post(
        f"{ALPHA}/api/files/local",
        headers={"X-Api-Key": key},
        files=files,
        data={"print": "true", "select": "true"},
    )
    assert (sent.status_code, sent.json()["effectivePrint"]) == (201, False)
    assert sent.json()["effectiveSelect"] is False
    jobs = (await farm.http.get("/api/v1/jobs", headers={"X-API-Key": farm.token})).json()
    assert [job["status"] for job in jobs] == ["submitted"]


async def test_the_other_face_decides_the_same(farm: Farm) -> None:
    """One decision, two faces: what all permissions of a right are missing for is closed in v1."""
    await made(farm, "watch", WATCH)
    await member(farm, "watch")
    login = {"username": "mara", "password": PASSWORD}
    token = (await farm.http.post("/api/v1/auth/login", json=login)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert (await farm.http.get("/api/v1/printers", headers=headers)).status_code == 200
    for method, path in (("POST", "/api/v1/printers/1/pause"), ("GET", "/api/v1/users")):
        answer = await farm.http.request(method, path, headers=headers)
        assert answer.status_code == 403, path


async def test_groups_never_give_more_than_the_role(farm: Farm) -> None:
    """octoprint 3 groups: who is made a viewer over v1 is one, whatever the group would give."""
    await made(farm, "printers", ["STATUS", "PRINT", "CONTROL"])
    key = await member(farm, "printers")
    user = await User.get(username="mara")
    assert (user.role, user.groups) == ("operator", ["printers"])
    await User.filter(id=user.id).update(role="viewer")
    farm.application.rooms.accounts._credentials.forget()
    answer = await ask(
        farm, "POST", f"{ALPHA}/api/printer/printhead", {"command": "home", "axes": ["x"]}, key
    )
    assert answer.status_code == 403
    record = (await ask(farm, "GET", f"{ALPHA}/api/currentuser", key=key)).json()
    assert record["permissions"] == ["STATUS"]


async def test_subgroups_give_theirs(farm: Farm) -> None:
    """octoprint 3 groups: a group gives what its subgroups give, circles included; `needs` say
    so.
    """
    await made(farm, "inner", ["FILES_LIST"])
    await made(farm, "outer", ["STATUS"], subgroups=["inner"])
    await ask(farm, "PUT", f"{GROUPS}/inner", {"subgroups": ["outer"]})
    assert (await group(farm, "outer"))["needs"]["role"] == ["files_list", "status"]
    key = await member(farm, "outer")
    assert (await ask(farm, "GET", f"{ALPHA}/api/files", key=key)).status_code == 200
    await ask(farm, "DELETE", f"{GROUPS}/inner")
    assert (await group(farm, "outer"))["subgroups"] == []
    assert (await ask(farm, "GET", f"{ALPHA}/api/files", key=key)).status_code == 403


async def test_operators_can_be_given_less(farm: Farm) -> None:
    """octoprint 3 groups: `users` is changeable; who is in it loses at once what it loses."""
    key = await member(farm, "users")
    home = ("POST", f"{ALPHA}/api/printer/printhead", {"command": "home", "axes": ["x"]}, key)
    assert (await ask(farm, *home)).status_code == 204
    answer = await ask(farm, "PUT", f"{GROUPS}/users", {"permissions": ["STATUS", "FILES_LIST"]})
    assert answer.status_code == 200
    assert (await ask(farm, *home)).status_code == 403
    assert (await ask(farm, "GET", f"{ALPHA}/api/job", key=key)).status_code == 200
    admin = await ask(farm, "GET", f"{ALPHA}/api/currentuser")
    assert "CONTROL" in admin.json()["permissions"]


async def test_who_loses_every_group_may_nothing(farm: Farm) -> None:
    """octoprint 3 groups: a removed group leaves its members in the rest of theirs, here in
    none.
    """
    await made(farm, "watch", WATCH)
    key = await member(farm, "watch")
    await ask(farm, "DELETE", f"{GROUPS}/watch")
    assert (await ask(farm, "GET", f"{ALPHA}/api/job", key=key)).status_code == 403
    shown = (await farm.get(f"{USERS}/mara")).json()
    assert (shown["groups"], shown["permissions"]) == ([], [])


async def test_new_people_are_in_the_default_groups(farm: Farm) -> None:
    """octoprint 3 groups: those that `default` says, unless groups are named."""
    await made(farm, "watch", WATCH, default=True)
    body = {"name": "nora", "password": PASSWORD, "active": True}
    assert (await ask(farm, "POST", USERS, body)).status_code == 200
    assert (await farm.get(f"{USERS}/nora")).json()["groups"] == ["users", "watch"]
    await ask(farm, "PUT", f"{GROUPS}/users", {"default": False})
    await ask(farm, "POST", USERS, {**body, "name": "olga"})
    assert (await farm.get(f"{USERS}/olga")).json()["groups"] == ["watch"]


async def test_the_old_address_leads_to_the_same_people(farm: Farm) -> None:
    """octoprint 4: `/api/users…` 307; groups are changed there as here."""
    await made(farm, "watch", WATCH)
    await member(farm, "users")
    moved = await farm.http.put(
        f"{ALPHA}/api/users/mara",
        json={"groups": ["watch"]},
        headers={"X-Api-Key": farm.key},
        follow_redirects=True,
    )
    assert moved.status_code == 200
    assert (await farm.get(f"{USERS}/mara")).json()["groups"] == ["watch"]
