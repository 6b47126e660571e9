"""Cross-origin requests: off by default, never with credentials (octoprint 2; safety S24)."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.api.octoprint.conftest import Farm
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "https://evil.example"
ROOTS = ("", "/octoprint/alpha")


@pytest_asyncio.fixture(loop_scope="session")
async def open_farm(farm: Farm) -> AsyncIterator[Farm]:
    """A farm with the setting on."""
    await farm.post("/api/settings", json={"api": {"allowCrossOrigin": True}})
    yield farm
    await farm.post("/api/settings", json={"api": {"allowCrossOrigin": False}})


async def preflight(farm: Farm, path: str, origin: str = EVIL) -> httpx.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "X-Api-Key, Content-Type",
    }
    return await farm.http.options(path, headers=headers)


def said(answer: httpx.Response) -> dict[str, str]:
    start = "access-control-"
    return {name[len(start) :]: text for name, text in answer.headers.items() if start in name}


@pytest.mark.parametrize("root", ROOTS)
async def test_off_nothing_is_said(farm: Farm, root: str) -> None:
    """octoprint 2 CORS off: no Access-Control-*; OPTIONS is a plain 200; caches are told that
    origins matter.
    """
    for answer in (
        await preflight(farm, f"{root}/api/job"),
        await farm.http.get(f"{root}/api/job", headers={"Origin": EVIL, "X-Api-Key": farm.key}),
    ):
        assert (answer.status_code, said(answer)) == (200, {})
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("root", ROOTS)
async def test_on_a_preflight_is_answered(open_farm: Farm, root: str) -> None:
    """octoprint 2 CORS on: 200, empty, the origin, the method asked for, 10 s, the headers asked
    for.
    """
    answer = await preflight(open_farm, f"{root}/api/files/local")
    assert (answer.status_code, answer.content) == (200, b"")
    assert said(answer) == {
        "allow-origin": EVIL,
        "allow-methods": "POST",
        "allow-headers": "X-Api-Key, Content-Type",
        "max-age": "10",
    }


@pytest.mark.parametrize("root", ROOTS)
async def test_on_answers_can_be_read_errors_too(open_farm: Farm, root: str) -> None:
    """The Origin, never credentials; without Origin nothing; an unknown path nothing."""
    path = f"{root}/api/job"
    for headers, status in (({"X-Api-Key": open_farm.key}, 200), ({}, 403)):
        answer = await open_farm.http.get(path, headers={**headers, "Origin": EVIL})
        assert (answer.status_code, said(answer)) == (status, {"allow-origin": EVIL})
    assert said(await open_farm.get(path)) == {}
    unknown = await open_farm.http.get(f"{root}/api/nothing", headers={"Origin": EVIL})
    assert (unknown.status_code, said(unknown)) == (404, {})


@pytest.mark.parametrize("root", ROOTS)
async def test_sockets_of_other_sites_open_with_the_setting(farm: Farm, root: str) -> None:
    """octoprint 2 CORS of sockets: refused while it is off, let in while it is on; `/sockjs/info`
    is anybody's either way.
    """
    for is_on in (False, True, False):
        await farm.post("/api/settings", json={"api": {"allowCrossOrigin": is_on}})
        path = f"{root}/sockjs/websocket"
        async with LiveSocket(farm.application, path, host="farm.local", origin=EVIL) as socket:
            if is_on:
                await socket.accepted()
            else:
                assert (await socket.message())["status"] == 403
        for headers, origin in (({}, "*"), ({"Origin": EVIL}, EVIL)):
            info = await farm.http.get(f"{root}/sockjs/info", headers=headers)
            assert said(info) == {"allow-origin": origin, "allow-credentials": "true"}


async def test_a_session_is_of_no_use_across_origins(open_farm: Farm) -> None:
    """S24: no Allow-Credentials, so a page elsewhere cannot read with the cookie; S23: no login."""
    body = {"user": "admin", "pass": "x"}
    answer = await open_farm.http.post("/api/login", json=body, headers={"Origin": EVIL})
    assert answer.status_code == 403
    assert "allow-credentials" not in said(answer)


async def test_the_version_of_both_dialects_is_readable_like_the_rest(open_farm: Farm) -> None:
    """At the server's root `/api/version` is the first thing that a client asks."""
    headers = {"Origin": EVIL, "X-Api-Key": open_farm.key}
    answer = await open_farm.http.get("/api/version", headers=headers)
    assert (answer.status_code, said(answer)) == (200, {"allow-origin": EVIL})
    answer = await preflight(open_farm, "/api/version")
    assert answer.status_code == 200
    assert said(answer)["allow-headers"] == "X-Api-Key, Content-Type"


async def test_off_the_version_of_both_dialects_says_nothing(farm: Farm) -> None:
    """Nor does it say anything of v1's own routes, ever."""
    for path in ("/api/version", "/api/v1/version"):
        answer = await farm.http.get(path, headers={"Origin": EVIL, "X-Api-Key": farm.key})
        assert (answer.status_code, said(answer)) == (200, {})
