"""The thermal model and its protections."""

from math import inf

import pytest

from bridge.simulator.heater import NOZZLE, Heater
from bridge.simulator.profile import HeaterFault

AMBIENT_C = 23.75


def nozzle(fault: HeaterFault | None = None) -> Heater:
    """A cold nozzle with a limit of 275 °C."""
    return Heater("E0", NOZZLE, 275.0, AMBIENT_C, fault)


def test_heating_never_overshoots() -> None:
    """The temperature rises steadily and ends at the target."""
    heater = nozzle()
    heater.set_target(200)
    temperatures = []
    for _ in range(400):
        heater.advance(0.25)
        temperatures.append(heater.temperature_c)
    assert temperatures == sorted(temperatures)
    assert temperatures[-1] == pytest.approx(200, abs=0.1)
    assert max(temperatures) <= 200


def test_one_long_step_equals_many_short_ones() -> None:
    """The model has a closed form: how often it is asked does not matter."""
    once, often = nozzle(), nozzle()
    for heater in (once, often):
        heater.set_target(120)
    once.advance(33)
    for _ in range(330):
        often.advance(0.1)
    assert once.temperature_c == pytest.approx(often.temperature_c, abs=1e-6)


def test_cooling_ends_at_the_lower_target() -> None:
    """Cooling stops at a target on the way down, or at ambient."""
    heater = nozzle()
    heater.set_target(200)
    heater.advance(inf)
    heater.set_target(150)
    heater.advance(60)
    assert heater.temperature_c == 150
    heater.set_target(0)
    heater.advance(inf)
    assert heater.temperature_c == AMBIENT_C


def test_infinite_step_settles() -> None:
    """Free-running is an infinite step: at the target at once, and again."""
    heater = nozzle()
    heater.set_target(210)
    heater.advance(inf)
    heater.advance(inf)
    assert heater.temperature_c == 210
    assert heater.fault() is None


def test_power_is_full_far_away_and_small_when_holding() -> None:
    """127 while heating, a holding share at the target, 0 when off."""
    heater = nozzle()
    heater.set_target(200)
    assert heater.power() == 127
    heater.advance(inf)
    assert 0 < heater.power() < 127
    heater.set_target(0)
    assert heater.power() == 0


def test_progress_restarts_the_watch() -> None:
    """A slow but steady rise is no fault."""
    heater = nozzle()
    heater.set_target(200)
    for _ in range(100):
        heater.advance(1)
        assert heater.fault() is None


def test_fault_needs_the_whole_watch_period() -> None:
    """A cold heater is a fault after 40 s, not before."""
    heater = nozzle(HeaterFault.NO_HEAT)
    heater.set_target(200)
    heater.advance(39)
    assert heater.fault() is None
    heater.advance(2)
    assert heater.fault() == "Heating failed"
