"""Pairing: device codes (RFC 8628) with proof of key, and enrolment tokens."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from api.bridges.models import Bridge
from api.bridges.service import Bridges
from api.errors import Conflict, Forbidden, Invalid, NotFound, Problem, TooMany
from api.events.service import Ledger
from api.pairing.models import PairingRequest
from api.pairing.service import MAX_BAD_PROOFS, MAX_OPEN, Asking, Pairing, Started
from api.principal import Principal, Role
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey

HERE = "10.0.0.1"


def proof(key: AgentKey, started: Started) -> str:
    return key.sign(b"gantry-pair-v1\n" + started.device_code.encode())


async def refusal(pairing: Pairing, started: Started, signature: str) -> str:
    with pytest.raises(Problem) as refused:
        await pairing.redeem(started.device_code, signature)
    return refused.value.code


async def test_an_approved_bridge_comes_in(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal, clock: FakeClock
) -> None:
    """Ask, wait, an admin compares the fingerprint and approves, the agent proves its key."""
    started = await pairing.begin(asking, HERE)
    assert await refusal(pairing, started, proof(key, started)) == "authorization_pending"
    seen = await pairing.look(admin, started.user_code, HERE)
    assert (seen.room, seen.state) == ("Workshop", "pending")
    await pairing.decide(admin, started.user_code, HERE, approve=True, name="Cellar")
    clock.advance(2)
    bridge = await pairing.redeem(started.device_code, proof(key, started))
    assert (bridge.name, bridge.public_key, bridge.organization_id) == ("Cellar", key.public, 1)


async def test_a_lost_answer_can_be_fetched_again(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal, clock: FakeClock
) -> None:
    """The same proof gets the same bridge, never a second one (safety R13)."""
    started = await pairing.begin(asking, HERE)
    await pairing.decide(admin, started.user_code, HERE, approve=True)
    first = await pairing.redeem(started.device_code, proof(key, started))
    clock.advance(2)
    again = await pairing.redeem(started.device_code, proof(key, started))
    assert first.id == again.id
    assert await Bridge.all().count() == 1


async def test_an_answer_for_a_bridge_that_was_removed_is_not_found(
    pairing: Pairing,
    bridges: Bridges,
    asking: Asking,
    key: AgentKey,
    admin: Principal,
    clock: FakeClock,
) -> None:
    """A spent code does not bring a removed bridge back (safety S57)."""
    started = await pairing.begin(asking, HERE)
    await pairing.decide(admin, started.user_code, HERE, approve=True)
    bridge = await pairing.redeem(started.device_code, proof(key, started))
    await bridges.revoke(admin, bridge.id)
    clock.advance(2)
    assert await refusal(pairing, started, proof(key, started)) == "bridge_not_found"


async def test_a_denied_bridge_stays_outside(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal
) -> None:
    """A refusal is final for this code."""
    started = await pairing.begin(asking, HERE)
    await pairing.decide(admin, started.user_code, HERE, approve=False)
    assert await refusal(pairing, started, proof(key, started)) == "access_denied"
    with pytest.raises(Conflict):
        await pairing.decide(admin, started.user_code, HERE, approve=True)


async def test_two_admins_cannot_both_claim_a_bridge(
    pairing: Pairing, asking: Asking, admin: Principal
) -> None:
    """The first approval counts; another organization does not even see the code (safety S57)."""
    started = await pairing.begin(asking, HERE)
    await pairing.decide(admin, started.user_code, HERE, approve=True)
    with pytest.raises(Conflict):
        await pairing.decide(admin, started.user_code, HERE, approve=True)
    with pytest.raises(NotFound):
        await pairing.look(replace(admin, organization_id=2), started.user_code, HERE)


async def test_only_admins_approve(pairing: Pairing, asking: Asking, admin: Principal) -> None:
    """An operator neither sees nor approves a code."""
    started = await pairing.begin(asking, HERE)
    with pytest.raises(Forbidden):
        await pairing.look(replace(admin, role=Role.OPERATOR), started.user_code, HERE)


async def test_a_code_lives_ten_minutes(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal, clock: FakeClock
) -> None:
    """Afterwards neither side of it works, and its row goes with the next one."""
    started = await pairing.begin(asking, HERE)
    clock.advance(600)
    assert await refusal(pairing, started, proof(key, started)) == "expired_token"
    with pytest.raises(NotFound):
        await pairing.look(admin, started.user_code, HERE)
    clock.advance(1)
    await pairing.begin(replace(asking, public_key=AgentKey().public), HERE)
    assert await PairingRequest.all().count() == 1


async def test_an_impatient_agent_is_slowed_down(
    pairing: Pairing, asking: Asking, key: AgentKey, clock: FakeClock
) -> None:
    """Two polls within a second: slow_down, as RFC 8628 has it."""
    started = await pairing.begin(asking, HERE)
    signature = proof(key, started)
    answers = []
    for _ in range(3):
        answers.append(await refusal(pairing, started, signature))
        clock.advance(0.5)
    assert answers == ["authorization_pending", "slow_down", "authorization_pending"]


async def test_a_stolen_code_is_worthless_without_the_key(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal, clock: FakeClock
) -> None:
    """Wrong proofs are refused, and the fifth burns the code for everybody (safety S57)."""
    started = await pairing.begin(asking, HERE)
    await pairing.decide(admin, started.user_code, HERE, approve=True)
    for _ in range(MAX_BAD_PROOFS):
        assert await refusal(pairing, started, proof(AgentKey(), started)) == "access_denied"
        clock.advance(2)
    assert await refusal(pairing, started, proof(key, started)) == "access_denied"
    assert await Bridge.all().count() == 0


async def test_guessing_codes_is_throttled(
    pairing: Pairing, asking: Asking, admin: Principal, clock: FakeClock
) -> None:
    """Ten wrong codes in a minute, then even the right one has to wait (safety S57)."""
    started = await pairing.begin(asking, HERE)
    for _ in range(10):
        with pytest.raises(NotFound):
            await pairing.look(admin, "AAAA-AAAA", HERE)
    with pytest.raises(TooMany):
        await pairing.look(admin, started.user_code, HERE)
    clock.advance(60)
    await pairing.look(admin, started.user_code, HERE)


async def test_another_process_and_a_restart_count_the_same_tries(
    pairing: Pairing,
    asking: Asking,
    admin: Principal,
    bridges: Bridges,
    ledger: Ledger,
    clock: FakeClock,
) -> None:
    """Who is slowed down by one process is not let in by the next (safety S57)."""
    started = await pairing.begin(asking, HERE)
    for _ in range(10):
        with pytest.raises(NotFound):
            await Pairing(bridges, ledger, clock).look(admin, "AAAA-AAAA", HERE)
    with pytest.raises(TooMany):
        await Pairing(bridges, ledger, clock).look(admin, started.user_code, HERE)
    found = await pairing.look(admin, started.user_code, "198.51.100.9")
    assert found.state == "pending"


async def test_guesses_at_the_same_moment_are_all_counted(
    pairing: Pairing, admin: Principal
) -> None:
    """A burst gets no more tries than a row of them; right ones are not counted."""
    answers = await asyncio.gather(
        *(pairing.look(admin, "AAAA-AAAA", HERE) for _ in range(20)), return_exceptions=True
    )
    assert Counter(type(each) for each in answers) == {NotFound: 10, TooMany: 10}


async def test_codes_are_not_made_without_end(pairing: Pairing, asking: Asking) -> None:
    """An address gets thirty a minute; asking again with the same key voids the older code."""
    for _ in range(30):
        await pairing.begin(asking, HERE)
    assert await PairingRequest.all().count() == 1
    with pytest.raises(TooMany):
        await pairing.begin(asking, HERE)


async def test_open_codes_are_bounded_over_all_addresses(
    pairing: Pairing, asking: Asking, clock: FakeClock
) -> None:
    """Many addresses together cannot fill the table either."""
    row = {"public_key": "x", "room": "x", "created_at": clock.now(), "expires_at": clock.now()}
    await PairingRequest.bulk_create(
        [PairingRequest(device_sha256=str(n), user_code=str(n), **row) for n in range(MAX_OPEN)]
    )
    with pytest.raises(TooMany):
        await pairing.begin(asking, HERE)


async def test_what_is_no_key_cannot_ask(pairing: Pairing, asking: Asking) -> None:
    """The refusal names the field."""
    with pytest.raises(Invalid, match="public_key"):
        await pairing.begin(replace(asking, public_key="AAAA"), HERE)


def enrolment(key: AgentKey, secret: str) -> str:
    return key.sign(b"gantry-enrol-v1\n" + secret.encode())


async def test_an_enrolment_token_lets_so_many_in(
    pairing: Pairing, asking: Asking, admin: Principal
) -> None:
    """Two uses are two bridges; the third is refused."""
    _, secret = await pairing.create_token(admin, "Hall", uses=2, hours=1)
    keys = [AgentKey() for _ in range(3)]
    for key in keys[:2]:
        room = replace(asking, public_key=key.public)
        bridge = await pairing.enrol(room, secret, enrolment(key, secret), HERE)
        assert bridge.organization_id == 1
    with pytest.raises(Forbidden):
        room = replace(asking, public_key=keys[2].public)
        await pairing.enrol(room, secret, enrolment(keys[2], secret), HERE)
    assert [row.uses_left for row in await pairing.tokens(admin)] == [0]


async def test_an_enrolment_whose_answer_was_lost_is_asked_for_again(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal, bridges: Bridges
) -> None:
    """The same bridge, and no use spent; once it is removed, a token that is used up is none."""
    row, secret = await pairing.create_token(admin, "Hall", uses=1, hours=1)
    first = await pairing.enrol(asking, secret, enrolment(key, secret), HERE)
    again = await pairing.enrol(asking, secret, enrolment(key, secret), HERE)
    assert (again.id, again.uid) == (first.id, first.uid)
    await row.refresh_from_db()
    assert row.uses_left == 0
    await bridges.revoke(admin, first.id)
    with pytest.raises(Forbidden, match="used up"):
        await pairing.enrol(asking, secret, enrolment(key, secret), HERE)


async def test_a_room_that_is_enrolled_twice_spends_one_use(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal
) -> None:
    """The other use is for another room."""
    row, secret = await pairing.create_token(admin, "Hall", uses=2, hours=1)
    for _ in range(2):
        await pairing.enrol(asking, secret, enrolment(key, secret), HERE)
    await row.refresh_from_db()
    assert row.uses_left == 1


async def test_an_enrolment_needs_the_key_that_it_brings(
    pairing: Pairing, asking: Asking, admin: Principal
) -> None:
    """A token does not let somebody else's public key in, and is not spent by trying."""
    row, secret = await pairing.create_token(admin, "", uses=1, hours=1)
    with pytest.raises(Forbidden):
        await pairing.enrol(asking, secret, enrolment(AgentKey(), secret), HERE)
    await row.refresh_from_db()
    assert row.uses_left == 1


async def test_an_old_or_deleted_token_is_void(
    pairing: Pairing, asking: Asking, key: AgentKey, admin: Principal, clock: FakeClock
) -> None:
    """Neither after its hours nor after its deletion does a token let anybody in."""
    _, old = await pairing.create_token(admin, "", uses=1, hours=1)
    clock.advance(3600)
    row, deleted = await pairing.create_token(admin, "", uses=1, hours=1)
    with pytest.raises(NotFound):
        await pairing.delete_token(replace(admin, organization_id=2), row.id)
    await pairing.delete_token(admin, row.id)
    for secret in (old, deleted):
        with pytest.raises(Forbidden):
            await pairing.enrol(asking, secret, enrolment(key, secret), HERE)


async def test_guessing_enrolment_tokens_is_throttled(
    pairing: Pairing, asking: Asking, key: AgentKey
) -> None:
    """Ten wrong ones in a minute, then a wait."""
    for _ in range(10):
        with pytest.raises(Forbidden):
            await pairing.enrol(asking, "wrong", enrolment(key, "wrong"), HERE)
    with pytest.raises(TooMany):
        await pairing.enrol(asking, "wrong", enrolment(key, "wrong"), HERE)


@pytest.mark.parametrize(("uses", "hours"), [(0, 1), (1001, 1), (1, 0), (1, 24 * 91)])
async def test_a_token_has_bounds(
    pairing: Pairing, admin: Principal, uses: int, hours: int
) -> None:
    """Neither endless uses nor an endless life."""
    with pytest.raises(Invalid):
        await pairing.create_token(admin, "", uses, hours)
