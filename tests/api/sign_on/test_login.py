"""The way through the provider and back, and every way in which it must come to nothing.

Safety S17, S61 to S63: state, nonce, PKCE, audience, issuer, signature, replays, other browsers,
and accounts that a mail address must not open.
"""

from collections.abc import Callable
from typing import Any

import pyotp
import pytest
from quart import Quart

from api.accounts.models import Credential, Identity, User
from api.accounts.service import Accounts
from api.events.models import AuditEntry
from api.principal import Role
from tests.api.conftest import FakeClock
from tests.api.sign_on.conftest import PUBLIC, Browser, browser_of
from tests.fakes.provider import FakeProvider, new_key, signed, unsigned

pytestmark = pytest.mark.usefixtures("admin_headers")

KNOWN = {"sub": "person-1", "email": "ada@example.org", "email_verified": True, "name": "Ada"}


async def nobody_came() -> bool:
    """Whether no session was opened and nobody new is here."""
    sessions = await Credential.filter(kind__in=("session", "sign_on")).count()
    return (sessions, await User.all().count(), await Identity.all().count()) == (1, 1, 0)


async def local_person(clock: FakeClock, email: str) -> User:
    """Somebody who has an account with a password already."""
    return await User.create(
        organization_id=1,
        username="local",
        email=email,
        password_hash="x",
        role=Role.OPERATOR,
        created_at=clock.now(),
    )


async def test_somebody_comes_in_and_comes_again(browser: Browser, provider: FakeProvider) -> None:
    """A verified person of an allowed domain: an account at the first login, the same later."""
    provider.claims = {**KNOWN, "preferred_username": "ada"}
    answer = await browser.log_in(provider)
    assert answer.status_code == 200
    assert browser.http.cookies.get("session")
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = (await browser.ask("GET", "/auth/me", headers=headers)).json()
    assert (me["username"], me["email"], me["role"]) == ("ada", "ada@example.org", "viewer")
    assert not me["is_superadmin"]
    provider.claims = {**KNOWN, "email": "other@elsewhere.example", "name": "Somebody else"}
    again = await browser.log_in(provider)
    headers = {"Authorization": f"Bearer {again.json()['access_token']}"}
    assert (await browser.ask("GET", "/auth/me", headers=headers)).json()["id"] == me["id"]
    assert await AuditEntry.filter(action="auth.login").count() == 2


async def test_the_provider_hears_what_it_must(browser: Browser, provider: FakeProvider) -> None:
    """The registered address, S256, and another state, nonce and challenge each time (S17)."""
    urls = [await browser.to_provider() for _ in range(2)]
    for url in urls:
        provider.consent(url)
    first, second = provider.codes.values()
    assert first["redirect_uri"] == f"{PUBLIC}/api/v1/auth/oidc/callback"
    assert first["scope"] == "openid profile email"
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) >= 43


@pytest.mark.parametrize(
    "twist",
    [
        lambda claims: {**claims, "nonce": "of another login"},
        lambda claims: {name: claims[name] for name in claims if name != "nonce"},
        lambda claims: {**claims, "aud": "somebody else"},
        lambda claims: {**claims, "aud": ["farm", "somebody else"]},
        lambda claims: {**claims, "aud": ["farm"], "azp": "somebody else"},
        lambda claims: {**claims, "iss": "https://evil.example"},
        lambda claims: {**claims, "exp": claims["iat"] - 61},
        lambda claims: {**claims, "exp": None},
        lambda claims: {**claims, "iat": claims["iat"] - 3600},
        lambda claims: {**claims, "iat": claims["iat"] + 3600},
        lambda claims: {**claims, "nbf": claims["iat"] + 3600},
        lambda claims: {**claims, "sub": ""},
        lambda claims: {**claims, "sub": 7},
        lambda claims: {**claims, "sub": "x" * 256},
        lambda claims: {**claims, "at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
)
async def test_claims_that_are_not_of_this_login(
    browser: Browser,
    provider: FakeProvider,
    twist: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """Signed by the right key, and still not believed (S62)."""
    provider.claims, provider.twist = dict(KNOWN), twist
    given = await browser.back(provider.consent(await browser.to_provider()))
    assert given == {"error": "auth_failed"}
    assert await nobody_came()


@pytest.mark.parametrize("how", ["none", "other key", "shared secret", "rubbish", "same name"])
async def test_tokens_that_the_provider_did_not_sign(
    browser: Browser, provider: FakeProvider, how: str
) -> None:
    """Unsigned, by a key that is not published, by the client's secret, or no token (S61)."""
    from joserfc import jwt
    from joserfc.jwk import OctKey

    provider.claims = dict(KNOWN)
    secret = OctKey.import_key("what the farm proves itself with")
    forgers: dict[str, Callable[[dict[str, Any]], str]] = {
        "none": unsigned,
        "other key": lambda claims: signed(claims, new_key("theirs")),
        "same name": lambda claims: signed(claims, new_key("first")),
        "shared secret": lambda claims: jwt.encode({"alg": "HS256"}, claims, secret),
        "rubbish": lambda claims: "not.a.token",
    }
    provider.sign = forgers[how]
    given = await browser.back(provider.consent(await browser.to_provider()))
    assert given == {"error": "auth_failed"}
    assert await nobody_came()


async def test_a_provider_that_changes_its_key_is_asked_for_it(
    browser: Browser, provider: FakeProvider
) -> None:
    """An unknown key is looked for once a minute, so that nobody makes the farm ask for ever."""
    provider.claims, provider.key = dict(KNOWN), new_key("second")
    assert (await browser.log_in(provider)).status_code == 200
    provider.sign = lambda claims: signed(claims, new_key("third"))
    provider.asked.clear()
    for _ in range(3):
        given = await browser.back(provider.consent(await browser.to_provider()))
        assert given == {"error": "auth_failed"}
    assert provider.asked.count("/keys") == 0


async def test_the_state_belongs_to_the_browser(
    app: Quart, browser: Browser, provider: FakeProvider
) -> None:
    """Another browser, another state, or none: nothing is opened (S62)."""
    provider.claims = dict(KNOWN)
    told = provider.consent(await browser.to_provider())
    other = browser_of(app)
    async with other.http:
        assert await other.back(told) == {"error": "invalid_state"}
        await other.to_provider()
        assert await other.back(told) == {"error": "invalid_state"}
    assert await browser.back({"code": told["code"]}) == {"error": "invalid_state"}
    assert await nobody_came()


async def test_a_login_is_old_after_ten_minutes(
    browser: Browser, provider: FakeProvider, clock: FakeClock
) -> None:
    """Also with the cookie of the browser that began it."""
    told = provider.consent(await browser.to_provider())
    clock.advance(601)
    assert await browser.back(told) == {"error": "invalid_state"}


async def test_a_login_is_taken_once(browser: Browser, provider: FakeProvider) -> None:
    """The same way back a second time, also with a fresh code, opens nothing (S62)."""
    provider.claims = dict(KNOWN)
    url = await browser.to_provider()
    told = provider.consent(url)
    assert "oidc_code" in await browser.back(told)
    assert await browser.back(told) == {"error": "auth_failed"}
    browser.http.cookies.clear()
    assert await browser.back(told) == {"error": "invalid_state"}
    url = await browser.to_provider()
    kept = browser.http.cookies.get("sign_on") or ""
    assert "oidc_code" in await browser.back(provider.consent(url))
    browser.http.cookies.set("sign_on", kept, domain="farm.example", path="/")
    assert await browser.back(provider.consent(url)) == {"error": "invalid_state"}


@pytest.mark.parametrize("iss", ["https://evil.example", ""])
async def test_an_answer_of_another_provider_is_not_taken(
    browser: Browser, provider: FakeProvider, iss: str
) -> None:
    """Mix-up: the code goes nowhere (RFC 9207, S62)."""
    told = provider.consent(await browser.to_provider())
    wrong = {**told, "iss": iss} if iss else {"code": told["code"], "state": told["state"]}
    assert await browser.back(wrong) == {"error": "auth_failed"}
    assert "/token" not in provider.asked


@pytest.mark.parametrize(
    ("error", "code"), [("access_denied", "access_denied"), ("<script>", "provider_error")]
)
async def test_a_no_of_the_provider_is_told(
    browser: Browser, provider: FakeProvider, error: str, code: str
) -> None:
    """In words of ours alone."""
    told = provider.consent(await browser.to_provider())
    answer = {"error": error, "state": told["state"], "error_description": "<b>"}
    assert await browser.back(answer) == {"error": code}


async def test_the_code_opens_a_session_once_in_its_browser(
    app: Quart, browser: Browser, provider: FakeProvider, clock: FakeClock
) -> None:
    """Not elsewhere, not twice, not later: nobody is logged in as somebody else by a link."""
    provider.claims = dict(KNOWN)
    given = await browser.back(provider.consent(await browser.to_provider()))
    body = {"code": given["oidc_code"]}
    other = browser_of(app)
    async with other.http:
        assert (await other.ask("POST", "/auth/oidc/exchange", json=body)).status_code == 401
        await other.to_provider()
        assert (await other.ask("POST", "/auth/oidc/exchange", json=body)).status_code == 401
    foreign = {"Origin": "https://evil.example"}
    crossed = await browser.ask("POST", "/auth/oidc/exchange", json=body, headers=foreign)
    assert crossed.status_code == 403
    kept = browser.http.cookies.get("sign_on") or ""
    assert (await browser.ask("POST", "/auth/oidc/exchange", json=body)).status_code == 200
    browser.http.cookies.set("sign_on", kept, domain="farm.example", path="/")
    assert (await browser.ask("POST", "/auth/oidc/exchange", json=body)).status_code == 401
    given = await browser.back(provider.consent(await browser.to_provider()))
    clock.advance(121)
    late = {"code": given["oidc_code"]}
    assert (await browser.ask("POST", "/auth/oidc/exchange", json=late)).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ada@example.org", "email_verified": False},
        {"email": "ada@example.org"},
        {"email": "ada@example.org", "email_verified": "true"},
        {"email": "ada@elsewhere.example", "email_verified": True},
        {},
    ],
)
async def test_who_is_new_waits_for_an_admin(
    browser: Browser, provider: FakeProvider, claims: dict[str, Any]
) -> None:
    """Without a verified address of an allowed domain: an account that opens nothing yet (S63)."""
    provider.claims = {"sub": "person-2", "name": "Eve Eve", **claims}
    given = await browser.back(provider.consent(await browser.to_provider()))
    assert given == {"error": "awaiting_approval"}
    made = await User.get(username__startswith="Eve")
    assert (made.is_active, made.role) == (False, Role.VIEWER)
    await User.filter(id=made.id).update(is_active=True)
    assert (await browser.log_in(provider)).status_code == 200


async def test_a_mail_address_takes_no_account_over(
    browser: Browser, provider: FakeProvider, clock: FakeClock
) -> None:
    """Verified or not, unless the farm's owner has said so (S63)."""
    await local_person(clock, "ada@example.org")
    provider.claims = {**KNOWN, "preferred_username": "local"}
    assert (await browser.log_in(provider)).status_code == 200
    identity = await Identity.get()
    assert (await User.get(id=identity.user_id)).username == "local2"


async def test_an_owner_may_let_verified_addresses_find_their_account(
    browser: Browser, provider: FakeProvider, clock: FakeClock, admin_headers: dict[str, str]
) -> None:
    """Once, the only account with it, and never a superadmin's (S63)."""
    wish = {"link_verified_email": True, "auto_create_users": False}
    answer = await browser.ask("PUT", "/admin/oidc", json=wish, headers=admin_headers)
    assert answer.status_code == 200, answer.text
    local = await local_person(clock, "ADA@example.org")
    provider.claims = {**KNOWN, "email_verified": False}
    refused = await browser.back(provider.consent(await browser.to_provider()))
    assert refused == {"error": "user_not_found"}
    provider.claims = dict(KNOWN)
    assert (await browser.log_in(provider)).status_code == 200
    assert (await Identity.get()).user_id == local.id
    provider.claims = {**KNOWN, "sub": "person-9"}
    second = await browser.back(provider.consent(await browser.to_provider()))
    assert second == {"error": "user_not_found"}
    provider.claims = {**KNOWN, "sub": "person-8", "email": "admin@example.org"}
    boss = await browser.back(provider.consent(await browser.to_provider()))
    assert boss == {"error": "user_not_found"}


async def test_who_is_disabled_or_erased_stays_out(
    browser: Browser, provider: FakeProvider, accounts: Accounts, admin_headers: dict[str, str]
) -> None:
    """The provider's yes is not the farm's; an erased person leaves no name of theirs."""
    provider.claims = dict(KNOWN)
    await browser.log_in(provider)
    user_id = (await Identity.get()).user_id
    await User.filter(id=user_id).update(is_active=False)
    given = await browser.back(provider.consent(await browser.to_provider()))
    assert given == {"error": "awaiting_approval"}
    admin = await accounts.authenticate(admin_headers["Authorization"].removeprefix("Bearer "))
    await accounts.erase_user(admin, user_id)
    assert await Identity.all().count() == 0


async def test_a_second_factor_is_asked_for_here_too(
    browser: Browser, provider: FakeProvider, clock: FakeClock
) -> None:
    """Who has set one up is asked for it, however they come."""
    provider.claims = dict(KNOWN)
    answer = await browser.log_in(provider)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    made = (await browser.ask("POST", "/auth/mfa/setup", headers=headers)).json()
    one = pyotp.TOTP(made["secret"])
    body = {"code": one.at(clock.now())}
    answer = await browser.ask("POST", "/auth/mfa/confirm", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    browser.http.cookies.clear()
    half = (await browser.log_in(provider)).json()
    assert half["mfa_required"] is True
    clock.advance(30)
    body = {"mfa_token": half["access_token"], "code": one.at(clock.now())}
    assert (await browser.ask("POST", "/auth/mfa/verify", json=body)).status_code == 200


async def test_a_provider_that_is_away_opens_nothing(
    browser: Browser, provider: FakeProvider, clock: FakeClock
) -> None:
    """The browser is told, and the farm's own login works as ever."""
    told = provider.consent(await browser.to_provider())
    provider.is_down = True
    assert await browser.back(told) == {"error": "auth_failed"}
    clock.advance(3601)
    answer = await browser.ask("GET", "/auth/oidc/login")
    assert answer.headers["Location"] == "/?error=provider_unreachable"
    assert await nobody_came()
