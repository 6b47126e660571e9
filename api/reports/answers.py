"""What the report routes answer (v1 contract, 2.11 and 2.4)."""

from typing import Literal

from pydantic import Field

from api.describe import Answer, Instant
from schemas.jobs import JobState

OutcomeWord = Literal["running", "completed", "failed", "cancelled"]


class PrinterCounts(Answer):
    """Printers, and how many of them are not disabled."""

    total: int
    active: int


class JobCounts(Answer):
    """Jobs by what they do."""

    pending: int = Field(description="They wait in the queue")
    scheduled: int
    printing: int = Field(description="Paused ones too")
    completed_today: int = Field(description="Since midnight UTC")


class PrinterStats(Answer):
    """How a printer has done."""

    id: int
    name: str
    completed_jobs: int = Field(description="Prints, all time")
    failed_jobs: int
    total_hours: float
    utilization_pct: float = Field(description="Share of the last 7 days in which it printed")
    success_rate: float | None = Field(description="Percent; null: nothing has ended yet")
    avg_job_hours: float | None


class PluggedStats(PrinterStats):
    """How a printer has done, and what it hangs on."""

    has_plug: bool


class Stats(Answer):
    """The farm in a few numbers."""

    printers: PrinterCounts
    jobs: JobCounts
    models: int
    spoolman_connected: bool
    printer_stats: list[PrinterStats]


class ModelValue(Answer):
    """What a model is worth, as far as people have said it."""

    id: int
    name: str
    build_time_hours: float | None
    value_per_bed: float | None
    value_per_hour: float


class Summary(Answer):
    """The farm's work; money is that of the jobs, null as long as none of them has a cost."""

    total_models: int
    total_jobs: int
    completed_jobs: int
    pending_jobs: int
    total_revenue: float | None
    total_cost: float | None
    total_margin: float | None
    margin_percent: float | None
    projected_revenue: float | None
    projected_cost: float | None
    total_print_hours: float
    avg_value_per_hour: float | None
    jobs_with_cost_data: int


class Analytics(Answer):
    """The farm's work and its models' worth."""

    top_by_hour: list[ModelValue] = Field(description="The ten best by value per hour")
    worst_performers: list[ModelValue] = Field(description="The ten worst by value per hour")
    summary: Summary
    printer_stats: list[PluggedStats]


class FailureCount(Answer):
    """Jobs that failed of the same."""

    reason: str | None = Field(description="null: nobody has said it")
    label: str | None
    count: int


class FailuresByPrinter(Answer):
    """Jobs that failed on a printer."""

    printer_id: int | None
    printer_name: str | None
    count: int


class Failures(Answer):
    """What failed, and of what."""

    days: int
    total_failures: int
    completed_jobs: int
    failure_rate: float | None = Field(description="Percent of what ended; null: nothing has")
    by_reason: list[FailureCount]
    by_printer: list[FailuresByPrinter]


class Accuracy(Answer):
    """How long a job took, and how long it was said to take."""

    job_id: int
    item_name: str
    printer_id: int | None
    estimated_hours: float
    actual_hours: float
    accuracy_pct: float = Field(description="Of the estimate, percent")


class TimeAccuracy(Answer):
    """How good the estimates are."""

    days: int
    jobs: list[Accuracy]
    avg_accuracy_pct: float | None


class FoundModel(Answer):
    """A model."""

    id: int
    name: str
    type: Literal["model"]


class FoundJob(Answer):
    """A job."""

    id: int
    name: str
    status: JobState
    type: Literal["job"]


class FoundSpool(Answer):
    """A spool. *name*: brand and name of its filament."""

    id: int
    name: str
    qr_code: str
    type: Literal["spool"]


class FoundPrinter(Answer):
    """A printer."""

    id: int
    name: str
    type: Literal["printer"]


class SearchAnswer(Answer):
    """What has these words in its name, five of each at most."""

    models: list[FoundModel]
    jobs: list[FoundJob]
    spools: list[FoundSpool]
    printers: list[FoundPrinter]


class PrintRun(Answer):
    """A print as a printer has run it."""

    id: int
    printer_id: int
    printer_name: str | None = Field(description="null: the printer is gone")
    job_id: int | None = Field(description="null: of a file that the printer has, of no job yet")
    scheduled_job_id: int | None
    filename: str | None
    job_name: str | None
    started_at: Instant
    ended_at: Instant | None
    status: OutcomeWord
    progress_percent: float | None
    remaining_minutes: int | None
    total_layers: int | None
    current_layer: int | None
    bed_temp_target: float | None
    nozzle_temp_target: float | None
    filament_slots: None
    error_code: str | None = Field(description="Why it did not end well, in words")
    created_at: Instant
    model_revision_id: int | None
    duration_minutes: float | None = Field(description="That it has printed; null: it still does")


class RunStats(Answer):
    """How the prints of a printer ended."""

    printer_id: int
    printer_name: str
    total_jobs: int
    completed_jobs: int
    failed_jobs: int
    cancelled_jobs: int
    running_jobs: int
    total_hours: float


class TimelinePrinter(Answer):
    """A row of the timeline."""

    id: int
    name: str


class TimelineSlot(Answer):
    """A print, or a job that is planned."""

    start: Instant
    end: Instant
    printer_id: int
    printer_name: str | None
    job_id: int | None
    item_name: str | None
    status: JobState
    mqtt_job_id: int | None = Field(description="The print")
    is_setup: bool
    colors: list[str]


class Timeline(Answer):
    """What takes the printers' time."""

    start_date: Instant
    end_date: Instant
    slot_duration_minutes: int
    printers: list[TimelinePrinter]
    slots: list[TimelineSlot]
