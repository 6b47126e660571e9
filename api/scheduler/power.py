"""The power budget of a circuit. Pure.

A printer draws most while it heats up. Each printer of a circuit has a wattage for that and one for
the rest of a print; the next one is started when the sum stays within what the circuit bears, so
that heat-ups come one after the other where they do not fit together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.scheduler.spots import Spot


@dataclass(frozen=True, slots=True)
class Load:
    """What one printer draws from which circuit, in watts."""

    circuit_id: int
    heat_up_w: float
    printing_w: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What one circuit bears, and how long a heat-up on it takes, in seconds."""

    id: int
    name: str
    max_w: float
    heat_up_s: float


class Power:
    """What is drawn from each circuit now; `start` adds to it."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        loads: Mapping[int, Load],
        spots: Sequence[Spot],
        now: datetime,
    ) -> None:
        self._budgets = {each.id: each for each in budgets}
        self._loads = loads
        self._drawn = dict.fromkeys(self._budgets, 0.0)
        for spot in spots:
            load = loads.get(spot.id)
            if load is not None and spot.draws and load.circuit_id in self._drawn:
                self._drawn[load.circuit_id] += self._draw(spot, load, now)

    def _draw(self, spot: Spot, load: Load, now: datetime) -> float:
        heat_up = timedelta(seconds=self._budgets[load.circuit_id].heat_up_s)
        heats = spot.granted_at is not None and now - spot.granted_at < heat_up
        return max(load.heat_up_w, load.printing_w) if heats else load.printing_w

    def shortage(self, printer_id: int) -> tuple[Budget, float] | None:
        """(the circuit, the watts that are missing) for a start on this printer; None: it may."""
        load = self._loads.get(printer_id)
        budget = self._budgets.get(load.circuit_id) if load is not None else None
        if load is None or budget is None:
            return None
        wanted = self._drawn[budget.id] + max(load.heat_up_w, load.printing_w)
        return (budget, wanted - budget.max_w) if wanted > budget.max_w else None

    def too_small(self, printer_id: int) -> Budget | None:
        """The circuit that cannot bear this printer even alone; None: it can."""
        load = self._loads.get(printer_id)
        budget = self._budgets.get(load.circuit_id) if load is not None else None
        if load is None or budget is None:
            return None
        return budget if max(load.heat_up_w, load.printing_w) > budget.max_w else None

    def start(self, printer_id: int) -> bool:
        """This printer heats up from now on; whether others share its circuit."""
        load = self._loads.get(printer_id)
        if load is None or load.circuit_id not in self._drawn:
            return False
        self._drawn[load.circuit_id] += max(load.heat_up_w, load.printing_w)
        return True
