"""v1 routes of report schedules (v1 contract, 2.11): parse, ask the service, answer."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from quart import Response

from api.clock import iso
from api.describe import Answer, Doc, Instant
from api.http import Body, RowId, json_answer, json_body, paging
from api.mail.letters import MAX_ADDRESS, is_address
from api.reports.schedules import NewSchedule, ReportSchedule, ReportSchedules
from api.reports.timetable import Frequency, ReportType
from api.v1 import V1, caller


def _address(text: str) -> str:
    if not is_address(text):
        raise ValueError("this is no address that mail can be sent to")
    return text


_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_Recipient = Annotated[str, StringConstraints(max_length=MAX_ADDRESS), AfterValidator(_address)]
_Recipients = Annotated[list[_Recipient], Field(min_length=1, max_length=20)]
_Ids = Annotated[list[RowId], Field(max_length=100)]


class ReportFiltersBody(Body):
    """What a report is limited to: people (jobs, chargebacks) or printers (failures, printers)."""

    model_config = ConfigDict(extra="forbid")

    user_ids: _Ids | None = None
    printer_ids: _Ids | None = None


class ReportScheduleBody(Body):
    """A report that people are mailed again and again."""

    name: _Name
    report_type: ReportType
    frequency: Frequency
    recipients: _Recipients
    filters: ReportFiltersBody = ReportFiltersBody()
    is_active: bool = True

    def form(self) -> NewSchedule:
        """The same for the service."""
        given = self.model_dump(exclude={"filters"})
        return NewSchedule(**given, filters=self.filters.model_dump(exclude_none=True))


class ReportScheduleChangeBody(Body):
    """What is absent or null stays."""

    name: _Name | None = None
    report_type: ReportType | None = None
    frequency: Frequency | None = None
    recipients: _Recipients | None = None
    filters: ReportFiltersBody | None = None
    is_active: bool | None = None


class ReportScheduleAnswer(Answer):
    """A report that people are mailed again and again."""

    id: int
    name: str
    report_type: ReportType
    frequency: Frequency
    recipients: list[str]
    filters: dict[str, list[int]]
    is_active: bool
    next_run_at: Instant | None = Field(description="null: it is not active")
    last_run_at: Instant | None
    created_at: Instant
    updated_at: Instant


class ReportScheduleDone(Answer):
    """What was done."""

    id: int
    status: Literal["created", "updated", "deleted"]


class ReportQueued(Answer):
    """The mails are written, and leave when the mail server takes them."""

    id: int
    status: Literal["queued"]
    recipients: int


class ReportScheduleRoutes:
    """``/report-schedules``."""

    def __init__(self, schedules: ReportSchedules) -> None:
        self._schedules = schedules

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/report-schedules/<int:schedule_id>"
        v1.add("GET", "/report-schedules", self.list, _LIST)
        v1.add("POST", "/report-schedules", self.create, _CREATE)
        v1.add("PATCH", one, self.update, _UPDATE)
        v1.add("DELETE", one, self.delete, _DELETE)
        v1.add("POST", f"{one}/run", self.run, _RUN)

    async def list(self) -> Response:
        """The organization's schedules."""
        rows, total = await self._schedules.list(caller(), *paging())
        shown = [_shown(row) for row in rows]
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    async def create(self) -> Response:
        """One more."""
        body = await json_body(ReportScheduleBody)
        row = await self._schedules.create(caller(), body.form())
        return json_answer({"id": row.id, "status": "created"})

    async def update(self, schedule_id: int) -> Response:
        """One, changed."""
        values = (await json_body(ReportScheduleChangeBody)).model_dump(exclude_none=True)
        await self._schedules.update(caller(), schedule_id, values)
        return json_answer({"id": schedule_id, "status": "updated"})

    async def delete(self, schedule_id: int) -> Response:
        """One less."""
        await self._schedules.delete(caller(), schedule_id)
        return json_answer({"id": schedule_id, "status": "deleted"})

    async def run(self, schedule_id: int) -> Response:
        """Its report, at once."""
        row = await self._schedules.send_now(caller(), schedule_id)
        answer = {"id": row.id, "status": "queued", "recipients": len(row.recipients)}
        return json_answer(answer)


def _shown(row: ReportSchedule) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "report_type": row.report_type,
        "frequency": row.frequency,
        "recipients": row.recipients,
        "filters": row.filters,
        "is_active": row.is_active,
        "next_run_at": iso(row.next_at) if row.is_active else None,
        "last_run_at": iso(row.last_run_at),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


_UNKNOWN = "report_schedule_not_found"
_LIST = Doc(
    summary="Reports that are mailed by themselves",
    answer=list[ReportScheduleAnswer],
    right="reports.schedule",
    paged=True,
)
_CREATE = Doc(
    summary="Have a report mailed every day, every Monday or on the first of every month",
    description="At 7:00 UTC, over the day, week or month before; in quiet hours at their end. "
    "Nothing is sent by a server without GANTRY_SMTP_HOST.",
    answer=ReportScheduleDone,
    body=ReportScheduleBody,
    right="reports.schedule",
    problems=("bad_request",),
)
_UPDATE = Doc(
    summary="Change a report schedule",
    answer=ReportScheduleDone,
    body=ReportScheduleChangeBody,
    right="reports.schedule",
    problems=(_UNKNOWN,),
)
_DELETE = Doc(
    summary="Mail a report no more",
    answer=ReportScheduleDone,
    right="reports.schedule",
    problems=(_UNKNOWN,),
)
_RUN = Doc(
    summary="Mail a report now, of the day, week or month up to now",
    answer=ReportQueued,
    right="reports.schedule",
    problems=(_UNKNOWN, "feature_disabled"),
)
