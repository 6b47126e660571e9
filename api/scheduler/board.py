"""Many jobs against many printers: the rules as sets of printers. Pure.

A set of printers is a number with a bit for each. What a rule says of one demand is worked out once
for all printers, so that thousands of jobs, which share a few demands, cost a few ANDs each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from api.scheduler.materials import color_match, materials_missing
from api.scheduler.needs import Need
from api.scheduler.rules import RULES, Rule, Scene
from api.scheduler.spots import Spot

NO_CHANGE_POINTS = 50
PER_PINNED_JOB_POINTS = 5


@dataclass(frozen=True, slots=True)
class Refused:
    """The printers that *rule* is the first to refuse for one job, as positions on the board."""

    rule: Rule
    places: tuple[int, ...]


class Board:
    """The printers of one organization and what the rules say of them for jobs."""

    def __init__(self, spots: Sequence[Spot], scene: Scene) -> None:
        self.spots = spots
        self.scene = scene
        self.everybody = (1 << len(spots)) - 1
        self._sets: dict[tuple[str, object], int] = {}
        self._fitting: dict[Need, int] = {}
        self._points: dict[tuple[object, object], list[int]] = {}

    def forget_power(self) -> None:
        """Somebody heats up now: what the circuits bear is asked again."""
        self._sets = {key: found for key, found in self._sets.items() if key[0] != "power"}
        self._fitting.clear()

    def fitting(self, need: Need) -> int:
        """The printers that no rule refuses."""
        found = self._fitting.get(need)
        if found is None:
            found = self.everybody
            for rule in RULES:
                found &= self.passing(rule, need)
                if not found:
                    break
            self._fitting[need] = found
        return found

    def nearest(self, need: Need) -> tuple[Rule, int] | None:
        """What stands between a job and those printers that come closest; None: nothing."""
        left = self.everybody
        for rule in RULES:
            passing = left & self.passing(rule, need)
            if not passing:
                return rule, left
            left = passing
        return None

    def refused(self, need: Need) -> list[Refused]:
        """By rule, whom it is the first to refuse; those that come closest last."""
        left, found = self.everybody, []
        for rule in RULES:
            passing = self.passing(rule, need)
            if refused := left & ~passing:
                found.append(Refused(rule, tuple(places(refused))))
            left &= passing
        return found

    def passing(self, rule: Rule, need: Need) -> int:
        """The printers that *rule* does not refuse."""
        demand = rule.asks(need)
        if demand is None:
            return self.everybody
        key = rule.name, demand
        found = self._sets.get(key)
        if found is None:
            found = 0
            for place, spot in enumerate(self.spots):
                if rule.fits(demand, spot, self.scene):
                    found |= 1 << place
            self._sets[key] = found
        return found

    def best(self, need: Need, among: int, pinned: Sequence[int]) -> int:
        """The place of the printer that suits best; the first of those that are alike.

        As the contract scores (v1 4.3): colours, no filament to change, and *pinned*, the number of
        jobs that wait for that printer alone.
        """
        points = self._points.get((need.strands, need.colors))
        if points is None:
            points = [points_of(need, spot) for spot in self.spots]
            self._points[need.strands, need.colors] = points
        return max(
            places(among),
            key=lambda place: (points[place] - PER_PINNED_JOB_POINTS * pinned[place], -place),
        )


def points_of(need: Need, spot: Spot) -> int:
    """How well *spot* suits, without what else waits for it."""
    ready = bool(spot.slots) and not materials_missing(need.strands, spot)
    return color_match(need.colors, spot) + (NO_CHANGE_POINTS if ready else 0)


def places(printers: int) -> Iterator[int]:
    """The positions in a set of printers, lowest first."""
    while printers:
        lowest = printers & -printers
        yield lowest.bit_length() - 1
        printers ^= lowest
