"""The temperatures of the last half hour."""

from api.telemetry.history import MOST, History
from schemas.printer import Temperature


def nozzle(actual_c: float | None, target_c: float | None = 0.0) -> dict[str, Temperature]:
    return {"tool0": Temperature(actual_c, target_c), "bed": Temperature(60.25, 60.0)}


def test_a_reading_every_five_seconds_and_at_every_change_of_a_target() -> None:
    """Pictures come every second; what is kept is enough to draw a curve."""
    history = History()
    for second in range(11):
        history.put(nozzle(20.0 + second), 1000.0 + second)
    history.put(nozzle(31.0, 210.0), 1011.0)
    kept = list(history.since(0.0))
    assert [reading.at_s for reading in kept] == [1000.0, 1005.0, 1010.0, 1011.0]
    assert kept[-1].temps["tool0"] == Temperature(31.0, 210.0)
    assert kept[0].temps["bed"] == Temperature(60.25, 60.0)


def test_what_is_not_known_stays_unknown() -> None:
    """None comes back as None, and a printer that says no temperature leaves no reading."""
    history = History()
    history.put({}, 1.0)
    history.put(nozzle(None, None), 2.0)
    [only] = history.since(0.0)
    assert only.temps["tool0"] == Temperature(None, None)


def test_old_readings_go_and_other_heaters_begin_anew() -> None:
    """Never more than its room holds; a clock that is set back does not stop it."""
    history = History()
    for step in range(3 * MOST):
        history.put(nozzle(20.0), 5.0 * step)
    assert 0.7 * MOST < len(list(history.since(0.0))) <= MOST
    assert next(history.since(5.0 * 3 * MOST - 100)).at_s == 5.0 * 3 * MOST - 100
    history.put(nozzle(20.0), 7.0)
    assert list(history.since(0.0))[-1].at_s == 7.0
    history.put({"tool0": Temperature(1.0, None)}, 12.0)
    assert [dict(reading.temps) for reading in history.since(0.0)] == [
        {"tool0": Temperature(1.0, None)}
    ]
