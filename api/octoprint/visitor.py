"""Who asks on the OctoPrint face, and for whom (OctoPrint contract, section 2; DESIGN 5).

A key is looked for in the query or the form, then in `X-Api-Key`, then in `Authorization: Bearer`;
the first that is present counts, even if it is invalid or empty. Only without any key the session
cookie of `/api/login` is looked at, and what it changes needs the CSRF pair.

An OctoPrint is a printer or a pool. What needs a printer asks a visit for it and is refused at a
pool, as an OctoPrint refuses whose printer is not there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from quart import request

from api.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound
from api.files.service import Tree
from api.http import asks_nothing
from api.octoprint import cookies
from api.octoprint.addresses import SLUG_ROOT, Addresses
from api.octoprint.permissions import holds
from api.octoprint.place import Place, place_of
from api.outage import AWAY, past_database
from api.pools.service import Pool, Pools
from api.principal import Denied, Principal
from api.printers.service import Printer, Printers

NO_KEY = (
    "This takes an API key. A person makes one in Gantry for each program, or allows the request "
    "of a program that asks by itself; it goes into the header X-Api-Key."
)
WRONG_KEY = (
    "This API key is not valid: it was not copied whole, or it was revoked. Make another one for "
    "this printer in Gantry and give it to your slicer or app."
)
NOT_LOGGED_IN = "The session has ended. Log in again, or use an API key."
NO_PERMISSION = (
    "You don't have the permission to do this here. Use a key of somebody who may, or ask an "
    "admin of the farm for the right."
)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticator(Protocol):
    """Who knows secrets and sessions."""

    async def authenticate(self, secret: str) -> Principal:
        """The owner of *secret*. Raises `NotAuthenticated`."""

    async def csrf_fits(self, by: Principal, token: str) -> bool:
        """Whether *token* is the CSRF token of the session that *by* came with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request: who asks, at which printer or pool, and under which script root.

    *asking* is who asks, with what their groups leave them: what this dialect lets them do is
    decided by its permissions, here. The rooms decide by rights, for *by*: the same without groups.
    """

    asking: Principal
    by: Principal
    at: Printer | Pool
    root: str
    public_url: str

    def may(self, permission: str) -> bool:
        """Whether the caller has *permission* here."""
        return holds(self.asking, permission)

    def require(self, permission: str) -> None:
        """Raises `Forbidden` in OctoPrint's words for who has not *permission*."""
        if not self.may(permission):
            raise Denied(self.asking, NO_PERMISSION)

    @property
    def printing_by(self) -> Principal:
        """For whom a job is made: who may not print submits one for approval."""
        return self.by if self.may("PRINT") else self.asking

    @property
    def printer(self) -> Printer:
        """The printer. Raises `Conflict` (not operational) at a pool, which is none."""
        if isinstance(self.at, Pool):
            raise Conflict(
                f"{self.at.name} is a pool: it prints what is uploaded to it on the first of its "
                "printers that is free. This is for one printer; use that printer's address.",
                code="printer_not_operational",
            )
        return self.at

    @property
    def pool(self) -> Pool | None:
        """The pool; None at a printer."""
        return self.at if isinstance(self.at, Pool) else None

    @property
    def tree(self) -> Tree:
        """The tree of names of this OctoPrint's `local`."""
        number = self.at.id
        return Tree.of_pool(number) if self.pool is not None else Tree.of_printer(number)

    @property
    def place(self) -> Place:
        """Where this OctoPrint lives as its client sees it."""
        return place_of(self.root, self.public_url)


class Visitors:
    """Turns a request into a visit."""

    def __init__(
        self,
        accounts: Authenticator,
        printers: Printers,
        addresses: Addresses,
        pools: Pools,
        public_url: str,
    ) -> None:
        self._pools = pools
        self._accounts = accounts
        self._printers = printers
        self._addresses = addresses
        self._public_url = public_url

    def place(self, root: str) -> Place:
        """The place of this request under *root*."""
        return place_of(root, self._public_url)

    async def caller(self, root: str, form: Mapping[str, str]) -> Principal:
        """Who asks. *form*: the form fields of the request, if any.

        Raises `NotAuthenticated` (403 here) or `Invalid` (csrf_failed).
        """
        key = given_key(form)
        if key is not None:
            return await self._owner(key, WRONG_KEY)
        place = self.place(root)
        by = await self.session(place)
        if request.method not in _SAFE:
            await self.check_csrf(by, place, request.headers.get(cookies.CSRF_HEADER, ""))
        return by

    async def caller_at(self, root: str, form: Mapping[str, str]) -> Principal:
        """Who asks, and may ask at *root*; at the server's root no printer needs to exist.

        Raises what `visit` raises.
        """
        by = await self.caller(root, form)
        if root:
            await self.at(by, root)
        return by

    async def session(self, place: Place) -> Principal:
        """Whose session cookie it is; whoever changes something checks the CSRF pair besides.

        Raises `NotAuthenticated`.
        """
        token = cookies.cookie(place, cookies.SESSION)
        if not token:
            raise NotAuthenticated(NO_KEY)
        return await self._owner(token, NOT_LOGGED_IN)

    async def check_csrf(self, by: Principal, place: Place, token: str) -> None:
        """Double submit, bound to the session: cookie and *token* equal, and the session's own.

        Raises `Invalid` (csrf_failed).
        """
        double = cookies.submitted_twice(place, token)
        if not double or not await self._accounts.csrf_fits(by, token):
            raise Invalid("CSRF validation failed", code="csrf_failed")

    async def visit(self, root: str, form: Mapping[str, str]) -> Visit:
        """The visit; without a slug in *root* to the key's printer, else to the first one.

        Raises what `caller` raises, `Forbidden` for a key of another printer, `NotFound`.
        """
        by = await self.caller(root, form)
        at = await self.at(by, root)
        asking = await self._at(by, at)
        by = asking if asking.permissions is None else replace(asking, permissions=None)
        return Visit(asking=asking, by=by, at=at, root=root, public_url=self._public_url)

    async def visit_to_stop(self, root: str, form: Mapping[str, str]) -> Visit:
        """`visit`; while the database is away, by what is remembered (safety M07)."""
        try:
            return await self.visit(root, form)
        except AWAY:
            with past_database():
                return await self.visit(root, form)

    async def acting(self, by: Principal, root: str) -> Principal:
        """*by* as they act at *root*; the same where no printer of theirs lives."""
        try:
            return await self._at(by, await self.at(by, root)) if root else by
        except (Forbidden, NotFound):
            return by

    async def printers_at(self, by: Principal, root: str) -> list[int]:
        """The printer at *root*, or those of the pool there. Raises as `at`."""
        return await self._numbers(by, await self.at(by, root))

    async def _at(self, by: Principal, at: Printer | Pool) -> Principal:
        if not by.grants:
            return by
        return by.at(at.id) if isinstance(at, Printer) else by.at_all(await self._numbers(by, at))

    async def _numbers(self, by: Principal, at: Printer | Pool) -> list[int]:
        if isinstance(at, Printer):
            return [at.id]
        return [printer.id for printer in await self._pools.printers_of(by, at)]

    async def at(self, by: Principal, root: str) -> Printer | Pool:
        """Who lives at *root* for *by*. Raises `Forbidden`, `NotFound`."""
        if root and by.printer_id is not None:
            printer = await self._printers.get(by, by.printer_id)
            if root != SLUG_ROOT + printer.slug:
                raise Forbidden(
                    f"This key belongs to {printer.name}; it works at {SLUG_ROOT}{printer.slug}/ "
                    "only. Make a key for this printer, or change the address."
                )
            return printer
        return await self._addresses.of(by, root)

    async def _owner(self, secret: str, refusal: str) -> Principal:
        try:
            return await self._accounts.authenticate(secret)
        except NotAuthenticated:
            raise NotAuthenticated(refusal) from None


def has_credential(place: Place) -> bool:
    """Whether the query, the headers or a cookie carry a credential, valid or not."""
    return given_key({}) is not None or bool(cookies.cookie(place, cookies.SESSION))


def given_key(form: Mapping[str, str]) -> str | None:
    """The key of this request; None when none is present. *form*: its form fields, if any."""
    asked = None if asks_nothing() else request.args.get("apikey")
    for found in (asked, form.get("apikey"), request.headers.get("X-Api-Key")):
        if found is not None:
            return found
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def check_own_origin(place: Place) -> None:
    """A login may come without a CSRF pair, but not from another site. Raises `Forbidden`."""
    origin = request.headers.get("Origin")
    own = {request.host, urlsplit(place.origin).netloc}
    foreign = origin is not None and urlsplit(origin).netloc not in own
    if foreign or request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise Forbidden("This request comes from another site.")


def require(by: Principal, right: str) -> None:
    """Raises `Forbidden` in OctoPrint's words; the scopes of v1's agents open nothing here."""
    if not by.may(right) or by.is_agent_for(right):
        raise Denied(by, NO_PERMISSION)
