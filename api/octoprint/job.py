"""`/api/job`: the print that runs, and starting one (OctoPrint contract, sections 4 and 5)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from quart import Response

from api.errors import Conflict, Invalid, Problem, Unavailable
from api.files.service import Blob, TreeName
from api.jobs.service import Job, Jobs, NewJob
from api.octoprint.body import json_object
from api.octoprint.card_document import ORIGIN
from api.octoprint.hot import HotReads
from api.octoprint.orders import Orders
from api.octoprint.pool_document import pool_job_document
from api.octoprint.pool_face import SOURCE, PoolFace
from api.octoprint.route import Route
from api.octoprint.sdcard import SdCard
from api.octoprint.states import LOOKS
from api.octoprint.visitor import Visit
from api.octoprint.wire import answer, done
from api.printers import plate
from api.printers.checks import check_startable
from schemas.commands import Verb
from schemas.jobs import JOB_OVER, JOB_WAITING, JobEvent, JobState
from schemas.printer import ACTIVE, Live, PrinterState

NOT_OPERATIONAL = "Printer is not operational"
CANCEL_WAIT_S = 15.0
_LOOK_EVERY_S = 0.05

_S = PrinterState
_RESUMED = frozenset({_S.PRINTING, _S.FINISHING})
_NOT_STARTED = JOB_WAITING | JOB_OVER | {JobState.SUBMITTED}
_PAUSED = frozenset({_S.PAUSED, _S.PAUSING})
_NO_LONGER_PRINTING = frozenset(PrinterState) - (ACTIVE - {_S.CANCELLING}) - {_S.TRANSFERRING}

Body = dict[str, Any]


class JobFace:
    """The job of one printer."""

    def __init__(
        self, jobs: Jobs, orders: Orders, hot: HotReads, pools: PoolFace, *, card: SdCard
    ) -> None:
        self._card = card
        self._jobs = jobs
        self._pools = pools
        self._orders = orders
        self._hot = hot
        self._commands: dict[str, Callable[[Visit, Body], Awaitable[None]]] = {
            "start": self._start,
            "restart": self._restart,
            "pause": self._pause,
            "cancel": self._cancel,
        }

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/api/job", self.job, "STATUS"),
            Route("POST", "/api/job", self.command),
        )

    def live(self, visit: Visit) -> Live:
        """The printer of *visit* as it can be shown now."""
        return self._orders.live(visit)

    async def job(self, visit: Visit) -> Response:
        """`GET /api/job`."""
        if visit.pool is not None:
            return answer(pool_job_document(await self._pools.queue(visit, visit.pool)))
        return answer(await self._hot.job(visit.printer))

    async def command(self, visit: Visit) -> Response:
        """`POST /api/job`. Not operational comes before the command, the right after it.

        A print that its sender takes up again can be cancelled.
        """
        body, live = await json_object(), self.live(visit)
        command = body.get("command")
        cancels = command == "cancel" and _is_taken_up(live)
        if not LOOKS[live.state].operational and not cancels:
            raise Conflict(NOT_OPERATIONAL, code="printer_not_operational")
        if not isinstance(command, str) or command not in self._commands:
            raise Invalid(f"command is unknown: {str(command)[:100]}")
        visit.require("PRINT")
        await self._commands[command](visit, body)
        return done()

    async def _start(self, visit: Visit, body: Body) -> None:
        del body
        if LOOKS[self.live(visit).state].active:
            raise Conflict(
                f"{visit.printer.name} already has an active print job. Wait for its end, or "
                "cancel it first.",
                code="printer_busy",
            )
        shown = await self._hot.shown(visit.printer)
        if shown.file is not None and shown.file.origin == ORIGIN:
            await self._card.start(visit, shown.file.path)
        elif shown.file is not None:
            new = _new_job(visit.printer.id, shown.file.path, shown.file.blob_id)
            await self._start_now(visit, new)

    async def _restart(self, visit: Visit, body: Body) -> None:
        """The same job from its beginning: its next attempt, after the paused one is cancelled."""
        del body
        running = await self._jobs.running_on(visit.printer.id)
        if self.live(visit).state is not PrinterState.PAUSED or running is None:
            raise Conflict("Printer does not have an active print job or is not paused")
        self._check_plate_after_cancel(visit)
        job, _ = running
        await self._cancel(visit, body={})
        await self._wait_until_over(visit, job)
        await self._jobs.step(visit.by, job.id, JobEvent.RESET)
        again = await self._jobs.get(visit.by, job.id)
        attempt = await self._jobs.start_explicit(visit.by, again)
        await self._orders.started(visit, attempt.command_id)

    def _check_plate_after_cancel(self, visit: Visit) -> None:
        printer = visit.printer
        left = plate.plate_after(printer.plate_policy)
        if not plate.may_start(printer.plate_policy, left, explicit=True):
            raise Conflict(
                f"{printer.name} cannot start again on top of this print. Cancel it, clear the "
                "plate, say so (plate-cleared), then start.",
                code="plate_not_clear",
            )

    async def _wait_until_over(self, visit: Visit, job: Job) -> None:
        """Until the printer has cancelled. Raises `Conflict` when that takes too long."""
        ends = asyncio.get_running_loop().time() + CANCEL_WAIT_S
        while asyncio.get_running_loop().time() < ends:
            state = JobState((await self._jobs.get(visit.by, job.id)).state)
            if state in JOB_OVER and self.live(visit).state is PrinterState.OPERATIONAL:
                return
            await asyncio.sleep(_LOOK_EVERY_S)
        raise Conflict("The print is still being cancelled. Start it again when that is done.")

    async def _pause(self, visit: Visit, body: Body) -> None:
        live = self.live(visit)
        if not LOOKS[live.state].active:
            raise Conflict("Printer does not have an active print job")
        if live.state is _S.TRANSFERRING:
            raise Conflict("A file that goes to the SD card cannot be paused, only cancelled.")
        action = body.get("action", "toggle")
        if action not in ("pause", "resume", "toggle"):
            raise Invalid(f"action takes pause, resume or toggle, not {str(action)[:100]}")
        is_paused = live.state in _PAUSED
        if action == "toggle":
            action = "resume" if is_paused else "pause"
        if action == "pause" and not is_paused:
            await self._jobs.control.tell(visit.by, visit.printer.id, Verb.PAUSE)
            await self._orders.shown(visit, _PAUSED)
        elif action == "resume" and is_paused:
            await self._jobs.control.tell(visit.by, visit.printer.id, Verb.RESUME)
            await self._orders.shown(visit, _RESUMED)

    async def _cancel(self, visit: Visit, body: Body) -> None:
        del body
        live = self.live(visit)
        if not LOOKS[live.state].active and not _is_taken_up(live):
            raise Conflict("Printer does not have an active print job")
        await self._jobs.stop(visit.by, visit.printer.id)
        await self._orders.shown(visit, _NO_LONGER_PRINTING)

    # Starting.

    async def print_upload(self, visit: Visit, row: TreeName, blob: Blob) -> bool:
        """`print=true` of an upload: whether it starts now; what cannot start now is queued.

        An empty file, and one for an offline printer, is only kept; at a pool everything waits for
        its turn, as does a file there that is selected to be printed. Raises `Invalid` when the
        file is refused.
        """
        if not blob.size_bytes:
            return False
        if visit.pool is not None:
            await self._pools.print(visit, visit.pool, row, blob)
            return False
        if not LOOKS[self.live(visit).state].operational:
            return False
        try:
            return await self._queue_file(visit, row)
        except (Conflict, Unavailable):
            return False

    async def start_file(self, visit: Visit, row: TreeName) -> None:
        """Print the file *row* now. Raises `Conflict` when it cannot start; then no job is left."""
        await self._start_now(visit, _new_job(visit.printer.id, row.path, row.blob_id))

    async def _start_now(self, visit: Visit, new: NewJob) -> None:
        check_startable(visit.printer, explicit=True)  # a refusal leaves no job behind
        job = await self._jobs.create(visit.by, new)
        try:
            attempt = await self._jobs.start_explicit(visit.by, job, visit.printer.id)
        except Problem:
            job = await self._jobs.get(visit.by, job.id)
            if JobState(job.state) not in JOB_WAITING:
                return  # the queue was faster: it prints
            await self._jobs.cancel(visit.by, job.id)
            raise
        await self._orders.started(visit, attempt.command_id)

    async def _queue_file(self, visit: Visit, row: TreeName) -> bool:
        """Print the file *row* now or, if that cannot be, later; True when it starts now.

        Whoever asks next finds the printer printing, as after OctoPrint's own answer: clients take
        an idle one for a print that is over. Raises `Unavailable` when the room is offline,
        `Conflict` when it refuses, `Invalid` when the file is refused.
        """
        job = await self._jobs.print_file_on(
            visit.printing_by, visit.printer, _new_job(visit.printer.id, row.path, row.blob_id)
        )
        if JobState(job.state) in _NOT_STARTED:
            return False
        running = await self._jobs.running_on(visit.printer.id)
        if running is not None:
            await self._orders.started(visit, running[1].command_id)
        return True


def _is_taken_up(live: Live) -> bool:
    """Whether the sender has just been started again in the middle of a print."""
    return live.state is _S.CONNECTING and live.grant is not None


def _new_job(printer_id: int, path: str, blob_id: int | None) -> NewJob:
    name = path.rpartition("/")[2]
    return NewJob(
        item_name=name,
        printer_id=printer_id,
        blob_id=blob_id,
        file_name=name,
        file_path=path,
        source=SOURCE,
    )
