"""What the archive's routes say of themselves in the specification."""

from typing import Annotated

from pydantic import Field

from api.archives import answers, bodies
from api.archives.service import MAX_EXPORTED
from api.describe import Doc, Query
from api.http import RowId

MAX_PAGE = 10**9
MAX_PER_PAGE = 200
_PAGE = Annotated[int, Field(ge=1, le=MAX_PAGE)]

_WHICH = (
    Query(name="printer_id", type=RowId, description="Only prints of this printer"),
    Query(name="status", type=answers.EndedWord, description="Only prints that ended so"),
    Query(name="search", description="Only where this is in the name, literally and in any case"),
    Query(name="start_date", description="Ended on this day or after this time (ISO 8601, UTC)"),
    Query(name="end_date", description="Ended before this time, or until the end of this day"),
    Query(
        name="tag",
        type=Annotated[str, Field(max_length=bodies.MAX_TAG)],
        description="Only with this tag",
    ),
)
_USER = Query(name="user_id", type=RowId, description="Only jobs that this person made")
_PAGES = (
    Query(name="page", type=_PAGE, description="From 1, default 1"),
    Query(
        name="per_page",
        type=Annotated[int, Field(ge=1, le=MAX_PER_PAGE)],
        description="Records of a page, default 50",
    ),
)
_INSTEAD = "`skip`, `offset` and `limit` choose a part of the list instead of a page."

LIST = Doc(
    summary="The records of prints that are over, the one that ended last first",
    description=f"A print that was started again has one record, once it is over. {_INSTEAD}",
    answer=answers.ArchivePage,
    right="archives.read",
    query=(*_PAGES, *_WHICH),
    paged=True,
)
COMPARE = Doc(
    summary="Two records side by side, and in what they differ",
    answer=answers.Comparison,
    right="archives.read",
    query=tuple(
        Query(name=name, type=RowId, required=True, description="The number of a record")
        for name in ("a", "b")
    ),
    problems=("not_found", "validation_failed"),
)
LOG = Doc(
    summary="The log of prints: a line each, the one that ended last first",
    description=_INSTEAD,
    answer=answers.LogPage,
    right="archives.read",
    query=(*_PAGES, *_WHICH, _USER),
    paged=True,
)
EXPORT = Doc(
    summary=f"The log of prints as CSV: the newest {MAX_EXPORTED} lines",
    description="What looks like a formula is text there. `X-Total-Count` says how many there "
    "are; the dates reach the others.",
    answer=str,
    media="text/csv",
    right="archives.read",
    query=(*_WHICH, _USER),
)
GET = Doc(summary="One record", answer=answers.ArchiveAnswer, right="archives.read")
UPDATE = Doc(
    summary="Say something of a print",
    answer=answers.ArchiveUpdated,
    body=bodies.NotesBody,
    right="archives.write",
    dry_run=True,
)
DELETE = Doc(
    summary="Take a record out of the archive; reports go on counting the print",
    answer=answers.ArchiveDeleted,
    right="archives.admin",
    dry_run=True,
)
TAGS = Doc(
    summary="Give a record these tags and no others",
    answer=answers.TagsAnswer,
    body=bodies.TagsBody,
    right="archives.write",
    dry_run=True,
)
PREVIEW = Doc(
    summary="What a reprint needs beside what hangs in a printer",
    description="Of a printer on a cable every tool is fed from its own slot; what is suggested "
    "are those that have the right material there.",
    answer=answers.AmsPreview,
    right="archives.read",
    query=(Query(name="printer_id", type=RowId, description="Compare with this printer"),),
    problems=("printer_not_found",),
)
REPRINT = Doc(
    summary="Queue the file of a print once more, on this printer",
    description="Checked as every new job. 400 when the file is not stored here.",
    answer=answers.Reprinted,
    body=bodies.ReprintBody,
    right="archives.write",
    problems=("bad_request", "printer_not_found", "not_gcode", "limit_exceeded", "quota_exceeded"),
    dry_run=True,
)
