"""What the scheduler's routes answer (v1 contract, 2.4; what that lacks is ours)."""

from typing import Literal

from pydantic import Field

from api.describe import Answer, Instant
from schemas.jobs import JobState


class JobSummary(Answer):
    """A job of a plan. Without a printer it has no place, and *note* says why."""

    id: int
    item_name: str
    status: JobState
    priority: int = Field(description="0 to 10, 1 first")
    printer_id: int | None
    printer_name: str | None
    scheduled_start: Instant | None = Field(description="Expected; the queue does not wait for it")
    scheduled_end: Instant | None
    duration_hours: float | None = Field(description="Of one print, in hours")
    colors_list: list[str]
    match_score: int | None = Field(description="Share of its colours that are loaded, percent")
    note: str | None


class RunAnswer(Answer):
    """A run of the scheduler."""

    id: int
    run_at: Instant
    total_jobs: int = Field(description="Waiting jobs that were planned: at most 1 000")
    scheduled_count: int = Field(description="Those that have a place")
    skipped_count: int
    setup_blocks: int = Field(description="Changes of filament between them")
    avg_match_score: float | None
    avg_job_duration: float | None = Field(description="Hours")
    notes: str | None = Field(description="The first five reasons for which a job has no place")


class RunDetail(RunAnswer):
    """A run with the place of each job."""

    jobs: list[JobSummary]


class ScheduleResult(Answer):
    """The result of a run."""

    success: Literal[True]
    run_id: int
    scheduled: int
    skipped: int
    setup_blocks: int
    message: str
    jobs: list[JobSummary]


class Verdict(Answer):
    """One printer and one job. *rule* null: nothing stands in the way."""

    printer_id: int
    printer_name: str | None
    rule: str | None = Field(description="The first rule that refuses it, by its name")
    why_not: str | None
    unblock: str | None = Field(description="What would help: it waits for this")


class ExplanationAnswer(Answer):
    """Why a job is where it is."""

    job_id: int
    status: JobState
    decided_at: Instant = Field(description="When this was decided; of a job that waits: now")
    printer_id: int | None
    printer_name: str | None
    match_score: int | None
    summary: str
    unplaceable: str | None = Field(description="Why no printer can ever have it; null: some can")
    reasons: list[str] = Field(description="Why it got its printer")
    printers: list[Verdict] = Field(description="The nearest first, 500 at most")
    printer_count: int
    unblock: list[str] = Field(description="What would help, the nearest first")


class HoursAnswer(Answer):
    """When the queue may start prints."""

    zone: str = Field(description="IANA name of the time zone of all these times")
    working: dict[str, list[list[str]]] = Field(description="Spans by day; {}: at any time")
    blackout_start: str | None = Field(description="HH:MM; nothing starts from here")
    blackout_end: str | None
    opens_at: Instant | None = Field(description="When prints start again; null: they do now")


class ConfigAnswer(Answer):
    """Settings of the farm, as the contract has them."""

    spoolman_url: str | None
    blackout_start: str | None
    blackout_end: str | None


class LoadAnswer(Answer):
    """A printer on a circuit, in watts."""

    printer_id: int
    heat_up_w: float
    printing_w: float


class CircuitAnswer(Answer):
    """A power line that printers share."""

    id: int
    name: str
    max_w: float = Field(description="What it bears, watts")
    heat_up_s: float = Field(description="How long a heat-up takes, seconds")
    printers: list[LoadAnswer]
    created_at: Instant
    updated_at: Instant
