"""What SockJS clients ask before they open a socket: the greeting and the server's abilities."""

import secrets

from quart import Response, request

from api.octoprint.route import Route
from api.octoprint.wire import answer, plain

GREETING = "Welcome to SockJS!\n"


class PushRoutes:
    """``/sockjs`` and ``/sockjs/info``. Nothing here is secret, so nothing asks who it is.

    *has_sockets* False: this process keeps nothing between requests, so there is no push.
    """

    def __init__(self) -> None:
        self.has_sockets = True

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/sockjs", self.greeting, visits=False),
            Route("GET", "/sockjs/", self.greeting, visits=False),
            Route("GET", "/sockjs/info", self.info, visits=False),
        )

    async def greeting(self, root: str) -> Response:
        """That this is SockJS."""
        del root
        response = plain(GREETING, 200)
        response.content_type = "text/plain; charset=UTF-8"
        return response

    async def info(self, root: str) -> Response:
        """What this server can do, readable from any page (contract, 2, CORS, the exception)."""
        del root
        said = {
            "websocket": self.has_sockets,
            "cookie_needed": False,
            "origins": ["*:*"],
            "entropy": secrets.randbits(32),
        }
        headers = {
            "Access-Control-Allow-Origin": request.headers.get("Origin", "*"),
            "Access-Control-Allow-Credentials": "true",
            "Cache-Control": "no-store, no-cache, no-transform, must-revalidate, max-age=0",
        }
        return answer(said, headers=headers)
