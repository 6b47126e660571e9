"""Reading the audit trail. Nothing alters its rows, and nothing but their age removes them, where
the farm's owner has said so (`api.upkeep.retention`).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from api.events.models import AuditEntry

__all__ = ["AuditEntry", "Wanted", "count", "find", "walk"]

_SEARCHED = ("username", "action", "entity_type", "entity_id", "remote_address")
_STEP = 500  # rows that `walk` holds at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries; None: any. *since* counts itself, *until* does not.

    *search*: this text, in any case, is in the user's name, the action, what it was done to, or the
    address.
    """

    organization_id: int | None = None
    entity_type: str | None = None
    action: str | None = None
    user_id: int | None = None
    search: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def _rows(wanted: Wanted) -> QuerySet[AuditEntry]:
    conditions = {
        "organization_id": wanted.organization_id,
        "entity_type": wanted.entity_type,
        "action": wanted.action,
        "user_id": wanted.user_id,
        "at__gte": wanted.since,
        "at__lt": wanted.until,
    }
    rows = AuditEntry.filter(**{name: one for name, one in conditions.items() if one is not None})
    if wanted.search is None:
        return rows
    anywhere = Q(
        *(Q(**{f"{column}__icontains": wanted.search}) for column in _SEARCHED), join_type=Q.OR
    )
    return rows.filter(anywhere)


async def count(wanted: Wanted) -> int:
    """How many entries there are."""
    return await _rows(wanted).count()


async def find(wanted: Wanted, skip: int, limit: int) -> list[AuditEntry]:
    """Up to *limit* entries, newest first."""
    return list(await _rows(wanted).order_by("-id").offset(skip).limit(limit))


async def walk(wanted: Wanted, most: int) -> AsyncIterator[list[AuditEntry]]:
    """Up to *most* entries, newest first, a few hundred at a time."""
    rows = _rows(wanted).order_by("-id")
    page = await rows.limit(min(_STEP, most))
    while page:
        yield page
        most -= len(page)
        page = await rows.filter(id__lt=page[-1].id).limit(min(_STEP, most)) if most else []
