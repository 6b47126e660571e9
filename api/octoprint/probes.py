"""`POST /api/util/test`: whether something could be used, in OctoPrint's words (contract, 4). Pure.

Nothing is looked at or fetched, so that nobody learns of the farm's disk or network by it: a path
is not there, a server does not answer, a name leads nowhere; only what a text alone tells is told.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from api.errors import Invalid
from api.octoprint.settings_document import web_address

_MAX_CHARS = 500

Body = Mapping[str, Any]


def probe(body: Body, remote_address: str) -> dict[str, Any]:
    """The answer to *body* from *remote_address*. Raises `Invalid`."""
    command = body.get("command")
    if not isinstance(command, str) or command not in _PROBES:
        raise Invalid(f"command takes {', '.join(_PROBES)}.")
    return _PROBES[command]({"address": remote_address, **body})


def _path(body: Body) -> dict[str, Any]:
    no = dict.fromkeys(("exists", "typeok", "broken_symlink", "access", "result"), False)
    return {"path": _text(body, "path"), **no}


def _url(body: Body) -> dict[str, Any]:
    url = _text(body, "url")
    try:
        web_address("url", url)
    except Invalid as refused:
        return {"url": url, "status": 0, "result": False, "error": refused.detail}
    return {"url": url, "status": 0, "result": True}


def _server(body: Body) -> dict[str, Any]:
    port, protocol = body.get("port"), body.get("protocol", "tcp")
    if not str(port).isdecimal() or not 0 < int(str(port)[:6]) < 65536:
        raise Invalid("port takes a number from 1 to 65535.")
    if protocol not in ("tcp", "udp"):
        raise Invalid("protocol takes tcp or udp.")
    found = {"host": _text(body, "host"), "port": int(str(port)), "protocol": protocol}
    return {**found, "result": False}


def _resolution(body: Body) -> dict[str, Any]:
    return {"name": _text(body, "name"), "result": False}


def _address(body: Body) -> dict[str, Any]:
    text = _text(body, "address")
    try:
        is_lan = ipaddress.ip_address(text).is_private
    except ValueError:
        raise Invalid("address takes an IP address.") from None
    return {"address": text, "is_lan_address": is_lan}


def _text(body: Body, name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or len(found) > _MAX_CHARS:
        raise Invalid(f"{name} is missing, or no text of at most {_MAX_CHARS} characters.")
    return found


_PROBES: Mapping[str, Callable[[Body], dict[str, Any]]] = {
    "path": _path,
    "url": _url,
    "server": _server,
    "resolution": _resolution,
    "address": _address,
}
