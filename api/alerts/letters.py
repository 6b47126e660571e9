"""When mails about alerts leave, and what they say. Pure; times are UTC."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from api.alerts.preferences import EmailWhen
from api.mail.letters import Mail
from api.policies.quiet import QuietHours

DAILY_AT_HOUR = 7
MOST_SHOWN = 50  # alerts in one mail; the others are counted


def due_at(when: EmailWhen, now: datetime, quiet: QuietHours) -> datetime | None:
    """When the mail about an alert of *now* is to leave, not in *quiet* hours; None: never, because
    what would have to leave now is not told later either.
    """
    due = _regular(when, now)
    ends = quiet.ends_at(due)
    if ends is None:
        return due
    return ends if quiet.digest or when is not EmailWhen.NOW else None


def _regular(when: EmailWhen, now: datetime) -> datetime:
    if when is EmailWhen.NOW:
        return now
    if when is EmailWhen.HOURLY:
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    today = now.replace(hour=DAILY_AT_HOUR, minute=0, second=0, microsecond=0)
    return today if now < today else today + timedelta(days=1)


def mail_of(facts: Mapping[str, Any], public_url: str) -> Mail:
    """One mail. *facts*: `alerts` as [at, severity, title, message], oldest first, and `count`, of
    how many these are the first.
    """
    alerts: Sequence[Sequence[str | None]] = facts["alerts"]
    count: int = facts["count"]
    lines = [line for alert in alerts for line in _lines(*alert)]
    if count > len(alerts):
        lines.append(f"… and {count - len(alerts)} more.")
    subject = _one_line(alerts[0][2]) if count == 1 else f"{count} alerts of the print farm"
    text = "\n".join([*lines, "", f"The farm: {public_url}", "", _WHY, ""])
    return Mail(subject=subject, text=text)


_WHY = "You chose to be mailed of these; PUT /api/v1/alert-preferences changes it."


def _lines(
    at: str | None, severity: str | None, title: str | None, message: str | None
) -> list[str]:
    first = f"{at}  {severity}: {_one_line(title)}"
    return [first, f"    {_one_line(message)}"] if message else [first]


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
