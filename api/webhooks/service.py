"""Webhooks: whom an organization tells of its alerts (v1 2.7; safety S50).

A delivery is written in the transaction of its alert, one for each webhook that wants it, and
carried by `api.webhooks.courier`. In quiet hours it waits for their end. The log of deliveries is
kept for 30 days.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ulid import ULID

from api.alerts.kinds import AlertType
from api.clock import Clock
from api.errors import Invalid, NotFound
from api.events.service import Change, Happened, Ledger
from api.policies.quiet import QuietHours
from api.principal import Principal
from api.webhooks.courier import WAITING, Courier
from api.webhooks.messages import TEST, BadAddress, check, message
from api.webhooks.models import Delivery, Webhook
from api.webhooks.outside import Forbidden, Outside, Unreachable

__all__ = ["ALL", "Delivery", "NewWebhook", "Webhook", "Webhooks"]

ALL = "all"
ALERT = "alert.new"  # the event that deliveries are made of
MOST = 50  # webhooks of one organization
KEPT_FOR = timedelta(days=30)
_TOLD = ("alert_type", "title", "message", "severity")

#: The quiet hours of an organization.
QuietOf = Callable[[int], Awaitable[QuietHours]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """What somebody wants to have told. *alert_types*: names, or [`ALL`]."""

    name: str
    url: str
    webhook_type: str
    alert_types: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """How secrets are kept in rows."""

    close: Callable[[str], str]
    open: Callable[[str], str | None]


class Webhooks:
    """The webhooks of everybody."""

    def __init__(
        self, outside: Outside, quiet_of: QuietOf, seal: Seal, ledger: Ledger, clock: Clock
    ) -> None:
        self._outside = outside
        self._quiet_of = quiet_of
        self._seal = seal
        self._ledger = ledger
        self._clock = clock
        self.courier = Courier(outside, seal.open, ledger, clock)
        ledger.follow(self.follow)

    # The farm tells.

    async def follow(self, change: Change, happened: Sequence[Happened]) -> None:
        """Write a delivery for every webhook that wants one of these alerts."""
        alerts = [event for event in happened if event.kind == ALERT]
        for event in alerts:
            hooks = await Webhook.filter(organization_id=event.organization_id, is_enabled=True)
            wanted = [hook for hook in hooks if _wants(hook, event.data["alert_type"])]
            if wanted:
                await self._put(change, wanted, event)

    async def _put(self, change: Change, hooks: Sequence[Webhook], event: Happened) -> None:
        now = self._clock.now()
        quiet = await self._quiet_of(event.organization_id)
        ends = quiet.ends_at(now)
        if ends is not None and not quiet.digest:
            return
        facts = {
            "event": str(event.data["alert_type"]),
            **{name: event.data.get(name) for name in _TOLD},
            "printer_id": event.printer_id,
            "job_id": event.job_id,
        }
        old = Delivery.filter(organization_id=event.organization_id, created_at__lt=now - KEPT_FOR)
        await old.delete()
        await Delivery.bulk_create(
            [
                Delivery(
                    uid=str(ULID()),
                    organization_id=hook.organization_id,
                    webhook_id=hook.id,
                    facts=facts,
                    due_at=ends or now,
                    created_at=now,
                )
                for hook in hooks
            ]
        )
        change.wake(WAITING)

    # People ask.

    async def list(self, by: Principal, skip: int, limit: int) -> tuple[Sequence[Webhook], int]:
        """(a page of the organization's, oldest first, how many there are)."""
        by.require("webhooks.admin")
        rows = Webhook.filter(organization_id=by.organization_id)
        return await rows.order_by("id").offset(skip).limit(limit), await rows.count()

    async def create(self, by: Principal, new: NewWebhook) -> tuple[Webhook, str]:
        """(the webhook, the secret that its deliveries are signed with, shown once).

        Raises `Invalid` for an address that nothing may be sent to.
        """
        by.require("webhooks.admin")
        await self._check(new.webhook_type, new.url)
        types = _checked_types(new.alert_types)
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        async with self._ledger.change(by.organization_id) as change:
            if await Webhook.filter(organization_id=by.organization_id).count() >= MOST:
                raise Invalid(f"There are {MOST} webhooks already; delete one first.")
            row = await Webhook.create(
                organization_id=by.organization_id,
                name=new.name,
                url=new.url,
                webhook_type=new.webhook_type,
                alert_types=types,
                sealed=self._seal.close(secret),
                created_at=now,
                updated_at=now,
            )
            change.note(by, "webhook.created", ("webhook", row.id), name=new.name)
        return row, secret

    async def update(self, by: Principal, webhook_id: int, given: Mapping[str, Any]) -> Webhook:
        """Change what is *given*, by the names of the columns. Raises `NotFound`, `Invalid`."""
        by.require("webhooks.admin")
        row = await self._one(by, webhook_id)
        changed = dict(given)
        if "alert_types" in changed:
            changed["alert_types"] = _checked_types(changed["alert_types"])
        if "url" in changed or "webhook_type" in changed:
            webhook_type = changed.get("webhook_type", row.webhook_type)
            await self._check(webhook_type, changed.get("url", row.url))
        async with self._ledger.change(by.organization_id) as change:
            row = await self._one(by, webhook_id)
            row.update_from_dict({**changed, "updated_at": self._clock.now()})
            await row.save(update_fields=[*changed, "updated_at"])
            change.note(by, "webhook.updated", ("webhook", row.id), names=sorted(changed))
        return row

    async def delete(self, by: Principal, webhook_id: int) -> None:
        """Remove it and its log. Raises `NotFound`."""
        by.require("webhooks.admin")
        async with self._ledger.change(by.organization_id) as change:
            row = await self._one(by, webhook_id)
            await Delivery.filter(webhook_id=row.id).delete()
            await row.delete()
            change.note(by, "webhook.deleted", ("webhook", row.id), name=row.name)

    async def test(self, by: Principal, webhook_id: int) -> str:
        """Tell it something, now; "" when it took it, else why not. Raises `NotFound`."""
        by.require("webhooks.admin")
        row = await self._one(by, webhook_id)
        async with self._ledger.change(by.organization_id) as change:
            change.note(by, "webhook.tested", ("webhook", row.id))
        words = "This print farm can reach you."
        facts = {"event": TEST, "title": "A test", "message": words, "severity": "info"}
        return await self.courier.try_once(row, facts)

    async def deliveries(
        self, by: Principal, webhook_id: int, skip: int, limit: int
    ) -> tuple[Sequence[Delivery], int]:
        """(a page of what it was or is to be told, the newest first, how many). `NotFound`."""
        by.require("webhooks.admin")
        row = await self._one(by, webhook_id)
        rows = Delivery.filter(webhook_id=row.id)
        return await rows.order_by("-id").offset(skip).limit(limit), await rows.count()

    async def _one(self, by: Principal, webhook_id: int) -> Webhook:
        row = await Webhook.get_or_none(id=webhook_id, organization_id=by.organization_id)
        if row is None:
            raise NotFound(f"There is no webhook {webhook_id}.", code="webhook_not_found")
        return row

    async def _check(self, webhook_type: str, address: str) -> None:
        """Raises `Invalid`. A name that has no address yet is looked at when something is sent."""
        try:
            check(webhook_type, address)
            url = message(webhook_type, address, {"event": TEST}).url
            await self._outside.target(url)
        except (BadAddress, Forbidden) as error:
            raise Invalid(f"Nothing can be sent there: {error}") from None
        except Unreachable:
            return


def _wants(hook: Webhook, alert_type: str) -> bool:
    return ALL in hook.alert_types or alert_type in hook.alert_types


def _checked_types(names: Sequence[str]) -> list[str]:
    """Each once; `ALL` alone. Raises `Invalid`."""
    if ALL in names:
        return [ALL]
    known = {str(kind) for kind in AlertType}
    if unknown := sorted(set(names) - known):
        raise Invalid(
            f"There is no alert type {unknown[0][:40]!r}: take {', '.join(sorted(known))} or all."
        )
    return sorted(set(names))
