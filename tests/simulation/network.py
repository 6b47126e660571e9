"""The line between room and API: two pipes that keep their order and may break at any frame.

What a TCP line can do: be slow, lose everything from some moment on in one or both directions
without anybody noticing, or end. What a broken proxy or a cloud gateway can do besides: say a frame
twice, now or seconds later.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from api.feed.sender import Message
from schemas.codec import decode
from schemas.facts import FactBatch
from schemas.link import Cmd, CmdGot, Desired, FactAck, RemoteStop
from tests.simulation.history import History
from tests.simulation.time import check_alive

#: How frames begin that the history does not tell of; most are of these kinds.
_UNTOLD = ('{"t":"live"', '{"t":"beat"')


class Weather:
    """How the line is at the moment."""

    def __init__(self) -> None:
        self.down = False  # nobody can dial
        self.delay_s = 0.0  # on top of milliseconds
        self.twice = 0.0  # share of frames that come twice
        self.longest_s = 1.0  # the longest that a frame was under way


class _Pipe:
    """One direction."""

    def __init__(self, wire: "Wire", deliver: Callable[[str], None]) -> None:
        self._wire = wire
        self._deliver = deliver
        self.last_at = 0.0
        self.lossy = False

    def put(self, frame: str) -> None:
        rng, weather = self._wire.rng, self._wire.weather
        if self.lossy:
            return
        self._later(frame, rng.uniform(0.002, 0.05) + weather.delay_s * rng.random())
        if weather.twice and rng.random() < weather.twice:
            self._later(frame, rng.choice((0.0, 0.3, 3.0)), keeps_order=False)

    def _later(self, frame: str, delay_s: float, *, keeps_order: bool = True) -> None:
        loop = asyncio.get_running_loop()
        at = max(self.last_at + 1e-6, loop.time() + delay_s)
        if keeps_order:
            self.last_at = at
        weather = self._wire.weather
        weather.longest_s = max(weather.longest_s, at - loop.time())
        loop.call_at(at, self._arrive, frame)

    def _arrive(self, frame: str) -> None:
        if not self.lossy and not self._wire.is_cut:
            self._deliver(frame)


class Wire:
    """One websocket, with both its ends."""

    def __init__(self, history: History, weather: Weather, rng: random.Random) -> None:
        self.history, self.weather, self.rng = history, weather, rng
        self.is_cut = False
        self.up = _Pipe(self, self._to_api)
        self.down = _Pipe(self, self._to_agent)
        self._at_api: deque[Message] = deque()
        self._at_agent: deque[str | None] = deque()
        self._api_wakes = asyncio.Event()
        self._agent_wakes = asyncio.Event()
        self._agent_gone = False
        self._code: int | None = None

    # Its ends.

    async def send(self, message: str) -> None:
        """The agent says a frame."""
        check_alive()
        if self._agent_gone:
            raise self._closed()
        self._note("agent", message)
        self.up.put(message)
        await asyncio.sleep(0)
        check_alive()

    async def recv(self) -> str:
        """The agent hears a frame."""
        while not self._at_agent:
            self._agent_wakes.clear()
            await self._agent_wakes.wait()
        check_alive()
        frame = self._at_agent[0]
        if frame is None:
            self._agent_gone = True
            raise self._closed()
        self._at_agent.popleft()
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The agent hangs up."""
        check_alive()
        self._agent_gone = True
        self.end_up()

    async def api_receive(self) -> Message:
        """The API hears a frame."""
        while not self._at_api:
            self._api_wakes.clear()
            await self._api_wakes.wait()
        check_alive()
        message = self._at_api[0]
        if message["type"] != "websocket.disconnect":
            self._at_api.popleft()
        return message

    async def api_send(self, message: Message) -> None:
        """The API says a frame, or hangs up."""
        check_alive()
        if message["type"] == "websocket.close":
            self._code = message["code"]
            self.end_down()
            return
        self._note("api", message["text"])
        self.down.put(message["text"])
        await asyncio.sleep(0)
        check_alive()

    # What happens to it.

    def cut(self) -> None:
        """It breaks: frames that are under way are lost, both sides learn of it sooner or later."""
        self.is_cut = True
        self.end_up()
        self.end_down()

    def end_up(self) -> None:
        """The API will hear that the room has gone, if the line lets it."""
        if not self.up.lossy or self.is_cut:
            self._end(self.up, self._api_ends)

    def end_down(self) -> None:
        """The room will hear that the API has gone, if the line lets it."""
        if not self.down.lossy or self.is_cut:
            self._end(self.down, self._agent_ends)

    def _end(self, pipe: _Pipe, ended: Callable[[], None]) -> None:
        """The end comes behind what is under way, if that comes at all."""
        loop = asyncio.get_running_loop()
        at = loop.time() + self.rng.uniform(0.02, 0.5) + self.weather.delay_s
        loop.call_at(at if self.is_cut else max(at, pipe.last_at + 0.01), ended)

    def _to_api(self, frame: str) -> None:
        self._at_api.append({"type": "websocket.receive", "text": frame})
        self._api_wakes.set()

    def _to_agent(self, frame: str) -> None:
        self._at_agent.append(frame)
        self._agent_wakes.set()

    def _api_ends(self) -> None:
        self._at_api.append({"type": "websocket.disconnect", "code": 1006})
        self._api_wakes.set()

    def _agent_ends(self) -> None:
        self._at_agent.append(None)
        self._agent_wakes.set()

    def _closed(self) -> ConnectionClosedError:
        received = Close(self._code, "") if self._code is not None else None
        return ConnectionClosedError(received, None)

    def _note(self, side: str, text: str) -> None:
        if text.startswith(_UNTOLD):
            return
        frame = decode(text)
        body: Any = frame.body
        match body:
            case Cmd():
                self.history.add("wire", "cmd", id=body.id, seq=body.seq, ttl=body.ttl_left_ms)
            case RemoteStop():
                self.history.add("wire", "stop", id=body.id)
            case CmdGot():
                self.history.add("wire", "got", seq=body.seq)
            case FactAck():
                self.history.add("wire", "ack", journal=body.journal_id, seq=body.seq)
            case FactBatch():
                first, last = body.facts[0].seq, body.facts[-1].seq
                self.history.add("wire", "facts", journal=body.journal_id, first=first, last=last)
            case Desired():
                self.history.add("wire", "desired", version=body.version)
            case _:
                pass
