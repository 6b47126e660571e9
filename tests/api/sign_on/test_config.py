"""How the provider is set: by a superadmin, never a secret told, nothing enabled that cannot work.

Rows GET /auth/oidc/config, GET and PUT /admin/oidc of v1 2.1 and 2.2; safety S39, S50.
"""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.models import AuditEntry
from api.policies.models import FarmSetting
from api.principal import Denied, Principal
from api.proxies import networks
from api.sign_on.service import SignOn
from api.sign_on.web import Web
from api.webhooks.outside import Outside
from tests.api.conftest import FakeClock
from tests.api.sign_on.conftest import SET, WELL_KNOWN, Browser
from tests.fakes.provider import CLIENT_SECRET, FakeProvider


async def test_a_login_page_hears_what_there_is(
    browser: Browser, admin_headers: dict[str, str]
) -> None:
    """On with its name; off, nothing leads anywhere."""
    told = (await browser.ask("GET", "/auth/oidc/config")).json()
    assert told == {"enabled": True, "display_name": "Example ID"}
    off = {"is_enabled": False}
    await browser.ask("PUT", "/admin/oidc", json=off, headers=admin_headers)
    told = (await browser.ask("GET", "/auth/oidc/config")).json()
    assert told == {"enabled": False, "display_name": None}
    for path in ("/auth/oidc/login", "/auth/oidc/callback?code=x&state=y"):
        assert (await browser.ask("GET", path)).status_code == 400


async def test_the_secret_is_never_told(browser: Browser, admin_headers: dict[str, str]) -> None:
    """Not in the answer, not in its row, not in the trail; "" takes it away."""
    told = (await browser.ask("GET", "/admin/oidc", headers=admin_headers)).json()
    assert told["has_client_secret"] is True
    assert told["redirect_uri"] == "https://farm.example/api/v1/auth/oidc/callback"
    row = await FarmSetting.get(name="oidc")
    entries = await AuditEntry.filter(action="config.oidc_updated")
    for kept in (told, row.value, [entry.details for entry in entries]):
        assert CLIENT_SECRET not in str(kept)
    kept = {"display_name": "Other"}
    await browser.ask("PUT", "/admin/oidc", json=kept, headers=admin_headers)
    told = (await browser.ask("GET", "/admin/oidc", headers=admin_headers)).json()
    assert (told["display_name"], told["has_client_secret"]) == ("Other", True)
    gone = {"client_secret": ""}
    await browser.ask("PUT", "/admin/oidc", json=gone, headers=admin_headers)
    told = (await browser.ask("GET", "/admin/oidc", headers=admin_headers)).json()
    assert told["has_client_secret"] is False


@pytest.mark.parametrize(
    ("wish", "status", "said"),
    [
        ({"discovery_url": "http://id.example/.well-known/openid-configuration"}, 400, "https"),
        ({"discovery_url": "https://id.example/"}, 400, "ends with"),
        ({"discovery_url": "https://me:pw@id.example/.well-known/openid-configuration"}, 400, ""),
        ({"discovery_url": "https://id.example/x/.well-known/openid-configuration"}, 400, ""),
        ({"discovery_url": "", "tenant_id": ""}, 400, "discovery_url is missing"),
        ({"client_id": ""}, 400, "client_id is missing"),
        ({"scopes": "profile"}, 400, "openid"),
        ({"default_role": "superadmin"}, 422, "default_role"),
        ({"tenant_id": "../../evil"}, 422, "tenant_id"),
        ({"allowed_domains": ["*(evil)"]}, 422, "allowed_domains"),
        ({"client_secret": "x" * 1001}, 422, "client_secret"),
    ],
)
async def test_what_cannot_work_is_refused(
    browser: Browser, admin_headers: dict[str, str], wish: dict[str, Any], status: int, said: str
) -> None:
    """The field is named, and what was set holds on."""
    answer = await browser.ask("PUT", "/admin/oidc", json=wish, headers=admin_headers)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text
    told = (await browser.ask("GET", "/admin/oidc", headers=admin_headers)).json()
    assert (told["is_enabled"], told["discovery_url"]) == (True, WELL_KNOWN)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://id.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": "javascript:alert(1)"},
    ],
)
async def test_a_provider_that_says_odd_things_is_not_enabled(
    browser: Browser,
    provider: FakeProvider,
    admin_headers: dict[str, str],
    document: dict[str, Any],
) -> None:
    """Its document must be its own, and lead to encrypted addresses."""
    provider.document = document
    answer = await browser.ask("PUT", "/admin/oidc", json=SET, headers=admin_headers)
    assert answer.status_code == 400, answer.text


async def test_a_provider_that_does_not_answer_is_not_enabled(
    browser: Browser, provider: FakeProvider, admin_headers: dict[str, str]
) -> None:
    """Better now than at everybody's next login."""
    provider.is_down = True
    answer = await browser.ask("PUT", "/admin/oidc", json=SET, headers=admin_headers)
    assert answer.status_code == 400
    assert "503" in answer.json()["detail"]


async def test_a_session_that_is_not_fresh_sets_nothing(
    browser: Browser, admin_headers: dict[str, str], clock: FakeClock
) -> None:
    """Whoever finds an open browser does not let their own provider in."""
    clock.advance(601)
    answer = await browser.ask("PUT", "/admin/oidc", json=SET, headers=admin_headers)
    assert answer.json()["error"]["code"] == "reauth_required"


async def test_the_provider_is_a_superadmins(sign_on: SignOn, admin: Principal) -> None:
    """Nobody else reads or sets it."""
    other = replace(admin, is_superadmin=False)
    for asked in (sign_on.config(other), sign_on.configure(other, {}, None)):
        with pytest.raises(Denied):
            await asked


async def test_without_a_public_address_there_is_no_way_back(
    accounts: Accounts,
    sign_on: SignOn,
    settings: Settings,
    clock: Clock,
    admin: Principal,
    provider: FakeProvider,
) -> None:
    """The setting is named; links are never made from what a request says (S06)."""
    homeless = SignOn(
        *(accounts, sign_on._rules, Web(Outside(networks("")), httpx.ASGITransport(provider))),
        settings=replace(settings, public_url=""),
        ledger=sign_on._ledger,
        clock=clock,
    )
    given = {name: value for name, value in SET.items() if name != "client_secret"}
    with pytest.raises(Exception, match="GANTRY_PUBLIC_URL"):
        await homeless.configure(admin, given, CLIENT_SECRET)
    assert await homeless.offer() is None


async def test_private_addresses_are_not_asked() -> None:
    """A name that leads inside is looked at before anything connects (S50)."""
    looked: list[str] = []

    async def resolver(name: str, port: int) -> list[str]:
        looked.append(name)
        return ["169.254.169.254"]

    web = Web(Outside(networks(""), resolver))
    with pytest.raises(Exception, match="private address"):
        await web.document(WELL_KNOWN)
    assert looked == ["id.example"]
