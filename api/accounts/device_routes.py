"""The v1 routes of devices that open sessions by themselves (v1 2.1)."""

from typing import Annotated

from pydantic import Field
from quart import Response, request

from api.accounts.answers import DeviceSessionAnswer, DeviceTokenAnswer
from api.accounts.bodies import DeviceBody
from api.accounts.entrance import Entrance, secret_answer, token_pair
from api.accounts.service import Accounts
from api.clock import iso
from api.config import Settings
from api.describe import Doc, Query
from api.http import Unprocessable, json_body, remote_address
from api.v1 import V1, caller

_MAX_NAME = 100
_DEVICE = Query(
    name="device_id",
    type=Annotated[str, Field(min_length=1, max_length=_MAX_NAME)],
    description="How the device calls itself, for example a UUID that it made",
    required=True,
)
_TRUST = Doc(
    summary="A token by which this device opens sessions, behind a face or a finger",
    description="Ends after 30 days, with the password, or by DELETE. An older one of the same "
    "device ends at once.",
    answer=DeviceTokenAnswer,
    right="self.write",
    query=(_DEVICE,),
    problems=("bad_request", "reauth_required"),
)
_FORGET = Doc(
    summary="The device opens no sessions any more",
    status=204,
    right="self.write",
    query=(_DEVICE,),
)
_ENTER = Doc(
    summary="A session for the token of a device",
    answer=DeviceSessionAnswer,
    body=DeviceBody,
    problems=("not_authenticated", "csrf_failed"),
)


class DeviceRoutes:
    """`/auth/biometric-token`, `/auth/biometric-refresh`."""

    def __init__(self, accounts: Accounts, settings: Settings) -> None:
        self._accounts = accounts
        self._entrance = Entrance(accounts, settings)

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("POST", "/auth/biometric-token", self.trust, _TRUST)
        v1.add("DELETE", "/auth/biometric-token", self.forget, _FORGET)
        v1.add("POST", "/auth/biometric-refresh", self.enter, _ENTER, public=True)

    async def trust(self) -> Response:
        """A token; the only answer that holds it."""
        agent = request.headers.get("User-Agent", "")
        made = await self._accounts.trust_device(caller(), _device_id(), agent)
        return secret_answer(
            {
                "refresh_token": made.token,
                "expires_at": iso(made.expires_at),
                "device_id": made.device_id,
            }
        )

    async def forget(self) -> Response:
        """Gone."""
        await self._accounts.forget_device(caller(), _device_id())
        return Response(status=204)

    async def enter(self) -> Response:
        """A session; not from another site."""
        self._entrance.check()
        body = await json_body(DeviceBody)
        agent = request.headers.get("User-Agent", "")
        login = await self._accounts.enter_by_device(
            body.refresh_token, body.device_id, remote_address(), agent
        )
        return secret_answer(token_pair(login))


def _device_id() -> str:
    """From the query. Raises `Unprocessable`."""
    given = request.args.get("device_id", "")
    if not 1 <= len(given) <= _MAX_NAME:
        wanted = f"Input should have 1 to {_MAX_NAME} characters"
        place = ["query", "device_id"]
        odd = {"type": "string_length", "loc": place, "msg": wanted, "input": given[:100]}
        raise Unprocessable([odd])
    return given
