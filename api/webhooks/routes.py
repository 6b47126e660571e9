"""v1 routes of webhooks (v1 contract, 2.7): parse, ask the service, answer."""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from quart import Response

from api.clock import iso
from api.describe import Answer, Doc, Instant
from api.http import Body, json_answer, json_body, paging
from api.v1 import V1, caller
from api.webhooks.service import ALL, Delivery, NewWebhook, Webhook, Webhooks


def _listed(value: Any) -> Any:
    """ "all", one name, a list, or such a list as text, which is how the lists show it."""
    if isinstance(value, str) and value.startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return [value] if isinstance(value, str) else value


_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Address = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
_Type = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
_Listed = (
    Annotated[list[Annotated[str, StringConstraints(max_length=32)]], Field(max_length=100)]
    | Annotated[str, StringConstraints(max_length=4000)]
)
_Types = Annotated[
    list[Annotated[str, StringConstraints(max_length=32)]],
    BeforeValidator(_listed, json_schema_input_type=_Listed),
    Field(min_length=1, max_length=100, description='Types of alerts, or "all"'),
]


class WebhookBody(Body):
    """A service that is to hear of alerts. *url*: for telegram "bot_token|chat_id", for pushover
    "user_key|api_token", for whatsapp "phone_id|recipient|token".
    """

    url: _Address
    name: _Name = "Webhook"
    webhook_type: _Type = "discord"
    alert_types: _Types | None = None


class WebhookChangeBody(Body):
    """What is absent or null stays."""

    name: _Name | None = None
    url: _Address | None = None
    webhook_type: _Type | None = None
    alert_types: _Types | None = None
    is_enabled: bool | None = None


class WebhookAnswer(Answer):
    """A service that hears of alerts."""

    id: int
    name: str
    url: str
    webhook_type: str
    alert_types: Annotated[str, Field(description="A JSON list of names")]
    is_enabled: Literal[0, 1]
    created_at: Instant
    updated_at: Instant


class WebhookDone(Answer):
    """Done, or why not."""

    success: bool
    message: str


class WebhookCreated(WebhookDone):
    """Deliveries carry `X-Gantry-Signature: t=…,v1=…`: HMAC-SHA256 of "{t}.{body}" by *secret*."""

    id: int
    secret: Annotated[str, Field(description="Shown this once")]


class WebhookChanged(Answer):
    """Done."""

    success: bool


class DeliveryAnswer(Answer):
    """What a webhook was told, or is to be."""

    id: int
    delivery_id: Annotated[str, Field(description="As in the header X-Gantry-Delivery")]
    event: str
    title: str | None
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    status_code: int | None
    detail: str
    created_at: Instant
    next_try_at: Instant | None
    done_at: Instant | None


class WebhookRoutes:
    """``/webhooks``."""

    def __init__(self, webhooks: Webhooks) -> None:
        self._webhooks = webhooks

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/webhooks/<int:webhook_id>"
        v1.add("GET", "/webhooks", self.list, _LIST)
        v1.add("POST", "/webhooks", self.create, _CREATE)
        v1.add("PATCH", one, self.update, _UPDATE)
        v1.add("DELETE", one, self.delete, _DELETE)
        v1.add("POST", f"{one}/test", self.test, _TEST)
        v1.add("GET", f"{one}/deliveries", self.deliveries, _DELIVERIES)

    async def list(self) -> Response:
        """The organization's webhooks."""
        rows, total = await self._webhooks.list(caller(), *paging())
        return _page([_shown(row) for row in rows], total)

    async def create(self) -> Response:
        """Add one."""
        body = await json_body(WebhookBody)
        new = NewWebhook(
            name=body.name,
            url=body.url,
            webhook_type=body.webhook_type,
            alert_types=[ALL] if body.alert_types is None else body.alert_types,
        )
        row, secret = await self._webhooks.create(caller(), new)
        answer = {"success": True, "message": f"{row.name} is told of alerts from now on."}
        shown = {**answer, "id": row.id, "secret": secret}
        return json_answer(shown, headers={"Cache-Control": "no-store"})  # nor is it replayed

    async def update(self, webhook_id: int) -> Response:
        """Change one."""
        given = (await json_body(WebhookChangeBody)).model_dump(exclude_none=True)
        await self._webhooks.update(caller(), webhook_id, given)
        return json_answer({"success": True})

    async def delete(self, webhook_id: int) -> Response:
        """Remove one."""
        await self._webhooks.delete(caller(), webhook_id)
        return json_answer({"success": True, "message": "It is not told of anything any more."})

    async def test(self, webhook_id: int) -> Response:
        """Tell one something now."""
        refused = await self._webhooks.test(caller(), webhook_id)
        return json_answer({"success": not refused, "message": refused or "It was delivered."})

    async def deliveries(self, webhook_id: int) -> Response:
        """What one was told."""
        rows, total = await self._webhooks.deliveries(caller(), webhook_id, *paging())
        return _page([_delivery(row) for row in rows], total)


def _page(rows: list[dict[str, Any]], total: int) -> Response:
    return json_answer(rows, headers={"X-Total-Count": str(total)})


def _shown(row: Webhook) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "url": row.url,
        "webhook_type": row.webhook_type,
        "alert_types": json.dumps(row.alert_types),
        "is_enabled": int(row.is_enabled),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "delivery_id": row.uid,
        "event": row.facts["event"],
        "title": row.facts.get("title"),
        "state": row.state,
        "tries": row.tries,
        "status_code": row.status_code,
        "detail": row.detail,
        "created_at": iso(row.created_at),
        "next_try_at": iso(row.due_at) if row.state == "waiting" else None,
        "done_at": iso(row.done_at),
    }


_LIST = Doc(
    summary="The services that hear of alerts",
    answer=list[WebhookAnswer],
    right="webhooks.admin",
    paged=True,
)
_CREATE = Doc(
    summary="Have a service hear of alerts",
    description="Private addresses are refused, unless GANTRY_WEBHOOK_NETWORKS lists them.",
    answer=WebhookCreated,
    body=WebhookBody,
    right="webhooks.admin",
    problems=("bad_request",),
)
_UPDATE = Doc(
    summary="Change a webhook",
    answer=WebhookChanged,
    body=WebhookChangeBody,
    right="webhooks.admin",
    problems=("bad_request", "webhook_not_found"),
)
_DELETE = Doc(
    summary="Remove a webhook and its log",
    answer=WebhookDone,
    right="webhooks.admin",
    problems=("webhook_not_found",),
)
_TEST = Doc(
    summary="Tell a webhook something now; 200 in any case",
    answer=WebhookDone,
    right="webhooks.admin",
    problems=("webhook_not_found",),
)
_DELIVERIES = Doc(
    summary="What a webhook was told or is to be, the newest first",
    answer=list[DeliveryAnswer],
    right="webhooks.admin",
    paged=True,
    problems=("webhook_not_found",),
)
