"""The OctoPrint face: one table of routes, served once per printer and once at the server's root.

``/octoprint/{slug}/…`` is the printer with that slug; at the root it is the printer that the key
is bound to or, failing that, the organization's first one. The root's ``/api/version`` is not
here: there both dialects answer together. Contract: OctoPrint, sections 0 to 6; DESIGN 5 and 7.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from quart import Quart, Response, request
from werkzeug.exceptions import HTTPException

from api.accounts.service import Accounts
from api.commands.service import Commands
from api.config import Settings
from api.errors import Problem
from api.files.service import Files
from api.jobs.service import Jobs
from api.octoprint.control import Control
from api.octoprint.downloads import Downloads
from api.octoprint.file_commands import FileCommands
from api.octoprint.file_store import FileStore
from api.octoprint.hot import HotReads
from api.octoprint.job import JobFace
from api.octoprint.machine import Machine
from api.octoprint.orders import Orders
from api.octoprint.sign_in import SignIn
from api.octoprint.upload import Upload
from api.octoprint.visitor import SLUG_ROOT, Visit, Visitors, form_fields, require
from api.octoprint.wire import answer, plain, refuse
from api.printers.service import Printers
from api.telemetry.service import Telemetry

#: What OctoPrint owns below ``/api`` at the server's root, and besides it.
ROOT_AREAS = frozenset(
    {
        *("login", "logout", "currentuser", "version", "server", "connection", "files", "job"),
        *("printer", "printerprofiles", "settings", "slicing", "system", "timelapse", "access"),
        *("languages", "util", "plugin", "setup"),
    }
)
ROOT_PATHS = ("/sockjs", "/plugin/", "/downloads/", "/login/", "/online.txt", SLUG_ROOT)

Seen = Callable[..., Awaitable[Response]]


class Rooms(Protocol):
    """What the face needs of the rooms."""

    @property
    def accounts(self) -> Accounts:
        """People and keys."""

    @property
    def printers(self) -> Printers:
        """Printers."""

    @property
    def files(self) -> Files:
        """Files."""

    @property
    def jobs(self) -> Jobs:
        """Jobs."""

    @property
    def commands(self) -> Commands:
        """Commands."""

    @property
    def telemetry(self) -> Telemetry:
        """What printers report."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table.

    *right*: what the caller needs; None: the handler checks that itself. *visits* False: the
    handler gets the script root alone and finds out who asks.
    """

    method: str
    path: str
    handler: Seen
    right: str | None = None
    visits: bool = True


class OctoPrintFace:
    """Every printer as an OctoPrint."""

    def __init__(self, rooms: Rooms, settings: Settings) -> None:
        self._visitors = Visitors(rooms.accounts, rooms.printers, settings.public_url)
        hot = HotReads(rooms.printers, rooms.telemetry, rooms.jobs, rooms.files, rooms.accounts)
        orders = Orders(rooms.commands, rooms.telemetry)
        jobs = JobFace(rooms.jobs, orders, hot)
        store = FileStore(rooms.files, rooms.accounts, hot, settings.data_dir.absolute())
        sign_in = SignIn(rooms.accounts, self._visitors)
        upload = Upload(
            rooms.files,
            self._visitors,
            store,
            jobs,
            hot=hot,
            max_bytes=settings.max_upload_bytes,
        )
        self.routes: tuple[Route, ...] = (
            *_sign_in_routes(sign_in),
            *_file_routes(
                store, upload, FileCommands(rooms.files, store, jobs, hot), Downloads(rooms.files)
            ),
            *_printer_routes(Control(rooms.printers, rooms.jobs, orders, hot)),
            *_machine_routes(Machine(rooms.printers)),
            Route("GET", "/api/job", jobs.job, "printers.read"),
            Route("POST", "/api/job", jobs.command),
        )

    def register(self, quart: Quart) -> None:
        """Add every route under both roots."""
        for route in self.routes:
            view = self._view(route)
            roots = [f"{SLUG_ROOT}<slug>"]
            if route.path != "/api/version":
                roots.append("")
            for root in roots:
                rule = root + route.path
                quart.add_url_rule(
                    rule, f"octoprint {route.method} {rule}", view, methods=[route.method]
                )

    def _view(self, route: Route) -> Callable[..., Awaitable[Response]]:
        async def view(slug: str = "", **parameters: Any) -> Response:
            root = SLUG_ROOT + slug if slug else ""
            try:
                if not route.visits:
                    return await route.handler(root, **parameters)
                return await route.handler(await self._visit(route, root), **parameters)
            except Problem as problem:
                return _refusal_of(problem)

        return view

    async def _visit(self, route: Route, root: str) -> Visit:
        form = await form_fields() if request.method == "POST" else {}
        visit = await self._visitors.visit(root, form)
        if route.right is not None:
            require(visit.by, route.right)
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
            return refuse(detail, status)
        if path.startswith("/api/") and not path.startswith("/api/v1/") and status == 404:
            return answer({"detail": detail, "error": detail}, status)
        return None


def _refusal_of(problem: Problem) -> Response:
    status = problem.kind.octoprint_status
    if "/downloads/" in request.path:
        response = plain(problem.detail, status)
    else:
        response = refuse(problem.detail, status)
    if problem.kind.retriable:
        response.headers["Retry-After"] = str(problem.extra.get("retry_after_s", 1))
    return response


def _sign_in_routes(sign_in: SignIn) -> tuple[Route, ...]:
    return (
        Route("GET", "/api/version", sign_in.version, "printers.read"),
        Route("GET", "/api/server", sign_in.server, "printers.read"),
        Route("POST", "/api/login", sign_in.login, visits=False),
        Route("POST", "/api/logout", sign_in.logout, visits=False),
        Route("GET", "/api/currentuser", sign_in.current_user, visits=False),
    )


def _file_routes(
    store: FileStore, upload: Upload, commands: FileCommands, downloads: Downloads
) -> tuple[Route, ...]:
    one = "/api/files/<origin>/<path:path>"
    return (
        Route("GET", "/api/files", store.everything, "files.read"),
        Route("POST", "/api/files/test", store.sanitized, "files.read"),
        Route("GET", "/api/files/<origin>", store.origin, "files.read"),
        Route("POST", "/api/files/<origin>", upload.upload, visits=False),
        Route("GET", one, store.one, "files.read"),
        Route("POST", one, commands.command, "files.read"),
        Route("DELETE", one, store.delete, "files.write"),
        Route("GET", "/downloads/files/local/<path:path>", downloads.download, "files.read"),
    )


def _printer_routes(control: Control) -> tuple[Route, ...]:
    see, move = "printers.read", "printers.control"
    return (
        Route("GET", "/api/printer", control.printer, see),
        Route("GET", "/api/printer/tool", control.tools, see),
        Route("POST", "/api/printer/tool", control.tool, move),
        Route("GET", "/api/printer/bed", control.bed, see),
        Route("POST", "/api/printer/bed", control.heat_bed, move),
        Route("GET", "/api/printer/chamber", control.chamber, see),
        Route("POST", "/api/printer/chamber", control.heat_chamber, move),
        Route("POST", "/api/printer/printhead", control.head, move),
        Route("POST", "/api/printer/command", control.terminal, move),
        Route("GET", "/api/printer/command/custom", control.custom_controls, see),
        Route("GET", "/api/printer/sd", control.card, see),
        Route("POST", "/api/printer/sd", control.card, move),
        Route("GET", "/api/printer/error", control.error, see),
        Route("GET", "/api/connection", control.connection, see),
        Route("POST", "/api/connection", control.connect, move),
    )


def _machine_routes(machine: Machine) -> tuple[Route, ...]:
    return (
        Route("GET", "/api/printerprofiles", machine.profiles, "printers.control"),
        Route("GET", "/api/printerprofiles/<profile>", machine.profile, "printers.control"),
        Route("GET", "/api/settings", machine.settings, "printers.read"),
    )
