"""What every OctoPrint does alike, whatever is asked: bodies, yes and no, links (octoprint 1)."""

import json
import re

import pytest
from tortoise.exceptions import OperationalError

from api.db import Unstorable
from tests.api.octoprint.conftest import GCODE, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOCAL = "/api/files/local"
#: What stands for the parameters of a route.
THERE = {"origin": "local", "path": "a.gcode", "username": "guest", "key": "users"}
THERE |= {"profile": "_default", "name": "a", "user_token": "x"}
#: No JSON body: forms too, none at all, or nothing here that reads it.
OTHER_BODIES = (
    *("/api/login", "/api/logout", "/login/", "/api/timelapse", "/api/system", "/sockjs"),
    *("/api/files/<origin>", "/api/languages", "/api/plugin/<plugin>", "/plugin/appkeys/auth"),
    *("/api/slicing", "/api/system/commands"),
)
BROKEN = [
    (b'{"command": "x"}', "text/plain", 415),
    (b"command=x", "application/x-www-form-urlencoded", 415),
    (b"{", "application/json", 400),
    (b"[]", "application/json", 400),
]


def json_routes(farm: Farm) -> list[tuple[str, str]]:
    """(method, path) of every route that takes a JSON body."""
    found = []
    for route in farm.application.octoprint.routes:
        is_other = route.path in OTHER_BODIES or route.path.endswith("apikey")
        is_other = is_other or route.path.startswith(
            ("/sockjs", "/plugin/appkeys/auth", "/api/slicing", "/api/system/commands")
        )
        if route.method in ("POST", "PUT", "PATCH") and not is_other:
            path = re.sub(r"<(?:path:)?(\w+)>", lambda match: THERE[match[1]], route.path)
            found.append((route.method, path))
    return found


@pytest.mark.parametrize(("content", "kind", "status"), BROKEN)
async def test_every_json_body_is_read_alike(
    farm: Farm, content: bytes, kind: str, status: int
) -> None:
    """octoprint 1 bodies: another type 415; unparsable, or no object, 400; wherever it goes."""
    await farm.upload("a.gcode")
    await farm.http.patch(
        "/api/printerprofiles/_default",
        json={"profile": {"heatedChamber": True}},
        headers={"X-Api-Key": farm.key},
    )
    routes = json_routes(farm)
    assert len(routes) > 25
    for method, path in routes:
        headers = {"X-Api-Key": farm.key, "Content-Type": kind}
        answer = await farm.http.request(method, path, content=content, headers=headers)
        assert answer.status_code == status, (method, path, answer.text)
        assert set(answer.json()) == {"error"}


@pytest.mark.parametrize("root", ["", "/octoprint/alpha"])
@pytest.mark.parametrize(
    ("lost", "status"),
    [
        *((RuntimeError("a mistake"), 500), (OperationalError("lost rows"), 503)),
        (Unstorable("no column"), 400),
    ],
)
async def test_our_own_mistakes_look_like_every_error(
    farm: Farm, monkeypatch: pytest.MonkeyPatch, root: str, lost: Exception, status: int
) -> None:
    """octoprint 1 errors, 1 headers: whatever happens behind the face; nothing of it is told."""

    async def failing(*rest: object) -> None:
        raise lost

    monkeypatch.setattr(farm.application.rooms.accounts, "organization_settings", failing)
    answer = await farm.get(f"{root}/api/settings")
    assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert str(lost) not in answer.text
    assert answer.text == json.dumps(answer.json(), indent=2) + "\n"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow, noimageindex"
    assert answer.headers["cache-control"] == "max-age=0"


#: Endpoints that take commands, and those of them that need something beside their name.
COMMANDS = {
    "/api/connection": (),
    "/api/job": (),
    "/api/printer/sd": (),
    "/api/printer/bed": ("target", "offset"),
    "/api/printer/tool": ("target", "offset", "select", "extrude", "flowrate"),
    "/api/printer/printhead": ("jog", "home", "feedrate"),
    "/api/files/test": ("sanitize", "exists"),
    "/api/files/local/a.gcode": ("copy", "move"),
    "/api/plugin/appkeys": ("generate", "revoke"),
    "/api/util/test": ("path", "url", "server", "resolution"),
}


@pytest.mark.parametrize(("path", "needy"), COMMANDS.items(), ids=list(COMMANDS))
async def test_a_command_says_what_it_is_and_takes(
    farm: Farm, path: str, needy: tuple[str, ...]
) -> None:
    """octoprint 1 commands: without one, an unknown one, or without what it needs: 400."""
    await farm.upload("a.gcode")
    for body in ({}, {"command": "dance"}, {"command": None}, *({"command": n} for n in needy)):
        answer = await farm.post(path, json=body)
        assert answer.status_code == 400, (body, answer.text)
    assert farm.room.orders == []


@pytest.mark.parametrize(
    ("word", "means"),
    [
        *((word, True) for word in ("true", "True", "TRUE", "yes", "Yes", "y", "Y", "1")),
        *((word, False) for word in ("false", "no", "n", "0", "", "2", "x")),
    ],
)
async def test_yes_is_said_in_many_ways(farm: Farm, word: str, means: bool) -> None:
    """octoprint 1 truthy: in the query, in a form and as a text in JSON; nothing else is yes."""
    sent = await farm.upload("a.gcode", path="sub", select=word)
    assert sent.json()["effectiveSelect"] is means
    again = await farm.upload("a.gcode", path="sub", noOverwrite=word)
    assert again.status_code == (409 if means else 201)
    folder = (await farm.get(f"/api/files?recursive={word}")).json()["files"][0]
    assert bool(folder["children"]) is means
    jog = {"command": "jog", "x": 1, "absolute": word}
    assert (await farm.post("/api/printer/printhead", json=jog)).status_code == 204
    assert (farm.room.orders[-1][1]["lines"][0] == "G90") is means
    select = {"command": "select", "print": word}
    assert (await farm.post(f"{LOCAL}/sub/a.gcode", json=select)).status_code == 204
    assert (farm.room.orders[-1][0] == "start") is means


@pytest.mark.parametrize("query", ["force=true", "_refresh=1"])
async def test_a_listing_can_be_asked_for_anew(farm: Farm, query: str) -> None:
    """octoprint 1 revalidation: not with `force` or `_refresh`."""
    await farm.upload("a.gcode")
    for path in ("/api/files", LOCAL, f"{LOCAL}/a.gcode"):
        headers = {"X-Api-Key": farm.key, "If-None-Match": "*"}
        assert (await farm.http.get(path, headers=headers)).status_code == 304, path
        answer = await farm.http.get(f"{path}?{query}", headers=headers)
        assert (answer.status_code, "etag" in answer.headers) == (200, False), path


LINKS = [
    ({}, "http://farm.local:5000"),
    ({"Host": "other.local"}, "http://other.local"),
    ({"X-Forwarded-Proto": "https"}, "https://farm.local:5000"),
    ({"X-Scheme": "https"}, "https://farm.local:5000"),
    ({"X-Forwarded-Host": "print.example"}, "http://print.example"),
    ({"X-Forwarded-Host": "print.example:81"}, "http://print.example:81"),
    (
        {"X-Forwarded-Host": "print.example", "X-Forwarded-Port": "15001"},
        "http://print.example:15001",
    ),
    (
        {
            "X-Forwarded-Host": "print.example",
            "X-Forwarded-Port": "443",
            "X-Forwarded-Proto": "https",
        },
        "https://print.example",
    ),
    ({"X-Script-Name": "/octo/p1"}, "http://farm.local:5000/octo/p1"),
    ({"X-Forwarded-Prefix": "/octo/p1/"}, "http://farm.local:5000/octo/p1"),
]


@pytest.mark.parametrize("root", ["", "/octoprint/alpha"])
@pytest.mark.parametrize(("headers", "base"), LINKS)
async def test_links_are_what_the_client_can_reach(
    farm: Farm, root: str, headers: dict[str, str], base: str
) -> None:
    """octoprint 1 absolute URLs, 1 script root: of `Location`, `refs` and redirects; but for the
    old address of logs.
    """
    sent = {"X-Api-Key": farm.key, **headers}
    files = {"file": ("a.gcode", GCODE)}
    made = await farm.http.post(f"{root}{LOCAL}", files=files, headers=sent)
    at = base + root
    assert made.headers["location"] == f"{at}{LOCAL}/a.gcode"
    refs = {"resource": f"{at}{LOCAL}/a.gcode", "download": f"{at}/downloads/files/local/a.gcode"}
    assert made.json()["files"]["local"]["refs"] == refs
    assert (await farm.http.get(f"{root}{LOCAL}/a.gcode", headers=sent)).json()["refs"] == refs
    copy = {"command": "copy", "destination": "b.gcode"}
    copied = await farm.http.post(f"{root}{LOCAL}/a.gcode", json=copy, headers=sent)
    assert copied.headers["location"] == f"{at}{LOCAL}/b.gcode"
    profiles = (await farm.http.get(f"{root}/api/printerprofiles", headers=sent)).json()
    assert profiles["profiles"]["_default"]["resource"] == f"{at}/api/printerprofiles/_default"
    movie = await farm.http.get(f"{root}/api/timelapse/a.mp4", headers=sent)
    assert movie.headers["location"] == f"{at}/downloads/timelapse/a.mp4"
    people = await farm.http.get(f"{root}/api/users/guest", headers=sent)
    prefix = base.partition("//")[2].partition("/")[2]
    wanted = (f"/{prefix}" if prefix else "") + root
    assert people.headers["location"] == f"{wanted}/api/access/users/guest"
    logs = await farm.http.get(f"{root}/api/logs", headers=sent)
    assert logs.headers["location"] == "/plugin/logging/logs"
    await farm.http.delete(f"{root}{LOCAL}/b.gcode", headers=sent)
