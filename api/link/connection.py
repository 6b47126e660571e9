"""One bridge's socket: a task reads, one writes, one looks for what waits when the bus rings,
one sees through what the database did not take.

Around `LinkSession`, which holds the rules. Incoming frames are taken one at a time, so a bridge
that sends faster than its facts can be committed is slowed down by its own line. What the database
does not take now waits in its order, and what needs none of it goes past (`api.link.patience`).
Outgoing frames are bounded (`api.feed.sender`), and a bridge that does not read is let go.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from api.bridges.service import Bridge, Standing
from api.bus.local import Listener
from api.clock import Clock, phase
from api.commands.carrying import Told
from api.db import PASSING
from api.errors import Unavailable
from api.feed.sender import (
    CLOSE_BROKEN,
    CLOSE_POLICY,
    CLOSE_RESTART,
    CLOSE_REVOKED,
    CLOSE_SLOW,
    BoundedSender,
    Over,
    Receive,
    Send,
    first_over,
)
from api.link.facts import FOREIGN, GAP
from api.link.handler import LinkHandler
from api.link.later import Later
from api.link.patience import FAREWELL_PATIENCE_S, HELLO_PATIENCE_S, PATIENCE_S, patiently
from api.link.said import Said
from api.link.turns import Step, Turns
from api.telemetry.interest import LEASE_S
from schemas.codec import BadFrame
from schemas.link import (
    Beat,
    Body,
    Cmd,
    Desired,
    Goaway,
    Hello,
    LiveSnap,
    Nak,
    Refuse,
    RemoteStop,
    Sender,
    Welcome,
)
from schemas.session import GREETING_S, LinkSession, LinkState
from schemas.watching import Interest, InterestLevel, TerminalLines

CLOSE_FOREIGN = 4403
CLOSE_REPLACED = 4409

LOOK_EVERY_S = 30.0  # at most: for work, should a wake-up be lost
SEND_S = 20.0  # a frame that the peer's socket does not take for this long: it is gone
MAX_WAITING = 512  # outgoing frames
MAX_FRAMES_PER_S = 500  # incoming; more is read later
MAX_FOREIGN = 3  # reports about somebody else's printers
FORGIVEN_S = 30.0  # such reports are natural after the configuration changed
GOAWAY_WINDOW_S = 3.0
#: Said and gone: nothing of it has to be written down now, and the next one says it anew.
_PASSING_BY = (LiveSnap, TerminalLines, Beat, Nak)

_CLOSE_OF = {
    Standing.REPLACED: (CLOSE_REPLACED, "replaced by a newer link of this bridge"),
    Standing.REVOKED: (CLOSE_REVOKED, "this bridge was removed from the farm"),
}

_log = logging.getLogger("gantry.link")


class Connection:
    """An accepted socket, from the greeting to its end."""

    def __init__(
        self,
        handler: LinkHandler,
        bridge: Bridge,
        clock: Clock,
        receive: Receive,
        send: Send,
        *,
        turns: Turns,
    ) -> None:
        self._turns = turns
        self._handler = handler
        self._bridge = bridge
        self._clock = clock
        self._receive = receive
        self._session = LinkSession(Sender.API, clock.monotonic())
        self._out = BoundedSender(
            self._session, send, clock, max_waiting=MAX_WAITING, patience_s=SEND_S
        )
        self._said = Said()
        self._told = Told(commands=self._said)
        self._looked = asyncio.Event()  # what its printers are is known
        self._desired_at = float("-inf")
        self._foreign = 0
        self._logged: set[str] = set()  # kinds of refused frames
        self._thinned_until = float("-inf")  # it says too much: people see less of it
        self._later = Later()

    async def run(self, listener: Listener) -> None:
        """Serve the socket until it ends, and close it. *listener* rings when work waits."""
        over = Over(CLOSE_BROKEN, "the API had a problem")
        try:
            over = await self._serve(listener)
        finally:
            if self._session.epoch and over.code != CLOSE_RESTART:
                await self._leave()
            refused = dict(self._session.refused)
            told = f"; frames not taken: {refused}" if refused else ""
            _log.info("bridge %d: link %d over: %s%s", *self._name(), over, told)
            await self._out.close(over)

    async def _leave(self) -> None:
        """Tell the rooms; the database's trouble must not keep the socket from being closed."""
        with suppress(Over):  # logged
            await patiently(self._closed, self._clock, self._bridge.id, FAREWELL_PATIENCE_S)

    async def _closed(self) -> None:
        since = self._session.silent_since
        silent_s = 0.0 if since is None else self._clock.monotonic() - since
        await self._handler.closed(self._bridge, self._session.epoch, silent_s)

    def _name(self) -> tuple[int, int]:
        return self._bridge.id, self._session.epoch

    def stop(self, stop: RemoteStop) -> None:
        """A stop that does not wait for the rows."""
        if self._session.state is LinkState.OPEN:
            self._say(stop)
            self._said.note(stop)
            self._out.notify()

    def watched(self) -> None:
        """Somebody looks at the room: its agent shows more for a while."""
        if self._session.state is LinkState.OPEN and self._clock.monotonic() >= self._thinned_until:
            self._say(Interest(level=InterestLevel.DETAIL, lease_s=LEASE_S))
            self._out.notify()

    def read(self) -> None:
        """Somebody reads a terminal of the room: its agent says the lines for a while."""
        if self._session.state is LinkState.OPEN and self._clock.monotonic() >= self._thinned_until:
            for body in self._handler.interest(self._bridge.id):
                self._say(body)
            self._out.notify()

    def drain(self) -> None:
        """Tell the bridge to come back soon, and end."""
        if self._session.state is LinkState.OPEN:
            self._say(Goaway(window_s=GOAWAY_WINDOW_S))
        self._out.end(CLOSE_RESTART, "the API restarts")

    async def _serve(self, listener: Listener) -> Over:
        try:
            await self._greet()
            stops = self._handler.direct_stops(*self._name(), self.stop)
            with stops:  # no longer: one that is greeting or has hung up cannot be told
                await self._work(listener)
        except Over as over:
            return over
        except ExceptionGroup as group:
            overs, rest = group.split(Over)
            if rest is not None:
                _log.error("bridge %d: its link failed", self._bridge.id, exc_info=rest)
                return Over(CLOSE_BROKEN, "the API had a problem")
            assert overs is not None
            return first_over(overs)
        raise AssertionError("the tasks of a link end by an exception only")

    async def _work(self, listener: Listener) -> None:
        async with asyncio.TaskGroup() as tasks:
            for work in (self._read(), self._out.run(), self._look(listener), self._settle()):
                tasks.create_task(work)

    # The greeting.

    async def _greet(self) -> None:
        try:
            async with asyncio.timeout(GREETING_S):
                body = self._session.receive(await self._text(), self._clock.monotonic())
        except TimeoutError:
            raise Over(CLOSE_POLICY, f"no hello within {GREETING_S:.0f} s") from None
        if not isinstance(body, Hello):
            raise Over(CLOSE_POLICY, self._session.closed or "the first frame is a hello")
        answer = await self._answer(body)
        self._say(answer)
        if isinstance(answer, Refuse):
            await self._out.flush()
            raise Over(CLOSE_POLICY, answer.reason[:100])
        for body in self._handler.interest(self._bridge.id):
            self._say(body)

    async def _answer(self, hello: Hello) -> Welcome | Refuse:
        take = partial(self._handler.hello, self._bridge, hello)
        try:
            async with self._turns.turn(Step.HELLO):
                return await patiently(take, self._clock, self._bridge.id, HELLO_PATIENCE_S)
        except Unavailable as problem:
            raise Over(CLOSE_SLOW, problem.detail) from None

    # What comes in.

    async def _read(self) -> None:
        window_ends, frames = 0.0, 0
        await self._looked.wait()
        while True:
            text = await self._text()
            now = self._clock.monotonic()
            if now >= window_ends:
                window_ends, frames = now + 1.0, 0
            frames += 1
            if frames > MAX_FRAMES_PER_S:
                self._thin(now)
                await asyncio.sleep(window_ends - now)
            await self._take(text, now)

    def _thin(self, now: float) -> None:
        """It says more than it may: its pictures come less often for a while."""
        if now >= self._thinned_until:
            self._thinned_until = now + LEASE_S
            self._say(Interest(level=InterestLevel.LIST, lease_s=LEASE_S))
            self._out.notify()

    async def _take(self, text: str | bytes, now: float) -> None:
        body = self._session.receive(text, now)
        if body is None:
            self._note_refused()
        else:
            self._reply(await self._answers(self._said.known(body), len(text)))
        self._out.check()
        self._out.notify()

    def _reply(self, answers: Sequence[Body]) -> None:
        for answer in answers:
            self._say(answer)
            self._judge(answer)

    async def _answers(self, body: Body, size_bytes: int) -> list[Body]:
        """What is said to it now; nothing while it waits for the database."""
        is_kept = not isinstance(body, _PASSING_BY)
        with self._session.not_listening():
            if not (is_kept and self._later):
                with suppress(*PASSING):
                    return await self._handler.incoming(self._bridge, self._session.epoch, body)
            if is_kept:
                await self._later.put(body, size_bytes)
        return []

    async def _settle(self) -> None:
        """See through what the database did not take at once."""
        while True:
            body = await self._later.first()
            take = partial(self._handler.incoming, self._bridge, self._session.epoch, body)
            answers = await patiently(take, self._clock, self._bridge.id, PATIENCE_S)
            self._later.done()
            self._reply(answers)
            self._out.notify()

    async def _text(self) -> str | bytes:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Over(None, "the bridge hung up")  # the server does not pass its code on
        text: str | bytes | None = message.get("text")
        return text if text is not None else message.get("bytes") or b""

    def _note_refused(self) -> None:
        """What the session did not take is counted; each kind is logged once a link."""
        for code in self._session.refused.keys() - self._logged:
            self._logged.add(code)
            _log.warning("bridge %d: a frame is not taken: %s", self._bridge.id, code)

    def _judge(self, answer: Body) -> None:
        """What an answer means for the link itself."""
        code = answer.code if isinstance(answer, Nak) else ""
        if code == GAP:
            self._out.end(CLOSE_POLICY, "facts are missing: greet again")
        if code == FOREIGN:
            self._session.refused[FOREIGN] += 1
            self._note_refused()
        if code == FOREIGN and self._clock.monotonic() - self._desired_at >= FORGIVEN_S:
            self._foreign += 1
            if self._foreign >= MAX_FOREIGN:
                self._out.end(CLOSE_FOREIGN, "reports about printers that are not this bridge's")

    # What goes out.

    async def _look(self, listener: Listener) -> None:
        """Fetch what waits for this link: now, when the bus rings, and every now and then."""
        await listener.wait(0)  # our own hello has rung it
        every_s = LOOK_EVERY_S * (1 - phase(self._bridge.id) / 2)
        while True:
            fetch = partial(self._handler.outgoing, *self._name(), self._told)
            found = await patiently(fetch, self._clock, self._bridge.id, PATIENCE_S)
            if found.standing is not Standing.CURRENT:
                raise Over(*_CLOSE_OF[found.standing])
            self._told = found.told
            for body in found.bodies:
                if isinstance(body, Desired):
                    self._desired_at = self._clock.monotonic()
                if not (isinstance(body, Cmd | RemoteStop) and self._said.note(body)):
                    self._say(body)
            self._looked.set()
            self._out.notify()
            await listener.wait(every_s)

    def _say(self, body: Body) -> None:
        if self._session.state is LinkState.CLOSED:
            return
        try:
            self._session.say(body, self._clock.monotonic())
        except BadFrame as error:
            _log.error("bridge %d: left out: %s", self._bridge.id, error)
