"""Where the facts go on after a hello."""

import pytest

from api.bridges.positions import FactPosition, command_position, fact_position
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


@pytest.mark.parametrize(
    ("given", "journalled", "expected"), [(7, 5, 7), (7, 7, 7), (7, 90, 90), (7, 2**60, 7)]
)
def test_commands_are_numbered_behind_what_a_journal_knows(
    given: int, journalled: int, expected: int
) -> None:
    """Or it would confirm what it was never told; a number that is none is not believed."""
    assert command_position(given, Resume(command_seq=journalled)) == expected
