"""A pool in OctoPrint's terms: its queue as a job, its printers as a connection. Pure (DESIGN 5).

A pool is operational and ready whenever one of its printers can be reached, because it takes a
print at any time: what cannot start waits. It has no temperatures. `api/job` shows the job whose
turn it is, without progress; how many wait, print and ask for approval stands beside it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from api.octoprint.job_document import JobFile, job_document, progress_document
from api.octoprint.preferences import PROFILE_ID
from api.octoprint.printer_document import state_document
from schemas.printer import PrinterState


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolQueue:
    """What a pool shows: *first* is the file whose turn it is, None when nothing waits."""

    is_reachable: bool
    waiting: int = 0
    printing: int = 0
    asking: int = 0  # for approval
    first: JobFile | None = None

    @property
    def state(self) -> PrinterState:
        """Operational, or offline when no printer can be reached."""
        return PrinterState.OPERATIONAL if self.is_reachable else PrinterState.OFFLINE


def pool_printer_document(queue: PoolQueue, exclude: Collection[str] = ()) -> dict[str, Any]:
    """`GET /api/printer` of a pool that can be reached."""
    document = {
        "temperature": {},
        "sd": {"ready": False},
        "state": state_document(queue.state, None),
    }
    return {key: value for key, value in document.items() if key not in exclude}


def pool_job_document(queue: PoolQueue) -> dict[str, Any]:
    """`GET /api/job` of a pool, with `queue`: how many jobs are where."""
    document = job_document(
        queue.state, queue.first, progress_document(None), ever_selected=True, error=None
    )
    counts = {"waiting": queue.waiting, "printing": queue.printing, "approval": queue.asking}
    return {**document, "queue": counts}


def pool_connection_document(queue: PoolQueue, name: str) -> dict[str, Any]:
    """`GET /api/connection` of a pool: there is no port to choose, its printers have theirs."""
    return {
        "current": {
            "state": "Operational" if queue.is_reachable else "Closed",
            "port": None,
            "baudrate": None,
            "printerProfile": PROFILE_ID,
        },
        "options": {
            "ports": [],
            "baudrates": [],
            "printerProfiles": [{"id": PROFILE_ID, "name": name}],
            "portPreference": None,
            "baudratePreference": None,
            "printerProfilePreference": PROFILE_ID,
        },
    }
