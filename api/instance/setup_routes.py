"""The v1 routes of the first hour after the first admin (v1 1.2, 2.1 `/setup/…`)."""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints
from quart import Response, request

from api.config import Settings
from api.describe import Answer, Doc
from api.http import Body, RowId, json_answer, json_body
from api.instance.first_steps import FirstSteps
from api.principal import Principal
from api.printers.bodies import PrinterCreateBody
from api.v1 import V1, caller

_Short = Annotated[str, StringConstraints(max_length=200)]


class TrialBody(Body):
    """Which printer to look for. Network addresses and keys are ignored: nothing is called."""

    api_type: Annotated[str, StringConstraints(max_length=50)] | None = None
    api_host: _Short | None = None
    serial: _Short | None = None
    access_code: _Short | None = None
    bridge_id: RowId | None = Field(None, description="The room; null: any")
    port_id: _Short | None = Field(None, description="The port; null: any")


class HostBody(Body):
    """Where other machines reach this server."""

    host_ip: Annotated[str, StringConstraints(min_length=1, max_length=64)]


class TrialAnswer(Answer):
    """Whether a printer can be reached."""

    success: bool
    state: str | None
    error: str | None = Field(description="Why not, and what to do")
    bed_temp: float | None = Field(description="°C; null: nobody has asked the printer")
    nozzle_temp: float | None = Field(description="°C; null: nobody has asked the printer")
    ams_slots: int


class SetupPrinterAnswer(Answer):
    """The printer that was made."""

    id: int
    name: str
    status: Literal["created"]


class NetworkAnswer(Answer):
    """Where this server is."""

    detected_ip: str = Field(description='As the caller reached it; "" by a name')
    configured_ip: str = Field(description='As it was set; "" for not')


class HostAnswer(Answer):
    """Where links lead from now on."""

    success: Literal[True]
    host_ip: str


_TRY = Doc(
    summary="Whether a room sees a printer's port; in the first hour only",
    description="Asks for a credential while it is open, and for nothing once it is over.",
    answer=TrialAnswer,
    body=TrialBody,
    problems=("setup_complete", "not_authenticated", "permission_denied", "bridge_not_found"),
)
_ADD = Doc(
    summary="Make a printer, in the first hour only",
    answer=SetupPrinterAnswer,
    body=PrinterCreateBody,
    right="printers.write",
    problems=(
        *("setup_complete", "bad_request", "name_taken", "port_not_found", "port_in_use"),
        *("bridge_not_found", "profile_not_found"),
    ),
)
_NETWORK = Doc(
    summary="Where this server is, in the first hour only",
    answer=NetworkAnswer,
    right="self.read",
    problems=("setup_complete",),
)
_SET_NETWORK = Doc(
    summary="Where links for agents lead, in the first hour only",
    answer=HostAnswer,
    body=HostBody,
    right="farm.admin",
    problems=("setup_complete", "bad_request"),
)


class SetupRoutes:
    """`/setup/test-printer`, `/setup/printer`, `/setup/network`."""

    def __init__(
        self, steps: FirstSteps, settings: Settings, who: Callable[[], Awaitable[Principal]]
    ) -> None:
        """*who*: the caller of a public route. Raises `NotAuthenticated`."""
        self._steps = steps
        self._public_url = settings.public_url
        self._who = who

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("POST", "/setup/test-printer", self.try_printer, _TRY, public=True)
        v1.add("POST", "/setup/printer", self.add_printer, _ADD)
        v1.add("GET", "/setup/network", self.network, _NETWORK)
        v1.add("POST", "/setup/network", self.set_network, _SET_NETWORK)

    async def try_printer(self) -> Response:
        """Whether it is there."""
        await self._steps.check_open()
        by = await self._who()
        body = await json_body(TrialBody)
        found = await self._steps.try_printer(by, body.api_type or "", body.bridge_id, body.port_id)
        return json_answer(
            {
                "success": found.success,
                "state": found.state,
                "error": found.problem,
                "bed_temp": None,
                "nozzle_temp": None,
                "ams_slots": 0,
            }
        )

    async def add_printer(self) -> Response:
        """The first printer."""
        await self._steps.check_open()
        body = await json_body(PrinterCreateBody)
        row = await self._steps.add_printer(caller(), body.form())
        return json_answer({"id": row.id, "name": row.name, "status": "created"})

    async def network(self) -> Response:
        """Where it is."""
        kept = await self._steps.host_ip(caller())
        return json_answer(
            {
                "detected_ip": _address_of(f"//{request.host}"),
                "configured_ip": _address_of(self._public_url) or kept,
            }
        )

    async def set_network(self) -> Response:
        """Where it is from now on."""
        await self._steps.check_open()
        body = await json_body(HostBody)
        host_ip = await self._steps.set_host_ip(caller(), body.host_ip)
        return json_answer({"success": True, "host_ip": host_ip})


def _address_of(url: str) -> str:
    """The host of *url* when it is an address that others reach; else ""."""
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return ""
    return "" if address.is_loopback or address.is_unspecified else str(address)
