"""What the queue says of a job, for whoever shows it; the queue itself lives elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.jobs.models import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """*waiting_for*: in words that go after "waits for". *unplaceable*: why no printer can ever
    have it as both are now. *match_score*: how well its printer's colours match, 0 to 100.
    """

    waiting_for: str | None = None
    unplaceable: str | None = None
    match_score: int | None = None


NOTHING = Told()


class QueueRoom(Protocol):
    """Who knows."""

    async def told(self, jobs: Sequence[Job]) -> Mapping[int, Told]:
        """What there is to say of *jobs*, by id; of some there is nothing."""
