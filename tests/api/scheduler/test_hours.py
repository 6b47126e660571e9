"""Working hours and the blackout."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from api.scheduler.hours import Hours

DAY = (time(8), time(18))
NIGHT = (time(22, 30), time(5, 30))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, minute, tzinfo=UTC)  # the 5th is a Monday


@pytest.mark.parametrize(
    ("hours", "now", "opens_at"),
    [
        (Hours(), at(5, 3), None),
        (Hours(blackout=NIGHT), at(5, 22, 29), None),
        (Hours(blackout=NIGHT), at(5, 22, 30), at(6, 5, 30)),
        (Hours(blackout=NIGHT), at(6, 3), at(6, 5, 30)),
        (Hours(blackout=NIGHT), at(6, 5, 30), None),
        (Hours(working={"mon": [DAY], "wed": [DAY]}), at(5, 12), None),
        (Hours(working={"mon": [DAY], "wed": [DAY]}), at(5, 18), at(7, 8)),
        (Hours(working={"mon": [(time(20), time(4))]}), at(6, 3), None),
        (Hours(working={"mon": [(time(20), time(4))]}), at(6, 4), at(12, 20)),
        (Hours(working={"mon": [DAY]}, blackout=(time(7), time(9))), at(5, 7), at(5, 9)),
        (Hours(zone=ZoneInfo("Asia/Tokyo"), blackout=NIGHT), at(5, 14), at(5, 20, 30)),
        (Hours(working={"mon": []}), at(5, 12), at(13, 12)),
    ],
)
def test_prints_start_within_the_hours_only(
    hours: Hours, now: datetime, opens_at: datetime | None
) -> None:
    """v1 4.3: a blackout over midnight, spans by day, zones; None: prints may start now."""
    assert hours.opens_at(now) == opens_at


def test_an_hour_that_a_clock_change_skips_does_not_keep_a_farm_closed() -> None:
    """In spring 02:30 does not exist in Berlin: the span begins at what stands for it."""
    berlin = ZoneInfo("Europe/Berlin")
    hours = Hours(zone=berlin, working={"sun": [(time(2, 30), time(4))]})
    assert hours.opens_at(datetime(2026, 3, 29, 0, 0, tzinfo=UTC)) is not None
    assert hours.opens_at(datetime(2026, 3, 29, 1, 45, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("hours", "spans"),
    [
        (Hours(), [(at(5, 3), at(6, 12))]),
        (Hours(blackout=NIGHT), [(at(5, 5, 30), at(5, 22, 30)), (at(6, 5, 30), at(6, 12))]),
        (Hours(working={"mon": [DAY], "wed": [DAY]}), [(at(5, 8), at(5, 18))]),
        (
            Hours(working={"mon": [(time(8), time(10)), (time(10), time(12))], "tue": [DAY]}),
            [(at(5, 8), at(5, 12)), (at(6, 8), at(6, 12))],
        ),
        (
            Hours(zone=ZoneInfo("Asia/Tokyo"), blackout=NIGHT),
            [(at(5, 3), at(5, 13, 30)), (at(5, 20, 30), at(6, 12))],
        ),
        (Hours(working={"mon": []}), []),
    ],
)
def test_spans_are_when_prints_may_start(
    hours: Hours, spans: list[tuple[datetime, datetime]]
) -> None:
    """What a lease keeps of the hours: joined where one ends as the next begins."""
    found = hours.spans(at(5, 3), at(6, 12))
    assert found == spans
    for begin, end in found:
        assert hours.opens_at(begin) is None
        assert end == at(6, 12) or hours.opens_at(end) is not None


def test_hours_that_say_the_same_have_one_key() -> None:
    """A lease is told anew when they change, and not otherwise."""
    every_day = {"mon": [DAY], "tue": [DAY]}
    different = [
        Hours(),
        Hours(blackout=NIGHT),
        Hours(working=every_day),
        Hours(working={"mon": [DAY]}),
        Hours(working=every_day, zone=ZoneInfo("Asia/Tokyo")),
    ]
    assert len({hours.key for hours in different}) == len(different)
    assert Hours(working=every_day).key == Hours(working=dict(reversed(every_day.items()))).key
    assert [hours.is_limited for hours in different] == [False, True, True, True, True]
