"""The v1 routes of the rules of the farm (v1 2.2 `/permissions`, 2.4 `/config/…`)."""

from quart import Response

from api.describe import Doc
from api.errors import Forbidden
from api.http import json_answer, json_body, remote_address
from api.policies.answers import (
    AllowlistAnswer,
    DoneAnswer,
    MqttAnswer,
    PermissionsAnswer,
    QuietHoursAnswer,
)
from api.policies.bodies import AllowlistBody, MqttBody, PermissionsBody, QuietHoursBody
from api.policies.permissions import shown
from api.policies.quiet import QuietHours
from api.policies.service import Policies
from api.v1 import V1, caller

_OK = {"status": "ok"}
_RIGHT = "farm.admin"
_NO_MQTT = {
    "enabled": False,
    "host": "",
    "port": 1883,
    "username": "",
    "password": "",
    "topic_prefix": "gantry",
    "use_tls": False,
}
_GET_LIST = Doc(
    summary="From where people and programs may come in", answer=AllowlistAnswer, right=_RIGHT
)
_PUT_LIST = Doc(
    summary="Let in only who comes from these networks",
    description="Everybody else gets 403 on both faces and their sockets, at once. Bridges, which "
    "prove themselves with a key of their own, and `/health` are let in from everywhere. "
    "`python -m api allow-all` on the server opens it again.",
    answer=AllowlistAnswer,
    body=AllowlistBody,
    right=_RIGHT,
    problems=("bad_request",),
)
_GET_QUIET = Doc(summary="When nobody is disturbed", answer=QuietHoursAnswer, right=_RIGHT)
_PUT_QUIET = Doc(
    summary="Set when nobody is disturbed", answer=DoneAnswer, body=QuietHoursBody, right=_RIGHT
)
_PERMISSIONS = Doc(
    summary="Which roles may what",
    description="Made from the table that every request is checked against.",
    answer=PermissionsAnswer,
)
_PUT_PERMISSIONS = Doc(
    summary="Give what others may to weaker or stronger roles; it holds at once",
    description="Roles are ranked: a list names a role and all above it. What only admins may, "
    "and what everybody does with their own account, stays as it is.",
    answer=PermissionsAnswer,
    body=PermissionsBody,
    right=_RIGHT,
    problems=("bad_request",),
)
_RESET = Doc(summary="Every right as it was at first", answer=PermissionsAnswer, right=_RIGHT)
_GET_MQTT = Doc(
    summary="Telling an MQTT broker what printers do: off", answer=MqttAnswer, right=_RIGHT
)
_PUT_MQTT = Doc(
    summary="There is no MQTT here; whoever switches it on is told what there is instead",
    answer=DoneAnswer,
    body=MqttBody,
    right=_RIGHT,
    problems=("feature_disabled",),
)
_TEST_MQTT = Doc(
    summary="There is no MQTT here",
    answer=DoneAnswer,
    right=_RIGHT,
    problems=("feature_disabled",),
)


class PolicyRoutes:
    """`/config/ip-allowlist`, `/config/quiet-hours`, `/config/mqtt-republish`, `/permissions`."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/config/ip-allowlist", self.allowlist, _GET_LIST)
        v1.add("PUT", "/config/ip-allowlist", self.set_allowlist, _PUT_LIST)
        v1.add("GET", "/config/quiet-hours", self.quiet_hours, _GET_QUIET)
        v1.add("PUT", "/config/quiet-hours", self.set_quiet_hours, _PUT_QUIET)
        v1.add("GET", "/config/mqtt-republish", self.mqtt, _GET_MQTT)
        v1.add("PUT", "/config/mqtt-republish", self.set_mqtt, _PUT_MQTT)
        v1.add("POST", "/config/mqtt-republish/test", self.test_mqtt, _TEST_MQTT)
        v1.add("GET", "/permissions", self.permissions, _PERMISSIONS)
        v1.add("PUT", "/permissions", self.set_permissions, _PUT_PERMISSIONS)
        v1.add("POST", "/permissions/reset", self.reset_permissions, _RESET)

    async def allowlist(self) -> Response:
        """Who is let in."""
        return json_answer(await self._policies.allowlist(caller()))

    async def set_allowlist(self) -> Response:
        """Let others in."""
        body = await json_body(AllowlistBody)
        kept = await self._policies.set_allowlist(
            caller(),
            enabled=body.enabled,
            cidrs=body.cidrs,
            mode=body.mode,
            address=remote_address(),
        )
        return json_answer(kept)

    async def quiet_hours(self) -> Response:
        """When it is quiet."""
        return json_answer(_quiet(await self._policies.farm_quiet_hours(caller())))

    async def set_quiet_hours(self) -> Response:
        """Other hours."""
        body = await json_body(QuietHoursBody)
        await self._policies.set_quiet_hours(caller(), body.model_dump(exclude_none=True))
        return json_answer(_OK)

    async def mqtt(self) -> Response:
        """Nothing is told to a broker."""
        caller().require(_RIGHT)
        return json_answer(_NO_MQTT)

    async def set_mqtt(self) -> Response:
        """Off is what it is. Raises `Forbidden` (feature_disabled) for on."""
        caller().require(_RIGHT)
        if (await json_body(MqttBody)).enabled:
            raise _no_mqtt()
        return json_answer(_OK)

    async def test_mqtt(self) -> Response:
        """Raises `Forbidden` (feature_disabled)."""
        caller().require(_RIGHT)
        raise _no_mqtt()

    async def permissions(self) -> Response:
        """The table of rights, by role."""
        return json_answer(shown((await self._policies.current()).rights))

    async def set_permissions(self) -> Response:
        """Other roles for some rights."""
        body = await json_body(PermissionsBody)
        return json_answer(
            shown(
                await self._policies.set_permissions(caller(), body.page_access, body.action_access)
            )
        )

    async def reset_permissions(self) -> Response:
        """All as at first."""
        return json_answer(shown(await self._policies.reset_permissions(caller())))


def _quiet(hours: QuietHours) -> dict[str, object]:
    return {
        "enabled": hours.enabled,
        "start": f"{hours.start:%H:%M}",
        "end": f"{hours.end:%H:%M}",
        "digest": hours.digest,
    }


def _no_mqtt() -> Forbidden:
    return Forbidden(
        "This server tells no MQTT broker anything. What happens is told by GET /events, by the "
        "websocket /ws and by webhooks, and GET /metrics gives numbers.",
        code="feature_disabled",
    )
