"""The room link over a gateway's sockets: every message finds its state in rows.

The same `LinkHandler` and the same session rules as in a container (`api.link`). What differs is
what a gateway does: it may deliver a message twice, late or beside another one, and it may forget
to say that a socket closed. So

* a hello counts once a socket (`greeted`), and a picture that is older than the newest is left out;
* a late hello is measured against what the bridge was at the upgrade, which the row has kept;
* facts that do not follow wait a moment for those before them, which another invocation may hold;
* one invocation at a time writes to a socket, in order: it holds a short lease on the row, and who
  finds the lease taken leaves a note (`push_again`) instead of waiting;
* a late end of a socket changes nothing: the epoch of its link says whether it still counts.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence

from api.bridges.service import Bridge, Standing
from api.clock import Clock
from api.commands.carrying import Told
from api.errors import NotAuthenticated
from api.gateway.lease import alone
from api.gateway.models import GatewaySocket
from api.gateway.post import Poster
from api.link.connection import MAX_FOREIGN
from api.link.facts import FOREIGN, GAP
from api.link.handler import LinkHandler
from schemas.codec import BadFrame, decode
from schemas.facts import FactBatch
from schemas.link import Beat, Body, Hello, LiveSnap, Nak, Sender, Welcome
from schemas.session import LinkSession, LinkState

#: How often facts that do not follow are looked at again before the link is given up.
GAP_WAITS_S = (0.05, 0.1, 0.2, 0.4, 0.8)
#: The time for frames: two invocations on two machines have no monotonic clock in common.
UNTIMED = 0.0

Sleep = Callable[[float], Awaitable[None]]

_log = logging.getLogger("gantry.gateway")


class LinkSockets:
    """Bridges behind a gateway."""

    def __init__(
        self, handler: LinkHandler, poster: Poster, clock: Clock, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._handler = handler
        self._poster = poster
        self._clock = clock
        self._sleep = sleep

    async def connect(self, connection_id: str, authorization: str) -> None:
        """Let a bridge in. Raises `NotAuthenticated` or `Forbidden`.

        The same event again finds its row and is let in again: its nonce is spent by then.
        """
        if await GatewaySocket.filter(connection_id=connection_id).exists():
            return
        if not authorization:
            raise NotAuthenticated("The bridge did not say who it is.")
        bridge = await self._handler.connect(authorization)
        await GatewaySocket.create(
            connection_id=connection_id,
            kind="link",
            organization_id=bridge.organization_id,
            bridge_id=bridge.id,
            cursor=bridge.epoch,
            opened_at=self._clock.now(),
        )

    async def gone(self, socket: GatewaySocket) -> None:
        """The socket closed."""
        await GatewaySocket.filter(connection_id=socket.connection_id).delete()
        if socket.epoch and socket.bridge_id is not None:
            bridge = await Bridge.get(id=socket.bridge_id)
            await self._handler.closed(bridge, socket.epoch)

    async def message(self, socket: GatewaySocket, text: str) -> None:
        """Take one frame of the bridge, answer it, and carry what waits for it."""
        await self._welcomed(socket)
        bridge = await Bridge.get(id=socket.bridge_id)
        session = self._session(socket)
        if session.state is LinkState.OPEN and bridge.epoch != socket.epoch:
            await self.end(socket)
            return
        body = session.receive(text, UNTIMED)
        keep = True
        if isinstance(body, Hello):
            keep = await self._greet(socket, bridge, session, body)
        elif body is not None:
            keep = await self._take(socket, bridge, session, body, text)
        alive = await self._flush(socket, session)
        if session.closed is not None or not keep:
            await self.end(socket)
        elif alive and not isinstance(body, LiveSnap) and await self._waits(socket, bridge):
            await self.push(socket.connection_id, again=isinstance(body, Beat))

    async def _waits(self, socket: GatewaySocket, bridge: Bridge) -> bool:
        """Whether anything may be there to carry; most messages find nothing."""
        if not socket.greeted or socket.desired_told < bridge.desired_version:
            return True
        return await self._handler.waits(bridge)

    def _session(self, socket: GatewaySocket) -> LinkSession:
        state = LinkState.OPEN if socket.epoch else LinkState.GREETING
        return LinkSession(Sender.API, UNTIMED, state=state, epoch=socket.epoch)

    async def _greet(
        self, socket: GatewaySocket, bridge: Bridge, session: LinkSession, hello: Hello
    ) -> bool:
        rows = GatewaySocket.filter(connection_id=socket.connection_id, greeted=False)
        if not await rows.update(greeted=True):
            return True  # the same hello once more
        bridge.epoch = socket.cursor  # as it was at the upgrade: of another since, it knows nothing
        answer = await self._handler.hello(bridge, hello)
        session.say(answer, UNTIMED)
        if not isinstance(answer, Welcome):
            return False
        # The row has its epoch after the welcome has left, so that nobody pushes ahead of it.
        if await self._flush(socket, session):
            socket.epoch = answer.epoch
            await GatewaySocket.filter(connection_id=socket.connection_id).update(
                epoch=answer.epoch
            )
        return True

    async def _welcomed(self, socket: GatewaySocket) -> None:
        """What an agent says after its welcome may come before that is written down: wait."""
        for wait_s in GAP_WAITS_S:
            if not socket.greeted or socket.epoch:
                return
            await self._sleep(wait_s)
            await socket.refresh_from_db()

    async def _take(
        self,
        socket: GatewaySocket,
        bridge: Bridge,
        session: LinkSession,
        body: Body,
        text: str,
    ) -> bool:
        """The answers to *body*; False when the link must end."""
        if isinstance(body, LiveSnap) and not await self._newest(socket, text):
            return True
        answers = await self._answers(bridge, socket.epoch, body)
        if isinstance(body, Beat):
            answers = [*answers, Beat(sent_ms=self._now_ms(), echo_ms=body.sent_ms)]
        for answer in answers:
            _say(session, answer)
        if isinstance(body, Beat) and await self._stuck(socket, bridge, body):
            return False
        return await self._judge(socket, answers)

    async def _stuck(self, socket: GatewaySocket, bridge: Bridge, beat: Beat) -> bool:
        """Whether facts wait at the agent and none was recorded since its last beat.

        Their invocation has died: over a fresh link they are sent again.
        """
        before = socket.stuck_at
        at = bridge.fact_seq if beat.outbox else -1
        if at != before:
            await GatewaySocket.filter(connection_id=socket.connection_id).update(stuck_at=at)
        return at >= 0 and at == before

    async def _newest(self, socket: GatewaySocket, text: str) -> bool:
        """Whether this picture is newer than every one taken; it is the newest from now on."""
        taken_ms = decode(text).mono_ms
        rows = GatewaySocket.filter(connection_id=socket.connection_id, live_ms__lt=taken_ms)
        return bool(await rows.update(live_ms=taken_ms))

    async def _answers(self, bridge: Bridge, epoch: int, body: Body) -> Sequence[Body]:
        answers = await self._handler.incoming(bridge, epoch, body)
        if isinstance(body, FactBatch):
            for wait_s in GAP_WAITS_S:
                if not _code_in(answers, GAP):
                    break
                await self._sleep(wait_s)
                answers = await self._handler.incoming(bridge, epoch, body)
        return answers

    async def _judge(self, socket: GatewaySocket, answers: Sequence[Body]) -> bool:
        if _code_in(answers, GAP):
            return False
        if _code_in(answers, FOREIGN):
            if not socket.foreign_reports:
                _log.warning("bridge %s: a frame is not taken: %s", socket.bridge_id, FOREIGN)
            socket.foreign_reports += 1
            await GatewaySocket.filter(connection_id=socket.connection_id).update(
                foreign_reports=socket.foreign_reports
            )
        return socket.foreign_reports < MAX_FOREIGN

    def _now_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)

    # What waits for a bridge.

    async def push_bridge(self, bridge_id: int) -> None:
        """Carry what waits for the bridge on its newest socket; without one it goes on waiting."""
        rows = GatewaySocket.filter(kind="link", bridge_id=bridge_id, epoch__gt=0)
        socket = await rows.order_by("-epoch").first()
        if socket is not None:
            await self.push(socket.connection_id)

    async def push(self, connection_id: str, *, again: bool = False) -> None:
        """Carry what waits, in order; *again*: also what was carried and never confirmed.

        Returns at once when somebody else is writing to the socket: they will look once more.
        """
        await alone(
            connection_id, self._clock, functools.partial(self._carry, connection_id, again)
        )

    async def _carry(self, connection_id: str, again: bool) -> bool:
        socket = await GatewaySocket.get_or_none(connection_id=connection_id)
        if socket is None or not socket.epoch or socket.bridge_id is None:
            return False
        session = self._session(socket)
        told = Told(desired=socket.desired_told)
        found = await self._handler.outgoing(socket.bridge_id, socket.epoch, told)
        if found.standing is not Standing.CURRENT:
            await self.end(socket)
            return False
        bodies = found.bodies
        if again:
            bodies = [*await self._handler.unconfirmed(socket.bridge_id, socket.epoch), *bodies]
        for body in bodies:
            _say(session, body)
        if not await self._flush(socket, session):
            return False
        if found.told.desired != socket.desired_told:
            await GatewaySocket.filter(connection_id=connection_id).update(
                desired_told=found.told.desired
            )
        return True

    async def _flush(self, socket: GatewaySocket, session: LinkSession) -> bool:
        """Post what the session wants to say; False when the socket turned out to be gone."""
        while (text := session.data_to_send()) is not None:
            if not await self._poster.post(socket.connection_id, text):
                await self.gone(socket)
                return False
        return True

    async def end(self, socket: GatewaySocket) -> None:
        """Close the socket: it counts no more."""
        await self._poster.close(socket.connection_id)
        await self.gone(socket)

    async def drop(self, connection_id: str) -> None:
        """Close a socket whose row cannot be read: it counts no more when it can."""
        await self._poster.close(connection_id)


def _code_in(answers: Sequence[Body], code: str) -> bool:
    return any(isinstance(answer, Nak) and answer.code == code for answer in answers)


def _say(session: LinkSession, body: Body) -> None:
    try:
        session.say(body, UNTIMED)
    except BadFrame as error:
        _log.error("left out: %s", error)
