"""Dashboards over a gateway: who gets in, what they are told, and from where they go on."""

import json
from typing import Any

import pytest

from api.accounts.models import Credential, User
from api.bus.local import LocalBus
from api.config import Settings
from api.errors import Invalid, NotAuthenticated, TooMany
from api.events.service import Happened
from api.feed.door import Door, knock_of
from api.gateway.feeds import FeedSockets
from api.gateway.models import GatewaySocket
from api.principal import Principal
from api.rooms import Rooms, open_rooms
from tests.api.conftest import FakeClock
from tests.api.gateway.conftest import Gateway
from tests.fakes.rooms import printer_row


class Desk:
    """An admin with a token, their dashboards, and a gateway that keeps what it got."""

    def __init__(self, rooms: Rooms, clock: FakeClock, admin: Principal, secret: str) -> None:
        self.rooms, self.admin, self.secret = rooms, admin, secret
        self.gateway = Gateway()
        door = Door(rooms.accounts, "")
        self.feeds = FeedSockets(rooms, door, self.gateway, clock, self._look)
        self.looks = 0

    async def _look(self) -> None:
        self.looks += 1

    async def connect(self, connection_id: str = "d1", query: str = "", secret: str = "") -> None:
        header = (b"authorization", f"Bearer {secret or self.secret}".encode())
        scope = {"path": "/ws", "headers": [header], "query_string": query.encode()}
        await self.feeds.connect(connection_id, knock_of(scope))

    async def say(self, text: str, connection_id: str = "d1") -> list[Any]:
        """A client's word; what came to it since the last look."""
        socket = await GatewaySocket.get(connection_id=connection_id)
        await self.feeds.message(socket, text)
        return self.told(connection_id)

    def told(self, connection_id: str = "d1") -> list[Any]:
        found = [text for name, text in self.gateway.frames if name == connection_id]
        self.gateway.frames.clear()
        return [json.loads(text) if text.startswith("{") else text for text in found]

    async def happen(self, *kinds: str, organization_id: int = 1) -> None:
        async with self.rooms.ledger.change() as change:
            for kind in kinds:
                change.record(Happened(organization_id=organization_id, kind=kind))


@pytest.fixture
async def desk(
    database: object, settings: Settings, clock: FakeClock, bus: LocalBus, admin: Principal
) -> Desk:
    rooms = open_rooms(settings, clock, bus)
    await User.create(
        id=admin.user_id,
        organization_id=1,
        username=admin.username,
        password_hash="x",
        role="admin",
        created_at=clock.now(),
    )
    _, secret = await rooms.accounts.create_token(admin, "dashboard", [], None)
    await printer_row(clock, None)
    return Desk(rooms, clock, admin, secret)


def types(frames: list[Any]) -> list[str]:
    return [frame["type"] for frame in frames]


async def test_only_who_signs_in_gets_a_socket(desk: Desk) -> None:
    """The same event again is let in again; a wrong `since` is told so (S41, R54)."""
    await desk.connect()
    await desk.connect()
    with pytest.raises(NotAuthenticated):
        await desk.connect("d2", secret="odin_" + "x" * 43)
    with pytest.raises(Invalid):
        await desk.connect("d3", query="since=yesterday")
    assert await GatewaySocket.all().count() == 1


async def test_one_key_opens_so_many_sockets_and_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S48: each costs a call for every picture; one that ends makes room, an open one stays."""
    monkeypatch.setattr("api.gateway.feeds.MAX_PER_USER", 2)
    await desk.connect("d1")
    await desk.connect("d2")
    with pytest.raises(TooMany, match="close some"):
        await desk.connect("d3")
    await desk.connect("d2")
    await desk.feeds.gone(await GatewaySocket.get(connection_id="d1"))
    await desk.connect("d3")
    assert await GatewaySocket.all().count() == 2


async def test_the_first_word_brings_the_hello_and_every_picture(desk: Desk) -> None:
    """Nothing can be written while a gateway connects, so it begins with what comes first."""
    await desk.connect()
    frames = await desk.say("ping")
    assert frames[0] == "pong"
    assert types(frames[1:]) == ["hello", "printer_telemetry"]
    assert await desk.say("ping") == ["pong"]


async def test_events_are_told_once_in_order_to_everyone_of_the_organization(desk: Desk) -> None:
    """A push has the numbers; another organization's events are nobody's business here."""
    await desk.connect()
    await desk.say("")
    await desk.happen("job.created", "job.held")
    await desk.happen("job.created", organization_id=2)
    await desk.feeds.push(1)
    await desk.feeds.push(1)
    frames = desk.told()
    assert types(frames) == ["job.created", "job.held"]
    assert frames[1]["id"] == frames[0]["id"] + 1


async def test_a_dashboard_that_comes_back_is_told_what_it_missed(desk: Desk) -> None:
    """`?since=`: nothing twice, nothing left out."""
    await desk.happen("job.created", "job.held", "job.released")
    last = (await desk.rooms.feed.history.span(1)).newest
    await desk.connect(query=f"since={last - 2}")
    frames = await desk.say("")
    assert types(frames) == ["hello", "printer_telemetry", "job.held", "job.released"]


async def test_pictures_go_to_those_who_have_been_greeted(desk: Desk) -> None:
    """A picture is nothing to begin with; afterwards it comes as it is drawn."""
    await desk.connect()
    await desk.feeds.pictures(1, [1])
    assert desk.told() == []
    await desk.say("")
    await desk.feeds.pictures(1, [1, 99])
    assert types(desk.told()) == ["printer_telemetry"]


async def test_a_socket_ends_with_its_credential(desk: Desk) -> None:
    """A revoked token hears nothing more (S12)."""
    await desk.connect()
    await desk.say("")
    await Credential.all().update(revoked_at=desk.rooms.ledger._clock.now())
    await desk.happen("job.created")
    await desk.feeds.push(1)
    assert desk.told() == []
    assert desk.gateway.closed == ["d1"]
    assert await GatewaySocket.all().count() == 0


async def test_a_dashboard_that_went_away_is_forgotten(desk: Desk) -> None:
    """410 of the gateway takes the row."""
    await desk.connect()
    desk.gateway.gone.add("d1")
    await desk.feeds.push(1)
    assert await GatewaySocket.all().count() == 0
