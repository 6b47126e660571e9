"""Which jobs are lent to rooms: the next ones of each printer (`api.jobs.leases`).

Only what the queue would start there as soon as the printer is free, its plate clear and the hours
let it: every other rule must let it pass now. A job that no printer is named for is lent where no
other printer can have it, so nobody waits in vain for a room that is cut off. Where circuits are
counted nothing is lent: such a room does not know what its neighbours draw.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from api.bridges.greetings import borrowers, timekeepers
from api.jobs.leases import Leases, Wish
from api.jobs.lent import OpenHours, places
from api.jobs.line import Waiting
from api.scheduler import board as boards
from api.scheduler.board import Board
from api.scheduler.demands import Demands
from api.scheduler.needs import Need
from api.scheduler.rules import RULES
from api.scheduler.sight import Sight
from api.scheduler.spots import Spot
from schemas.printer import PlatePolicy

#: So many jobs of a printer are with its room.
AHEAD = 3
#: So many jobs for whichever printer are looked at, whether one alone can have them.
LOOKED_AT = 200
#: What passes by itself, or with a hand in the room; the hours are told with the lease.
_PASSING = frozenset({"busy", "card", "state", "plate", "hours"})
_ASKED = tuple(rule for rule in RULES if rule.name not in _PASSING)
_LASTING = tuple(rule for rule in RULES if rule.lasting)


class Lending:
    """Looks what should be with which room, after every step of the queue."""

    def __init__(self, leases: Leases, sight: Sight, demands: Demands) -> None:
        self._leases = leases
        self._sight = sight
        self._demands = demands
        self.is_idle = False  # nothing is with any room

    async def places(self) -> Mapping[int, int | None]:
        """The lent jobs: which printer alone may start each now, None: none."""
        return await places() if self._leases.terms.hours > 0 or not self.is_idle else {}

    async def step(self, line: Sequence[Waiting], spots: Mapping[int, Sequence[Spot]]) -> None:
        """Lend and ask back, so that each room has the next jobs of its printers."""
        lends = self._leases.terms.hours > 0 and bool(line)
        if self.is_idle and not lends:
            return
        journals = await borrowers() if lends else {}
        wishes: list[Wish] = []
        known: dict[int, int | None] = {}
        for organization_id, mine in spots.items():
            here = {each.id: each for each in mine if each.reachable}
            known |= {number: spot.row.bridge_id for number, spot in here.items()}
            able = {number: spot for number, spot in here.items() if spot.row.bridge_id in journals}
            jobs = [job for job in line if job.organization_id == organization_id]
            if able and jobs:
                wishes += await self._wishes(organization_id, jobs, able, mine)
        self.is_idle = not await self._leases.arrange(wishes, journals, known)

    async def _wishes(
        self,
        organization_id: int,
        jobs: Sequence[Waiting],
        able: Mapping[int, Spot],
        mine: Sequence[Spot],
    ) -> list[Wish]:
        looked_at = some_of(jobs, able)
        if not looked_at:
            return []
        view = await self._sight.view(organization_id, {job.pool_id for job in looked_at}, mine)
        able = {number: spot for number, spot in able.items() if number not in view.loaded}
        hours: OpenHours | None = None
        if view.hours.is_limited:
            hours, keepers = view.hours, await timekeepers()
            able = {each: spot for each, spot in able.items() if spot.row.bridge_id in keepers}
        found = await self._demands.of_line(organization_id, looked_at)
        needs = dict(zip(looked_at, found, strict=True))
        whose = partial(only_place, view.whole, needs)
        wishes = []
        for number, first in first_jobs(looked_at, able, whose).items():
            asked = [(job, needs[job]) for job in first]
            wishes += wished(able[number], asked, view.whole, hours)
        return wishes


def some_of(line: Sequence[Waiting], able: Collection[int]) -> list[Waiting]:
    """Those at the head of *line* that may be for one of the printers *able*. Pure."""
    left: dict[int | None, int] = {None: LOOKED_AT, **dict.fromkeys(able, AHEAD)}
    found = []
    for job in line:
        number = job.printer_id if job.pinned else None
        if left.get(number):
            found.append(job)
            left[number] -= 1
    return found


def only_place(board: Board, needs: Mapping[Waiting, Need], job: Waiting) -> int | None:
    """The printer that *job* is for, or the only one that can have it; None: several. Pure."""
    if job.pinned:
        return job.printer_id
    able = board.everybody
    for rule in _LASTING:
        able &= board.passing(rule, needs[job])
    found = list(boards.places(able))
    return board.spots[found[0]].id if len(found) == 1 else None


def first_jobs(
    line: Sequence[Waiting], able: Collection[int], whose: Callable[[Waiting], int | None]
) -> dict[int, list[Waiting]]:
    """The next jobs of each of the printers *able*, in the order of the queue. Pure.

    Behind a job that asks for more than one print nothing is taken: its next print comes first.
    """
    found: dict[int, list[Waiting]] = {}
    closed: set[int] = set()
    for job in line:
        if len(closed) == len(able):
            break
        number = whose(job)
        if number is None or number not in able or number in closed:
            continue
        jobs = found.setdefault(number, [])
        jobs.append(job)
        if len(jobs) == AHEAD or job.quantity > 1:
            closed.add(number)
    return found


def wished(
    spot: Spot, asked: Sequence[tuple[Waiting, Need]], board: Board, hours: OpenHours | None
) -> list[Wish]:
    """Those of the jobs *asked* for that may be with the room of *spot*, up to the first that may
    not. Pure.
    """
    wishes: list[Wish] = []
    clears_itself = PlatePolicy(spot.row.plate_policy) is PlatePolicy.SELF_CLEARING
    place = board.spots.index(spot)
    for job, need in asked:
        if not all(board.passing(rule, need) >> place & 1 for rule in _ASKED):
            break
        wish = Wish(
            printer=spot.row,
            job=job,
            place=len(wishes),
            clears_itself=clears_itself,
            hours=hours,
        )
        wishes.append(wish)
    return wishes
