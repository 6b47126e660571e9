"""Which jobs are lent to rooms: the next ones of each printer (`api.jobs.leases`).

Only what the queue would start there as soon as the printer is free and its plate clear: every
other rule must let it pass now. Where prints may not start at any hour, or circuits are counted,
nothing is lent: a room that is cut off knows neither.
"""

from collections.abc import Collection, Mapping, Sequence

from api.bridges.greetings import borrowers
from api.jobs.leases import Leases, Wish
from api.jobs.line import Waiting
from api.scheduler.board import Board
from api.scheduler.demands import Demands
from api.scheduler.needs import Need
from api.scheduler.rules import RULES
from api.scheduler.sight import Sight
from api.scheduler.spots import Spot
from schemas.printer import PlatePolicy

#: So many jobs of a printer are with its room.
AHEAD = 3
#: What passes by itself, or with a hand in the room.
_PASSING = frozenset({"busy", "state", "plate"})
_ASKED = tuple(rule for rule in RULES if rule.name not in _PASSING)


class Lending:
    """Looks what should be with which room, after every step of the queue."""

    def __init__(self, leases: Leases, sight: Sight, demands: Demands) -> None:
        self._leases = leases
        self._sight = sight
        self._demands = demands
        self.is_idle = False  # nothing is with any room

    async def step(self, line: Sequence[Waiting], spots: Mapping[int, Sequence[Spot]]) -> None:
        """Lend and ask back, so that each room has the next jobs of its printers."""
        lends = self._leases.terms.hours > 0 and any(job.pinned for job in line)
        if self.is_idle and not lends:
            return
        journals = await borrowers() if lends else {}
        wishes: list[Wish] = []
        known: dict[int, int | None] = {}
        for organization_id, mine in spots.items():
            here = {each.id: each for each in mine if each.reachable}
            known |= {number: spot.row.bridge_id for number, spot in here.items()}
            able = {number: spot for number, spot in here.items() if spot.row.bridge_id in journals}
            first = first_jobs(
                [job for job in line if job.organization_id == organization_id], able
            )
            if first:
                wishes += await self._wishes(organization_id, first, able, mine)
        self.is_idle = not await self._leases.arrange(wishes, journals, known)

    async def _wishes(
        self,
        organization_id: int,
        first: Mapping[int, Sequence[Waiting]],
        able: Mapping[int, Spot],
        mine: Sequence[Spot],
    ) -> list[Wish]:
        hours = await self._sight.hours(organization_id)
        if hours.working or hours.blackout is not None:
            return []
        _, loads = await self._sight.arrangements.loads(organization_id)
        view = await self._sight.view(organization_id, (), mine)
        place_of = {spot.id: place for place, spot in enumerate(view.whole.spots)}
        wishes = []
        for number, jobs in first.items():
            if number in loads:
                continue
            needs = await self._demands.of_line(organization_id, jobs)
            wishes += wished(able[number], jobs, needs, view.whole, place_of[number])
        return wishes


def first_jobs(line: Sequence[Waiting], able: Collection[int]) -> dict[int, list[Waiting]]:
    """The next jobs of each of the printers *able*, in the order of the queue. Pure.

    Behind a job that asks for more than one print nothing is taken: its next print comes first.
    """
    found: dict[int, list[Waiting]] = {}
    closed: set[int] = set()
    for job in line:
        number = job.printer_id
        if not job.pinned or number is None or number not in able or number in closed:
            continue
        jobs = found.setdefault(number, [])
        jobs.append(job)
        if len(jobs) == AHEAD or job.quantity > 1:
            closed.add(number)
    return found


def wished(
    spot: Spot, jobs: Sequence[Waiting], needs: Sequence[Need], board: Board, place: int
) -> list[Wish]:
    """Those of *jobs* that may be with the room of *spot*, up to the first that may not. Pure."""
    wishes: list[Wish] = []
    clears_itself = PlatePolicy(spot.row.plate_policy) is PlatePolicy.SELF_CLEARING
    for job, need in zip(jobs, needs, strict=True):
        if not all(board.passing(rule, need) >> place & 1 for rule in _ASKED):
            break
        wishes.append(
            Wish(printer=spot.row, job_id=job.id, place=len(wishes), clears_itself=clears_itself)
        )
    return wishes
