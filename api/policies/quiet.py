"""Hours in which nobody is disturbed (v1 2.4 `/config/quiet-hours`, 2.7). Pure; times are UTC."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

DEFAULTS: Mapping[str, Any] = {"enabled": False, "start": "22:00", "end": "07:00", "digest": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From *start* to *end* every day, over midnight if need be; the same time twice: never.

    *digest*: what was held back is told in one message at the end; else it is not told at all.
    """

    enabled: bool
    start: time
    end: time
    digest: bool = True

    def ends_at(self, now: datetime) -> datetime | None:
        """When the quiet time that *now* falls into is over; None: it is not quiet."""
        if not self.enabled or self.start == self.end:
            return None
        for began_days_ago in (0, 1):
            day = now.date() - timedelta(days=began_days_ago)
            began = datetime.combine(day, self.start, tzinfo=now.tzinfo)
            over = datetime.combine(day, self.end, tzinfo=now.tzinfo)
            if self.end < self.start:
                over += timedelta(days=1)
            if began <= now < over:
                return over
        return None


def quiet_hours_of(farm: Mapping[str, Any], own: Mapping[str, Any]) -> QuietHours:
    """What holds for an organization: its *own* settings (`quiet_hours_…`), else the *farm*'s."""
    kept = {**DEFAULTS, **farm}
    names = ("enabled", "start", "end")
    said = {name: own.get(f"quiet_hours_{name}") for name in names}
    kept.update({name: value for name, value in said.items() if value is not None})
    return QuietHours(
        enabled=bool(kept["enabled"]),
        start=time.fromisoformat(kept["start"]),
        end=time.fromisoformat(kept["end"]),
        digest=bool(kept["digest"]),
    )
