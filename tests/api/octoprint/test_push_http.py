"""Push without a websocket: SockJS over plain requests (octoprint 8)."""

import asyncio
import json
from typing import Any

import pytest

from api.feed import sockjs, sockjs_session
from api.octoprint import push_client, push_http
from tests.api.octoprint.conftest import Farm
from tests.api.octoprint.test_push import ticket_of
from tests.fakes.stream import LiveRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = "/octoprint/alpha/sockjs/042"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long for a test."""
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)


class Polling:
    """A client that polls."""

    def __init__(self, farm: Farm, name: str, root: str = ROOT) -> None:
        self._farm = farm
        self._url = f"{root}/{name}"

    async def poll(self) -> str:
        """A whole answer of `xhr`."""
        answer = await self._farm.http.post(f"{self._url}/xhr")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/javascript; charset=UTF-8"
        assert "set-cookie" not in answer.headers
        return answer.text

    async def say(self, *messages: object) -> None:
        """`xhr_send`."""
        texts = [json.dumps(each) for each in messages]
        answer = await self._farm.http.post(f"{self._url}/xhr_send", content=json.dumps(texts))
        assert (answer.status_code, answer.content) == (204, b"")

    async def hear(self, name: str) -> Any:
        """The body of the next message *name*."""
        async with asyncio.timeout(5):
            while True:
                for message in json.loads((await self.poll())[1:]):
                    if name in message:
                        return message[name]

    async def sign_in(self) -> None:
        assert await self.poll() == "o\n"
        await self.say({"auth": await ticket_of(self._farm, self._farm.key)})


async def test_polling_opens_tells_and_hears(farm: Farm) -> None:
    """octoprint 8 xhr, 8 xhr_send: the first POST answers `o`, then arrays of objects; xhr_send is
    204."""
    client = Polling(farm, "first")
    assert await client.poll() == "o\n"
    frame = await client.poll()
    assert frame.startswith('a[{"connected":{') and frame.endswith("}]\n")
    await client.say({"auth": await ticket_of(farm, farm.key)})
    assert (await client.hear("history"))["state"]["text"] == "Operational"


@pytest.mark.parametrize("root", ["/sockjs/1", "/octoprint/beta/sockjs/1"])
async def test_every_root_has_its_transports(farm: Farm, root: str) -> None:
    """octoprint 8: at the server's root and below each printer; the ticket is that root's."""
    client = Polling(farm, "any", root)
    assert await client.poll() == "o\n"
    assert (await client.poll()).startswith("a[")
    await client.say({"auth": await ticket_of(farm, farm.key)})
    assert "job" in await client.hear("history")


async def test_a_pool_has_them_too(farm: Farm) -> None:
    """octoprint 8, at a pool: its queue is what the push shows."""
    token = {"X-API-Key": farm.token}
    made = await farm.http.post("/api/v1/pools", json={"name": "Row"}, headers=token)
    client = Polling(farm, "pool", f"/octoprint/{made.json()['slug']}/sockjs/1")
    assert await client.poll() == "o\n"
    await client.say({"auth": await ticket_of(farm, farm.key)})
    assert "job" in await client.hear("history")


async def test_what_is_said_to_nobody_is_404(farm: Farm) -> None:
    """octoprint 8 xhr_send: 404 for an unknown session, 500 for an empty or a broken body."""
    unknown = await farm.http.post(f"{ROOT}/nobody/xhr_send", content='["x"]')
    assert unknown.status_code == 404
    client = Polling(farm, "odd")
    await client.poll()
    for body, text in ((b"", "Payload expected."), (b"[", "Broken JSON encoding.")):
        answer = await farm.http.post(f"{ROOT}/odd/xhr_send", content=body)
        assert (answer.status_code, answer.text) == (500, text)
    large = await farm.http.post(f"{ROOT}/odd/xhr_send", content=b"x" * 70_000)
    assert large.status_code == 403
    assert (await farm.http.get(f"{ROOT}/odd/xhr")).status_code == 405


async def test_a_stream_begins_with_its_prelude(farm: Farm) -> None:
    """octoprint 8 xhr_streaming: 2048 h and a line end, then `o`, then frames, one a line."""
    async with LiveRequest(farm.application, "POST", f"{ROOT}/stream/xhr_streaming") as stream:
        assert await stream.until("\n") == "h" * 2048 + "\n"
        assert stream.headers["content-type"] == "application/javascript; charset=UTF-8"
        assert await stream.until("\n") == "o\n"
        assert (await stream.until("\n")).startswith('a[{"connected":')


async def test_event_source_says_data(farm: Farm) -> None:
    """octoprint 8 eventsource: a line end first, then `data: ` and the frame."""
    async with LiveRequest(farm.application, "GET", f"{ROOT}/es/eventsource") as stream:
        assert await stream.until("\r\n") == "\r\n"
        assert stream.headers["content-type"] == "text/event-stream; charset=UTF-8"
        assert await stream.until("\r\n\r\n") == "data: o\r\n\r\n"
        assert (await stream.until("\r\n\r\n")).startswith('data: a[{"connected":')


async def test_a_stream_ends_after_enough_and_the_session_stays(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What browsers keep of one answer stays small; the next request goes on."""
    monkeypatch.setattr(push_http, "STREAM_BYTES", 3)
    async with LiveRequest(farm.application, "GET", f"{ROOT}/short/eventsource") as stream:
        assert await stream.whole() == "\r\ndata: o\r\n\r\n"
    assert (await Polling(farm, "short").poll()).startswith("a[")


async def test_one_request_at_a_time_reads(farm: Farm) -> None:
    """A second reader is told so; the first goes on."""
    client = Polling(farm, "twice")
    await client.sign_in()
    await client.hear("history")
    async with LiveRequest(farm.application, "POST", f"{ROOT}/twice/xhr_streaming") as stream:
        await stream.until("\n")
        assert await client.poll() == 'c[2010,"Another connection still open"]\n'


async def test_it_beats_while_nothing_happens(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """octoprint 8 heartbeat: `h` every 25 s."""
    assert sockjs.HEARTBEAT_S == 25.0
    monkeypatch.setattr(sockjs_session, "HEARTBEAT_S", 0.05)
    client = Polling(farm, "beat")
    assert await client.poll() == "o\n"
    assert (await client.poll()).startswith("a[")
    assert await client.poll() == "h\n"


async def test_a_session_that_nobody_reads_is_forgotten(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """octoprint 8: over some seconds after the last poll; then what is said is 404."""
    assert sockjs_session.LINGER_S == 5.0
    monkeypatch.setattr(sockjs_session, "LINGER_S", 0.5)  # longer than a poll takes to follow
    client = Polling(farm, "idle")
    await client.sign_in()
    async with asyncio.timeout(15):
        while True:
            said = await farm.http.post(f"{ROOT}/idle/xhr_send", content='["x"]')
            if said.status_code == 404:
                break
            await asyncio.sleep(0.05)
        while (frame := await client.poll()).startswith("c"):  # it says goodbye to who is so late
            await asyncio.sleep(sockjs_session.LINGER_S + 0.1)
    assert frame == "o\n"


async def test_nobody_stays_without_signing_in(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """octoprint 8 close frame: safety S41; told to go, and every later poll says the same."""
    monkeypatch.setattr(push_client, "SIGN_IN_S", 0.02)
    client = Polling(farm, "anonymous")
    assert await client.poll() == "o\n"
    assert (await client.poll()).startswith("a[")
    assert (await client.poll()).startswith("c[1008,")
    assert (await client.poll()).startswith("c[1008,")


async def test_who_does_not_read_is_let_go(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Safety S47: a stream that takes nothing ends its session."""
    monkeypatch.setattr(push_http, "PATIENCE_S", 0.05)
    async with LiveRequest(farm.application, "POST", f"{ROOT}/slow/xhr_streaming") as stream:
        await stream.until("o\n")
        stream.stalled = True
        async with asyncio.timeout(5):
            await stream.task
    assert (await Polling(farm, "slow").poll()).startswith("c[1013,")


async def test_who_says_too_much_is_let_go(farm: Farm) -> None:
    """Safety S47: messages that nobody could hear in time."""
    client = Polling(farm, "loud")
    assert await client.poll() == "o\n"
    await client.say(*[{"throttle": 1}] * 200)
    assert (await client.poll()).startswith("c[1008,")


async def test_sessions_are_bounded(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Safety S48: one more than there may be is 429, with when to come back."""
    monkeypatch.setattr(push_http, "MAX_SESSIONS", 0)
    answer = await farm.http.post(f"{ROOT}/more/xhr")
    assert answer.status_code == 429
    assert "websocket" in answer.json()["error"]


async def test_pages_of_other_sites_are_refused_unless_allowed(farm: Farm) -> None:
    """octoprint 2 CORS of sockets: info is for everybody, a transport only while allowCrossOrigin
    is on.
    """
    evil = {"Origin": "https://evil.example"}
    info = await farm.http.get("/octoprint/alpha/sockjs/info", headers=evil)
    assert info.headers["access-control-allow-origin"] == "https://evil.example"
    assert info.headers["access-control-allow-credentials"] == "true"
    refused = await farm.http.post(f"{ROOT}/page/xhr", headers=evil)
    assert refused.status_code == 403
    await farm.post("/api/settings", json={"api": {"allowCrossOrigin": True}})
    try:
        asked = await farm.http.options(
            f"{ROOT}/page/xhr", headers={**evil, "Access-Control-Request-Headers": "content-type"}
        )
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-methods"] == "OPTIONS, POST"
        assert asked.headers["access-control-allow-headers"] == "content-type"
        let_in = await farm.http.post(f"{ROOT}/page/xhr", headers=evil)
        assert (let_in.status_code, let_in.text) == (200, "o\n")
        assert let_in.headers["access-control-allow-origin"] == "https://evil.example"
    finally:
        await farm.post("/api/settings", json={"api": {"allowCrossOrigin": False}})


async def test_a_credential_that_ends_says_goodbye(farm: Farm) -> None:
    """Safety S12: reauthRequired, then the session closes with 4401."""
    made = await farm.http.post(
        "/api/plugin/appkeys",
        json={"command": "generate", "app": "poller"},
        headers={"X-Api-Key": farm.key},
    )
    key = made.json()["api_key"]
    client = Polling(farm, "revoked")
    assert await client.poll() == "o\n"
    await client.say({"auth": await ticket_of(farm, key)})
    await client.hear("history")
    await farm.post("/api/plugin/appkeys", json={"command": "revoke", "app": "poller"})
    await farm.application.rooms.sockets.look()
    said = ""
    async with asyncio.timeout(5):
        while not said.startswith("c["):
            last, said = said, await client.poll()
    assert '"reauthRequired"' in last
    assert said.startswith("c[4401,")
