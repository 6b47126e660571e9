"""Plugs in a room's network that feed printers: which there are, and where one may be. Pure.

v1 contract, 2.3; safety case M27. A bridge speaks to nothing but the addresses that these rules
let through, whatever it is told: no names, which somebody else resolves, and nothing outside of
the room's own network.
"""

import ipaddress
from enum import StrEnum

#: What an agent says in its hello when it reaches plugs.
CAPABILITY = "plugs"
#: Above this a nozzle wants its fan: its power is cut only by who insists.
HOT_C = 50.0
HTTP_PORT = 80
_FIRST_FREE_PORT = 1024
_MAX_PORT = 65535

_ROOMS = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


class PlugKind(StrEnum):
    """Plugs that a bridge can speak to, by their own HTTP interface."""

    TASMOTA = "tasmota"
    SHELLY = "shelly"


def address_of(host: str) -> tuple[str, int]:
    """Address and port of *host*, as in 192.168.1.30, 192.168.1.30:8080 or [fd00::7]:80.

    Raises `ValueError`, for a person, for what is no address of a room's own network.
    """
    text, port = _parted(host.strip())
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(
            f"{host[:60]!r} is no address: give the plug's IP address, as in 192.168.1.30."
        ) from None
    if "%" in text or not any(address in network for network in _ROOMS):
        raise ValueError(
            f"{text} is not in a room's own network (10.x, 172.16-31.x, 192.168.x, fd…): bridges "
            "reach no other plugs."
        )
    if port != HTTP_PORT and not _FIRST_FREE_PORT <= port <= _MAX_PORT:
        raise ValueError(f"Port {port} is no plug's: 80, or 1024 to 65535.")
    return str(address), port


def _parted(host: str) -> tuple[str, int]:
    if host.startswith("["):
        text, _, rest = host[1:].partition("]")
        after = rest.removeprefix(":") if rest.startswith(":") else rest
    elif host.count(":") == 1:
        text, _, after = host.partition(":")
    else:
        text, after = host, ""
    if not after:
        return text, HTTP_PORT
    if not (after.isascii() and after.isdigit() and len(after) <= len(str(_MAX_PORT))):
        raise ValueError(f"{after[:20]!r} is no port.")
    return text, int(after)
