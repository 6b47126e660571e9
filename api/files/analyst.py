"""Analysis of files after their upload: what their moves tell, found by a worker process.

The rows are the queue: a blob without an analysis waits, the newest goes first, and whoever takes
one says until when (`analysing_until`), so that of several processes one does it and a restart only
costs time. One worker a process; it is stopped when it takes longer than a file of its size may.
What is small is read in a thread, as soon as it came: who asks about it next finds it.
The slicer's own word counts first: the duration is simulated only for files that do not say it.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from tortoise.expressions import Q

from api.bus.local import Bus, Listener
from api.clock import Clock
from api.errors import Unavailable
from api.events.service import Change, Happened, Ledger
from api.files.analysis.at_once import AT_ONCE_BYTES, is_short_work, read_at_once
from api.files.analysis.child import Stopped, Unreadable, read_file
from api.files.models import Blob, TreeName
from api.files.surveys import WAITED_FOR_BYTES, Surveys
from api.files.tree import Tree
from api.principal import Principal
from api.printers.rows import bell
from api.storage import Storage

WAITING = "files.analysis"  # rung when a file waits
LOOK_EVERY_S = 60.0  # for what other processes left behind
BASE_S = 60.0  # that any file may take
BYTES_PER_S = 500_000  # that the slowest machine should manage
SETTLE_S = 1.0  # after an upload that is not small: a print that it asks for begins first
REST_S = 5.0  # after a failure
MAX_NAMES = 200  # that are told of one file

STARTED, FINISHED = "file.analysing", "file.analysed"

_log = logging.getLogger("gantry.files")


class Analyst:
    """Takes the files that wait, one at a time."""

    def __init__(self, storage: Storage, ledger: Ledger, bus: Bus, clock: Clock) -> None:
        self._storage = storage
        self._surveys = Surveys(storage)
        self._ledger = ledger
        self._bus = bus
        self._clock = clock

    async def run(self) -> None:
        """Analyse what comes, until cancelled."""
        with self._bus.listen(WAITING) as waiting:
            wait_s: float | None = 0.0
            while True:
                woken = bool(wait_s) and await waiting.wait(wait_s)
                try:
                    if woken:
                        await self._settle(waiting)
                    while await self.step():
                        pass
                    wait_s = LOOK_EVERY_S
                except Exception:  # noqa: BLE001 - supervisor: looked at again in a moment
                    _log.exception("the analysis of files stumbled")
                    wait_s = REST_S

    async def _settle(self, waiting: Listener) -> None:
        """A moment in which only what is small is analysed."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + SETTLE_S
        while (left_s := ends - loop.time()) > 0:
            while await self.step(AT_ONCE_BYTES):
                pass
            await waiting.wait(left_s)

    async def step(self, largest_bytes: int | None = None) -> bool:
        """Analyse the newest file that waits, of at most *largest_bytes*; False when none does."""
        blob = await self._take(largest_bytes)
        if blob is None:
            return False
        if blob.size_bytes > WAITED_FOR_BYTES and await self._surveys.known(blob) is None:
            await self._surveys.make(blob)
        try:
            analysis = await self._analysed(blob)
        except Unavailable as away:  # its turn is over when `analysing_until` is: then again
            _log.warning("blob %d is analysed later: %s", blob.id, away)
            return True
        async with self._ledger.change() as change:
            row = await Blob.get_or_none(id=blob.id)
            if row is not None:
                row.analysis, row.analysing_until = analysis, None
                row.sha1 = row.sha1 or analysis.get("sha1", "")
                row.facts = {**_added(analysis, row.facts), **row.facts}
                await row.save(update_fields=["analysis", "analysing_until", "sha1", "facts"])
                await self._tell(change, row, FINISHED)
        return True

    async def again(self, by: Principal, blob: Blob) -> None:
        """Have *blob* analysed anew."""
        by.require("files.write")
        async with self._ledger.change() as change:
            await Blob.filter(id=blob.id).update(analysis=None, analysing_until=None)
            change.wake(WAITING)

    async def _take(self, largest_bytes: int | None) -> Blob | None:
        now = self._clock.now()
        free = Q(analysing_until__isnull=True) | Q(analysing_until__lt=now)
        waiting = Blob.filter(Q(analysis__isnull=True) & free).order_by("-id")
        if largest_bytes is not None:
            waiting = waiting.filter(size_bytes__lte=largest_bytes)
        if not await waiting.exists():
            return None
        async with self._ledger.change() as change:
            row = await waiting.first()
            if row is not None:
                row.analysing_until = now + timedelta(seconds=_limit_s(row) + BASE_S)
                await row.save(update_fields=["analysing_until"])
                await self._tell(change, row, STARTED)
        return row

    async def _analysed(self, blob: Blob) -> dict[str, Any]:
        """What the worker found; with *failed*, why there is nothing and never will be.

        Raises `Unavailable` while the storage does not answer: the file is none the worse for that.
        """
        work = "timed" if blob.facts.get("estimated_s") is None else "analyse"
        try:
            said = await self._said(blob, work)
        except (Unreadable, Stopped, Unavailable, OSError) as error:
            if isinstance(error, Unavailable) and await self._storage.exists(blob.storage_key):
                raise
            _log.warning("blob %d could not be analysed: %s", blob.id, error)
            return {"failed": str(error)[:300]}
        found: dict[str, Any] = msgspec.json.decode(said)
        return found

    async def _said(self, blob: Blob, work: str) -> bytes:
        """What *work* says of the file, here or by the worker. Raises what both raise."""
        if blob.size_bytes <= AT_ONCE_BYTES:
            data = b"".join([each async for each in self._storage.read(blob.storage_key)])
            if is_short_work(data):
                return await asyncio.to_thread(read_at_once, work, data)
        path = self._storage.local_path(blob.storage_key)
        return await read_file(work, path or self._storage.read(blob.storage_key), _limit_s(blob))

    async def _tell(self, change: Change, blob: Blob, kind: str) -> None:
        """The owners of its names hear of it, and what shows the file is built again."""
        names = TreeName.filter(organization_id=blob.organization_id, blob_id=blob.id)
        for row in await names.order_by("-id").limit(MAX_NAMES):
            printer_id = Tree(row.tree).printer_id
            data = {"path": row.path, "tree": row.tree}
            change.record(Happened(blob.organization_id, kind, printer_id=printer_id, data=data))
            if printer_id is not None:
                change.wake(bell(printer_id))


async def so_far(blob: Blob) -> Sequence[str]:
    """What those who have just named *blob* have not been told of its analysis.

    Within a change. A small file may be analysed before it has a name, one that came before is.
    """
    row = await Blob.select_for_update().get_or_none(
        id=blob.id
    )  # the analyst writes it, then tells
    if row is None or (row.analysis is None and row.analysing_until is None):
        return ()
    return (STARTED,) if row.analysis is None else (STARTED, FINISHED)


def _limit_s(blob: Blob) -> float:
    size_bytes: int = blob.size_bytes
    return BASE_S + size_bytes / BYTES_PER_S


def _added(analysis: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """The facts that no slicer stated and the moves tell. *is_simulated*: no slicer said it."""
    found: dict[str, Any] = {}
    if analysis.get("time_s"):
        found["estimated_s"] = analysis["time_s"]
        found["is_simulated"] = "estimated_s" not in facts
    if any(analysis.get("filament_mm", ())):
        found["filament_mm"] = analysis["filament_mm"]
    if analysis.get("heights"):
        found["layers"] = analysis["heights"]
    return found
