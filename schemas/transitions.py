"""State tables: how every life cycle in Gantry is written down and stepped.

A table maps *state* -> *event* -> next state. What is not in the table is not allowed: a missing
key raises, so an illegal move is an error where it happens and never a silently wrong row.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)

Table = Mapping[S, Mapping[E, S]]


class IllegalTransition(KeyError):
    """The table has no such step. *state* and *event* are what was tried; nothing has moved."""

    def __init__(self, state: StrEnum, event: StrEnum) -> None:
        super().__init__(f"{type(state).__name__} {state.value!r} has no step for {event.value!r}")
        self.state = state
        self.event = event

    def __str__(self) -> str:
        return str(self.args[0])


def advance(table: Table[S, E], state: S, event: E) -> S:
    """The state after *event*. Raises `IllegalTransition` when the table has no such step."""
    try:
        return table[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None


def can(table: Table[S, E], state: S, event: E) -> bool:
    """Whether *event* is allowed in *state*."""
    return event in table.get(state, {})


def terminal_states(table: Table[S, E]) -> frozenset[S]:
    """The states that no event leaves."""
    return frozenset(state for state, steps in table.items() if not steps)
