"""The v1 routes of the second factor (v1 1.2, 2.1, 2.2)."""

from quart import Response, request

from api.accounts.answers import (
    FactorAnswer,
    FactorConfirmedAnswer,
    FactorRuleAnswer,
    NewFactorAnswer,
    StatusAnswer,
    TokenPairAnswer,
)
from api.accounts.bodies import CodeBody, CodeOfLoginBody, FactorRuleBody
from api.accounts.entrance import Entrance, secret_answer, token_pair
from api.accounts.pictures import picture
from api.accounts.service import Accounts
from api.config import Settings
from api.describe import Doc
from api.http import json_answer, json_body, remote_address
from api.v1 import V1, caller

_FRESH = ("reauth_required", "permission_denied")
_TRIED = ("wrong_code", "rate_limited", "locked_out")
_STATUS = Doc(
    summary="Whether the caller has a second factor", answer=FactorAnswer, right="self.read"
)
_SETUP = Doc(
    summary="A secret for an authenticator app",
    description="Nobody is asked for it before it is confirmed. Takes a session, lately opened.",
    answer=NewFactorAnswer,
    right="factor.enrol",
    problems=("conflict", *_FRESH),
)
_CONFIRM = Doc(
    summary="From now on a login takes a code too; all other sessions end",
    description="Whoever came with the `access_token` of a login that asked to set one up gets "
    "the session's with it.",
    answer=FactorConfirmedAnswer,
    body=CodeBody,
    right="factor.enrol",
    problems=("bad_request", "conflict", *_TRIED, *_FRESH),
)
_REMOVE = Doc(
    summary="Take the caller's second factor away, for one last code",
    answer=StatusAnswer,
    body=CodeBody,
    right="self.write",
    problems=("not_found", "conflict", *_TRIED, *_FRESH),
)
_VERIFY = Doc(
    summary="The second half of a login",
    description="A code of the authenticator app, or a recovery code, which is used up.",
    answer=TokenPairAnswer,
    body=CodeOfLoginBody,
    problems=("not_authenticated", "rate_limited", "locked_out", "csrf_failed"),
)
_REMOVE_OF = Doc(
    summary="Take away the second factor of somebody who lost it; their sessions end",
    answer=StatusAnswer,
    right="users.admin",
    problems=("not_found", "user_not_found", *_FRESH),
)
_RULE = Doc(
    summary="Whether everybody here logs in with a second factor",
    answer=FactorRuleAnswer,
    right="users.admin",
)
_SET_RULE = Doc(
    summary="Require a second factor of everybody here, or of nobody",
    description="Who has none sets one up at the next login; their sessions end. API keys stay.",
    answer=FactorRuleAnswer,
    body=FactorRuleBody,
    right="users.admin",
    problems=_FRESH,
)


class SecondFactorRoutes:
    """`/auth/mfa`, `/admin/users/{id}/mfa`, `/config/require-mfa`."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts = accounts
        self._entrance = Entrance(accounts, settings)

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/auth/mfa/status", self.status, _STATUS)
        v1.add("POST", "/auth/mfa/setup", self.set_up, _SETUP)
        v1.add("POST", "/auth/mfa/confirm", self.confirm, _CONFIRM)
        v1.add("POST", "/auth/mfa/verify", self.verify, _VERIFY, public=True)
        v1.add("DELETE", "/auth/mfa", self.remove, _REMOVE)
        v1.add("DELETE", "/admin/users/<int:user_id>/mfa", self.remove_of, _REMOVE_OF)
        v1.add("GET", "/config/require-mfa", self.rule, _RULE)
        v1.add("PUT", "/config/require-mfa", self.set_rule, _SET_RULE)

    async def status(self) -> Response:
        """Whether the caller is asked for a code."""
        state = await self._accounts.second_factor(caller())
        left = state.recovery_codes_left
        return json_answer({"mfa_enabled": state.is_enabled, "recovery_codes_left": left})

    async def set_up(self) -> Response:
        """A secret; the only answer that holds it."""
        made = await self._accounts.set_up_second_factor(caller())
        uri = made.provisioning_uri
        return secret_answer(
            {"secret": made.secret, "provisioning_uri": uri, "qr_code": picture(uri)}
        )

    async def confirm(self) -> Response:
        """The app works; the only answer that holds the recovery codes."""
        body = await json_body(CodeBody)
        agent, came_with = request.headers.get("User-Agent", ""), self._entrance.came_with()
        made = await self._accounts.confirm_second_factor(
            caller(), body.code, remote_address(), agent, came_with
        )
        token = {} if made.login is None else token_pair(made.login)
        told = {"status": "ok", "mfa_enabled": True, "recovery_codes": made.recovery_codes}
        answer = secret_answer({**told, **token})
        return answer if made.login is None else self._entrance.give_cookies(answer, made.login)

    async def verify(self) -> Response:
        """A session for the second half of a login; not from another site."""
        self._entrance.check()
        body = await json_body(CodeOfLoginBody)
        agent = request.headers.get("User-Agent", "")
        login = await self._accounts.finish_login(
            body.mfa_token, body.code, remote_address(), agent, self._entrance.came_with()
        )
        return self._entrance.logged_in(login)

    async def remove(self) -> Response:
        """The caller's own ends."""
        body = await json_body(CodeBody)
        await self._accounts.remove_second_factor(caller(), body.code, remote_address())
        return json_answer({"status": "ok"})

    async def remove_of(self, user_id: int) -> Response:
        """Somebody else's ends."""
        await self._accounts.remove_second_factor_of(caller(), user_id, remote_address())
        return json_answer({"status": "ok"})

    async def rule(self) -> Response:
        """Whether one is required."""
        required = await self._accounts.second_factor_required(caller())
        return json_answer({"require_mfa": required})

    async def set_rule(self) -> Response:
        """Require one, or not."""
        required = (await json_body(FactorRuleBody)).wanted()
        await self._accounts.require_second_factor(caller(), required=required)
        return json_answer({"require_mfa": required})
