"""What people say about a job, checked: new jobs, priorities, filters. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from api.errors import Invalid
from api.principal import Principal
from schemas.jobs import JobState

PRIORITIES = {"urgent": 1, "high": 2, "normal": 3, "medium": 3, "low": 4, "lowest": 5}
DEFAULT_PRIORITY = 3

#: Why a job failed, as people say it: (value, label).
FAILURE_REASONS = {
    "spaghetti": "Spaghetti",
    "adhesion": "Bed adhesion",
    "clog": "Nozzle clog",
    "layer_shift": "Layer shift",
    "stringing": "Stringing",
    "warping": "Warping",
    "filament_runout": "Filament ran out",
    "filament_tangle": "Filament tangle",
    "power_loss": "Power loss",
    "firmware_error": "Firmware error",
    "user_cancelled": "Cancelled by a person",
    "other": "Other",
}

_QUEUED = frozenset({JobState.PENDING, JobState.WAITING_PLATE_CLEAR})
#: Words of a status filter that mean more than the one state they name.
_STATUS_GROUPS = {"pending": _QUEUED, "queued": _QUEUED}


class BulkAction(StrEnum):
    """What can be done to many jobs at once."""

    CANCEL = "cancel"
    SET_PRIORITY = "set_priority"
    DELETE = "delete"
    HOLD = "hold"
    UNHOLD = "unhold"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to be made. *printer_id* pins it; None lets the queue choose, with *pool_id* only among
    the printers of that pool. The queue does not start it before *scheduled_start*.

    Its file is *blob_id*, or that of *print_file_id*, or the newest of *model_id*; without any it
    can only be printed by hand. *submitted*: somebody has to approve it first. *details* are
    dialect fields that are only handed back, and the queue's ``required_tags``.
    """

    item_name: str
    printer_id: int | None = None
    pool_id: int | None = None
    print_file_id: int | None = None
    model_id: int | None = None
    blob_id: int | None = None
    file_name: str = ""
    file_path: str = ""
    quantity: int = 1
    priority: int = DEFAULT_PRIORITY
    hold: bool = False
    submitted: bool = False
    duration_hours: float | None = None
    filament_type: str | None = None
    colors_required: str | None = None
    notes: str | None = None
    due_date: datetime | None = None
    scheduled_start: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    source: str = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; None: any. Only a superadmin's *organization_id* counts."""

    states: frozenset[JobState] | None = None
    printer_id: int | None = None
    pool_id: int | None = None
    organization_id: int | None = None


def within_reach(new: NewJob, by: Principal) -> NewJob:
    """*new*, pinned to the printer that the caller's key is bound to, if it is bound to one."""
    if by.printer_id is None or new.printer_id is not None:
        return new
    return replace(new, printer_id=by.printer_id)


def parse_priority(value: int | str) -> int:
    """A priority from 0 to 10, 1 first, or one of the words. Raises `Invalid`."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word not in PRIORITIES and not (word.isascii() and word.isdigit()):
            words = ", ".join(PRIORITIES)
            raise refuse("priority", f"a number from 0 to 10 or one of {words}, not {value!r}")
        value = PRIORITIES[word] if word in PRIORITIES else int(word[:3])
    if not 0 <= value <= 10:
        raise refuse("priority", f"from 0 to 10, not {value}")
    return value


def parse_status(word: str | None) -> frozenset[JobState] | None:
    """The states that a status filter means; None without one. Raises `Invalid`.

    ``pending`` and ``queued`` are everything that waits in the queue, ``waiting_plate_clear``
    included, so that clients that do not know that state see the whole queue.
    """
    if word is None:
        return None
    if word in _STATUS_GROUPS:
        return _STATUS_GROUPS[word]
    try:
        return frozenset({JobState(word)})
    except ValueError:
        words = ", ".join(["queued", *JobState])
        raise refuse("status", f"one of {words}, not {word[:40]!r}") from None


def refuse(name: str, text: str) -> Invalid:
    """The refusal of one field."""
    return Invalid(f"{name}: {text}", code="validation_failed", field=name)
