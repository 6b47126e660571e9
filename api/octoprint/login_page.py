"""`GET /login/` and what stands at the top of an OctoPrint (OctoPrint contract, 2; safety S18)."""

from html import escape
from urllib.parse import quote

from quart import Response, request

from api.accounts.keys import new_key
from api.errors import Forbidden, Invalid, NotAuthenticated, TooMany
from api.octoprint import cookies
from api.octoprint.body import form_fields, is_true
from api.octoprint.pages import login_page, own_path, page, redirect
from api.octoprint.place import Place
from api.octoprint.route import Route
from api.octoprint.sign_in import SignIn, give_cookies
from api.octoprint.visitor import Visitors, check_own_origin

_NEEDED = "STATUS,SETTINGS_READ"


class LoginPage:
    """Where a browser without a session is sent to."""

    def __init__(self, visitors: Visitors, sign_in: SignIn) -> None:
        self._visitors = visitors
        self._sign_in = sign_in

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/", self.top, visits=False),
            Route("GET", "/login/", self.show, visits=False),
            Route("GET", "", self.slashed, visits=False),
            Route("GET", "/login", self.slashed_login, visits=False),
            Route("POST", "/login/", self.enter, visits=False),
        )

    async def top(self, root: str) -> Response:
        """What this is, for whoever is logged in; others are sent to the login."""
        place = self._visitors.place(root)
        try:
            visit = await self._visitors.visit(root, {})
        except NotAuthenticated:
            response = redirect(
                f"{place.root}/login/?redirect={quote(place.root, safe='/')}/?"
                f"&permissions={_NEEDED}"
            )
            issue(response, place)
            return response
        return page(
            visit.at.name,
            f"<p>Slicers and apps reach this at <code>{escape(place.base)}/</code> with a key "
            "of yours.</p>",
        )

    async def slashed(self, root: str) -> Response:
        """The address without its last slash, as people type it."""
        return redirect(self._visitors.place(root).cookie_path, 308)

    async def slashed_login(self, root: str) -> Response:
        """The same of the login."""
        return redirect(f"{self._visitors.place(root).root}/login/", 308)

    async def show(self, root: str) -> Response:
        """The form; it brings the CSRF cookie that belongs to it."""
        place = self._visitors.place(root)
        token = cookies.cookie(place, cookies.CSRF) or new_key()
        response = login_page(token, _target(place, request.args.get("redirect")))
        cookies.set_cookie(response, place, cookies.CSRF, token)
        return response

    async def enter(self, root: str) -> Response:
        """Log in by the form. A refusal shows it again, in the same words for every reason."""
        place = self._visitors.place(root)
        check_own_origin(place)
        fields = await form_fields()
        token = fields.get("csrf_token", "")
        if not cookies.submitted_twice(place, token):
            raise Invalid("CSRF validation failed", code="csrf_failed")
        target = _target(place, fields.get("redirect"))
        try:
            login, remembered = await self._sign_in.enter(
                place,
                fields.get("user", ""),
                fields.get("pass", ""),
                remember=is_true(fields.get("remember")),
            )
        except (Forbidden, TooMany) as refused:
            return login_page(token, target, refused.detail, refused.kind.octoprint_status)
        response = redirect(target)
        give_cookies(response, place, login, remembered)
        return response


def _target(place: Place, wanted: str | None) -> str:
    return own_path(wanted, place.cookie_path)


def issue(response: Response, place: Place) -> None:
    """Bring the CSRF cookie to whoever has none yet: a login may then send the pair."""
    if not cookies.cookie(place, cookies.CSRF):
        cookies.set_cookie(response, place, cookies.CSRF, new_key())
