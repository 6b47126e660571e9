"""The hot reads: `/api/printer` and `/api/job` as bytes, built again only when something changed.

What they show comes from a printer's row and its last picture; both are compared by identity and
version, so an unchanged printer costs two look-ups (DESIGN sections 6 and 7).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from api.accounts.service import Accounts
from api.errors import NotFound
from api.files.service import Files, Tree
from api.jobs.outcomes import Outcome, outcomes
from api.jobs.service import Attempt, Job, Jobs
from api.octoprint.card_document import (
    ORIGIN,
    card_file,
    is_ready,
    prints_from_card,
    sent_file,
    state_text,
)
from api.octoprint.job_document import (
    JobFile,
    finished_document,
    job_document,
    origin_of,
    progress_document,
)
from api.octoprint.orders import picture
from api.octoprint.preferences import PreferencesStore
from api.octoprint.printer_document import printer_document
from api.octoprint.states import LOOKS
from api.octoprint.wire import encode
from api.outage import AWAY
from api.principal import system
from api.printers.service import Printer, Printers
from api.telemetry.service import Telemetry
from schemas.jobs import ATTEMPT_OVER, AttemptState
from schemas.printer import Live, PrinterState, Progress


@dataclass(slots=True)
class _Kept:
    """What was built for one printer, and from what."""

    row: Printer
    version: int
    printer: bytes | None = None
    job: bytes | None = None
    offsets_c: Mapping[str, float] | None = None
    has_printer: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What the job endpoint shows: the file, whether it is being printed, and its last attempt.

    *path* is the file's name in the printer's tree; None when it came another way (v1).
    """

    file: JobFile | None
    path: str | None
    attempt: Attempt | None
    is_running: bool


@dataclass(slots=True)
class HotReads:
    """Encoded answers by printer."""

    printers: Printers
    telemetry: Telemetry
    jobs: Jobs
    files: Files
    accounts: Accounts
    store: PreferencesStore
    _kept: dict[int, _Kept] = field(default_factory=dict)
    #: what was found last, by whose printer it was then, for while the database is away
    _shown: dict[tuple[int, int], Shown] = field(default_factory=dict)

    async def printer(self, printer: Printer) -> bytes | None:
        """`/api/printer`, whole; None when the printer is not operational."""
        kept = self._current(printer)
        if not kept.has_printer:
            live = picture(self.telemetry, printer)
            if LOOKS[live.state].operational:
                profile = self.printers.profile(printer)
                offsets_c = await self.offsets(printer)
                kept.printer = encode(
                    printer_document(
                        live,
                        profile,
                        offsets_c,
                        text=state_text(printer, live),
                        sd_ready=is_ready(printer, live),
                    )
                )
            kept.has_printer = True
        return kept.printer

    async def offsets(self, printer: Printer) -> Mapping[str, float]:
        """Its temperature offsets in °C by heater: those that were ever set."""
        kept = self._current(printer)
        if kept.offsets_c is None:
            tree = Tree.of_printer(printer.id)
            kept.offsets_c = dict((await self.store.of(tree.key)).offsets_c)
        return kept.offsets_c

    async def job(self, printer: Printer) -> bytes:
        """`/api/job`."""
        kept = self._current(printer)
        if kept.job is None:
            kept.job = encode(await self._job(printer))
        return kept.job

    def _current(self, printer: Printer) -> _Kept:
        version = self.telemetry.version(printer.id)
        kept = self._kept.get(printer.id)
        if kept is None or kept.row is not printer or kept.version != version:
            # a printer whose offsets change is another row from then on
            same = kept if kept is not None and kept.row is printer else None
            offsets_c = same.offsets_c if same is not None else None
            kept = self._kept[printer.id] = _Kept(printer, version, offsets_c=offsets_c)
        return kept

    async def _job(self, printer: Printer) -> dict[str, Any]:
        live = picture(self.telemetry, printer)
        if prints_from_card(live):
            file = card_file(printer, live.file_name) if live.file_name else None
            return _card_job(printer, live, file)
        if live.state is PrinterState.TRANSFERRING:
            return _card_job(printer, live, sent_file(printer, live))
        shown = await self._found(printer)
        return job_document(
            live.state,
            shown.file,
            _progress(shown, live),
            ever_selected=printer.selected_file is not None or shown.attempt is not None,
            error=live.error,
            quality=shown.attempt.quality if shown.attempt is not None else None,
        )

    async def _found(self, printer: Printer) -> Shown:
        """`shown`; while the database is away what it was before."""
        theirs = (printer.organization_id, printer.id)
        try:
            self._shown[theirs] = await self.shown(printer)
        except AWAY:
            if theirs not in self._shown:
                raise
        return self._shown[theirs]

    async def shown(self, printer: Printer) -> Shown:
        """The file that counts as selected: the one being printed, else what came last, a
        selection or a print.
        """
        last = await self.jobs.last_on(printer.id)
        selection = printer.selected_file
        if last is None:
            file = await self._selected(printer, selection)
            return Shown(file, file.path if file else None, None, is_running=False)
        job, attempt = last
        is_running = AttemptState(attempt.state) not in ATTEMPT_OVER
        if not is_running and selection is not None and selection.get("after") == attempt.grant:
            file = await self._selected(printer, selection)
            return Shown(file, file.path if file else None, None, is_running=False)
        file = await self._printed(printer, job)
        return Shown(file, job.file_path or None, attempt, is_running)

    async def select(self, printer: Printer, path: str | None, origin: str = "local") -> None:
        """Remember *path* as selected until the next print; None: nothing is."""
        after = await self.last_grant(printer)
        by = system(printer.organization_id)
        await self.printers.select_file(
            by, printer.id, {"path": path, "after": after, "origin": origin}
        )

    async def last_grant(self, printer: Printer) -> str | None:
        """The attempt that a selection made now comes after."""
        last = await self.jobs.last_on(printer.id)
        return last[1].grant if last else None

    async def _selected(self, printer: Printer, selection: dict[str, Any] | None) -> JobFile | None:
        if not selection or not selection.get("path"):
            return None
        if selection.get("origin") == ORIGIN:
            return card_file(printer, selection["path"])
        return await self._named(printer, selection["path"])

    async def _printed(self, printer: Printer, job: Job) -> JobFile | None:
        """The file of *job* by its own name, whatever has become of the name since."""
        if job.blob_id is None:
            return None
        blob = await self.files.blob(printer.organization_id, job.blob_id)
        path = job.file_path or job.file_name
        named = await self._named(printer, path) if job.file_path else None
        same = named is not None and named.size_bytes == blob.size_bytes
        return JobFile(
            blob_id=blob.id,
            name=path.rpartition("/")[2],
            path=path,
            display=named.display if named is not None and same else job.file_name,
            size_bytes=blob.size_bytes,
            uploaded_at=named.uploaded_at if named is not None and same else blob.created_at,
            user=await self._user(printer, job.created_by),
            facts=blob.facts,
            outcome=await self._outcome(printer, blob.id),
        )

    async def _named(self, printer: Printer, path: str) -> JobFile | None:
        by = system(printer.organization_id)
        try:
            row = await self.files.name(by, Tree.of_printer(printer.id), path)
            blob = await self.files.blob(printer.organization_id, row.blob_id or 0)
        except NotFound:
            return None
        return JobFile(
            blob_id=blob.id,
            name=row.path.rpartition("/")[2],
            path=row.path,
            display=row.display,
            size_bytes=blob.size_bytes,
            uploaded_at=row.uploaded_at,
            user=await self._user(printer, row.user_id),
            facts=blob.facts,
            outcome=await self._outcome(printer, blob.id),
        )

    async def _outcome(self, printer: Printer, blob_id: int) -> Outcome | None:
        return (await outcomes([blob_id], printer_id=printer.id)).get(blob_id)

    async def _user(self, printer: Printer, user_id: int | None) -> str | None:
        if user_id is None:
            return None
        try:
            return (await self.accounts.user(system(printer.organization_id), user_id)).username
        except NotFound:
            return None


def _card_job(printer: Printer, live: Live, file: JobFile | None) -> dict[str, Any]:
    """What the printer prints from its own card, or what goes to it."""
    return job_document(
        live.state,
        file,
        progress_document(live.progress),
        ever_selected=True,
        error=live.error,
        text=state_text(printer, live),
    )


def _progress(shown: Shown, live: Live) -> dict[str, Any]:
    """Of the running print; 100 % after a completed one; nothing in every other case."""
    attempt = shown.attempt
    if attempt is None:
        return progress_document(None)
    origin = origin_of(shown.file.facts) if shown.file else "linear"
    if shown.is_running:
        # What the start reported is out of date as soon as it is printing; a pause's is not.
        paused = _stored(attempt) if attempt.state == AttemptState.PAUSED else None
        return progress_document(live.progress or paused, origin)
    if attempt.state != AttemptState.COMPLETED or shown.file is None:
        return progress_document(None)
    stored = _stored(attempt)
    seconds = stored.print_time_s if stored else _between(attempt.started_at, attempt.ended_at)
    return finished_document(shown.file.size_bytes or 0, seconds, origin)


def _stored(attempt: Attempt) -> Progress | None:
    return None if attempt.progress is None else msgspec.convert(attempt.progress, Progress)


def _between(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() if start and end else 0.0
