"""Where the facts go on after a hello."""

import pytest

from api.bridges.positions import FactPosition, fact_position
from schemas.link import Resume


@pytest.mark.parametrize(
    ("known", "resume", "expected"),
    [
        (("J", 7), ("J", 5, 9), FactPosition("J", 7)),
        (("J", 7), ("J", 8, 7), FactPosition("J", 7)),
        (("", 0), ("J", 1, 3), FactPosition("J", 0)),
        (("J", 7), ("K", 4, 9), FactPosition("K", 3)),
        (("J", 7), ("K", 1, 0), FactPosition("K", 0)),
        (("J", 7), ("J", 12, 20), FactPosition("J", 11, lost=4)),
        (("J", 7), ("J", 3, 5), FactPosition("J", 7)),
    ],
    ids=[
        "the agent repeats what the API has",
        "nothing waits",
        "the first hello of all",
        "a new journal begins in the middle",
        "a new journal is empty",
        "the API was restored from a backup",
        "the agent was restored from a backup: it sees so and renews its journal",
    ],
)
def test_the_line_goes_on_from_what_exists(
    known: tuple[str, int], resume: tuple[str, int, int], expected: FactPosition
) -> None:
    """Neither side's restore can block the facts for ever, and what is lost is counted."""
    journal, oldest, newest = resume
    told = Resume(journal_id=journal, oldest_fact=oldest, newest_fact=newest)
    assert fact_position(*known, told) == expected
