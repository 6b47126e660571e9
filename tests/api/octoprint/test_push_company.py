"""Who else is at a push, and who logs in and out (OctoPrint contract, 8)."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from api.events.models import Event
from api.octoprint import push_client
from api.octoprint.push_company import KEY, MAX_PER_S, Company
from tests.api.conftest import FakeClock
from tests.api.octoprint.conftest import PASSWORD, Farm
from tests.api.octoprint.test_push import RAW, SOCKJS, App, signed_in
from tests.api.telemetry.test_terminals import Wire, WiredBus
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

BETA = "/octoprint/beta/sockjs/websocket"
ADDRESS = "10.0.0.9"
HERE = {"remoteAddress": ADDRESS}
LOGIN = {"user": "admin", "pass": PASSWORD}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long for a test; many tests count as many seconds."""
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)
    monkeypatch.setattr("api.octoprint.push_company.MAX_PER_S", 1000)


async def watching(farm: Farm, socket: LiveSocket, key: str | None = None) -> App:
    """An app that wants events alone, and is being told of them."""
    app = await signed_in(farm, socket, key)
    await app.hear("history")
    app.say(subscribe={"state": False, "events": True})
    return app


async def test_clients_that_come_and_go_are_told(farm: Farm) -> None:
    """octoprint 8 ClientOpened, 8 ClientAuthed, 8 ClientClosed: in this order, with address and
    name, to the clients of the same printer; nobody is told of themselves."""
    async with (
        LiveSocket(farm.application, RAW) as socket,
        LiveSocket(farm.application, BETA) as elsewhere,
    ):
        app = await watching(farm, socket)
        await watching(farm, elsewhere)
        async with LiveSocket(farm.application, RAW, address=ADDRESS) as other:
            newcomer = await signed_in(farm, other)
            await newcomer.hear("history")
            await newcomer.hear("timelapse")
            newcomer.say(subscribe={"state": False, "events": True})
            assert await app.events("ClientAuthed") == [
                ("ClientOpened", HERE),
                ("ClientAuthed", {"username": "admin", **HERE}),
            ]
            assert not any("event" in str(each) for each in await other.unheard())
        assert await app.events("ClientClosed") == [("ClientClosed", HERE)]
        assert not any("Client" in str(each) for each in await elsewhere.unheard())


async def test_who_has_not_signed_in_is_told_of_to_nobody(farm: Farm) -> None:
    """octoprint 8 ClientOpened: a stranger's socket, and one whose `auth` is bad, make no news."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket)
        async with LiveSocket(farm.application, SOCKJS, address=ADDRESS) as other:
            await other.accepted()
            assert await other.text() == "o"
            other.write('["{\\"auth\\": \\"admin:wrong\\"}"]')
            assert "connected" in await other.text()
        await farm.upload("last.gcode")
        told = await app.events("FileAdded")
    assert [name for name, _ in told] == ["FileAdded"], "who has not signed in is nobody"


async def test_addresses_and_names_are_for_admins(farm: Farm) -> None:
    """octoprint 8 ClientOpened, 8 ClientAuthed, 8 ClientClosed: `{}` for who is no admin."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await watching(farm, socket, farm.viewer_key)
        async with LiveSocket(farm.application, RAW, address=ADDRESS) as other:
            await (await signed_in(farm, other)).hear("history")
        told = await app.events("ClientClosed")
    assert told == [("ClientOpened", {}), ("ClientAuthed", {}), ("ClientClosed", {})]


async def test_logins_are_told_to_admins(farm: Farm) -> None:
    """octoprint 8 UserLoggedIn, 8 UserLoggedOut: by password and by logout, wherever that is; not
    to a viewer, nor a login that is refused or passive. None of it is kept."""
    root = "/octoprint/beta"
    before = await Event.all().count()
    async with (
        LiveSocket(farm.application, RAW) as socket,
        LiveSocket(farm.application, RAW) as beside,
    ):
        app = await watching(farm, socket)
        viewer = await watching(farm, beside, farm.viewer_key)
        await app.events("ClientAuthed")  # the viewer's
        wrong = await farm.http.post(f"{root}/api/login", json={**LOGIN, "pass": "wrong"})
        assert wrong.status_code == 403
        assert (await farm.http.post(f"{root}/api/login", json=LOGIN)).status_code == 200
        assert await app.events("UserLoggedIn") == [("UserLoggedIn", {"username": "admin"})]
        token = farm.http.cookies["csrf_token_P5000_R|octoprint|beta"]
        passive = {"passive": True}
        headers = {"X-CSRF-Token": token}
        await farm.http.post(f"{root}/api/login", json=passive, headers=headers)
        await farm.http.post(f"{root}/api/logout", headers=headers)
        assert await app.events("UserLoggedOut") == [("UserLoggedOut", {"username": "admin"})]
        assert await Event.all().count() == before
        await farm.upload("last.gcode")
        assert [name for name, _ in await viewer.events("FileAdded")] == ["FileAdded"]


@dataclass(eq=False)
class Channel:
    """A push in one process, and what it was told."""

    organization_id: int = 1
    key: str = "printer:1"
    told: list[tuple[str, Any]] = field(default_factory=list)

    def company(self, name: str, payload: dict[str, Any]) -> None:
        self.told.append((name, payload))


async def test_other_processes_hear_of_it_over_the_bus(clock: FakeClock) -> None:
    """What is no news is passed over; other printers and organizations hear nothing of a client."""
    wire = Wire()
    ours, theirs = (Company(WiredBus(wire, name), clock) for name in ("a", "b"))
    here, there = Channel(), Channel()
    others = Channel(key="printer:2"), Channel(organization_id=2)
    with ExitStack() as stack:
        stack.enter_context(ours.joined_by(here))
        for each in (there, *others):
            stack.enter_context(theirs.joined_by(each))
        with ours.visit(here, "ann", ADDRESS):
            pass
        for key, payload in ((f"{KEY}x", b"[]"), ("live:1", b"7")):
            wire.hearers[1][1](key, payload)
    assert here.told == there.told
    assert [name for name, _ in here.told] == ["ClientOpened", "ClientAuthed", "ClientClosed"]
    assert [each.told for each in others] == [[], []]


async def test_who_comes_and_goes_in_a_loop_is_not_told_of(clock: FakeClock) -> None:
    """At most so many a second of an organization, here and on the bus; then again."""
    wire = Wire()
    company, here = Company(WiredBus(wire, "a"), clock), Channel()
    with pytest.MonkeyPatch.context() as patch, company.joined_by(here):
        patch.setattr("api.octoprint.push_company.MAX_PER_S", MAX_PER_S)
        for _ in range(100):
            with company.visit(here, "ann", ADDRESS):
                pass
        assert (len(here.told), len(wire.told)) == (MAX_PER_S, MAX_PER_S)
        clock.advance(1)
        with company.visit(here, "ann", ADDRESS):
            pass
    assert len(here.told) == MAX_PER_S + 3
