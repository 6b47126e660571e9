"""The v1 routes of the second factor (v1 1.2, 2.1, 2.2)."""

from quart import Response, request

from api.accounts.answers import (
    FactorAnswer,
    FactorConfirmedAnswer,
    NewFactorAnswer,
    StatusAnswer,
    TokenPairAnswer,
)
from api.accounts.bodies import CodeBody, CodeOfLoginBody
from api.accounts.entrance import Entrance, secret_answer
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
    right="self.write",
    problems=("conflict", *_FRESH),
)
_CONFIRM = Doc(
    summary="From now on a login takes a code too; all other sessions end",
    answer=FactorConfirmedAnswer,
    body=CodeBody,
    right="self.write",
    problems=("bad_request", "conflict", *_TRIED, *_FRESH),
)
_REMOVE = Doc(
    summary="Take the caller's second factor away, for one last code",
    answer=StatusAnswer,
    body=CodeBody,
    right="self.write",
    problems=("not_found", *_TRIED, *_FRESH),
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


class SecondFactorRoutes:
    """`/auth/mfa`, `/admin/users/{id}/mfa`."""

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

    async def status(self) -> Response:
        """Whether the caller is asked for a code."""
        state = await self._accounts.second_factor(caller())
        left = state.recovery_codes_left
        return json_answer({"mfa_enabled": state.is_enabled, "recovery_codes_left": left})

    async def set_up(self) -> Response:
        """A secret; the only answer that holds it."""
        made = await self._accounts.set_up_second_factor(caller())
        uri = made.provisioning_uri
        return secret_answer({"secret": made.secret, "provisioning_uri": uri, "qr_code": None})

    async def confirm(self) -> Response:
        """The app works; the only answer that holds the recovery codes."""
        body = await json_body(CodeBody)
        codes = await self._accounts.confirm_second_factor(caller(), body.code, remote_address())
        return secret_answer({"status": "ok", "mfa_enabled": True, "recovery_codes": codes})

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
