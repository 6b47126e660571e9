"""Fixtures of single sign-on: a provider, the farm as its client, and a browser between them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from quart import Quart

from api.accounts.factor_routes import SecondFactorRoutes
from api.accounts.routes import AccountRoutes
from api.accounts.service import Accounts
from api.bus.local import LocalBus
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.policies.service import Policies
from api.proxies import networks
from api.sign_on.routes import SignOnRoutes
from api.sign_on.service import SignOn
from api.sign_on.web import Web
from api.v1 import V1
from api.webhooks.outside import Outside
from tests.api.accounts.conftest import ADMIN, SETUP_TOKEN, cheap_passwords
from tests.fakes.provider import CLIENT_ID, CLIENT_SECRET, ISSUER, FakeProvider

PUBLIC = "https://farm.example"
WELL_KNOWN = f"{ISSUER}/.well-known/openid-configuration"
SET = {
    "is_enabled": True,
    "client_id": CLIENT_ID,
    "client_secret": CLIENT_SECRET,
    "discovery_url": WELL_KNOWN,
    "display_name": "Example ID",
    "auto_create_users": True,
    "allowed_domains": ["example.org"],
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, setup_token=SETUP_TOKEN, public_url=PUBLIC, production=True)


@pytest.fixture
def provider(clock: Clock) -> FakeProvider:
    return FakeProvider(now=clock.now)


@pytest.fixture
def accounts(ledger: Ledger, clock: Clock, settings: Settings) -> Accounts:
    return Accounts(ledger, clock, settings, cheap_passwords())


@pytest.fixture
def sign_on(
    accounts: Accounts,
    ledger: Ledger,
    clock: Clock,
    settings: Settings,
    bus: LocalBus,
    provider: FakeProvider,
) -> SignOn:
    web = Web(Outside(networks("")), httpx.ASGITransport(app=provider))
    rules = Policies(ledger, clock, bus)
    return SignOn(accounts, rules, web, settings=settings, ledger=ledger, clock=clock)


@dataclass
class Browser:
    """Somebody's browser at the farm, with its cookies."""

    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        return await self.http.request(method, f"/api/v1{path}", **given)

    async def to_provider(self) -> str:
        """Where the farm sends it."""
        answer = await self.ask("GET", "/auth/oidc/login")
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    async def back(self, told: dict[str, str]) -> dict[str, str]:
        """What the farm's page is given when the provider has sent the browser back."""
        answer = await self.ask("GET", f"/auth/oidc/callback?{urlencode(told)}")
        assert answer.status_code == 302, answer.text
        where = urlsplit(answer.headers["Location"])
        assert (where.netloc, where.path) == ("", "/")
        return dict(parse_qsl(where.query))

    async def log_in(self, provider: FakeProvider) -> httpx.Response:
        """The whole way; the answer of the exchange."""
        given = await self.back(provider.consent(await self.to_provider()))
        assert "oidc_code" in given, given
        return await self.ask("POST", "/auth/oidc/exchange", json={"code": given["oidc_code"]})


@pytest.fixture
def app(accounts: Accounts, sign_on: SignOn, settings: Settings) -> Quart:
    quart = Quart("test", static_folder=None)
    v1 = V1(quart, accounts, settings.public_url)
    AccountRoutes(accounts, settings).register(v1)
    SecondFactorRoutes(accounts, settings).register(v1)
    SignOnRoutes(sign_on, accounts, settings).register(v1)
    return quart


def browser_of(app: Quart) -> Browser:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    return Browser(httpx.AsyncClient(transport=transport, base_url=PUBLIC))


@pytest.fixture
async def browser(app: Quart, database: None) -> AsyncIterator[Browser]:
    made = browser_of(app)
    async with made.http:
        yield made


@pytest.fixture
async def admin_headers(browser: Browser) -> dict[str, str]:
    """Headers of the first admin, in whose farm single sign-on is set up."""
    answer = await browser.ask("POST", "/setup/admin", json=ADMIN)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    browser.http.cookies.clear()
    answer = await browser.ask("PUT", "/admin/oidc", json=SET, headers=headers)
    assert answer.json() == {"success": True}, answer.text
    return headers
