"""How long moves take, and how many fit."""

from math import inf

import pytest

from bridge.simulator.pace import Pace
from bridge.simulator.planner import CAPACITY, Move, Planner


def along_x(start: float, goal: float, speed: float = 100.0) -> Move:
    """A straight move along X."""
    return Move((start, 0, 0), (goal, 0, 0), abs(goal - start), speed, 1000.0)


def test_duration_is_distance_over_speed_plus_acceleration() -> None:
    """100 mm at 100 mm/s from rest: 1 s and 0.05 s for getting there."""
    planner = Planner(Pace())
    planner.add(along_x(0, 100), 10.0)
    assert planner.ends_at == pytest.approx(11.05)


def test_going_on_straight_costs_nothing_but_turning_back_does() -> None:
    """The change of speed and direction is what costs."""
    straight, back = Planner(Pace()), Planner(Pace())
    for planner, goal in ((straight, 200.0), (back, 0.0)):
        planner.add(along_x(0, 100), 0.0)
        planner.add(along_x(100, goal), 0.0)
    assert straight.ends_at == pytest.approx(2.05)
    assert back.ends_at == pytest.approx(2.15)


def test_short_moves_do_not_reach_their_speed() -> None:
    """0.1 mm from rest at 1000 mm/s² is limited by acceleration."""
    planner = Planner(Pace())
    planner.add(along_x(0, 0.1, speed=500), 0.0)
    assert planner.ends_at > 0.01


def test_places_become_free_as_moves_end() -> None:
    """Fifteen fit; each one that ended makes room."""
    planner = Planner(Pace())
    for number in range(CAPACITY):
        assert planner.free(0.0) == CAPACITY - number
        planner.add(along_x(number, number + 1, speed=1.0), 0.0)
    assert planner.free(0.0) == 0
    assert planner.free(planner.first_ends_at()) == 1
    assert planner.drained(planner.ends_at)


def test_head_is_on_its_way() -> None:
    """Half of the time, half of the way; nowhere once it stands."""
    planner = Planner(Pace(speed=10))
    planner.add(along_x(0, 100), 0.0)
    head = planner.head(planner.ends_at / 2)
    assert head is not None
    assert head[0] == pytest.approx(50)
    assert planner.head(planner.ends_at) is None


def test_quick_stop_forgets() -> None:
    """After a quick stop nothing moves."""
    planner = Planner(Pace())
    planner.add(along_x(0, 100), 0.0)
    planner.quick_stop()
    assert planner.drained(0.0)
    assert planner.free(0.0) == CAPACITY


def test_pace_converts_both_ways() -> None:
    """Speed 20 makes 100 simulated seconds 5 real ones; 0 makes them none."""
    assert Pace(20).real_s(100) == 5
    assert Pace(20).simulated_s(5) == 100
    assert Pace(0).real_s(100) == 0
    assert Pace(0).simulated_s(0.001) == inf
