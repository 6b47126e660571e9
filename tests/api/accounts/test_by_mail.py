"""Passwords by mail: links that work once, the same answer for everybody (S06, S10, S14)."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from api.accounts.models import Credential, User
from api.accounts.people import NewUser, UserChange
from api.accounts.reset_page import PAGE, POLICY
from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.models import AuditEntry
from api.events.service import Ledger
from api.mail.models import Letter
from api.principal import Role
from tests.api.accounts.conftest import PASSWORD, SETUP_TOKEN, ask, cheap_passwords, set_up
from tests.api.accounts.people import HERE, make_admin, refused
from tests.api.conftest import FakeClock
from tests.fakes.mail_server import MailServer, running_mail_server

NEW = "a longer one, and new"
LINK = re.compile(r"https://farm\.example/gantry/reset-password#token=([\w-]{43})\s")


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with running_mail_server() as running:
        yield running


@pytest.fixture
def settings(settings: Settings, server: MailServer) -> Settings:
    return replace(
        settings,
        setup_token=SETUP_TOKEN,
        public_url="https://farm.example/gantry",
        smtp_host="127.0.0.1",
        smtp_port=server.port,
        smtp_from="farm@farm.example",
        smtp_security="none",
    )


async def token_for(accounts: Accounts, server: MailServer) -> str:
    """The secret in the newest mail."""
    await accounts.post.drain()
    found = LINK.search(str(server.mails[-1].get_content()))
    assert found is not None
    return found[1]


async def test_a_forgotten_password_is_set_by_a_link_once(
    accounts: Accounts, server: MailServer
) -> None:
    """The link leads to the configured name; sessions end; the second time it is worth nothing."""
    before = await make_admin(accounts)
    await accounts.forgot_password("Admin@Example.ORG", HERE)
    token = await token_for(accounts, server)
    assert await refused(accounts.authenticate(token)) == "not_authenticated"
    await accounts.reset_password(token, NEW)
    assert (await accounts.login("admin", NEW, HERE, "")).token
    assert await refused(accounts.authenticate(before.token)) == "not_authenticated"
    assert await refused(accounts.reset_password(token, NEW + "er")) == "bad_request"
    entry = await AuditEntry.filter(action="user.password_changed").get()
    assert (entry.username, entry.details) == ("admin", {"way": "mail"})


async def test_only_the_newest_link_works_and_not_for_long(
    accounts: Accounts, server: MailServer, clock: FakeClock
) -> None:
    """An hour; asking again ends the one before."""
    await make_admin(accounts)
    await accounts.forgot_password("admin@example.org", HERE)
    old = await token_for(accounts, server)
    await accounts.forgot_password("admin@example.org", HERE)
    new = await token_for(accounts, server)
    assert await refused(accounts.reset_password(old, NEW)) == "bad_request"
    clock.advance(3601)
    assert await refused(accounts.reset_password(new, NEW)) == "bad_request"


async def test_a_bad_new_password_does_not_use_the_link_up(
    accounts: Accounts, server: MailServer
) -> None:
    """Whoever typed something too short may try again."""
    await make_admin(accounts)
    await accounts.forgot_password("admin@example.org", HERE)
    token = await token_for(accounts, server)
    assert await refused(accounts.reset_password(token, "short")) == "bad_request"
    await accounts.reset_password(token, NEW)
    assert (await accounts.login("admin", NEW, HERE, "")).token


async def test_no_secret_is_kept(accounts: Accounts, server: MailServer) -> None:
    """S08: the token is in the mail alone; the outbox never held it."""
    await make_admin(accounts)
    await accounts.forgot_password("admin@example.org", HERE)
    waiting = repr(await Letter.all().values())
    token = await token_for(accounts, server)
    kept = repr(await Credential.all().values()) + repr(await AuditEntry.all().values())
    assert token not in kept + waiting


async def test_unknown_addresses_are_answered_and_kept_alike(
    accounts: Accounts, server: MailServer
) -> None:
    """S10: the same rows are written; nobody gets a mail."""
    await make_admin(accounts)
    await accounts.forgot_password("nobody@example.org", HERE)
    assert await Letter.all().count() == 1
    await accounts.post.drain()
    assert (await Letter.all().count(), server.mails) == (0, [])


async def test_nobody_is_flooded(accounts: Accounts) -> None:
    """Five an address in a quarter of an hour, whoever asks, known or not."""
    await make_admin(accounts)
    for address in ("admin@example.org", "nobody@example.org"):
        for number in range(5):
            await accounts.forgot_password(address.upper(), f"198.51.100.{number}")
        last = accounts.forgot_password(address, "198.51.100.77")
        assert await refused(last) == "locked_out"


async def test_who_is_disabled_gets_nothing(accounts: Accounts, server: MailServer) -> None:
    """Neither a mail, nor in with one that was under way."""
    admin = (await make_admin(accounts)).principal
    new = NewUser(username="olga", email="olga@x.example", password=PASSWORD, role=Role.VIEWER)
    olga = await accounts.create_user(admin, new)
    await accounts.forgot_password("olga@x.example", HERE)
    token = await token_for(accounts, server)
    await accounts.update_user(admin, olga.id, UserChange(is_active=False), HERE)
    assert await refused(accounts.reset_password(token, NEW)) == "bad_request"
    await accounts.forgot_password("olga@x.example", HERE)
    await accounts.post.drain()
    assert len(server.mails) == 1


async def test_an_invited_person_chooses_the_password(
    accounts: Accounts, server: MailServer, clock: FakeClock
) -> None:
    """Within a week, and nobody else knows one before."""
    admin = (await make_admin(accounts)).principal
    new = NewUser(username="olga", email="olga@x.example", password="", role=Role.VIEWER)
    await accounts.invite(admin, new)
    token = await token_for(accounts, server)
    assert server.mails[-1]["To"] == "olga@x.example"
    clock.advance(6 * 24 * 3600)
    await accounts.reset_password(token, NEW)
    assert (await accounts.login("olga", NEW, HERE, "")).principal.role is Role.VIEWER
    nowhere = replace(new, username="nils", email="")
    assert await refused(accounts.invite(admin, nowhere)) == "bad_request"
    assert not await User.filter(username="nils").exists()


async def test_owners_hear_of_changes(accounts: Accounts, server: MailServer) -> None:
    """S14: of a new password, and at the old address of a new one."""
    admin = await make_admin(accounts)
    await accounts.change_password(admin.principal, PASSWORD, NEW, HERE)
    wish = UserChange(email="new@example.org", current_password=NEW)
    await accounts.update_user(admin.principal, admin.principal.user_id, wish, HERE)
    await accounts.post.drain()
    told = [(mail["To"], str(mail.get_content())) for mail in server.mails]
    assert [to for to, _ in told] == ["admin@example.org"] * 2
    assert "password" in told[0][1]
    assert "e-mail address" in told[1][1]


async def test_a_superadmins_link_is_a_superadmins_business(
    accounts: Accounts, server: MailServer
) -> None:
    """And who has no address cannot be mailed."""
    admin = (await make_admin(accounts)).principal
    new = NewUser(username="anna", email="", password=PASSWORD, role=Role.ADMIN)
    anna = await accounts.create_user(admin, new)
    by = (await accounts.login("anna", PASSWORD, HERE, "")).principal
    assert await refused(accounts.mail_reset(by, admin.user_id)) == "permission_denied"
    assert await refused(accounts.mail_reset(admin, anna.id)) == "bad_request"
    assert await refused(accounts.mail_reset(admin, 987654)) == "user_not_found"


async def test_the_routes(client: Client, accounts: Accounts, server: MailServer) -> None:
    """v1 2.1, with a Host that is somebody else's: the links do not follow it (S06)."""
    headers = await set_up(client)
    assert (await ask(client, "GET", "/auth/capabilities"))[1] == {"smtp_enabled": True}
    answers: list[Any] = []
    for email in ("admin@example.org", "nobody@example.org"):
        evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
        body = {"email": email}
        answers.append(await ask(client, "POST", "/auth/forgot-password", json=body, headers=evil))
    assert answers[0] == answers[1] == (200, {"status": "ok"})
    token = await token_for(accounts, server)
    fields = {"token": token, "new_password": NEW}
    assert (await ask(client, "POST", "/auth/reset-password", json=fields))[0] == 200
    assert (await ask(client, "POST", "/auth/reset-password", json=fields))[0] == 400
    assert (await ask(client, "GET", "/auth/me", headers=headers))[0] == 401
    odd = {"email": "a@b.example, c@d.example"}
    assert (await ask(client, "POST", "/auth/forgot-password", json=odd))[0] == 400


async def test_invitations_by_route(client: Client, server: MailServer, accounts: Accounts) -> None:
    """`send_welcome_email` of POST /users, and the mail that an admin asks for."""
    headers = await set_up(client)
    body = {"username": "olga", "email": "o@x.example", "send_welcome_email": True}
    status, made = await ask(client, "POST", "/users", json=body, headers=headers)
    assert (status, made["status"]) == (200, "created")
    await token_for(accounts, server)
    path = f"/users/{made['id']}/reset-password-email"
    assert (await ask(client, "POST", path, headers=headers))[0] == 200
    await token_for(accounts, server)
    assert [mail["To"] for mail in server.mails] == ["o@x.example"] * 2


async def test_the_page_of_the_link(client: Client) -> None:
    """It takes the token out of the address, loads nothing, and no other script may run."""
    answer = await client.get("/reset-password")
    assert answer.headers.getlist("Content-Security-Policy") == [POLICY]
    assert "unsafe" not in POLICY
    assert (answer.status_code, await answer.get_data(as_text=True)) == (200, PAGE)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_without_a_mail_server_it_says_so(
    ledger: Ledger, clock: Clock, settings: Settings
) -> None:
    """The way out is an admin; nobody waits for a mail that never comes."""
    silent = Accounts(ledger, clock, replace(settings, smtp_host=""), cheap_passwords())
    admin = (await make_admin(silent)).principal
    new = NewUser(username="olga", email="o@x.example", password="", role=Role.VIEWER)
    for asked in (
        silent.forgot_password("admin@example.org", HERE),
        silent.mail_reset(admin, admin.user_id),
        silent.invite(admin, new),
    ):
        assert await refused(asked) == "feature_disabled"
