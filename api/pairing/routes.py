"""Pairing over HTTP: the agent's calls below `/bridge/v1`, the admin's in v1."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field
from quart import Quart, Response, request

from api.bridges.face import serve
from api.bridges.keys import fingerprint
from api.bridges.service import Bridge
from api.clock import iso
from api.config import Settings
from api.describe import Doc
from api.http import Body, json_answer, json_body, paging, remote_address
from api.pairing.answers import EnrolmentAnswer, NewEnrolmentAnswer, PairingAnswer
from api.pairing.codes import shown
from api.pairing.service import (
    CODE_S,
    INTERVAL_S,
    MAX_ENROLMENT_HOURS,
    MAX_ENROLMENT_USES,
    Asking,
    EnrolmentToken,
    Pairing,
    PairingRequest,
)
from api.v1 import V1, caller


class AskBody(Body):
    """What an agent says of itself."""

    public_key: str = Field(max_length=100)
    room: str = Field(min_length=1, max_length=100)
    hostname: str = Field(default="", max_length=255)
    os: str = Field(default="", max_length=255)
    agent_version: str = Field(default="", max_length=64)

    def asking(self) -> Asking:
        """In the service's words."""
        return Asking(
            public_key=self.public_key,
            room=self.room,
            hostname=self.hostname,
            os=self.os,
            agent_version=self.agent_version,
        )


class RedeemBody(Body):
    """The agent's poll, with the proof of its key."""

    device_code: str = Field(max_length=200)
    signature: str = Field(max_length=200)


class EnrolBody(AskBody):
    """An agent with an enrolment token."""

    enrolment_token: str = Field(max_length=200)
    signature: str = Field(max_length=200)


class ApproveBody(Body):
    """How the room shall be called."""

    name: str = Field(default="", max_length=100)


class TokenBody(Body):
    """A new enrolment token."""

    name: str = Field(default="", max_length=100)
    uses: int = Field(
        default=1, ge=1, le=MAX_ENROLMENT_USES, description="How many bridges it lets in"
    )
    hours: int = Field(
        default=24, ge=1, le=MAX_ENROLMENT_HOURS, description="How long it is good, in hours"
    )


_ADMIN = "bridges.admin"
_LOOK = Doc(
    summary="Who asks with this code: compare the fingerprint before approving",
    answer=PairingAnswer,
    right=_ADMIN,
    problems=("rate_limited",),
)
_APPROVE = Doc(
    summary="Let the bridge in",
    answer=PairingAnswer,
    right=_ADMIN,
    body=ApproveBody,
    problems=("rate_limited", "conflict"),
)
_DENY = Doc(
    summary="Turn the bridge away",
    answer=PairingAnswer,
    right=_ADMIN,
    problems=("rate_limited", "conflict"),
)
_TOKENS = Doc(
    summary="Enrolment tokens, spent and expired ones too",
    answer=list[EnrolmentAnswer],
    right=_ADMIN,
    paged=True,
)
_CREATE_TOKEN = Doc(
    summary="A token that lets bridges in without a code each; its secret is shown this once",
    status=201,
    answer=NewEnrolmentAnswer,
    right=_ADMIN,
    body=TokenBody,
    problems=("bad_request",),
)
_DELETE_TOKEN = Doc(
    summary="Let nobody in with this enrolment token any more", status=204, right=_ADMIN
)


async def nobody_said() -> str:
    """Where other machines reach this server: as whoever asks calls it."""
    return ""


def here(asked: str, host_ip: str) -> str:
    """The URL *asked* (of this server, by who asks), at the address *host_ip* if there is one."""
    parts = urlsplit(asked)
    if not host_ip:
        return asked
    host = f"[{host_ip}]" if ":" in host_ip else host_ip
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}/"


class PairingRoutes:
    """`/bridge/v1/pairing`, `/bridge/v1/enrol`, v1 `/pairing` and `/bridges/enrolment-tokens`."""

    def __init__(
        self,
        pairing: Pairing,
        settings: Settings,
        host_ip: Callable[[], Awaitable[str]] = nobody_said,
    ) -> None:
        """*host_ip*: where other machines reach this server, when somebody has said so."""
        self._pairing = pairing
        self._public_url = settings.public_url
        self._host_ip = host_ip

    def register(self, v1: V1, quart: Quart) -> None:
        """Declare the routes."""
        serve(quart, "POST", "/bridge/v1/pairing", self.begin)
        serve(quart, "POST", "/bridge/v1/pairing/token", self.redeem)
        serve(quart, "POST", "/bridge/v1/enrol", self.enrol)
        v1.add("GET", "/pairing/<user_code>", self.look, _LOOK)
        v1.add("POST", "/pairing/<user_code>/approve", self.approve, _APPROVE)
        v1.add("POST", "/pairing/<user_code>/deny", self.deny, _DENY)
        v1.add("GET", "/bridges/enrolment-tokens", self.tokens, _TOKENS)
        v1.add("POST", "/bridges/enrolment-tokens", self.create_token, _CREATE_TOKEN)
        one = "/bridges/enrolment-tokens/<int:token_id>"
        v1.add("DELETE", one, self.delete_token, _DELETE_TOKEN)

    async def begin(self) -> Response:
        """An agent asks for a code."""
        body = await json_body(AskBody)
        started = await self._pairing.begin(body.asking(), remote_address())
        base = self._public_url or here(request.host_url, await self._host_ip())
        return json_answer(
            {
                "device_code": started.device_code,
                "user_code": shown(started.user_code),
                "verification_url": f"{base.rstrip('/')}/#/pair",
                "expires_in": CODE_S,
                "interval": INTERVAL_S,
                "fingerprint": started.fingerprint,
            }
        )

    async def redeem(self) -> Response:
        """An agent asks whether it was approved."""
        body = await json_body(RedeemBody)
        return _paired(await self._pairing.redeem(body.device_code, body.signature))

    async def enrol(self) -> Response:
        """An agent comes in with a token."""
        body = await json_body(EnrolBody)
        bridge = await self._pairing.enrol(
            body.asking(), body.enrolment_token, body.signature, remote_address()
        )
        return _paired(bridge)

    async def look(self, user_code: str) -> Response:
        """Who asks with this code."""
        return _view(await self._pairing.look(caller(), user_code, remote_address()))

    async def approve(self, user_code: str) -> Response:
        """Let it in."""
        body = await json_body(ApproveBody)
        decided = await self._pairing.decide(
            caller(), user_code, remote_address(), approve=True, name=body.name
        )
        return _view(decided)

    async def deny(self, user_code: str) -> Response:
        """Turn it away."""
        decided = await self._pairing.decide(caller(), user_code, remote_address(), approve=False)
        return _view(decided)

    async def tokens(self) -> Response:
        """The enrolment tokens, without their secrets."""
        skip, limit = paging()
        rows = await self._pairing.tokens(caller())
        shown_rows = [_token_view(row) for row in rows[skip : skip + limit]]
        return json_answer(shown_rows, headers={"X-Total-Count": str(len(rows))})

    async def create_token(self) -> Response:
        """A new one; the only time its secret is shown."""
        body = await json_body(TokenBody)
        row, secret = await self._pairing.create_token(caller(), body.name, body.uses, body.hours)
        shown = {**_token_view(row), "token": secret}
        return json_answer(shown, 201, {"Cache-Control": "no-store"})

    async def delete_token(self, token_id: int) -> Response:
        """Void it."""
        await self._pairing.delete_token(caller(), token_id)
        return Response(status=204)


def _paired(bridge: Bridge) -> Response:
    return json_answer(
        {
            "bridge_id": bridge.uid,
            "name": bridge.name,
            "organization_id": bridge.organization_id,
        }
    )


def _view(pairing: PairingRequest) -> Response:
    return json_answer(
        {
            "user_code": shown(pairing.user_code),
            "state": pairing.state,
            "room": pairing.room,
            "hostname": pairing.hostname,
            "os": pairing.os,
            "agent_version": pairing.agent_version,
            "remote_address": pairing.remote_address,
            "fingerprint": fingerprint(pairing.public_key),
            "bridge_id": pairing.bridge_id,
            "created_at": iso(pairing.created_at),
            "expires_at": iso(pairing.expires_at),
        }
    )


def _token_view(row: EnrolmentToken) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "uses_left": row.uses_left,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
    }
