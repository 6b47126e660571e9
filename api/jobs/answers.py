"""What the job routes answer (v1 contract, 2.4, `JobResponse`; what that lacks is ours)."""

from typing import Annotated, Literal

from pydantic import Field

from api.describe import Answer, Instant
from api.printers.next_actions import NextAction
from schemas.jobs import JobState


class Named(Answer):
    """Something with a name."""

    id: int
    name: str


class StreamQuality(Answer):
    """How steadily the lines of one attempt reached the printer; worst at its longest gap."""

    score: int = Field(description="0 to 100")
    starved_s: float = Field(description="Seconds without anything left to do")
    gaps: int
    resends: int
    latency_p50_ms: float
    latency_p99_ms: float
    worst_gap_ms: float
    worst_line: int | None
    worst_layer: int | None
    strays: int = Field(0, description="Rests of cut lines that ran as moves of their own")


class JobAnswer(Answer):
    """A job: prints of a file that somebody asked for."""

    id: int
    item_name: str
    status: JobState
    model_id: int | None
    quantity: int = Field(description="Prints asked for")
    priority: int = Field(description="0 to 10, 1 first")
    duration_hours: float | None = Field(description="Of one print, as people said it, in hours")
    effective_duration: float = Field(description="Of all prints, in hours; 1 each if unknown")
    colors_required: str | None = Field(description="Separated by commas")
    colors_list: list[str]
    filament_type: str | None
    notes: str | None
    hold: bool = Field(description="The queue leaves it alone")
    due_date: Instant | None
    required_tags: list[str] = Field(description="A printer needs all of these")
    target_type: str
    target_filter: str | None
    model_revision_id: int | None
    printer_id: int | None = Field(description="Where it prints, or shall print")
    pool_id: int | None = Field(description="Only printers of this pool may print it")
    pool_name: str | None
    scheduled_start: Instant | None = Field(description="The queue starts it no earlier")
    scheduled_end: Instant | None = Field(description="Expected, from start and duration")
    actual_start: Instant | None
    actual_end: Instant | None
    match_score: int | None = Field(
        description="Share of its colours that its printer had loaded when it was chosen, percent"
    )
    is_locked: bool = Field(description="It prints, is over, or somebody locked its place and time")
    estimated_cost: float | None = Field(
        description="Of all prints, by the rates of /pricing-config; null: weight and time unknown"
    )
    suggested_price: float | None = Field(description="The cost and the model's margin")
    order_item_id: int | None = Field(description="The item of an order that it is made for")
    quantity_on_bed: int = Field(description="Pieces that one print makes")
    printer: Named | None
    model: Named | None
    created_at: Instant
    updated_at: Instant
    printer_name: str | None
    print_file_id: int | None
    file_name: str | None
    source: str = Field(description="Which face it came from")
    reason: str | None = Field(description="Why it is where it is")
    fail_reason: str | None = Field(description="Of a failed job, as a person said it")
    fail_notes: str | None
    created_by: int | None = Field(description="The user who asked for it")
    position: int = Field(description="In the queue, within its priority")
    waiting_for: str | None = Field(description="What a job that does not print waits for")
    unplaceable: str | None = Field(
        description="Why no printer can ever have it, as job and farm are now; null: some can"
    )
    progress: float | None = Field(description="Of the current print, percent; null: unknown")
    time_left_s: float | None = Field(
        description="Of the current print, seconds; null: it does not print, or nobody knows"
    )
    attempt: int | None = Field(description="Which start of its current print this is, from 1")
    stream_quality: StreamQuality | None = Field(
        description="How steadily the lines of the latest attempt reached the printer"
    )
    cancel_requested: bool = Field(description="Told to end, its printer has not ended yet")


class JobAndNext(JobAnswer):
    """A job, and what to do next."""

    next_actions: list[NextAction]


class Scheduled(JobAndNext):
    """A job that was made out of the library."""

    success: Literal[True]
    job_id: int


class ScheduledFile(Scheduled):
    """A job that was made out of a print file."""

    file_id: int
    project_name: str


class ScheduledModel(Scheduled):
    """A job that was made out of a model."""

    model_name: str


class Dispatched(JobAnswer):
    """A job whose start is on its way to the printer."""

    success: Literal[True]
    message: str
    job_id: int


class Repeated(Answer):
    """A job was queued again."""

    success: Literal[True]
    message: str
    original_job_id: int
    new_job_id: int


class Approved(Answer):
    """A job may wait in the queue now."""

    status: Literal["approved"]
    job_id: int
    next_actions: list[NextAction]


class Rejected(Answer):
    """A job was sent back."""

    status: Literal["rejected"]
    job_id: int
    reason: str
    next_actions: list[NextAction]


class Resubmitted(Answer):
    """A job waits for approval again."""

    status: Literal["resubmitted"]
    job_id: int


class Batched(Answer):
    """One job of a batch."""

    id: int
    printer_id: int | None = Field(description="null: whichever of the pool")
    status: JobState


class Reordered(Answer):
    """How many jobs have a place in the new order."""

    reordered: int


class BulkUpdated(Answer):
    """How many jobs were changed: all that were named."""

    status: Literal["ok"]
    affected: int


class Moved(Answer):
    """A job has a printer and a time."""

    success: Literal[True]
    job_id: int
    printer_id: int
    scheduled_start: Instant
    scheduled_end: Instant


class Explained(Answer):
    """It is kept with the job why it failed."""

    success: Literal[True]
    message: str


class FailureReason(Answer):
    """A reason to choose from."""

    value: str
    label: str


StatusWord = Annotated[
    Literal[
        "queued",
        "submitted",
        "rejected",
        "pending",
        "scheduled",
        "waiting_plate_clear",
        "printing",
        "paused",
        "completed",
        "failed",
        "cancelled",
    ],
    Field(description="pending and queued: everything that waits in the queue"),
]
