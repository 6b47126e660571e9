"""Leases as rows: which job is lent to which room, and what its next start then is called."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from api.errors import Conflict, Unavailable
from api.events.rehearsal import is_rehearsed
from api.jobs.models import Job, Lease
from api.printers.service import Printer

__all__ = ["FOLLOWED", "Lease", "LeaseState", "OpenHours", "away", "check_home", "check_place"]
__all__ += ["check_not_alone", "elsewhere", "kept_hours", "last_alone", "lent", "opens_s", "out"]
__all__ += ["places"]


class LeaseState(StrEnum):
    """Where a lease is. *abandoned*: somebody has decided without the room's word."""

    OUT = "out"
    USED = "used"
    RETURNED = "returned"
    ABANDONED = "abandoned"


#: The turn of a start that its room made alone and another one has followed.
FOLLOWED = 0


async def out(job_ids: Collection[int]) -> Sequence[Lease]:
    """The leases of these jobs that are with their rooms."""
    if not job_ids:
        return []
    return await Lease.filter(job_id__in=sorted(job_ids), state=LeaseState.OUT)


async def lent(job: Job) -> Lease | None:
    """The lease of *job* that is with its room, or None."""
    return await Lease.filter(job_id=job.id, state=LeaseState.OUT).first()


async def places() -> Mapping[int, int | None]:
    """Every lent job, and the printer that may start it; None: it is asked back, so none may."""
    rows = Lease.filter(state=LeaseState.OUT).values_list("job_id", "printer_id", "recalled_at")
    return {job: printer if recalled is None else None for job, printer, recalled in await rows}


async def elsewhere(job: Job, printer: Printer) -> bool:
    """Whether *job*, which is for no printer in particular, is with the room for another one."""
    lease = None if job.pinned else await lent(job)
    return lease is not None and lease.printer_id != printer.id


async def last_alone(printer_id: int) -> str | None:
    """The newest start of this printer that its room has told to have made by itself."""
    rows = Lease.filter(printer_id=printer_id, alone_turn__isnull=False)
    newest = await rows.order_by("-alone_turn").first()
    return None if newest is None else newest.grant


class OpenHours(Protocol):
    """When prints may start by themselves."""

    @property
    def key(self) -> str:
        """The same for hours that say the same."""

    def spans(self, begin: datetime, end: datetime) -> Sequence[tuple[datetime, datetime]]:
        """When they may, from *begin* to *end*."""


def kept_hours(hours: OpenHours | None, begin: datetime, end: datetime) -> dict[str, Any] | None:
    """*hours* as a lease from *begin* to *end* keeps them; None: it may be started at any time."""
    if hours is None:
        return None
    opens = [[since.isoformat(), until.isoformat()] for since, until in hours.spans(begin, end)]
    return {"key": hours.key, "open": opens}


def opens_s(lease: Lease, now: datetime) -> list[tuple[float, float]] | None:
    """The hours of *lease* in seconds from *now* on; None: it may be started at any time."""
    if lease.hours is None:
        return None
    told = [
        [(datetime.fromisoformat(edge) - now).total_seconds() for edge in span]
        for span in lease.hours["open"]
    ]
    return [(max(0.0, since), until) for since, until in told if until > 0]


def check_place(lease: Lease, printer: Printer) -> None:
    """Raises `Conflict` unless *printer* may have the job now; only its lender may."""
    if lease.recalled_at is not None:
        raise Conflict(
            f"Job {lease.job_id} is asked back from the room that has it; wait for its word.",
            job_id=lease.job_id,
        )
    if (lease.printer_id, lease.bridge_id) != (printer.id, printer.bridge_id):
        raise Conflict(
            f"Job {lease.job_id} is with the room of another printer, which may start it.",
            job_id=lease.job_id,
        )


def away(job_id: int) -> Unavailable:
    """The refusal of a change while the room that may start the job does not answer."""
    return Unavailable(
        f"The room that has job {job_id} does not answer; it may start the job by itself. It is "
        "asked to give it back: try again when the room is online, or cancel the job by force.",
        code="job_lent",
        job_id=job_id,
    )


async def check_not_alone(printer: Printer, is_there: bool) -> None:
    """Raises `Unavailable` while the room of *printer* is away with a job for it.

    What lies on the plate then is for the people in the room to say: it may be printing.
    """
    leases = Lease.filter(printer_id=printer.id, state=LeaseState.OUT).order_by("job_id")
    if not is_there and (lease := await leases.first()) is not None:
        raise Unavailable(
            f"The room of {printer.name} does not answer and may be printing job {lease.job_id} by "
            "itself: somebody there can say that the plate is clear, with `bridge plate clear`, or "
            "anybody once the room is online.",
            code="job_lent",
            job_id=lease.job_id,
        )


async def check_home(job_ids: Collection[int]) -> None:
    """Raises `Unavailable` for the first of these jobs that is with its room.

    A dry run asks no room: what it answers holds once the room has given the job back.
    """
    for lease in [] if is_rehearsed() else await out(job_ids):
        raise away(lease.job_id)
