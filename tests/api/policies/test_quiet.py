"""Quiet hours: over midnight, at their edges, and whose word counts (v1 2.4). Pure."""

from datetime import UTC, datetime

import pytest

from api.policies.quiet import quiet_hours_of

NIGHT = {"enabled": True, "start": "22:00", "end": "07:00"}


def at(hour: int, minute: int = 0, day: int = 10) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "over"),
    [
        (at(21, 59), None),
        (at(22), at(7, day=11)),
        (at(23, 30), at(7, day=11)),
        (at(6, 59), at(7)),
        (at(7), None),
        (at(12), None),
    ],
)
def test_a_night_goes_over_midnight(now: datetime, over: datetime | None) -> None:
    """It begins with its first minute and is over with its last."""
    assert quiet_hours_of(NIGHT, {}).ends_at(now) == over


def test_a_day_ends_on_the_same_day() -> None:
    """Also hours within one day are hours."""
    noon = {"enabled": True, "start": "12:00", "end": "13:30"}
    hours = quiet_hours_of(noon, {})
    assert hours.ends_at(at(12, 15)) == at(13, 30)
    assert hours.ends_at(at(14)) is None


@pytest.mark.parametrize("kept", [{}, {**NIGHT, "enabled": False}, {**NIGHT, "end": "22:00"}])
def test_it_is_never_quiet_unless_somebody_says_so(kept: dict[str, object]) -> None:
    """Nothing set, switched off, or no time at all."""
    hours = quiet_hours_of(kept, {})
    assert [hours.ends_at(at(hour)) for hour in range(24)] == [None] * 24


def test_an_organization_says_otherwise_for_itself() -> None:
    """Field by field; what it does not say is the farm's."""
    hours = quiet_hours_of(NIGHT, {"quiet_hours_end": "05:00"})
    assert hours.ends_at(at(4)) == at(5)
    assert hours.ends_at(at(6)) is None
    assert quiet_hours_of(NIGHT, {"quiet_hours_enabled": False}).ends_at(at(4)) is None
    assert hours.digest
