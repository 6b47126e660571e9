"""Which names this server answers to, once it was told its own (safety S06). Pure.

A link made from a foreign Host header leads who follows it to somebody else, and a page of somebody
else whose name was made to point here (DNS rebinding) is same-origin with us. With
`GANTRY_PUBLIC_URL` links are made from that alone, and other names are refused; addresses and
localhost are not names that anybody else can point here.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit


class OwnHosts:
    """The names of the server at *public_url*; empty: every name is taken."""

    def __init__(self, public_url: str) -> None:
        self._netloc = urlsplit(public_url).netloc.lower()
        self._name = (urlsplit(public_url).hostname or "").lower()

    def take(self, host: str) -> bool:
        """Whether a request for *host* (a Host header, with or without port) is for us."""
        if not self._name:
            return True
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower().rstrip(".")
        except ValueError:
            return False
        return name in (self._name, "localhost") or _is_address(name)

    def is_own_page(self, origin: str, host: str) -> bool:
        """Whether a page of *origin* is ours: of *host*, as asked for, or of the public name."""
        netloc = urlsplit(origin).netloc
        return netloc == host or (bool(self._netloc) and netloc.lower() == self._netloc)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
