"""Claims of keys: one winner in any process, and three truths after a crash (v1 1.6, S72)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from api.bus.local import LocalBus
from api.errors import Conflict
from api.events.service import Happened, Ledger, with_commit
from api.idempotency.models import Claim
from api.idempotency.service import KEPT_FOR, STUCK_AFTER, Idempotency, Kept
from api.principal import Principal
from tests.api.conftest import FakeClock

ANSWER = Kept(201, "application/json", '{"id": 1}')


@pytest.fixture
def idempotency(ledger: Ledger, clock: FakeClock) -> Idempotency:
    return Idempotency(ledger, clock)


async def claimed(idempotency: Idempotency, by: Principal, request: str = "r") -> Claim:
    found = await idempotency.claim(by, "key", request)
    assert isinstance(found, Claim)
    return found


async def refusal(idempotency: Idempotency, by: Principal, request: str = "r") -> str:
    with pytest.raises(Conflict) as refused:
        await idempotency.claim(by, "key", request)
    return refused.value.code


async def work(ledger: Ledger, idempotency: Idempotency, claim: Claim, *, fails: bool) -> None:
    """A call that commits, or breaks down in the middle of its transaction."""
    token = with_commit.set(partial(idempotency.mark_committed, claim))
    try:
        async with ledger.change() as change:
            change.record(Happened(1, "thing.done"))
            if fails:
                raise RuntimeError("in the middle")
    finally:
        with_commit.reset(token)


async def test_one_of_many_processes_wins(
    clock: FakeClock, bus: LocalBus, ledger: Ledger, admin: Principal
) -> None:
    """Each process has a ledger of its own; the rows decide."""
    processes = [Idempotency(Ledger(bus, clock), clock) for _ in range(8)]
    asked = (one.claim(admin, "key", "r") for one in processes)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Claim) for one in answers) == 1
    assert {one.code for one in answers if isinstance(one, Conflict)} == {"idempotency_in_progress"}


async def test_the_answer_is_kept_for_a_day(
    idempotency: Idempotency, clock: FakeClock, admin: Principal
) -> None:
    """Then the key is new again, and the row is gone."""
    await idempotency.keep(await claimed(idempotency, admin), ANSWER)
    clock.advance((KEPT_FOR - timedelta(seconds=1)).total_seconds())
    assert await idempotency.claim(admin, "key", "r") == ANSWER
    clock.advance(1)
    again = await claimed(idempotency, admin)
    assert [row.id for row in await Claim.all()] == [again.id]


async def test_a_crash_before_the_commit_gives_the_key_up(
    idempotency: Idempotency, ledger: Ledger, clock: FakeClock, admin: Principal
) -> None:
    """Freed at once by who is still there, else after a quarter of an hour."""
    claim = await claimed(idempotency, admin)
    with pytest.raises(RuntimeError):
        await work(ledger, idempotency, claim, fails=True)
    await idempotency.free(claim, refused=False)
    await claimed(idempotency, admin)  # and this process dies
    assert await refusal(idempotency, admin) == "idempotency_in_progress"
    clock.advance(STUCK_AFTER.total_seconds())
    assert isinstance(await idempotency.claim(admin, "key", "r"), Claim)


async def test_a_crash_after_the_commit_keeps_the_key(
    idempotency: Idempotency, ledger: Ledger, clock: FakeClock, admin: Principal
) -> None:
    """It was carried out: nobody does it again, and whoever asks is told why, as soon as nobody
    can be at it any more.
    """
    claim = await claimed(idempotency, admin)
    await work(ledger, idempotency, claim, fails=False)
    clock.advance(STUCK_AFTER.total_seconds() - 1)
    assert await refusal(idempotency, admin) == "idempotency_in_progress"
    clock.advance(1)
    assert await refusal(idempotency, admin) == "idempotency_uncacheable_success"


async def test_a_call_that_breaks_down_after_its_commit_says_so_at_once(
    idempotency: Idempotency, ledger: Ledger, admin: Principal
) -> None:
    """Who is still there when the answer gets lost leaves nobody to wait for it."""
    claim = await claimed(idempotency, admin)
    await work(ledger, idempotency, claim, fails=False)
    await idempotency.free(claim, refused=False)
    assert await refusal(idempotency, admin) == "idempotency_uncacheable_success"


async def test_between_commit_and_answer_a_call_is_in_progress(
    idempotency: Idempotency, ledger: Ledger, admin: Principal
) -> None:
    """Whoever comes in that moment asks again and then gets the answer (v1 1.6)."""
    claim = await claimed(idempotency, admin)
    await work(ledger, idempotency, claim, fails=False)
    assert await refusal(idempotency, admin) == "idempotency_in_progress"
    await idempotency.keep(claim, ANSWER)
    assert await idempotency.claim(admin, "key", "r") == ANSWER


async def test_what_a_call_commits_after_its_answer_does_not_take_the_answer_away(
    idempotency: Idempotency, ledger: Ledger, admin: Principal
) -> None:
    """A task that the call left behind still carries its claim."""
    claim = await claimed(idempotency, admin)
    await idempotency.keep(claim, ANSWER)
    await work(ledger, idempotency, claim, fails=False)
    assert await idempotency.claim(admin, "key", "r") == ANSWER


async def test_a_run_that_was_given_up_writes_nothing_any_more(
    idempotency: Idempotency, clock: FakeClock, admin: Principal
) -> None:
    """The slow first run neither answers for the second nor frees its key."""
    slow = await claimed(idempotency, admin)
    clock.advance(STUCK_AFTER.total_seconds())
    await claimed(idempotency, admin)
    await idempotency.keep(slow, ANSWER)
    await idempotency.free(slow, refused=True)
    assert await refusal(idempotency, admin) == "idempotency_in_progress"


async def test_a_key_is_one_persons_for_one_request(
    idempotency: Idempotency, admin: Principal
) -> None:
    """Another user's is another key; other rights and other requests are conflicts."""
    await idempotency.keep(await claimed(idempotency, admin), ANSWER)
    assert await refusal(idempotency, admin, "other") == "idempotency_conflict"
    narrower = replace(admin, scopes=frozenset({"read"}))
    assert await refusal(idempotency, narrower) == "idempotency_authz_changed"
    moved = replace(admin, organization_id=2)
    assert await refusal(idempotency, moved) == "idempotency_authz_changed"
    await claimed(idempotency, replace(admin, user_id=2))
