"""Request bodies of the job routes (v1 contract, 2.4, and ours)."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from api.http import Body, RowId
from api.jobs.forms import DEFAULT_PRIORITY, NewJob, parse_priority

ItemName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Quantity = Annotated[int, Field(ge=1, le=10_000)]
Hours = Annotated[float, Field(ge=0, le=10_000)]
Filament = Annotated[str, StringConstraints(max_length=32)]
Colors = Annotated[str, StringConstraints(max_length=200)]
Tags = Annotated[list[Annotated[str, StringConstraints(max_length=50)]], Field(max_length=50)]
Reason = Annotated[str, StringConstraints(max_length=300)]


def _in_utc(at: datetime) -> datetime:
    """*at* in UTC, which a time without an offset is taken for. ValueError outside 1970 to 9998."""
    if not 1970 <= at.year <= 9998:  # so that no time zone leads out of what a database holds
        raise ValueError("a year from 1970 to 9998")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


DueDate = Annotated[datetime, AfterValidator(_in_utc)]


class JobCreateBody(Body):
    """``POST /jobs``."""

    item_name: ItemName
    model_id: RowId | None = None
    print_file_id: RowId | None = None
    printer_id: RowId | None = None
    quantity: Quantity = 1
    priority: int | str = DEFAULT_PRIORITY
    duration_hours: Hours | None = None
    colors_required: Colors | None = None
    filament_type: Filament | None = None
    notes: str | None = None
    hold: bool = False
    due_date: DueDate | None = None
    required_tags: Tags | None = None
    target_type: Annotated[str, StringConstraints(max_length=32)] | None = "specific"
    target_filter: Annotated[str, StringConstraints(max_length=100)] | None = None
    model_revision_id: RowId | None = None

    def form(self) -> NewJob:
        """The same for the service. Raises `Invalid`."""
        return NewJob(
            item_name=self.item_name,
            model_id=self.model_id,
            print_file_id=self.print_file_id,
            printer_id=self.printer_id,
            quantity=self.quantity,
            priority=parse_priority(self.priority),
            duration_hours=self.duration_hours,
            colors_required=self.colors_required,
            filament_type=self.filament_type,
            notes=self.notes,
            hold=self.hold,
            due_date=self.due_date,
            details={
                "required_tags": self.required_tags or [],
                "target_type": self.target_type or "specific",
                "target_filter": self.target_filter,
                "model_revision_id": self.model_revision_id,
            },
        )


class JobUpdateBody(Body):
    """``PATCH /jobs/{id}``: only what is there is changed."""

    item_name: ItemName | None = None
    quantity: Quantity | None = None
    priority: int | str | None = None
    printer_id: RowId | None = None
    duration_hours: Hours | None = None
    colors_required: Colors | None = None
    filament_type: Filament | None = None
    notes: str | None = None
    hold: bool | None = None
    due_date: DueDate | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent, as the service takes them. Raises `Invalid`."""
        sent = self.model_dump(exclude_unset=True)
        required = ("item_name", "quantity", "priority", "hold")
        values = {k: v for k, v in sent.items() if v is not None or k not in required}
        if "priority" in values:
            values["priority"] = parse_priority(values["priority"])
        return values


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
