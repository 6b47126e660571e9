"""v1 routes of preflights: ours, the contract has none."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from quart import Response

from api.describe import Answer, Doc, Instant, Query
from api.http import Body, RowId, id_query, json_answer, json_body
from api.preflight.service import Mended, Preflights, Result
from api.v1 import V1, caller
from schemas.gcode.preflight import MAX_CONCERNS, Edit, Severity

_FindingId = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class FixShown(Answer):
    """One change of the file that would settle a finding."""

    edit: Edit
    code: str = Field(description="Of the lines that go, or of the line that comes")
    times: int = Field(description="How many lines it is about")
    diff: str = Field(description="The first of them, as a hunk of a unified diff")


class FindingShown(Answer):
    """Something that stands in the way, or is odd."""

    id: str = Field(description="The same for the same file")
    severity: Severity
    rule: str
    blocks: bool = Field(description="The file is not sent to this printer as it is")
    text: str
    line: int | None = Field(description="The first line that it is about; null: the whole file")
    code: str | None
    fix: FixShown | None = Field(description="What Gantry can do about it, on request")


class PreflightAnswer(Answer):
    """A file on a printer, by the rules of the gate at its port and then some."""

    status: Literal["passed", "warnings", "refused", "unchecked"] = Field(
        description="refused: something blocks; unchecked: a large file that is looked at soon"
    )
    checked_at: Instant
    rules: int = Field(description="Version of the rules")
    material: str | None = Field(description="What is printed with, as far as anybody said")
    firmware: str = Field(description="The dialect that codes were held against")
    findings: list[FindingShown] = Field(
        description="What blocks first", json_schema_extra={"maxItems": MAX_CONCERNS}
    )
    printer_id: int
    printer_name: str
    file_name: str
    attempt: int | None = Field(
        description="The start of the job that was decided by it; null: it decides nothing"
    )


class MendedAnswer(Answer):
    """A new file with fixes carried out, the newest of its model."""

    print_file_id: int
    model_id: int
    removed_lines: int
    preflight: PreflightAnswer


class FixBody(Body):
    """``POST …/preflight/fix``: which findings to settle."""

    findings: Annotated[list[_FindingId], Field(min_length=1, max_length=MAX_CONCERNS)]
    printer_id: RowId | None = Field(
        None, description="The printer of the preflight; null: the job's own"
    )


class PreflightRoutes:
    """``…/preflight`` of jobs and print files."""

    def __init__(self, preflights: Preflights) -> None:
        self._preflights = preflights

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        job, file = "/jobs/<int:job_id>/preflight", "/print-files/<int:file_id>/preflight"
        v1.add("GET", job, self.of_job, _OF_JOB)
        v1.add("POST", f"{job}/fix", self.fix_job, _FIX_JOB)
        v1.add("GET", file, self.of_file, _OF_FILE)
        v1.add("POST", f"{file}/fix", self.fix_file, _FIX_FILE)

    async def of_job(self, job_id: int) -> Response:
        """Of the last start, or of the printer named."""
        found = await self._preflights.of_job(caller(), job_id, id_query("printer_id"))
        return json_answer(_shown(found))

    async def of_file(self, file_id: int) -> Response:
        """Of the printer named."""
        found = await self._preflights.of_file(caller(), file_id, id_query("printer_id"))
        return json_answer(_shown(found))

    async def fix_job(self, job_id: int) -> Response:
        """Another file for this job."""
        body = await json_body(FixBody)
        return _mended(
            await self._preflights.mend_job(caller(), job_id, body.printer_id, body.findings)
        )

    async def fix_file(self, file_id: int) -> Response:
        """Another file of the same model."""
        body = await json_body(FixBody)
        return _mended(
            await self._preflights.mend_file(caller(), file_id, body.printer_id, body.findings)
        )


def _shown(found: Result) -> dict[str, Any]:
    return {
        **found.verdict,
        "printer_id": found.printer.id,
        "printer_name": found.printer.name,
        "file_name": found.file_name,
        "attempt": found.attempt,
    }


def _mended(found: Mended) -> Response:
    shown = {
        "print_file_id": found.print_file_id,
        "model_id": found.model_id,
        "removed_lines": found.removed_lines,
        "preflight": _shown(found.result),
    }
    return json_answer(shown, 201)


_ON = Query(
    name="printer_id",
    type=RowId,
    description="The printer; without it: what the last start was decided by, or the job's own",
)
_ON_THIS = Query(name="printer_id", type=RowId, description="The printer", required=True)
_OF_JOB = Doc(
    summary="What a job's file was found to be before it was sent, or would be on a printer",
    answer=PreflightAnswer,
    right="jobs.read",
    query=(_ON,),
    problems=("bad_request", "printer_not_found", "file_not_found"),
)
_OF_FILE = Doc(
    summary="Hold a print file against a printer",
    answer=PreflightAnswer,
    right="files.read",
    query=(_ON_THIS,),
    problems=("printer_not_found",),
)
_FIX = (
    "Each finding with a `fix` can be settled; the result is a new file of the same model. "
    "The original stays as it is."
)
_PROBLEMS = ("bad_request", "conflict", "printer_not_found", "not_gcode", "storage_unavailable")
_FIX_JOB = Doc(
    summary="Settle findings of a job's preflight: it prints a new file",
    description=_FIX,
    answer=MendedAnswer,
    status=201,
    right="jobs.write",
    body=FixBody,
    problems=(*_PROBLEMS, "invalid_state_transition", "limit_exceeded", "file_not_found"),
    dry_run=True,
)
_FIX_FILE = Doc(
    summary="Settle findings of a print file's preflight: a new file",
    description=_FIX,
    answer=MendedAnswer,
    status=201,
    right="files.write",
    body=FixBody,
    problems=_PROBLEMS,
    dry_run=True,
)
