"""Which ports there are, under names that survive re-plugging and reboots (serial 1 and 11).

A `port_id` is `usb:VID:PID:SERIAL` where the device has a serial number of its own, else
`usb-path:LOCATION`, the socket it is plugged into. `path:/dev/…` names any tty by its path.

Many boards share one serial number (`0001`): as soon as a second one is plugged in both go by their
sockets, and the last one that is left by its number again. So a port is found by either name.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from schemas.facts import Port

PATH_PREFIX = "path:"


class UsbPort(Port, frozen=True, kw_only=True):
    """A USB port with both of its names; *serial_id* may be that of other ports, too."""

    serial_id: str | None
    socket_id: str


def list_usb_ports() -> list[UsbPort]:
    """The USB serial ports that are plugged in now, by `port_id`."""
    return identify(list_ports.comports())


def identify(found: Iterable[ListPortInfo]) -> list[UsbPort]:
    """Name the USB ports of *found*; two boards with one serial number go by their sockets."""
    usb = [info for info in found if info.vid is not None]
    names = Counter(map(_serial_id, usb))
    ports = []
    for info in usb:
        serial_id, socket_id = _serial_id(info), f"usb-path:{info.location or info.name}"
        alone = serial_id is not None and names[serial_id] == 1
        ports.append(
            UsbPort(
                port_id=serial_id if serial_id is not None and alone else socket_id,
                serial_id=serial_id,
                socket_id=socket_id,
                device=info.device,
                description=_description(info),
                usb_id=f"{info.vid:04x}:{info.pid or 0:04x}",
                serial_number=info.serial_number,
            )
        )
    return sorted(ports, key=lambda port: port.port_id)


def path_port(device: str) -> Port:
    """A port that is named by its path: it exists as long as the path does."""
    return Port(port_id=f"{PATH_PREFIX}{device}", device=device, description=device, kind="path")


def device_of(port_id: str, ports: Iterable[Port]) -> str | None:
    """Where the port *port_id* is now, None when it is not plugged in."""
    for port in ports:
        if port.port_id == port_id:
            return port.device
    if port_id.startswith(PATH_PREFIX):
        device = port_id.removeprefix(PATH_PREFIX)
        return device if Path(device).exists() else None
    return None


def _serial_id(info: ListPortInfo) -> str | None:
    if not info.serial_number:
        return None
    return f"usb:{info.vid:04x}:{info.pid or 0:04x}:{info.serial_number}"


def _description(info: ListPortInfo) -> str:
    words = [word for word in (info.manufacturer, info.product) if word and word != "n/a"]
    return " ".join(words) or info.description or info.name
