"""Commands: the table of their life, the rules of the verbs."""

import pytest

from schemas.commands import (
    ARGS,
    COMMAND_OVER,
    COMMAND_TRANSITIONS,
    VERBS,
    Args,
    CommandEvent,
    CommandState,
    GcodeArgs,
    NoArgs,
    StartArgs,
    TemperatureArgs,
    Verb,
    ttl_ms_of,
)
from schemas.transitions import advance, can

S, E = CommandState, CommandEvent


def test_table_and_rules_are_whole() -> None:
    """Each state has a row, each event a use, each verb a rule."""
    assert set(COMMAND_TRANSITIONS) == set(S)
    assert {event for steps in COMMAND_TRANSITIONS.values() for event in steps} == set(E)
    assert set(VERBS) == set(Verb)
    assert ARGS[Verb.START] is StartArgs


@pytest.mark.parametrize(
    ("verb", "args", "ttl_s"),
    [
        (Verb.GCODE, GcodeArgs(["G91", "G1 X1", "G90"], jog="x"), 2),
        (Verb.GCODE, GcodeArgs(["M117"]), 30),
        (Verb.TEMPERATURE, TemperatureArgs({"bed": 60.0}), 30),
        (Verb.PAUSE, NoArgs(), 60),
        (Verb.CANCEL, NoArgs(), 60),
        (Verb.START, NoArgs(), 120),
        (Verb.REMOTE_STOP, NoArgs(), None),
    ],
)
def test_each_kind_lives_as_long_as_the_contract_says(
    verb: Verb, args: Args, ttl_s: int | None
) -> None:
    """Link contract, "Command life" 3."""
    assert ttl_ms_of(verb, args) == (None if ttl_s is None else ttl_s * 1000)


def test_good_command_goes_its_way() -> None:
    """Queued, sent, delivered, started, done."""
    state = S.QUEUED
    for event in (E.SENT, E.DELIVERED, E.STARTED, E.DONE):
        state = advance(COMMAND_TRANSITIONS, state, event)
    assert state is S.DONE


@pytest.mark.parametrize("state", sorted(COMMAND_OVER - {S.UNKNOWN}))
@pytest.mark.parametrize("event", list(E))
def test_terminal_state_is_final(state: CommandState, event: CommandEvent) -> None:
    """What has ended stays ended."""
    assert not can(COMMAND_TRANSITIONS, state, event)


def test_unknown_is_resolved_once_and_only_to_an_effect() -> None:
    """Done or failed, never to "nothing happened"."""
    assert set(COMMAND_TRANSITIONS[S.UNKNOWN]) == {E.DONE, E.FAILED}


def test_started_command_cannot_be_superseded() -> None:
    """What may have had an effect is never told as replaced."""
    assert not can(COMMAND_TRANSITIONS, S.STARTED, E.SUPERSEDED)


def test_every_state_of_a_fact_is_an_event() -> None:
    """A bridge reports states; the API steps by the event of that name."""
    assert {state.value for state in S} - {event.value for event in E} == {"queued"}


@pytest.mark.parametrize("verb", [Verb.PAUSE, Verb.RESUME, Verb.CANCEL])
def test_job_verbs_name_their_attempt(verb: Verb) -> None:
    """A late pause on another job is worse than none."""
    assert VERBS[verb].needs_grant


def test_only_the_stop_lives_for_ever() -> None:
    """Every other verb has a deadline."""
    assert [verb for verb, rule in VERBS.items() if rule.ttl_ms is None] == [Verb.REMOTE_STOP]
    assert not VERBS[Verb.START].repeatable
