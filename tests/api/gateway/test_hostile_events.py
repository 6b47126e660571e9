"""Events that no gateway of ours made, or made before: identity comes from rows (safety S70)."""

from typing import Any, cast

import pytest

from api.bridges.models import Bridge
from api.gateway.feeds import FeedSockets
from api.gateway.models import GatewaySocket
from api.gateway.sockets import Event, GatewaySockets
from schemas.codec import encode
from schemas.link import Beat, Frame
from tests.api.gateway.conftest import Room


@pytest.fixture
def sockets(room: Room) -> GatewaySockets:
    return GatewaySockets(room.links, cast(FeedSockets, object()))


def event(kind: str, connection_id: object = "c1", **more: Any) -> Event:
    context = {"eventType": kind, "connectionId": connection_id, "identity": {"sourceIp": "::1"}}
    return {"requestContext": context | more.pop("context", {}), **more}


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"requestContext": None},
        {"requestContext": {"eventType": "CONNECT"}},
        event("CONNECT", None),
        event("CONNECT", ""),
        event("MESSAGE", ["c1"]),
        event("DELETE"),
        {"version": "2.0", "requestContext": {"http": {"method": "GET"}}},
    ],
)
async def test_what_is_no_event_of_a_socket_is_left_alone(
    sockets: GatewaySockets, odd: Event
) -> None:
    """400, no row, no trace."""
    assert (await sockets.take(odd))["statusCode"] == 400
    assert await GatewaySocket.all().count() == 0


@pytest.mark.parametrize(
    "forged",
    [
        {"context": {"authorizer": {"principalId": "bridge:1", "bridge_id": 1}}},
        {"headers": None},
        {"headers": {"X-Bridge-Id": "1", "X-Forwarded-User": "admin"}},
        {"headers": {"Authorization": 'Gantry-Bridge bridge="x", nonce="n", signature="AAAA"'}},
        {"headers": {"Authorization": "Bearer x"}, "stageVariables": None},
    ],
)
async def test_nobody_gets_a_socket_by_what_an_event_claims(
    sockets: GatewaySockets, forged: dict[str, Any]
) -> None:
    """Only a nonce signed with the bridge's key counts; the refusal says nothing of the inside."""
    answer = await sockets.take(event("CONNECT", **forged))
    assert answer["statusCode"] in (401, 403)
    assert "Traceback" not in answer["body"] and "sql" not in answer["body"].lower()
    assert await GatewaySocket.all().count() == 0


async def test_frames_for_sockets_that_nobody_opened_do_nothing(
    sockets: GatewaySockets, room: Room
) -> None:
    """An unknown connection, a closed one and one of another deployment."""
    await room.greet()
    before = await Bridge.get(id=room.farm.bridge.id)
    text = encode(Frame(body=Beat(sent_ms=1), epoch=room.farm.epoch))
    for kind in ("MESSAGE", "DISCONNECT"):
        answer = await sockets.take(event(kind, "somebody-elses=", body=text))
        assert answer == {"statusCode": 200}
    after = await Bridge.get(id=room.farm.bridge.id)
    assert (after.epoch, after.connected_at) == (before.epoch, before.connected_at)
    assert room.told("somebody-elses=") == []


async def test_an_old_connect_played_again_opens_no_second_socket(
    sockets: GatewaySockets, room: Room
) -> None:
    """Its nonce is spent; under the same connection it changes nothing."""
    connect = event("CONNECT", headers={"Authorization": await room.farm.credentials()})
    assert (await sockets.take(connect))["statusCode"] == 200
    again = event("CONNECT", "c2", headers=connect["headers"])
    assert (await sockets.take(again))["statusCode"] == 401
    assert (await sockets.take(connect))["statusCode"] == 200
    assert [row.connection_id for row in await GatewaySocket.all()] == ["c1"]


@pytest.mark.parametrize(
    "body", ["x" * 300_000, '{"', "[" * 100_000, "\x00", None, '{"v":1,"type":"no-such"}']
)
async def test_a_frame_that_is_none_harms_nobody(
    sockets: GatewaySockets, room: Room, body: str | None
) -> None:
    """Too long, broken, deep, empty or unknown: an answer or the end of this socket alone."""
    await room.greet()
    assert (await sockets.take(event("MESSAGE", body=body)))["statusCode"] == 200
    assert await Bridge.filter(id=room.farm.bridge.id).exists()
