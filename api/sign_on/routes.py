"""The v1 routes of single sign-on (v1 2.1 `/auth/oidc`, 2.2 `/admin/oidc`)."""

from typing import Annotated
from urllib.parse import urlencode

from pydantic import Field
from quart import Response, request

from api.accounts.answers import LoginAnswer
from api.accounts.entrance import Entrance, secret_answer
from api.accounts.service import Accounts, SecondFactorAsked
from api.config import Settings
from api.describe import Doc, Query
from api.http import json_answer, json_body, remote_address
from api.sign_on.answers import OfferAnswer, OidcAnswer, OidcSetAnswer
from api.sign_on.bodies import ExchangeBody, OidcBody
from api.sign_on.config import Config
from api.sign_on.service import FLOW_LIFE, Refused, SignOn, told_of
from api.v1 import V1, caller

#: What a browser keeps of a login until it is over.
COOKIE = "sign_on"
#: Providers hand over codes and states of their own making, some of them signed texts.
_SAID = Annotated[str, Field(max_length=4096)]
_ANSWERED = ("code", "state", "iss", "error", "error_description")

_OFFER = Doc(summary="Whether a login page offers single sign-on", answer=OfferAnswer)
_LOGIN = Doc(
    summary="Send the browser to the provider",
    description="By authorization code with PKCE, state and nonce.",
    status=302,
    problems=("bad_request",),
)
_BACK = Doc(
    summary="The provider sends the browser back",
    description="On to `/?oidc_code=…`, for `POST /auth/oidc/exchange`, or to `/?error=…`.",
    status=302,
    query=tuple(
        Query(name=name, type=_SAID, description="As the provider answers") for name in _ANSWERED
    ),
    problems=("bad_request",),
)
_EXCHANGE = Doc(
    summary="The session of who came back from the provider; sets the cookie `session` too",
    description="Once, within two minutes, in the same browser.",
    answer=LoginAnswer,
    body=ExchangeBody,
    problems=("not_authenticated", "csrf_failed"),
)
_GET = Doc(summary="How the farm knows its provider", answer=OidcAnswer, right="farm.admin")
_PUT = Doc(
    summary="Set how the farm knows its provider",
    description="Needs GANTRY_PUBLIC_URL. To enable it the provider is asked, and must answer. "
    "Accounts are known by issuer and subject; a new one waits for an admin unless its verified "
    "address is of `allowed_domains`.",
    answer=OidcSetAnswer,
    body=OidcBody,
    right="farm.admin",
    problems=("bad_request", "reauth_required"),
)


class SignOnRoutes:
    """`/auth/oidc/…`, `/admin/oidc`."""

    def __init__(self, sign_on: SignOn, accounts: Accounts, settings: Settings) -> None:
        self._sign_on = sign_on
        self._entrance = Entrance(accounts, settings)

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/auth/oidc/config", self.offer, _OFFER, public=True)
        v1.add("GET", "/auth/oidc/login", self.login, _LOGIN, public=True)
        v1.add("GET", "/auth/oidc/callback", self.back, _BACK, public=True)
        v1.add("POST", "/auth/oidc/exchange", self.exchange, _EXCHANGE, public=True)
        v1.add("GET", "/admin/oidc", self.config, _GET)
        v1.add("PUT", "/admin/oidc", self.configure, _PUT)

    async def offer(self) -> Response:
        """Whether there is a button, and what it says."""
        config = await self._sign_on.offer()
        name = None if config is None else config.display_name
        return json_answer({"enabled": config is not None, "display_name": name})

    async def login(self) -> Response:
        """Off to the provider."""
        try:
            outset = await self._sign_on.begin()
        except Refused as refused:
            return _away(f"/?{urlencode({'error': told_of(refused)})}")
        answer = _away(outset.url)
        answer.set_cookie(
            COOKIE,
            outset.flow,
            max_age=int(FLOW_LIFE.total_seconds()),
            path="/",
            secure=self._entrance.is_secure(),
            httponly=True,
            samesite="Lax",  # the provider's page sends the browser back here
        )
        return answer

    async def back(self) -> Response:
        """Back from the provider."""
        told = {name: request.args[name] for name in _ANSWERED if name in request.args}
        try:
            code = await self._sign_on.back(_flow(), told)
        except Refused as refused:
            return self._over(_away(f"/?{urlencode({'error': told_of(refused)})}"))
        return _away(f"/?{urlencode({'oidc_code': code})}")

    async def exchange(self) -> Response:
        """A session; not from another site."""
        self._entrance.check()
        body = await json_body(ExchangeBody)
        agent, came_with = request.headers.get("User-Agent", ""), self._entrance.came_with()
        try:
            login = await self._sign_on.enter(
                _flow(), body.code, remote_address(), agent, came_with
            )
        except SecondFactorAsked as asked:
            half = {"access_token": asked.ticket, "token_type": "bearer", "mfa_required": True}
            return self._over(secret_answer(half))
        return self._over(self._entrance.logged_in(login))

    async def config(self) -> Response:
        """What is set."""
        return json_answer(self._shown(await self._sign_on.config(caller())))

    async def configure(self) -> Response:
        """Another provider, or another way."""
        body = await json_body(OidcBody)
        given = body.model_dump(exclude_none=True, exclude={"client_secret"})
        await self._sign_on.configure(caller(), given, body.client_secret)
        return json_answer({"success": True})

    def _over(self, answer: Response) -> Response:
        """*answer*, with which the browser forgets the login."""
        secure = self._entrance.is_secure()
        answer.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="Lax")
        return answer

    def _shown(self, config: Config) -> dict[str, object]:
        return {
            "configured": bool(config.client_id),
            "is_enabled": config.is_enabled,
            "display_name": config.display_name,
            "client_id": config.client_id,
            "has_client_secret": bool(config.sealed),
            "tenant_id": config.tenant_id,
            "discovery_url": config.discovery_url,
            "scopes": config.scopes,
            "auto_create_users": config.auto_create_users,
            "default_role": config.default_role,
            "link_verified_email": config.link_verified_email,
            "allowed_domains": list(config.allowed_domains),
            "redirect_uri": self._sign_on.redirect_uri,
        }


def _flow() -> str:
    """What the browser kept; "" for nothing, or for two."""
    kept = request.cookies.getlist(COOKIE)
    return kept[0] if len(kept) == 1 else ""


def _away(where: str) -> Response:
    headers = {"Location": where, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(b"", 302, headers)
