"""What the push's own messages carry, key by key (OctoPrint contract, 7 and 8)."""

import asyncio
import json
from typing import Any

import pytest

from api.octoprint import push_client
from api.octoprint.push_client import HELD_BACK
from api.octoprint.push_ring import Message, Ring
from schemas.printer import Prompt, Temperature
from tests.api.octoprint.conftest import GCODE, PASSWORD, Farm
from tests.api.octoprint.test_push import RAW, App, printing, signed_in, ticket_of
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = "/octoprint/alpha"
#: What `history` and `current` have in common.
BOTH = {
    *("state", "job", "progress", "currentZ", "offsets", "temps", "logs", "messages", "markings"),
    *("resends", "serverTime"),
}
FLAGS = {
    *("operational", "printing", "pausing", "paused", "resuming", "cancelling", "finishing"),
    *("ready", "closedOrError", "error", "sdReady"),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long for a test."""
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)


async def test_the_first_message_says_what_this_is(farm: Farm) -> None:
    """octoprint 8 connected: its keys, to anybody."""
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        message = await socket.hear()
    assert set(message) == {"connected"}
    connected = message["connected"]
    assert set(connected) == {
        *("version", "display_version", "branch", "python_version", "plugin_hash", "config_hash"),
        *("debug", "safe_mode", "online", "permissions"),
    }
    assert (connected["debug"], connected["safe_mode"], connected["online"]) == (False, None, True)
    assert {"STATUS", "PRINT", "PLUGIN_APPKEYS_GRANT"} <= {
        each["key"] for each in connected["permissions"]
    }


async def test_history_and_current_have_these_keys(farm: Farm) -> None:
    """octoprint 8 current, 8 history, 8 temps, 8 resends, 5 state error: the same keys in both,
    and `busyFiles` in `current` alone; all eleven flags, an empty error, every leaf of job and
    progress."""
    farm.machine.temps = {"tool0": Temperature(210.5, 210.0)}
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        history = await app.hear("history")
        current = await app.hear("current")
        temps = [*history["temps"], *current["temps"]]
        while not temps or temps[-1]["tool0"]["actual"] != 210.5:  # not looked at yet
            temps = (await app.hear("current"))["temps"]
    assert (set(history), set(current)) == (BOTH, BOTH | {"busyFiles"})
    for shown in (history, current):
        assert set(shown["state"]) == {"text", "flags", "error"}
        assert (set(shown["state"]["flags"]), shown["state"]["error"]) == (FLAGS, "")
        assert set(shown["job"]) == {
            *("file", "estimatedPrintTime", "lastPrintTime", "filament", "user"),
        }
        assert set(shown["progress"].values()) == {None}
        assert set(shown["resends"]) == {"count", "transmitted", "ratio"}
        assert isinstance(shown["serverTime"], float)
    assert (current["currentZ"], current["offsets"], current["busyFiles"]) == (None, {}, [])
    item = temps[-1]
    assert isinstance(item.pop("time"), int)
    assert item == {
        "tool0": {"actual": 210.5, "target": 210.0},
        "bed": {"actual": None, "target": None},
        "chamber": {"actual": None, "target": None},
    }


async def test_the_file_that_is_printed_is_a_busy_one(farm: Farm) -> None:
    """octoprint 8 busyFiles, 8 markings: the file, and the mark of its start."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await printing(farm)
        await farm.room.advance(farm.machine, 0.5)
        while not (current := await app.hear("current"))["progress"]["filepos"]:
            pass
        assert current["busyFiles"] == [{"origin": "local", "path": "cube.gcode"}]
        assert current["progress"]["filepos"] == len(GCODE) // 2
        app.say(subscribe={"state": True})
        [marking] = (await app.hear("history"))["markings"]
    assert isinstance(marking.pop("time"), float)
    assert marking == {"type": "print", "label": "Start"}


async def test_what_others_were_told_before_the_sign_in_is_held_back(farm: Farm) -> None:
    """octoprint 8 held back: nothing before `auth`; then what happened since the socket is open,
    `history`, and what follows."""
    async with LiveSocket(farm.application, RAW) as watching:
        watcher = await signed_in(farm, watching)
        await watcher.hear("history")
        await farm.upload("before.gcode")
        await watcher.events("UpdatedFiles")
        async with LiveSocket(farm.application, RAW) as socket:
            await socket.accepted()
            assert "connected" in await socket.hear()
            await farm.upload("meanwhile.gcode")
            await watcher.events("UpdatedFiles")
            assert await socket.unheard() == []
            app = App(socket)
            app.say(auth=await ticket_of(farm, farm.key))
            first = await socket.hear()
            assert first["event"]["payload"]["path"] == "meanwhile.gcode"
            while "history" not in (message := await socket.hear()):
                assert message["event"]["type"] != "ClientAuthed", "nobody is told of themselves"
            await farm.upload("after.gcode")
            events = dict(await app.events("FileAdded"))
            app.say(auth=await ticket_of(farm, farm.key))
            while "history" not in (message := await socket.hear()):
                assert "meanwhile.gcode" not in str(message), "a second sign-in holds nothing back"
    assert events["FileAdded"]["path"] == "after.gcode"


async def test_a_hundred_messages_are_held_back() -> None:
    """octoprint 8 held back: the newest, from the moment on at which the socket was opened."""
    ring = Ring()
    for second in range(1200):
        ring.put(Message("ZChange", "printer.z", 1, str(second)), float(second))
    assert ring.since(1195.0, HELD_BACK) == range(1195, 1200)
    assert ring.since(0.0, HELD_BACK) == range(1100, 1200)
    assert (ring.since(1200.0, HELD_BACK), ring.at(1199).text) == (range(1200, 1200), "1199")


async def test_for_a_stranger_nobody_looks_at_a_printer(farm: Farm) -> None:
    """octoprint 8 anonymous: without anybody signed in nothing was told that could be held back;
    `history` shows how things stand."""
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        assert "connected" in await socket.hear()
        await farm.upload("before.gcode", select="true")
        assert await socket.unheard() == []
        app = App(socket)
        app.say(auth=await ticket_of(farm, farm.key))
        assert (await app.hear("history"))["job"]["file"]["path"] == "before.gcode"
        await farm.upload("after.gcode")
        events = dict(await app.events("FileAdded"))
    assert events["FileAdded"]["path"] == "after.gcode"


async def session(farm: Farm, username: str, password: str) -> str:
    """What a login by password opens the push with."""
    login = {"user": username, "pass": password}
    body = (await farm.http.post(f"{ROOT}/api/login", json=login)).json()
    return f"{body['name']}:{body['session']}"


async def test_who_logs_out_is_asked_to_sign_in(farm: Farm) -> None:
    """octoprint 8 logout: reauthRequired with this reason, then the end of the socket."""
    ticket = await session(farm, "admin", PASSWORD)
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        app = App(socket)
        app.say(auth=ticket)
        await app.hear("history")
        token = farm.http.cookies["csrf_token_P5000_R|octoprint|alpha"]
        left = await farm.http.post(f"{ROOT}/api/logout", headers={"X-CSRF-Token": token})
        assert left.status_code == 204
        assert await app.hear("reauthRequired") == {"reason": "logout"}
        assert (await socket.closed())[0] == 4401


@pytest.mark.parametrize("what", ["the user", "the groups"])
async def test_who_may_something_else_now_signs_in_again(farm: Farm, what: str) -> None:
    """octoprint 8 modified: reauthRequired with this reason when the user or the groups change."""
    headers = {"X-Api-Key": farm.key}
    group = {"key": "looking", "name": "Looking", "permissions": ["STATUS"], "subgroups": []}
    assert (await farm.post("/api/access/groups", json=group)).status_code == 200
    person = {"name": "mara", "password": "Another-horse-9", "active": True, "groups": ["looking"]}
    assert (await farm.post("/api/access/users", json=person)).status_code == 200
    ticket = await session(farm, "mara", "Another-horse-9")
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        app = App(socket)
        app.say(auth=ticket)
        await app.hear("history")
        path, body = {
            "the user": ("/api/access/users/mara", {"groups": ["users"]}),
            "the groups": ("/api/access/groups/looking", {"permissions": ["STATUS", "WEBCAM"]}),
        }[what]
        changed = await farm.http.put(path, json=body, headers=headers)
        assert changed.status_code == 200, changed.text
        assert await app.hear("reauthRequired") == {"reason": "modified"}


@pytest.mark.parametrize(
    ("wanted", "heard"), [(True, True), (["action_command_prompt"], True), (["x"], False)], ids=str
)
async def test_plugins_are_heard_by_name(farm: Farm, wanted: Any, heard: bool) -> None:
    """octoprint 8 subscribe plugins: a boolean or a list of names."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        app.say(subscribe={"plugins": wanted, "events": ["Upload"]})
        await asyncio.sleep(0.02)
        await unheard(socket)  # what was under way
        farm.machine.prompt = Prompt("Filament out", ["Resume"])
        await farm.room.show(farm.machine)
        await farm.upload("last.gcode")
        names = []
        while "event" not in (message := await socket.hear()):
            names += [*message]
    assert ("plugin" in names) is heard
    assert "current" not in names


async def test_no_events_are_heard_when_they_are_off(farm: Farm) -> None:
    """octoprint 8 subscribe events: false; later a list, which replaces what was before."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        for events, names in ((False, []), (["FileAdded", "Upload"], ["FileAdded", "Upload"])):
            app.say(subscribe={"state": {"logs": False}, "events": events})
            if not names:
                await app.hear("history")
            await farm.upload("a.gcode")
            await asyncio.sleep(0.05)
            said = [message for message in await unheard(socket) if "event" in message]
            assert [each["event"]["type"] for each in said] == names


async def unheard(socket: LiveSocket) -> list[dict[str, Any]]:
    """The frames that were sent and not listened to."""

    return [json.loads(each["text"]) for each in await socket.unheard()]


async def test_a_request_for_a_key_is_told_with_these_keys(farm: Farm) -> None:
    """octoprint 8 request_access: it names the app, the token to decide with (the one in
    `pending`), for whom it is meant and where it comes from."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        body = {"app": "Pad", "user": "admin"}
        await farm.http.post(f"{ROOT}/plugin/appkeys/request", json=body)
        told = await app.hear("plugin")
    pending = (await farm.get("/api/plugin/appkeys")).json()["pending"]
    [token] = pending
    assert told == {
        "plugin": "appkeys",
        "data": {
            "type": "request_access",
            "app_name": "Pad",
            "user_token": token,
            "user_id": "admin",
            "remote_address": "127.0.0.1",
        },
    }


async def test_sockjs_tells_what_it_can_key_by_key(farm: Farm) -> None:
    """octoprint 8 info: the transports that are not served are 404 in JSON."""
    info = (await farm.http.get(f"{ROOT}/sockjs/info")).json()
    assert isinstance(info.pop("entropy"), int)
    assert info == {"websocket": True, "cookie_needed": False, "origins": ["*:*"]}
    for method, transport in (("GET", "jsonp"), ("POST", "jsonp_send"), ("GET", "htmlfile")):
        path = f"{ROOT}/sockjs/1/abc/{transport}"
        answer = await farm.http.request(method, path, headers={"X-Api-Key": farm.key})
        assert (answer.status_code, bool(answer.json()["error"])) == (404, True)
