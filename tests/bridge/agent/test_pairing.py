"""Pairing: device code, enrolment token, the key and its files."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.agent import address, identity
from bridge.agent.address import Address
from bridge.agent.errors import PairingError
from bridge.agent.identity import Identity, Pairing
from bridge.agent.pairing import Pairer, Room

ROOM = Room(room="Hall", hostname="pi", os="Linux", agent_version="0.1.0")
CODE = {
    "device_code": "device",
    "user_code": "ABCD-2345",
    "verification_url": "https://farm/pair",
    "expires_in": 600,
    "interval": 2,
}


class FakeTime:
    """Time that only passes by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def problem(code: str, detail: str = "no") -> httpx.Response:
    body = {"detail": detail, "error": {"code": code, "detail": detail, "retriable": False}}
    return httpx.Response(400, json=body)


def pairer_of(
    answer: Callable[[httpx.Request], httpx.Response], key: Identity, time: FakeTime | None = None
) -> Pairer:
    time = time or FakeTime()
    client = httpx.Client(transport=httpx.MockTransport(answer))
    return Pairer(client, Address("https://farm"), key, sleep=time.sleep, clock=time.clock)


@pytest.fixture
def key(tmp_path: Path) -> Identity:
    return identity.load_or_create(tmp_path)


def verify(key: Identity, signature: str, text: bytes) -> None:
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.public_key))
    public.verify(base64.b64decode(signature), text)


def test_device_code_is_polled_until_an_admin_approves(key: Identity) -> None:
    """RFC 8628: pending keeps the interval, slow_down adds five seconds; the key is proven."""
    answers = [
        problem("authorization_pending"),
        problem("slow_down"),
        problem("authorization_pending"),
        httpx.Response(200, json={"bridge_id": "B1", "name": "Hall", "organization_id": 1}),
    ]
    time = FakeTime()

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.url.path == "/bridge/v1/pairing":
            assert body == {
                "public_key": key.public_key,
                "room": "Hall",
                "hostname": "pi",
                "os": "Linux",
                "agent_version": "0.1.0",
            }
            return httpx.Response(200, json={**CODE, "fingerprint": key.fingerprint})
        assert request.url.path == "/bridge/v1/pairing/token"
        verify(key, body["signature"], b"gantry-pair-v1\ndevice")
        return answers.pop(0)

    pairer = pairer_of(answer, key, time)
    code = pairer.ask(ROOM)
    assert code.user_code == "ABCD-2345"
    assert pairer.wait(code) == Pairing(url="https://farm", bridge_id="B1", name="Hall")
    assert time.sleeps == [2, 2, 7, 7]


def test_an_api_that_restarts_while_somebody_approves_is_waited_for(key: Identity) -> None:
    """The code is in its rows: who approves it meanwhile lets this bridge in."""
    away: list[httpx.Response | httpx.HTTPError] = [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.Response(502, text="<html>bad gateway"),
        httpx.Response(503, json={"detail": "busy", "error": {"code": "storage_unavailable"}}),
        httpx.Response(200, json={"bridge_id": "B1", "name": "Hall"}),
    ]

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("token"):
            return httpx.Response(200, json=CODE)
        found = away.pop(0)
        if isinstance(found, httpx.HTTPError):
            raise found
        return found

    pairer = pairer_of(answer, key)
    assert pairer.wait(pairer.ask(ROOM)).bridge_id == "B1"


def test_an_api_that_does_not_come_back_is_told(key: Identity) -> None:
    """When the code is over: not that nobody has approved it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=CODE)

    time = FakeTime()
    pairer = pairer_of(answer, key, time)
    with pytest.raises(PairingError, match="cannot reach"):
        pairer.wait(pairer.ask(ROOM))
    assert time.now >= 600


def test_why_an_enrolment_token_is_refused_is_told_as_the_api_says_it(key: Identity) -> None:
    """No admin has refused this bridge: the token is used up."""
    pairer = pairer_of(lambda request: problem("access_denied", "used up"), key)
    with pytest.raises(PairingError, match=r"\(access_denied\): used up"):
        pairer.enrol("tok", ROOM)


def test_code_that_nobody_approves_ends(key: Identity) -> None:
    """After its ten minutes the command ends and says what to do."""
    time = FakeTime()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            return problem("authorization_pending")
        return httpx.Response(200, json=CODE)

    pairer = pairer_of(answer, key, time)
    with pytest.raises(PairingError, match="run the command again"):
        pairer.wait(pairer.ask(ROOM))
    assert 600 <= time.now <= 602


@pytest.mark.parametrize(
    ("code", "said"), [("access_denied", "refused"), ("expired_token", "in time"), ("x", "no")]
)
def test_refusal_is_told(key: Identity, code: str, said: str) -> None:
    """Every other error ends the polling with its reason."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            return problem(code)
        return httpx.Response(200, json=CODE)

    pairer = pairer_of(answer, key)
    with pytest.raises(PairingError, match=said):
        pairer.wait(pairer.ask(ROOM))


def test_changed_key_on_the_way_is_noticed(key: Identity) -> None:
    """The API must have seen this bridge's key."""
    body = {**CODE, "fingerprint": "SHA256:somebody"}
    pairer = pairer_of(lambda request: httpx.Response(200, json=body), key)
    with pytest.raises(PairingError, match="another key"):
        pairer.ask(ROOM)


def test_enrolment_token_needs_no_person(key: Identity) -> None:
    """The token is signed with the key it enrols."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        assert (request.url.path, body["enrolment_token"]) == ("/bridge/v1/enrol", "tok")
        verify(key, body["signature"], b"gantry-enrol-v1\ntok")
        return httpx.Response(200, json={"bridge_id": "B2", "name": "n"})

    assert pairer_of(answer, key).enrol("tok", ROOM).bridge_id == "B2"


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="<html>"), httpx.Response(502, text="bad gateway")]
)
def test_something_else_than_an_api_is_told(key: Identity, answer: httpx.Response) -> None:
    """A proxy's page is no API, and no traceback."""
    with pytest.raises(PairingError, match="https://farm"):
        pairer_of(lambda request: answer, key).ask(ROOM)


def test_api_that_cannot_be_reached_is_told(key: Identity) -> None:
    """Connection errors name the address."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PairingError, match="cannot reach https://farm"):
        pairer_of(answer, key).ask(ROOM)


def test_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    """0600 (safety S67); the same key is loaded again."""
    made, loaded = identity.load_or_create(tmp_path), identity.load_or_create(tmp_path)
    assert made.public_key == loaded.public_key
    assert (tmp_path / "identity.key").stat().st_mode & 0o777 == 0o600
    assert made.fingerprint.startswith("SHA256:") and "=" not in made.fingerprint


def test_readable_or_damaged_key_is_refused(tmp_path: Path) -> None:
    """The text says what to do."""
    path = tmp_path / "identity.key"
    path.write_text("nonsense")
    path.chmod(0o644)
    with pytest.raises(PairingError, match="chmod 600"):
        identity.load_or_create(tmp_path)
    path.chmod(0o600)
    with pytest.raises(PairingError, match="pair again"):
        identity.load_or_create(tmp_path)


def test_pairing_is_kept(tmp_path: Path) -> None:
    """None before, the same after, an error when unreadable."""
    assert identity.load_pairing(tmp_path) is None
    pairing = Pairing(url="https://farm", bridge_id="B", name="n")
    identity.save_pairing(tmp_path, pairing)
    assert identity.load_pairing(tmp_path) == pairing
    (tmp_path / "pairing.json").write_text("{")
    with pytest.raises(PairingError, match="pair again"):
        identity.load_pairing(tmp_path)


@pytest.mark.parametrize(
    ("url", "http", "link"),
    [
        ("https://farm.example/", "https://farm.example", "wss://farm.example/bridge/v1/link"),
        (
            "farm.example:8443",
            "https://farm.example:8443",
            "wss://farm.example:8443/bridge/v1/link",
        ),
        ("wss://f/base", "https://f/base", "wss://f/base/bridge/v1/link"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", "ws://127.0.0.1:8000/bridge/v1/link"),
        ("http://[::1]:80", "http://[::1]:80", "ws://[::1]:80/bridge/v1/link"),
        ("ws://localhost", "http://localhost", "ws://localhost/bridge/v1/link"),
    ],
)
def test_address_gives_both_urls(url: str, http: str, link: str) -> None:
    """One address, https and wss or, on loopback, http and ws."""
    parsed = address.parse(url)
    assert (parsed.http, parsed.link) == (http, link)


@pytest.mark.parametrize(
    "url",
    [
        "http://farm.example",
        "ws://10.0.0.5",
        "ftp://farm",
        "https://",
        "https://u:p@farm",
        "https://farm?token=1",
    ],
)
def test_address_that_must_not_be_used_is_refused(url: str) -> None:
    """Plain text beyond loopback, credentials and parameters in the URL."""
    with pytest.raises(PairingError):
        address.parse(url)


@pytest.mark.parametrize(
    ("url", "uses"),
    [("http://127.0.0.1:1", False), ("http://localhost", False), ("https://farm", True)],
)
def test_proxy_is_for_other_machines(url: str, uses: bool) -> None:
    """An API on this machine is reached without the machine's proxy."""
    assert address.parse(url).uses_proxy is uses


def test_operator_may_allow_plain_text() -> None:
    """Only by an explicit flag."""
    assert address.parse("http://10.0.0.5:8000", insecure=True).http == "http://10.0.0.5:8000"
