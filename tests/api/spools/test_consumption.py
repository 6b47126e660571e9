"""How much a print takes, and from which spool."""

import pytest

from api.spools.consumption import grams_by_slot, spools_for


def test_what_people_said_of_the_model_comes_first() -> None:
    """`slot2` of the colour requirements, in grams (v1 2.4, complete)."""
    said = {"slot1": {"grams": 0}, "slot2": {"grams": 7}, "other": {"grams": 3}}
    assert grams_by_slot(said, {"filament_g": 99.0}) == {2: 7.0}


@pytest.mark.parametrize(
    ("facts", "grams"),
    [
        ({"filament_tools_g": [1.5, 0, 2.5]}, {1: 1.5, 3: 2.5}),
        ({"filament_g": 12.5, "filament_mm": [1.0]}, {1: 12.5}),
        ({"filament_mm": [1000.0], "filament_types": ["PLA"]}, {1: 2.98}),
        ({"filament_mm": [1000.0], "filament_types": ["abs"]}, {1: 2.5}),
        ({}, {}),
    ],
)
def test_else_what_the_slicer_wrote(facts: dict[str, object], grams: dict[int, float]) -> None:
    """Weights by tool, one weight, or a length of 1.75 mm filament of its density."""
    assert grams_by_slot(None, facts) == grams


def test_one_filament_comes_from_the_only_spool() -> None:
    """Wherever it hangs; with more spools the slots decide, and an empty slot counts nothing."""
    assert spools_for({1: 5.0}, {4: 9}) == [(9, 5.0)]
    assert spools_for({1: 5.0, 2: 6.0}, {2: 8, 3: 9}) == [(8, 6.0)]
    assert spools_for({1: 5.0}, {}) == []
