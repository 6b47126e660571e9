"""Printer profiles and settings (OctoPrint contract, section 4): read, changed in v1."""

from datetime import UTC, datetime
from typing import Any

from quart import Response, request

from api.errors import NotFound
from api.octoprint.printer_document import PROFILE_ID, profile_document, settings_document
from api.octoprint.route import Route
from api.octoprint.visitor import Visit
from api.octoprint.wire import Validators, answer
from api.printers.service import Printers


class Machine:
    """What the machine is."""

    def __init__(self, printers: Printers) -> None:
        self._printers = printers
        self._validators = Validators()

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/api/printerprofiles", self.profiles, "printers.control"),
            Route("GET", "/api/printerprofiles/<profile>", self.profile, "printers.control"),
            Route("GET", "/api/settings", self.settings, "printers.read"),
        )

    async def profiles(self, visit: Visit) -> Response:
        """The one profile that a printer has."""
        return self._revalidated(visit, {"profiles": {PROFILE_ID: self._profile(visit)}})

    async def profile(self, visit: Visit, profile: str) -> Response:
        """The profile by its id."""
        if profile != PROFILE_ID:
            raise NotFound(f"There is no printer profile {profile!r}.")
        return answer(self._profile(visit))

    async def settings(self, visit: Visit) -> Response:
        """The parts of the settings that apps read."""
        printer = visit.printer
        return self._revalidated(visit, settings_document(printer.name, printer.camera_url or ""))

    def _profile(self, visit: Visit) -> dict[str, Any]:
        printer = visit.printer
        profile = self._printers.profile(printer)
        return profile_document(profile, printer.name, printer.model or "", visit.place.base)

    def _revalidated(self, visit: Visit, document: dict[str, Any]) -> Response:
        key = f"{visit.printer.id} {visit.place.base} {request.path}"
        return self._validators.answer(key, document, datetime.now(UTC))
