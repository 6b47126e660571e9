"""Who may open a websocket, decided before it is accepted (v1 contract, 1.9; safety S41-S43).

Credentials, in this order, the first that is present counts: ``Authorization: Bearer`` or
``X-API-Key``; ``?token=`` with the one-shot ticket of ``POST /auth/ws-token`` (or, for old clients,
an API token or a session's token); the session cookie, which needs an ``Origin`` of our own because
a browser sends it from any page. Whoever is refused gets an HTTP answer in v1's form, 403 where a
route would say 401, and never a socket. Nothing of a credential is logged.
"""

from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import orjson

from api.accounts.keys import TOKEN_START
from api.errors import Forbidden, NotAuthenticated, Problem
from api.feed.sender import Scope, Send
from api.principal import Principal

SESSION_COOKIE = "session"
MAX_QUERY_BYTES = 8192


class Authenticator(Protocol):
    """Who knows secrets and tickets."""

    async def authenticate(self, secret: str) -> Principal:
        """The owner of *secret*. Raises `NotAuthenticated`."""

    async def redeem_ws_ticket(self, token: str) -> Principal:
        """Who asked for this ticket, which is used up by it. Raises `NotAuthenticated`."""


@dataclass(frozen=True, slots=True)
class Knock:
    """An upgrade that somebody asks for."""

    path: str
    address: str
    host: str
    headers: dict[str, list[str]]
    query: dict[str, list[str]]

    def header(self, name: str) -> str | None:
        """The header *name* (lower case); None without it. Raises `NotAuthenticated` if doubled."""
        return _only(self.headers.get(name, []), name)

    def asked(self, name: str) -> str | None:
        """The query's *name*; None without it. Raises `NotAuthenticated` if doubled."""
        return _only(self.query.get(name, []), name)

    def cookie(self, name: str) -> str | None:
        """A cookie; None without it, or when there are two of that name."""
        found = []
        for line in self.headers.get("cookie", []):
            jar = SimpleCookie()
            try:
                jar.load(line)
            except CookieError:
                continue
            found += [jar[name].value] if name in jar else []
        return found[0] if len(found) == 1 else None

    def own_origin(self, public_url: str) -> bool | None:
        """Whether `Origin` is this server; None without the header."""
        origin = self.header("origin")
        if origin is None:
            return None
        # A page of another site cannot set headers of an upgrade, so a proxy's word counts here.
        forwarded = self.headers.get("x-forwarded-host", [])
        own = {self.host, urlsplit(public_url).netloc, *forwarded}
        return origin != "null" and urlsplit(origin).netloc in own - {""}


def knock_of(scope: Scope) -> Knock:
    """What the upgrade says. Raises `Forbidden` for an odd query."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    raw: bytes = scope.get("query_string", b"")
    if len(raw) > MAX_QUERY_BYTES:
        raise Forbidden("The query is too long.")
    client = scope.get("client")
    return Knock(
        path=scope["path"],
        address=client[0] if client else "",
        host=(headers.get("host") or [""])[0],
        headers=headers,
        query=parse_qs(raw.decode("latin-1"), keep_blank_values=True),
    )


class Door:
    """Turns a knock into a principal."""

    def __init__(self, accounts: Authenticator, public_url: str) -> None:
        self._accounts = accounts
        self._public_url = public_url

    async def enter(self, knock: Knock) -> Principal:
        """Who it is. Raises `NotAuthenticated`, or `Forbidden` for a cookie of another page."""
        secret = _bearer(knock.header("authorization")) or knock.header("x-api-key")
        if secret is not None:
            return await self._accounts.authenticate(secret)
        token = knock.asked("token")
        if token is not None:
            if token.startswith(TOKEN_START) or "." in token:
                return await self._accounts.authenticate(token)
            return await self._accounts.redeem_ws_ticket(token)
        cookie = knock.cookie(SESSION_COOKIE)
        if not cookie:
            raise NotAuthenticated("Not authenticated")
        if not knock.own_origin(self._public_url):
            raise Forbidden("This socket is asked for by another site.", code="csrf_failed")
        return await self._accounts.authenticate(cookie)


def _bearer(value: str | None) -> str | None:
    scheme, _, secret = (value or "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _only(values: list[str], name: str) -> str | None:
    if len(values) > 1:
        raise NotAuthenticated(f"{name} is there twice.")
    return values[0] if values else None


async def refuse(send: Send, problem: Problem, status: int, *extra: tuple[bytes, bytes]) -> None:
    """Answer the upgrade with an HTTP *status* and *problem* in v1's form."""
    kind = problem.kind
    error = {**problem.extra, "code": problem.code, "detail": problem.detail}
    error["retriable"] = kind.retriable
    body = orjson.dumps({"detail": problem.detail, "error": error})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *extra,
    ]
    if kind.retriable:
        headers.append((b"retry-after", str(problem.extra.get("retry_after_s", 1)).encode()))
    start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})
