"""The way to other people's services, and nowhere else (safety S50).

A name is resolved once, every address that it has must be a public one, and the connection goes to
the address that was looked at: a name that means something else a moment later changes nothing.
Redirects are not followed, proxies of the environment are not asked, time and size are bounded.
GANTRY_WEBHOOK_NETWORKS lists private networks that may be reached all the same.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from api.proxies import Networks
from api.webhooks.messages import Message

TIMEOUT_S = 10.0  # for everything: names, TLS, the answer
MAX_ANSWER_BYTES = 64 * 1024  # of which nothing is kept; more is not read
PORTS = frozenset({80, 443, 8080, 8443})  # of public addresses: what speaks HTTP
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Addresses that stand for an IPv4 address which we cannot see the other end of.
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))

Address = IPv4Address | IPv6Address
#: The addresses of a name; raises `OSError`.
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]


class Forbidden(Exception):
    """Nobody may be sent there; the text says why, without the address that a name has."""


class Unreachable(Exception):
    """Nobody answered, or not in time. The same may succeed later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect. *address*: that was looked at."""

    parts: SplitResult
    address: Address
    port: int

    @property
    def url(self) -> str:
        """With the address in place of the name."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return self.parts._replace(netloc=f"{host}:{self.port}", fragment="").geturl()

    @property
    def host_header(self) -> str:
        """The name that the server is asked under."""
        assert self.parts.hostname is not None, "checked when the target was made"
        name = f"[{self.parts.hostname}]" if ":" in self.parts.hostname else self.parts.hostname
        usual = self.port == _DEFAULT_PORTS[self.parts.scheme]
        return name if usual else f"{name}:{self.port}"


async def resolve(name: str, port: int) -> Sequence[str]:
    """The addresses of *name* as the system knows them. Raises `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class Outside:
    """Sends messages to services that are not ours."""

    def __init__(self, allowed: Networks, resolver: Resolver = resolve) -> None:
        self._allowed = allowed
        self._resolve = resolver

    async def post(self, message: Message) -> int:
        """The status that the service answers. Raises `Forbidden` or `Unreachable`."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._post(await self.target(message.url), message)
        except TimeoutError:
            raise Unreachable("no answer in time") from None

    async def target(self, url: str) -> Target:
        """Where *url* leads, if one may go there. Raises `Forbidden` or `Unreachable`."""
        parts = urlsplit(url)
        host = parts.hostname
        if parts.scheme not in _DEFAULT_PORTS or not host:
            raise Forbidden("this is no http:// or https:// URL")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        try:
            name = host if ":" in host else host.encode("idna").decode()
            found = await self._resolve(name, port)
            addresses = [ip_address(each.partition("%")[0]) for each in found]
        except (OSError, UnicodeError, ValueError):
            raise Unreachable("the name cannot be resolved") from None
        if not addresses:
            raise Unreachable("the name cannot be resolved")
        for address in addresses:
            self._check(address, port)
        return Target(parts=parts, address=addresses[0], port=port)

    def _check(self, address: Address, port: int) -> None:
        real = (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
        if any(real.version == each.version and real in each for each in self._allowed):
            return
        if not is_public(real):
            raise Forbidden(
                "this leads to a private address; GANTRY_WEBHOOK_NETWORKS lists those that may be "
                "reached"
            )
        if port not in PORTS:
            raise Forbidden(f"port {port} is not one of {', '.join(map(str, sorted(PORTS)))}")

    async def _post(self, target: Target, message: Message) -> int:
        import httpx  # heavy; who sends nothing starts without

        headers = {**message.headers, "Host": target.host_header, "User-Agent": "Gantry"}
        try:
            async with (
                httpx.AsyncClient(
                    trust_env=False, follow_redirects=False, timeout=TIMEOUT_S
                ) as client,
                client.stream(
                    "POST",
                    target.url,
                    content=message.body,
                    headers=headers,
                    extensions={"sni_hostname": target.parts.hostname},
                ) as answer,
            ):
                read = 0
                async for part in answer.aiter_raw():
                    read += len(part)
                    if read > MAX_ANSWER_BYTES:
                        break
                return int(answer.status_code)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(type(error).__name__) from None


def is_public(address: Address) -> bool:
    """Whether anybody on the internet is meant by *address*."""
    if isinstance(address, IPv6Address) and any(address in each for each in _TRANSLATED):
        return False
    return address.is_global and not address.is_multicast
