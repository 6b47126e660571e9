"""Accounts as services see it: set-up once, login, throttling, credentials, revocation."""

import asyncio
import stat
from pathlib import Path
from typing import Any

import pytest
from tortoise import connections

from api.accounts.credentials import CACHE_S
from api.accounts.models import Credential, LoginAttempt, Organization, User
from api.accounts.service import Accounts
from api.errors import Forbidden, Invalid, NotAuthenticated, NotFound, TooMany
from api.events.service import Ledger
from api.principal import Principal, Role
from tests.api.accounts.conftest import PASSWORD
from tests.api.accounts.people import HERE, add_user, fail, make_admin
from tests.api.conftest import FakeClock


async def test_twenty_racing_set_ups_make_one_admin(accounts: Accounts) -> None:
    """Exactly one of twenty gets in (safety S03)."""
    tries = (accounts.setup(f"admin{n}", "a@b", PASSWORD, HERE) for n in range(20))
    results = await asyncio.gather(*tries, return_exceptions=True)
    refused = [one for one in results if isinstance(one, Forbidden)]
    assert len(refused) == 19
    assert {one.code for one in refused} == {"setup_complete"}
    assert await User.all().count() == 1
    assert await Credential.all().count() == 1


async def test_set_up_makes_the_organization_when_the_database_is_new(accounts: Accounts) -> None:
    """Organization 1 is made with the first admin."""
    await Organization.all().delete()
    login = await make_admin(accounts)
    assert login.principal.organization_id == 1
    assert login.principal.is_superadmin
    assert not await accounts.setup_needed()


@pytest.mark.parametrize("password", ["", "short1A", "Password1!", "qwertyuiop", "x" * 1025])
async def test_weak_password_makes_nobody(accounts: Accounts, password: str) -> None:
    """Too short, too long or guessed first; nothing is changed by a refusal (safety 0.5f)."""
    with pytest.raises(Invalid):
        await accounts.setup("admin", "a@b", password, HERE)
    assert await accounts.setup_needed()


async def test_session_is_valid_until_it_expires(accounts: Accounts, clock: FakeClock) -> None:
    """The row decides, to the second, cache or not."""
    login = await make_admin(accounts)
    assert (await accounts.authenticate(login.token)).username == "admin"
    clock.advance((login.expires_at - clock.now()).total_seconds() - 1)
    await accounts.authenticate(login.token)
    clock.advance(1)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(login.token)


async def test_signed_token_without_its_row_is_nothing(accounts: Accounts) -> None:
    """A JWT that we signed ourselves does not outlive its row (safety S12)."""
    login = await make_admin(accounts)
    await Credential.all().delete()
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(login.token)


async def test_logout_ends_a_session_at_once(accounts: Accounts) -> None:
    """Also when its principal is still in memory (safety S12)."""
    login = await make_admin(accounts)
    principal = await accounts.authenticate(login.token)
    await accounts.logout(principal)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(login.token)


async def test_disabled_person_is_out_when_the_memory_ends(
    accounts: Accounts, clock: FakeClock
) -> None:
    """A change made by another process counts after five seconds at most (safety S12)."""
    login = await make_admin(accounts)
    await accounts.authenticate(login.token)
    await User.all().update(is_active=False)
    await accounts.authenticate(login.token)
    clock.advance(5)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(login.token)


async def test_secrets_are_not_kept(accounts: Accounts, settings_dir: Path) -> None:
    """No row holds a token, key or password (safety S08); the signing key is 0600."""
    login = await make_admin(accounts)
    by = login.principal
    _, token = await accounts.create_token(by, "ci", [], None)
    key = await accounts.create_octoprint_key(by, 7, "slicer")
    assert len(key) >= 32
    assert token.startswith("odin_")
    assert len(token) == len("odin_") + 43
    rows = await connections.get("default").execute_query_dict("SELECT * FROM credential")
    rows += await connections.get("default").execute_query_dict('SELECT * FROM "user"')
    text = repr(rows)
    for secret in (login.token, login.csrf_token, token, key, PASSWORD):
        assert secret not in text
    assert "$argon2id$" in text
    assert stat.S_IMODE((settings_dir / "session.key").stat().st_mode) == 0o600


async def test_a_key_is_bound_to_its_printer(accounts: Accounts) -> None:
    """A key made for a printer reaches that printer only, and makes none for others."""
    login = await make_admin(accounts)
    key = await accounts.create_octoprint_key(login.principal, 7, "slicer")
    principal = await accounts.authenticate(key)
    assert principal.kind == "octoprint_key"
    assert principal.reaches(7)
    assert not principal.reaches(8)
    with pytest.raises(Forbidden):
        await accounts.create_octoprint_key(principal, None, "wider")
    with pytest.raises(Forbidden):
        await accounts.create_token(principal, "wider", [], None)


async def test_keys_of_a_deleted_printer_die_with_the_deletion(
    accounts: Accounts, ledger: Ledger
) -> None:
    """In the same transaction, and at once; other keys live on (DESIGN 7, Tenancy)."""
    by = (await make_admin(accounts)).principal
    bound = await accounts.create_octoprint_key(by, 7, "slicer")
    other = await accounts.create_octoprint_key(by, 8, "slicer")
    await accounts.authenticate(bound)
    async with ledger.change() as change:
        assert await accounts.revoke_printer_keys(change, 7) == 1
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(bound)
    await accounts.authenticate(other)


async def test_each_session_has_its_own_csrf_token(accounts: Accounts) -> None:
    """Neither another session's token nor a key opens it (OctoPrint 2)."""
    first = await make_admin(accounts)
    second = await accounts.login("admin", PASSWORD, HERE, "")
    assert await accounts.csrf_fits(first.principal, first.csrf_token)
    assert not await accounts.csrf_fits(first.principal, second.csrf_token)
    key = await accounts.create_octoprint_key(first.principal, 7, "slicer")
    assert not await accounts.csrf_fits(await accounts.authenticate(key), first.csrf_token)


async def test_a_push_ticket_tells_nothing_and_is_its_credentials_own(accounts: Accounts) -> None:
    """It is stable for a credential, differs between two, and authenticates nobody."""
    first = await make_admin(accounts)
    second = await accounts.login("admin", PASSWORD, HERE, "")
    ticket = accounts.push_ticket(first.principal)
    assert ticket == accounts.push_ticket(first.principal)
    assert ticket != accounts.push_ticket(second.principal)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(ticket)


@pytest.mark.parametrize(
    "secret", ["", " ", "null", "undefined", "odin_", "a.b.c", "x" * 5000, "ab\x00cd" * 9, "ä" * 40]
)
async def test_odd_secrets_never_authenticate(accounts: Accounts, secret: str) -> None:
    """Empty, null, undefined, endless and binary secrets are nobody's (safety S04)."""
    await make_admin(accounts)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(secret)


async def test_right_prefix_wrong_rest_is_refused(accounts: Accounts) -> None:
    """The prefix only finds the row; the whole digest decides (safety S07)."""
    login = await make_admin(accounts)
    _, token = await accounts.create_token(login.principal, "ci", [], None)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(wrong)


async def test_revoked_token_is_dead_and_unlisted(accounts: Accounts) -> None:
    """At once in this process, and a second time it is not found."""
    by = (await make_admin(accounts)).principal
    row, token = await accounts.create_token(by, "ci", ["read"], 1)
    assert (await accounts.authenticate(token)).scopes == {"read"}
    await accounts.revoke_token(by, row.id)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(token)
    assert await accounts.list_tokens(by) == []
    with pytest.raises(NotFound):
        await accounts.revoke_token(by, row.id)


async def test_token_ends_with_its_days(accounts: Accounts, clock: FakeClock) -> None:
    """expires_days counts from now."""
    by = (await make_admin(accounts)).principal
    _, token = await accounts.create_token(by, "ci", [], 1)
    clock.advance(24 * 3600)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(token)


async def test_use_is_noted_once_a_minute(accounts: Accounts, clock: FakeClock) -> None:
    """last_used_at costs one write a minute, not one a request (safety, ODIN R6)."""
    login = await make_admin(accounts)
    times = []
    for _ in range(12):
        await accounts.authenticate(login.token)
        times.append((await Credential.get(id=login.principal.credential_id)).last_used_at)
        clock.advance(10)
    assert len(set(times)) == 2


async def test_a_page_that_asks_thirty_things_at_once_is_looked_up_once(
    accounts: Accounts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes while one asks waits for it; who holds a wrong secret still gets nothing."""
    login = await make_admin(accounts)
    asked: list[str] = []
    ask = Credential.get_or_none

    def counted(**which: Any) -> Any:
        asked.append(which["prefix"])
        return ask(**which)

    monkeypatch.setattr(Credential, "get_or_none", counted)
    for _ in range(2):  # at first, and again when the memory ends
        found = await asyncio.gather(*(accounts.authenticate(login.token) for _ in range(30)))
        assert {one.username for one in found} == {"admin"}
        clock.advance(CACHE_S)
    assert len(asked) == 2
    wrong = login.token[:-4] + "AAAA"
    outcomes = await asyncio.gather(
        *(accounts.authenticate(wrong) for _ in range(5)), return_exceptions=True
    )
    assert [type(one) for one in outcomes] == [NotAuthenticated] * 5


async def test_tokens_never_exceed_their_maker(accounts: Accounts) -> None:
    """Unknown scopes, and more than one has, are refused (safety S26; v1 1.3)."""
    admin = (await make_admin(accounts)).principal
    viewer = await add_user(accounts, admin, "viewer", Role.VIEWER)
    with pytest.raises(Invalid):
        await accounts.create_token(admin, "x", ["everything"], None)
    for scope in ("admin", "agent:write"):
        with pytest.raises(Forbidden):
            await accounts.create_token(viewer, "x", [scope], None)
    _, token = await accounts.create_token(admin, "x", ["read", "write"], None)
    limited = await accounts.authenticate(token)
    for scopes in ([], ["admin"], ["read", "write:jobs"]):
        with pytest.raises(Forbidden) as caught:
            await accounts.create_token(limited, "x", scopes, None)
        assert caught.value.code == "scope_denied"
    await accounts.create_token(limited, "x", ["read"], None)


async def test_only_admins_reach_other_peoples_tokens(accounts: Accounts) -> None:
    """And an admin of another organization does not (safety S25)."""
    admin = (await make_admin(accounts)).principal
    operator = await add_user(accounts, admin, "operator", Role.OPERATOR)
    own, _ = await accounts.create_token(operator, "mine", [], None)
    other, _ = await accounts.create_token(admin, "theirs", [], None)
    with pytest.raises(NotFound):
        await accounts.revoke_token(operator, other.id)
    stranger = Principal(
        organization_id=2,
        user_id=99,
        username="stranger",
        role=Role.ADMIN,
        kind="token",
        credential_id=99,
    )
    with pytest.raises(NotFound):
        await accounts.revoke_token(stranger, own.id)
    with pytest.raises(NotFound):
        await accounts.user(stranger, admin.user_id)
    await accounts.revoke_token(admin, own.id)


async def test_an_operator_adds_nobody(accounts: Accounts) -> None:
    """People are the admins' business (safety S26)."""
    admin = (await make_admin(accounts)).principal
    operator = await add_user(accounts, admin, "operator", Role.OPERATOR)
    with pytest.raises(Forbidden):
        await add_user(accounts, operator, "friend", Role.ADMIN)


async def test_ten_failures_close_the_door_for_an_address(
    accounts: Accounts, clock: FakeClock
) -> None:
    """A spray over many names ends at ten, and opens again after five minutes (safety S09)."""
    await make_admin(accounts)
    for n in range(10):
        assert (await fail(accounts, f"user{n}", HERE)).code == "not_authenticated"
    limited = await fail(accounts, "user11", HERE)
    assert limited.code == "rate_limited"
    assert 0 < limited.extra["retry_after_s"] <= 300
    with pytest.raises(TooMany):
        await accounts.login("admin", PASSWORD, HERE, "")
    clock.advance(301)
    await accounts.login("admin", PASSWORD, HERE, "")


async def test_a_burst_in_one_tick_is_bounded(accounts: Accounts) -> None:
    """Attempts count from their beginning (safety S09)."""
    await make_admin(accounts)
    burst = (fail(accounts, "admin", HERE) for _ in range(50))
    codes = [problem.code for problem in await asyncio.gather(*burst)]
    assert codes.count("not_authenticated") == 10
    assert codes.count("rate_limited") == 40


async def test_five_failures_lock_a_name_but_not_its_owner(
    accounts: Accounts, clock: FakeClock
) -> None:
    """From many addresses the name is locked; a known device and open sessions are not."""
    login = await make_admin(accounts)
    codes = [(await fail(accounts, "admin", f"198.51.100.{n}")).code for n in range(8)]
    assert codes == ["not_authenticated"] * 5 + ["locked_out"] * 3
    with pytest.raises(TooMany):
        await accounts.login("admin", PASSWORD, "203.0.113.9", "")
    await accounts.authenticate(login.token)
    await accounts.login("admin", PASSWORD, HERE, "")
    clock.advance(15 * 60 + 1)
    await accounts.login("admin", PASSWORD, "203.0.113.9", "")


async def test_success_takes_its_own_failures_back(accounts: Accounts) -> None:
    """Somebody who mistypes now and then is never locked out; old rows are swept."""
    await make_admin(accounts)
    for _ in range(4):
        for _ in range(4):
            await fail(accounts, "admin", HERE)
        await accounts.login("admin", PASSWORD, HERE, "")
    assert await LoginAttempt.all().count() == 0


async def test_unknown_name_and_wrong_password_read_the_same(accounts: Accounts) -> None:
    """Nobody learns who is here (safety S10)."""
    await make_admin(accounts)
    wrong = await fail(accounts, "admin", HERE)
    unknown = await fail(accounts, "nobody", HERE)
    assert (wrong.code, wrong.detail, wrong.extra) == (unknown.code, unknown.detail, unknown.extra)


async def test_disabled_account_says_so_only_to_its_owner(accounts: Accounts) -> None:
    """The right password is needed to hear it (v1 1.2)."""
    await make_admin(accounts)
    await User.all().update(is_active=False)
    assert (await fail(accounts, "admin", HERE)).detail == "Invalid credentials"
    with pytest.raises(NotAuthenticated, match="Account disabled"):
        await accounts.login("admin", PASSWORD, HERE, "")


async def test_two_processes_agree_on_one_signing_key(accounts: Accounts, tmp_path: Path) -> None:
    """The key file is made once; who comes later reads it."""
    from api.accounts.keys import SessionTokens

    first, second = SessionTokens(tmp_path), SessionTokens(tmp_path)
    when = FakeClock().now()
    first.make("a", "admin", when)
    key = (tmp_path / "session.key").read_bytes()
    second.make("a", "admin", when)
    assert (tmp_path / "session.key").read_bytes() == key
    assert [path.name for path in tmp_path.iterdir()] == ["session.key"]


async def test_processes_with_one_secret_key_agree_whatever_their_directories(
    tmp_path: Path,
) -> None:
    """The setting wins over the file, which is not even made; another key makes other tickets."""
    from api.accounts.keys import SessionTokens

    first = SessionTokens(tmp_path / "a", "k" * 32)
    second = SessionTokens(tmp_path / "b", "k" * 32)
    assert second.credential_of(first.ticket(7)) == 7
    assert second.device_of(first.device_mark(7), 7) is not None
    assert SessionTokens(tmp_path / "a", "x" * 32).credential_of(first.ticket(7)) is None
    assert list(tmp_path.iterdir()) == []
