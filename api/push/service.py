"""Push: people's devices, and the alerts that they hear of (v1 contract, 2.7; safety S50).

A message is written in the transaction of its alert, one for each browser whose owner wants it
there, and carried by `api.push.courier`; in quiet hours it waits for their end. Addresses of push
services come from browsers, so nothing is sent to a private one. Phones are kept with their tokens:
this server has no sender for them, and says so.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tortoise.queryset import QuerySet

from api.alerts.preferences import TYPES, Wish
from api.alerts.service import Alert
from api.clock import Clock
from api.errors import Invalid, NotFound
from api.events.service import Change, Ledger
from api.policies.quiet import QuietHours
from api.principal import Principal
from api.push.courier import WAITING, Courier, Try, forget
from api.push.envelope import BadKey, Sender, check_keys
from api.push.models import PushDevice, PushMessage
from api.webhooks.outside import Forbidden, Outside, Unreachable, is_public
from api.webhooks.service import ALL, Seal

__all__ = ["NewPhone", "NewSubscription", "Push", "PushDevice"]

WEB, APNS = "web", "apns"
MOST = 20  # devices of one person
MOST_ACTIVITIES = 50  # printers that one phone shows

#: The quiet hours of an organization.
QuietOf = Callable[[int], Awaitable[QuietHours]]


class WishesRoom(Protocol):
    """What is needed of the alert preferences."""

    async def of(self, user_ids: Any, alert_type: str) -> Mapping[int, Wish]:
        """What each of these people wishes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubscription:
    """A browser at its push service. *device_id* "": it has not said."""

    endpoint: str
    p256dh: str
    auth: str
    device_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhone:
    """A phone and its token at Apple."""

    device_id: str
    device_token: str
    platform: str
    name: str = ""


class Push:
    """The devices of everybody."""

    def __init__(
        self,
        outside: Outside,
        sender: Sender,
        seal: Seal,
        *,
        wishes: WishesRoom,
        quiet_of: QuietOf,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._outside = outside
        self._seal = seal
        self._wishes = wishes
        self._quiet_of = quiet_of
        self._ledger = ledger
        self._clock = clock
        self.sender = sender
        self.courier = Courier(outside, sender, seal.open, ledger, clock)

    # The farm tells.

    async def tell(self, change: Change, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Push *alerts* of one event, about to be written, to those who want them there."""
        people = {row.user_id: row for row in alerts}
        if not people:
            return alerts
        first = alerts[0]
        found = PushDevice.filter(user_id__in=[*people], kind=WEB, is_enabled=True)
        devices = await found.filter(organization_id=first.organization_id).order_by("id")
        if not devices:
            return alerts
        wishes = await self._wishes.of(people, first.alert_type)
        wanting = [one for one in devices if _wants(one, first.alert_type, wishes[one.user_id])]
        now = self._clock.now()
        quiet = await self._quiet_of(first.organization_id)
        ends = quiet.ends_at(now)
        if wanting and (ends is None or quiet.digest):
            await PushMessage.bulk_create(
                [
                    PushMessage(
                        organization_id=one.organization_id,
                        device_row_id=one.id,
                        facts=_facts(people[one.user_id]),
                        due_at=ends or now,
                        created_at=now,
                    )
                    for one in wanting
                ]
            )
            change.wake(WAITING)
        return alerts

    # People ask.

    async def subscribe(self, by: Principal, new: NewSubscription) -> PushDevice:
        """From now on the caller is told in this browser, and nobody else is.

        Raises `Invalid`: keys that are none, an address that nothing may be sent to, too many.
        """
        by.require("alerts.write")
        await self._check(new)
        digest = hashlib.sha256(new.endpoint.encode()).hexdigest()
        values = {
            "kind": WEB,
            "endpoint": new.endpoint,
            "endpoint_digest": digest,
            "p256dh": new.p256dh,
            "sealed": self._seal.close(new.auth),
            "name": new.name,
        }
        device_id = new.device_id or f"web-{digest[:32]}"
        async with self._ledger.change() as change:
            for row in await PushDevice.filter(endpoint_digest=digest):
                if row.user_id == by.user_id:
                    is_over = row.device_id != device_id  # it goes by another name now
                else:
                    is_over = self._seal.open(row.sealed) == new.auth  # another person sits there
                if is_over:
                    await forget(row)
            device = await self._kept(by, device_id, values)
            change.note(by, "push.subscribed", ("push_device", device.id))
        return device

    async def unsubscribe(self, by: Principal, endpoint: str | None) -> int:
        """The caller is not told in this browser any more (None: in none); how many there were."""
        by.require("alerts.write")
        rows = _theirs(by).filter(kind=WEB)
        if endpoint is not None:
            digest = hashlib.sha256(endpoint.encode("utf-8", "replace")).hexdigest()
            rows = rows.filter(endpoint_digest=digest)
        async with self._ledger.change() as change:
            found = await rows
            for row in found:
                await forget(row)
            change.note(by, "push.unsubscribed", ("user", by.user_id), count=len(found))
        return len(found)

    async def register(self, by: Principal, new: NewPhone) -> PushDevice:
        """Keep a phone's token. Raises `Invalid`: too many."""
        by.require("alerts.write")
        values = {
            "kind": APNS,
            "token": new.device_token,
            "platform": new.platform,
            "name": new.name,
        }
        async with self._ledger.change() as change:
            device = await self._kept(by, new.device_id, values)
            change.note(by, "push.registered", ("push_device", device.id), platform=new.platform)
        return device

    async def unregister(self, by: Principal, device_id: str) -> None:
        """Forget a device of the caller's. Raises `NotFound`."""
        by.require("alerts.write")
        async with self._ledger.change() as change:
            row = await _one(by, device_id)
            await forget(row)
            change.note(by, "push.unregistered", ("push_device", row.id))

    async def device(self, by: Principal, device_id: str) -> PushDevice:
        """A device of the caller's. Raises `NotFound`."""
        by.require("alerts.read")
        return await _one(by, device_id)

    async def prefer(
        self, by: Principal, device_id: str, is_enabled: bool, alert_types: Sequence[str] | None
    ) -> PushDevice:
        """What a device hears of; None: what its owner's alert preferences say.

        Raises `NotFound`, or `Invalid` for types that there are not.
        """
        by.require("alerts.write")
        types = None if alert_types is None else _checked(alert_types)
        async with self._ledger.change() as change:
            row = await _one(by, device_id)
            row.is_enabled, row.alert_types = is_enabled, types
            row.updated_at = self._clock.now()
            await row.save(update_fields=["is_enabled", "alert_types", "updated_at"])
            change.note(by, "push.preferences", ("push_device", row.id), enabled=is_enabled)
        return row

    async def show_printer(
        self, by: Principal, device_id: str, printer_id: int, token: str | None
    ) -> PushDevice:
        """A phone shows a printer under a token of its own; None: not any more.

        Raises `NotFound`, or `Invalid` for too many printers, or a device that is no phone.
        """
        by.require("alerts.write")
        async with self._ledger.change() as change:
            row = await _one(by, device_id)
            if row.kind != APNS:
                raise Invalid(f"{device_id} is a browser; only phones have live activities.")
            others = row.live_activities.items()
            shown = {key: kept for key, kept in others if key != str(printer_id)}
            if token is not None:
                shown[str(printer_id)] = token
            if len(shown) > MOST_ACTIVITIES:
                raise Invalid(f"A phone shows at most {MOST_ACTIVITIES} printers.")
            row.live_activities, row.updated_at = shown, self._clock.now()
            await row.save(update_fields=["live_activities", "updated_at"])
            facts = {"printer_id": printer_id, "shown": token is not None}
            change.note(by, "push.live_activity", ("push_device", row.id), **facts)
        return row

    async def test(self, by: Principal) -> Sequence[Try]:
        """Tell the caller something in all their browsers, now; what became of each."""
        by.require("alerts.write")
        devices = await _theirs(by).filter(kind=WEB, is_enabled=True).order_by("id")
        async with self._ledger.change() as change:
            change.note(by, "push.tested", ("user", by.user_id), devices=len(devices))
        facts = {"event": "test", "title": "A test", "message": _TEST, "severity": "info"}
        return await asyncio.gather(*(self.courier.carry(one, facts) for one in devices))

    async def forget_person(self, user_id: int) -> None:
        """Somebody is here no more; in the transaction of the caller."""
        for row in await PushDevice.filter(user_id=user_id):
            await forget(row)

    async def _kept(self, by: Principal, device_id: str, values: Mapping[str, Any]) -> PushDevice:
        """The device with *values*, in the transaction of the caller. Raises `Invalid`."""
        now = self._clock.now()
        row = await _theirs(by).filter(device_id=device_id).first()
        if row is None:
            if await _theirs(by).count() >= MOST:
                raise Invalid(f"You have {MOST} devices already; remove one first.")
            row = PushDevice(user_id=by.user_id, device_id=device_id, created_at=now)
        row.update_from_dict({**values, "organization_id": by.organization_id, "updated_at": now})
        await row.save()
        return row

    async def _check(self, new: NewSubscription) -> None:
        """Raises `Invalid`. A name that has no address yet is looked at when something is sent."""
        try:
            check_keys(new.p256dh, new.auth)
        except BadKey as error:
            raise _refuse("keys", str(error)) from None
        try:
            target = await self._outside.target(new.endpoint)
        except (Forbidden, ValueError) as error:
            raise _refuse("endpoint", f"nothing can be sent there: {error}") from None
        except Unreachable:
            return
        if target.parts.scheme != "https" and is_public(target.address):
            raise _refuse("endpoint", "this takes an address that begins with https://")


_TEST = "This print farm can reach you."
_TOLD = ("alert_type", "severity", "title", "message", "printer_id", "job_id")


def _facts(alert: Alert) -> dict[str, Any]:
    return {"event": alert.alert_type, **{name: getattr(alert, name) for name in _TOLD}}


def _wants(device: PushDevice, alert_type: str, wish: Wish) -> bool:
    if device.alert_types is None:
        return wish.browser_push
    return ALL in device.alert_types or alert_type in device.alert_types


def _checked(names: Sequence[str]) -> list[str]:
    """Each once; `ALL` alone. Raises `Invalid`."""
    if ALL in names:
        return [ALL]
    if unknown := sorted(set(names) - set(TYPES)):
        raise _refuse("alert_types", f"{', '.join(TYPES)} or all, not {unknown[0][:40]!r}")
    return sorted(set(names))


def _refuse(field: str, text: str) -> Invalid:
    return Invalid(f"{field}: {text}", code="validation_failed", field=field)


def _theirs(by: Principal) -> QuerySet[PushDevice]:
    return PushDevice.filter(user_id=by.user_id, organization_id=by.organization_id)


async def _one(by: Principal, device_id: str) -> PushDevice:
    row = await _theirs(by).filter(device_id=device_id).first()
    if row is None:
        raise NotFound(f"You have no device {device_id[:40]!r}.", code="device_not_found")
    return row
