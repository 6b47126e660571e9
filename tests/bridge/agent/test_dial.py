"""What stands between a bridge and its API: each obstacle is named, none is hammered (R52)."""

import asyncio
import random
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.agent.address import Address
from bridge.agent.errors import LinkError
from bridge.agent.identity import Identity, Pairing, load_or_create
from bridge.agent.link.backoff import CAP_EARLY_S, CAP_LATE_S, EARLY_S, LATER_S, Backoff
from bridge.agent.link.dial import Dialler

PAGE = b"<html>Welcome to the hotel</html>"


@pytest.fixture
def key(tmp_path: Path) -> Identity:
    return load_or_create(tmp_path)


@asynccontextmanager
async def answering(
    head: str, body: bytes, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """The port of a server that says this to everybody."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            length = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(f"HTTP/1.1 {head}\r\n{length}".encode() + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # a client that does not trust us hangs up
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


async def refusal(url: str, key: Identity) -> LinkError:
    """Why dialling *url* fails."""
    with pytest.raises(LinkError) as error:
        await Dialler(Address(url), key, Pairing(url=url, bridge_id="b")).dial()
    return error.value


@pytest.mark.parametrize(
    ("head", "body", "said", "retry_after_s"),
    [
        ("200 OK", PAGE, "is no Gantry API", None),
        ("302 Found\r\nLocation: /login", b"", "answered 302", None),
        ("407 Proxy Authentication Required", b"", "answered 407", None),
        ("429 Too Many Requests\r\nRetry-After: 30", b"", "answered 429", 30.0),
        ("502 Bad Gateway", PAGE, "answered 502", None),
        ("503 Service Unavailable\r\nRetry-After: 7", b"", "answered 503", 7.0),
    ],
)
async def test_answer_of_somebody_else_is_named(
    key: Identity, head: str, body: bytes, said: str, retry_after_s: float | None
) -> None:
    """R52: captive portal, proxy, gateway: what answered what, and its patience is obeyed."""
    async with answering(head, body) as port:
        error = await refusal(f"http://127.0.0.1:{port}", key)
    assert said in str(error)
    assert error.retry_after_s == retry_after_s


async def test_name_that_does_not_exist_is_named(key: Identity) -> None:
    """R52: DNS is gone."""
    assert "cannot reach http://farm.invalid" in str(await refusal("http://farm.invalid", key))


def self_signed(directory: Path, days: int) -> ssl.SSLContext:
    """A server's certificate for 127.0.0.1 that it has signed itself, good for *days*."""
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, secret.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(secret, hashes.SHA256())
    )
    pem = directory / "server.pem"
    pem.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.mark.parametrize("days", [1, -1])
async def test_certificate_of_nobody_is_refused(key: Identity, tmp_path: Path, days: int) -> None:
    """R52, S68: one that no known authority has signed, or an expired one, ends the try."""
    context = self_signed(tmp_path, days)
    async with answering("200 OK", b"{}", context) as port:
        error = await refusal(f"https://127.0.0.1:{port}", key)
    assert "certificate" in str(error).lower()


def test_outage_is_asked_about_seldom_and_for_ever() -> None:
    """R52, R10: every 5 minutes at most in the end, and never a busy loop before."""
    rng = random.Random(7)
    backoff, now, tries = Backoff(rng.random), 0.0, 0
    longest = 0.0
    while now < 6 * 3600:
        backoff.lost(now)
        delay_s = backoff.delay(now)
        ceiling = CAP_EARLY_S if now <= EARLY_S else 60.0 if now <= LATER_S else CAP_LATE_S
        assert delay_s <= ceiling
        now, tries, longest = now + delay_s, tries + 1, max(longest, delay_s)
    assert tries < 600
    assert longest > CAP_LATE_S / 2


def test_bridges_that_lost_one_api_come_back_spread() -> None:
    """R46: a thousand first tries lie anywhere within a second, not in one moment."""
    rng = random.Random(1)
    firsts = []
    for _ in range(1000):
        backoff = Backoff(rng.random)
        backoff.lost(0.0)
        firsts.append(backoff.delay(0.0))
    tenths = Counter(int(delay * 10) for delay in firsts)
    assert min(tenths[tenth] for tenth in range(10)) > 50
    assert max(firsts) < 1.0
