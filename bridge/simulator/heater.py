"""Thermal model of one heater, with the firmware's own protections (serial 7, safety 2).

Heating is power-limited while far away and first order when near, so it never overshoots; cooling
is Newton's. Both have closed forms, so a step may be of any length. Durations here are simulated
seconds.
"""

from dataclasses import dataclass
from math import exp, inf

from bridge.simulator.profile import HeaterFault

PWM_MAX = 127
# Marlin's WATCH_TEMP_PERIOD and WATCH_TEMP_INCREASE: too little progress in this time is a fault.
WATCH_PERIOD_S = 40.0
WATCH_INCREASE_C = 2.0
_WATCH_MARGIN_C = 6.0


@dataclass(frozen=True, slots=True)
class HeaterType:
    """How a kind of heater behaves: °C per second at full power, time constants in seconds.

    A target is limited to the maximum temperature minus *headroom_c*.
    """

    rate_c_s: float
    settle_s: float
    cool_s: float
    headroom_c: float


NOZZLE = HeaterType(rate_c_s=3.0, settle_s=4.0, cool_s=110.0, headroom_c=15.0)
BED = HeaterType(rate_c_s=0.8, settle_s=8.0, cool_s=420.0, headroom_c=10.0)


class Heater:
    """One heater and its sensor. *label* is Marlin's Heater_ID: `E0`… or `bed`."""

    __slots__ = (
        "_fault",
        "_kind",
        "_watch_c",
        "_watch_left_s",
        "ambient_c",
        "label",
        "max_c",
        "target_c",
        "temperature_c",
    )

    def __init__(
        self,
        label: str,
        kind: HeaterType,
        max_c: float,
        ambient_c: float,
        fault: HeaterFault | None = None,
    ) -> None:
        self.label = label
        self.max_c = max_c
        self.ambient_c = ambient_c
        self.temperature_c = ambient_c
        self.target_c = 0.0
        self._kind = kind
        self._fault = fault
        self._watch_c = 0.0
        self._watch_left_s = inf

    def set_target(self, target_c: float) -> None:
        """Set the target in °C, limited like Marlin's; 0 is off."""
        self.target_c = min(max(0.0, target_c), self.max_c - self._kind.headroom_c)
        self._watch()

    def advance(self, elapsed_s: float) -> None:
        """Let *elapsed_s* simulated seconds pass; infinite settles at once."""
        if self._fault is HeaterFault.STUCK_ON and self.target_c > 0:
            self.temperature_c = min(
                self.temperature_c + self._kind.rate_c_s * elapsed_s, self.max_c + 20.0
            )
        elif self.temperature_c < self.target_c and self._fault is not HeaterFault.NO_HEAT:
            self._heat(elapsed_s)
        else:
            self._cool(elapsed_s)
        if self._watch_left_s < inf:
            self._watch_left_s -= elapsed_s

    def fault(self) -> str | None:
        """The protection that trips now in Marlin's words, or None. Call after `advance`."""
        if self.temperature_c >= self.max_c:
            return "MAXTEMP triggered"
        if self.temperature_c >= self._watch_c:
            self._watch()
        elif self._watch_left_s <= 0:
            return "Heating failed"
        return None

    def power(self) -> int:
        """The duty cycle as Marlin reports it, 0 to 127."""
        if self.target_c <= 0:
            return 0
        gap = (self.target_c - self.temperature_c) / (self._kind.rate_c_s * self._kind.settle_s)
        hold = (self.temperature_c - self.ambient_c) / (self._kind.cool_s * self._kind.rate_c_s)
        return round(PWM_MAX * min(1.0, max(0.0, gap + hold)))

    # Private

    def _heat(self, elapsed_s: float) -> None:
        settle_gap = self._kind.rate_c_s * self._kind.settle_s
        gap = self.target_c - self.temperature_c
        linear_s = max(0.0, (gap - settle_gap) / self._kind.rate_c_s)
        if elapsed_s <= linear_s:
            self.temperature_c += self._kind.rate_c_s * elapsed_s
            return
        gap = min(gap, settle_gap) * exp(-(elapsed_s - linear_s) / self._kind.settle_s)
        self.temperature_c = self.target_c - gap

    def _cool(self, elapsed_s: float) -> None:
        floor_c = self.ambient_c
        if self._fault is not HeaterFault.NO_HEAT:
            floor_c = max(floor_c, min(self.target_c, self.temperature_c))
        excess = (self.temperature_c - self.ambient_c) * exp(-elapsed_s / self._kind.cool_s)
        self.temperature_c = max(floor_c, self.ambient_c + excess)

    def _watch(self) -> None:
        """Expect progress from here on, if there is way to go (Marlin's start_watching)."""
        if self.target_c > self.temperature_c + _WATCH_MARGIN_C:
            self._watch_c = self.temperature_c + WATCH_INCREASE_C
            self._watch_left_s = WATCH_PERIOD_S
        else:
            self._watch_c = -inf
            self._watch_left_s = inf
