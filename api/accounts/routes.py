"""The v1 routes of people, sessions, tokens and the first set-up (v1 2.1)."""

from typing import Annotated, Any
from urllib.parse import parse_qs

import orjson
from pydantic import Field
from quart import Response, request

from api.accounts.models import Credential, User
from api.accounts.people import NewUser, checked_role
from api.accounts.service import Accounts, Login
from api.clock import iso
from api.config import Settings
from api.http import Body, Unprocessable, json_answer, json_body, paging, parse_body, remote_address
from api.v1 import SESSION_COOKIE, V1, caller, check_origin

_FORM_TYPE = "application/x-www-form-urlencoded"
_MAX_FORM_FIELDS = 20


class SetupBody(Body):
    """The first admin; a *role* is ignored, the first is always an admin."""

    username: str
    email: str
    password: str


class LoginBody(Body):
    """A name and a password, as JSON or as a form."""

    username: str
    password: str


class TokenBody(Body):
    """A token to be made. *expires_days* null: for ever."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(max_length=50, default_factory=list)]
    expires_days: Annotated[int | None, Field(ge=1, le=3650)] = None


class UserBody(Body):
    """A person to be added to the caller's organization."""

    username: str
    email: str
    password: str = ""
    role: str = "operator"


class AccountRoutes:
    """Set-up, login, sessions, tokens, users."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts = accounts
        self._settings = settings

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/setup/status", self.setup_status, public=True)
        v1.add("POST", "/setup/admin", self.setup_admin, public=True)
        v1.add("POST", "/setup/complete", self.setup_complete)
        v1.add("POST", "/auth/login", self.login, public=True)
        v1.add("POST", "/auth/logout", self.logout)
        v1.add("GET", "/auth/me", self.me)
        v1.add("GET", "/auth/capabilities", self.capabilities, public=True)
        v1.add("GET", "/tokens", self.tokens)
        v1.add("POST", "/tokens", self.create_token)
        v1.add("DELETE", "/tokens/<int:token_id>", self.revoke_token)
        v1.add("GET", "/sessions", self.sessions)
        v1.add("DELETE", "/sessions", self.revoke_other_sessions)
        v1.add("DELETE", "/sessions/<int:session_id>", self.revoke_session)
        v1.add("GET", "/users", self.users)
        v1.add("POST", "/users", self.create_user)

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
        check_origin()
        body = await json_body(SetupBody)
        login = await self._accounts.setup(
            body.username, body.email, body.password, remote_address()
        )
        return self._logged_in(login)

    async def setup_complete(self) -> Response:
        """Declare the set-up complete; once."""
        await self._accounts.complete_setup(caller())
        return json_answer({"status": "complete"})

    async def login(self) -> Response:
        """A session for a name and a password, as JSON or as a form; not from another site."""
        check_origin()
        body = await _login_body()
        agent = request.headers.get("User-Agent", "")
        login = await self._accounts.login(body.username, body.password, remote_address(), agent)
        return self._logged_in(login)

    async def logout(self) -> Response:
        """End the session that asks, and its cookie."""
        await self._accounts.logout(caller())
        answer = json_answer({"detail": "Logged out"})
        answer.delete_cookie(
            SESSION_COOKIE, path="/", secure=self._secure(), httponly=True, samesite="Strict"
        )
        return answer

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
            }
        )

    async def capabilities(self) -> Response:
        """What a login page may offer: this server sends no mail."""
        return json_answer({"smtp_enabled": False})

    async def tokens(self) -> Response:
        """The caller's tokens, without their secrets."""
        rows = await self._accounts.list_tokens(caller())
        return _page([_token_view(row) for row in rows])

    async def create_token(self) -> Response:
        """A token; the only answer that holds its secret."""
        body = await json_body(TokenBody)
        row, secret = await self._accounts.create_token(
            caller(), body.name, body.scopes, body.expires_days
        )
        view = _token_view(row)
        del view["last_used_at"]
        return json_answer({**view, "token": secret})

    async def revoke_token(self, token_id: int) -> Response:
        """End a token at once."""
        await self._accounts.revoke_token(caller(), token_id)
        return json_answer({"status": "ok"})

    async def sessions(self) -> Response:
        """The caller's open sessions."""
        by = caller()
        rows = await self._accounts.list_sessions(by)
        return _page([_session_view(row, by.credential_id) for row in rows])

    async def revoke_session(self, session_id: int) -> Response:
        """End one session at once."""
        await self._accounts.revoke_session(caller(), session_id)
        return json_answer({"status": "ok"})

    async def revoke_other_sessions(self) -> Response:
        """End all sessions of the caller but this one."""
        revoked = await self._accounts.revoke_other_sessions(caller())
        return json_answer({"status": "ok", "revoked": revoked})

    async def users(self) -> Response:
        """The people of the organization."""
        rows, total = await self._accounts.users(caller(), *paging())
        return json_answer([_user_view(row) for row in rows], headers={"X-Total-Count": str(total)})

    async def create_user(self) -> Response:
        """Add a person."""
        body = await json_body(UserBody)
        new = NewUser(
            username=body.username,
            email=body.email,
            password=body.password,
            role=checked_role(body.role),
        )
        user = await self._accounts.create_user(caller(), new)
        return json_answer({"status": "created", "id": user.id})

    def _logged_in(self, login: Login) -> Response:
        answer = json_answer({"access_token": login.token, "token_type": "bearer"})
        answer.headers["Cache-Control"] = "no-store"
        answer.set_cookie(
            SESSION_COOKIE,
            login.token,
            max_age=self._settings.session_hours * 3600,
            path="/",
            secure=self._secure(),
            httponly=True,
            samesite="Strict",
        )
        return answer

    def _secure(self) -> bool:
        return request.is_secure or self._settings.public_url.startswith("https://")


async def _login_body() -> LoginBody:
    """The login as JSON or as a form. Raises `Unprocessable`."""
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


def _page(rows: list[dict[str, Any]]) -> Response:
    """*rows* cut to the page that the query asks for."""
    skip, limit = paging()
    headers = {"X-Total-Count": str(len(rows))}
    return json_answer(rows[skip : skip + limit], headers=headers)


def _token_view(row: Credential) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "scopes": row.scopes,
        "expires_at": iso(row.expires_at),
        "last_used_at": iso(row.last_used_at),
        "created_at": iso(row.created_at),
    }


def _session_view(row: Credential, current_id: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "ip_address": row.remote_address,
        "user_agent": row.user_agent,
        "created_at": iso(row.created_at),
        "last_seen_at": iso(row.last_used_at or row.created_at),
        "is_current": row.id == current_id,
    }


def _user_view(row: User) -> dict[str, Any]:
    return {
        "id": row.id,
        "username": row.username,
        "email": row.email,
        "role": row.role,
        "is_active": int(row.is_active),
        "last_login": iso(row.last_login_at),
        "created_at": iso(row.created_at),
        "group_id": None if row.is_superadmin else row.organization_id,
    }
