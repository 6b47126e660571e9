"""OctoPrint's push over websockets: raw at ``/sockjs/websocket``, and SockJS (contract, 8).

Below a printer's or pool's script root it is that one's push, at the server's root the one of the
key (or session) that signs in. The upgrade needs no credential, as in OctoPrint; a page of another
site is refused while `api.allowCrossOrigin` is off.
"""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

from api.accounts.service import FIRST_ORGANIZATION, Accounts
from api.clock import Clock
from api.errors import Forbidden, NotAuthenticated, NotFound, Problem, TooMany
from api.feed import sockjs
from api.feed.door import Knock, knock_of, refuse
from api.feed.lasting import Lasting
from api.feed.sender import (
    CLOSE_RESTART,
    PATIENCE_S,
    BoundedSender,
    Flood,
    Over,
    Receive,
    Scope,
    Send,
    batched,
    outcome,
)
from api.feed.service import Feed
from api.feed.sockets import Open, Sockets
from api.octoprint.addresses import Addresses
from api.octoprint.cors import Cors
from api.octoprint.push_channel import Channel
from api.octoprint.push_client import MAX_DIRECT, Credentials, PushClient
from api.octoprint.push_company import Company
from api.octoprint.push_requests import OpenRequests
from api.octoprint.push_stage import Stage, Stages
from api.octoprint.visitor import Visitors

CLOSE_TOO_MANY = 4429

#: The last: FDM Monster takes the slash off the printer's address and appends `sockjs/websocket`.
_PATHS = (
    re.compile(r"((?:/octoprint/[^/]+)?)/sockjs/(websocket|[^/.]+/[^/.]+/websocket)"),
    re.compile(r"(/octoprint/[^/]+)sockjs/(websocket)"),
)

_log = logging.getLogger("gantry.push")


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRooms:
    """What push needs of the rooms and of its face."""

    accounts: Accounts
    feed: Feed
    sockets: Sockets
    visitors: Visitors
    addresses: Addresses
    cors: Cors
    stages: Stages
    requests: OpenRequests
    company: Company


class Push:
    """Who may have a push, and the channels that somebody looks at."""

    def __init__(self, rooms: PushRooms, clock: Clock, public_url: str) -> None:
        self.rooms = rooms
        self.clock = clock
        self._public_url = public_url
        self._channels: Lasting[Stage, Channel] = Lasting(self._live)

    @asynccontextmanager
    async def _live(self, stage: Stage) -> AsyncIterator[Channel]:
        async with (
            self.rooms.feed.hub(stage.organization_id) as hub,
            Channel(stage, hub, self.clock).live() as channel,
        ):
            with self.rooms.company.joined_by(channel):
                yield channel

    async def check_origin(self, knock: Knock, root: str) -> None:
        """Raises `Forbidden` for a page of another site while that is not allowed."""
        if knock.own_origin(self._public_url) is not False:
            return
        at = await self.rooms.addresses.find(root)
        organization_id = at.organization_id if at is not None else FIRST_ORGANIZATION
        if not await self.rooms.cors.allowed(organization_id):
            raise Forbidden("This socket is asked for by another site.")

    async def sign_in(
        self, client: PushClient, said: Credentials, root: str, opened: Open, life: AsyncExitStack
    ) -> None:
        """Let *client* in as whom it says; a refusal is told to it. *life* ends with the client.

        Raises `Over` when the person has too many sockets.
        """
        rooms = self.rooms
        try:
            by = await rooms.accounts.redeem_push_ticket(said.username, said.ticket)
            at = await rooms.visitors.at(by, root)
            rooms.sockets.sign_in(opened, by)
            await life.aclose()  # what an earlier sign-in has begun
            channel = await life.enter_async_context(self._channels.hold(rooms.stages.of(at)))
        except TooMany as problem:
            raise Over(CLOSE_TOO_MANY, problem.detail) from None
        except (NotAuthenticated, Forbidden, NotFound):
            client.refused()
            return
        client.look_back(channel)  # before others are told of it
        life.enter_context(rooms.company.visit(channel, by.username, opened.address))
        life.enter_context(channel.followed_by(client))
        client.signed_in(await rooms.visitors.acting(by, root), channel)
        life.callback(client.left)
        await life.enter_async_context(rooms.requests.told_to(client, by))


def _found(path: str) -> re.Match[str] | None:
    """The script root of *path* and what follows `sockjs/`; None: no socket of push is there."""
    return next((match for each in _PATHS if (match := each.fullmatch(path))), None)


class PushEndpoint:
    """The websockets."""

    def __init__(self, push: Push) -> None:
        self._push = push

    def owns(self, path: str) -> bool:
        """Whether an upgrade at *path* is for push."""
        return _found(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one upgrade and the socket behind it."""
        await receive()  # websocket.connect
        match = _found(scope["path"])
        try:
            if match is None:
                raise NotFound("There is no websocket here.")
            knock = knock_of(scope)
            await self._push.check_origin(knock, match[1])
            kind = {"is_raw": match[2] == "websocket", "batches": batched(scope)}
            await _Socket(self._push, match[1], receive, send, **kind).serve(knock.address)
        except Problem as problem:
            await refuse(send, problem, problem.kind.octoprint_status)


class _Socket:
    """One client on a websocket."""

    def __init__(
        self,
        push: Push,
        root: str,
        receive: Receive,
        send: Send,
        *,
        is_raw: bool,
        batches: bool,
    ) -> None:
        self._push = push
        self._root = root
        self._receive = receive
        self._send = send
        self._is_raw = is_raw
        clock = push.clock
        self._client = PushClient(clock)
        source = self._client if is_raw else sockjs.SockJs(self._client, clock)
        self._out = BoundedSender(
            source,
            send,
            clock,
            max_waiting=MAX_DIRECT,
            patience_s=PATIENCE_S,
            batches=batches,
        )
        self._client.transport = self._out

    async def serve(self, address: str) -> None:
        """Accept, serve to the end, and close. Raises `Problem` before anything is accepted."""
        opened = Open(address, self._client.revoked, self._restart)
        with self._push.rooms.sockets.opened(opened):
            await self._send({"type": "websocket.accept"})
            async with AsyncExitStack() as life:
                over = await outcome(self._out.run(), self._read(opened, life), log=_log)
            await self._out.close(over, None if self._is_raw else sockjs.farewell(over))

    def _restart(self) -> None:
        self._out.end(CLOSE_RESTART, "the server restarts")

    async def _read(self, opened: Open, life: AsyncExitStack) -> NoReturn:
        flood = Flood()
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                raise Over(None, f"closed by the client ({message.get('code')})")
            flood.more(self._push.clock.monotonic())
            text = message.get("text")
            for each in [text] if self._is_raw else sockjs.said(text) or ():
                said = self._client.receive(each)
                if said is not None:
                    await self._push.sign_in(self._client, said, self._root, opened, life)
