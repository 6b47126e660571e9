"""The HTTP calls of agents and admins around pairing and bridges."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from quart import Quart

from api.bridges.routes import BridgeRoutes
from api.bridges.service import Bridges
from api.config import Settings
from api.errors import Forbidden, NotAuthenticated
from api.pairing.routes import PairingRoutes, here
from api.pairing.service import Pairing
from api.principal import Principal
from api.v1 import V1
from schemas.facts import Port
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey, hello_of

Call = Callable[..., Awaitable[tuple[int, Any]]]


class OneAdmin:
    """Knows one secret."""

    def __init__(self, admin: Principal) -> None:
        self._admin = admin

    async def authenticate(self, secret: str) -> Principal:
        if secret != "odin_admin":
            raise NotAuthenticated("no")
        return self._admin


class Confirming:
    """Whether whoever asks has shown the password lately."""

    is_fresh = True

    async def require_fresh(self, by: Principal) -> None:
        if not self.is_fresh:
            raise Forbidden("again", code="reauth_required")


@pytest.fixture
def people() -> Confirming:
    return Confirming()


@pytest.fixture
def call(
    bridges: Bridges,
    pairing: Pairing,
    settings: Settings,
    admin: Principal,
    people: Confirming,
) -> Call:
    quart = Quart("test", static_folder=None)
    v1 = V1(quart, OneAdmin(admin))
    BridgeRoutes(bridges, people).register(v1)
    PairingRoutes(pairing, settings).register(v1, quart)

    async def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer odin_admin"} if path.startswith("/api") else {}
        client = quart.test_client()
        answer = await client.open(path, method=method, json=body or {}, headers=headers)
        data = await answer.get_data()
        return answer.status_code, await answer.get_json() if data else None

    return call


async def test_a_bridge_is_paired_over_http(
    call: Call, key: AgentKey, clock: FakeClock, bridges: Bridges, people: Confirming
) -> None:
    """From the agent's question to the list of bridges; a stale session ends none (safety S16)."""
    ask = {"public_key": key.public, "room": "Cellar", "hostname": "pi", "os": "Linux"}
    status, code = await call("POST", "/bridge/v1/pairing", ask)
    assert status == 200
    assert code["verification_url"] == "http://localhost/#/pair"
    assert (code["expires_in"], code["interval"], code["user_code"][4]) == (600, 2, "-")
    proof = {
        "device_code": code["device_code"],
        "signature": key.sign(b"gantry-pair-v1\n" + code["device_code"].encode()),
    }
    status, answer = await call("POST", "/bridge/v1/pairing/token", proof)
    assert (status, answer["error"]["code"]) == (400, "authorization_pending")
    status, seen = await call("GET", f"/api/v1/pairing/{code['user_code']}")
    assert (status, seen["fingerprint"], seen["room"]) == (200, code["fingerprint"], "Cellar")
    status, seen = await call("POST", f"/api/v1/pairing/{code['user_code']}/approve")
    assert (status, seen["state"]) == (200, "approved")
    clock.advance(2)
    status, paired = await call("POST", "/bridge/v1/pairing/token", proof)
    assert (status, paired["name"], paired["organization_id"]) == (200, "Cellar", 1)

    bridge = (await bridges.standing(1, 0))[1]
    port = Port(port_id="usb:1-1", device="/dev/ttyACM0")
    await bridges.open_session(bridge, hello_of(bridge.uid, ports=[port]))
    status, rows = await call("GET", "/api/v1/bridges")
    assert [(row["bridge_id"], row["online"]) for row in rows] == [(paired["bridge_id"], True)]
    assert (await call("GET", "/api/v1/bridges/1"))[1] == rows[0]
    status, ports = await call("GET", "/api/v1/bridges/1/ports")
    assert [each["port_id"] for each in ports] == ["usb:1-1"]
    people.is_fresh = False
    status, refused = await call("DELETE", "/api/v1/bridges/1")
    assert (status, refused["error"]["code"]) == (403, "reauth_required")
    assert (await call("DELETE", "/api/v1/bridges/2"))[0] == 404
    people.is_fresh = True
    assert await call("DELETE", "/api/v1/bridges/1") == (204, None)
    assert (await call("GET", "/api/v1/bridges/1"))[0] == 404


async def test_a_denied_bridge_hears_so(call: Call, key: AgentKey) -> None:
    """The refusal reaches the agent as access_denied."""
    _, code = await call("POST", "/bridge/v1/pairing", {"public_key": key.public, "room": "x"})
    assert (await call("POST", f"/api/v1/pairing/{code['user_code']}/deny"))[0] == 200
    signature = key.sign(b"gantry-pair-v1\n" + code["device_code"].encode())
    body = {"device_code": code["device_code"], "signature": signature}
    status, answer = await call("POST", "/bridge/v1/pairing/token", body)
    assert (status, answer["error"]["code"]) == (400, "access_denied")


async def test_bridges_enrol_with_a_token(call: Call, key: AgentKey) -> None:
    """The secret is shown once, works, and can be deleted."""
    status, token = await call("POST", "/api/v1/bridges/enrolment-tokens", {"uses": 2})
    assert (status, token["uses_left"]) == (201, 2)
    secret = token["token"]
    body = {
        "enrolment_token": secret,
        "public_key": key.public,
        "signature": key.sign(b"gantry-enrol-v1\n" + secret.encode()),
        "room": "Hall",
    }
    status, paired = await call("POST", "/bridge/v1/enrol", body)
    assert (status, paired["name"]) == (200, "Hall")
    status, rows = await call("GET", "/api/v1/bridges/enrolment-tokens")
    assert [(row["uses_left"], "token" in row) for row in rows] == [(1, False)]
    assert (await call("DELETE", f"/api/v1/bridges/enrolment-tokens/{token['id']}"))[0] == 204


async def test_a_wrong_body_is_unprocessable(call: Call) -> None:
    """A missing room is refused in v1's form, outside of v1 too."""
    status, answer = await call("POST", "/bridge/v1/pairing", {"public_key": "AAAA"})
    assert (status, answer["detail"][0]["loc"]) == (422, ["body", "room"])


@pytest.mark.parametrize(
    ("asked", "host_ip", "leads"),
    [
        ("http://localhost:8000/", "", "http://localhost:8000/"),
        ("http://localhost:8000/", "192.168.7.20", "http://192.168.7.20:8000/"),
        ("https://farm.local/", "192.168.7.20", "https://192.168.7.20/"),
        ("http://[::1]:8000/", "fd00::7", "http://[fd00::7]:8000/"),
    ],
)
def test_links_for_agents_lead_where_others_reach_this_server(
    asked: str, host_ip: str, leads: str
) -> None:
    """The address that somebody has set, with the port and the scheme that were asked."""
    assert here(asked, host_ip) == leads


async def test_a_code_is_shown_at_the_address_that_was_set(
    pairing: Pairing, settings: Settings, admin: Principal
) -> None:
    """POST /setup/network is for this; the public URL of the settings goes before it."""

    async def said() -> str:
        return "192.168.7.20"

    async def url(settings: Settings) -> str:
        quart = Quart("test", static_folder=None)
        PairingRoutes(pairing, settings, said).register(V1(quart, OneAdmin(admin)), quart)
        ask = {"public_key": AgentKey().public, "room": "Cellar", "hostname": "pi", "os": "Linux"}
        answer = await quart.test_client().post("/bridge/v1/pairing", json=ask)
        return str((await answer.get_json())["verification_url"])

    assert await url(settings) == "http://192.168.7.20/#/pair"
    public = replace(settings, public_url="https://farm.example")
    assert await url(public) == "https://farm.example/#/pair"
