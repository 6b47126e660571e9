"""Who hangs up, or whose process dies, leaves no key behind that stands in somebody's way."""

import asyncio
from typing import Any

import pytest
from quart import Response

from api.events.service import Ledger
from api.idempotency import requests, service
from api.idempotency.models import Claim
from api.idempotency.service import ClaimState, Kept
from api.principal import Principal
from tests.api.conftest import FakeClock
from tests.api.idempotency.test_requests import Desk


@pytest.fixture
def desk(ledger: Ledger, clock: FakeClock, admin: Principal) -> Desk:
    return Desk(ledger, clock, admin)


async def call(desk: Desk, admin: Principal) -> Response:
    """The call itself, which can be cancelled as the server does when its client hangs up."""
    context = desk.client.app.test_request_context(
        "/work", method="POST", headers={"Idempotency-Key": "k"}, data=b"{}"
    )
    async with context:
        return await desk.requests.once(admin, desk.work, overtakes=desk.overtakes)


async def hang_up(asking: "asyncio.Task[Response]") -> None:
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize("overtakes", [True, False])
async def test_who_hung_up_while_the_key_was_claimed_may_come_again(
    desk: Desk, admin: Principal, monkeypatch: pytest.MonkeyPatch, *, overtakes: bool
) -> None:
    """Nothing was done, so the key is free, and not a quarter of an hour later."""
    claim, is_committed, may_answer = desk.idempotency.claim, asyncio.Event(), asyncio.Event()

    async def slow(*asked: Any) -> Claim | Kept:
        made = await claim(*asked)
        is_committed.set()
        await may_answer.wait()
        return made

    desk.overtakes = overtakes
    with monkeypatch.context() as slowly:
        slowly.setattr(desk.idempotency, "claim", slow)
        asking = asyncio.create_task(call(desk, admin))
        await is_committed.wait()
        await hang_up(asking)
        may_answer.set()
    async with asyncio.timeout(5):
        while await Claim.all().exists():
            await asyncio.sleep(0)
    assert desk.carried_out == 0
    assert (await desk.ask()).status_code == 200
    assert desk.carried_out == 1


async def test_who_hung_up_while_the_answer_was_kept_gets_it(
    desk: Desk, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was done, and the answer of that is there."""
    keep, is_keeping, may_keep = desk.idempotency.keep, asyncio.Event(), asyncio.Event()

    async def slow(*asked: Any) -> None:
        is_keeping.set()
        await may_keep.wait()
        await keep(*asked)

    with monkeypatch.context() as slowly:
        slowly.setattr(desk.idempotency, "keep", slow)
        asking = asyncio.create_task(call(desk, admin))
        await is_keeping.wait()
        await hang_up(asking)
        may_keep.set()
    async with asyncio.timeout(5):
        while not await Claim.filter(state=ClaimState.KEPT).exists():
            await asyncio.sleep(0)
    assert (await desk.ask()).status_code == 200
    assert desk.carried_out == 1


@pytest.mark.parametrize("left", [ClaimState.RUNNING, ClaimState.COMMITTED, ClaimState.UNKEPT])
async def test_a_stop_goes_out_whatever_became_of_a_first_call_with_its_key(
    desk: Desk, left: ClaimState
) -> None:
    """M07: a 409 would stop nothing, and who was cut off may have stopped half of a farm; all other
    calls wait.
    """
    for desk.overtakes, status, times in ((False, 409, 1), (True, 200, 2)):
        await Claim.all().delete()
        desk.carried_out = 0
        assert (await desk.ask()).status_code == 200
        await Claim.all().update(state=left, status=None, body="")
        assert (await desk.ask()).status_code == status
        assert desk.carried_out == times


async def test_a_stop_goes_out_though_its_key_is_one_too_many(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a limit to keys, and none to stops."""
    monkeypatch.setattr(service, "MAX_KEYS", 0)
    for desk.overtakes, status in ((False, 429), (True, 200)):
        assert (await desk.ask()).status_code == status
    assert desk.carried_out == 1


async def test_a_stop_waits_no_longer_for_its_key_than_a_moment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes: it is carried out, and its key is free as soon as it can be."""
    claim, may_claim = desk.idempotency.claim, asyncio.Event()

    async def slow(*asked: Any) -> Claim | Kept:
        await may_claim.wait()
        return await claim(*asked)

    desk.overtakes = True
    with monkeypatch.context() as slowly:
        slowly.setattr(desk.idempotency, "claim", slow)
        assert (await desk.ask()).status_code == 200
    may_claim.set()
    assert (await desk.ask()).status_code == 200
    assert desk.carried_out == 2


async def test_another_call_with_the_key_of_a_stop_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To overtake is no leave to mix up keys, as far as the rows can be asked."""
    monkeypatch.setattr(requests, "_KEY_S", 30.0)
    desk.overtakes = True
    assert (await desk.ask()).status_code == 200
    await Claim.all().update(request_sha256="another")
    assert (await desk.ask()).status_code == 409
    assert desk.carried_out == 1
