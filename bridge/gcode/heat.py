"""Heat that nobody watches: a lease on targets without a job, a watch on runaway (safety M04, M21).

The watch is looser than any firmware's own: it is the second line, for a firmware whose own one is
switched off. It judges what is measured; that reports stop is an alarm and no reason to stop.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.printer import Profile, Temperature

#: No report for so long while a heater is on: somebody should look.
SILENT_HEAT_S = 60.0
#: A reading that no working sensor gives, and how often it must come in a row.
IMPOSSIBLE_C = (-10.0, 500.0)
_IN_A_ROW = 3
#: So far above its ceiling no heater gets by overshoot.
ABOVE_CEILING_C = 15.0
#: Far from its target a heater must rise, near it it must not fall away, within so long.
_FAR_C = 12.0
_RISE_C = 2.0
_NOZZLE_S, _BED_S, _CHAMBER_S = 55.0, 90.0, 900.0
#: A heater that is off and hot must not get hotter by so much in its time.
_OFF_HOT_C, _OFF_RISE_C = 80.0, 20.0


class HeatLease:
    """Targets without a job end after *life_s* seconds (0: never) unless somebody renews."""

    def __init__(self, life_s: float) -> None:
        self.life_s = life_s
        self._since: float | None = None
        self._ended = False

    def renew(self, now: float) -> None:
        """Somebody wants the heat."""
        self._since, self._ended = now, False

    def follow(self, now: float, *, heating: bool, needed: bool) -> bool:
        """How things are; True once when the heaters are to be switched off."""
        if not heating or needed or not self.life_s:
            self._since, self._ended = None, False
            return False
        if self._since is None:
            self._since = now
        if self._ended or now < self._since + self.life_s:
            return False
        self._ended = True
        return True

    def deadline(self) -> float | None:
        """When it ends, None when it does not run."""
        return None if self._since is None or self._ended else self._since + self.life_s

    def left_s(self, now: float) -> float | None:
        """Seconds until the heaters go off, None when no lease runs."""
        end = self.deadline()
        return None if end is None else max(0.0, round(end - now, 1))


class Silence:
    """How long a hot printer has not told how hot it is; a command that takes long is no silence.

    A firmware that does not report by itself answers nothing in a levelling of its bed, or while it
    waits for a person (Marlin 1.1, Klipper), and all is well.
    """

    def __init__(self) -> None:
        self._heard_at: float | None = None
        self._looked_at = 0.0
        self._silent_s = 0.0
        self._acked = 0

    def observe(self, now: float, heard_at: float | None, acked: int, *, waits: bool) -> bool:
        """Whether somebody should look. To be asked every few seconds.

        *heard_at*: when it has told last; None: never. *acked*: lines that it has answered.
        *waits*: one is not answered, and it may still take its time.
        """
        if heard_at is None or heard_at != self._heard_at:
            self._heard_at, self._silent_s = heard_at, 0.0
            self._looked_at = now if heard_at is None else heard_at
        if not (waits and acked == self._acked):
            self._silent_s += now - self._looked_at
        self._looked_at, self._acked = now, acked
        return self._silent_s >= SILENT_HEAT_S


@dataclass(slots=True)
class _Trace:
    """One heater since its temperature last moved the way it should."""

    target_c: float
    mark_c: float
    since: float
    odd: int = 0


class RunawayWatch:
    """Looks at every report; says what is wrong with a heater, if anything is."""

    def __init__(self) -> None:
        self._traces: dict[str, _Trace] = {}

    def observe(
        self,
        heaters: Mapping[str, Temperature],
        profile: Profile,
        now: float,
        *,
        resting: bool = False,
    ) -> str | None:
        """A report has come. The fault for a person, None when all is well.

        *resting*: the firmware waits for a person, and then lets its nozzles cool after a while
        without taking their targets back (Marlin: PAUSE_PARK_NOZZLE_TIMEOUT, 45 s).
        """
        for name, heater in heaters.items():
            trace = self._traces.get(name)
            if resting and trace and heater.target_c and heater.actual_c is not None:
                trace.mark_c, trace.since = heater.actual_c, now
            fault = self._judge(name, heater, profile, now)
            if fault is not None:
                return fault
        return None

    def _judge(self, name: str, heater: Temperature, profile: Profile, now: float) -> str | None:
        actual_c, target_c = heater.actual_c, heater.target_c or 0.0
        if actual_c is None:
            return None
        trace = self._traces.get(name)
        if trace is None or trace.target_c != target_c:
            trace = self._traces[name] = _Trace(target_c, actual_c, now)
        low_c, high_c = IMPOSSIBLE_C
        ceiling_c = _ceiling_c(name, profile) + ABOVE_CEILING_C
        odd = (target_c > 0.0 and actual_c <= low_c) or actual_c >= min(high_c, ceiling_c)
        trace.odd = trace.odd + 1 if odd else 0
        if trace.odd >= _IN_A_ROW:
            return f"{name} reads {actual_c:g} °C, which no working heater does"
        if target_c > 0.0:
            return _heating_fault(name, trace, actual_c, now)
        return _cooling_fault(name, trace, actual_c, now)


def _heating_fault(name: str, trace: _Trace, actual_c: float, now: float) -> str | None:
    near = actual_c >= trace.target_c - _FAR_C
    if near or actual_c >= trace.mark_c + _RISE_C:
        trace.mark_c, trace.since = (trace.target_c - _FAR_C if near else actual_c), now
        return None
    if now - trace.since < _time_s(name):
        return None
    return (
        f"{name} should reach {trace.target_c:g} °C and stays at {actual_c:g} °C "
        f"for {now - trace.since:.0f} s"
    )


def _cooling_fault(name: str, trace: _Trace, actual_c: float, now: float) -> str | None:
    if actual_c <= trace.mark_c or actual_c < _OFF_HOT_C or now - trace.since > _time_s(name):
        trace.mark_c, trace.since = actual_c, now
        return None
    if actual_c < trace.mark_c + _OFF_RISE_C:
        return None
    return f"{name} is switched off and heats up: {actual_c:g} °C"


def _time_s(name: str) -> float:
    return {"bed": _BED_S, "chamber": _CHAMBER_S}.get(name, _NOZZLE_S)


def _ceiling_c(name: str, profile: Profile) -> float:
    return {"bed": profile.max_bed_c, "chamber": profile.max_chamber_c}.get(
        name, profile.max_nozzle_c
    )
