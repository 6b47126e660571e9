"""The OctoPrint face: one table of routes, served per printer, per pool and at the server's root.

``/octoprint/{slug}/…`` is the printer or pool with that slug; at the root it is the printer that
the key is bound to or, failing that, the organization's first one. The root's ``/api/version`` is
not here: there both dialects answer together. Contract: OctoPrint, sections 0 to 7; DESIGN 5, 7.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from quart import Quart, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from api.accounts.service import Accounts
from api.audit.denials import Denials
from api.commands.card_writes import CardWrites
from api.commands.machine import Machine
from api.commands.service import Commands
from api.config import Settings
from api.errors import Problem
from api.events.service import Ledger, asked_from
from api.feed.service import Feed
from api.feed.sockets import Sockets
from api.files.analyst import Analyst
from api.files.service import Files
from api.http import remote_address
from api.jobs.service import Jobs
from api.octoprint import old_users
from api.octoprint.absent import Absent
from api.octoprint.access import Access
from api.octoprint.addresses import SLUG_ROOT, Addresses
from api.octoprint.app_key_routes import AppKeyRoutes
from api.octoprint.app_keys import AppKeyRequests
from api.octoprint.body import form_fields
from api.octoprint.card_upload import CardUpload
from api.octoprint.connection import Connection
from api.octoprint.control import Control
from api.octoprint.cors import Cors
from api.octoprint.downloads import Downloads
from api.octoprint.file_commands import FileCommands
from api.octoprint.file_store import FileStore
from api.octoprint.hot import HotReads
from api.octoprint.job import JobFace
from api.octoprint.login_page import LoginPage, issue
from api.octoprint.orders import Orders
from api.octoprint.pool_face import PoolFace
from api.octoprint.preferences import PreferencesStore
from api.octoprint.profiles import ProfileFace
from api.octoprint.prompt import PromptFace
from api.octoprint.push import Push, PushEndpoint, PushRooms
from api.octoprint.push_company import Company
from api.octoprint.push_http import PushRequests
from api.octoprint.push_requests import OpenRequests
from api.octoprint.push_routes import PushRoutes
from api.octoprint.push_stage import Stages
from api.octoprint.route import Route
from api.octoprint.sdcard import SdCard
from api.octoprint.settings import SettingsFace
from api.octoprint.sign_in import SignIn
from api.octoprint.thumbnails import Thumbnails
from api.octoprint.upload import Upload
from api.octoprint.visitor import Visit, Visitors
from api.octoprint.wire import answer, plain, refuse
from api.pools.service import Pools
from api.principal import Denied
from api.printers.service import Printers
from api.telemetry.service import Telemetry
from api.uploads import MalformedForm

#: What OctoPrint owns below ``/api`` at the server's root, and besides it.
ROOT_AREAS = frozenset(
    {
        *("login", "logout", "currentuser", "version", "server", "connection", "files", "job"),
        *("printer", "printerprofiles", "settings", "slicing", "system", "timelapse", "access"),
        *("languages", "util", "plugin", "setup", "logs"),
    }
)
ROOT_PATHS = ("/sockjs", "/plugin/", "/downloads/", "/login/", "/online.", SLUG_ROOT)
SHARED = "/api/version"  # answered by v1 with the union of both dialects
_SLUG_ONLY = frozenset({"", "/", "/login", SHARED})  # the server's own are another's
_WITH_FORM = frozenset({"POST", "PUT", "PATCH"})


class Rooms(Protocol):
    """What the face needs of the rooms."""

    @property
    def ledger(self) -> Ledger:
        """Changes."""

    @property
    def accounts(self) -> Accounts:
        """People and keys."""

    @property
    def printers(self) -> Printers:
        """Printers."""

    @property
    def pools(self) -> Pools:
        """Pools."""

    @property
    def files(self) -> Files:
        """Files."""

    @property
    def analyst(self) -> Analyst:
        """Who analyses files."""

    @property
    def jobs(self) -> Jobs:
        """Jobs."""

    @property
    def commands(self) -> Commands:
        """Commands."""

    @property
    def card_writes(self) -> CardWrites:
        """Files that go to cards."""

    @property
    def telemetry(self) -> Telemetry:
        """What printers report."""

    @property
    def feed(self) -> Feed:
        """What happens, as it happens."""

    @property
    def sockets(self) -> Sockets:
        """Everybody's open sockets."""


class OctoPrintFace:
    """Every printer and every pool as an OctoPrint."""

    def __init__(self, rooms: Rooms, settings: Settings) -> None:
        self._push_routes = PushRoutes()
        self._denials: Denials | None = None
        self._addresses = Addresses(rooms.printers, rooms.pools)
        self._visitors = Visitors(
            rooms.accounts, rooms.printers, self._addresses, rooms.pools, settings.public_url
        )
        self._cors = Cors(rooms.accounts, self._addresses)
        store = PreferencesStore(rooms.ledger, rooms.printers)
        hot = HotReads(
            rooms.printers, rooms.telemetry, rooms.jobs, rooms.files, rooms.accounts, store
        )
        company = Company(rooms.feed.bus, rooms.feed.clock)
        sign_in = SignIn(rooms.accounts, self._visitors, company)
        orders = Orders(rooms.commands, rooms.telemetry, rooms.accounts)
        pools = PoolFace(rooms.pools, rooms.jobs, rooms.files, rooms.telemetry)
        profiles = ProfileFace(rooms.printers, pools, store)
        settings_face = SettingsFace(rooms.accounts, rooms.printers, rooms.pools, store, self._cors)
        machine = Machine(
            rooms.printers, rooms.commands, rooms.jobs.control, rooms.telemetry, rooms.ledger
        )
        card = SdCard(machine, orders, hot)
        jobs = JobFace(rooms.jobs, orders, hot, pools, card=card)
        to_card = CardUpload(rooms.card_writes, rooms.files, orders, hot)
        data_dir = settings.data_dir.absolute()
        files = FileStore(rooms.files, rooms.accounts, hot, pools, card=card, data_dir=data_dir)
        upload = Upload(
            *(rooms.files, self._visitors, files, jobs),
            card=to_card,
            hot=hot,
            max_bytes=settings.max_upload_bytes,
        )
        self._downloads = Downloads(rooms.files)
        connection = Connection(rooms.printers, rooms.jobs, orders, pools=pools, profiles=profiles)
        self.routes: tuple[Route, ...] = (
            *sign_in.routes(),
            *LoginPage(self._visitors, sign_in).routes(),
            *self._app_keys(rooms).routes(),
            *Access(rooms.accounts, self._visitors).routes(),
            *files.routes(),
            *upload.routes(),
            *FileCommands(
                rooms.files, rooms.analyst, files, jobs, hot=hot, card=card, uploads=to_card
            ).routes(),
            *Thumbnails(rooms.files).routes(),
            *self._downloads.routes(),
            *Control(machine, orders, hot, pools, store).routes(),
            *card.routes(),
            *PromptFace(machine, orders).routes(),
            *connection.routes(),
            *settings_face.routes(),
            *profiles.routes(),
            *Absent(data_dir).routes(),
            *jobs.routes(),
            *self._push_routes.routes(),
        )
        push_rooms = self._push(rooms, Stages(hot, rooms.pools, pools), company)
        push = Push(push_rooms, rooms.feed.clock, settings.public_url)
        self.push = PushEndpoint(push)
        self._requests = PushRequests(push)

    def _push(self, rooms: Rooms, stages: Stages, company: Company) -> PushRooms:
        requests = AppKeyRequests(rooms.accounts, rooms.ledger, rooms.printers.now)
        return PushRooms(
            accounts=rooms.accounts,
            feed=rooms.feed,
            sockets=rooms.sockets,
            visitors=self._visitors,
            addresses=self._addresses,
            cors=self._cors,
            stages=stages,
            requests=OpenRequests(requests, rooms.feed.bus),
            company=company,
        )

    def _app_keys(self, rooms: Rooms) -> AppKeyRoutes:
        requests = AppKeyRequests(rooms.accounts, rooms.ledger, rooms.printers.now)
        return AppKeyRoutes(requests, rooms.accounts, self._visitors, self._addresses)

    def push_requests(self, path: str) -> PushRequests | None:
        """Who serves push without a websocket at *path*; None: it is a page like any other."""
        is_push = self._push_routes.has_sockets and self._requests.owns(path)
        return self._requests if is_push else None

    def tell_of_denials(self, denials: Denials) -> None:
        """From now on *denials* hears of everybody who asks for what they may not do."""
        self._denials = denials

    def without_sockets(self) -> None:
        """Nothing is kept between requests here: push says that it is not there."""
        self._push_routes.has_sockets = False

    def send_to_the_store_above(self, max_bytes: int) -> None:
        """From now on whoever downloads more at once is sent to the object store, if there is one
        that they can reach.
        """
        self._downloads.max_bytes = max_bytes

    def register(self, quart: Quart) -> None:
        """Add every route under both roots, and what a browser asks before another site's page."""
        old_users.register(quart, self._visitors)
        for route in self.routes:
            for rule in _rules(route.path):
                quart.add_url_rule(
                    rule,
                    f"octoprint {route.method} {rule}",
                    self._view(route),
                    methods=[route.method],
                    provide_automatic_options=False,
                )
        for path in {route.path: None for route in self.routes}:
            for rule in _rules(path):
                quart.add_url_rule(
                    rule, f"octoprint OPTIONS {rule}", self._preflight, methods=["OPTIONS"]
                )
        quart.after_request(self._share)

    async def _share(self, response: Response) -> Response:
        """What v1 answers for both dialects is readable for the pages that OctoPrint's are; the
        server's own top brings the CSRF cookie, as every OctoPrint's.
        """
        if request.path == "/" and response.status_code == 200:
            issue(response, self._visitors.place(""))
        if request.path != SHARED:
            return response
        if request.method == "OPTIONS":
            return await self._cors.allow(response, "")
        await self._cors.mark(response, "")
        return response

    def _view(self, route: Route) -> Callable[..., Awaitable[Response]]:
        async def view(slug: str = "", **parameters: Any) -> Response:
            root = SLUG_ROOT + slug if slug else ""
            asked_from.set(remote_address())
            try:
                if not route.visits:
                    response = await route.handler(root, **parameters)
                else:
                    response = await route.handler(await self._visit(route, root), **parameters)
            except Problem as problem:
                response = refusal_of(problem)
                if isinstance(problem, Denied) and self._denials is not None:
                    rule = str(request.url_rule)
                    await self._denials.note(problem.by, request.method, rule, problem.code)
            await self._cors.mark(response, root)
            return response

        return view

    async def _preflight(self, slug: str = "", **parameters: Any) -> Response:
        del parameters
        response = await self._cors.preflight(SLUG_ROOT + slug if slug else "")
        plain = await current_app.make_default_options_response()
        response.headers["Allow"] = plain.headers["Allow"]
        return response

    async def _visit(self, route: Route, root: str) -> Visit:
        form = await form_fields() if request.method in _WITH_FORM else {}
        come = self._visitors.visit_to_stop if route.stops else self._visitors.visit
        visit = await come(root, form)
        if route.permission is not None:
            visit.require(route.permission)
        return visit

    # What the router itself refuses.

    def owns(self, path: str) -> bool:
        """Whether errors at *path* look as OctoPrint's do."""
        if path.startswith(ROOT_PATHS):
            return True
        head, _, rest = path.partition("/api/")
        return not head and rest.partition("/")[0] in ROOT_AREAS

    def refusal(self, path: str, error: HTTPException) -> Response | None:
        """The answer to *error* at *path*; None where v1 answers.

        What is unmatched below ``/api`` and nobody's gets the words of both dialects.
        """
        status = error.code or 500
        detail = error.name
        if self.owns(path):
            refused = refuse(detail, status)
            if isinstance(error, MethodNotAllowed) and error.valid_methods:
                refused.headers["Allow"] = ", ".join(sorted(error.valid_methods))
            return refused
        if path.startswith("/api/") and not path.startswith("/api/v1/") and status == 404:
            return answer({"detail": detail, "error": detail}, status)
        return None


def _rules(path: str) -> list[str]:
    """*path* under both roots; the server's own top and version are not this face's alone."""
    slug_rule = f"{SLUG_ROOT}<slug>{path}"
    return [slug_rule] if path in _SLUG_ONLY else [slug_rule, path]


def refusal_of(problem: Problem) -> Response:
    """*problem* in this dialect's form; plain text for who downloads, or sends half a form."""
    status = problem.kind.octoprint_status
    if "/downloads/" in request.path or isinstance(problem, MalformedForm):
        response = plain(problem.detail, status)
    else:
        response = refuse(problem.detail, status)
    if problem.kind.retriable:
        response.headers["Retry-After"] = str(problem.extra.get("retry_after_s", 1))
    return response
