"""The way leads to public addresses and to what the settings list, whatever a name means (S50)."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from api.errors import Invalid
from api.principal import Principal
from api.webhooks.messages import BadAddress, Message, check, message
from api.webhooks.outside import Forbidden, Outside, Unreachable, is_public, resolve
from api.webhooks.service import ALL, NewWebhook
from tests.api.webhooks.conftest import Room, Service

PRIVATE = [
    *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("0.0.0.0", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1"),
    *("::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "2002:7f00:1::1", "2001:db8::1", "2001:0:7f00:1::1"),
]
PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"]


class Names:
    """A resolver whose answers are known; every question is one line of *asked*."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, name: str, port: int) -> Sequence[str]:
        self.asked.append(f"{name}:{port}")
        return self._answers.pop(0)


@pytest.mark.parametrize("address", PRIVATE)
async def test_nobody_is_sent_to_a_private_address(address: str) -> None:
    """Whatever name it hides behind."""
    with pytest.raises(Forbidden, match="GANTRY_WEBHOOK_NETWORKS") as refused:
        await Outside((), Names([address])).target("https://hooks.example.org/x")
    assert address not in str(refused.value)


@pytest.mark.parametrize("address", PUBLIC)
async def test_public_addresses_may_be_reached(address: str) -> None:
    """By the address that was looked at, under the name that was asked for."""
    target = await Outside((), Names([address])).target("https://Hooks.example.org/x?a=b#c")
    host = f"[{ip_address(address)}]" if ":" in address else address
    assert target.host_header == "hooks.example.org"
    assert target.url == f"https://{host}:443/x?a=b"
    real = ip_address(address)
    assert is_public(getattr(real, "ipv4_mapped", None) or real)


async def test_one_private_address_among_public_ones_is_enough() -> None:
    """Mixed answers: nobody chooses the right one by luck."""
    with pytest.raises(Forbidden):
        await Outside((), Names(["1.1.1.1", "10.0.0.1"])).target("http://x.example/")


async def test_a_name_is_asked_for_once(service: Service) -> None:
    """The second answer of a name that changes its mind is never heard: no rebinding."""
    names = Names(["127.0.0.1"], ["1.1.1.1"])
    outside = Outside((ip_network("127.0.0.0/8"),), names)
    url = f"http://rebound.example:{service.port}/x"
    assert await outside.post(Message(url=url, body=b"{}")) == 204
    assert names.asked == [f"rebound.example:{service.port}"]
    assert f"host: rebound.example:{service.port}" in service.heard[0][0].lower()


@pytest.mark.parametrize("port", [22, 25, 6379, 5432])
async def test_only_ports_that_speak_http(port: int) -> None:
    """A mail server or a database is no webhook."""
    with pytest.raises(Forbidden, match=str(port)):
        await Outside((), Names(["1.1.1.1"])).target(f"http://x.example:{port}/")


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "localhost.", "[::1]"]
)
async def test_odd_ways_to_write_this_machine(host: str) -> None:
    """However it is written: the system says what is meant, and that is looked at."""
    with pytest.raises((Forbidden, Unreachable)):
        await Outside((), resolve).target(f"http://{host}/")


async def test_the_environments_proxies_are_not_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve the name by itself."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    outside = Outside((ip_network("127.0.0.0/8"),))
    assert await outside.post(Message(url=service.url, body=b"{}")) == 204


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("generic", "ftp://x.example/"),
        ("generic", "javascript:alert(1)"),
        ("slack", "https://user:pass@x.example/"),
        ("discord", "//x.example/"),
        ("generic", "http://[x/"),
        ("ntfy", "http:///nothing"),
        ("telegram", "token"),
        ("pushover", "a|b|c"),
        ("whatsapp", "1|2|"),
        ("whatsapp", "1|2|to ken"),
    ],
)
async def test_what_nothing_can_be_sent_to_is_refused_when_it_is_saved(
    room: Room, admin: Principal, kind: str, address: str
) -> None:
    """Not only when something is to be told, weeks later."""
    with pytest.raises(BadAddress):
        check(kind, address)
    new = NewWebhook(name="x", url=address, webhook_type=kind, alert_types=[ALL])
    with pytest.raises(Invalid):
        await room.webhooks.create(admin, new)


async def test_a_private_address_is_refused_when_it_is_saved(room: Room, admin: Principal) -> None:
    """400 at save (v1 2.7); on the way to it the same is asked again."""
    new = NewWebhook(name="x", url="http://10.0.0.1/", webhook_type="generic", alert_types=[ALL])
    with pytest.raises(Invalid, match="private address"):
        await room.webhooks.create(admin, new)


FACTS = {"event": "print_failed", "title": "<V> failed", "message": "a\nb", "severity": "critical"}


@pytest.mark.parametrize(
    ("kind", "address", "url", "part"),
    [
        ("discord", "https://d.example/h", "https://d.example/h", b'"title":"<V> failed"'),
        ("slack", "https://s.example/h", "https://s.example/h", b"&lt;V&gt; failed\\na\\nb"),
        ("ntfy", "https://n.example/t", "https://n.example/t", b"<V> failed\na\nb"),
        ("telegram", "1:ab|-5", "https://api.telegram.org/bot1:ab/sendMessage", b'"chat_id":"-5"'),
        ("pushover", "u|t", "https://api.pushover.net/1/messages.json", b'"priority":1'),
        ("whatsapp", "1|2|t", "https://graph.facebook.com/v21.0/1/messages", b'"to":"2"'),
        ("teams", "https://t.example/h", "https://t.example/h", b'"event":"print_failed"'),
    ],
)
def test_every_service_hears_it_in_its_own_words(
    kind: str, address: str, url: str, part: bytes
) -> None:
    """The contract's types; anything else is told in plain JSON."""
    made = message(kind, address, FACTS)
    assert made.url == url
    assert part in made.body
