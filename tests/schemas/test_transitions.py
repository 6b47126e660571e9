"""State tables: stepping, refusing, ends."""

from enum import StrEnum

import pytest

from schemas.transitions import IllegalTransition, Table, advance, can, terminal_states


class Door(StrEnum):
    OPEN = "open"
    SHUT = "shut"
    BRICKED = "bricked"


class Act(StrEnum):
    PUSH = "push"
    PULL = "pull"
    WALL = "wall"


TABLE: Table[Door, Act] = {
    Door.OPEN: {Act.PUSH: Door.SHUT, Act.WALL: Door.BRICKED},
    Door.SHUT: {Act.PULL: Door.OPEN},
    Door.BRICKED: {},
}


def test_step_in_the_table_is_taken() -> None:
    """The next state comes from the table and nowhere else."""
    assert advance(TABLE, Door.OPEN, Act.PUSH) is Door.SHUT
    assert can(TABLE, Door.SHUT, Act.PULL)


def test_missing_step_raises_and_says_what_was_tried() -> None:
    """A missing key is an error where it happens."""
    assert not can(TABLE, Door.SHUT, Act.WALL)
    with pytest.raises(IllegalTransition) as caught:
        advance(TABLE, Door.SHUT, Act.WALL)
    assert (caught.value.state, caught.value.event) == (Door.SHUT, Act.WALL)
    assert str(caught.value) == "Door 'shut' has no step for 'wall'"


def test_states_that_nothing_leaves_are_terminal() -> None:
    """Ends are read off the table."""
    assert terminal_states(TABLE) == {Door.BRICKED}
