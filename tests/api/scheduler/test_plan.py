"""A plan: who is likely to print where and when."""

from datetime import time, timedelta
from typing import Any

from api.scheduler.hours import Hours
from api.scheduler.plan import Order, Planned, Terms, plan
from tests.fakes.queue_scenes import NOW, board, need, slot, spot


def planned(orders: list[Order], *spots: Any, **terms: Any) -> list[Planned]:
    values: dict[str, Any] = {"now": NOW, "hours": Hours(), "horizon_days": 7, "setup_slots": 1}
    return plan(orders, board(*spots), [NOW] * len(spots), Terms(**{**values, **terms}))


def order(number: int = 1, hours: float = 1.0, earliest: Any = None, **asked: Any) -> Order:
    return Order(job_id=number, need=need(**asked), hours=hours, earliest=earliest)


def test_jobs_follow_each_other_and_spread_over_printers() -> None:
    """Quarters of an hour; whoever has less to do is next."""
    found = planned([order(1), order(2), order(3, 0.3)], spot(1), spot(2))
    assert [each.printer.id for each in found if each.printer] == [1, 2, 1]
    assert [each.start for each in found] == [NOW, NOW, NOW + timedelta(hours=1)]
    assert found[2].end == NOW + timedelta(hours=1, minutes=30)


def test_the_plan_keeps_to_hours_to_times_and_to_the_horizon() -> None:
    """Nothing starts in the blackout, nothing before its time, nothing after the horizon."""
    night = Hours(blackout=(time(13), time(20)))
    jobs = [order(1, 2.0), order(2, 200.0), order(3, 1.0)]
    first, second, third = planned(jobs, spot(1), hours=night)
    assert first.end == NOW + timedelta(hours=2)
    assert second.start == NOW.replace(hour=20)
    assert (third.printer, third.note) == (None, "Job 3: no room within 7 days.")
    [late] = planned([order(1, earliest=NOW + timedelta(minutes=70))], spot(1))
    assert late.start == NOW + timedelta(minutes=75)


def test_a_change_of_colours_takes_its_time() -> None:
    """One setup slot before it, and the colours stay loaded in the plan."""
    red = slot(1, "PLA", color="red")
    blue = order(1, colors_required="blue")
    found = planned([blue, order(2, colors_required="blue")], spot(1, slots=[red]))
    assert [(each.has_setup, each.match_score) for each in found] == [(True, 0), (False, 0)]
    assert found[0].start == NOW + timedelta(minutes=15)
    away = planned([order(1, colors_required="red")], spot(1), spot(2, slots=[red]))
    assert [each.printer.id for each in away if each.printer] == [2]


def test_a_job_that_no_printer_can_have_is_skipped_with_the_reason() -> None:
    """Inactive printers and those that people run take no part, unless the job names them."""
    [none] = planned([order(1)], spot(1, is_active=False), spot(2, bridge_id=None))
    assert none.note == "Job 1: no printer can have it."
    by_hand = order(1, pinned=True, printer_id=2)
    [named] = planned([by_hand], spot(1), spot(2, bridge_id=None))
    assert named.printer is not None
    assert named.printer.id == 2
