"""Sessions: how they end, what they may when they are old, and the tickets that open sockets."""

from datetime import timedelta

import pytest

from api.accounts.credentials import ENDS, Ending
from api.accounts.models import Credential
from api.accounts.service import Accounts, CameWith
from api.bus.local import LocalBus
from api.config import Settings
from api.errors import NotAuthenticated, NotFound
from api.events.models import AuditEntry
from api.events.service import Ledger
from api.principal import Principal, Role
from tests.api.accounts.conftest import PASSWORD, cheap_passwords
from tests.api.accounts.people import HERE, add_user, fail, make_admin, refused
from tests.api.conftest import FakeClock

ELSEWHERE = "203.0.113.9"


@pytest.fixture
async def admin(accounts: Accounts) -> Principal:
    return (await make_admin(accounts)).principal


async def test_an_end_wakes_whoever_holds_a_socket(
    accounts: Accounts, admin: Principal, bus: LocalBus
) -> None:
    """After the commit, by the credential's own name and by the common one (safety S12)."""
    with bus.listen(f"credential:{admin.credential_id}") as mine, bus.listen(ENDS) as all_of_them:
        await accounts.login("admin", PASSWORD, HERE, "")
        assert not mine.take()
        assert not await accounts.ended(admin)
        await accounts.logout(admin)
        assert mine.take()
        assert all_of_them.take()
    assert await accounts.ended(admin)


async def test_ends_of_many_are_found_together(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """Revoked, expired, disabled and gone ones, and no others (safety S12)."""
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    row, secret = await accounts.create_token(olga, "ci", [], 1)
    token = await accounts.authenticate(secret)
    everybody = [admin, olga, token]
    assert await accounts.ended_of(everybody) == {}
    await accounts.revoke_token(olga, row.id)
    assert await accounts.ended_of(everybody) == {token.credential_id: Ending.OVER}
    await accounts.delete_user(admin, olga.user_id)
    gone = dict.fromkeys((token.credential_id, olga.credential_id), Ending.CHANGED)
    assert await accounts.ended_of(everybody) == gone
    clock.advance(25 * 3600)
    assert await accounts.ended_of(everybody) == {**gone, admin.credential_id: Ending.OVER}


async def test_a_revocation_elsewhere_is_heard_at_once(
    accounts: Accounts, admin: Principal, bus: LocalBus, clock: FakeClock
) -> None:
    """What another process ended is not remembered here when the bus tells of it (safety S12)."""
    accounts.follow(bus)
    login = await accounts.login("admin", PASSWORD, HERE, "")
    await accounts.authenticate(login.token)
    await Credential.filter(id=login.principal.credential_id).update(revoked_at=clock.now())
    await accounts.authenticate(login.token)
    bus.wake([ENDS])
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(login.token)


async def test_logins_of_others_cost_nobody_a_look_up(
    accounts: Accounts, admin: Principal, bus: LocalBus
) -> None:
    """A login storm does not empty the memory that hot reads live on (issue: p99)."""
    accounts.follow(bus)
    login = await accounts.login("admin", PASSWORD, HERE, "")
    await accounts.authenticate(login.token)
    with bus.listen(ENDS) as ends:
        await accounts.login("admin", PASSWORD, HERE, "", CameWith(session="x" * 43))
        await fail(accounts, "admin", HERE)
        assert not ends.take()
    await Credential.all().update(sha256="")
    await accounts.authenticate(login.token)


async def test_a_clock_that_goes_back_revives_nothing(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """A session that was once seen expired stays so (safety S13)."""
    login = await accounts.login("admin", PASSWORD, HERE, "")
    clock.advance(24 * 3600)
    assert await refused(accounts.authenticate(login.token)) == "not_authenticated"
    clock.advance(-3600)
    assert await refused(accounts.authenticate(login.token)) == "not_authenticated"


async def test_a_session_that_nobody_uses_ends_after_a_day(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """However long sessions live otherwise; use keeps it, to the end of its life (safety S13)."""
    used, idle = [await accounts.login("admin", PASSWORD, HERE, "") for _ in range(2)]
    ids = [login.principal.credential_id for login in (used, idle)]
    await Credential.filter(id__in=ids).update(expires_at=used.expires_at + timedelta(days=2))
    for _ in range(3):
        clock.advance(13 * 3600)
        await accounts.authenticate(used.token)
    assert await refused(accounts.authenticate(idle.token)) == "not_authenticated"
    clock.advance(-30 * 3600)
    assert await refused(accounts.authenticate(idle.token)) == "not_authenticated"
    clock.advance(70 * 3600)
    assert await refused(accounts.authenticate(used.token)) == "not_authenticated"


async def test_counters_are_shared_by_all_processes(
    accounts: Accounts, admin: Principal, ledger: Ledger, clock: FakeClock, settings: Settings
) -> None:
    """Another worker, or this one after a restart, goes on counting (safety S09)."""
    for n in range(10):
        worker = Accounts(ledger, clock, settings, cheap_passwords())
        await fail(worker if n % 2 else accounts, f"user{n}", ELSEWHERE)
    restarted = Accounts(ledger, clock, settings, cheap_passwords())
    assert (await fail(restarted, "user", ELSEWHERE)).code == "rate_limited"


async def test_a_login_ends_the_session_that_it_came_with(
    accounts: Accounts, admin: Principal
) -> None:
    """A new id is issued and the planted one is dead; others live on (safety S11)."""
    planted = await accounts.login("admin", PASSWORD, HERE, "")
    other = await accounts.login("admin", PASSWORD, HERE, "")
    fresh = await accounts.login("admin", PASSWORD, HERE, "", CameWith(session=planted.token))
    assert fresh.token != planted.token
    assert await refused(accounts.authenticate(planted.token)) == "not_authenticated"
    await accounts.authenticate(other.token)
    await accounts.login("admin", PASSWORD, HERE, "", CameWith(session="no such session here"))


async def test_an_old_session_asks_again_before_it_makes_secrets(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """After ten minutes tokens and keys need the password again; a token never (safety S15)."""
    _, secret = await accounts.create_token(admin, "ci", [], None)
    clock.advance(601)
    for asked in (
        accounts.create_token(admin, "more", [], None),
        accounts.create_octoprint_key(admin, None, "slicer"),
        accounts.generate_user_key(admin, admin.user_id),
        accounts.add_app_key(admin, "Cura"),
    ):
        assert await refused(asked) == "reauth_required"
    assert await refused(accounts.reauthenticate(admin, "wrong", HERE)) == "wrong_password"
    await accounts.reauthenticate(admin, PASSWORD, HERE)
    await accounts.create_token(admin, "more", [], None)
    clock.advance(601)
    token = await accounts.authenticate(secret)
    await accounts.create_token(token, "by a token", [], None)
    assert await refused(accounts.reauthenticate(token, PASSWORD, HERE)) == "bad_request"


async def test_admins_see_and_end_the_sessions_of_their_own(
    accounts: Accounts, admin: Principal
) -> None:
    """An organization's admin those of its people, a superadmin all (v1 2.2; safety S25)."""
    second = await accounts.create_organization(admin, "Second", "")
    boss = await add_user(accounts, admin, "boss", Role.ADMIN, second.id)
    olga = await add_user(accounts, admin, "olga", Role.VIEWER, second.id)
    rows, total = await accounts.all_sessions(boss, 0, 50)
    assert [(row.user_id, name) for row, name in rows] == [
        (olga.user_id, "olga"),
        (boss.user_id, "boss"),
    ]
    assert total == 2
    assert (await accounts.all_sessions(admin, 0, 1))[1] == 3
    assert await refused(accounts.all_sessions(olga, 0, 50)) == "permission_denied"
    with pytest.raises(NotFound):
        await accounts.revoke_any_session(boss, admin.credential_id)
    await accounts.revoke_any_session(boss, olga.credential_id)
    assert await accounts.ended(olga)


async def test_a_websocket_ticket_opens_one_socket(accounts: Accounts, admin: Principal) -> None:
    """Once, and as the one who asked, whose end it shares (safety S43)."""
    ticket = await accounts.ws_ticket(admin)
    assert await accounts.redeem_ws_ticket(ticket) == admin
    for secret in (ticket, "odin_" + "x" * 43, "", "x" * 43):
        assert await refused(accounts.redeem_ws_ticket(secret)) == "not_authenticated"
    ticket = await accounts.ws_ticket(admin)
    await accounts.logout(admin)
    assert await refused(accounts.redeem_ws_ticket(ticket)) == "not_authenticated"


async def test_a_websocket_ticket_lives_half_a_minute(
    accounts: Accounts, admin: Principal, clock: FakeClock
) -> None:
    """30 s; what is left of old ones is swept with the next (safety S43)."""
    ticket = await accounts.ws_ticket(admin)
    clock.advance(30)
    assert await refused(accounts.redeem_ws_ticket(ticket)) == "not_authenticated"
    clock.advance(31)
    await accounts.ws_ticket(admin)
    assert await Credential.filter(kind="ws_ticket").count() == 1


async def test_a_ticket_is_no_credential_and_a_credential_no_ticket(
    accounts: Accounts, admin: Principal
) -> None:
    """Each kind of secret opens its own door only (safety S43)."""
    _, token = await accounts.create_token(admin, "ci", [], None)
    session = await accounts.login("admin", PASSWORD, HERE, "")
    push = accounts.push_ticket(admin)
    ticket = await accounts.ws_ticket(admin)
    for secret in (ticket, push):
        assert await refused(accounts.authenticate(secret)) == "not_authenticated"
    for secret in (token, session.token, push):
        assert await refused(accounts.redeem_ws_ticket(secret)) == "not_authenticated"
    for secret in (token, session.token, ticket, "1-", "-", "1-ü", f"{2**70}-x"):
        assert await refused(accounts.redeem_push_ticket("admin", secret)) == "not_authenticated"


async def test_a_push_ticket_is_for_its_user_while_the_login_lasts(
    accounts: Accounts, admin: Principal
) -> None:
    """`user:session` of OctoPrint's push: both must fit (OctoPrint 8)."""
    push = accounts.push_ticket(admin)
    assert await accounts.redeem_push_ticket("admin", push) == admin
    assert await refused(accounts.redeem_push_ticket("olga", push)) == "not_authenticated"
    forged = f"{admin.credential_id + 1}-{push.partition('-')[2]}"
    assert await refused(accounts.redeem_push_ticket("admin", forged)) == "not_authenticated"
    await accounts.logout(admin)
    assert await refused(accounts.redeem_push_ticket("admin", push)) == "not_authenticated"


async def test_a_known_device_is_not_locked_out_from_a_shared_address(
    accounts: Accounts, admin: Principal
) -> None:
    """Behind a proxy all have one address: guessers there stop nobody who was here (safety S09)."""
    device = CameWith(device=accounts.device_mark(admin))
    for n in range(12):
        await fail(accounts, "admin" if n % 2 else f"user{n}", ELSEWHERE)
    assert await refused(accounts.login("admin", PASSWORD, ELSEWHERE, "")) == "rate_limited"
    await accounts.login("admin", PASSWORD, ELSEWHERE, "", device)
    olga = await add_user(accounts, admin, "olga", Role.VIEWER)
    assert await refused(accounts.login("olga", PASSWORD, ELSEWHERE, "", device)) == "rate_limited"
    assert olga.username == "olga"


async def test_a_device_that_guesses_is_stopped_too(accounts: Accounts, admin: Principal) -> None:
    """A stolen mark gives ten tries, and none for another name (safety S09)."""
    device = CameWith(device=accounts.device_mark(admin))
    codes = [await refused(accounts.login("admin", "x", HERE, "", device)) for _ in range(12)]
    assert codes == ["not_authenticated"] * 10 + ["rate_limited"] * 2
    for mark in ("", ".", "x.y", "ü.ü", "x" * 500):
        asked = accounts.login("admin", "x", HERE, "", CameWith(device=mark))
        assert await refused(asked) == "not_authenticated"


async def test_logins_and_failures_are_in_the_trail(accounts: Accounts, admin: Principal) -> None:
    """Good, bad, and of nobody; what was typed as an unknown name is not kept (safety S54)."""
    await accounts.login("admin", PASSWORD, HERE, "")
    await fail(accounts, "admin", HERE)
    await fail(accounts, "my-secret-password", HERE)
    rows = await AuditEntry.filter(action__startswith="auth.").order_by("id")
    assert [(row.action, row.username, row.user_id) for row in rows] == [
        ("auth.login", "admin", admin.user_id),
        ("auth.login_failed", "", None),
        ("auth.login_failed", "", None),
    ]
    assert rows[1].details["subject"] == "admin"
    assert rows[1].entity_id == str(admin.user_id)
    assert "secret" not in repr(rows[2].details)
