"""Whose word about the client is taken: only that of proxies that the settings list (safety S05).

Decided once, at the door of the application: what comes from anybody else loses every header that
claims to know better who is asking and where; behind a listed proxy the client is the nearest hop
that is not one of ours. Everybody further in may read what is left.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Networks = tuple[IPv4Network | IPv6Network, ...]
Headers = Sequence[tuple[bytes, bytes]]

#: Headers that shape addresses and links; a listed proxy sets them.
_SHAPING = frozenset(
    {
        *(b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-prefix"),
        *(b"x-forwarded-proto", b"x-script-name", b"x-scheme"),
    }
)
#: Headers that nobody may set: we do not let a proxy say who somebody is.
_NEVER = frozenset(
    {
        *(b"forwarded", b"x-real-ip", b"x-remote-user", b"remote-user", b"x-forwarded-user"),
        *(b"x-forwarded-server", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"),
    }
)
_SCHEMES = {"http": "http", "https": "https"}
_SOCKET_SCHEMES = {"http": "ws", "https": "wss"}


def networks(text: str) -> Networks:
    """The addresses and networks in *text*, separated by commas. Raises `ValueError`."""
    words = [word.strip() for word in text.split(",")]
    return tuple(ip_network(word, strict=False) for word in words if word)


def introduce(scope: Any, trusted: Networks) -> None:
    """Make *scope* say what is known of the client, and nothing that is only claimed."""
    client = scope.get("client")
    headers: Headers = scope["headers"]
    if client is None or not _is_proxy(client[0], trusted):
        scope["headers"] = _without(headers, _SHAPING | _NEVER)
        return
    hops = _values(headers, b"x-forwarded-for")
    scope["client"] = (nearest_stranger(hops, client[0], trusted), client[1])
    proto = (_values(headers, b"x-forwarded-proto") or [""])[-1].lower()
    schemes = _SOCKET_SCHEMES if scope["type"] == "websocket" else _SCHEMES
    scope["scheme"] = schemes.get(proto, scope.get("scheme"))
    scope["headers"] = _without(headers, _NEVER | {b"x-forwarded-for"})


@lru_cache(maxsize=1024)
def _is_proxy(peer: str, trusted: Networks) -> bool:
    """`is_one_of` for who connects: the same few, request after request."""
    return is_one_of(peer, trusted)


def nearest_stranger(hops: Sequence[str], peer: str, trusted: Networks) -> str:
    """The last of *hops* that is no proxy of ours; *peer* (one of ours) when there is none.

    What is no address ends the search: whoever wrote it wrote the rest, too.
    """
    nearest = peer
    for hop in reversed(hops):
        address = _address(hop)
        if address is None:
            return nearest
        nearest = str(address)
        if not is_one_of(nearest, trusted):
            return nearest
    return nearest


def is_one_of(text: str, trusted: Networks) -> bool:
    """Whether *text* is an address in one of these networks."""
    address = _address(text)
    return address is not None and any(
        address.version == network.version and address in network for network in trusted
    )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip().removeprefix("[").partition("]")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _values(headers: Headers, wanted: bytes) -> list[str]:
    """The comma-separated words of all headers of that name, in order."""
    found = [value for name, value in headers if name.lower() == wanted]
    return [word.strip() for value in found for word in value.decode("latin-1").split(",")]


def _without(headers: Headers, names: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.lower() not in names]
