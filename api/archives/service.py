"""Archives: the records of prints that are over, and what people add to them (v1 contract, 2.10).

A record is a print of the jobs' room, whose number it has: nothing of it is stored twice. Rows here
hold only what people said: notes, tags, a project, and that a record is to be shown no more.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tortoise.expressions import Q, Subquery
from tortoise.functions import Count

from api.archives.filaments import needed, slot_of
from api.archives.models import ArchiveNote, ArchiveTag
from api.clock import Clock
from api.errors import Invalid, NotFound
from api.events.service import Change, Ledger
from api.files.service import Blob
from api.jobs.ended import EndedFilter, EndedPrints
from api.jobs.forms import NewJob, refuse
from api.jobs.records import Run
from api.jobs.service import Job
from api.principal import Principal
from api.printers.service import Printer
from api.spools.stock import Taken, taken_by

__all__ = ["ArchiveFilter", "Archives", "Record", "forget_prints"]

#: Records of one export; who needs more exports by dates.
MAX_EXPORTED = 100_000
#: Of a job's details what also goes for a reprint.
_REPEATED = ("required_tags", "target_type", "target_filter", "model_revision_id")

#: `Jobs.create`.
Make = Callable[[Principal, NewJob], Awaitable[Job]]


class BlobRoom(Protocol):
    """What is needed of the files."""

    async def blobs(self, organization_id: int, blob_ids: Collection[int]) -> Mapping[int, Blob]:
        """The files of these numbers."""


class PrinterRoom(Protocol):
    """What is needed of the printers."""

    async def get(self, by: Principal, printer_id: int) -> Printer:
        """One printer. Raises `NotFound`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFilter:
    """Which records. *prints*: what is known of the prints themselves; *tag* and *project_id*: what
    people said of them. None: any.
    """

    prints: EndedFilter = field(default_factory=EndedFilter)
    tag: str | None = None
    project_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A print that is over, with what people said of it and what it took. *blob*: its file, None
    when it was the printer's own.
    """

    run: Run
    notes: str | None
    project_id: int | None
    tags: Sequence[str]
    blob: Blob | None
    taken: Sequence[Taken]

    @property
    def id(self) -> int:
        """The number of the record, and of its print."""
        return int(self.run.row.id)

    @property
    def name(self) -> str:
        """What was printed; "" when nobody knows."""
        job = self.run.job
        return str(job.item_name if job is not None else self.run.row.file_name)


class Archives:
    """The records of every organization."""

    def __init__(
        self, make: Make, printers: PrinterRoom, files: BlobRoom, ledger: Ledger, clock: Clock
    ) -> None:
        self._make = make
        self._printers = printers
        self._files = files
        self._ledger = ledger
        self._clock = clock
        self._prints = EndedPrints()

    # Reading.

    async def find(
        self, by: Principal, which: ArchiveFilter, skip: int, limit: int
    ) -> tuple[Sequence[Record], int]:
        """(a page, what ended last first, how many there are)."""
        runs, total = await self._prints.page(by, _chosen(by, which), skip, limit)
        return await self._records(by, runs), total

    async def export(
        self, by: Principal, which: ArchiveFilter, most: int = MAX_EXPORTED
    ) -> tuple[AsyncIterator[Sequence[Record]], int]:
        """Up to *most*, some at a time, and how many there are."""
        chosen = _chosen(by, which)
        _, total = await self._prints.page(by, chosen, 0, 1)
        return self._walked(by, chosen, most), total

    async def _walked(
        self, by: Principal, chosen: EndedFilter, most: int
    ) -> AsyncIterator[Sequence[Record]]:
        async for runs in self._prints.walk(by, chosen, most):
            yield await self._records(by, runs)

    async def get(self, by: Principal, archive_id: int) -> Record:
        """One record. Raises `NotFound`."""
        [record] = await self._records(by, [await self._run(by, archive_id)])
        return record

    async def filaments(
        self, by: Principal, archive_id: int, printer_id: int | None
    ) -> tuple[dict[str, Any], Printer | None]:
        """(the facts of its file, {} without one; the printer, if one was named).

        Raises `NotFound`.
        """
        record = await self.get(by, archive_id)
        printer = None if printer_id is None else await self._printers.get(by, printer_id)
        return (record.blob.facts if record.blob is not None else {}), printer

    async def tags(self, by: Principal) -> Counter[str]:
        """How many records have each tag."""
        by.require("archives.read")
        gone = ArchiveNote.filter(_gone(by.organization_id)).values("print_id")
        rows = ArchiveTag.filter(organization_id=by.organization_id)
        rows = rows.filter(print_id__not_in=Subquery(gone))
        counted = rows.annotate(many=Count("id")).group_by("name")
        found: Sequence[dict[str, Any]] = await counted.values("name", "many")
        return Counter({row["name"]: int(row["many"]) for row in found})

    async def by_project(self, by: Principal, project_ids: Collection[int]) -> Mapping[int, int]:
        """How many records each of these projects has; those without any are left out."""
        by.require("archives.read")
        rows = ArchiveNote.filter(organization_id=by.organization_id, deleted_at=None)
        rows = rows.filter(project_id__in=sorted(project_ids))
        counted = rows.annotate(many=Count("id")).group_by("project_id")
        found: Sequence[dict[str, Any]] = await counted.values("project_id", "many")
        return {int(row["project_id"]): int(row["many"]) for row in found}

    async def _run(self, by: Principal, archive_id: int) -> Run:
        found = await self._prints.those(by, [archive_id], _shown(by.organization_id))
        if not found:
            raise _missing(archive_id)
        return found[0]

    async def _records(self, by: Principal, runs: Sequence[Run]) -> list[Record]:
        """The records of *runs*, with one question to each room."""
        ids = [run.row.id for run in runs]
        notes = {row.print_id: row async for row in ArchiveNote.filter(print_id__in=ids)}
        tags: dict[int, list[str]] = defaultdict(list)
        async for tag in ArchiveTag.filter(print_id__in=ids).order_by("id"):
            tags[tag.print_id].append(tag.name)
        blob_ids = {run.job.blob_id for run in runs if run.job and run.job.blob_id}
        blobs = await self._files.blobs(by.organization_id, blob_ids)
        taken = await taken_by(by.organization_id, [_source(run) for run in runs])
        records = []
        for run in runs:
            note = notes.get(run.row.id)
            records.append(
                Record(
                    run=run,
                    notes=note.notes if note is not None else None,
                    project_id=note.project_id if note is not None else None,
                    tags=tags.get(run.row.id, []),
                    blob=blobs.get((run.job.blob_id or 0) if run.job is not None else 0),
                    taken=taken.get(_source(run), []),
                )
            )
        return records

    # What people say.

    async def annotate(self, by: Principal, archive_id: int, notes: str | None) -> None:
        """Say something of a print; None: nothing any more. Raises `NotFound`."""
        by.require("archives.write")
        async with self._ledger.change() as change:
            await self._run(by, archive_id)
            await self._say(by, archive_id, notes=notes)
            change.note(by, "archive.updated", ("archive", archive_id), fields=["notes"])

    async def tag(self, by: Principal, archive_id: int, tags: Sequence[str]) -> Sequence[str]:
        """Give a print these tags and no others, each once. Raises `NotFound`."""
        by.require("archives.write")
        wanted = [*dict.fromkeys(tags)]
        async with self._ledger.change() as change:
            await self._run(by, archive_id)
            await ArchiveTag.filter(print_id=archive_id).delete()
            house = by.organization_id
            rows = [ArchiveTag(organization_id=house, print_id=archive_id, name=n) for n in wanted]
            await ArchiveTag.bulk_create(rows)
            change.note(by, "archive.tagged", ("archive", archive_id), tags=wanted)
        return wanted

    async def delete(self, by: Principal, archive_id: int) -> None:
        """Take a record out of the archive; reports go on counting the print. Raises `NotFound`."""
        by.require("archives.admin")
        async with self._ledger.change() as change:
            record = await self.get(by, archive_id)
            await self._say(by, archive_id, deleted_at=self._clock.now())
            change.note(by, "archive.deleted", ("archive", archive_id), name=record.name)

    async def put_into(
        self, change: Change, by: Principal, project_id: int, archive_ids: Collection[int]
    ) -> int:
        """Inside the caller's transaction, for who has checked the project: these records belong to
        it; how many it has then. Raises `NotFound` for the first that is not there.
        """
        wanted = sorted(set(archive_ids))
        found = await self._prints.those(by, wanted, _shown(by.organization_id))
        there = {run.row.id for run in found}
        for archive_id in wanted:
            if archive_id not in there:
                raise _missing(archive_id)
        said: dict[str, Any] = {"project_id": project_id, "updated_at": self._clock.now()}
        known = {row.print_id async for row in ArchiveNote.filter(print_id__in=wanted)}
        await ArchiveNote.filter(print_id__in=wanted).update(**said)
        await ArchiveNote.bulk_create(
            [
                ArchiveNote(organization_id=by.organization_id, print_id=number, **said)
                for number in wanted
                if number not in known
            ]
        )
        return (await self.by_project(by, [project_id])).get(project_id, 0)

    async def retag(self, change: Change, by: Principal, old: str, new: str | None) -> int:
        """Inside the caller's transaction, for who has checked the right: tag *old* is called *new*
        now, or is gone (None); on how many records.
        """
        rows = ArchiveTag.filter(organization_id=by.organization_id)
        having = [row.print_id async for row in rows.filter(name=old)]
        if new is not None:
            also = rows.filter(name=new).values("print_id")
            await rows.filter(name=old).exclude(print_id__in=Subquery(also)).update(name=new)
        await rows.filter(name=old).delete()
        return len(having)

    async def _say(self, by: Principal, archive_id: int, **values: Any) -> None:
        """Write *values* into the row of a print, which is made when there is none."""
        row = await ArchiveNote.get_or_none(print_id=archive_id)
        if row is None:
            row = ArchiveNote(organization_id=by.organization_id, print_id=archive_id)
        row.update_from_dict({**values, "updated_at": self._clock.now()})
        await row.save()

    # Printing again.

    async def reprint(
        self,
        by: Principal,
        archive_id: int,
        printer_id: int,
        mapping: Sequence[tuple[int, int]] = (),
    ) -> tuple[Job, Printer]:
        """A job for the same file on this printer, through the same checks as every job; the
        printer. *mapping*: (tool, slot) as somebody wants them fed.

        Raises `NotFound`, or `Invalid`: its file is not here, the printer may not print it, or a
        tool would be fed from another slot than is wanted.
        """
        by.require("archives.write")
        record = await self.get(by, archive_id)
        old = record.run.job
        if old is None or record.blob is None:
            raise Invalid(
                "The file of this print is not available for a reprint: it was on the printer's "
                "own card, or is no longer stored."
            )
        printer = await self._printers.get(by, printer_id)
        _check_mapping(mapping, record.blob.facts, printer)
        new = NewJob(
            item_name=old.item_name,
            printer_id=printer.id,
            print_file_id=old.print_file_id,
            model_id=old.model_id,
            blob_id=old.blob_id,
            file_name=old.file_name,
            file_path=old.file_path,
            priority=old.priority,
            duration_hours=old.duration_hours,
            filament_type=old.filament_type,
            colors_required=old.colors_required,
            notes=old.notes,
            details={name: value for name, value in old.details.items() if name in _REPEATED},
        )
        return await self._make(by, new), printer


async def forget_prints(print_ids: Collection[int]) -> None:
    """These prints are gone: so is what was said of them. Part of the caller's transaction."""
    for model in (ArchiveNote, ArchiveTag):
        await model.filter(print_id__in=sorted(print_ids)).delete()


def _gone(organization_id: int) -> Q:
    return Q(organization_id=organization_id, deleted_at__not_isnull=True)


def _shown(organization_id: int) -> Q:
    """Of prints: what is in the archive."""
    gone = ArchiveNote.filter(_gone(organization_id))
    return Q(id__not_in=Subquery(gone.values("print_id")))


def _chosen(by: Principal, which: ArchiveFilter) -> EndedFilter:
    """*which* in terms of the prints."""
    only = _shown(by.organization_id)
    if which.tag is not None:
        tagged = ArchiveTag.filter(organization_id=by.organization_id, name=which.tag)
        only &= Q(id__in=Subquery(tagged.values("print_id")))
    if which.project_id is not None:
        theirs = ArchiveNote.filter(organization_id=by.organization_id, project_id=which.project_id)
        only &= Q(id__in=Subquery(theirs.values("print_id")))
    return replace(which.prints, only=only)


def _check_mapping(
    mapping: Sequence[tuple[int, int]], facts: dict[str, Any], printer: Printer
) -> None:
    tools = len(needed(facts)) or len({tool for tool, _ in mapping})
    for tool, slot in mapping:
        fed_from = slot_of(tool, tools, printer)
        if slot != fed_from:
            raise refuse(
                "ams_mapping",
                f"tool {tool} of {printer.name} is fed from slot {fed_from}, and the lines of the "
                f"file name their tools: load what it needs there, instead of slot {slot}",
            )


def _source(run: Run) -> str:
    """How the store room calls what this print took."""
    number = run.attempt.number if run.attempt is not None else 0
    return f"{run.row.id}.{number}"


def _missing(archive_id: int) -> NotFound:
    return NotFound(
        f"There is no archive {archive_id}: a print is in the archive once it is over.",
        archive_id=archive_id,
    )
