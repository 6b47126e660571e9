"""What a user interface asks for in the first hour, after the first admin is made (v1 1.2, 2.1).

Printers hang on serial ports of rooms, not on the network, so a trial looks whether a room sees the
port and reaches out to nothing. All of it is refused once the set-up was declared complete.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Protocol

from api.errors import Forbidden, Invalid
from api.events.service import Change, Ledger
from api.policies.service import NETWORK
from api.principal import Principal
from api.printers.forms import PrinterCreate

#: How clients call a printer on a serial port.
_SERIAL = frozenset({"", "usb", "serial", "gantry", "octoprint", "marlin", "klipper"})


class SetupState(Protocol):
    """How far the first hour has come."""

    @property
    def is_complete(self) -> bool:
        """Whether it was declared over."""


class AccountsRoom(Protocol):
    """Who knows how far the first hour has come."""

    async def setup_state(self) -> SetupState:
        """How far."""


class BridgesRoom(Protocol):
    """Rooms with their ports."""

    async def list(self, by: Principal) -> Sequence[Any]:
        """The bridges of the caller's organization."""

    async def ports(self, by: Principal, bridge_id: int) -> Sequence[Any]:
        """What the agent last saw there. Raises `NotFound`."""

    def online(self, bridge_id: int) -> bool:
        """Whether its agent is there."""


class PrintersRoom(Protocol):
    """Where printers are made."""

    async def create(self, by: Principal, new: PrinterCreate) -> Any:
        """Make one. Raises `Problem`."""


class Rules(Protocol):
    """What is kept for the whole farm."""

    async def kept(self, name: str) -> Mapping[str, Any]:
        """A rule by its name."""

    async def keep(self, change: Change, name: str, value: Mapping[str, Any]) -> None:
        """Another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Whether a printer can be reached there; *problem* says why not and what to do."""

    success: bool
    state: str | None = None
    problem: str | None = None


class FirstSteps:
    """The first printer, and where the farm is."""

    def __init__(
        self,
        accounts: AccountsRoom,
        bridges: BridgesRoom,
        printers: PrintersRoom,
        rules: Rules,
        ledger: Ledger,
    ) -> None:
        self._accounts = accounts
        self._bridges = bridges
        self._printers = printers
        self._rules = rules
        self._ledger = ledger

    async def check_open(self) -> None:
        """Raises `Forbidden` (setup_complete) once the first hour is over."""
        if (await self._accounts.setup_state()).is_complete:
            raise Forbidden("Setup already completed", code="setup_complete")

    async def try_printer(
        self, by: Principal, api_type: str, bridge_id: int | None, port_id: str | None
    ) -> Trial:
        """Whether a room sees that port, or any. Raises `NotFound` (the room), `Forbidden`."""
        await self.check_open()
        by.require("printers.write")
        if api_type.lower() not in _SERIAL:
            return Trial(
                success=False,
                problem=f"Printers hang on serial ports of a room here; {api_type[:30]!r} is not "
                "reached over the network. Pair a bridge in its room, then name bridge_id and "
                "port_id.",
            )
        rooms = await self._bridges.list(by)
        if bridge_id is None and not rooms:
            return Trial(
                success=False,
                problem="No bridge is paired yet: run `python -m bridge pair` in the room with "
                "the printers and confirm its code.",
            )
        ids = [room.id for room in rooms] if bridge_id is None else [bridge_id]
        seen = {one: [port.port_id for port in await self._bridges.ports(by, one)] for one in ids}
        return self._found(seen, port_id)

    def _found(self, seen: Mapping[int, Collection[str]], port_id: str | None) -> Trial:
        there = [
            bridge_id
            for bridge_id, ports in seen.items()
            if (port_id in ports if port_id else bool(ports))
        ]
        if not there:
            named = f"No room sees the port {port_id[:100]!r}" if port_id else "No room sees a port"
            listed = ", ".join(port for ports in seen.values() for port in ports) or "none"
            return Trial(success=False, problem=f"{named}; there are: {listed}.")
        if not any(self._bridges.online(one) for one in there):
            return Trial(
                success=False,
                state="offline",
                problem="The room is known but its agent is away: is it running, has it network?",
            )
        return Trial(success=True, state="found")

    async def add_printer(self, by: Principal, new: PrinterCreate) -> Any:
        """Make a printer in the first hour. Raises `Forbidden`, and as `Printers.create`."""
        await self.check_open()
        return await self._printers.create(by, new)

    async def host_ip(self, by: Principal) -> str:
        """The address that was set for links; "" for none. Raises `Forbidden`."""
        await self.check_open()
        by.require("self.read")
        return str((await self._rules.kept(NETWORK)).get("host_ip", ""))

    async def set_host_ip(self, by: Principal, text: str) -> str:
        """Links for agents lead to this address unless GANTRY_PUBLIC_URL says otherwise.

        Raises `Invalid`, `Forbidden`.
        """
        await self.check_open()
        by.require("farm.admin")
        try:
            address = ip_address(text.strip())
        except ValueError:
            raise Invalid("host_ip takes an address, as in 192.168.1.20.") from None
        if address.is_unspecified or address.is_multicast or address.is_loopback:
            raise Invalid(f"Nobody reaches this server at {address} from another machine.")
        async with self._ledger.change() as change:
            await self._rules.keep(change, NETWORK, {"host_ip": str(address)})
            change.note(by, "setup.network_set", ("config", NETWORK), host_ip=str(address))
        return str(address)
