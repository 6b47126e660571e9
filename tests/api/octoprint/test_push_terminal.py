"""The terminal over the push: `logs` and `messages` (OctoPrint contract, 8)."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from api.octoprint import push_channel, push_client
from api.telemetry import terminals
from tests.api.octoprint.conftest import Farm
from tests.api.octoprint.test_push import RAW, App, signed_in
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

SAID = ("Send: N1 M115*39", "Recv: FIRMWARE_NAME:Marlin", "Recv: ok")


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _fresh(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads or has read anything; half a second is long for a test."""
    readings = farm.application.rooms.telemetry.terminals._readings
    async with asyncio.timeout(30):
        while any(each.followers for each in readings.values()):  # clients without a websocket
            await asyncio.sleep(0.01)
    readings.clear()
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)


async def is_read(farm: Farm, wanted: list[int]) -> None:
    """Wait until the room is asked for just these terminals."""
    async with asyncio.timeout(10):
        while farm.room.read() != wanted:
            await asyncio.sleep(0.01)


async def collected(app: App, name: str, count: int) -> list[str]:
    """What `current` has of *name*, until there are *count* lines."""
    found: list[str] = []
    while len(found) < count:
        found += (await app.hear("current"))[name]
    return found


async def test_an_app_hears_what_the_printer_was_told_and_what_it_said(farm: Farm) -> None:
    """octoprint 8 terminal: `logs` with both directions, `messages` with the firmware's own; each
    once."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        history = await app.hear("history")
        assert (history["logs"], history["messages"]) == ([], [])
        await is_read(farm, [1])
        await farm.room.type_out(farm.machine, *SAID)
        seen: dict[str, list[str]] = {"logs": [], "messages": []}
        while len(seen["logs"]) < 3:
            current = await app.hear("current")
            for name in seen:
                seen[name] += current[name]
        assert seen == {"logs": list(SAID), "messages": ["FIRMWARE_NAME:Marlin", "ok"]}
        await farm.room.type_out(farm.machine, "Recv: wait")
        assert await collected(app, "logs", 1) == ["Recv: wait"]


async def test_who_comes_later_gets_the_last_lines(farm: Farm) -> None:
    """octoprint 8 terminal: `history` has the last few hundred, as an OctoPrint's."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await is_read(farm, [1])
        lines = [f"Recv: {number}" for number in range(400)]
        await farm.room.type_out(farm.machine, *lines)
        await collected(app, "logs", 400)
        async with LiveSocket(farm.application, RAW) as second:
            late = await signed_in(farm, second)
            assert (await late.hear("history"))["logs"] == lines[-terminals.HISTORY_LINES :]
            assert (await late.hear("current"))["logs"] == []


async def test_lines_that_are_missing_are_marked(farm: Farm) -> None:
    """What nobody could keep up with is said to be missing."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await is_read(farm, [1])
        await farm.room.type_out(farm.machine, "Recv: a", dropped=12)
        await farm.room.type_out(farm.machine, "Recv: b", dropped=None)
        found = await collected(app, "logs", 4)
        assert found == ["[... 12 lines left out ...]", "Recv: a", "[...]", "Recv: b"]


@pytest.mark.parametrize(
    ("state", "logs", "messages"),
    [
        (True, list(SAID), []),
        ({"logs": "M115", "messages": "NAME"}, [SAID[0]], ["FIRMWARE_NAME:Marlin"]),
        ({"messages": True}, [], ["FIRMWARE_NAME:Marlin", "ok"]),
    ],
    ids=str,
)
async def test_subscribe_chooses_lines(
    farm: Farm, state: Any, logs: list[str], messages: list[str]
) -> None:
    """octoprint 8 subscribe logs: `state: {logs, messages}`, each a boolean or an expression."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        app.say(subscribe={"state": state})
        await app.hear("history")
        await is_read(farm, [1])
        await farm.room.type_out(farm.machine, *SAID)
        seen: dict[str, list[str]] = {"logs": [], "messages": []}
        while seen != {"logs": logs, "messages": messages}:
            current = await app.hear("current")
            for name, most in (("logs", logs), ("messages", messages)):
                seen[name] += current[name]
                assert len(seen[name]) <= len(most), seen
        assert seen["logs"] == logs


async def test_nothing_is_asked_of_the_room_for_who_wants_no_lines(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No interest is raised, and the last reader's ends by itself."""
    monkeypatch.setattr(terminals, "LEASE_S", 1.0)
    monkeypatch.setattr(terminals, "RENEW_S", 0.9)
    monkeypatch.setattr(push_channel, "REPEAT_S", 0.05)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await is_read(farm, [1])
        reading = farm.application.rooms.telemetry.terminals._readings[1]
        first = reading.until
        async with asyncio.timeout(10):
            while reading.until <= first:  # renewed as long as it is read
                await asyncio.sleep(0.01)
        app.say(subscribe={"state": {"logs": False}, "events": True})
        assert (await app.hear("history"))["logs"] == []
        await is_read(farm, [])
        farm.application.rooms.telemetry.terminals.look(1, 1)
        await farm.room.type_out(farm.machine, *SAID)
        await farm.room.report(farm.machine)
        assert (await app.hear("current"))["logs"] == []


async def test_the_terminal_is_for_who_may_see_it(farm: Farm) -> None:
    """octoprint 8 terminal permission: without MONITOR_TERMINAL there are no lines and no such
    keys."""
    rooms = farm.application.rooms
    headers = {"X-Api-Key": farm.key}
    group = {"key": "blind", "name": "Blind", "permissions": ["STATUS"], "subgroups": []}
    made = await farm.http.post("/api/access/groups", json=group, headers=headers)
    assert made.status_code == 200, made.text
    person = {"name": "bob", "password": "Correct-horse-8", "active": True, "groups": ["blind"]}
    assert (
        await farm.http.post("/api/access/users", json=person, headers=headers)
    ).status_code == 200
    login = {"user": "bob", "pass": "Correct-horse-8"}
    body = (await farm.http.post("/octoprint/alpha/api/login", json=login)).json()
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        app = App(socket)
        app.say(auth=f"bob:{body['session']}")
        assert {"logs", "messages"}.isdisjoint(await app.hear("history"))
        assert farm.room.read() == []
        rooms.telemetry.terminals.look(1, 1)
        await farm.room.type_out(farm.machine, *SAID)
        await farm.room.report(farm.machine)
        assert {"logs", "messages"}.isdisjoint(await app.hear("current"))


async def test_a_pool_has_no_terminal(farm: Farm) -> None:
    """Its `logs` are empty, and no printer is asked for lines."""
    made = await farm.http.post(
        "/api/v1/pools",
        json={"name": "Both", "printer_ids": [1, 2]},
        headers={"Authorization": f"Bearer {farm.token}"},
    )
    slug = made.json()["slug"]
    async with LiveSocket(farm.application, f"/octoprint/{slug}/sockjs/websocket") as socket:
        app = await signed_in(farm, socket)
        assert (await app.hear("history"))["logs"] == []
        assert farm.room.read() == []


async def test_lines_of_another_room_are_refused(farm: Farm) -> None:
    """Safety S59: a bridge says lines of its own printers only."""
    farm.application.rooms.telemetry.terminals.look(99, 1)
    stranger = type(farm.machine)(99)
    with pytest.raises(AssertionError, match="foreign"):
        await farm.room.type_out(stranger, "Recv: forged")
    with farm.application.rooms.telemetry.terminals.followed_by(99, lambda: None) as lines:
        assert lines.since(0) == []
