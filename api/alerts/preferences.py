"""What each person wants to hear of, and how (v1 2.7).

Rows are made when somebody looks at theirs for the first time, with the contract's defaults; who
never looked is told as these say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from api.alerts.kinds import AlertType
from api.alerts.preference_models import AlertPreference
from api.events.service import Ledger
from api.principal import Principal

__all__ = ["TYPES", "AlertPreference", "EmailWhen", "Preferences", "Wish", "default_wish"]

#: Every type that clients of the contract know: the farm's own, and those that it has no source for
#: (it has no cameras), for which preferences are kept all the same.
TYPES = (
    *(str(kind) for kind in AlertType),
    *("spaghetti_detected", "first_layer_issue", "detachment_detected", "bed_cooled"),
    *("queue_added", "queue_skipped", "queue_failed_start"),
)
_PUSHED = (AlertType.PRINT_FAILED, AlertType.JOB_SUBMITTED, AlertType.JOB_REJECTED)
_SPOOL_LOW_G = 100.0


class EmailWhen(StrEnum):
    """When a mail about an alert leaves."""

    NOW = "now"
    HOURLY = "hourly"  # with the others of the hour
    DAILY = "daily"  # with the others of the day


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How one person wants to hear of one type. *threshold_value*: of `spool_low`, told at so many
    grams or less; None: always.
    """

    alert_type: str
    in_app: bool = True
    browser_push: bool = False
    email: bool = False
    email_when: EmailWhen = EmailWhen.NOW
    threshold_value: float | None = None


def default_wish(alert_type: str) -> Wish:
    """What holds for somebody who has chosen nothing."""
    return Wish(
        alert_type=alert_type,
        browser_push=alert_type in _PUSHED,
        threshold_value=_SPOOL_LOW_G if alert_type == AlertType.SPOOL_LOW else None,
    )


class Preferences:
    """The preferences of everybody."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def list(self, by: Principal) -> Sequence[Wish]:
        """The caller's own, one for each of `TYPES`, in their order."""
        by.require("alerts.read")
        rows = await AlertPreference.filter(user_id=by.user_id)
        found = {row.alert_type: _wish(row) for row in rows}
        return [found.get(name) or default_wish(name) for name in TYPES]

    async def set(self, by: Principal, wishes: Sequence[Wish]) -> int:
        """Keep these; other types stay as they are. How many there were."""
        by.require("alerts.write")
        rows = {wish.alert_type: _row(by, wish) for wish in wishes}  # the last word counts
        async with self._ledger.change(by.organization_id) as change:
            if rows:
                await AlertPreference.bulk_create(
                    list(rows.values()),
                    on_conflict=["user_id", "alert_type"],
                    update_fields=[
                        *("organization_id", "in_app", "browser_push", "email", "email_when"),
                        "threshold_value",
                    ],
                )
            change.note(by, "alert_preferences.updated", ("user", by.user_id), types=sorted(rows))
        return len(rows)

    async def of(self, user_ids: Iterable[int], alert_type: str) -> Mapping[int, Wish]:
        """What each of these people wishes for *alert_type*. For the farm itself."""
        wanted = set(user_ids)
        rows = await AlertPreference.filter(user_id__in=wanted, alert_type=alert_type)
        default = default_wish(alert_type)
        return {user_id: default for user_id in wanted} | {row.user_id: _wish(row) for row in rows}

    async def of_person(self, user_id: int) -> Sequence[dict[str, Any]]:
        """What somebody has chosen, by name; for the export of what is kept of them."""
        rows = await AlertPreference.filter(user_id=user_id).order_by("id")
        return [asdict(_wish(row)) for row in rows]


def _row(by: Principal, wish: Wish) -> AlertPreference:
    return AlertPreference(organization_id=by.organization_id, user_id=by.user_id, **asdict(wish))


def _wish(row: AlertPreference) -> Wish:
    return Wish(
        alert_type=row.alert_type,
        in_app=row.in_app,
        browser_push=row.browser_push,
        email=row.email,
        email_when=EmailWhen(row.email_when),
        threshold_value=row.threshold_value,
    )
