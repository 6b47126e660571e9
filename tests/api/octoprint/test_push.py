"""Push as OctoPrint's clients know it (OctoPrint contract, 8)."""

import asyncio
import json
import time
from typing import Any

import pytest

from api.octoprint import push_client
from api.octoprint.push_channel import Channel, Reach, View
from schemas.printer import PrinterState, Prompt, Temperature
from tests.api.octoprint.conftest import BASE, Farm
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

RAW = "/octoprint/alpha/sockjs/websocket"
SOCKJS = "/octoprint/alpha/sockjs/123/abcdef/websocket"
_S = PrinterState


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long for a test."""
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)


class App:
    """A phone app on a push socket."""

    def __init__(self, socket: LiveSocket) -> None:
        self.socket = socket

    async def hear(self, name: str) -> Any:
        """The body of the next message *name*; others are passed over."""
        while name not in (message := await self.socket.hear()):
            pass
        return message[name]

    async def events(self, last: str) -> list[tuple[str, Any]]:
        """Events up to and with *last*."""
        found: list[tuple[str, Any]] = []
        while not found or found[-1][0] != last:
            event = await self.hear("event")
            found.append((event["type"], event["payload"]))
        return found

    def say(self, **message: Any) -> None:
        self.socket.write(json.dumps(message))


async def ticket_of(farm: Farm, key: str, root: str = "/octoprint/alpha") -> str:
    """What `/api/login` answers for the push: user and session."""
    answer = await farm.http.post(
        f"{root}/api/login", json={"passive": True}, headers={"X-Api-Key": key}
    )
    body = answer.json()
    return f"{body['name']}:{body['session']}"


async def signed_in(farm: Farm, socket: LiveSocket, key: str | None = None) -> App:
    """An app that has done what every app does first."""
    await socket.accepted()
    assert "connected" in await socket.hear()
    app = App(socket)
    app.say(auth=await ticket_of(farm, key or farm.key))
    return app


async def printing(farm: Farm) -> None:
    """A print of cube.gcode has begun."""
    answer = await farm.upload("cube.gcode", print="true")
    assert answer.json()["effectivePrint"] is True
    async with asyncio.timeout(5):
        while (await farm.job())["state"] != "Printing":
            await asyncio.sleep(0.01)


async def test_who_has_not_signed_in_hears_only_connected(farm: Farm) -> None:
    """octoprint 0 push apikey, 8 anonymous: `connected` has none; safety S41: no state, no events,
    no names; permissions are public."""
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        connected = (await socket.hear())["connected"]
        assert connected["version"] == "1.11.8"
        assert "apikey" not in connected
        assert {"key", "name", "needs"} <= connected["permissions"][0].keys()
        assert "guest" not in str(connected)
        await farm.room.report(farm.machine)
        assert await socket.unheard() == []


async def test_nobody_stays_without_signing_in(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Safety S41: closed within ten seconds."""
    monkeypatch.setattr(push_client, "SIGN_IN_S", 0.01)
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        assert (await socket.closed())[0] == 1008


async def test_history_comes_before_the_first_current(farm: Farm) -> None:
    """octoprint 8 raw, 8 auth, 8 history: after `auth` the whole picture, then `timelapse`, then
    the stream, as over REST."""
    farm.machine.temps = {"tool0": Temperature(210.5, 210.0), "bed": Temperature(60.0, 60.0)}
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        await signed_in(farm, socket)
        history = (await socket.hear())["history"]
        assert await socket.hear() == {"timelapse": None}
        current = (await socket.hear())["current"]
    printer = (await farm.get("/octoprint/alpha/api/printer")).json()
    job = (await farm.get("/octoprint/alpha/api/job")).json()
    assert history["state"] == current["state"] == printer["state"]
    assert (current["job"], current["progress"]) == (job["job"], job["progress"])
    assert history["temps"][-1]["tool0"] == {"actual": 210.5, "target": 210.0}
    assert history["temps"][-1]["chamber"] == {"actual": None, "target": None}
    assert "busyFiles" not in history
    for key in ("offsets", "logs", "messages", "markings", "resends", "serverTime", "busyFiles"):
        assert key in current


@pytest.mark.parametrize("auth", ["admin:wrong", "nobody:x", "admin", ":x", "admin:", 7], ids=str)
async def test_a_bad_auth_is_told_and_the_socket_stays(farm: Farm, auth: object) -> None:
    """octoprint 8 bad auth: reauthRequired stale for wrong ones; malformed ones are ignored."""
    async with LiveSocket(farm.application, RAW) as socket:
        await socket.accepted()
        await socket.hear()
        app = App(socket)
        app.say(auth=auth)
        if isinstance(auth, str) and all(auth.partition(":")):
            assert await app.hear("reauthRequired") == {"reason": "stale"}
        app.say(auth=await ticket_of(farm, farm.key))
        await app.hear("history")


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '"x"', '{"throttle":0}', '{"throttle":"x"}', '{"subscribe":7}', '{"who":1}', ""],
)
async def test_odd_messages_are_ignored(farm: Farm, text: str) -> None:
    """octoprint 8 odd messages: broken JSON, unknown keys, bad throttle: the socket stays open."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        socket.write(text)
        farm.machine.state = _S.CONNECTING
        await farm.room.report(farm.machine)
        assert (await app.events("Connecting"))[-1][0] == "Connecting"


async def test_throttle_keeps_only_the_newest_current(farm: Farm) -> None:
    """octoprint 8 throttle: at most one `current` per n × 0.5 s (here 200 ms); events are not held
    back."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("current")
        began_s = time.monotonic()
        app.say(throttle=10)
        for state in (_S.OFFLINE, _S.CONNECTING, _S.OPERATIONAL, _S.ERROR):
            farm.machine.state = state
            await farm.room.report(farm.machine)
        names, shown = [], [""]
        while shown[-1] != "Error":
            message = await socket.hear()
            if "event" in message:
                names.append(message["event"]["type"])
            else:
                shown.append(message["current"]["state"]["text"])
        assert names.count("PrinterStateChanged") == 4
        took_s = time.monotonic() - began_s
        assert len(shown) - 1 <= 2 + took_s / 0.2  # one under way when it was said, and the last


async def test_subscribe_turns_everything_else_off(farm: Farm) -> None:
    """octoprint 8 subscribe: what is not listed is off; enabling state again sends `history`
    again."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        assert await app.hear("timelapse") is None
        app.say(subscribe={"events": ["Upload"]})
        await asyncio.sleep(0.02)
        await farm.upload("quiet.gcode")
        while "event" not in (message := await socket.hear()):
            assert "current" in message
        assert message["event"]["type"] == "Upload"
        assert await socket.unheard() == []
        app.say(subscribe={"state": {"logs": False}, "events": False})
        await app.hear("history")


async def test_offsets_are_told(farm: Farm) -> None:
    """octoprint 8 current: `offsets` are those that were set, by heater, as over REST."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        assert (await app.hear("history"))["offsets"] == {}
        body = {"command": "offset", "offsets": {"tool0": 4}}
        assert (await farm.post("/octoprint/alpha/api/printer/tool", json=body)).status_code == 204
        while (current := await app.hear("current"))["offsets"] != {"tool0": 4}:
            assert current["offsets"] == {}
    printer = (await farm.get("/octoprint/alpha/api/printer")).json()
    assert printer["temperature"]["tool0"]["offset"] == 4


async def test_what_is_marked_is_told_and_kept(farm: Farm) -> None:
    """octoprint 8 ChartMarked, 8 markings: beside the event, and in what comes later."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        for state in (_S.OFFLINE, _S.CONNECTING, _S.OPERATIONAL):
            farm.machine.state = state
            await farm.room.report(farm.machine)
        told = await app.events("Connected")
        marked = dict(await app.events("ChartMarked"))["ChartMarked"]
        assert dict(told)["ChartMarked"] == {"type": "disconnected", "label": "Disconnected"}
        assert marked == {"type": "connected", "label": "Connected"}
        app.say(subscribe={"state": True})
        markings = (await app.hear("history"))["markings"]
    assert [(one["type"], one["label"]) for one in markings] == [
        ("disconnected", "Disconnected"),
        ("connected", "Connected"),
    ]
    assert all(isinstance(one["time"], float) for one in markings)


async def test_a_viewer_hears_nothing_that_is_not_theirs(farm: Farm) -> None:
    """Rights hold on the push as on the REST face: a key of one printer gets no other's push."""
    rooms = farm.application.rooms
    bound = await rooms.accounts.create_octoprint_key(farm.admin, 1, "bound")
    async with LiveSocket(farm.application, "/octoprint/beta/sockjs/websocket") as socket:
        app = await signed_in(farm, socket, bound)
        assert await app.hear("reauthRequired") == {"reason": "stale"}
    async with LiveSocket(farm.application, "/sockjs/websocket") as socket:
        app = await signed_in(farm, socket, bound)
        assert (await app.hear("history"))["state"]["text"] == "Operational"


async def test_fdm_monster_finds_the_push_of_a_printer(farm: Farm) -> None:
    """It joins the printer's address and `sockjs/websocket` without a slash between them."""
    async with LiveSocket(farm.application, "/octoprint/alphasockjs/websocket") as socket:
        app = await signed_in(farm, socket)
        assert (await app.hear("history"))["state"]["text"] == "Operational"


async def test_a_revoked_key_ends_its_push(farm: Farm) -> None:
    """Safety S12: reauthRequired, then the end, within five seconds."""
    rooms = farm.application.rooms
    key = await rooms.accounts.create_octoprint_key(farm.admin, 1, "to be revoked")
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket, key)
        await app.hear("history")
        async with rooms.ledger.change() as change:
            await rooms.accounts.revoke_printer_keys(change, 1)
        assert await app.hear("reauthRequired") == {"reason": "modified"}
        assert (await socket.closed())[0] == 4401


async def test_pages_of_other_sites_get_no_socket(farm: Farm) -> None:
    """octoprint 2 CORS of sockets: 403 for a foreign Origin while it is off; own and absent ones
    are fine.
    """
    foreign = LiveSocket(farm.application, RAW, host="farm.local", origin="http://evil.example")
    async with foreign as socket:
        start = await socket.message()
        assert start["status"] == 403
    own = LiveSocket(farm.application, RAW, host="farm.local:5000", origin=BASE)
    async with own as socket:
        await socket.accepted()


async def test_sockjs_frames_are_those_that_were_recorded(farm: Farm) -> None:
    """octoprint 0 SockJS objects, 8 SockJS: `o`, then `a[obj]`; the client's messages are an array
    of strings."""
    async with LiveSocket(farm.application, SOCKJS) as socket:
        await socket.accepted()
        assert await socket.text() == "o"
        first = await socket.text()
        assert first.startswith('a[{"connected":')
        auth = json.dumps({"auth": await ticket_of(farm, farm.key)})
        socket.write(json.dumps([auth]))
        assert "history" in json.loads((await socket.text())[1:])[0]
        assert await socket.text() == 'a[{"timelapse":null}]'
        socket.write("not json")
        socket.write("[7]")
        socket.write(json.dumps([json.dumps({"subscribe": {"events": ["FileAdded"]}})]))
        await farm.upload("seen.gcode")
        while "FileAdded" not in (text := await socket.text()):
            assert text.startswith('a[{"current"')


async def test_sockjs_says_what_it_can(farm: Farm) -> None:
    """octoprint 8 greeting, 8 info: for any origin, at every root."""
    for root in ("", "/octoprint/alpha"):
        info = await farm.http.get(f"{root}/sockjs/info", headers={"Origin": "http://x.example"})
        assert info.status_code == 200
        assert info.json()["websocket"] is True
        assert info.json()["origins"] == ["*:*"]
        assert info.headers["Access-Control-Allow-Origin"] == "http://x.example"
        assert info.headers["Access-Control-Allow-Credentials"] == "true"
        assert (await farm.http.get(f"{root}/sockjs")).text == "Welcome to SockJS!\n"


async def test_clients_of_one_printer_share_every_text(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame is built once per change, however many sockets get it."""
    built: list[int] = []
    whole = Channel.current

    def counted(channel: Channel, since: Reach, view: View) -> str:
        text = whole(channel, since, view)
        built.append(id(text))
        return text

    monkeypatch.setattr(Channel, "current", counted)
    async with (
        LiveSocket(farm.application, RAW) as one,
        LiveSocket(farm.application, RAW) as two,
    ):
        apps = [await signed_in(farm, each) for each in (one, two)]
        for app in apps:
            await app.hear("current")
        built.clear()
        farm.machine.temps = {"tool0": Temperature(50.0, 0.0)}
        farm.machine.state = _S.CONNECTING
        await farm.room.show(farm.machine)
        for app in apps:
            await app.hear("current")
    assert len(built) == 2
    assert len(set(built)) == 1


async def test_an_app_that_asks_for_a_key_is_told_to_who_may_grant(farm: Farm) -> None:
    """octoprint 8 request_access, 8 end_request: with the token to decide with; and at its end."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        asked = await farm.http.post("/octoprint/alpha/plugin/appkeys/request", json={"app": "Pad"})
        assert asked.status_code == 201
        told = await app.hear("plugin")
        assert (told["plugin"], told["data"]["type"]) == ("appkeys", "request_access")
        assert told["data"]["app_name"] == "Pad"
        token = told["data"]["user_token"]
        decision = f"/octoprint/alpha/plugin/appkeys/decision/{token}"
        answer = await farm.post(decision, json={"decision": False})
        assert answer.status_code == 204
        assert (await app.hear("plugin"))["data"] == {"type": "end_request", "user_token": token}


async def test_a_question_of_the_printer_is_a_message_of_its_plugin(farm: Farm) -> None:
    """As OctoPrint's action_command_prompt: show with text and choices, then close."""
    async with LiveSocket(farm.application, RAW) as socket:
        await signed_in(farm, socket)
        app = App(socket)
        await app.hear("current")
        farm.machine.prompt = Prompt("Filament out", ["Resume", "Stop"])
        await farm.room.show(farm.machine)
        shown = await app.hear("plugin")
        farm.machine.prompt = None
        await farm.room.show(farm.machine)
        closed = await app.hear("plugin")
    assert shown == {
        "plugin": "action_command_prompt",
        "data": {"action": "show", "text": "Filament out", "choices": ["Resume", "Stop"]},
    }
    assert closed == {"plugin": "action_command_prompt", "data": {"action": "close"}}
