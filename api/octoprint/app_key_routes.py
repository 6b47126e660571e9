"""`/plugin/appkeys` and `/api/plugin/appkeys`: how apps come to their keys (contract, 7)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from quart import Response, request

from api.accounts.service import FIRST_ORGANIZATION, Accounts, AppKey
from api.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from api.http import remote_address, truthy
from api.octoprint import cookies
from api.octoprint.addresses import Addresses
from api.octoprint.app_keys import RIGHT, AppKeyRequest, AppKeyRequests
from api.octoprint.body import Body, form_fields, json_object
from api.octoprint.pages import app_key_page, page, redirect
from api.octoprint.route import Route
from api.octoprint.visitor import Visitors, check_own_origin, require
from api.octoprint.wire import answer, done
from api.pools.service import Pool
from api.principal import Principal

_BASE = "/plugin/appkeys"


class AppKeyRoutes:
    """The workflow and the list."""

    def __init__(
        self,
        requests: AppKeyRequests,
        accounts: Accounts,
        visitors: Visitors,
        addresses: Addresses,
    ) -> None:
        self._requests = requests
        self._accounts = accounts
        self._visitors = visitors
        self._addresses = addresses

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        one = f"{_BASE}/request/<app_token>"
        auth = f"{_BASE}/auth/<app_token>"
        return (
            Route("GET", f"{_BASE}/probe", self.probe, visits=False),
            Route("POST", f"{_BASE}/request", self.ask, visits=False),
            Route("GET", one, self.poll, visits=False),
            Route("GET", auth, self.dialog, visits=False),
            Route("POST", auth, self.answered, visits=False),
            Route("POST", f"{_BASE}/decision/<user_token>", self.decide, visits=False),
            Route("GET", "/api/plugin/appkeys", self.list, visits=False),
            Route("POST", "/api/plugin/appkeys", self.command, visits=False),
        )

    # The app's side. It has no key yet, so nothing here needs one.

    async def probe(self, root: str) -> Response:
        """That this can be asked for keys."""
        await self._home(root)
        return done()

    async def ask(self, root: str) -> Response:
        """An app asks; the answer says where to poll, and where to send its user."""
        organization_id, printer_id = await self._home(root)
        body = await json_object()
        app, user = body.get("app"), body.get("user") or ""
        if not isinstance(app, str) or not isinstance(user, str) or not app.strip():
            raise Invalid("No app name provided")
        if user and not root:  # whoever is named decides, in their organization
            organization_id = await self._accounts.organization_of(user) or organization_id
        token = await self._requests.ask(
            organization_id, app, user, remote_address(), printer_id=printer_id
        )
        base = self._visitors.place(root).base + _BASE
        dialog = f"{base}/auth/{token}" + (f"?user={quote(user)}" if user else "")
        return answer(
            {"app_token": token, "auth_dialog": dialog},
            201,
            {"Location": f"{base}/request/{token}"},
        )

    async def poll(self, root: str, app_token: str) -> Response:
        """202 while nobody has decided, the key once, then 404."""
        await self._home(root)
        key = await self._requests.poll(app_token)
        if key is None:
            return answer({"message": "Awaiting decision"}, 202)
        return answer({"api_key": key})

    async def _home(self, root: str) -> tuple[int, int | None]:
        """(organization, printer that a key asked for at *root* is bound to). Raises `NotFound`."""
        if not root:
            return FIRST_ORGANIZATION, None
        at = await self._addresses.find(root)
        if at is None:
            raise NotFound("There is no printer or pool at this address.", code="printer_not_found")
        return at.organization_id, None if isinstance(at, Pool) else at.id

    # The person's side.

    async def dialog(self, root: str, app_token: str) -> Response:
        """The page with the question; who is not logged in, or not lately, logs in first."""
        await self._home(root)
        row = await self._requests.of_token(app_token)
        place = self._visitors.place(root)
        token = cookies.cookie(place, cookies.CSRF)
        try:
            by = await self._visitors.session(place)
            await self._visitors.check_csrf(by, place, token)
            await self._accounts.require_fresh(by)
        except (NotAuthenticated, Invalid, Forbidden):
            return redirect(f"{place.root}/login/?redirect={place.root}{_BASE}/auth/{app_token}")
        if not by.may(RIGHT) or row.organization_id != by.organization_id:
            return page("Access for an app", "<p>You cannot give keys to apps here.</p>", 403)
        reach = "every printer that you may" if row.printer_id is None else "one printer"
        return app_key_page(row.app, row.remote_address, reach, by.username, token)

    async def answered(self, root: str, app_token: str) -> Response:
        """The buttons of that page."""
        place = self._visitors.place(root)
        check_own_origin(place)
        fields = await form_fields()
        by = await self._visitors.session(place)
        await self._visitors.check_csrf(by, place, fields.get("csrf_token", ""))
        if fields.get("decision") not in ("allow", "deny"):
            raise Invalid("decision takes allow or deny")
        row = await self._requests.of_token(app_token)
        grant = fields["decision"] == "allow"
        await self._requests.decide(by, row.user_token, grant=grant)
        said = "It has its key now." if grant else "It gets no key."
        return page("Access for an app", f"<p>{said} You can close this page.</p>")

    async def decide(self, root: str, user_token: str) -> Response:
        """A person decides. The right comes before the body, the body before the request."""
        by = await self._visitors.caller_at(root, {})
        require(by, RIGHT)
        body = await json_object()
        decision = body.get("decision")
        if not isinstance(decision, bool):
            raise Invalid("decision takes true or false")
        await self._requests.decide(by, user_token, grant=decision)
        return done()

    # Keys there are.

    async def list(self, root: str) -> Response:
        """Keys and open requests; with `app` one of them. A key itself is never read back."""
        by = await self._visitors.caller_at(root, {})
        require(by, "self.read")
        everybody = truthy(request.args.get("all")) or request.args.get("user") is not None
        keys = await self._accounts.app_keys(by, everybody=everybody)
        app = request.args.get("app")
        if app is not None:
            return answer({"key": _found(keys, app, request.args.get("user") or by.username)})
        pending = await self._requests.pending(by)
        return answer(
            {
                "keys": [*{(key.app, key.username): _shown(key) for key in keys}.values()],
                "pending": {row.user_token: _pending(row, by) for row in pending},
            }
        )

    async def command(self, root: str) -> Response:
        """`generate` a key for an app, or `revoke` one key or all of an app."""
        by = await self._visitors.caller_at(root, {})
        body = await json_object()
        command = body.get("command")
        if command == "generate":
            return await self._generate(root, by, body)
        if command == "revoke":
            return await self._revoke(by, body)
        raise Invalid(f"command is unknown: {str(command)[:100]}")

    async def _generate(self, root: str, by: Principal, body: Body) -> Response:
        require(by, RIGHT)
        app = body.get("app")
        if not isinstance(app, str) or not app.strip():
            raise Invalid("app is missing")
        user_id, username = await self._whose(by, body)
        _, printer_id = await self._home(root)
        key = await self._accounts.add_app_key(by, app, printer_id, user_id=user_id)
        return answer({"api_key": key, "app_id": app.strip(), "user_id": username})

    async def _revoke(self, by: Principal, body: Body) -> Response:
        app, key = body.get("app"), body.get("key")
        if isinstance(key, str):
            ended = await self._accounts.revoke_app_key(by, key)
        elif isinstance(app, str):
            user_id, _ = await self._whose(by, body)
            ended = bool(await self._accounts.revoke_app(by, app, user_id))
        else:
            raise Invalid("app or key is missing")
        if not ended:
            raise Invalid("There is no such key")
        return done()

    async def _whose(self, by: Principal, body: Mapping[str, Any]) -> tuple[int, str]:
        name = body.get("user") or by.username
        if name == by.username:
            return by.user_id, by.username
        require(by, "users.admin")
        user = await self._accounts.user_named(by, str(name))
        return user.id, user.username


def _shown(key: AppKey) -> dict[str, Any]:
    return {"app_id": key.app, "user_id": key.username}


def _found(keys: list[AppKey], app: str, username: str) -> dict[str, Any]:
    wanted = app.strip().casefold()
    for key in keys:
        if key.app.casefold() == wanted and key.username == username:
            return {**_shown(key), "api_key": None, "prefix": key.prefix}
    raise NotFound("There is no key of this app")


def _pending(row: AppKeyRequest, by: Principal) -> dict[str, Any]:
    return {
        "app_id": row.app,
        "user_id": row.username or by.username,
        "user_token": row.user_token,
        "remote_address": row.remote_address,
    }
