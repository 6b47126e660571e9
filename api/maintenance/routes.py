"""v1 routes of maintenance (v1 contract, 2.8): parse, ask the service, answer."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from quart import Response, request

from api.clock import iso
from api.describe import Answer, Doc, Instant, Query
from api.http import Body, RowId, id_query, json_answer, json_body, paging, truthy
from api.maintenance.due import RANK, DueStatus
from api.maintenance.service import Due, Maintenance, MaintenanceLog, MaintenanceTask, NewLog
from api.printers.next_actions import NextAction, after_printer
from api.printers.service import Printer
from api.v1 import V1, caller

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Short = Annotated[str, StringConstraints(max_length=100)]
Hours = Annotated[float, Field(gt=0, le=1_000_000)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Money = Annotated[float, Field(ge=0, le=1e9)]
Minutes = Annotated[int, Field(ge=0, le=1_000_000)]


class TaskCreateBody(Body):
    """``POST /maintenance/tasks``."""

    name: Name
    description: Text | None = None
    printer_model_filter: Short | None = Field(None, description="A part of the printer's model")
    interval_print_hours: Hours | None = None
    interval_days: Days | None = None
    estimated_cost: Money = 0.0
    estimated_downtime_min: Minutes = 30


class TaskUpdateBody(Body):
    """``PATCH /maintenance/tasks/{id}``: only what is there is changed."""

    name: Name | None = None
    description: Text | None = None
    printer_model_filter: Short | None = None
    interval_print_hours: Hours | None = None
    interval_days: Days | None = None
    estimated_cost: Money | None = None
    estimated_downtime_min: Minutes | None = None
    is_active: bool | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent."""
        sent = self.model_dump(exclude_unset=True)
        required = ("name", "estimated_cost", "estimated_downtime_min", "is_active")
        return {k: v for k, v in sent.items() if v is not None or k not in required}


class LogCreateBody(Body):
    """``POST /maintenance/logs``."""

    task_id: RowId | None = None
    printer_id: RowId | None = Field(
        None, description="null: every printer on which the task is overdue, else all it is for"
    )
    task_name: Name | None = Field(None, description="null: that of the task")
    performed_by: Short | None = None
    notes: Text | None = None
    cost: Money = 0.0
    downtime_minutes: Minutes = 0


class TaskAnswer(Answer):
    """Something to be done again and again."""

    id: int
    name: str
    description: str | None
    printer_model_filter: str | None
    interval_print_hours: float | None
    interval_days: int | None
    estimated_cost: float
    estimated_downtime_min: int
    is_active: bool


class TaskMade(Answer):
    """A new task."""

    id: int
    name: str
    message: str


class TaskChanged(Answer):
    """A task was changed."""

    id: int
    message: str


class LogAnswer(Answer):
    """Something that was done on a printer."""

    id: int
    printer_id: int
    task_id: int | None
    task_name: str
    performed_at: Instant
    performed_by: str | None
    notes: str | None
    cost: float
    downtime_minutes: int
    print_hours_at_service: float


class LogMade(Answer):
    """It is noted, once for each printer."""

    id: int
    message: str
    print_hours_at_service: float
    printer_ids: list[int]
    next_actions: list[NextAction]


class TaskStatus(Answer):
    """A task on a printer."""

    task_id: int
    task_name: str
    description: str | None
    interval_print_hours: float | None
    interval_days: int | None
    hours_since_service: float = Field(description="Of printing")
    days_since_service: int
    last_serviced: Instant | None
    last_by: str | None
    status: DueStatus
    progress_percent: float = Field(description="Of the interval, 150 at most")


class PrinterStatus(Answer):
    """A printer and its tasks, the nearest first."""

    printer_id: int
    printer_name: str
    printer_model: str | None
    total_print_hours: float
    overall_status: DueStatus
    tasks: list[TaskStatus]


class Seeded(Answer):
    """The usual tasks are there."""

    message: Literal["ok"]
    created: int
    skipped: int


class MaintenanceRoutes:
    """``/maintenance``."""

    def __init__(self, maintenance: Maintenance) -> None:
        self._maintenance = maintenance

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/maintenance/tasks", self.tasks, _TASKS)
        v1.add("POST", "/maintenance/tasks", self.create_task, _CREATE)
        v1.add("PATCH", "/maintenance/tasks/<int:task_id>", self.update_task, _UPDATE)
        v1.add("DELETE", "/maintenance/tasks/<int:task_id>", self.delete_task, _DELETE)
        v1.add("GET", "/maintenance/logs", self.logs, _LOGS)
        v1.add("POST", "/maintenance/logs", self.log, _LOG)
        v1.add("DELETE", "/maintenance/logs/<int:log_id>", self.delete_log, _DELETE_LOG)
        v1.add("GET", "/maintenance/status", self.status, _STATUS)
        v1.add("POST", "/maintenance/seed-defaults", self.seed, _SEED)

    async def tasks(self) -> Response:
        """A page of tasks."""
        skip, limit = paging()
        overdue = truthy(request.args.get("overdue"))
        rows = await self._maintenance.tasks(caller(), overdue=overdue)
        shown = [_task_fields(row) for row in rows[skip : skip + limit]]
        return json_answer(shown, headers={"X-Total-Count": str(len(rows))})

    async def create_task(self) -> Response:
        """A new task."""
        body = await json_body(TaskCreateBody)
        row = await self._maintenance.create_task(caller(), body.model_dump())
        return json_answer({"id": row.id, "name": row.name, "message": "Task created"})

    async def update_task(self, task_id: int) -> Response:
        """A task, changed."""
        body = await json_body(TaskUpdateBody)
        row = await self._maintenance.update_task(caller(), task_id, body.values())
        return json_answer({"id": row.id, "message": "Task updated"})

    async def delete_task(self, task_id: int) -> Response:
        """Gone; its logs stay."""
        await self._maintenance.delete_task(caller(), task_id)
        return Response(status=204)

    async def seed(self) -> Response:
        """The usual tasks."""
        created, skipped = await self._maintenance.add_defaults(caller())
        return json_answer({"message": "ok", "created": created, "skipped": skipped})

    async def logs(self) -> Response:
        """A page of what was done, the newest first."""
        rows, total = await self._maintenance.logs(caller(), id_query("printer_id"), *paging())
        shown = [_log_fields(row) for row in rows]
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    async def log(self) -> Response:
        """Something was done."""
        body = await json_body(LogCreateBody)
        rows = await self._maintenance.log(caller(), NewLog(**body.model_dump()))
        where = "one printer" if len(rows) == 1 else f"{len(rows)} printers"
        late = {"tool": "list_maintenance_tasks", "args": {"overdue_only": True}}
        return json_answer(
            {
                "id": rows[0].id,
                "message": f"{rows[0].task_name} is noted as done on {where}",
                "print_hours_at_service": rows[0].print_hours_at_service,
                "printer_ids": [row.printer_id for row in rows],
                "next_actions": [late, *after_printer(rows[0].printer_id)],
            }
        )

    async def delete_log(self, log_id: int) -> Response:
        """It was not done."""
        await self._maintenance.delete_log(caller(), log_id)
        return Response(status=204)

    async def status(self) -> Response:
        """A page of printers and their tasks, the worst first."""
        skip, limit = paging()
        shown = [
            _printer_fields(row, dues) for row, dues in await self._maintenance.status(caller())
        ]
        shown.sort(key=lambda one: -RANK[one["overall_status"]])
        page = shown[skip : skip + limit]
        return json_answer(page, headers={"X-Total-Count": str(len(shown))})


def _task_fields(row: MaintenanceTask) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TaskAnswer.model_fields}


def _log_fields(row: MaintenanceLog) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in LogAnswer.model_fields}
    return {**shown, "performed_at": iso(row.performed_at)}


def _printer_fields(row: Printer, dues: Any) -> dict[str, Any]:
    worst = max((one.status for one in dues), key=lambda one: RANK[one], default=DueStatus.OK)
    return {
        "printer_id": row.id,
        "printer_name": row.name,
        "printer_model": row.model,
        "total_print_hours": round(row.print_seconds / 3600, 3),
        "overall_status": worst,
        "tasks": [_due_fields(one) for one in dues],
    }


def _due_fields(one: Due) -> dict[str, Any]:
    return {
        "task_id": one.task.id,
        "task_name": one.task.name,
        "description": one.task.description,
        "interval_print_hours": one.task.interval_print_hours,
        "interval_days": one.task.interval_days,
        "hours_since_service": one.hours_since,
        "days_since_service": one.days_since,
        "last_serviced": iso(one.last.performed_at) if one.last is not None else None,
        "last_by": one.last.performed_by if one.last is not None else None,
        "status": one.status,
        "progress_percent": one.percent,
    }


_TASKS = Doc(
    summary="Maintenance tasks",
    answer=list[TaskAnswer],
    right="maintenance.read",
    paged=True,
    query=(Query(name="overdue", type=bool, description="Only those overdue on some printer"),),
)
_CREATE = Doc(
    summary="Make a maintenance task",
    answer=TaskMade,
    right="maintenance.write",
    body=TaskCreateBody,
    problems=("bad_request",),
)
_UPDATE = Doc(
    summary="Change a maintenance task",
    answer=TaskChanged,
    right="maintenance.write",
    body=TaskUpdateBody,
    problems=("maintenance_task_not_found",),
)
_DELETE = Doc(
    summary="Delete a maintenance task; its logs stay",
    status=204,
    right="maintenance.admin",
    problems=("maintenance_task_not_found",),
)
_SEED = Doc(
    summary="Make the usual tasks that are not there yet",
    answer=Seeded,
    right="maintenance.admin",
    problems=("bad_request",),
)
_LOGS = Doc(
    summary="What was done, the newest first",
    answer=list[LogAnswer],
    right="maintenance.read",
    paged=True,
    query=(Query(name="printer_id", type=RowId, description="Only on this printer"),),
)
_LOG = Doc(
    summary="Note what was done",
    description="With task_id alone it was done on every printer on which that task is overdue, "
    "or else on all that it is for.",
    answer=LogMade,
    right="maintenance.log",
    body=LogCreateBody,
    problems=("maintenance_task_not_found", "printer_not_found"),
    dry_run=True,
)
_DELETE_LOG = Doc(
    summary="Delete a log: it was not done",
    status=204,
    right="maintenance.admin",
    problems=("maintenance_log_not_found",),
)
_STATUS = Doc(
    summary="Active printers and their tasks, the worst first",
    answer=list[PrinterStatus],
    right="maintenance.read",
    paged=True,
)
