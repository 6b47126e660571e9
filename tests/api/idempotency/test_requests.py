"""Which answers are kept for a key, row by row of the contract (v1 1.6, S72)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from quart import Quart, Response, request
from quart.typing import TestClientProtocol as Client
from tortoise.exceptions import DBConnectionError

from api.errors import Problem
from api.events.service import Happened, Ledger
from api.idempotency.models import Claim
from api.idempotency.requests import MAX_KEPT_BYTES, REPLAYED, IdempotentRequests
from api.idempotency.service import Idempotency, Kept
from api.principal import Principal
from api.v1 import problem_answer
from tests.api.conftest import FakeClock

Work = Callable[[], Awaitable[Response]]


class Desk:
    """One route that does what the test says, and counts how often it is carried out."""

    def __init__(self, ledger: Ledger, clock: FakeClock, admin: Principal) -> None:
        self.carried_out = 0
        self.fails = False
        self.overtakes = False
        self.answer: Callable[[], Response] = lambda: Response(b"{}", 200)
        self.before_answer: Callable[[], Awaitable[object]] | None = None
        self._ledger = ledger
        self.idempotency = Idempotency(ledger, clock)
        self.requests = requests = IdempotentRequests(self.idempotency)
        quart = Quart("test", static_folder=None)

        @quart.route("/work", methods=["POST"])
        async def work() -> Response:
            try:
                return await requests.once(admin, self.work, overtakes=self.overtakes)
            except Problem as problem:
                return problem_answer(problem)
            except DBConnectionError:
                return Response(b"{}", 503)

        self.client: Client = quart.test_client()

    async def work(self) -> Response:
        """What the call does."""
        await request.get_data()
        if self.fails:
            raise DBConnectionError("away")
        self.carried_out += 1
        async with self._ledger.change() as change:
            change.record(Happened(1, "thing.done"))
        if self.before_answer is not None:
            await self.before_answer()
        return self.answer()

    async def ask(self, key: str = "k") -> Response:
        answer = await self.client.post("/work", headers={"Idempotency-Key": key}, data=b"{}")
        assert isinstance(answer, Response)
        return answer


@pytest.fixture
def desk(ledger: Ledger, clock: FakeClock, admin: Principal) -> Desk:
    return Desk(ledger, clock, admin)


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Response(b"{}", 200, {"Location": "/jobs/1"}),
        lambda: Response(b"{}", 200, {"Content-Disposition": "attachment"}),
        lambda: Response(b"{}", 200, {"Set-Cookie": "a=b"}),
        lambda: Response(b"x" * (MAX_KEPT_BYTES + 1), 200),
        lambda: Response(b"\xff\xfe", 200),
    ],
    ids=["location", "attachment", "cookie", "large", "not utf-8"],
)
async def test_what_cannot_be_kept_is_not_carried_out_again(
    desk: Desk, answer: Callable[[], Response]
) -> None:
    """409 idempotency_uncacheable_success: the first caller alone has the answer."""
    desk.answer = answer
    assert (await desk.ask()).status_code == 200
    again = await desk.ask()
    assert again.status_code == 409
    assert (await again.get_json())["error"]["code"] == "idempotency_uncacheable_success"
    assert desk.carried_out == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422, 429, 503])
async def test_every_refusal_frees_the_key(desk: Desk, status: int) -> None:
    """The same key may be tried again, and then counts."""
    desk.answer = lambda: Response(b"{}", status)
    assert (await desk.ask()).status_code == status
    desk.answer = lambda: Response(b'{"id":1}', 201, content_type="application/json")
    assert (await desk.ask()).status_code == 201
    replayed = await desk.ask()
    assert (replayed.status_code, replayed.headers[REPLAYED]) == (201, "true")
    assert replayed.content_type == "application/json"
    assert await replayed.get_data() == b'{"id":1}'
    assert desk.carried_out == 2


async def test_a_key_with_a_line_feed_or_of_256_characters_is_refused(desk: Desk) -> None:
    """422 that names the header; nothing is carried out."""
    for key in ("", "x" * 256, "tab\tin it"):
        answer = await desk.ask(key)
        assert answer.status_code == 422, key
        assert (await answer.get_json())["error"]["field"] == "Idempotency-Key"
    assert desk.carried_out == 0


async def test_who_comes_between_commit_and_answer_is_told_to_ask_again(desk: Desk) -> None:
    """409 idempotency_in_progress, which is retriable; afterwards the answer itself."""
    meanwhile: list[Response] = []

    async def second() -> None:
        meanwhile.append(await desk.ask())

    desk.before_answer = second
    assert (await desk.ask()).status_code == 200
    error = (await meanwhile[0].get_json())["error"]
    assert (error["code"], error["retriable"]) == ("idempotency_in_progress", True)
    assert (await desk.ask()).headers[REPLAYED] == "true"
    assert desk.carried_out == 1


class Outage:
    """A database that is away for what is written of a call that has ended."""

    def __init__(self, desk: Desk, patch: pytest.MonkeyPatch) -> None:
        self.is_on = True
        for name in ("keep", "free"):
            patch.setattr(desk.idempotency, name, self._in_the_way(getattr(desk.idempotency, name)))

    def _in_the_way(self, real: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def write(*given: object, **named: object) -> None:
            if self.is_on:
                raise DBConnectionError("away")
            await real(*given, **named)

        return write


async def test_what_was_done_is_answered_though_its_answer_cannot_be_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes right behind the commit: 201, and later the same again (R21, S72)."""
    outage = Outage(desk, monkeypatch)
    desk.answer = lambda: Response(b'{"id":1}', 201, content_type="application/json")
    assert (await desk.ask()).status_code == 201
    assert (await desk.ask()).status_code == 503
    outage.is_on = False
    replayed = await desk.ask()
    assert (replayed.status_code, replayed.headers[REPLAYED]) == (201, "true")
    assert desk.carried_out == 1


async def test_a_key_is_free_once_the_database_is_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went in the middle of the call: 503; whoever comes again, anywhere, is served (R19)."""
    monkeypatch.setattr("api.idempotency.endings.AGAIN_S", 0.01)
    outage = Outage(desk, monkeypatch)
    running = asyncio.create_task(desk.requests.endings.run())
    desk.fails = True
    assert (await desk.ask()).status_code == 503
    desk.fails = False
    outage.is_on = False
    async with asyncio.timeout(10):
        while await Claim.all().count():
            await asyncio.sleep(0.01)
    assert (await desk.ask()).status_code == 200
    running.cancel()


@pytest.mark.parametrize("overtakes", [True, False])
async def test_a_stop_is_carried_out_although_its_key_cannot_be_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, overtakes: bool
) -> None:
    """Safety M07: twice is once, so it does not wait for the database; all else is refused."""

    async def away(*_: object) -> Claim:
        raise DBConnectionError("away")

    desk.overtakes = overtakes
    monkeypatch.setattr(desk.idempotency, "claim", away)
    assert (await desk.ask()).status_code == (200 if overtakes else 503)
    assert desk.carried_out == int(overtakes)
    monkeypatch.undo()
    assert (await desk.ask()).status_code == 200
    assert REPLAYED in (await desk.ask()).headers


async def test_whoever_stops_again_is_not_told_to_wait_for_a_claim_that_came_late(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safety M07: the stop went past a slow database, which took its key behind it.

    The first stop may have come to nothing, so the second one must go out.
    """
    claim, is_made, ends = desk.idempotency.claim, asyncio.Event(), asyncio.Event()

    async def slow(*asked: Any) -> Claim | Kept:
        await ends.wait()
        made = await claim(*asked)
        is_made.set()
        return made

    desk.overtakes = True
    monkeypatch.setattr("api.idempotency.requests._KEY_S", 0.01)
    monkeypatch.setattr(desk.idempotency, "claim", slow)
    assert (await desk.ask()).status_code == 200
    monkeypatch.undo()
    ends.set()
    async with asyncio.timeout(10):
        await is_made.wait()
        while await Claim.all().count():
            await asyncio.sleep(0.01)
    assert (await desk.ask()).status_code == 200
    assert desk.carried_out == 2
