"""Alerts by mail: at once, or with the others of the hour or the day, never in quiet hours.

What is to be mailed is a row of the transaction that made the alert. A step takes everything that
is due for one person and writes one mail to the outbox (`api.mail`), in one transaction: of several
processes one does it, once. Containers step by themselves, functions with every tick.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from api.alerts.letters import MOST_SHOWN, due_at, mail_of
from api.alerts.models import Alert
from api.alerts.preference_models import HeldAlert
from api.alerts.preferences import Preferences, Wish
from api.bus.attendance import attend
from api.bus.local import Bus
from api.clock import Clock, iso
from api.errors import Forbidden, Invalid
from api.events.service import Change, Ledger
from api.mail.letters import Mail
from api.mail.service import Post
from api.policies.quiet import QuietHours
from api.principal import Principal

__all__ = ["Digests", "Standing"]

WAITING = "alert-mail"  # rung when an alert is to be mailed
LOOK_EVERY_S = 30.0
MOST_AT_ONCE = 100  # people whose mails one `drain` writes

#: Kinds of mail.
ALERTS, TEST = "alerts", "mail_test"


class Member(Protocol):
    """What is needed of a person."""

    id: Any
    email: Any


class PeopleRoom(Protocol):
    """What is needed of the accounts."""

    @property
    def post(self) -> Post:
        """The outbox."""

    async def members(self, organization_id: int) -> Sequence[Member]:
        """The active people of an organization."""


#: The quiet hours of an organization.
QuietOf = Callable[[int], Awaitable[QuietHours]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the caller's mails stand. *waiting*: alerts; *next_at*: of the earliest mail."""

    is_enabled: bool
    waiting: int
    next_at: datetime | None
    quiet: QuietHours
    quiet_until: datetime | None


class Digests:
    """Mails people what they want to be mailed."""

    def __init__(
        self,
        preferences: Preferences,
        people: PeopleRoom,
        quiet_of: QuietOf,
        *,
        ledger: Ledger,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._preferences = preferences
        self._people = people
        self._quiet_of = quiet_of
        self._ledger = ledger
        self._clock = clock
        self._public_url = public_url
        people.post.compose(ALERTS, self._mail)
        people.post.compose(TEST, self._test)

    # The farm tells.

    async def tell(self, change: Change, alerts: Sequence[Alert]) -> list[Alert]:
        """*alerts* of one event, about to be written, that people want; hold what is to be mailed.

        What somebody does not want in the app is written as dismissed.
        """
        first = alerts[0]
        wishes = await self._preferences.of((row.user_id for row in alerts), first.alert_type)
        wanted = [row for row in alerts if _is_worth(row, wishes[row.user_id])]
        for row in wanted:
            if not wishes[row.user_id].in_app:
                row.is_read = row.is_dismissed = True
        if self._people.post.is_open:
            await self._hold(change, wanted, wishes)
        return wanted

    async def _hold(
        self, change: Change, alerts: Sequence[Alert], wishes: Mapping[int, Wish]
    ) -> None:
        mailed = [row for row in alerts if wishes[row.user_id].email]
        if not mailed:
            return
        quiet = await self._quiet_of(mailed[0].organization_id)
        held = [
            HeldAlert(
                organization_id=row.organization_id,
                user_id=row.user_id,
                severity=row.severity,
                title=row.title,
                message=row.message,
                at=row.created_at,
                due_at=due,
            )
            for row in mailed
            if (due := due_at(wishes[row.user_id].email_when, row.created_at, quiet)) is not None
        ]
        if held:
            await HeldAlert.bulk_create(held)
            change.wake(WAITING)

    # The clock.

    async def run(self, bus: Bus) -> None:
        """Write the mails that are due, until cancelled."""
        await attend(bus, WAITING, self._round, "writing mails about alerts")

    async def _round(self) -> float:
        await self.drain()
        return LOOK_EVERY_S

    async def drain(self) -> None:
        """Write every mail that is due."""
        for _ in range(MOST_AT_ONCE):
            if not await self.step():
                return

    async def step(self) -> bool:
        """Write the mail of whoever waits longest; False when nobody does."""
        now = self._clock.now()
        first = await HeldAlert.filter(due_at__lte=now).order_by("due_at", "id").first()
        if first is None:
            return False
        theirs = HeldAlert.filter(
            organization_id=first.organization_id, user_id=first.user_id, due_at__lte=now
        )
        async with self._ledger.change(first.organization_id) as change:
            rows = await theirs.order_by("id").limit(MOST_SHOWN)
            if not rows:  # another process was faster
                return True
            count = await theirs.count()
            await theirs.delete()
            people = await self._people.members(first.organization_id)
            address = next((one.email for one in people if one.id == first.user_id), "")
            shown = [[iso(row.at), row.severity, row.title, row.message] for row in rows]
            await self._people.post.put(change, ALERTS, address, alerts=shown, count=count)
        return True

    async def _mail(self, address: str, facts: Mapping[str, Any]) -> Mail:
        del address
        return mail_of(facts, self._public_url)

    # People ask.

    async def standing(self, by: Principal) -> Standing:
        """What waits for the caller."""
        by.require("alerts.read")
        theirs = HeldAlert.filter(organization_id=by.organization_id, user_id=by.user_id)
        first = await theirs.order_by("due_at", "id").first()
        quiet = await self._quiet_of(by.organization_id)
        return Standing(
            is_enabled=self._people.post.is_open,
            waiting=await theirs.count(),
            next_at=None if first is None else first.due_at,
            quiet=quiet,
            quiet_until=quiet.ends_at(self._clock.now()),
        )

    async def test(self, by: Principal) -> str:
        """Mail the caller something; to which address. Raises `Forbidden` (feature_disabled),
        `Invalid` without an address.
        """
        by.require("mail.admin")
        if not self._people.post.is_open:
            raise Forbidden(
                "This server sends no mail: GANTRY_SMTP_HOST is not set.", code="feature_disabled"
            )
        people = await self._people.members(by.organization_id)
        address = next((str(one.email) for one in people if one.id == by.user_id), "")
        if not address:
            raise Invalid("Your account has no e-mail address.")
        async with self._ledger.change(by.organization_id) as change:
            await self._people.post.put(change, TEST, address)
            change.note(by, "mail.tested", ("user", by.user_id))
        return address

    async def _test(self, address: str, facts: Mapping[str, Any]) -> Mail:
        del facts
        text = f"The print farm at {self._public_url} can send mail to {address}.\n"
        return Mail(subject="A test of the print farm's mail", text=text)


def _is_worth(row: Alert, wish: Wish) -> bool:
    """Whether it is as bad as its reader wants it to be."""
    left_g = row.details.get("remaining_grams")
    return wish.threshold_value is None or left_g is None or left_g <= wish.threshold_value
