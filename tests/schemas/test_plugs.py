"""Which plugs a bridge may speak to."""

import pytest

from schemas.plugs import address_of


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.168.1.30", ("192.168.1.30", 80)),
        (" 10.0.0.7:8080 ", ("10.0.0.7", 8080)),
        ("172.16.0.1:80", ("172.16.0.1", 80)),
        ("fd12:3456::7", ("fd12:3456::7", 80)),
        ("[fd12:3456::7]:8080", ("fd12:3456::7", 8080)),
        ("[fd12:3456::7]", ("fd12:3456::7", 80)),
    ],
)
def test_a_room_of_its_own_is_reached(host: str, address: tuple[str, int]) -> None:
    """The private networks of both kinds of addresses, with a port or without."""
    assert address_of(host) == address


@pytest.mark.parametrize(
    "host",
    [
        *("", "plug.local", "localhost", "evil.example", "192.168.1", "0xC0A8011E", "3232235806"),
        *("127.0.0.1", "127.1", "::1", "::ffff:192.168.1.30", "0.0.0.0", "::"),
        *("169.254.169.254", "fe80::1", "8.8.8.8", "2001:db8::1", "224.0.0.1", "100.64.0.1"),
        *("192.168.1.30:22", "192.168.1.30:0", "192.168.1.30:65536", "192.168.1.30:8e3"),
        *("192.168.1.30:٨٠", "[fd00::7]x", "http://192.168.1.30", "192.168.1.30/x"),
        *(
            "user@192.168.1.30",
            "192.168.1.30\r\nX: y",
            "fd00::7%eth0",
            "fd00::7%\r\nX: y",
            "172.32.0.1",
            "9" * 400,
        ),
    ],
)
def test_nothing_else_is(host: str) -> None:
    """safety S50: no names, no loopback, no link-local, no internet, no odd ports or spellings."""
    with pytest.raises(ValueError, match=r"."):
        address_of(host)
