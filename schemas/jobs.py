"""Job -> print -> attempt: the three life cycles (DESIGN section 7).

A *job* asks for prints of a file. A *print* runs on one printer. An *attempt* is one start of a
print; its ULID is the *grant* that a bridge may consume once. States never go back within an
attempt.
"""

from enum import StrEnum

from schemas.transitions import Table, terminal_states


class JobState(StrEnum):
    """A job as people see it; the values are those of the v1 dialect and its approved extras."""

    SUBMITTED = "submitted"
    REJECTED = "rejected"
    PENDING = "pending"
    SCHEDULED = "scheduled"  # a start grant is out, the printer has not confirmed it
    WAITING_PLATE_CLEAR = "waiting_plate_clear"
    PRINTING = "printing"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobEvent(StrEnum):
    """What may happen to a job."""

    APPROVE = "approve"
    REJECT = "reject"
    RESUBMIT = "resubmit"
    GRANT = "grant"
    PLATE_NEEDED = "plate_needed"
    PLATE_CLEARED = "plate_cleared"
    STARTED = "started"
    NOT_STARTED = "not_started"
    PAUSED = "paused"
    RESUMED = "resumed"
    PRINTED_ONE = "printed_one"  # a print is done, and the job asks for more
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RESET = "reset"


_J, _JE = JobState, JobEvent
_OVER = {
    _JE.PRINTED_ONE: _J.PENDING,
    _JE.COMPLETED: _J.COMPLETED,
    _JE.FAILED: _J.FAILED,
    _JE.CANCELLED: _J.CANCELLED,
}

JOB_TRANSITIONS: Table[JobState, JobEvent] = {
    _J.SUBMITTED: {
        _JE.APPROVE: _J.PENDING,
        _JE.REJECT: _J.REJECTED,
        _JE.CANCELLED: _J.CANCELLED,
    },
    _J.REJECTED: {_JE.RESUBMIT: _J.SUBMITTED},
    _J.PENDING: {
        _JE.GRANT: _J.SCHEDULED,
        _JE.PLATE_NEEDED: _J.WAITING_PLATE_CLEAR,
        _JE.CANCELLED: _J.CANCELLED,
        _JE.FAILED: _J.FAILED,
        _JE.STARTED: _J.PRINTING,  # by hand, on a printer without a bridge
    },
    _J.WAITING_PLATE_CLEAR: {
        _JE.PLATE_CLEARED: _J.PENDING,
        _JE.GRANT: _J.SCHEDULED,
        _JE.CANCELLED: _J.CANCELLED,
        _JE.FAILED: _J.FAILED,
    },
    _J.SCHEDULED: {_JE.STARTED: _J.PRINTING, _JE.NOT_STARTED: _J.PENDING, **_OVER},
    _J.PRINTING: {_JE.PAUSED: _J.PAUSED, **_OVER},
    _J.PAUSED: {_JE.RESUMED: _J.PRINTING, **_OVER},
    _J.COMPLETED: {},
    _J.FAILED: {_JE.RESET: _J.PENDING},
    _J.CANCELLED: {_JE.RESET: _J.PENDING},
}

JOB_WAITING = frozenset({_J.PENDING, _J.WAITING_PLATE_CLEAR})
JOB_RUNNING = frozenset({_J.SCHEDULED, _J.PRINTING, _J.PAUSED})
JOB_OVER = frozenset({_J.COMPLETED, _J.FAILED, _J.CANCELLED, _J.REJECTED})


class AttemptState(StrEnum):
    """One start of a print. The first is the grant; the terminal ones are final."""

    GRANTED = "granted"
    STARTED = "started"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # the sender died, or the printer reset: nobody knows how it lies
    NOT_STARTED = "not_started"  # the grant was refused or expired before the first line


class AttemptEvent(StrEnum):
    """What a bridge may report about an attempt."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not_started"


_A, _AE = AttemptState, AttemptEvent
_ENDED = {
    _AE.COMPLETED: _A.COMPLETED,
    _AE.FAILED: _A.FAILED,
    _AE.CANCELLED: _A.CANCELLED,
    _AE.INTERRUPTED: _A.INTERRUPTED,
}

ATTEMPT_TRANSITIONS: Table[AttemptState, AttemptEvent] = {
    _A.GRANTED: {_AE.STARTED: _A.STARTED, _AE.NOT_STARTED: _A.NOT_STARTED, **_ENDED},
    _A.STARTED: {_AE.PAUSED: _A.PAUSED, **_ENDED},
    _A.PAUSED: {_AE.RESUMED: _A.STARTED, **_ENDED},
    _A.COMPLETED: {},
    _A.FAILED: {},
    _A.CANCELLED: {},
    _A.INTERRUPTED: {},
    _A.NOT_STARTED: {},
}

ATTEMPT_OVER = terminal_states(ATTEMPT_TRANSITIONS)

#: What the end of an attempt means for its job.
JOB_EVENT_OF_ATTEMPT = {
    _AE.STARTED: _JE.STARTED,
    _AE.PAUSED: _JE.PAUSED,
    _AE.RESUMED: _JE.RESUMED,
    _AE.COMPLETED: _JE.COMPLETED,
    _AE.FAILED: _JE.FAILED,
    _AE.CANCELLED: _JE.CANCELLED,
    _AE.INTERRUPTED: _JE.FAILED,
    _AE.NOT_STARTED: _JE.NOT_STARTED,
}
