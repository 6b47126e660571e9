"""One `/api`, two dialects: who answers where, and how errors look (DESIGN 7; octoprint 1)."""

import httpx
import pytest

from tests.api.octoprint.conftest import Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: OctoPrint's paths below /api that lie beside v1's rooms of similar names.
OCTOPRINT_PATHS = [
    *("/api/server", "/api/connection", "/api/files", "/api/files/local", "/api/job"),
    *("/api/printer", "/api/printer/tool", "/api/printerprofiles", "/api/settings"),
]
V1_PATHS = ["/api/printers", "/api/jobs", "/api/print-files", "/api/users", "/api/models"]


async def test_octoprints_paths_at_the_root_answer_octoprint(farm: Farm) -> None:
    """Indented, sorted JSON with OctoPrint's headers; 403 in its own form without a key."""
    for path in OCTOPRINT_PATHS:
        answer = await farm.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert answer.text.endswith("\n")
        assert answer.headers["x-robots-tag"] == "noindex, nofollow, noimageindex"
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "max-age=0"
        refused = await farm.http.get(path)
        assert refused.status_code == 403
        assert set(refused.json()) == {"error"}


async def test_v1s_paths_at_the_root_answer_v1(farm: Farm) -> None:
    """The alias of v1 is untouched by the face beside it: 401 and v1's error."""
    for path in V1_PATHS:
        refused = await farm.http.get(path)
        assert refused.status_code == 401, path
        assert "detail" in refused.json()
        assert (await farm.get(path, key=farm.token)).status_code == 200


async def test_version_at_the_root_is_the_union(farm: Farm) -> None:
    """Both dialects' fields; 200 without credentials, 403 with an invalid one."""
    for key in (farm.key, farm.token):
        found = (await farm.get("/api/version", key=key)).json()
        assert found["version"] == "1.9.3"
        assert found["text"].startswith("OctoPrint")
    assert (await farm.http.get("/api/version")).status_code == 200
    assert (await farm.get("/api/version", key="x" * 43)).status_code == 403


async def test_version_below_a_printer_is_octoprints(farm: Farm) -> None:
    """octoprint 4: api, server, text; slicers look for text that begins with OctoPrint."""
    found = (await farm.get("/octoprint/alpha/api/version")).json()
    assert set(found) == {"api", "server", "text"}
    assert (found["api"], found["server"]) == ("0.1", "1.11.8")


async def test_unmatched_paths_are_404_in_the_form_of_who_owns_them(farm: Farm) -> None:
    """octoprint 0 unknown path: nobody's has both words, OctoPrint's error, v1's detail; routing
    comes before credentials.
    """
    assert set((await farm.http.get("/api/nothing")).json()) == {"detail", "error"}
    for path in ("/api/job/nothing", "/octoprint/alpha/api/nothing", "/downloads/nothing"):
        answer = await farm.http.get(path)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}, path
    assert set((await farm.http.get("/api/v1/nothing")).json()) == {"detail", "error"}


async def test_a_wrong_method_is_405_in_json(farm: Farm) -> None:
    """octoprint 0 unknown path: 405 also without a key."""
    answer = await farm.http.put("/octoprint/alpha/api/job")
    assert answer.status_code == 405
    assert set(answer.json()) == {"error"}
    assert answer.headers["pragma"] == "no-cache"


async def test_a_prefix_of_a_proxy_is_in_every_link(farm: Farm) -> None:
    """octoprint 1 script root: X-Script-Name, X-Forwarded-Host and -Proto shape generated URLs."""
    headers = {
        "X-Api-Key": farm.key,
        "X-Script-Name": "/farm/",
        "X-Forwarded-Host": "print.example",
        "X-Forwarded-Proto": "https",
    }
    files = {"file": ("a.gcode", b"G28\n")}
    answer = await farm.http.post("/octoprint/alpha/api/files/local", files=files, headers=headers)
    base = "https://print.example/farm/octoprint/alpha"
    assert answer.headers["location"] == f"{base}/api/files/local/a.gcode"
    download = answer.json()["files"]["local"]["refs"]["download"]
    assert download == f"{base}/downloads/files/local/a.gcode"


async def test_only_our_proxies_may_shape_links(farm: Farm) -> None:
    """octoprint 1 script root: the same headers of a stranger are nothing (safety S05)."""
    headers = {
        "X-Api-Key": farm.key,
        "X-Script-Name": "/farm",
        "X-Forwarded-Prefix": "/farm",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "444",
        "X-Forwarded-Proto": "https",
        "X-Scheme": "https",
    }
    stranger = httpx.ASGITransport(farm.application, client=("203.0.113.9", 50000))
    async with httpx.AsyncClient(transport=stranger, base_url="http://farm.local:5000") as http:
        answer = await http.get("/octoprint/alpha/api/printerprofiles", headers=headers)
    resource = answer.json()["profiles"]["_default"]["resource"]
    assert resource == "http://farm.local:5000/octoprint/alpha/api/printerprofiles/_default"


async def test_a_prefix_that_is_no_path_is_ignored(farm: Farm) -> None:
    """What is not a plain path does not get into links."""
    for prefix in ("javascript:alert(1)", "//evil.example", '/a"b', "/a/../b c"):
        headers = {"X-Api-Key": farm.key, "X-Script-Name": prefix}
        answer = await farm.http.get("/api/printerprofiles", headers=headers)
        resource = answer.json()["profiles"]["_default"]["resource"]
        assert resource == "http://farm.local:5000/api/printerprofiles/_default"
