"""The allow-list in front of everything: both faces, sockets, what is let in from everywhere."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.api.whole.conftest import BASE, Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULE = "/api/v1/config/ip-allowlist"


@pytest_asyncio.fixture(loop_scope="session")
async def listed(farm_with_all: Whole) -> AsyncIterator[Whole]:
    """The farm, which lets its own machine in alone."""
    farm_with_all.transport.client = ("127.0.0.1", 1)
    wish = {"enabled": True, "cidrs": ["127.0.0.0/8", "198.51.100.0/24"]}
    answer = await farm_with_all.ask("admin", "PUT", RULE, json=wish)
    assert answer.status_code == 200, answer.text
    yield farm_with_all
    await farm_with_all.ask("admin", "PUT", RULE, json={"enabled": False})


def at(whole: Whole, address: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=whole.application, client=(address, 50000))
    return httpx.AsyncClient(transport=transport, base_url=BASE)


async def test_a_stranger_gets_no_further(listed: Whole) -> None:
    """403 in the contract's words on both faces, whatever key they hold (v1 1.1)."""
    headers = {"X-Api-Key": listed.secrets["admin"] or ""}
    async with at(listed, "203.0.113.9") as client:
        for path in ("/api/v1/printers", "/api/printers", "/api/v1/auth/login", "/", "/nowhere"):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 403, path
            assert answer.json()["detail"] == "IP address not allowed", path
            assert answer.json()["error"]["code"] == "ip_not_allowed", path
        answer = await client.get("/api/printer", headers=headers)
        assert (answer.status_code, answer.json()) == (403, {"error": "IP address not allowed"})
        forged = {**headers, "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}
        assert (await client.get("/api/v1/printers", headers=forged)).status_code == 403


async def test_who_is_listed_comes_in(listed: Whole) -> None:
    """From every network of the list."""
    headers = {"X-Api-Key": listed.secrets["admin"] or ""}
    for address in ("127.0.0.1", "198.51.100.77"):
        async with at(listed, address) as client:
            assert (await client.get("/api/v1/printers", headers=headers)).status_code == 200


async def test_probes_and_bridges_come_in_from_everywhere(listed: Whole) -> None:
    """Whoever watches the process, and agents, which prove themselves with their keys."""
    async with at(listed, "203.0.113.9") as client:
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/api/v1/health/ready")).status_code == 200
        assert (await client.post("/bridge/v1/nonce", json={})).status_code == 422
        hidden = await client.get("/downloads/files/local/health")
        assert hidden.status_code == 403


async def test_a_strangers_socket_is_never_opened(listed: Whole) -> None:
    """The upgrade is answered with 403, whatever ticket it brings."""
    told: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        told.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    scope = {
        "type": "websocket",
        "path": "/ws",
        "headers": [(b"host", b"farm.local")],
        "query_string": b"token=x",
        "client": ("203.0.113.9", 50000),
        "scheme": "ws",
        "root_path": "",
        "subprotocols": [],
    }
    await listed.application(scope, receive, send)  # type: ignore[arg-type]
    assert [message["type"] for message in told] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert told[0]["status"] == 403


async def test_nobody_locks_themselves_out(listed: Whole) -> None:
    """The own address must be in the list, and is named when it is not."""
    wish = {"enabled": True, "cidrs": ["203.0.113.0/24"]}
    answer = await listed.ask("admin", "PUT", RULE, json=wish)
    assert answer.status_code == 400
    assert "127.0.0.1" in answer.json()["detail"]
    assert (await listed.ask("admin", "GET", RULE)).json()["cidrs"][0] == "127.0.0.0/8"
