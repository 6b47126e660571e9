"""v1 routes of the archive (v1 contract, 2.10): parse, ask the service, answer."""

from collections.abc import AsyncIterator, Sequence
from typing import get_args

from quart import Response, request

from api.archives import bodies, docs
from api.archives.answers import EndedWord
from api.archives.filaments import loaded, needed, suggested
from api.archives.service import ArchiveFilter, Archives, Record
from api.archives.shown import ShownArchives
from api.archives.view import COLUMNS, compared, log_cells, log_view
from api.audit import sheets
from api.http import (
    DEFAULT_LIMIT,
    id_query,
    int_query,
    json_answer,
    json_body,
    moment_query,
    paging,
    text_query,
)
from api.jobs.ended import EndedFilter
from api.jobs.forms import refuse
from api.principal import Principal
from api.printers.next_actions import after_job
from api.v1 import V1, caller


class ArchiveRoutes:
    """``/archives``."""

    def __init__(self, archives: Archives, shown: ShownArchives) -> None:
        self._archives = archives
        self._shown = shown

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/archives", self.list, docs.LIST)
        v1.add("GET", "/archives/compare", self.compare, docs.COMPARE)
        v1.add("GET", "/archives/log", self.log, docs.LOG)
        v1.add("GET", "/archives/log/export", self.export, docs.EXPORT)
        one = "/archives/<int:archive_id>"
        v1.add("GET", one, self.get, docs.GET)
        v1.add("PATCH", one, self.update, docs.UPDATE)
        v1.add("DELETE", one, self.delete, docs.DELETE)
        v1.add("PATCH", f"{one}/tags", self.tag, docs.TAGS)
        v1.add("GET", f"{one}/ams-preview", self.preview, docs.PREVIEW)
        v1.add("POST", f"{one}/reprint", self.reprint, docs.REPRINT)

    async def list(self) -> Response:
        """A page of records."""
        skip, limit = _part()
        records, total = await self._archives.find(caller(), _which(), skip, limit)
        return _page(await self._shown.many(caller(), records), total, skip, limit)

    async def log(self) -> Response:
        """A page of lines."""
        skip, limit = _part()
        records, total = await self._archives.find(caller(), _which(by_user=True), skip, limit)
        shown = await self._shown.many(caller(), records)
        names = await self._shown.names(shown)
        return _page([log_view(each, names) for each in shown], total, skip, limit)

    async def export(self) -> Response:
        """All lines, as they come from the rows."""
        by = caller()
        pages, total = await self._archives.export(by, _which(by_user=True))
        answer = Response(self._lines(by, pages), content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = 'attachment; filename="print_log.csv"'
        answer.headers["X-Total-Count"] = str(total)
        answer.timeout = None  # as long as it takes
        return answer

    async def _lines(
        self, by: Principal, pages: AsyncIterator[Sequence[Record]]
    ) -> AsyncIterator[str]:
        yield sheets.rows([COLUMNS])
        async for records in pages:
            shown = await self._shown.many(by, records)
            names = await self._shown.names(shown)
            yield sheets.rows(log_cells(each, names) for each in shown)

    async def compare(self) -> Response:
        """Two of them."""
        by, numbers = caller(), (id_query("a"), id_query("b"))
        pair = []
        for name, number in zip(("a", "b"), numbers, strict=True):
            if number is None:
                raise refuse(name, "name the record in the query")
            pair.append(await self._shown.one(by, await self._archives.get(by, number)))
        return json_answer(compared(*pair))

    async def get(self, archive_id: int) -> Response:
        """One record."""
        record = await self._archives.get(caller(), archive_id)
        return json_answer(await self._shown.one(caller(), record))

    async def update(self, archive_id: int) -> Response:
        """Notes."""
        body = await json_body(bodies.NotesBody)
        if "notes" in body.model_fields_set:
            await self._archives.annotate(caller(), archive_id, body.notes)
        record = await self._archives.get(caller(), archive_id)
        return json_answer({"status": "updated", "id": record.id, "notes": record.notes})

    async def delete(self, archive_id: int) -> Response:
        """Out of the archive."""
        await self._archives.delete(caller(), archive_id)
        return json_answer({"status": "deleted", "id": archive_id})

    async def tag(self, archive_id: int) -> Response:
        """Tags."""
        body = await json_body(bodies.TagsBody)
        return json_answer({"tags": await self._archives.tag(caller(), archive_id, body.tags)})

    async def preview(self, archive_id: int) -> Response:
        """What it needs, and what is there."""
        named = id_query("printer_id")
        facts, printer = await self._archives.filaments(caller(), archive_id, named)
        wanted = needed(facts)
        return json_answer(
            {
                "required": wanted,
                "available": loaded(printer) if printer is not None else [],
                "suggested_mapping": suggested(wanted, printer) if printer is not None else [],
            }
        )

    async def reprint(self, archive_id: int) -> Response:
        """A job for the same file."""
        body = await json_body(bodies.ReprintBody)
        mapping = [(each.source_slot, each.target_slot) for each in body.ams_mapping or ()]
        job, printer = await self._archives.reprint(caller(), archive_id, body.printer_id, mapping)
        return json_answer(
            {
                "status": "created",
                "job_id": job.id,
                "message": f"{job.item_name} is queued for {printer.name} as job {job.id}",
                "next_actions": after_job(job.id),
            }
        )


def _which(*, by_user: bool = False) -> ArchiveFilter:
    outcome = request.args.get("status") or None
    if outcome is not None and outcome not in get_args(EndedWord):
        words = ", ".join(get_args(EndedWord))
        raise refuse("status", f"one of {words}, not {outcome[:40]!r}")
    prints = EndedFilter(
        printer_id=id_query("printer_id"),
        outcome=outcome,
        words=text_query("search"),
        user_id=id_query("user_id") if by_user else None,
        since=moment_query("start_date"),
        until=moment_query("end_date", whole_day=True),
    )
    return ArchiveFilter(prints=prints, tag=text_query("tag"))


def _part() -> tuple[int, int]:
    """(skip, limit) from `page` and `per_page`, or from the names that every list takes.

    Raises `Invalid` or `Unprocessable`.
    """
    page, per_page = int_query("page", 1), int_query("per_page", DEFAULT_LIMIT)
    if not 1 <= page <= docs.MAX_PAGE:
        raise refuse("page", f"from 1 to {docs.MAX_PAGE}, not {page}")
    if not 1 <= per_page <= docs.MAX_PER_PAGE:
        raise refuse("per_page", f"from 1 to {docs.MAX_PER_PAGE}, not {per_page}")
    if any(name in request.args for name in ("skip", "offset", "limit")):
        return paging()
    return (page - 1) * per_page, per_page


def _page(items: Sequence[object], total: int, skip: int, limit: int) -> Response:
    page = {"items": items, "total": total, "page": skip // limit + 1, "per_page": limit}
    return json_answer(page, headers={"X-Total-Count": str(total)})
