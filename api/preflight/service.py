"""Preflights that are asked for, and the fixes that they offer.

What a dispatch decided by is kept with the job's attempt (`api.jobs.fitness`); everything else is
found out from the file's survey when it is asked for, which costs no second look at the file. A fix
makes another file; what was printed stays what it was.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from api.clock import Clock
from api.errors import Conflict, Invalid, NotFound
from api.events.rehearsal import stop_rehearsal, would
from api.events.service import Ledger
from api.files.service import Blob, Files
from api.jobs import fitness
from api.jobs.moves import wrong_state
from api.jobs.service import Job, Jobs
from api.models_library.service import Library
from api.principal import Principal
from api.printers.service import Printer, Printers
from schemas.gcode.mending import Mender
from schemas.gcode.preflight import Concern, Edit, Machine, assess
from schemas.gcode.survey import Survey
from schemas.jobs import JOB_WAITING, JobState

_CHANGEABLE = JOB_WAITING | {JobState.SUBMITTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One file on one printer. *attempt*: the start of the job that was decided by it, None: it
    was asked for and decides nothing. *verdict*: see `api.jobs.fitness.verdict`.
    """

    printer: Printer
    file_name: str
    verdict: dict[str, Any]
    attempt: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A file with fixes carried out, as the newest of its model, and what a preflight says now."""

    print_file_id: int
    model_id: int
    removed_lines: int
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    blob: Blob
    file_name: str
    printer: Printer
    survey: Survey | None
    machine: Machine


class Preflights:
    """Of jobs and of print files."""

    def __init__(
        self,
        jobs: Jobs,
        printers: Printers,
        library: Library,
        files: Files,
        *,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._printers = printers
        self._library = library
        self._files = files
        self._ledger = ledger
        self._clock = clock

    async def of_file(self, by: Principal, file_id: int, printer_id: int | None) -> Result:
        """A print file on a printer. Raises `NotFound`, `Invalid` (no printer)."""
        return self._result(await self._file(by, file_id, printer_id))

    async def of_job(self, by: Principal, job_id: int, printer_id: int | None) -> Result:
        """What the last start of a job was decided by, or how its file would do on the printer
        that is named, else on its own. Raises `NotFound`, `Invalid` (no printer, no file).
        """
        job = await self._jobs.get(by, job_id)
        if printer_id is None and (kept := await self._kept(by, job)) is not None:
            return kept
        return self._result(await self._job(by, job, printer_id))

    async def mend_file(
        self, by: Principal, file_id: int, printer_id: int | None, wanted: Sequence[str]
    ) -> Mended:
        """Carry out the fixes of the findings *wanted*: a new file of the same model.

        Raises `NotFound`, `Invalid` (a finding that is not there, or has no fix).
        """
        by.require("files.write")
        subject = await self._file(by, file_id, printer_id)
        return await self._mended(by, subject, wanted, {"print_file_id": file_id})

    async def mend_job(
        self, by: Principal, job_id: int, printer_id: int | None, wanted: Sequence[str]
    ) -> Mended:
        """As `mend_file`, and the job prints the new file. Raises also `Conflict` for a job that
        does not wait any more.
        """
        by.require("jobs.write")
        by.require("files.write")
        job = await self._jobs.get(by, job_id)
        if JobState(job.state) not in _CHANGEABLE:
            raise wrong_state(job, "only a waiting job can be changed")
        subject = await self._job(by, job, printer_id)
        mended = await self._mended(by, subject, wanted, {"job_id": job_id})
        await self._jobs.update(by, job_id, {"model_id": mended.model_id})
        return mended

    # What is looked at.

    async def _kept(self, by: Principal, job: Job) -> Result | None:
        attempt = (await self._jobs.current_attempts([job])).get(job.grant or "")
        if attempt is None or attempt.preflight is None:
            return None
        try:
            printer = await self._printers.get(by, attempt.printer_id)
        except NotFound:  # it was deleted meanwhile
            return None
        return Result(
            printer=printer,
            file_name=job.file_name,
            verdict=attempt.preflight,
            attempt=attempt.number,
        )

    async def _file(self, by: Principal, file_id: int, printer_id: int | None) -> _Subject:
        row = await self._library.get_file(by, file_id)
        if printer_id is None:
            raise _refuse("printer_id", "a file is held against a printer; name one")
        printer = await self._printers.get(by, printer_id)
        blob = await self._files.blob(by.organization_id, row.blob_id)
        return await self._subject(blob, row.original_filename, printer, None)

    async def _job(self, by: Principal, job: Job, printer_id: int | None) -> _Subject:
        target = printer_id if printer_id is not None else job.printer_id
        if target is None:
            raise _refuse("printer_id", "this job has no printer yet; name one")
        printer = await self._printers.get(by, target)
        if job.blob_id is None:
            raise Invalid(f"{job.item_name} has no file to look at.")
        blob = await self._files.blob(job.organization_id, job.blob_id)
        return await self._subject(blob, job.file_name, printer, job.filament_type)

    async def _subject(
        self, blob: Blob, file_name: str, printer: Printer, material: str | None
    ) -> _Subject:
        return _Subject(
            blob=blob,
            file_name=file_name,
            printer=printer,
            survey=await self._files.survey(blob),
            machine=fitness.machine_of(printer, fitness.material_of(material, blob.facts)),
        )

    def _result(self, subject: _Subject) -> Result:
        return Result(
            printer=subject.printer,
            file_name=subject.file_name,
            verdict=fitness.verdict(subject.survey, subject.machine, self._clock.now()),
        )

    # Fixes.

    async def _mended(
        self, by: Principal, subject: _Subject, wanted: Sequence[str], of: dict[str, int]
    ) -> Mended:
        if subject.survey is None:
            raise Conflict("This file has not been looked at yet; ask again soon.")
        chosen = _chosen(assess(subject.survey, subject.machine), wanted)
        would("mend_file", **of, file_name=subject.file_name, findings=[*wanted])
        stop_rehearsal(None)
        mender = _mender(chosen)
        async with aclosing(self._bytes(subject.blob, mender)) as text:
            blob = await self._files.ingest(by, text, subject.file_name, must_be_gcode=True)
        row, model, _ = await self._library.add_upload(by, blob, subject.file_name)
        async with self._ledger.change() as change:
            entity = ("print_file", row.id)
            change.note(by, "print_file.mended", entity, findings=[*wanted], of=of)
        now = await self._subject(
            blob, subject.file_name, subject.printer, subject.machine.material
        )
        return Mended(
            print_file_id=row.id,
            model_id=model.id,
            removed_lines=mender.removed,
            result=self._result(now),
        )

    async def _bytes(self, blob: Blob, mender: Mender) -> AsyncGenerator[bytes, None]:
        async for chunk in self._files.read(blob):
            yield await asyncio.to_thread(mender.feed, chunk)
        yield mender.finish()


def _chosen(found: Sequence[Concern], wanted: Sequence[str]) -> list[Concern]:
    by_id = {each.id: each for each in found}
    for name in wanted:
        if name not in by_id:
            raise _refuse("findings", f"this preflight has none called {name[:60]!r}")
        if by_id[name].fix is None:
            raise _refuse("findings", f"nothing but the slicer can mend {name[:60]!r}")
    return [by_id[name] for name in dict.fromkeys(wanted)]


def _mender(chosen: Sequence[Concern]) -> Mender:
    fixes = [each.fix for each in chosen if each.fix is not None]
    homes = (each.line for each in chosen if each.fix and each.fix.edit is Edit.HOME_FIRST)
    return Mender(fixes, next(homes, None))


def _refuse(field: str, text: str) -> Invalid:
    return Invalid(f"{field}: {text}", code="validation_failed", field=field)
