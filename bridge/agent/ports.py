"""The serial ports of the room: what may be opened, and what has come or gone.

Only what is listed here is ever opened: USB ports that the machine shows, paths that the operator
wrote into `bridge.toml` or gave by flag, and simulated printers. An API can make the agent use one
of them and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bridge.serial.ports import path_port
from schemas.link import Port

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

    def scan(self) -> bool:
        """Look again; True when a port came, went or moved. May take milliseconds."""
        found = {port.port_id: port for port in self._look()[:MAX_PORTS]}
        changed = found != self._ports
        self._ports = found
        return changed

    def listed(self, users: Mapping[str, int]) -> list[Port]:
        """Every port, with its printer where *users* (port_id to printer) names one."""
        return [
            msgspec.structs.replace(port, printer=users.get(port.port_id))
            for port in self._ports.values()
        ]

    def device(self, port_id: str) -> str | None:
        """Where this port is now; None: not plugged in, or not one of ours."""
        port = self._ports.get(port_id)
        return port.device if port is not None and port.error is None else None

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


def _path_port(path: str) -> Port:
    missing = None if Path(path).exists() else f"{path} does not exist"
    return msgspec.structs.replace(path_port(path), error=missing)


def _trimmed(port: Port) -> Port:
    return msgspec.structs.replace(port, description=port.description[:MAX_TEXT])
