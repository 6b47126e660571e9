"""v1 routes of the scheduler (v1 contract, 2.4 and 4.3): parse, ask the service, answer."""

from typing import Any

from quart import Response

from api.clock import iso
from api.describe import Doc
from api.http import json_answer, json_body, page_of, paging
from api.scheduler import answers, bodies
from api.scheduler.arrangements import hours_of
from api.scheduler.models import Circuit, Run, Timetable
from api.scheduler.service import Scheduler
from api.v1 import V1, caller

_CIRCUIT = "/scheduler/circuits/<int:circuit_id>"
_HOURS = "/scheduler/hours"


class SchedulerRoutes:
    """``/scheduler``, ``/config`` and why a job is where it is."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._runs = scheduler.runs
        self._explanations = scheduler.explanations
        self._arrangements = scheduler.sight.arrangements
        self._clock = scheduler.clock

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("POST", "/scheduler/run", self.run, _RUN)
        v1.add("GET", "/scheduler/runs", self.list, _RUNS)
        v1.add("GET", "/scheduler/runs/<int:run_id>", self.get, _ONE_RUN)
        v1.add("GET", "/jobs/<int:job_id>/explanation", self.explain, _EXPLAIN)
        v1.add("GET", _HOURS, self.hours, _GET_HOURS)
        v1.add("PUT", _HOURS, self.set_hours, _PUT_HOURS)
        v1.add("GET", "/config", self.config, _GET_CONFIG)
        v1.add("PUT", "/config", self.set_config, _PUT_CONFIG)
        v1.add("GET", "/scheduler/circuits", self.circuits, _CIRCUITS)
        v1.add("POST", "/scheduler/circuits", self.create_circuit, _NEW_CIRCUIT)
        v1.add("PATCH", _CIRCUIT, self.update_circuit, _CHANGE_CIRCUIT)
        v1.add("DELETE", _CIRCUIT, self.delete_circuit, _DELETE_CIRCUIT)

    # Runs and reasons.

    async def run(self) -> Response:
        """Plan the queue."""
        caller().require("scheduler.run")
        body = await json_body(bodies.RunBody)
        row = await self._runs.run(caller(), body.terms())
        return json_answer(
            {
                "success": True,
                "run_id": row.id,
                "scheduled": row.scheduled_count,
                "skipped": row.skipped_count,
                "setup_blocks": row.setup_blocks,
                "message": f"{row.scheduled_count} of {row.total_jobs} waiting jobs have a place",
                "jobs": row.jobs,
            }
        )

    async def list(self) -> Response:
        """A page of runs."""
        rows, total = await self._runs.list(caller(), *paging())
        return json_answer([_run(row) for row in rows], headers={"X-Total-Count": str(total)})

    async def get(self, run_id: int) -> Response:
        """One run."""
        row = await self._runs.get(caller(), run_id)
        return json_answer({**_run(row), "jobs": row.jobs})

    async def explain(self, job_id: int) -> Response:
        """Why a job is where it is."""
        return json_answer(await self._explanations.explain(caller(), job_id))

    # Hours.

    async def hours(self) -> Response:
        """When prints start."""
        return self._timetable(await self._arrangements.timetable(caller()))

    async def set_hours(self) -> Response:
        """Other hours."""
        caller().require("organizations.admin")
        body = await json_body(bodies.HoursBody)
        return self._timetable(await self._arrangements.set_timetable(caller(), body.values()))

    def _timetable(self, row: Timetable) -> Response:
        opens_at = hours_of(row).opens_at(self._clock.now())
        names = ("zone", "working", "blackout_start", "blackout_end")
        return json_answer(
            {name: getattr(row, name) for name in names} | {"opens_at": iso(opens_at)}
        )

    async def config(self) -> Response:
        """The contract's settings."""
        return _config(await self._arrangements.timetable(caller()))

    async def set_config(self) -> Response:
        """Other settings."""
        caller().require("organizations.all")
        given = (await json_body(bodies.ConfigBody)).model_dump(exclude_unset=True)
        return _config(await self._arrangements.set_timetable(caller(), given))

    # Circuits.

    async def circuits(self) -> Response:
        """All circuits."""
        return page_of([_circuit(row) for row in await self._arrangements.circuits(caller())])

    async def create_circuit(self) -> Response:
        """One more."""
        caller().require("printers.admin")
        body = await json_body(bodies.CircuitBody)
        row = await self._arrangements.create_circuit(caller(), body.form())
        return json_answer(_circuit(row), 201)

    async def update_circuit(self, circuit_id: int) -> Response:
        """Another one."""
        body = await json_body(bodies.CircuitUpdateBody)
        row = await self._arrangements.update_circuit(caller(), circuit_id, body.values())
        return json_answer(_circuit(row))

    async def delete_circuit(self, circuit_id: int) -> Response:
        """One less."""
        await self._arrangements.delete_circuit(caller(), circuit_id)
        return Response(status=204)


def _run(row: Run) -> dict[str, Any]:
    return {
        "id": row.id,
        "run_at": iso(row.run_at),
        "total_jobs": row.total_jobs,
        "scheduled_count": row.scheduled_count,
        "skipped_count": row.skipped_count,
        "setup_blocks": row.setup_blocks,
        "avg_match_score": row.avg_match_score,
        "avg_job_duration": row.avg_job_duration,
        "notes": row.notes,
    }


def _config(row: Timetable) -> Response:
    return json_answer(
        {
            "spoolman_url": None,
            "blackout_start": row.blackout_start,
            "blackout_end": row.blackout_end,
        }
    )


def _circuit(row: Circuit) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "max_w": row.max_w,
        "heat_up_s": row.heat_up_s,
        "printers": row.loads,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


_RUN = Doc(
    summary="Plan the queue: which waiting job is likely to print where and when",
    description="Kept as a run. It moves no job: the queue gives every free printer the next job "
    "that fits, and is woken by this.",
    answer=answers.ScheduleResult,
    right="scheduler.run",
    body=bodies.RunBody,
    dry_run=True,
)
_RUNS = Doc(
    summary="The last 100 runs, the newest first",
    answer=list[answers.RunAnswer],
    right="scheduler.read",
    paged=True,
)
_ONE_RUN = Doc(
    summary="A run, with the place of each job",
    answer=answers.RunDetail,
    right="scheduler.read",
)
_EXPLAIN = Doc(
    summary="Why a job is where it is: why this printer, why not the others, what would help",
    description="Of a job that a printer has: what was written with its start. Of one that waits: "
    "what the rules say now, printer by printer.",
    answer=answers.ExplanationAnswer,
    right="jobs.read",
)
_GET_HOURS = Doc(
    summary="When the queue may start prints", answer=answers.HoursAnswer, right="jobs.read"
)
_PUT_HOURS = Doc(
    summary="Set when the queue may start prints",
    description="Nothing starts outside by itself; what runs goes on, and people may start a job.",
    answer=answers.HoursAnswer,
    body=bodies.HoursBody,
    right="organizations.admin",
)
_GET_CONFIG = Doc(summary="Settings of the farm", answer=answers.ConfigAnswer, right="jobs.read")
_PUT_CONFIG = Doc(
    summary="Set the daily blackout, in which nothing starts by itself",
    answer=answers.ConfigAnswer,
    body=bodies.ConfigBody,
    right="organizations.all",
)
_CIRCUITS = Doc(
    summary="Power lines that printers share",
    answer=list[answers.CircuitAnswer],
    right="printers.read",
    paged=True,
)
_NEW_CIRCUIT = Doc(
    summary="Add a power line: what it bears, and what its printers draw",
    description="The queue starts a print when heat-ups and prints together stay within it.",
    answer=answers.CircuitAnswer,
    status=201,
    body=bodies.CircuitBody,
    right="printers.admin",
    problems=("bad_request", "name_taken", "printer_not_found"),
)
_CHANGE_CIRCUIT = Doc(
    summary="Change a power line",
    answer=answers.CircuitAnswer,
    body=bodies.CircuitUpdateBody,
    right="printers.admin",
    problems=("name_taken", "printer_not_found", "circuit_not_found"),
)
_DELETE_CIRCUIT = Doc(
    summary="Remove a power line; its printers are limited by nothing then",
    status=204,
    right="printers.admin",
    problems=("circuit_not_found",),
)
