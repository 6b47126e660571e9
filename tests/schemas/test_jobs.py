"""Jobs and attempts: their tables, and what one means for the other."""

import pytest

from schemas.jobs import (
    ATTEMPT_OVER,
    ATTEMPT_TRANSITIONS,
    JOB_EVENT_OF_ATTEMPT,
    JOB_OVER,
    JOB_RUNNING,
    JOB_TRANSITIONS,
    JOB_WAITING,
    AttemptEvent,
    AttemptState,
    JobEvent,
    JobState,
)
from schemas.transitions import advance, can

J, JE, A, AE = JobState, JobEvent, AttemptState, AttemptEvent


def test_tables_are_whole() -> None:
    """Each state has a row, each event a use."""
    assert set(JOB_TRANSITIONS) == set(J)
    assert {event for steps in JOB_TRANSITIONS.values() for event in steps} == set(JE)
    assert set(ATTEMPT_TRANSITIONS) == set(A)
    assert {event for steps in ATTEMPT_TRANSITIONS.values() for event in steps} == set(AE)


@pytest.mark.parametrize("state", sorted(ATTEMPT_OVER))
@pytest.mark.parametrize("event", list(AE))
def test_ended_attempt_never_moves(state: AttemptState, event: AttemptEvent) -> None:
    """States never go back within an attempt."""
    assert not can(ATTEMPT_TRANSITIONS, state, event)


def test_attempt_that_started_cannot_be_told_as_not_started() -> None:
    """Only a bare grant can come to nothing."""
    able = [state for state in A if can(ATTEMPT_TRANSITIONS, state, AE.NOT_STARTED)]
    assert able == [A.GRANTED]


@pytest.mark.parametrize("event", list(AE))
def test_every_attempt_event_means_something_for_its_job(event: AttemptEvent) -> None:
    """No report of a bridge is without a step in some state of a running job."""
    step = JOB_EVENT_OF_ATTEMPT[event]
    assert any(can(JOB_TRANSITIONS, state, step) for state in JOB_RUNNING)


def test_job_whose_attempt_never_started_waits_again() -> None:
    """The print is asked for again, by another attempt."""
    step = JOB_EVENT_OF_ATTEMPT[AE.NOT_STARTED]
    assert advance(JOB_TRANSITIONS, J.SCHEDULED, step) is J.PENDING
    assert JOB_EVENT_OF_ATTEMPT[AE.INTERRUPTED] is JE.FAILED


def test_job_with_more_prints_goes_back_to_the_queue() -> None:
    """One print done of several: pending, not completed."""
    assert advance(JOB_TRANSITIONS, J.PRINTING, JE.PRINTED_ONE) is J.PENDING


def test_groups_of_job_states_do_not_overlap() -> None:
    """A job waits, runs or is over."""
    groups = (JOB_WAITING, JOB_RUNNING, JOB_OVER)
    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert frozenset(J) - frozenset().union(*groups) == {J.SUBMITTED}


@pytest.mark.parametrize("state", [J.FAILED, J.CANCELLED])
def test_reset_gives_a_job_another_try(state: JobState) -> None:
    """Only by a person, and never for a completed one."""
    assert advance(JOB_TRANSITIONS, state, JE.RESET) is J.PENDING
    assert not can(JOB_TRANSITIONS, J.COMPLETED, JE.RESET)
