"""What the job routes say of themselves in the specification."""

from api.describe import Doc, Query
from api.http import RowId
from api.jobs import answers, bodies
from api.jobs.answers import JobAndNext, JobAnswer

_STATE = "invalid_state_transition"
_UNFIT = ("not_gcode", "limit_exceeded")
_PLACES = ("printer_not_found", "pool_not_found", "model_not_found", "file_not_found")
_START = ("printer_busy", "printer_not_operational", "plate_not_clear", "stopped", "conflict")
_BY_HAND = ("bad_request", "conflict", "printer_busy", "plate_not_clear", _STATE)

_STATUS = Query(name="status", type=answers.StatusWord, description="Only jobs in this state")
_PRINTER = Query(name="printer_id", type=RowId, description="Only jobs of this printer")
_POOL = Query(name="pool_id", type=RowId, description="Only jobs of this pool")
_ORGANIZATION = Query(name="org_id", type=RowId, description="Superadmins: of this organization")
_ON = Query(name="printer_id", type=RowId, description="Only this printer may print it")
_NOTES = Query(name="notes", type=bodies.Reason, description="What went wrong")

LIST = Doc(
    summary="Jobs, in the order of the queue: priority (1 first), position, age",
    answer=list[JobAnswer],
    right="jobs.read",
    paged=True,
    query=(_STATUS, _PRINTER, _POOL, _ORGANIZATION),
)
GET = Doc(summary="One job", answer=JobAnswer, right="jobs.read")
CREATE = Doc(
    summary="Queue a job",
    description="Its file is that of print_file_id, or the newest of model_id. It goes to "
    "printer_id, to a printer of pool_id, or to whichever is free, fits and has a clear plate.",
    answer=JobAndNext,
    status=201,
    right="jobs.submit",
    body=bodies.JobCreateBody,
    problems=("bad_request", *_PLACES, *_UNFIT),
    dry_run=True,
)
BULK = Doc(
    summary="Queue many jobs: all of them or none",
    description="A refusal names the first one that cannot be made (`index`, from 0).",
    answer=list[JobAnswer],
    status=201,
    right="jobs.write",
    body=bodies.JobBulkBody,
    problems=("bad_request", *_PLACES, *_UNFIT),
    dry_run=True,
)
BATCH = Doc(
    summary="The same job on each of many printers, or many times in a pool: all or none",
    answer=list[answers.Batched],
    right="jobs.write",
    body=bodies.JobBatchBody,
    problems=("bad_request", *_PLACES, *_UNFIT),
    dry_run=True,
)
REORDER = Doc(
    summary="Put waiting jobs into this order",
    description="They change places among themselves; a more urgent job stays in front.",
    answer=answers.Reordered,
    right="jobs.write",
    body=bodies.ReorderBody,
    problems=("job_not_found", _STATE),
    dry_run=True,
)
BULK_UPDATE = Doc(
    summary="Cancel, delete, hold, release or prioritise many jobs: all of them or none",
    answer=answers.BulkUpdated,
    right="jobs.write",
    body=bodies.BulkUpdateBody,
    problems=("job_not_found", _STATE, "job_lent"),
    dry_run=True,
)
REASONS = Doc(
    summary="Reasons for a failure to choose from",
    answer=list[answers.FailureReason],
    right="jobs.read",
    paged=True,
)
UPDATE = Doc(
    summary="Change a waiting job",
    answer=JobAnswer,
    right="jobs.write",
    body=bodies.JobUpdateBody,
    problems=("bad_request", *_PLACES, *_UNFIT, _STATE, "job_lent"),
    dry_run=True,
)
DELETE = Doc(
    summary="Delete a job that does not print",
    description="What it printed stays in the history.",
    status=204,
    right="jobs.write",
    problems=(_STATE, "job_lent"),
    dry_run=True,
)
SCHEDULE_FILE = Doc(
    summary="Queue a print of this file",
    answer=answers.ScheduledFile,
    right="jobs.submit",
    query=(_ON,),
    problems=("bad_request", *_PLACES, *_UNFIT),
    dry_run=True,
)
SCHEDULE_MODEL = Doc(
    summary="Queue a print of the newest file of this model",
    description="Without a file yet it makes a job that can only be printed by hand.",
    answer=answers.ScheduledModel,
    right="jobs.submit",
    query=(_ON,),
    problems=("bad_request", *_PLACES, *_UNFIT),
    dry_run=True,
)
REPEAT = Doc(
    summary="Queue the same job again",
    answer=answers.Repeated,
    right="jobs.write",
    problems=("bad_request", *_PLACES, *_UNFIT),
    dry_run=True,
)
MOVE = Doc(
    summary="Give a waiting job a printer and a time",
    description="Refused when another job is planned there for that time.",
    answer=answers.Moved,
    right="jobs.write",
    body=bodies.MoveBody,
    problems=("bad_request", *_PLACES, *_UNFIT, _STATE, "job_lent"),
    dry_run=True,
)
FAILURE = Doc(
    summary="Say why a failed job failed",
    answer=answers.Explained,
    right="jobs.write",
    body=bodies.FailureBody,
    problems=(_STATE,),
    dry_run=True,
)
APPROVE = Doc(
    summary="Let a submitted job into the queue",
    answer=answers.Approved,
    right="jobs.write",
    body=bodies.ApproveBody,
    problems=(_STATE,),
    dry_run=True,
)
REJECT = Doc(
    summary="Send a submitted job back",
    answer=answers.Rejected,
    right="jobs.write",
    body=bodies.RejectBody,
    problems=(_STATE,),
    dry_run=True,
)
RESUBMIT = Doc(
    summary="Ask for approval again: only who asked first",
    answer=answers.Resubmitted,
    right="jobs.submit",
    problems=(_STATE, "conflict"),
    dry_run=True,
)
RESET = Doc(
    summary="Queue a failed or cancelled job again",
    answer=JobAnswer,
    right="jobs.write",
    problems=(_STATE,),
    dry_run=True,
)
DISPATCH = Doc(
    summary="Start a job now, on its printer or on the one named",
    answer=answers.Dispatched,
    right="jobs.write",
    body=bodies.DispatchBody,
    problems=(
        "bad_request",
        "printer_not_found",
        "upstream_unavailable",
        *_UNFIT,
        *_START,
        _STATE,
        "job_lent",
    ),
    dry_run=True,
)
CANCEL = Doc(
    summary="End a job; the answer shows what its printer has reported",
    description="A job that waits is cancelled at once. One that prints ends with its printer's "
    "cancel script, and may still be printing in the answer (`cancel_requested`).",
    answer=JobAndNext,
    right="jobs.write",
    body=bodies.CancelBody,
    problems=(_STATE, "conflict", "stopped", "upstream_unavailable"),
    dry_run=True,
)
START = Doc(
    summary="By hand, on a printer without a bridge: it was started",
    answer=JobAnswer,
    right="jobs.write",
    problems=_BY_HAND,
    dry_run=True,
)
COMPLETE = Doc(
    summary="By hand, on a printer without a bridge: it is done (said twice it is once)",
    answer=JobAnswer,
    right="jobs.write",
    problems=_BY_HAND,
    dry_run=True,
)
FAIL = Doc(
    summary="By hand, on a printer without a bridge: it failed",
    answer=JobAnswer,
    right="jobs.write",
    query=(_NOTES,),
    problems=_BY_HAND,
    dry_run=True,
)
