"""The v1 face: how its requests are authenticated and its errors look.

Rooms declare their routes here once; each is served under ``/api/v1`` and its alias ``/api``.
Credentials: ``Authorization: Bearer``, ``X-API-Key``, cookie ``session``. An explicit credential
wins over the cookie and must be valid; a cookie alone must come from our own origin when the
request changes something.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from quart import Quart, Response, g, request
from werkzeug.exceptions import HTTPException

from api.describe import TEXT_LENGTH, Doc
from api.dry_run import rehearsed
from api.errors import Forbidden, NotAuthenticated, NotFound, Problem
from api.events.service import asked_from
from api.hosts import OwnHosts
from api.http import MAX_ID, Unprocessable, check_query, json_answer, remote_address, truthy
from api.principal import Denied, Principal

PREFIXES = ("/api/v1", "/api")
SESSION_COOKIE = "session"
SAFE = ("GET", "HEAD", "OPTIONS")
#: Whoever watches over this process may not know its name.
_ANY_HOST = ("/health", "/health/ready")
_NO_CONTENT = 204

#: The dialect's headers; what shows pages sets its own policy.
_ALWAYS = (
    ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-XSS-Protection", "0"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)

#: Who has come over https once does not come in the clear again, for a year.
_HTTPS_ONLY = "max-age=31536000"

Handler = Callable[..., Awaitable[Response]]


class Authenticator(Protocol):
    """Who knows secrets."""

    async def authenticate(self, secret: str) -> Principal:
        """The owner of *secret*. Raises `NotAuthenticated`."""


class JobsRoom(Protocol):
    """Who knows where jobs print."""

    async def printer_of(self, by: Principal, job_id: int) -> int | None:
        """The printer of this job of the caller's organization; None when there is none."""


class DenialsRoom(Protocol):
    """Who writes refusals down."""

    async def note(self, by: Principal, method: str, route: str, code: str) -> None:
        """*by* was refused *method* on *route* with *code*."""


class Replays(Protocol):
    """Who carries a request with an Idempotency-Key out once."""

    async def once(
        self, by: Principal, work: Callable[[], Awaitable[Response]], *, overtakes: bool
    ) -> Response:
        """What *work* answers, or answered before. Raises `Problem`."""


def caller() -> Principal:
    """The principal of this request; only in routes that are not public."""
    principal: Principal = g.principal
    return principal


@dataclass(frozen=True, slots=True, kw_only=True)
class V1Route:
    """One declared route. *path* is relative to the base, with ``<int:…>`` parameters.

    *room*: the package that declared it.
    """

    method: str
    path: str
    public: bool
    doc: Doc
    room: str


class V1:
    """Where rooms declare their v1 routes."""

    def __init__(self, app: Quart, authenticator: Authenticator, public_url: str = "") -> None:
        """*public_url*: what the server is called, if it was told (`api.hosts`)."""
        self._app = app
        self._hosts = OwnHosts(public_url)
        self.authenticator = authenticator
        self._replays: Replays | None = None
        self._denials: DenialsRoom | None = None
        self._jobs: JobsRoom | None = None
        self.declared: list[V1Route] = []

    def replay_with(self, replays: Replays) -> None:
        """From now on *replays* knows which requests have been answered already."""
        self._replays = replays

    def tell_of_denials(self, denials: DenialsRoom) -> None:
        """From now on *denials* hears of everybody who asks for what they may not do."""
        self._denials = denials

    def ask_jobs(self, jobs: JobsRoom) -> None:
        """From now on *jobs* says at which printer somebody acts who names a job."""
        self._jobs = jobs

    @property
    def routes(self) -> list[tuple[str, str, bool]]:
        """(method, path, public) of every route."""
        return [(route.method, route.path, route.public) for route in self.declared]

    def add(
        self,
        method: str,
        path: str,
        handler: Handler,
        doc: Doc,
        *,
        public: bool = False,
    ) -> None:
        """Serve *handler* for *method* *path* (relative, ``<int:…>`` parameters)."""
        view = self._view(handler, doc, (method, path), public=public)
        for prefix in PREFIXES:
            # A slash at the end makes no difference, as at the dialect's other server; no redirect,
            # which some clients do not follow with a body.
            self._app.add_url_rule(
                prefix + path,
                f"v1 {method} {prefix}{path}",
                view,
                methods=[method],
                strict_slashes=False,
            )
        room = handler.__module__.split(".")[1]
        self.declared.append(V1Route(method=method, path=path, public=public, doc=doc, room=room))

    def _view(self, handler: Handler, doc: Doc, route: tuple[str, str], *, public: bool) -> Handler:
        longest = {each.name: each.longest for each in doc.query if each.longest is not None}

        async def view(**parameters: Any) -> Response:
            answer = secured(await answered(**parameters))
            denied: Denied | None = g.pop("denied", None)
            if denied is not None and self._denials is not None:
                rule = str(request.url_rule)
                await self._denials.note(denied.by, request.method, rule, denied.code)
            return answer

        async def answered(**parameters: Any) -> Response:
            asked_from.set(remote_address())
            try:
                self._check_host()
                if not public:
                    g.principal = await self._acting(await self.authenticate(), parameters)
                    if doc.right is not None:  # nobody learns more before who may not ask at all
                        g.principal.require_at(doc.right, *route)
                check_query(longest)
                if request.method in SAFE:
                    return await _handled(handler, parameters)
                work = partial(_carried_out, handler, doc, parameters)
                if public or self._replays is None:
                    return await work()
                return await self._replays.once(caller(), work, overtakes=doc.overtakes)
            except Problem as problem:
                return _refusal(problem)
            except Unprocessable as refused:
                return unprocessable_answer(refused)

        return view

    async def _acting(self, by: Principal, parameters: dict[str, Any]) -> Principal:
        """*by* as they act at the printer that the path names, or whose job it names: what was
        granted there holds on both faces.
        """
        if not by.grants:
            return by
        printer_id = parameters.get("printer_id")
        if "job_id" in parameters and self._jobs is not None:
            printer_id = await self._jobs.printer_of(by, parameters["job_id"])
        return by if printer_id is None else by.at(printer_id)

    def _check_host(self) -> None:
        """Raises `Problem` for a request that was meant for another server (safety S06)."""
        if not self._hosts.take(request.host) and not request.path.endswith(_ANY_HOST):
            raise Problem(
                "This server has another name; it answers at its public address "
                "(GANTRY_PUBLIC_URL).",
                code="bad_request",
            )

    async def authenticate(self) -> Principal:
        """The caller of this request. Raises `NotAuthenticated` or `Forbidden` (foreign origin)."""
        explicit = explicit_secret()
        if explicit is not None:
            return await self.authenticator.authenticate(explicit)
        cookies = request.cookies.getlist(SESSION_COOKIE)
        if len(cookies) != 1 or not cookies[0]:
            raise NotAuthenticated("Not authenticated")
        if request.method not in SAFE:
            check_origin(self._hosts)
        return await self.authenticator.authenticate(cookies[0])


async def _handled(handler: Handler, parameters: dict[str, Any]) -> Response:
    """What *handler* answers. Raises `NotFound` for ids that no row can have."""
    for one in parameters.values():
        if one > MAX_ID if isinstance(one, int) else len(one) > TEXT_LENGTH:
            raise NotFound("Not Found")
    return await handler(**parameters)


async def _carried_out(handler: Handler, doc: Doc, parameters: dict[str, Any]) -> Response:
    """The answer to what changes something, or would if it were not a dry run; never raises
    `Problem` or `Unprocessable`.
    """
    try:
        if truthy(request.headers.get("X-Dry-Run")):
            work = partial(_handled, handler, parameters)
            return await rehearsed(handler.__name__, work, doc, parameters)
        return await _handled(handler, parameters)
    except Problem as problem:
        return _refusal(problem)
    except Unprocessable as refused:
        return unprocessable_answer(refused)


def _refusal(problem: Problem) -> Response:
    """*problem* in v1's form; who was denied what is remembered until the request is over."""
    if isinstance(problem, Denied):
        g.denied = problem
    return problem_answer(problem)


def explicit_secret() -> str | None:
    """The secret of ``Authorization: Bearer`` or ``X-API-Key``; None without either header.

    Another scheme of `Authorization` is not for us: a proxy in front may ask for Basic.
    """
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    return request.headers.get("X-API-Key")


def check_origin(hosts: OwnHosts) -> None:
    """A cookie's unsafe request must come from our own pages. Raises `Forbidden`."""
    origin = request.headers.get("Origin")
    if origin is None:
        if request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none"):
            return
    elif hosts.is_own_page(origin, request.host):
        return
    raise Forbidden("This request comes from another site.", code="csrf_failed")


def secured(answer: Response) -> Response:
    """*answer* with the headers that every v1 answer carries (v1 1.8)."""
    if answer.status_code == _NO_CONTENT:
        del answer.headers["Content-Type"]
    answer.headers.extend(_ALWAYS)
    if request.scheme == "https":
        answer.headers["Strict-Transport-Security"] = _HTTPS_ONLY
    return answer


def problem_answer(problem: Problem) -> Response:
    """A problem in v1's form."""
    kind = problem.kind
    error = {**problem.extra, "code": problem.code, "detail": problem.detail}
    error["retriable"] = kind.retriable
    wait_s = problem.extra.get("retry_after_s", 1 if kind.retriable else None)
    headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
    return json_answer({"detail": problem.detail, "error": error}, kind.v1_status, headers)


def unprocessable_answer(refused: Unprocessable) -> Response:
    """What is wrong with a body or query: a list for programs, a sentence for people (v1 1.5)."""
    error = {"code": "validation_failed", "detail": str(refused), "retriable": False}
    return json_answer({"detail": refused.errors, "error": error}, 422)


#: What the router and the server refuse before a room is asked.
_HTTP_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


def http_answer(error: HTTPException) -> Response:
    """What the router itself refuses, in v1's form."""
    status = error.code or 500
    code = _HTTP_CODES.get(status, "bad_request" if status < 500 else "internal_error")
    problem = {"code": code, "detail": error.name, "retriable": status >= 500}
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return secured(json_answer({"detail": error.name, "error": problem}, status, headers))
