"""Idempotency-Key on requests: which are taken, what makes two the same, what is replayed."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import msgspec
import orjson
from quart import Response, request

from api.errors import Invalid, Problem
from api.events.service import with_commit
from api.http import MAX_BODY_BYTES, truthy
from api.idempotency.endings import Endings
from api.idempotency.service import Claim, Idempotency, Kept
from api.outage import AWAY, seen_through
from api.principal import Principal
from schemas.problems import ProblemKind

HEADER = "Idempotency-Key"
REPLAYED = "X-Idempotent-Replay"
MAX_KEY = 255
MAX_KEPT_BYTES = 256 * 1024
#: What overtakes waits no longer for its key: a stop is not to stand in line behind who writes.
_KEY_S = 0.1
#: It is refused for these alone. What became of a first call does not tell that all was stopped.
_NOT_THE_SAME = ("idempotency_authz_changed", "idempotency_conflict")
#: Answers with one of these are for the first caller alone.
_PERSONAL = ("Set-Cookie", "Content-Disposition", "Location")


class NoKeyTaken(Invalid):
    """This form of request takes no key; the contract tells the forms apart by *status*."""

    default_code = "idempotency_unsupported"

    def __init__(self, detail: str, status: int) -> None:
        super().__init__(detail)
        self._status = status

    @property
    def kind(self) -> ProblemKind:
        """With the status of this form: 411, 413 or 415."""
        return msgspec.structs.replace(super().kind, v1_status=self._status)


class IdempotentRequests:
    """Carries a request out once for each key."""

    def __init__(self, idempotency: Idempotency) -> None:
        self.endings = Endings(idempotency)
        self._idempotency = idempotency

    async def once(
        self, by: Principal, work: Callable[[], Awaitable[Response]], *, overtakes: bool = False
    ) -> Response:
        """What *work* answers, or answered before. Without a key it is simply carried out.

        What *overtakes* does no harm when it is done twice: it is so, too, while the database is
        away or has no time (safety M07), and where no answer of a first call is kept. Raises
        `Invalid` for what cannot have a key, and what `Idempotency.claim` raises.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return await work()
        _check_key(key)
        _check_form()
        fingerprint = await _fingerprint()
        try:
            claim = await self._claimed(
                by, key, fingerprint, within_s=_KEY_S if overtakes else None
            )
        except (*AWAY, Problem) as problem:
            is_another = isinstance(problem, Problem) and problem.code in _NOT_THE_SAME
            if is_another or not overtakes:
                raise
            return await work()
        if isinstance(claim, Kept):
            answer = Response(claim.body, claim.status, content_type=claim.media or None)
            answer.headers[REPLAYED] = "true"
            return answer
        return await self._carried_out(claim, work)

    async def _claimed(
        self, by: Principal, key: str, fingerprint: str, *, within_s: float | None
    ) -> Claim | Kept:
        """As `Idempotency.claim`. One that comes too late, or to a client that went away, is given
        up: nobody would end it, and whoever comes again with this key must not be told to wait.
        """
        claiming = seen_through(self._claim(by, key, fingerprint))
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(claiming)
        except (TimeoutError, asyncio.CancelledError):
            seen_through(self._give_up(claiming))
            raise

    async def _claim(self, by: Principal, key: str, fingerprint: str) -> Claim | Kept:
        await self.endings.step()
        return await self._idempotency.claim(by, key, fingerprint)

    async def _give_up(self, claiming: "asyncio.Task[Claim | Kept]") -> None:
        with suppress(Problem, *AWAY):
            claim = await claiming
            if not isinstance(claim, Kept):
                await self.endings.free(claim, refused=True)

    async def _carried_out(self, claim: Claim, work: Callable[[], Awaitable[Response]]) -> Response:
        token = with_commit.set(partial(self._idempotency.mark_committed, claim))
        try:
            answer = await work()
        except BaseException:  # also a client that went away: the rows say whether it was done
            with_commit.reset(token)
            await asyncio.shield(seen_through(self.endings.free(claim, refused=False)))
            raise
        with_commit.reset(token)
        if 200 <= answer.status_code < 300:
            ending = self.endings.keep(claim, await _kept(answer))
        else:
            ending = self.endings.free(claim, refused=True)
        await asyncio.shield(seen_through(ending))
        return answer


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise Invalid(
            f"{HEADER}: from 1 to {MAX_KEY} printable characters",
            code="validation_failed",
            field=HEADER,
        )


def _check_form() -> None:
    if request.mimetype.startswith("multipart/"):
        raise NoKeyTaken(f"A form with files takes no {HEADER}; send it without one.", 415)
    length = request.content_length
    if length is None and "Transfer-Encoding" in request.headers:
        raise NoKeyTaken(f"{HEADER} asks for the length of the body (Content-Length).", 411)
    if length is not None and length > MAX_BODY_BYTES:
        raise NoKeyTaken(f"{HEADER} goes with at most {MAX_BODY_BYTES} bytes.", 413)


async def _fingerprint() -> str:
    """What makes two requests the same: method, path, query and body in any order, dry or real."""
    query = sorted(request.args.items(multi=True))
    dry = truthy(request.headers.get("X-Dry-Run"))
    head = orjson.dumps([request.method, request.path, query, dry])
    body = await request.get_data()
    raw = body if isinstance(body, bytes) else body.encode()
    return hashlib.sha256(head + b"\n" + _canonical(raw)).hexdigest()


def _canonical(body: bytes) -> bytes:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body


async def _kept(answer: Response) -> Kept | None:
    """The answer as it can be replayed; None for one that must not, or cannot, be kept."""
    if any(name in answer.headers for name in _PERSONAL):
        return None
    if "no-store" in answer.headers.get("Cache-Control", ""):  # it shows a secret, once
        return None
    body = await answer.get_data(as_text=False)
    if len(body) > MAX_KEPT_BYTES:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return Kept(answer.status_code, answer.headers.get("Content-Type", ""), text)
