"""The past as it was written: read by number, and forgotten when it is old or long.

Numbers come from the newest row, so that one is never deleted.
"""

from dataclasses import dataclass
from datetime import datetime

from tortoise.expressions import Q
from tortoise.functions import Max, Min

from api.events.models import Event
from api.events.service import Ledger

__all__ = ["Event", "History", "Span"]

PRUNE_ROWS = 5000  # deleted in one transaction, so that others can write in between


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers that are kept: *oldest* to *newest*; 1 and 0 when nothing has happened yet."""

    oldest: int
    newest: int

    def misses(self, since: int) -> bool:
        """Whether something after *since* is not there (any more), or *since* was never reached."""
        return since < self.oldest - 1 or since > self.newest


class History:
    """The events of every organization."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def span(self, organization_id: int) -> Span:
        """What is kept of an organization."""
        found = await (
            Event.filter(organization_id=organization_id)
            .annotate(oldest=Min("number"), newest=Max("number"))
            .values("oldest", "newest")
        )
        oldest, newest = found[0]["oldest"], found[0]["newest"]
        return Span(1, 0) if newest is None else Span(oldest, newest)

    async def read(self, organization_id: int, since: int, limit: int) -> list[Event]:
        """Up to *limit* events after number *since*, oldest first."""
        return await self._ledger.read(organization_id, since, limit)

    async def prune(self, older_than: datetime, keep: int) -> int:
        """Forget what is older than *older_than*, and what is beyond the newest *keep*.

        Per organization, the newest event stays. How many were deleted.
        """
        found = await Event.all().distinct().values("organization_id")
        numbers: list[int] = [each["organization_id"] for each in found]
        return sum([await self._prune(each, older_than, keep) for each in numbers])

    async def _prune(self, organization_id: int, older_than: datetime, keep: int) -> int:
        deleted = 0
        while True:
            span = await self.span(organization_id)
            # The range is by number, which has an index; time follows it.
            last = min(span.oldest + PRUNE_ROWS, span.newest) - 1
            rows = Event.filter(organization_id=organization_id, number__lte=last).filter(
                Q(at__lt=older_than) | Q(number__lte=span.newest - keep)
            )
            async with self._ledger.change():
                gone = await rows.delete()
            deleted += gone
            if gone < PRUNE_ROWS:
                return deleted
