"""Request bodies of the job routes (v1 contract, 2.4, and ours)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, RootModel, StringConstraints

from api.http import Body, RowId
from api.jobs.forms import DEFAULT_PRIORITY, BulkAction, NewJob, parse_priority, refuse
from api.printers.filaments import FilamentType
from schemas.jobs import JobState

MAX_BULK = 100
MAX_BATCH = 50

ItemName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Quantity = Annotated[int, Field(ge=1, le=10_000)]
Hours = Annotated[float, Field(ge=0, le=10_000)]
Priority = Annotated[
    Annotated[int, Field(json_schema_extra={"minimum": 0, "maximum": 10})]
    | Annotated[str, StringConstraints(max_length=20)],
    Field(
        description="0 to 10, 1 first, or urgent (1), high (2), normal, medium (3), low (4), "
        "lowest (5)",
        examples=[3, "urgent"],
    ),
]
Colors = Annotated[str, StringConstraints(max_length=200)]
Tags = Annotated[list[Annotated[str, StringConstraints(max_length=50)]], Field(max_length=50)]
Notes = Annotated[str, StringConstraints(max_length=10_000)]
Reason = Annotated[str, StringConstraints(max_length=300)]


def _in_utc(at: datetime) -> datetime:
    """*at* in UTC, which a time without an offset is taken for. ValueError outside 1970 to 9998."""
    if not 1970 <= at.year <= 9998:  # so that no time zone leads out of what a database holds
        raise ValueError("a year from 1970 to 9998")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_in_utc)]


#: Fields of an update that a job always has, or that follow from others: null leaves them.
_NEVER_EMPTIED = ("status", "scheduled_end", "is_locked")


class JobCreateBody(Body):
    """``POST /jobs``."""

    item_name: ItemName
    model_id: RowId | None = None
    print_file_id: RowId | None = None
    printer_id: RowId | None = Field(None, description="Only this printer may print it")
    pool_id: RowId | None = Field(None, description="Only printers of this pool may print it")
    quantity: Quantity = 1
    priority: Priority = DEFAULT_PRIORITY
    duration_hours: Hours | None = None
    colors_required: Colors | None = None
    filament_type: FilamentType | None = None
    notes: Notes | None = None
    hold: bool = False
    due_date: Moment | None = None
    scheduled_start: Moment | None = Field(None, description="The queue starts it no earlier")
    required_tags: Tags | None = Field(None, description="A printer needs all of these")
    target_type: Annotated[str, StringConstraints(max_length=32)] | None = Field(
        "specific",
        description="model, protocol: the printer's model or api_type must be target_filter",
    )
    target_filter: Annotated[str, StringConstraints(max_length=100)] | None = None
    model_revision_id: RowId | None = Field(
        None, description="A revision of the model (its `id`); without one the newest is printed"
    )

    def form(self) -> NewJob:
        """The same for the service. Raises `Invalid`."""
        return NewJob(
            item_name=self.item_name,
            model_id=self.model_id,
            print_file_id=self.print_file_id,
            printer_id=self.printer_id,
            pool_id=self.pool_id,
            quantity=self.quantity,
            priority=parse_priority(self.priority),
            duration_hours=self.duration_hours,
            colors_required=self.colors_required,
            filament_type=self.filament_type,
            notes=self.notes,
            hold=self.hold,
            due_date=self.due_date,
            scheduled_start=self.scheduled_start,
            details={
                "required_tags": self.required_tags or [],
                "target_type": self.target_type or "specific",
                "target_filter": self.target_filter,
                "model_revision_id": self.model_revision_id,
            },
        )


class JobUpdateBody(Body):
    """``PATCH /jobs/{id}``: only what is there is changed. *status*: as the life cycle allows."""

    item_name: ItemName | None = None
    quantity: Quantity | None = None
    priority: Priority | None = None
    model_id: RowId | None = Field(None, description="Print the newest file of this model")
    printer_id: RowId | None = Field(None, description="null: whichever is free and fits")
    pool_id: RowId | None = None
    duration_hours: Hours | None = None
    colors_required: Colors | None = None
    filament_type: FilamentType | None = None
    notes: Notes | None = None
    hold: bool | None = None
    due_date: Moment | None = None
    scheduled_start: Moment | None = None
    scheduled_end: Moment | None = Field(
        None, description="Sets duration_hours, so that all prints end then"
    )
    status: JobState | None = Field(
        None,
        description="A state that people can bring it to: pending (approved, or queued again), "
        "cancelled, and on a printer without a bridge printing, completed, failed",
    )
    is_locked: bool | None = Field(
        None, description="Its printer, priority and time stay as they are until it is unlocked"
    )

    def values(self) -> dict[str, Any]:
        """The fields that were sent, as the service takes them. Raises `Invalid`."""
        sent = self.model_dump(exclude_unset=True)
        required = ("item_name", "quantity", "priority", "hold", "model_id", *_NEVER_EMPTIED)
        values = {k: v for k, v in sent.items() if v is not None or k not in required}
        if "priority" in values:
            values["priority"] = parse_priority(values["priority"])
        return values


class JobBulkBody(RootModel[list[JobCreateBody]]):
    """``POST /jobs/bulk``: an array of jobs."""

    model_config = ConfigDict(json_schema_extra={"minItems": 1, "maxItems": MAX_BULK})

    root: Annotated[list[JobCreateBody], Field(min_length=1, max_length=MAX_BULK)]


class JobBatchBody(Body):
    """``POST /jobs/batch``: the same once on each of these printers, or *copies* in a pool."""

    item_name: ItemName
    model_id: RowId | None = None
    printer_ids: Annotated[list[RowId], Field(max_length=MAX_BATCH)] = Field(
        default_factory=list, description="One job on each of these"
    )
    pool_id: RowId | None = Field(None, description="Instead: jobs for any printers of this pool")
    copies: Annotated[int, Field(ge=1, le=MAX_BATCH)] = Field(
        1, description="How many jobs for the pool, so that several printers take their part"
    )
    priority: Priority = DEFAULT_PRIORITY
    duration_hours: Hours | None = None
    colors_required: Colors | None = None
    filament_type: FilamentType | None = None
    notes: Notes | None = None
    queue_only: bool = Field(
        False, description="They wait on hold until somebody releases or dispatches them"
    )

    def forms(self) -> list[NewJob]:
        """One for each printer, however often it is named, or for each copy. Raises `Invalid`."""
        if bool(self.printer_ids) == (self.pool_id is not None):
            raise refuse("printer_ids", "name printers, or a pool: one of the two")
        same = NewJob(
            item_name=self.item_name,
            model_id=self.model_id,
            pool_id=self.pool_id,
            priority=parse_priority(self.priority),
            duration_hours=self.duration_hours,
            colors_required=self.colors_required,
            filament_type=self.filament_type,
            notes=self.notes,
            hold=self.queue_only,
        )
        if self.pool_id is not None:
            return [same] * self.copies
        return [replace(same, printer_id=each) for each in dict.fromkeys(self.printer_ids)]


class ReorderBody(Body):
    """``PATCH /jobs/reorder``: the order that these jobs shall have among themselves."""

    job_ids: Annotated[list[RowId], Field(max_length=500)]


class BulkUpdateBody(Body):
    """``POST /jobs/bulk-update``. *priority*: for ``set_priority``."""

    job_ids: Annotated[list[RowId], Field(min_length=1, max_length=MAX_BULK)]
    action: BulkAction
    priority: Priority | None = None

    def wanted_priority(self) -> int | None:
        """The priority as a number. Raises `Invalid`."""
        return None if self.priority is None else parse_priority(self.priority)


class MoveBody(Body):
    """``PATCH /jobs/{id}/move``."""

    printer_id: RowId
    scheduled_start: Moment


class FailureBody(Body):
    """``PATCH /jobs/{id}/failure``."""

    fail_reason: Literal[
        "spaghetti",
        "adhesion",
        "clog",
        "layer_shift",
        "stringing",
        "warping",
        "filament_runout",
        "filament_tangle",
        "power_loss",
        "firmware_error",
        "user_cancelled",
        "other",
    ]
    fail_notes: Annotated[str, StringConstraints(max_length=2000)] | None = None


class ApproveBody(Body):
    """``POST /jobs/{id}/approve``. *notes* go to the audit log."""

    notes: Reason | None = None


class CancelBody(Body):
    """``POST /jobs/{id}/cancel``. *force*: do not wait for a bridge that will never answer."""

    reason: Reason | None = None
    force: bool = False


class DispatchBody(Body):
    """``POST /jobs/{id}/dispatch``: on this printer, or on the job's own."""

    printer_id: RowId | None = None


class RejectBody(Body):
    """``POST /jobs/{id}/reject``."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=300)]
