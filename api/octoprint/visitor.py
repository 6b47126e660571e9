"""Who asks on the OctoPrint face (OctoPrint contract, section 2).

A key is looked for in the query or the form, then in `X-Api-Key`, then in `Authorization: Bearer`;
the first that is present counts, even if it is invalid or empty. Only without any key the session
cookie of `/api/login` is looked at, and what it changes needs the CSRF pair.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson
from quart import request

from api.errors import Forbidden, Invalid, NotAuthenticated
from api.octoprint.place import Place, place_of
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.uploads import multipart
from schemas.printer import Profile

NO_PERMISSION = (
    "You don't have the permission to access the requested resource. "
    "It is either read-protected or not readable by the server."
)
#: The script root of a printer is this and its slug; at the server's root it is empty.
SLUG_ROOT = "/octoprint/"
SESSION_COOKIE = "session"
CSRF_COOKIE = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
FORM_TYPE = "application/x-www-form-urlencoded"
MULTIPART_TYPE = "multipart/form-data"
MAX_FORM_BYTES = 1024 * 1024
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticator(Protocol):
    """Who knows secrets and sessions."""

    async def authenticate(self, secret: str) -> Principal:
        """The owner of *secret*. Raises `NotAuthenticated`."""

    async def csrf_fits(self, by: Principal, token: str) -> bool:
        """Whether *token* is the CSRF token of the session that *by* came with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request: who asks, for which printer, and under which script root."""

    by: Principal
    printer: Printer
    root: str
    public_url: str

    @property
    def place(self) -> Place:
        """Where this OctoPrint lives as its client sees it."""
        return place_of(self.root, self.public_url)


class Visitors:
    """Turns a request into a visit."""

    def __init__(self, accounts: Authenticator, printers: Printers, public_url: str) -> None:
        self._accounts = accounts
        self._printers = printers
        self._public_url = public_url

    def place(self, root: str) -> Place:
        """The place of this request under *root*."""
        return place_of(root, self._public_url)

    def profile(self, visit: Visit) -> Profile:
        """What the printer of *visit* is and may do."""
        return self._printers.profile(visit.printer)

    async def caller(self, root: str, form: Mapping[str, str]) -> Principal:
        """Who asks. *form*: the form fields of the request, if any.

        Raises `NotAuthenticated` (403 here) or `Invalid` (csrf_failed).
        """
        key = given_key(form)
        if key is not None:
            return await self._owner(key)
        place = self.place(root)
        cookie = request.cookies.get(SESSION_COOKIE + place.cookie_suffix)
        if not cookie:
            raise NotAuthenticated(NO_PERMISSION)
        by = await self._owner(cookie)
        if request.method not in _SAFE:
            await self._check_csrf(by, place)
        return by

    async def visit(self, root: str, form: Mapping[str, str]) -> Visit:
        """The visit; without a slug in *root* to the key's printer, else to the first one.

        Raises what `caller` raises, `Forbidden` for a key of another printer, `NotFound`.
        """
        by = await self.caller(root, form)
        slug = root.removeprefix(SLUG_ROOT)
        if not slug:
            printer = await self._printers.default_printer(by)
        elif by.printer_id is not None:
            printer = await self._printers.get(by, by.printer_id)
            if printer.slug != slug:
                raise Forbidden(NO_PERMISSION)
        else:
            printer = await self._printers.by_slug(by, slug)
        return Visit(by=by, printer=printer, root=root, public_url=self._public_url)

    async def _owner(self, secret: str) -> Principal:
        try:
            return await self._accounts.authenticate(secret)
        except NotAuthenticated:
            raise NotAuthenticated(NO_PERMISSION) from None

    async def _check_csrf(self, by: Principal, place: Place) -> None:
        """Double submit, bound to the session: cookie and header equal, and the session's own."""
        header = request.headers.get(CSRF_HEADER, "")
        cookie = request.cookies.get(CSRF_COOKIE + place.cookie_suffix, "")
        equal = hmac.compare_digest(header.encode(), cookie.encode())
        if not header or not equal or not await self._accounts.csrf_fits(by, header):
            raise Invalid("CSRF validation failed", code="csrf_failed")


def has_credential(place: Place) -> bool:
    """Whether the query, the headers or a cookie carry a credential, valid or not."""
    return given_key({}) is not None or bool(
        request.cookies.get(SESSION_COOKIE + place.cookie_suffix)
    )


def given_key(form: Mapping[str, str]) -> str | None:
    """The key of this request; None when none is present. *form*: its form fields, if any."""
    for found in (request.args.get("apikey"), form.get("apikey"), request.headers.get("X-Api-Key")):
        if found is not None:
            return found
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


async def form_fields() -> dict[str, str]:
    """The plain fields of a form body, urlencoded or multipart; {} for any other body.

    Raises `Invalid`: malformed, too large, or with a file in it.
    """
    if request.mimetype == FORM_TYPE:
        return dict((await request.form).items())
    if request.mimetype != MULTIPART_TYPE:
        return {}
    found: dict[str, str] = {}
    async for part in await multipart(request, MAX_FORM_BYTES):
        if part.filename is not None:
            raise Invalid("This takes no file.")
        found.setdefault(part.name, await part.read_text())
    return found


def check_own_origin(place: Place) -> None:
    """A login may come without a CSRF pair, but not from another site. Raises `Forbidden`."""
    origin = request.headers.get("Origin")
    own = {request.host, urlsplit(place.origin).netloc}
    foreign = origin is not None and urlsplit(origin).netloc not in own
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("This request comes from another site.")


async def json_object() -> dict[str, Any]:
    """The request's JSON object. Raises `Invalid`: 415 for another type, 400 for broken JSON."""
    if request.mimetype != "application/json":
        raise Invalid(
            "This takes a JSON body: Content-Type: application/json.",
            code="unsupported_media_type",
        )
    try:
        body = orjson.loads(await request.get_data())
    except orjson.JSONDecodeError:
        raise Invalid("Malformed JSON body in request") from None
    if not isinstance(body, dict):
        raise Invalid("The JSON body must be an object.")
    return body


def require(by: Principal, right: str) -> None:
    """Raises `Forbidden` in OctoPrint's words."""
    if not by.may(right):
        raise Forbidden(NO_PERMISSION)
