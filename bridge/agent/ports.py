"""The serial ports of the room: what may be opened, and what has come or gone.

Only what is listed here is ever opened: USB ports that the machine shows, paths that the operator
wrote into `bridge.toml` or gave by flag, and simulated printers. An API can make the agent use one
of them and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bridge.serial.ports import UsbPort, path_port
from schemas.facts import Port

MAX_PORTS = 64
MAX_TEXT = 80

#: What the machine shows now. Raises nothing: no ports is an empty list.
Listing = Callable[[], Sequence[Port]]


class Ports:
    """The inventory. *paths* are extra devices, *virtual* maps a simulator's name to its device."""

    def __init__(self, usb: Listing, paths: Sequence[str], virtual: Mapping[str, Path]) -> None:
        self._usb = usb
        self._paths = paths
        self._virtual = virtual
        self._ports: dict[str, Port] = {}
        #: the socket in which a board was alone with its serial number, until others were seen
        self._sockets: dict[str, str] = {}
        self._shared: set[str | None] = set()

    def scan(self) -> bool:
        """Look again; True when a port came, went or moved. May take milliseconds."""
        found = {port.port_id: port for port in self._look()[:MAX_PORTS]}
        changed = found != self._ports
        self._ports = found
        usb = [port for port in found.values() if isinstance(port, UsbPort)]
        self._shared |= {each.serial_id for each in usb if each.port_id != each.serial_id} - {None}
        for port in usb:
            if port.port_id == port.serial_id and port.port_id not in self._shared:
                self._sockets[port.port_id] = port.socket_id
        return changed

    def listed(self, users: Mapping[str, int]) -> list[Port]:
        """Every port, with its printer where *users* (port_id to printer) names one."""
        return [_shown(port, users) for port in self._ports.values()]

    def device(self, port_id: str) -> str | None:
        """Where this port is now; None: not plugged in, or not one of ours."""
        port = None if port_id in self._shared else self._ports.get(port_id)
        port = port or self._renamed(port_id)
        return port.device if port is not None and port.error is None else None

    def _renamed(self, port_id: str) -> Port | None:
        """The port that was called *port_id* when other boards were plugged in."""
        socket_id = self._sockets.get(port_id, port_id)
        return next(
            (
                port
                for port in self._ports.values()
                if isinstance(port, UsbPort)
                and port.socket_id == socket_id
                and port_id in (port.serial_id, port.socket_id)
            ),
            None,
        )

    def _look(self) -> list[Port]:
        ports = [_trimmed(port) for port in self._usb()]
        ports += [_path_port(path) for path in self._paths]
        ports += [
            Port(
                port_id=f"virtual:{name}",
                device=str(device),
                description=f"simulated printer {name}",
                kind="virtual",
                error=None if device.exists() else "the simulator is not running",
            )
            for name, device in self._virtual.items()
        ]
        return ports


def _shown(port: Port, users: Mapping[str, int]) -> Port:
    names = [port.port_id]
    if isinstance(port, UsbPort):
        names += [port.socket_id, port.serial_id or ""]
    printer = next((users[name] for name in names if name in users), None)
    return Port(
        port_id=port.port_id,
        device=port.device,
        description=port.description,
        kind=port.kind,
        usb_id=port.usb_id,
        serial_number=port.serial_number,
        printer=printer,
        error=port.error,
    )


def _path_port(path: str) -> Port:
    missing = None if Path(path).exists() else f"{path} does not exist"
    return msgspec.structs.replace(path_port(path), error=missing)


def _trimmed(port: Port) -> Port:
    return msgspec.structs.replace(port, description=port.description[:MAX_TEXT])
