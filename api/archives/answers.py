"""What the archive's routes answer (v1 contract, 2.10)."""

from typing import Literal

from pydantic import Field

from api.describe import Answer, Instant
from api.printers.next_actions import NextAction

EndedWord = Literal["completed", "failed", "cancelled"]


class _Line(Answer):
    """What the log says of a print."""

    id: int
    print_name: str | None = Field(description="null: the printer's own file, and nobody knows it")
    printer_id: int
    user_id: int | None = Field(description="Who made the job; null: nobody")
    status: EndedWord
    started_at: Instant
    completed_at: Instant = Field(description="When it ended, however it did")
    actual_duration_seconds: int = Field(description="How long it printed, all starts together")
    filament_used_grams: float | None = Field(
        description="What spools were said to give, else what the slicer wrote; null: unknown"
    )
    cost_estimate: float | None = Field(description="Of this print, in the money of the rates")
    tags: list[str]
    printer_name: str | None = Field(description="null: it is not there any more")
    printer_nickname: str | None
    printer_display: str


class LogLine(_Line):
    """A line of the log of prints."""

    user_name: str | None


class ArchiveAnswer(_Line):
    """The record of a print that is over."""

    job_id: int | None = Field(description="null: the printer ran a file of its own")
    print_job_id: int = Field(description="The number of the print in `/print-jobs`: the same")
    thumbnail_b64: None
    thumbnail_url: str | None
    file_path: str | None
    notes: str | None
    created_at: Instant
    plate_count: int
    plate_thumbnails: None
    print_file_id: int | None
    project_id: int | None
    energy_kwh: None = Field(description="Not measured")
    energy_cost: None = Field(description="Not measured")
    consumption_json: str | None = Field(
        description="JSON text: `spool_id` and `grams` of every spool that gave something"
    )
    file_hash: str | None = Field(description="SHA-256 of the file")


class ArchivePage(Answer):
    """A page of records."""

    items: list[ArchiveAnswer]
    total: int
    page: int
    per_page: int


class LogPage(Answer):
    """A page of the log."""

    items: list[LogLine]
    total: int
    page: int
    per_page: int


class Difference(Answer):
    """One field of two records that are not alike in it."""

    a: str | int | float | None
    b: str | int | float | None


class Comparison(Answer):
    """Two records side by side."""

    a: ArchiveAnswer
    b: ArchiveAnswer
    diff: dict[str, Difference]


class ArchiveUpdated(Answer):
    """It is kept."""

    status: Literal["updated"]
    id: int
    notes: str | None


class ArchiveDeleted(Answer):
    """It is shown no more."""

    status: Literal["deleted"]
    id: int


class TagsAnswer(Answer):
    """The tags that a record has now."""

    tags: list[str]


class NeededFilament(Answer):
    """What a tool prints with."""

    slot: int = Field(description="The tool, from 0")
    material: str = Field(description="Empty: the slicer did not say")
    color: str
    used_grams: float | None


class LoadedFilament(Answer):
    """What hangs in a slot."""

    slot: int = Field(description="From 1")
    material: str
    color: str
    spool_id: int | None


class SuggestedFeed(Answer):
    """A tool, and the slot with its material that feeds it."""

    source_slot: int
    target_slot: int
    confidence: Literal["exact", "material_only"] = Field(description="Whether the color fits, too")


class AmsPreview(Answer):
    """What a reprint needs, what hangs in the printer, and what goes together."""

    required: list[NeededFilament]
    available: list[LoadedFilament]
    suggested_mapping: list[SuggestedFeed]


class Reprinted(Answer):
    """A job for the same file."""

    status: Literal["created"]
    job_id: int
    message: str
    next_actions: list[NextAction]
