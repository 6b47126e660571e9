"""Access control cannot be switched off, whichever way an OctoPrint once could (octoprint 3)."""

from typing import Any

import pytest

from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: What has opened an OctoPrint to everybody, at one time or another: (method, path, body).
WAYS: list[tuple[str, str, Any]] = [
    ("POST", "/api/settings", {"accessControl": {"enabled": False}}),
    ("POST", "/api/settings", {"accessControl": {"autologinLocal": True, "autologinAs": "admin"}}),
    ("POST", "/api/settings", {"accessControl": {"localNetworks": ["0.0.0.0/0"]}}),
    ("POST", "/api/settings", {"accessControl": {"trustRemoteUser": True}}),
    ("POST", "/api/settings", {"accessControl": {"trustBasicAuthentication": True}}),
    ("POST", "/api/settings", {"api": {"enabled": False, "key": "known"}}),
    ("POST", "/api/settings", {"server": {"firstRun": True}}),
    ("POST", "/api/setup", {"ac": "false"}),
    ("POST", "/api/setup/wizard", {"handled": ["corewizard"]}),
    ("POST", "/plugin/corewizard/acl", {"ac": False}),
    ("PUT", "/api/access/groups/guests", {"permissions": ["ADMIN", "STATUS"]}),
    ("PUT", "/api/access/groups/guests", {"permissions": [], "subgroups": ["admins"]}),
    ("PUT", "/api/access/users/guest", {"groups": ["guests"]}),
]


@pytest.mark.parametrize("root", ["", "/octoprint/alpha"])
async def test_nothing_opens_the_farm_to_everybody(farm: Farm, root: str) -> None:
    """Whatever an admin tries, who has no key and no password is let in nowhere."""
    for method, path, body in WAYS:
        headers = {"X-Api-Key": farm.key}
        await farm.http.request(method, root + path, json=body, headers=headers)
        for asked in ("/api/job", "/api/printer", "/api/files", "/api/settings"):
            assert (await farm.http.get(root + asked)).status_code == 403, (path, body, asked)
        remote = {"REMOTE_USER": "admin", "X-Remote-User": "admin", "Authorization": "Basic YTpi"}
        assert (await farm.http.get(f"{root}/api/job", headers=remote)).status_code == 403
        nobody = (await farm.http.get(f"{root}/api/currentuser")).json()
        assert nobody == {"name": None, "permissions": [], "groups": ["guests"]}
        passive = await farm.http.post(f"{root}/api/login", json={"passive": True})
        assert "name" not in passive.json(), (path, body)
    settings = (await farm.get(f"{root}/api/settings")).json()
    assert settings["accessControl"]["autologinLocal"] is False
    assert settings["api"]["key"] is None


async def test_the_last_admin_stays(farm: Farm) -> None:
    """octoprint 3 groups: nobody is left without an admin, by groups neither."""
    users = "/api/access/users"
    for body in ({"groups": ["users"]}, {"active": False}):
        answer = await farm.http.put(f"{users}/admin", json=body, headers={"X-Api-Key": farm.key})
        assert answer.status_code in (400, 403), answer.text
    login = {"user": "admin", "pass": PASSWORD}
    record = (await farm.http.post("/api/login", json=login)).json()
    assert record["admin"] is True
