"""Users, their keys, groups and permissions (octoprint 3 and 4, /api/access)."""

from typing import Any

import httpx
import pytest

from api.accounts.models import User
from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

USERS = "/api/access/users"
NEW = "Another-horse-9"
PERMISSIONS = [
    *("ADMIN", "STATUS", "CONNECTION", "WEBCAM", "SYSTEM", "FILES_LIST", "FILES_UPLOAD"),
    *("FILES_DOWNLOAD", "FILES_DELETE", "FILES_SELECT", "PRINT", "GCODE_VIEWER"),
    *("MONITOR_TERMINAL", "CONTROL", "SLICE", "TIMELAPSE_LIST", "TIMELAPSE_DOWNLOAD"),
    *("TIMELAPSE_DELETE", "TIMELAPSE_MANAGE_UNRENDERED", "TIMELAPSE_ADMIN"),
    *("SETTINGS_READ", "SETTINGS"),
]
WATCHING = {
    *("STATUS", "WEBCAM", "FILES_LIST", "FILES_DOWNLOAD", "GCODE_VIEWER", "MONITOR_TERMINAL"),
    *("TIMELAPSE_LIST", "TIMELAPSE_DOWNLOAD", "SETTINGS_READ"),
}


async def ask(farm: Farm, method: str, path: str, key: str = "", **more: Any) -> httpx.Response:
    headers = {"X-Api-Key": key or farm.key}
    return await farm.http.request(method, path, headers=headers, **more)


def names(answer: httpx.Response) -> list[str]:
    return [user["name"] for user in answer.json()["users"]]


async def test_groups_are_the_roles(farm: Farm) -> None:
    """octoprint 3 groups, 3 group object: admins, users (default), readonly, guests."""
    groups = {one["key"]: one for one in (await farm.get("/api/access/groups")).json()["groups"]}
    assert set(groups) == {"admins", "users", "readonly", "guests"}
    assert groups["admins"]["permissions"] == ["ADMIN"]
    assert groups["users"]["default"] and not groups["readonly"]["default"]
    assert groups["users"]["name"] == "Operator"
    operators = {*PERMISSIONS, "PLUGIN_APPKEYS_GRANT"} - {"ADMIN", "SYSTEM", "SETTINGS"}
    assert set(groups["users"]["permissions"]) == operators
    assert set(groups["readonly"]["permissions"]) == WATCHING
    flags = {key: (one["removable"], one["changeable"]) for key, one in groups.items()}
    assert flags["admins"] == (False, False)
    assert [key for key, one in groups.items() if one["toggleable"]] == [
        *("admins", "readonly", "users")
    ]
    assert [key for key, one in groups.items() if one["dangerous"]] == ["admins"]
    assert groups["guests"]["permissions"] == [] and not groups["guests"]["toggleable"]
    assert set(groups["users"]) == {
        *("key", "name", "description", "permissions", "subgroups", "needs", "default"),
        *("removable", "changeable", "toggleable", "dangerous"),
    }
    assert (await farm.get("/api/access/groups/users")).json()["key"] == "users"
    assert (await farm.get("/api/access/groups/none")).status_code == 404


async def test_permissions_are_told_to_anybody(farm: Farm) -> None:
    """octoprint 0 currentuser, 3 permissions, 3 permission object: 200 anonymously."""
    told = (await farm.http.get("/api/access/permissions")).json()["permissions"]
    by_key = {one["key"]: one for one in told}
    assert [*by_key] == [*PERMISSIONS, "PLUGIN_APPKEYS_GRANT", "PLUGIN_APPKEYS_ADMIN"]
    dangerous = {key for key, one in by_key.items() if one["dangerous"]}
    assert dangerous == {"ADMIN", "SYSTEM", "SETTINGS", "PLUGIN_APPKEYS_ADMIN"}
    keys = {"key", "name", "description", "dangerous", "default_groups", "needs"}
    for key, one in by_key.items():
        plugin = {"plugin"} if key.startswith("PLUGIN_") else set()
        assert (set(one), one["needs"]) == (keys | plugin, {"role": [key.lower()]})
    assert by_key["STATUS"]["default_groups"] == ["admins", "readonly", "users"]
    assert by_key["STATUS"]["needs"] == {"role": ["status"]}


async def test_a_user_is_added_changed_and_removed(farm: Farm) -> None:
    """octoprint 4: every change answers the whole list; groups become roles."""
    body = {"name": "mara", "password": NEW, "active": True}
    assert names(await ask(farm, "POST", USERS, json=body)) == ["admin", "guest", "mara"]
    assert (await ask(farm, "POST", USERS, json=body)).status_code == 409
    mara = (await farm.get(f"{USERS}/mara")).json()
    assert (mara["groups"], mara["active"], mara["apikey"]) == (["users"], True, None)
    change = {"active": False, "groups": ["readonly"]}
    changed = await ask(farm, "PUT", f"{USERS}/mara", json=change)
    mara = changed.json()["users"][-1]
    assert (mara["groups"], mara["active"]) == (["readonly"], False)
    assert (await User.get(username="mara")).role == "viewer"
    assert names(await ask(farm, "DELETE", f"{USERS}/mara")) == ["admin", "guest"]
    assert (await ask(farm, "DELETE", f"{USERS}/mara")).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", USERS, {"name": "x"}, 400),
        ("POST", USERS, {"password": NEW}, 400),
        ("POST", USERS, {"name": "x", "password": "short"}, 400),
        ("POST", USERS, {"name": "x", "password": NEW, "groups": ["gods"]}, 400),
        ("POST", USERS, {"name": "x", "password": NEW, "permissions": ["SYSTEM"]}, 400),
        ("PUT", f"{USERS}/guest", {"active": "yes"}, 400),
        ("PUT", f"{USERS}/nobody", {"active": True}, 404),
        ("PUT", f"{USERS}/nobody/password", {"password": NEW}, 404),
        ("PUT", f"{USERS}/guest/password", {}, 400),
        ("PUT", f"{USERS}/admin/password", {"password": NEW}, 400),
        ("PUT", f"{USERS}/admin/password", {"password": NEW, "current": "wrong"}, 403),
        ("DELETE", f"{USERS}/admin", None, 400),
        ("GET", f"{USERS}/nobody", None, 404),
    ],
)
async def test_what_is_refused(
    farm: Farm, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    """octoprint 4, users: 400 missing or oneself, 403, 404; nothing changed."""
    assert (await ask(farm, method, path, json=body)).status_code == status
    assert names(await farm.get(USERS)) == ["admin", "guest"]


async def test_a_password_is_changed(farm: Farm) -> None:
    """octoprint 4: an admin anybody's, oneself with the present one; 200 `{}`."""
    body = {"name": "mara", "password": PASSWORD}
    assert (await ask(farm, "POST", USERS, json=body)).status_code == 200
    made = await ask(farm, "POST", f"{USERS}/mara/apikey")
    key = made.json()["apikey"]
    own = {"password": NEW, "current": PASSWORD}
    answer = await ask(farm, "PUT", f"{USERS}/mara/password", key, json=own)
    assert (answer.status_code, answer.json()) == (200, {})
    login = {"user": "mara", "pass": NEW}
    assert (await farm.http.post("/api/login", json=login)).status_code == 200


async def test_a_users_key_is_made_shown_once_and_revoked(farm: Farm) -> None:
    """octoprint 4: POST {apikey}, the list says that there is one, DELETE 200 {}; dead then."""
    path = f"{USERS}/guest/apikey"
    first = (await ask(farm, "POST", path)).json()["apikey"]
    key = (await ask(farm, "POST", path, first)).json()["apikey"]
    assert (await farm.get("/api/version", key)).status_code == 200
    assert (await farm.get("/api/job", first)).status_code == 403
    listed = await farm.get(USERS)
    assert key not in listed.text
    assert [user["apikey"] for user in listed.json()["users"]] == [None, "********"]
    assert (await ask(farm, "POST", f"{USERS}/admin/apikey", key)).status_code == 403
    revoked = await ask(farm, "DELETE", path, key)
    assert (revoked.status_code, revoked.json()) == (200, {})
    assert (await farm.get("/api/job", key)).status_code == 403


async def test_the_old_global_key_is_the_callers_own(farm: Farm) -> None:
    """octoprint 4: /api/settings/apikey, admins only: `{apikey}`, 204."""
    path = "/api/settings/apikey"
    assert (await ask(farm, "POST", path, farm.viewer_key)).status_code == 403
    key = (await ask(farm, "POST", path)).json()["apikey"]
    assert (await farm.get("/api/currentuser", key)).json()["name"] == "admin"
    assert (await ask(farm, "DELETE", path)).status_code == 204
    assert (await farm.get("/api/job", key)).status_code == 403


async def test_user_settings_are_kept_by_key(farm: Farm) -> None:
    """octoprint 4: GET, PATCH 200 {}; one's own, an admin anybody's."""
    path = f"{USERS}/guest/settings"
    answer = await ask(farm, "PATCH", path, json={"interface": {"language": "de"}})
    assert (answer.status_code, answer.json()) == (200, {})
    await ask(farm, "PATCH", path, json={"other": 1})
    assert (await farm.get(path)).json() == {"interface": {"language": "de"}, "other": 1}
    login = await ask(farm, "POST", "/api/login", farm.viewer_key, json={"passive": True})
    assert login.json()["settings"] == {"interface": {"language": "de"}, "other": 1}
    own = await ask(farm, "GET", f"{USERS}/admin/settings", farm.viewer_key)
    assert own.status_code == 403


async def test_the_old_address_of_users_leads_on(farm: Farm) -> None:
    """octoprint 4: /api/users* 307; at the server's root the kind of credential decides."""
    for root in ("", "/octoprint/alpha"):
        answer = await farm.get(f"{root}/api/users/guest/apikey?x=1")
        assert answer.status_code == 307
        assert answer.headers["location"] == f"{root}/api/access/users/guest/apikey?x=1"
    v1 = await farm.get("/api/users", farm.token)
    assert v1.status_code == 200
    assert isinstance(v1.json(), list)
    assert (await farm.http.get("/api/users")).status_code == 401
