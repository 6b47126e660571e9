"""``/ws`` in a container: raw ASGI in front of Quart (v1 contract, 1.9)."""

from api.clock import Clock
from api.errors import Forbidden, Problem
from api.feed.dashboard import Dashboard, serve
from api.feed.door import Authenticator, Door, Knock, knock_of, refuse
from api.feed.sender import Receive, Scope, Send, batched
from api.feed.service import Feed
from api.feed.sockets import Open, Sockets

PATHS = frozenset({"/ws", "/api/ws", "/api/v1/ws"})
_MAX_DIGITS = 18


class FeedEndpoint:
    """Takes the upgrades of `PATHS`."""

    def __init__(
        self, feed: Feed, sockets: Sockets, accounts: Authenticator, clock: Clock, public_url: str
    ) -> None:
        self._feed = feed
        self._sockets = sockets
        self._door = Door(accounts, public_url)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one upgrade and the socket behind it."""
        await receive()  # websocket.connect
        try:
            knock = knock_of(scope)
            self._sockets.check(knock.address)
            by = await self._door.enter(knock)
            since = _since(knock)
        except Problem as problem:
            await refuse(send, problem, _status(problem))
            return
        async with self._feed.hub(by.organization_id) as hub:
            dashboard = Dashboard(hub, by, self._clock, send, batches=batched(scope))
            opened = Open(knock.address, dashboard.revoked, dashboard.restart, by)
            try:
                with self._sockets.opened(opened), hub.followed_by(dashboard):
                    await send({"type": "websocket.accept"})
                    await serve(dashboard, since, self._feed.history, self._clock, receive)
            except Problem as problem:
                await refuse(send, problem, _status(problem))


def _since(knock: Knock) -> int | None:
    text = knock.asked("since")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise Forbidden("since takes the id of the last event that you have seen.")
    return int(text)


def _status(problem: Problem) -> int:
    """Old clients know one refusal: 403; being one too many is told apart."""
    status = problem.kind.v1_status
    return 403 if status in (400, 401, 404) else status
