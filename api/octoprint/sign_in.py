"""Version, server, login, logout, currentuser (OctoPrint contract, 2 and 4)."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from quart import Response, request

from api import VERSION
from api.accounts.service import Accounts, Login
from api.errors import Forbidden, Invalid, NotAuthenticated
from api.http import remote_address, truthy
from api.octoprint.permissions import GROUPS_OF, GUESTS, permissions_of, user_document
from api.octoprint.place import Place
from api.octoprint.visitor import (
    CSRF_COOKIE,
    SESSION_COOKIE,
    Visit,
    Visitors,
    check_own_origin,
    form_fields,
    has_credential,
    json_object,
)
from api.octoprint.wire import answer, done
from api.principal import Principal

OCTOPRINT_VERSION = "1.11.8"
VERSION_DOCUMENT = {
    "api": "0.1",
    "server": OCTOPRINT_VERSION,
    "text": f"OctoPrint {OCTOPRINT_VERSION} (Gantry {VERSION})",
}
_WRONG = "User unknown or password incorrect"


class SignIn:
    """Who is there, and what this is."""

    def __init__(self, accounts: Accounts, visitors: Visitors) -> None:
        self._accounts = accounts
        self._visitors = visitors

    async def version(self, visit: Visit) -> Response:
        """What slicers ask to see whether this is an OctoPrint."""
        del visit
        return answer(VERSION_DOCUMENT)

    async def server(self, visit: Visit) -> Response:
        """The version; there is no safe mode."""
        del visit
        return answer({"version": OCTOPRINT_VERSION, "safemode": None})

    async def current_user(self, root: str) -> Response:
        """The caller; without any credential a guest."""
        if not has_credential(self._visitors.place(root)):
            return answer({"name": None, "permissions": [], "groups": GUESTS})
        by = await self._visitors.caller(root, {})
        return answer(
            {
                "name": by.username,
                "permissions": permissions_of(by),
                "groups": GROUPS_OF[by.role],
            }
        )

    async def login(self, root: str) -> Response:
        """With `user` and `pass`, or `passive` with a key or a session."""
        place = self._visitors.place(root)
        check_own_origin(place)
        fields = await _fields()
        if _is_true(fields.get("passive")):
            return await self._passive(root, fields)
        user, password = fields.get("user"), fields.get("pass")
        if not isinstance(user, str) or not isinstance(password, str):
            raise Invalid("Neither user and pass nor passive are set")
        agent = request.headers.get("User-Agent", "")
        try:
            login = await self._accounts.login(user, password, remote_address(), agent)
        except NotAuthenticated:
            raise Forbidden(_WRONG) from None
        response = answer(self._record(login.principal, "password", seen=True))
        _set_cookies(response, place, login, remember=_is_true(fields.get("remember")))
        return response

    async def _passive(self, root: str, fields: Mapping[str, Any]) -> Response:
        form = {"apikey": fields["apikey"]} if isinstance(fields.get("apikey"), str) else {}
        try:
            by = await self._visitors.caller(root, form)
        except (NotAuthenticated, Invalid):
            return answer(_anonymous())
        mechanism = "password" if by.kind == "session" else "apikey"
        return answer(self._record(by, mechanism, seen=False))

    def _record(self, by: Principal, mechanism: str, *, seen: bool) -> dict[str, Any]:
        return {
            **user_document(by),
            "session": self._accounts.push_ticket(by),
            "_is_external_client": _is_external(),
            "_login_mechanism": mechanism,
            "_credentials_seen": datetime.now(UTC).isoformat() if seen else False,
        }

    async def logout(self, root: str) -> Response:
        """End the session of the cookie; a key stays what it is."""
        place = self._visitors.place(root)
        try:
            await self._accounts.logout(await self._visitors.caller(root, {}))
        except NotAuthenticated:
            pass  # whoever is not logged in is logged out
        response = done()
        for name in (SESSION_COOKIE, CSRF_COOKIE):
            response.delete_cookie(name + place.cookie_suffix, path=place.cookie_path)
        return response


async def _fields() -> Mapping[str, Any]:
    if request.mimetype == "application/json":
        return await json_object()
    return await form_fields()


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and truthy(value))


def _is_external() -> bool:
    try:
        return not ipaddress.ip_address(remote_address()).is_private
    except ValueError:
        return False


def _anonymous() -> dict[str, Any]:
    return {
        "needs": {"role": [], "group": GUESTS},
        "_is_external_client": _is_external(),
        "_credentials_seen": False,
    }


def _set_cookies(response: Response, place: Place, login: Login, *, remember: bool) -> None:
    for name, value, hidden in (
        (SESSION_COOKIE, login.token, True),
        (CSRF_COOKIE, login.csrf_token, False),
    ):
        response.set_cookie(
            name + place.cookie_suffix,
            value,
            expires=login.expires_at if remember else None,
            path=place.cookie_path,
            secure=place.secure,
            httponly=hidden,
            samesite="Lax",
        )
