"""Single sign-on: out to the provider and back, with nothing believed on the way (safety S62, S63).

What a login must be answered with (state, nonce, PKCE verifier) is kept by the browser that began
it, sealed, so that another browser cannot end it and nothing is written before somebody is known.
The provider's answer becomes a code that opens a session once, in that browser.
"""

import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any, Protocol

import orjson

from api.accounts.elsewhere import Arrival, NotHere, Welcome
from api.accounts.keys import SessionTokens
from api.accounts.service import Accounts, CameWith, Login
from api.clock import Clock
from api.config import Settings
from api.errors import Conflict, Invalid, NotAuthenticated
from api.events.service import Change, Ledger
from api.principal import Principal, Role
from api.sign_on.config import OIDC, Config, check, config_of
from api.sign_on.tokens import (
    Expected,
    Provider,
    Unbelievable,
    UnknownKey,
    claims_of,
    provider_of,
    somebody,
)
from api.sign_on.web import Web, authorization_url

FLOW_LIFE = timedelta(minutes=10)
CALLBACK = "/api/v1/auth/oidc/callback"
KEPT_S = 3600.0  # a provider's document and keys
_AGAIN_S = 60.0  # before keys are asked for again because one was unknown

_log = logging.getLogger("gantry.sign_on")


class Rules(Protocol):
    """What is kept for the whole farm."""

    async def kept(self, name: str) -> Mapping[str, Any]:
        """A rule by its name."""

    async def keep(self, change: Change, name: str, value: Mapping[str, Any]) -> None:
        """Another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outset:
    """Where the browser goes, and what it keeps until it is back."""

    url: str
    flow: str


class Refused(Exception):
    """The login came to nothing. *code* is told to the browser, the text to the log."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(slots=True)
class _Known:
    provider: Provider
    keys: Mapping[str, Any]
    until_s: float
    keys_at_s: float


class SignOn:
    """The farm as a client of its provider."""

    def __init__(
        self,
        accounts: Accounts,
        rules: Rules,
        web: Web,
        *,
        settings: Settings,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._rules = rules
        self._web = web
        self._public_url = settings.public_url.rstrip("/")
        self._insecure = settings.allow_http or not settings.production
        self._tokens = SessionTokens(settings.data_dir.absolute(), settings.secret_key)
        self._ledger = ledger
        self._clock = clock
        self._known: dict[str, _Known] = {}

    @property
    def redirect_uri(self) -> str:
        """What is to be registered at the provider; "" without a public URL."""
        return self._public_url and f"{self._public_url}{CALLBACK}"

    # What is set.

    async def offer(self) -> Config | None:
        """What a login page offers; None for nothing."""
        config = config_of(await self._rules.kept(OIDC))
        return config if config.is_enabled and self._public_url else None

    async def config(self, by: Principal) -> Config:
        """What is set."""
        by.require("farm.admin")
        return config_of(await self._rules.kept(OIDC))

    async def configure(
        self, by: Principal, given: Mapping[str, Any], secret: str | None
    ) -> Config:
        """Set what is *given*; the rest stays. *secret* None: stays, "": there is none any more.

        To enable it, the provider must answer. Raises `Invalid`, `Forbidden` (reauth_required).
        """
        by.require("farm.admin")
        await self._accounts.require_fresh(by)
        config = replace(config_of(await self._rules.kept(OIDC)), **given)
        if secret is not None:
            config = replace(config, sealed=self._tokens.seal(secret) if secret else "")
        check(config, self._public_url, insecure=self._insecure)
        if config.is_enabled:
            try:
                await self._provider(config, fresh=True)
            except Unbelievable as error:
                raise Invalid(f"The provider does not answer as it should: {error}.") from None
        async with self._ledger.change() as change:
            kept = asdict(config)
            await self._rules.keep(
                change, OIDC, {**kept, "allowed_domains": [*kept["allowed_domains"]]}
            )
            told = sorted(given) + (["client_secret"] if secret is not None else [])
            change.note(by, "config.oidc_updated", ("config", OIDC), fields=told)
        return config

    # A login.

    async def begin(self) -> Outset:
        """Send a browser to the provider. Raises `Invalid` when there is none, `Refused`."""
        config = await self._offered()
        flow = {
            name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier", "browser")
        }
        try:
            provider = (await self._provider(config)).provider
        except (Unbelievable, Invalid) as error:
            raise Refused("provider_unreachable", str(error)) from None
        asked = {
            "redirect_uri": self.redirect_uri,
            "scope": config.scopes,
            "state": flow["state"],
            "nonce": flow["nonce"],
        }
        url = authorization_url(provider, config.client_id, asked, flow["verifier"])
        flow["until"] = (self._clock.now() + FLOW_LIFE).isoformat()
        return Outset(url=url, flow=self._tokens.seal(orjson.dumps(flow).decode()))

    async def back(self, sealed: str, told: Mapping[str, str]) -> str:
        """What the browser brought: *sealed* is what `begin` gave it, *told* the query.

        A code for `enter`. Raises `Refused`, `Invalid` when there is no provider.
        """
        config = await self._offered()
        flow = self._flow(sealed)
        if flow is None or not hmac.compare_digest(
            flow["state"].encode(), told.get("state", "").encode("utf-8", "replace")
        ):
            raise Refused("invalid_state", "the state is not that of this browser's login")
        if told.get("error"):
            code = "access_denied" if told["error"] == "access_denied" else "provider_error"
            raise Refused(code, f"the provider says {told['error'][:50]!r}")
        try:
            arrival = await self._arrival(config, flow, told)
        except (Unbelievable, Invalid) as error:
            raise Refused("auth_failed", str(error)) from None
        welcome = Welcome(
            add=config.auto_create_users,
            link=config.link_verified_email,
            trusted=config.trusts(arrival.email),
            role=Role(config.default_role),
        )
        try:
            return await self._accounts.receive(arrival, welcome, flow["state"], flow["browser"])
        except NotHere as error:
            raise Refused(error.code, f"{arrival.subject[:64]!r} may not come in") from None
        except Conflict as error:
            raise Refused("invalid_state", error.detail) from None

    async def enter(
        self, sealed: str, code: str, remote: str, agent: str, came_with: CameWith
    ) -> Login:
        """The session for a code of `back`, in the same browser. Raises `NotAuthenticated`,
        `SecondFactorAsked`.
        """
        flow = self._flow(sealed)
        if flow is None:
            raise NotAuthenticated("Not authenticated")
        return await self._accounts.enter_from_elsewhere(
            code, flow["browser"], remote, agent, came_with
        )

    async def _offered(self) -> Config:
        config = await self.offer()
        if config is None:
            raise Invalid("Single sign-on is not set up here: log in with a name and a password.")
        return config

    def _flow(self, sealed: str) -> dict[str, str] | None:
        """What `begin` sealed, while it holds; None for anything else."""
        plain = self._tokens.unseal(sealed) if 0 < len(sealed) < 4096 else None
        if plain is None:
            return None
        try:
            flow = orjson.loads(plain)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(flow, dict) or flow.get("until", "") < self._clock.now().isoformat():
            return None
        return flow

    async def _arrival(
        self, config: Config, flow: Mapping[str, str], told: Mapping[str, str]
    ) -> Arrival:
        """Who came. Raises `Unbelievable`, `Invalid`."""
        known = await self._provider(config)
        provider = known.provider
        issuer = told.get("iss")
        if issuer != provider.issuer and (issuer is not None or provider.names_itself):
            raise Unbelievable("the answer is of another issuer")
        if not told.get("code"):
            raise Unbelievable("there is no code")
        secret = self._tokens.unseal(config.sealed) if config.sealed else ""
        if secret is None:
            raise Unbelievable("the client's secret was sealed with another key: set it again")
        asked = {
            "code": told["code"],
            "redirect_uri": self.redirect_uri,
            "code_verifier": flow["verifier"],
        }
        given = await self._web.tokens(provider, config.client_id, secret, asked)
        algorithm, claims = await self._claims(known, str(given["id_token"]))
        expected = Expected(
            issuer=provider.issuer,
            client_id=config.client_id,
            nonce=flow["nonce"],
            access_token=str(given.get("access_token", "")),
        )
        found = somebody(algorithm, claims, expected, self._clock.now())
        return Arrival(
            issuer=found.issuer, subject=found.subject, email=found.email, name=found.name
        )

    async def _claims(self, known: _Known, id_token: str) -> tuple[str, dict[str, Any]]:
        try:
            return claims_of(id_token, known.keys)
        except UnknownKey:
            now_s = self._clock.monotonic()
            if now_s - known.keys_at_s < _AGAIN_S:
                raise
            known.keys = await self._web.document(known.provider.jwks_uri)
            known.keys_at_s = now_s
            return claims_of(id_token, known.keys)

    async def _provider(self, config: Config, *, fresh: bool = False) -> _Known:
        """The provider and its keys, asked for once an hour. Raises `Unbelievable`, `Invalid`."""
        now_s = self._clock.monotonic()
        known = self._known.get(config.where)
        if known is not None and not fresh and now_s < known.until_s:
            return known
        document = await self._web.document(config.where)
        insecure = self._insecure and config.where.startswith("http://")
        provider = provider_of(document, config.where, insecure=insecure)
        keys = await self._web.document(provider.jwks_uri)
        known = _Known(provider, keys, now_s + KEPT_S, now_s - _AGAIN_S)
        self._known = {config.where: known}
        return known


def told_of(refused: Refused) -> str:
    """What the browser is told; the rest goes to the log."""
    _log.warning("a single sign-on came to nothing (%s): %s", refused.code, refused)
    return refused.code
