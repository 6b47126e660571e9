"""Whose word about the client is taken (safety S05)."""

from typing import Any

import pytest

from api.proxies import introduce, nearest_stranger, networks

OURS = networks("10.0.0.0/8, 127.0.0.1,2001:db8::1")
CLAIMS = {
    "X-Forwarded-For": "127.0.0.1",
    "Forwarded": "for=127.0.0.1",
    "X-Real-IP": "127.0.0.1",
    "X-Remote-User": "admin",
    "Remote-User": "admin",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Script-Name": "/evil",
}


def scope_of(peer: str | None, headers: dict[str, str], kind: str = "http") -> dict[str, Any]:
    return {
        "type": kind,
        "scheme": "ws" if kind == "websocket" else "http",
        "client": (peer, 4711) if peer is not None else None,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }


def names(scope: dict[str, Any]) -> set[str]:
    return {name.decode() for name, _ in scope["headers"]}


@pytest.mark.parametrize("peer", ["192.0.2.7", "11.0.0.1", "2001:db8::2", "unix", None])
def test_a_stranger_is_who_the_socket_says(peer: str | None) -> None:
    """Nothing that he claims reaches anybody; his own headers stay."""
    scope = scope_of(peer, {**CLAIMS, "Accept": "*/*"})
    introduce(scope, OURS)
    assert scope["client"] == ((peer, 4711) if peer is not None else None)
    assert scope["scheme"] == "http"
    assert names(scope) == {"Accept"}


def test_without_a_list_nobody_is_believed() -> None:
    """Not even this machine."""
    scope = scope_of("127.0.0.1", CLAIMS)
    introduce(scope, networks(""))
    assert names(scope) == set()


def test_a_listed_proxy_says_who_and_where_but_never_as_whom() -> None:
    """Address, scheme, host and prefix; a user name is nobody's to say."""
    scope = scope_of("10.1.2.3", {**CLAIMS, "X-Forwarded-For": "203.0.113.5"})
    introduce(scope, OURS)
    assert scope["client"][0] == "203.0.113.5"
    assert scope["scheme"] == "https"
    assert names(scope) == {"X-Forwarded-Host", "X-Forwarded-Proto", "X-Script-Name"}


def test_a_socket_behind_a_proxy_is_secure_when_the_proxy_is() -> None:
    """`wss` outside is `wss` inside."""
    scope = scope_of("10.1.2.3", {"X-Forwarded-Proto": "https"}, "websocket")
    introduce(scope, OURS)
    assert scope["scheme"] == "wss"
    odd = scope_of("10.1.2.3", {"X-Forwarded-Proto": "javascript"})
    introduce(odd, OURS)
    assert odd["scheme"] == "http"


@pytest.mark.parametrize(
    ("hops", "nearest"),
    [
        (["203.0.113.5"], "203.0.113.5"),
        (["127.0.0.1", "203.0.113.5", "10.0.0.2"], "203.0.113.5"),
        (["1.2.3.4", "203.0.113.5"], "203.0.113.5"),
        (["10.0.0.9"], "10.0.0.9"),
        (["203.0.113.5", "unknown"], "10.0.0.1"),
        (["203.0.113.5", "unknown", "10.0.0.3"], "10.0.0.3"),
        (["::ffff:203.0.113.5"], "203.0.113.5"),
        (["[2001:db8::9]:4711"], "2001:db8::9"),
        ([], "10.0.0.1"),
    ],
)
def test_the_client_is_the_nearest_hop_that_is_not_ours(hops: list[str], nearest: str) -> None:
    """From the right; what a client wrote in front of it counts for nothing."""
    assert nearest_stranger(hops, "10.0.0.1", OURS) == nearest


def test_what_is_no_network_is_refused() -> None:
    """The setting is checked at the start."""
    with pytest.raises(ValueError, match="nonsense"):
        networks("10.0.0.1, nonsense")
