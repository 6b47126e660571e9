"""Pairing a bridge with an API: device code (RFC 8628) or enrolment token (room link contract).

The token for mass installs comes from a file or the environment, never from a command line that
every process of the machine could read.
"""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from bridge.agent.address import Address
from bridge.agent.errors import PairingError
from bridge.agent.identity import Identity, Pairing

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

PAIRING_PATH = "/bridge/v1/pairing"
ENROL_PATH = "/bridge/v1/enrol"
TIMEOUT_S = 15.0
#: RFC 8628: `slow_down` adds this to the interval.
SLOW_DOWN_S = 5.0
_SERVER_ERROR = 500  # and above: another try may be answered


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """What an admin needs to approve this bridge; valid for *expires_in* seconds."""

    device_code: str
    user_code: str
    verification_url: str
    expires_in: float
    interval: float = 2.0
    fingerprint: str = ""


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """The API's word that this bridge belongs to it."""

    bridge_id: str
    name: str = ""


class _Error(msgspec.Struct, frozen=True):
    code: str = "unknown"
    detail: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _Error = _Error()
    detail: Any = ""


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What the bridge says of itself."""

    room: str
    hostname: str
    os: str
    agent_version: str


_FINAL = {
    "access_denied": "an admin refused this bridge",
    "expired_token": "the code was not approved in time; run the command again",
}


class Pairer:
    """One pairing, over *client*; *sleep* and *clock* (seconds) are the process's own."""

    def __init__(
        self,
        client: "httpx.Client",
        address: Address,
        identity: Identity,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._address = address
        self._identity = identity
        self._sleep = sleep
        self._clock = clock

    def ask(self, room: Room) -> Code:
        """A fresh device code. Raises `PairingError`."""
        body = {"public_key": self._identity.public_key, **msgspec.to_builtins(room)}
        code = self._post(PAIRING_PATH, body, Code)
        if code.fingerprint and code.fingerprint != self._identity.fingerprint:
            raise PairingError(
                f"the API saw another key ({code.fingerprint}) than this bridge's "
                f"({self._identity.fingerprint}): something between them changes the traffic"
            )
        return code

    def wait(self, code: Code) -> Pairing:
        """Poll until an admin approves. Raises `PairingError` when refused or too late.

        An API that is away for a moment knows the code when it is back: who has approved it does
        not hear that nobody waits any more.
        """
        signature = self._identity.sign(b"gantry-pair-v1\n" + code.device_code.encode())
        body = {"device_code": code.device_code, "signature": signature}
        interval_s = code.interval
        deadline = self._clock() + code.expires_in
        away: _Away | None = None
        while self._clock() < deadline:
            self._sleep(interval_s)
            try:
                return self._paired(self._post(PAIRING_PATH + "/token", body, Paired, _FINAL))
            except _NotYet as answer:
                interval_s += answer.slow_down_s
                away = None
            except _Away as error:
                away = error
        raise away or PairingError(_FINAL["expired_token"])

    def enrol(self, token: str, room: Room) -> Pairing:
        """Pair with an enrolment token. Raises `PairingError`."""
        body = {
            "enrolment_token": token,
            "public_key": self._identity.public_key,
            "signature": self._identity.sign(b"gantry-enrol-v1\n" + token.encode()),
            **msgspec.to_builtins(room),
        }
        return self._paired(self._post(ENROL_PATH, body, Paired))

    def _paired(self, paired: Paired) -> Pairing:
        return Pairing(url=self._address.http, bridge_id=paired.bridge_id, name=paired.name)

    def _post(
        self,
        path: str,
        body: Mapping[str, object],
        kind: type[T],
        final: Mapping[str, str] = MappingProxyType({}),
    ) -> T:
        """What the API answers. Raises `PairingError`, for a code in *final* with these words."""
        import httpx

        try:
            answer = self._client.post(self._address.at(path), json=dict(body), timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            raise _Away(f"cannot reach {self._address.http}: {error}") from error
        if answer.status_code == httpx.codes.OK:
            try:
                return msgspec.json.decode(answer.content, type=kind)
            except msgspec.DecodeError as error:
                raise PairingError(f"{self._address.http} is no Gantry API: {error}") from error
        raise _problem(answer.status_code, answer.content, self._address, final)


class _NotYet(PairingError):
    """Nobody has approved yet; poll again, *slow_down_s* more slowly."""

    def __init__(self, slow_down_s: float) -> None:
        super().__init__("not approved yet")
        self.slow_down_s = slow_down_s


class _Away(PairingError):
    """The API cannot answer now: it is stopped, starts anew, or lacks its database."""


def _problem(
    status: int, content: bytes, address: Address, final: Mapping[str, str]
) -> PairingError:
    try:
        body = msgspec.json.decode(content, type=_ErrorBody)
    except msgspec.DecodeError:
        body = _ErrorBody()
    code = body.error.code
    if code == "authorization_pending":
        return _NotYet(0.0)
    if code == "slow_down":
        return _NotYet(SLOW_DOWN_S)
    text = final.get(code) or body.error.detail or f"{body.detail or 'no reason given'}"
    kind = _Away if status >= _SERVER_ERROR else PairingError
    return kind(f"{address.http} answered {status} ({code}): {text}")
