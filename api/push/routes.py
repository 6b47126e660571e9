"""v1 routes of push (v1 contract, 2.7): parse, ask the service, answer."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import Field, StringConstraints, model_validator
from quart import Response, request

from api.clock import iso
from api.describe import Answer, Doc, Instant, Query
from api.errors import Invalid
from api.http import Body, RowId, json_answer, json_body
from api.principal import Principal
from api.push.courier import Outcome, Try
from api.push.service import NewPhone, NewSubscription, Push, PushDevice
from api.v1 import V1, caller

NO_SENDER = (
    "The device is kept. Nothing reaches it yet: this server has no sender for Apple's "
    "notifications; browsers are told by Web Push."
)
_DEVICE = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"

_DeviceId = Annotated[str, StringConstraints(pattern=_DEVICE)]
_Endpoint = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
_Key = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Name = Annotated[str, StringConstraints(max_length=100, strip_whitespace=True)]
_Token = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=_-]{8,400}$")]
_Types = Annotated[
    list[Annotated[str, StringConstraints(max_length=32)]],
    Field(max_length=100, description='Types of alerts, or "all"'),
]


class PushKeysBody(Body):
    """The keys of a browser, in base64 for URLs."""

    p256dh: _Key
    auth: _Key


class PushSubscriptionBody(Body):
    """What a browser's `PushSubscription.toJSON()` says, or the same with its keys beside the
    endpoint. *device_id*: what it is to be called.
    """

    endpoint: _Endpoint
    keys: PushKeysBody | None = None
    p256dh_key: _Key | None = None
    auth_key: _Key | None = None
    device_id: _DeviceId | None = None
    device_name: _Name = ""

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if self.keys is None and (self.p256dh_key is None or self.auth_key is None):
            raise ValueError("keys (or p256dh_key and auth_key) is missing")
        return self

    def form(self) -> NewSubscription:
        """The same for the service."""
        keys = self.keys
        return NewSubscription(
            endpoint=self.endpoint,
            p256dh=keys.p256dh if keys else self.p256dh_key or "",
            auth=keys.auth if keys else self.auth_key or "",
            device_id=self.device_id or "",
            name=self.device_name,
        )


class DeviceRegisterBody(Body):
    """A phone and the token that its notifications go to."""

    device_id: _DeviceId
    device_token: _Token
    platform: Literal["ios", "ipados", "macos", "watchos", "visionos"] = "ios"
    device_name: _Name = ""


class PushPreferencesBody(Body):
    """What a device hears of. *alert_types*: null is what `/alert-preferences` says."""

    enabled: bool = True
    alert_types: _Types | None = None


class LiveActivityBody(Body):
    """A phone shows a printer. *activity_token*: null, it does not any more."""

    device_id: _DeviceId
    printer_id: RowId
    activity_token: _Token | None = None


class VapidKey(Answer):
    """The `applicationServerKey` that browsers subscribe with."""

    public_key: str = Field(description="P-256, uncompressed, in base64 for URLs")


class PushSubscribed(Answer):
    """The browser is told from now on."""

    status: Literal["subscribed"]
    device_id: str


class PushUnsubscribed(Answer):
    """So many browsers are not told any more."""

    status: Literal["unsubscribed"]
    removed: int


class DeviceRegistered(Answer):
    """A phone is kept."""

    device_id: str
    platform: str
    registered_at: Instant
    deliverable: bool = Field(description="Whether this server can reach such a device")
    message: str


class PushPreferencesAnswer(Answer):
    """What a device hears of."""

    device_id: str
    enabled: bool
    alert_types: list[str] | None


class LiveActivityKept(Answer):
    """The token is kept, or forgotten."""

    status: Literal["kept", "ended"]
    device_id: str
    printer_id: int
    deliverable: bool
    message: str


class PushTested(Answer):
    """What became of a test; 200 in any case."""

    success: bool
    sent: int
    failed: int
    removed: int = Field(description="Subscriptions that their push services do not know any more")
    message: str


class PrintersRoom(Protocol):
    """What is needed of the printers."""

    async def get(self, by: Principal, printer_id: int) -> Any:
        """One printer. Raises `NotFound`."""


class PushRoutes:
    """``/push``."""

    def __init__(self, push: Push, printers: PrintersRoom) -> None:
        self._push = push
        self._printers = printers

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/push/vapid-key", self.key, _KEY, public=True)
        v1.add("POST", "/push/subscribe", self.subscribe, _SUBSCRIBE)
        v1.add("DELETE", "/push/subscribe", self.unsubscribe, _UNSUBSCRIBE)
        v1.add("POST", "/push/register", self.register_phone, _REGISTER)
        v1.add("DELETE", "/push/register/<device_id>", self.unregister, _UNREGISTER)
        v1.add("GET", "/push/preferences", self.preferences, _PREFERENCES)
        v1.add("PUT", "/push/preferences", self.prefer, _PREFER)
        v1.add("POST", "/push/live-activity", self.live_activity, _LIVE)
        v1.add("POST", "/push/test", self.test, _TEST)

    async def key(self) -> Response:
        """This server's public key."""
        return json_answer({"public_key": self._push.sender.public_key})

    async def subscribe(self) -> Response:
        """A browser is told from now on."""
        body = await json_body(PushSubscriptionBody)
        device = await self._push.subscribe(caller(), body.form())
        return json_answer({"status": "subscribed", "device_id": device.device_id})

    async def unsubscribe(self) -> Response:
        """A browser is not told any more, or none is."""
        removed = await self._push.unsubscribe(caller(), request.args.get("endpoint"))
        return json_answer({"status": "unsubscribed", "removed": removed})

    async def register_phone(self) -> Response:
        """A phone is kept."""
        body = await json_body(DeviceRegisterBody)
        new = NewPhone(
            device_id=body.device_id,
            device_token=body.device_token,
            platform=body.platform,
            name=body.device_name,
        )
        device = await self._push.register(caller(), new)
        shown = {
            "device_id": device.device_id,
            "platform": device.platform,
            "registered_at": iso(device.updated_at),
            "deliverable": False,
            "message": NO_SENDER,
        }
        return json_answer(shown, 201)

    async def unregister(self, device_id: str) -> Response:
        """A device is forgotten."""
        await self._push.unregister(caller(), device_id)
        return Response(status=204)

    async def preferences(self) -> Response:
        """What a device hears of."""
        return _preferences(await self._push.device(caller(), _device_query()))

    async def prefer(self) -> Response:
        """What a device is to hear of."""
        body = await json_body(PushPreferencesBody)
        wish = (body.enabled, body.alert_types)
        return _preferences(await self._push.prefer(caller(), _device_query(), *wish))

    async def live_activity(self) -> Response:
        """A phone shows a printer, or does not any more."""
        body = await json_body(LiveActivityBody)
        await self._printers.get(caller(), body.printer_id)
        wish = (body.device_id, body.printer_id, body.activity_token)
        await self._push.show_printer(caller(), *wish)
        return json_answer(
            {
                "status": "kept" if body.activity_token else "ended",
                "device_id": body.device_id,
                "printer_id": body.printer_id,
                "deliverable": False,
                "message": NO_SENDER,
            }
        )

    async def test(self) -> Response:
        """Tell the caller something now."""
        return json_answer(_tested(await self._push.test(caller())))


def _device_query() -> str:
    device_id = request.args.get("device_id", "")
    if not device_id:
        text = "device_id: which device, as it was registered or subscribed"
        raise Invalid(text, code="validation_failed", field="device_id")
    return device_id[:200]


def _preferences(device: PushDevice) -> Response:
    shown = {"enabled": device.is_enabled, "alert_types": device.alert_types}
    return json_answer({"device_id": device.device_id, **shown})


def _tested(tries: Sequence[Try]) -> dict[str, Any]:
    sent = sum(one.outcome is Outcome.TAKEN for one in tries)
    removed = sum(one.outcome is Outcome.GONE for one in tries)
    whys = sorted({one.why for one in tries if one.why})
    message = "; ".join(whys)[:500] or "It was delivered."
    return {
        "success": bool(sent),
        "sent": sent,
        "failed": len(tries) - sent - removed,
        "removed": removed,
        "message": message if tries else "You have no browser that is told.",
    }


_UNKNOWN = ("device_not_found",)
_DEVICE_QUERY = (
    Query(
        name="device_id",
        type=Annotated[str, StringConstraints(max_length=200)],
        required=True,
        description="As it was registered, or as the answer to its subscription said",
    ),
)
_KEY = Doc(summary="The key that browsers subscribe to this server with", answer=VapidKey)
_SUBSCRIBE = Doc(
    summary="Be told of alerts in this browser",
    description="Private addresses are refused, unless GANTRY_WEBHOOK_NETWORKS lists them.",
    answer=PushSubscribed,
    body=PushSubscriptionBody,
    right="alerts.write",
    problems=("bad_request",),
)
_UNSUBSCRIBE = Doc(
    summary="Be told in a browser no more",
    answer=PushUnsubscribed,
    right="alerts.write",
    query=(
        Query(
            name="endpoint",
            type=Annotated[str, StringConstraints(max_length=2000)],
            description="Of the browser; without one: of all of the caller's",
        ),
    ),
)
_REGISTER = Doc(
    summary="Keep the token of a phone; nothing is sent to it yet",
    answer=DeviceRegistered,
    status=201,
    body=DeviceRegisterBody,
    right="alerts.write",
    problems=("bad_request",),
)
_UNREGISTER = Doc(summary="Forget a device", status=204, right="alerts.write", problems=_UNKNOWN)
_PREFERENCES = Doc(
    summary="What a device hears of",
    answer=PushPreferencesAnswer,
    right="alerts.read",
    query=_DEVICE_QUERY,
    problems=_UNKNOWN,
)
_PREFER = Doc(
    summary="Say what a device hears of",
    answer=PushPreferencesAnswer,
    body=PushPreferencesBody,
    right="alerts.write",
    query=_DEVICE_QUERY,
    problems=_UNKNOWN,
)
_LIVE = Doc(
    summary="A phone shows a printer under a token of its own; nothing is sent to it yet",
    answer=LiveActivityKept,
    body=LiveActivityBody,
    right="alerts.write",
    problems=("device_not_found", "printer_not_found", "bad_request"),
)
_TEST = Doc(
    summary="Tell the caller something in all their browsers; 200 in any case",
    answer=PushTested,
    right="alerts.write",
)
