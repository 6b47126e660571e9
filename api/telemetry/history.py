"""The last half hour of one printer's temperatures, in memory: pure, times are passed in.

For the temperature plots of the OctoPrint face (`history`, push `temps`). Kept in flat arrays: as
objects the half hours of a thousand printers would weigh 180 MB instead of 7.
"""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import isnan, nan

from schemas.printer import Temperature

EVERY_S = 5.0
KEEP_S = 1800.0
#: Room for a reading every 5 s and some changes of targets; beyond it the oldest quarter goes.
MOST = 480


@dataclass(frozen=True, slots=True)
class Reading:
    """Temperatures at one moment. *at_s*: seconds since the epoch; *temps*: by heater."""

    at_s: float
    temps: Mapping[str, Temperature]


class History:
    """Readings of one printer, oldest first."""

    __slots__ = ("_heaters", "_targets", "_times", "_values")

    def __init__(self) -> None:
        self._heaters: tuple[str, ...] = ()
        self._targets: tuple[float | None, ...] = ()
        self._times = array("d")
        self._values = array("f")  # (actual, target) of every heater, NaN for None

    def put(self, temps: Mapping[str, Temperature], at_s: float) -> None:
        """Keep *temps* if the last reading is 5 s ago, or a target has changed since.

        Other heaters than before begin a new history: the printer is another one now.
        """
        if not temps:
            return
        heaters = tuple(temps)
        targets = tuple([each.target_c for each in temps.values()])
        due = not self._times or not 0 <= at_s - self._times[-1] < EVERY_S
        if not due and targets == self._targets and heaters == self._heaters:
            return
        if heaters != self._heaters:
            self._heaters, self._times, self._values = heaters, array("d"), array("f")
        self._targets = targets
        self._times.append(at_s)
        pairs = ((each.actual_c, each.target_c) for each in temps.values())
        self._values.extend(nan if one is None else one for one in chain.from_iterable(pairs))
        if len(self._times) > MOST:
            self._forget(MOST // 4)

    def _forget(self, count: int) -> None:
        del self._times[:count]
        del self._values[: count * 2 * len(self._heaters)]

    def since(self, at_s: float) -> Iterator[Reading]:
        """The readings from *at_s* on, oldest first."""
        width = 2 * len(self._heaters)
        for number, when in enumerate(self._times):
            if when >= at_s:
                row = self._values[number * width : (number + 1) * width]
                pairs = zip(self._heaters, row[::2], row[1::2], strict=True)
                yield Reading(when, {name: Temperature(_c(a), _c(t)) for name, a, t in pairs})


def _c(value: float) -> float | None:
    return None if isnan(value) else round(value, 2)
