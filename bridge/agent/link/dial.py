"""Opening the websocket: nonce, signature, upgrade (room link contract, "Identity")."""

import ssl
from typing import Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from bridge.agent.address import Address
from bridge.agent.errors import LinkError, PairingError, Refused
from bridge.agent.identity import Identity, Pairing
from schemas.codec import MAX_FRAME_BYTES
from schemas.link import AUTH_SCHEME, NONCE_PATH, signed_text

ANSWER_S = 10.0
OPEN_S = 30.0  # an API to which a thousand rooms come back lets each wait for its turn
CLOSE_S = 0.5
#: Above it `send` waits, so that facts and stops never stand behind a full socket buffer.
HIGH_WATER_BYTES = 256 * 1024
_FORBIDDEN = frozenset({401, 403})


class Socket(Protocol):
    """What the link needs of a websocket."""

    async def send(self, message: str) -> None:
        """Write one frame; waits while the socket is above its high-water mark."""

    async def recv(self) -> str | bytes:
        """The next frame."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; returns when it is closed."""


class _Nonce(msgspec.Struct, frozen=True):
    nonce: str
    link_url: str | None = None


class _Error(msgspec.Struct, frozen=True):
    code: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    error: _Error = _Error()


class Dialler:
    """Opens links to *address* as the bridge of *pairing*."""

    def __init__(self, address: Address, identity: Identity, pairing: Pairing) -> None:
        self._address = address
        self._identity = identity
        self._bridge_id = pairing.bridge_id

    async def dial(self, address: Address | None = None) -> ClientConnection:
        """A fresh socket, to *address* if given. Raises `LinkError` or `Refused`."""
        target = address or self._address
        greeting = await self._greeting(target)
        link = _link(target, greeting.link_url)
        header = self._authorization(greeting.nonce)
        try:
            return await connect(
                link,
                additional_headers={"Authorization": header},
                compression=None,
                max_size=2 * MAX_FRAME_BYTES,
                max_queue=64,
                write_limit=HIGH_WATER_BYTES,
                open_timeout=OPEN_S,
                close_timeout=CLOSE_S,
                ping_interval=None,
                proxy=True if target.uses_proxy else None,
                user_agent_header="gantry-bridge",
            )
        except InvalidStatus as error:
            raise _rejected(error) from error
        except (OSError, TimeoutError, WebSocketException) as error:
            raise LinkError(f"cannot open {link}: {error}") from error

    def _authorization(self, nonce: str) -> str:
        signature = self._identity.sign(signed_text(self._bridge_id, nonce))
        return f'{AUTH_SCHEME} bridge="{self._bridge_id}", nonce="{nonce}", signature="{signature}"'

    async def _greeting(self, target: Address) -> _Nonce:
        import httpx

        try:
            async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=target.uses_proxy) as client:
                answer = await client.post(
                    target.at(NONCE_PATH), json={"bridge_id": self._bridge_id}
                )
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise LinkError(f"cannot reach {target.http}: {error}") from error
        if answer.status_code != httpx.codes.OK:
            raise LinkError(
                f"{target.http} answered {answer.status_code} to the greeting",
                retry_after(answer.headers.get("Retry-After")),
            )
        try:
            return msgspec.json.decode(answer.content, type=_Nonce)
        except msgspec.DecodeError as error:
            raise LinkError(f"{target.http} is no Gantry API: {error}") from error


def _link(target: Address, told: str | None) -> str:
    try:
        return target.link_told(told)
    except PairingError as error:
        raise LinkError(f"{target.http} names a link that is not used: {error}") from error


def retry_after(header: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for; None for none or a date."""
    return float(header) if header and header.isdecimal() else None


def _rejected(error: InvalidStatus) -> LinkError:
    answer = error.response
    try:
        code = msgspec.json.decode(answer.body or b"", type=_ErrorBody).error.code
    except msgspec.DecodeError:
        code = ""
    text = f"the API answered {answer.status_code} to the link ({code or 'no code'})"
    wait_s = retry_after(answer.headers.get("Retry-After"))
    if answer.status_code in _FORBIDDEN:
        return Refused(code or "forbidden", text, wait_s)
    return LinkError(text, wait_s)
