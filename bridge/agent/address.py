"""The API's address: what is allowed, and the URLs made from it (DESIGN, First hour). Pure.

Plain http and ws are for loopback only, unless the operator says otherwise with `--insecure`.
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from bridge.agent.errors import PairingError
from schemas.link import LINK_PATH

_SECURE = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an API, without a slash at the end."""

    http: str

    @property
    def link(self) -> str:
        """The URL of the websocket."""
        return "ws" + self.http.removeprefix("http") + LINK_PATH

    def link_told(self, told: str | None) -> str:
        """The websocket's URL when the API named one: a gateway has its own. None: `link`.

        Raises `PairingError` for one that is not encrypted although the API's address is.
        """
        if not told:
            return self.link
        insecure = self.http.startswith("http://")
        address = parse(told, insecure=insecure)
        return "ws" + address.http.removeprefix("http")

    @property
    def uses_proxy(self) -> bool:
        """Whether the machine's proxy settings count: never for this machine itself."""
        return not _is_loopback(urlsplit(self.http).hostname or "")

    def at(self, path: str) -> str:
        """The URL of *path*, which begins with a slash."""
        return self.http + path


def parse(url: str, *, insecure: bool = False) -> Address:
    """The address in *url*. Raises `PairingError` when it cannot or must not be used."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    scheme = _SECURE.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise PairingError(f"{url!r} is no address of an API; use https://HOST[:PORT]")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PairingError(f"{parts.hostname}: the address takes no credentials and no parameters")
    if scheme == "http" and not insecure and not _is_loopback(parts.hostname):
        raise PairingError(
            f"{url} is not encrypted: anybody on the way could drive your printers. "
            "Use https://, or --insecure if this network is yours alone"
        )
    return Address(urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", "")))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
