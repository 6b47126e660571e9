"""A state that people wish a job to have (v1 2.4, *status* of ``PATCH /jobs/{id}``). Pure.

The table of the life cycle says which step leads there, and only steps that are people's to take
count: what a printer does is reported by it, and when something starts is the queue's decision.
"""

from api.errors import Conflict
from api.jobs.models import Job
from api.jobs.moves import wrong_state
from schemas.jobs import JOB_TRANSITIONS, JOB_WAITING, AttemptEvent, JobEvent, JobState

#: Decisions about a job that nothing prints, in which nobody else takes part.
DECISIONS = frozenset({JobEvent.APPROVE, JobEvent.RESUBMIT, JobEvent.RESET})
#: What people say of a printer without a bridge.
BY_HAND = {
    JobEvent.STARTED: AttemptEvent.STARTED,
    JobEvent.COMPLETED: AttemptEvent.COMPLETED,
    JobEvent.FAILED: AttemptEvent.FAILED,
}
_PEOPLES = (*DECISIONS, JobEvent.CANCELLED, *BY_HAND)
#: What to do instead of wishing for these states.
_INSTEAD = {
    JobState.SCHEDULED: "give it a printer and a time (move), or dispatch it",
    JobState.PAUSED: "pause its printer",
    JobState.PRINTING: "dispatch it, or resume its printer",
    JobState.REJECTED: "reject it with a reason (reject)",
}


def step_to(job: Job, wanted: JobState) -> JobEvent | None:
    """The step that brings *job* to *wanted*; None: it is there. Raises `Conflict`
    ``invalid_state_transition`` when people cannot bring it there.
    """
    state = JobState(job.state)
    if wanted is state or (wanted in JOB_WAITING and state in JOB_WAITING):
        return None
    for event in _PEOPLES:
        if JOB_TRANSITIONS[state].get(event) is wanted:
            return event
    raise _not_to_be_had(job, wanted)


def _not_to_be_had(job: Job, wanted: JobState) -> Conflict:
    instead = _INSTEAD.get(wanted)
    hint = f": {instead}" if instead else ""
    return wrong_state(job, f"nobody can make it {wanted}{hint}")
