"""Dashboards behind a gateway: `/ws` with the same words, and a cursor in each socket's row.

A gateway lets nobody write to a socket before its ``$connect`` was answered, so `hello`, what was
missed and the pictures come with the first push after that: an event, a picture, or the client's
own first word. The frames are those of `api.feed`.
"""

import functools
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from api.clock import Clock
from api.errors import Invalid, NotAuthenticated, TooMany
from api.feed.door import Door, Knock
from api.feed.hub import PrintersRoom, TelemetryRoom
from api.feed.service import Feed
from api.feed.sockets import MAX_PER_USER, RETRY_AFTER_S
from api.feed.words import PONG, encode, hears, hello, telemetry
from api.gateway.lease import alone
from api.gateway.models import GatewaySocket
from api.gateway.post import Poster
from api.principal import Principal

PAGE = 200


class Accounts(Protocol):
    """Who knows who is behind a credential now."""

    async def behind(self, credential_id: int) -> Principal:
        """Its owner with the rights of now. Raises `NotAuthenticated` when it is over."""


class Rooms(Protocol):
    """What dashboards look at."""

    @property
    def feed(self) -> Feed:
        """What happened."""

    @property
    def accounts(self) -> Accounts:
        """People and keys."""

    @property
    def printers(self) -> PrintersRoom:
        """Printers."""

    @property
    def telemetry(self) -> TelemetryRoom:
        """What printers report."""


class FeedSockets:
    """Sockets of dashboards."""

    def __init__(
        self,
        rooms: Rooms,
        door: Door,
        poster: Poster,
        clock: Clock,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        """*look* brings memory up to date with the rows before a picture is drawn."""
        self._feed = rooms.feed
        self._door = door
        self._accounts = rooms.accounts
        self._printers = rooms.printers
        self._telemetry = rooms.telemetry
        self._poster = poster
        self._clock = clock
        self._look = look

    async def connect(self, connection_id: str, knock: Knock) -> None:
        """Let somebody in. Raises `NotAuthenticated`, `Forbidden`, `Invalid` (since) or `TooMany`.

        The same event again finds its row and is let in again: its ticket is spent by then.
        """
        if await GatewaySocket.filter(connection_id=connection_id).exists():
            return
        by = await self._door.enter(knock)
        mine = GatewaySocket.filter(kind="feed", credential_id=by.credential_id)
        if await mine.count() >= MAX_PER_USER:  # rows know the key, not whose it is
            raise TooMany(
                f"{MAX_PER_USER} sockets of this key are open; close some of them.",
                retry_after_s=RETRY_AFTER_S,
            )
        await GatewaySocket.create(
            connection_id=connection_id,
            kind="feed",
            organization_id=by.organization_id,
            credential_id=by.credential_id,
            cursor=await self._begin(by, knock.asked("since")),
            opened_at=self._clock.now(),
        )

    async def _begin(self, by: Principal, since: str | None) -> int:
        if since is None:
            return (await self._feed.history.span(by.organization_id)).newest
        if not since.isascii() or not since.isdigit() or len(since) > 15:
            raise Invalid("since is the number of the last event you have seen.")
        return int(since)

    async def message(self, socket: GatewaySocket, text: str) -> None:
        """What a client may say: `ping`. Anything shows that it is there."""
        if text == "ping":
            await self._post(socket.connection_id, PONG)
        await self._push_to(socket.connection_id)

    async def push(self, organization_id: int) -> None:
        """Tell every dashboard of the organization what it has not heard."""
        for connection_id in await self._sockets(organization_id):
            await self._push_to(connection_id)

    async def pictures(self, organization_id: int, printer_ids: Collection[int]) -> None:
        """Show these printers to every dashboard of the organization."""
        rows = GatewaySocket.filter(kind="feed", organization_id=organization_id, greeted=True)
        sockets = await rows
        if sockets:
            await self._look()
        for socket in sockets:
            by = await self._owner(socket)
            if by is not None:
                await self._show(socket.connection_id, by, printer_ids)

    async def gone(self, socket: GatewaySocket) -> None:
        """The socket closed."""
        await GatewaySocket.filter(connection_id=socket.connection_id).delete()

    async def end(self, socket: GatewaySocket) -> None:
        """Close the socket; its owner comes back with a cursor."""
        await self._poster.close(socket.connection_id)
        await self.gone(socket)

    async def drop(self, connection_id: str) -> None:
        """Close a socket whose row cannot be read: it counts no more when it can."""
        await self._poster.close(connection_id)

    async def _sockets(self, organization_id: int) -> list[str]:
        rows = GatewaySocket.filter(kind="feed", organization_id=organization_id)
        return [row.connection_id for row in await rows.only("connection_id")]

    async def _push_to(self, connection_id: str) -> None:
        await alone(connection_id, self._clock, functools.partial(self._tell, connection_id))

    async def _tell(self, connection_id: str) -> bool:
        socket = await GatewaySocket.get_or_none(connection_id=connection_id)
        by = await self._owner(socket) if socket is not None else None
        if socket is None or by is None:
            return False
        rows = GatewaySocket.filter(connection_id=connection_id)
        if not socket.greeted:
            if not await self._post(connection_id, encode(hello(socket.cursor))):
                return False
            await rows.update(greeted=True)
            await self._look()
            everyone = [row.id for row in await self._printers.list(by)]
            await self._show(connection_id, by, everyone)
        while True:
            page = await self._feed.page(by, socket.cursor, PAGE)
            for envelope in page.envelopes:
                if not await self._post(connection_id, encode(envelope)):
                    return False
            if page.next_since == socket.cursor:
                return True
            socket.cursor = page.next_since
            await rows.update(cursor=socket.cursor)

    async def _show(self, connection_id: str, by: Principal, ids: Collection[int]) -> None:
        for printer_id in sorted(ids):
            row = await self._printers.find(printer_id)
            if row is None or row.organization_id != by.organization_id:
                continue
            if hears(by, "printer.picture", printer_id):
                frame = telemetry(row, self._telemetry.view(row))
                await self._post(connection_id, encode(frame))

    async def _owner(self, socket: GatewaySocket) -> Principal | None:
        """Who is behind the socket; None when their credential is over: the socket ends."""
        try:
            return await self._accounts.behind(socket.credential_id)
        except NotAuthenticated:
            await self.end(socket)
            return None

    async def _post(self, connection_id: str, text: str) -> bool:
        if await self._poster.post(connection_id, text):
            return True
        await GatewaySocket.filter(connection_id=connection_id).delete()
        return False
