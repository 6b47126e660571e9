"""Leases as rows: which job is lent to which room, and what its next start then is called."""

from collections.abc import Collection, Sequence
from enum import StrEnum

from api.errors import Conflict, Unavailable
from api.events.rehearsal import is_rehearsed
from api.jobs.models import Job, Lease
from api.printers.service import Printer


class LeaseState(StrEnum):
    """Where a lease is. *abandoned*: somebody has decided without the room's word."""

    OUT = "out"
    USED = "used"
    RETURNED = "returned"
    ABANDONED = "abandoned"


async def out(job_ids: Collection[int]) -> Sequence[Lease]:
    """The leases of these jobs that are with their rooms."""
    if not job_ids:
        return []
    return await Lease.filter(job_id__in=sorted(job_ids), state=LeaseState.OUT)


async def lent(job: Job) -> Lease | None:
    """The lease of *job* that is with its room, or None."""
    return await Lease.filter(job_id=job.id, state=LeaseState.OUT).first()


async def last_alone(printer_id: int) -> str | None:
    """The newest start of this printer that its room has told to have made by itself."""
    rows = Lease.filter(printer_id=printer_id, alone_turn__isnull=False)
    newest = await rows.order_by("-alone_turn").first()
    return None if newest is None else newest.grant


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


async def check_home(job_ids: Collection[int]) -> None:
    """Raises `Unavailable` for the first of these jobs that is with its room.

    A dry run asks no room: what it answers holds once the room has given the job back.
    """
    for lease in [] if is_rehearsed() else await out(job_ids):
        raise away(lease.job_id)
