"""Where an OctoPrint lives as its client sees it: script root, links, cookies (contract, 1 and 2).

A proxy's headers shape links in the answers; those of anybody who is no proxy of ours have been
taken away at the door (`api.proxies`).
"""

import re
from dataclasses import dataclass

from quart import request

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_HOST = re.compile(r"[A-Za-z0-9._~\[\]:-]{1,255}")


@dataclass(frozen=True, slots=True)
class Place:
    """One script root: *origin* is scheme and host, *root* the path in front of `/api`."""

    origin: str
    root: str
    port: int
    secure: bool

    @property
    def base(self) -> str:
        """What every generated URL begins with."""
        return self.origin + self.root

    @property
    def cookie_suffix(self) -> str:
        """Keeps the cookies of many OctoPrints on one host apart."""
        root = self.root.replace("/", "|")
        return f"_P{self.port}" + (f"_R{root}" if root else "")

    @property
    def cookie_path(self) -> str:
        """The path that a cookie of this OctoPrint is sent to."""
        return f"{self.root}/"


def place_of(root: str, public_url: str) -> Place:
    """The place of this request under *root*; *public_url* (a setting) wins over the request."""
    headers = request.headers
    prefix = headers.get("X-Script-Name") or headers.get("X-Forwarded-Prefix") or ""
    prefix = prefix.rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        prefix = ""
    scheme = headers.get("X-Forwarded-Proto") or headers.get("X-Scheme") or request.scheme
    if scheme not in ("http", "https"):
        scheme = request.scheme
    host = _host(scheme)
    origin = public_url.rstrip("/") if public_url else f"{scheme}://{host}"
    return Place(origin, prefix + root, _port(host, scheme), scheme == "https")


def _host(scheme: str) -> str:
    headers = request.headers
    host = headers.get("X-Forwarded-Host") or request.host
    port = headers.get("X-Forwarded-Port", "")
    standard = {"http": "80", "https": "443"}[scheme]
    if port.isdigit() and len(port) <= 5 and ":" not in host.rpartition("]")[2]:
        host = host if port == standard else f"{host}:{port}"
    return host if _HOST.fullmatch(host) else request.host


def _port(host: str, scheme: str) -> int:
    port = host.rpartition("]")[2].rpartition(":")[2]
    if port.isdigit() and ":" in host:
        return int(port[:5])
    return 443 if scheme == "https" else 80
