"""Everything that the queue looks at in one moment, gathered for the pure parts."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from api.clock import Clock
from api.events.service import Change, Ledger
from api.pools.service import Pools
from api.printers.service import Printer, Printers
from api.scheduler.arrangements import Arrangements
from api.scheduler.board import Board
from api.scheduler.hours import Hours
from api.scheduler.power import Power
from api.scheduler.rules import Preflight, Scene, nothing_said
from api.scheduler.spots import Spot, Spots, spot_of

_log = logging.getLogger("gantry.scheduler")


@dataclass(frozen=True, slots=True)
class View:
    """The printers of one organization, and those that are free, plate or not.

    *hours* in which the queue may start something; *loaded*: printers whose circuits are counted.
    """

    whole: Board
    free: Board
    hours: Hours
    loaded: Collection[int]


class Sight:
    """Reads printers, pools, hours and circuits; keeps nothing that decides."""

    def __init__(self, printers: Printers, pools: Pools, ledger: Ledger, clock: Clock) -> None:
        self.arrangements = Arrangements(printers, ledger, clock)
        self._printers = printers
        self._pools = pools
        self._clock = clock
        self._spots = Spots()
        self._preflight: Preflight = nothing_said

    def ask_preflight(self, preflight: Preflight) -> None:
        """From now on *preflight* says what it has against a file on a printer."""
        self._preflight = preflight

    async def spots(self) -> dict[int, list[Spot]]:
        """All printers of the deployment, by organization, in their display order."""
        rows = await self._printers.everything()
        self._spots.keep_only(frozenset(row.id for row in rows))
        found: dict[int, list[Spot]] = {}
        for row in rows:
            try:
                spot = self._spot(row)
            except msgspec.ValidationError as error:  # one broken row must not stop the others
                _log.error("the queue leaves printer %s out: its profile: %s", row.id, error)
                continue
            found.setdefault(row.organization_id, []).append(spot)
        return found

    async def view(
        self, organization_id: int, pool_ids: Iterable[int | None], spots: Iterable[Spot]
    ) -> View:
        """What the rules need to know, with *spots* of that organization."""
        mine = list(spots)
        now = self._clock.now()
        hours = await self.arrangements.hours(organization_id)
        budgets, loads = await self.arrangements.loads(organization_id)
        scene = Scene(
            power=Power(budgets, loads, mine, now),
            pools=await self._pools.find({each for each in pool_ids if each is not None}),
            opens_at=hours.opens_at(now),
            preflight=self._preflight,
        )
        free = [each for each in mine if each.free]
        return View(Board(mine, scene), Board(free, scene), hours, loads.keys())

    async def hours(self, organization_id: int) -> Hours:
        """When the queue of an organization may start something."""
        return await self.arrangements.hours(organization_id)

    async def missing_power_w(self, change: Change, organization_id: int, printer_id: int) -> float:
        """The watts that are missing for a start on this printer, as *change* sees its neighbours;
        0: it may start.
        """
        budgets, loads = await self.arrangements.loads(organization_id)
        mine = loads.get(printer_id)
        if mine is None:
            return 0.0
        on_it = [each for each, load in loads.items() if load.circuit_id == mine.circuit_id]
        rows = [await self._printers.locked(change, each) for each in on_it if each != printer_id]
        spots = [spot_of(row, reachable=True) for row in rows]
        shortage = Power(budgets, loads, spots, self._clock.now()).shortage(printer_id)
        return 0.0 if shortage is None else shortage[1]

    def _spot(self, row: Printer) -> Spot:
        return self._spots.of(row, reachable=self._printers.reachable(row))
