"""The v1 routes of set-up, login, sessions and tokens (v1 1.2, 1.3, 2.1)."""

from urllib.parse import parse_qs

import orjson
from quart import Response, request

from api.accounts.answers import (
    CapabilitiesAnswer,
    LoginAnswer,
    LogoutAnswer,
    MeAnswer,
    NewTokenAnswer,
    RevokedAnswer,
    SessionAnswer,
    SetupCompleteAnswer,
    SetupStatusAnswer,
    StatusAnswer,
    TicketAnswer,
    TokenAnswer,
    TokenPairAnswer,
)
from api.accounts.bodies import (
    LoginBody,
    PasswordBody,
    PasswordChangeBody,
    SetupBody,
    TokenBody,
)
from api.accounts.entrance import Entrance, secret_answer
from api.accounts.service import WS_TICKET_LIFE, Accounts, SecondFactorAsked, SecondFactorWanted
from api.accounts.views import session_view, token_view
from api.config import Settings
from api.describe import Doc
from api.http import (
    MAX_BODY_BYTES,
    MAX_TEXT,
    Unprocessable,
    json_answer,
    json_body,
    page_of,
    parse_body,
    remote_address,
)
from api.uploads import multipart
from api.v1 import V1, caller

_FORM_TYPE = "application/x-www-form-urlencoded"
_MULTIPART_TYPE = "multipart/form-data"
_LOGIN_FORM = {
    "type": "object",
    "required": ["username", "password"],
    "properties": {
        name: {"type": "string", "maxLength": MAX_TEXT} for name in ("username", "password")
    },
}
_MAX_FORM_FIELDS = 20
_FRESH = ("reauth_required",)
_GUESSED = ("wrong_password", "rate_limited", "locked_out")

_SETUP = Doc(
    summary="Make the first admin; works once",
    description="Asks for the set-up token: `setup.token` in the data directory, or the setting.",
    answer=TokenPairAnswer,
    body=SetupBody,
    problems=("bad_request", "setup_complete", "setup_token_required", "csrf_failed"),
)
_COMPLETE = Doc(
    summary="Declare the set-up complete; works once",
    answer=SetupCompleteAnswer,
    right="users.admin",
    problems=("setup_complete",),
)
_LOGIN = Doc(
    summary="Log in; sets the cookie `session` too",
    answer=LoginAnswer,
    body=LoginBody,
    form={_FORM_TYPE: _LOGIN_FORM, _MULTIPART_TYPE: _LOGIN_FORM},
    problems=("bad_request", "not_authenticated", "rate_limited", "locked_out", "csrf_failed"),
)
_CONFIRM = Doc(
    summary="Type the password again: for ten minutes the session may do what asks for that",
    answer=StatusAnswer,
    body=PasswordBody,
    right="self.write",
    problems=("bad_request", *_GUESSED),
)
_PASSWORD = Doc(
    summary="Change the own password; all other sessions end",
    answer=StatusAnswer,
    body=PasswordChangeBody,
    right="self.write",
    problems=("bad_request", *_GUESSED),
)
_TICKET = Doc(summary="A ticket that opens one websocket", answer=TicketAnswer, right="self.read")
_TOKENS = Doc(
    summary="The caller's API tokens", answer=list[TokenAnswer], right="self.read", paged=True
)
_NEW_TOKEN = Doc(
    summary="Make an API token; it never may more than its maker",
    answer=NewTokenAnswer,
    body=TokenBody,
    right="self.write",
    problems=("bad_request", "conflict", *_FRESH),
)
_SESSIONS = Doc(
    summary="The caller's open sessions", answer=list[SessionAnswer], right="self.read", paged=True
)


class AccountRoutes:
    """Set-up, login, sessions, tokens, users."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts = accounts
        self._settings = settings
        self._entrance = Entrance(accounts, settings)

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        doc = Doc(summary="How far the first hour has come", answer=SetupStatusAnswer)
        v1.add("GET", "/setup/status", self.setup_status, doc, public=True)
        v1.add("POST", "/setup/admin", self.setup_admin, _SETUP, public=True)
        v1.add("POST", "/setup/complete", self.setup_complete, _COMPLETE)
        v1.add("POST", "/auth/login", self.login, _LOGIN, public=True)
        doc = Doc(summary="End the session that asks", answer=LogoutAnswer)
        v1.add("POST", "/auth/logout", self.logout, doc)
        v1.add("POST", "/auth/reauthenticate", self.reauthenticate, _CONFIRM)
        v1.add("POST", "/auth/change-password", self.change_password, _PASSWORD)
        v1.add("GET", "/auth/me", self.me, Doc(summary="Who asks", answer=MeAnswer))
        doc = Doc(summary="What a login page may offer", answer=CapabilitiesAnswer)
        v1.add("GET", "/auth/capabilities", self.capabilities, doc, public=True)
        v1.add("POST", "/auth/ws-token", self.ws_token, _TICKET)
        v1.add("GET", "/tokens", self.tokens, _TOKENS)
        v1.add("POST", "/tokens", self.create_token, _NEW_TOKEN)
        doc = Doc(summary="Revoke an API token", answer=StatusAnswer, right="self.write")
        v1.add("DELETE", "/tokens/<int:token_id>", self.revoke_token, doc)
        v1.add("GET", "/sessions", self.sessions, _SESSIONS)
        doc = Doc(
            summary="End all other sessions of the caller",
            answer=RevokedAnswer,
            right="self.write",
        )
        v1.add("DELETE", "/sessions", self.revoke_other_sessions, doc)
        doc = Doc(summary="End a session of the caller", answer=StatusAnswer, right="self.write")
        v1.add("DELETE", "/sessions/<int:session_id>", self.revoke_session, doc)

    async def setup_status(self) -> Response:
        """How far the first hour has come."""
        state = await self._accounts.setup_state()
        return json_answer(
            {
                "needs_setup": not state.has_users,
                "has_users": state.has_users,
                "is_complete": state.is_complete,
            }
        )

    async def setup_admin(self) -> Response:
        """Make the first admin; once, and not from another site."""
        self._entrance.check()
        body = await json_body(SetupBody)
        given = request.headers.get("X-Setup-Token", body.setup_token)
        await self._accounts.check_setup_token(given)
        login = await self._accounts.setup(
            body.username, body.email, body.password, remote_address()
        )
        return self._entrance.logged_in(login)

    async def setup_complete(self) -> Response:
        """Declare the set-up complete; once."""
        await self._accounts.complete_setup(caller())
        return json_answer({"status": "complete"})

    async def login(self) -> Response:
        """A session for a name and a password, as JSON or as a form; not from another site."""
        self._entrance.check()
        body = await _login_body()
        agent = request.headers.get("User-Agent", "")
        came_with = self._entrance.came_with()
        try:
            login = await self._accounts.login(
                body.username, body.password, remote_address(), agent, came_with
            )
        except SecondFactorAsked as asked:
            half = {"access_token": asked.ticket, "token_type": "bearer", "mfa_required": True}
            return secret_answer(half)
        except SecondFactorWanted as wanted:
            half = {"access_token": wanted.ticket, "token_type": "bearer"}
            return secret_answer({**half, "mfa_setup_required": True})
        return self._entrance.logged_in(login)

    async def logout(self) -> Response:
        """End the session that asks, and its cookie."""
        await self._accounts.logout(caller())
        return self._entrance.leave(json_answer({"detail": "Logged out"}))

    async def reauthenticate(self) -> Response:
        """The password again, for what is worth asking twice."""
        body = await json_body(PasswordBody)
        await self._accounts.reauthenticate(caller(), body.password, remote_address())
        return json_answer({"status": "ok"})

    async def change_password(self) -> Response:
        """A new password for whoever knows the current one."""
        body = await json_body(PasswordChangeBody)
        await self._accounts.change_password(
            caller(), body.current_password, body.new_password, remote_address()
        )
        return json_answer({"status": "ok"})

    async def ws_token(self) -> Response:
        """A ticket for one websocket, so that no lasting secret is in its URL."""
        ticket = await self._accounts.ws_ticket(caller())
        seconds = int(WS_TICKET_LIFE.total_seconds())
        return secret_answer({"token": ticket, "expires_in": seconds})

    async def me(self) -> Response:
        """Who asks."""
        by = caller()
        return json_answer(
            {
                "id": by.user_id,
                "username": by.username,
                "email": by.email,
                "role": by.role,
                "group_id": None if by.is_superadmin else by.organization_id,
                "organization_id": by.organization_id,
                "is_superadmin": by.is_superadmin,
            }
        )

    async def capabilities(self) -> Response:
        """What a login page may offer."""
        return json_answer({"smtp_enabled": self._accounts.post.is_open})

    async def tokens(self) -> Response:
        """The caller's tokens, without their secrets."""
        rows = await self._accounts.list_tokens(caller())
        return page_of([token_view(row) for row in rows])

    async def create_token(self) -> Response:
        """A token; the only answer that holds its secret."""
        body = await json_body(TokenBody)
        row, secret = await self._accounts.create_token(
            caller(), body.name, body.scopes, body.expires_days
        )
        view = token_view(row)
        del view["last_used_at"]
        return secret_answer({**view, "token": secret})

    async def revoke_token(self, token_id: int) -> Response:
        """End a token at once."""
        await self._accounts.revoke_token(caller(), token_id)
        return json_answer({"status": "ok"})

    async def sessions(self) -> Response:
        """The caller's open sessions."""
        by = caller()
        rows = await self._accounts.list_sessions(by)
        return page_of([session_view(row, by.credential_id) for row in rows])

    async def revoke_session(self, session_id: int) -> Response:
        """End one session at once."""
        await self._accounts.revoke_session(caller(), session_id)
        return json_answer({"status": "ok"})

    async def revoke_other_sessions(self) -> Response:
        """End all sessions of the caller but this one."""
        revoked = await self._accounts.revoke_other_sessions(caller())
        return json_answer({"status": "ok", "revoked": revoked})


async def _login_body() -> LoginBody:
    """The login as JSON or as a form of either kind. Raises `Unprocessable`, `Invalid`."""
    if request.mimetype == _MULTIPART_TYPE:
        parts = await multipart(request, MAX_BODY_BYTES)
        texts = {part.name: await part.read_text() async for part in parts}
        return parse_body(LoginBody, orjson.dumps(texts))
    if request.mimetype != _FORM_TYPE:
        return await json_body(LoginBody)
    raw = await request.get_data()
    try:
        fields = parse_qs(
            raw if isinstance(raw, str) else raw.decode("utf-8", "replace"),
            keep_blank_values=True,
            max_num_fields=_MAX_FORM_FIELDS,
        )
    except ValueError:
        too_many = {"type": "too_long", "loc": ["body"], "msg": "Too many fields", "input": None}
        raise Unprocessable([too_many]) from None
    given = {name: values[-1] for name, values in fields.items()}
    return parse_body(LoginBody, orjson.dumps(given))
