"""Why each job got its printer, written in the transaction that starts it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.clock import Clock
from api.errors import Conflict
from api.events.service import Change
from api.jobs.service import Attempt
from api.scheduler.models import Decision
from api.scheduler.sight import Sight

__all__ = ["Decision", "Decisions", "Reasons"]


@dataclass(frozen=True, slots=True)
class Reasons:
    """What is kept of a decision: see `api.scheduler.explain.decided`."""

    match_score: int
    facts: Mapping[str, Any]


class Decisions:
    """The queue's last look, inside the transaction of a start."""

    def __init__(self, sight: Sight, clock: Clock) -> None:
        self._sight = sight
        self._clock = clock

    async def keep(self, change: Change, attempt: Attempt, reasons: Reasons) -> None:
        """Write why. Raises `Conflict` when another start has taken the power meanwhile; the start
        is rolled back then.
        """
        organization_id = attempt.organization_id
        missing_w = await self._sight.missing_power_w(change, organization_id, attempt.printer_id)
        if missing_w > 0:
            raise Conflict(f"Its circuit lacks {missing_w:.0f} W now: another print has started.")
        await Decision.create(
            grant=attempt.grant,
            organization_id=organization_id,
            job_id=attempt.job_id,
            printer_id=attempt.printer_id,
            match_score=reasons.match_score,
            facts=dict(reasons.facts),
            decided_at=self._clock.now(),
        )

    @staticmethod
    async def of_grants(grants: list[str]) -> Mapping[str, Decision]:
        """The decisions behind these starts; starts that people made have none."""
        rows = await Decision.filter(grant__in=grants) if grants else []
        return {row.grant: row for row in rows}
