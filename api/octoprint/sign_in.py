"""Version, server, login, logout, currentuser (OctoPrint contract, 2 and 4)."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from quart import Response, request

from api import VERSION
from api.accounts.service import (
    Accounts,
    Login,
    Remembrance,
    SecondFactorAsked,
    SecondFactorWanted,
)
from api.accounts.sessions import CameWith
from api.errors import Forbidden, Invalid, NotAuthenticated
from api.http import remote_address
from api.octoprint import cookies
from api.octoprint.body import is_true, json_or_form
from api.octoprint.permissions import GUESTS, groups_of, permissions_of, user_document
from api.octoprint.place import Place
from api.octoprint.push_company import Company
from api.octoprint.route import Route
from api.octoprint.visitor import (
    Visit,
    Visitors,
    check_own_origin,
    given_key,
    has_credential,
)
from api.octoprint.wire import answer, done
from api.principal import Principal, system

OCTOPRINT_VERSION = "1.11.8"
VERSION_DOCUMENT = {
    "api": "0.1",
    "server": OCTOPRINT_VERSION,
    "text": f"OctoPrint {OCTOPRINT_VERSION} (Gantry {VERSION})",
}
_WRONG = "User unknown or password incorrect"


class SignIn:
    """Who is there, and what this is."""

    def __init__(self, accounts: Accounts, visitors: Visitors, company: Company) -> None:
        self._accounts = accounts
        self._visitors = visitors
        self._company = company

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/api/version", self.version, "STATUS"),
            Route("GET", "/api/server", self.server, "STATUS"),
            Route("POST", "/api/login", self.login, visits=False),
            Route("POST", "/api/logout", self.logout, visits=False),
            Route("GET", "/api/currentuser", self.current_user, visits=False),
        )

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
        person = await self._accounts.user(system(by.organization_id), by.user_id)
        acting = await self._visitors.acting(by, root)
        return answer(
            {
                "name": by.username,
                "permissions": permissions_of(acting),
                "groups": groups_of(by, person.groups),
            }
        )

    async def login(self, root: str) -> Response:
        """With `user` and `pass`, or `passive` with a key, a session or a remember cookie.

        A CSRF pair is not needed, but one that comes must fit.
        """
        place = self._visitors.place(root)
        check_own_origin(place)
        token = request.headers.get(cookies.CSRF_HEADER)
        if token is not None and not cookies.submitted_twice(place, token):
            raise Invalid("CSRF validation failed", code="csrf_failed")
        fields = await json_or_form()
        user, password = fields.get("user"), fields.get("pass")
        if not isinstance(user, str) or not isinstance(password, str):
            if "passive" in fields:  # whatever it says
                return await self._passive(root, place, fields)
            raise Invalid("Neither user and pass nor passive are set")
        login, remembered = await self.enter(
            place, user, password, remember=is_true(fields.get("remember"))
        )
        response = answer(await self._record(root, login.principal, "password", seen=True))
        give_cookies(response, place, login, remembered)
        return response

    async def enter(
        self, place: Place, user: str, password: str, *, remember: bool
    ) -> tuple[Login, Remembrance | None]:
        """Open a session. Raises `Forbidden` in the same words for every reason, `TooMany`.

        Who has a second factor comes in by v1, or with a key: a password alone opens nothing.
        """
        agent = request.headers.get("User-Agent", "")
        await self._accounts.check_octoprint_limit(remote_address())
        try:
            came_with = CameWith(session=cookies.cookie(place, cookies.SESSION))
            login = await self._accounts.login(user, password, remote_address(), agent, came_with)
        except (
            SecondFactorAsked,
            SecondFactorWanted,
        ) as asked:  # no field of this dialect could take the code
            raise Forbidden(asked.detail, code=asked.code) from None
        except NotAuthenticated:
            raise Forbidden(_WRONG) from None
        self._company.logged_in(login.principal)
        if not remember:
            return login, None
        return login, await self._accounts.remember(login.principal, agent)

    async def _passive(self, root: str, place: Place, fields: Mapping[str, Any]) -> Response:
        await self._accounts.check_octoprint_limit(remote_address())
        form = {"apikey": fields["apikey"]} if isinstance(fields.get("apikey"), str) else {}
        paired = cookies.CSRF_HEADER in request.headers
        try:
            if given_key(form) is None and not paired:  # asking who one is changes nothing
                by = await self._visitors.session(place)
            else:
                by = await self._visitors.caller(root, form)
        except (NotAuthenticated, Invalid):
            return await self._recalled(root, place)
        mechanism = "password" if by.kind == "session" else "apikey"
        return answer(await self._record(root, by, mechanism, seen=by.kind != "session"))

    async def _recalled(self, root: str, place: Place) -> Response:
        """Who is remembered by a cookie gets a session and another such cookie."""
        token = cookies.cookie(place, cookies.REMEMBER)
        agent = request.headers.get("User-Agent", "")
        try:
            login, remembered = await self._accounts.recall(token, remote_address(), agent)
        except NotAuthenticated:
            response = answer(_anonymous())
            if token:
                cookies.drop_cookie(response, place, cookies.REMEMBER)
            return response
        response = answer(await self._record(root, login.principal, "remember_me", seen=True))
        give_cookies(response, place, login, remembered)
        return response

    async def _record(
        self, root: str, by: Principal, mechanism: str, *, seen: bool
    ) -> dict[str, Any]:
        person = await self._accounts.user(system(by.organization_id), by.user_id)
        acting = await self._visitors.acting(by, root)
        return {
            **user_document(acting, groups_of(by, person.groups)),
            "settings": person.settings or {},
            "session": self._accounts.push_ticket(by),
            "_is_external_client": _is_external(),
            "_login_mechanism": mechanism,
            "_credentials_seen": datetime.now(UTC).isoformat(timespec="seconds") if seen else False,
        }

    async def logout(self, root: str) -> Response:
        """End the session of the cookie and forget the browser; a key stays what it is."""
        place = self._visitors.place(root)
        try:
            by = await self._visitors.caller(root, {})
            await self._accounts.logout(by)
            if by.kind == "session":
                self._company.logged_out(by)
            await self._accounts.forget_browser(cookies.cookie(place, cookies.REMEMBER))
        except NotAuthenticated:
            pass  # whoever is not logged in is logged out
        response = done()
        for name in (cookies.SESSION, cookies.CSRF, cookies.REMEMBER):
            cookies.drop_cookie(response, place, name)
        cookies.set_cookie(response, place, cookies.ACTIVE_LOGOUT, "true")
        return response


def give_cookies(
    response: Response, place: Place, login: Login, remembered: Remembrance | None
) -> None:
    """The cookies of a session that was just opened."""
    ends = login.expires_at if remembered else None
    cookies.set_cookie(response, place, cookies.SESSION, login.token, ends)
    cookies.set_cookie(response, place, cookies.CSRF, login.csrf_token, ends)
    if remembered is not None:
        cookies.set_cookie(
            response, place, cookies.REMEMBER, remembered.token, remembered.expires_at
        )
    cookies.drop_cookie(response, place, cookies.ACTIVE_LOGOUT)


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
