"""The waiting line as the queue decides on it: light rows, read whole at every step.

Thousands of jobs may wait while one printer becomes free. Only the columns that decide are read,
and a row that is as it was is not taken apart again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from tortoise.connection import get_connection
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from api.clock import Clock
from api.jobs.models import Job
from schemas.jobs import JOB_WAITING, JobState

_COLUMNS = (
    *("id", "organization_id", "item_name", "state", "printer_id", "pinned", "pool_id", "blob_id"),
    *("priority", "quantity", "duration_hours", "filament_type", "colors_required", "details"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Waiting:
    """A job that waits, as far as the queue decides on it; the fields are those of `Job`."""

    id: int
    organization_id: int
    item_name: str
    state: JobState
    printer_id: int | None
    pinned: bool
    pool_id: int | None
    blob_id: int | None
    priority: int
    quantity: int
    duration_hours: float | None
    filament_type: str | None
    colors_required: str | None
    required_tags: tuple[str, ...]
    target_type: str | None
    target_filter: str | None


def waiting_of(job: Job) -> Waiting:
    """A whole row, as the queue would look at it."""
    return _waiting([getattr(job, name) for name in _COLUMNS[:-1]], job.details or {})


def asks_the_same(one: Waiting, other: Waiting) -> bool:
    """Whether both ask for the same of the same printers."""
    return _asked(one) == _asked(other)


def _asked(job: Waiting) -> tuple[Any, ...]:
    place = job.printer_id if job.pinned else None, job.pinned, job.pool_id
    kind = job.required_tags, job.target_type, job.target_filter
    return (*place, *kind, job.blob_id, job.quantity, job.filament_type, job.colors_required)


def due(now: datetime) -> Q:
    """Which jobs the queue may start at *now*."""
    in_time = Q(scheduled_start=None) | Q(scheduled_start__lte=now)
    states = tuple(JOB_WAITING)
    return in_time & Q(state__in=states, hold=False, blob_id__not_isnull=True, deleted_at=None)


class WaitingLine:
    """Reads the line; what it remembers are rows taken apart, never which there are."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[int, tuple[tuple[Any, ...], Waiting]] = {}

    async def read(self) -> Sequence[Waiting]:
        """Every job that may be started now, in the order of the queue."""
        rows: QuerySet[Job] = Job.filter(due(self._clock.now()))
        query = rows.order_by("priority", "position", "id").values_list(*_COLUMNS)
        query.sql()  # as a side effect it makes the query, whose values are then bound
        statement = query.query.get_parameterized_sql()
        _, found = await get_connection("default").execute_query(*statement)
        known, self._known = self._known, {}
        for row in found:
            kept = known.get(row[0])
            raw = tuple(row)
            if kept is None or kept[0] != raw:
                kept = raw, _waiting(raw[:-1], _json(raw[-1]))
            self._known[raw[0]] = kept
        return [waiting for _, waiting in self._known.values()]


def _waiting(values: Sequence[Any], details: Mapping[str, Any]) -> Waiting:
    said = dict(zip(_COLUMNS, values, strict=False))
    said |= {"state": JobState(said["state"]), "pinned": bool(said["pinned"])}
    return Waiting(
        **said,
        required_tags=tuple(details.get("required_tags") or ()),
        target_type=details.get("target_type"),
        target_filter=details.get("target_filter"),
    )


def _json(value: Any) -> Mapping[str, Any]:
    found = orjson.loads(value) if isinstance(value, str | bytes) else value
    return found or {}
