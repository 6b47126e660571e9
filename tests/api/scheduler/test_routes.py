"""The scheduler's routes on a farm: runs, reasons, hours, circuits."""

from datetime import UTC, datetime

import pytest

from api.jobs.models import Job
from api.scheduler.arrangements import NewCircuit, PrinterLoad
from api.scheduler.models import Decision
from api.scheduler.routes import SchedulerRoutes
from schemas.gcode.survey import Surveyor
from schemas.jobs import AttemptEvent
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp

E = AttemptEvent


@pytest.fixture
def app(farm: Farm) -> FarmApp:
    app = FarmApp(farm)
    SchedulerRoutes(farm.scheduler).register(app.v1)
    return app


async def loads(farm: Farm, max_w: float, *printer_ids: int) -> None:
    """One circuit for these printers."""
    new = NewCircuit(
        name="Wall",
        max_w=max_w,
        heat_up_s=300.0,
        loads=[
            PrinterLoad(printer_id=each, heat_up_w=600.0, printing_w=200.0) for each in printer_ids
        ],
    )
    await farm.scheduler.sight.arrangements.create_circuit(farm.admin, new)


async def test_why_is_written_with_the_start(farm: Farm, app: FarmApp) -> None:
    """One decision for one grant; it says why this printer and why not the others."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    await farm.printers.update(farm.admin, two.id, {"tags": ["tall"]})
    job = await farm.job(details={"required_tags": ["tall"]})
    waits = await app.ask("GET", f"/jobs/{job.id}/explanation")
    assert [(each["printer_id"], each["rule"]) for each in waits["printers"]] == [
        (two.id, None),
        (one.id, "tags"),
    ]
    assert await farm.scheduler.step() == 1
    [decision] = await Decision.all()
    assert decision.grant == (await farm.job_now(job)).grant
    told = await app.ask("GET", f"/jobs/{job.id}/explanation")
    assert (told["printer_id"], told["printer_name"]) == (two.id, "Two")
    assert told["summary"] == "The queue gave it to Two."
    [other] = told["printers"]
    assert (other["printer_id"], other["why_not"]) == (one.id, "One lacks the tags tall.")
    assert (await app.ask("GET", f"/jobs/{job.id}"))["match_score"] == 50


async def test_a_job_whose_room_went_offline_behind_its_grant_says_so(
    farm: Farm, app: FarmApp
) -> None:
    """Nobody knows yet whether it has begun: it waits for the room, and not for its turn."""
    job = await farm.job(await farm.printer())
    assert await farm.scheduler.step() == 1
    assert (await app.ask("GET", f"/jobs/{job.id}"))["waiting_for"] is None
    farm.bridges.is_online = False
    shown = await app.ask("GET", f"/jobs/{job.id}")
    assert (shown["status"], shown["waiting_for"]) == (
        "scheduled",
        "One to be heard of again: it is offline",
    )
    assert shown["match_score"] is not None
    told = await app.ask("GET", f"/jobs/{job.id}/explanation")
    assert told["summary"] == (
        "The queue gave it to One. It waits for One to be heard of again: it is offline."
    )


async def test_a_job_that_waits_for_its_file_says_so(farm: Farm, app: FarmApp) -> None:
    """It stood at its turn, with nothing in its way and nobody who would start it (R26)."""
    job = await farm.job(await farm.printer())
    farm.files.is_down = True
    assert await farm.scheduler.step() == 0
    told = await app.ask("GET", f"/jobs/{job.id}/explanation")
    assert told["summary"] == "It waits for its file: the file storage does not answer."


async def test_a_job_that_can_never_be_placed_says_so_at_once(farm: Farm, app: FarmApp) -> None:
    """In the answer that makes it: what is wrong, and what it would take."""
    await farm.printer()
    body = {"item_name": "x", "required_tags": ["tall"]}
    job = await farm.job(details={"required_tags": ["tall"]})
    shown = await app.ask("GET", f"/jobs/{job.id}")
    assert shown["unplaceable"] == "No printer can print it. One lacks the tags tall."
    assert shown["waiting_for"] == "the tags tall on One"
    without_file = await app.ask("POST", "/jobs", body, expect=201)
    assert (without_file["unplaceable"], without_file["waiting_for"]) == (None, "a file")
    assert await farm.scheduler.step() == 0


async def test_what_the_preflight_refuses_everywhere_is_never_placed(
    farm: Farm, app: FarmApp
) -> None:
    """The survey of the file, held against each printer: said at once, and no printer is asked."""
    await farm.printer()
    blob = await farm.blob(analysis={})
    surveyor = Surveyor()
    surveyor.feed(b"G28\nM104 S400\nG1 X1\n")
    farm.files.surveys[blob.id] = surveyor.finish()
    job = await farm.job(blob_id=blob.id)
    shown = await app.ask("GET", f"/jobs/{job.id}")
    assert "does not pass the preflight" in shown["unplaceable"]
    assert await farm.scheduler.step() == 0
    assert (await farm.job_now(job)).state == "pending"


async def test_a_run_plans_and_moves_nothing(farm: Farm, app: FarmApp) -> None:
    """v1 2.4, ScheduleResult and SchedulerRunResponse; the plan is kept with the run."""
    printer = await farm.printer()
    jobs = [await farm.job(duration_hours=1.0) for _ in range(2)]
    never = await farm.job(details={"required_tags": ["none"]})
    result = await app.ask("POST", "/scheduler/run", {"horizon_days": 2})
    assert (result["success"], result["scheduled"], result["skipped"]) == (True, 2, 1)
    assert result.keys() == {
        *("success", "run_id", "scheduled", "skipped", "setup_blocks", "message", "jobs")
    }
    assert [each["id"] for each in result["jobs"]] == [*(job.id for job in jobs), never.id]
    assert result["jobs"][1]["printer_id"] == printer.id
    assert result["jobs"][1]["scheduled_start"] == "2026-01-01T13:00:00.000Z"
    assert result["jobs"][2]["note"] == f"Job {never.id}: no printer can have it."
    [run] = await app.ask("GET", "/scheduler/runs")
    assert run.keys() == {
        *("id", "run_at", "total_jobs", "scheduled_count", "skipped_count", "setup_blocks"),
        *("avg_match_score", "avg_job_duration", "notes"),
    }
    assert (run["total_jobs"], run["avg_match_score"], run["avg_job_duration"]) == (3, 50.0, 1.0)
    detail = await app.ask("GET", f"/scheduler/runs/{run['id']}")
    assert detail["jobs"] == result["jobs"]
    assert {job.state for job in await Job.all()} == {"pending"}


async def test_hours_hold_the_queue_and_no_person(farm: Farm, app: FarmApp) -> None:
    """Outside of the hours nothing starts by itself; somebody may start it all the same."""
    printer = await farm.printer()
    job = await farm.job(printer)
    hours = {"working": {"fri": [["08:00", "10:00"]]}, "zone": "Europe/Berlin"}
    answer = await app.ask("PUT", "/scheduler/hours", hours)
    assert answer["opens_at"] == "2026-01-02T07:00:00.000Z"
    assert await farm.scheduler.step() == 0
    shown = await app.ask("GET", f"/jobs/{job.id}")
    assert "2026-01-02T07:00:00.000Z" in shown["waiting_for"]
    await farm.jobs.start_explicit(farm.admin, job)
    await farm.run(printer, E.STARTED, E.COMPLETED)
    later = await farm.job(printer)
    farm.clock.advance((datetime(2026, 1, 2, 7, tzinfo=UTC) - farm.clock.now()).total_seconds())
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(later)).state == "scheduled"


async def test_the_contracts_blackout_is_the_same_thing(farm: Farm, app: FarmApp) -> None:
    """GET and PUT /config; half a blackout and no time at all are refused with the field."""
    put = await app.ask("PUT", "/config", {"blackout_start": "22:30", "blackout_end": "05:30"})
    assert put == await app.ask("GET", "/config")
    assert (await app.ask("GET", "/scheduler/hours"))["blackout_start"] == "22:30"
    await app.ask("PUT", "/config", {"blackout_start": None}, expect=422)
    await app.ask("PUT", "/config", {"blackout_start": "24:00"}, expect=422)
    await app.ask("PUT", "/scheduler/hours", {"zone": "Mars/Olympus"}, expect=422)


async def test_heat_ups_of_one_circuit_are_staggered(farm: Farm, app: FarmApp) -> None:
    """Two heat-ups do not fit: the second starts when the first has become hot."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    await loads(farm, 1000.0, one.id, two.id)
    first, second = await farm.job(), await farm.job()
    assert await farm.scheduler.step() == 1
    assert (await farm.job_now(first)).printer_id == one.id
    shown = await app.ask("GET", f"/jobs/{second.id}")
    assert "power on circuit Wall" in shown["waiting_for"]
    assert await farm.scheduler.step() == 0
    farm.clock.advance(301)
    assert await farm.scheduler.step() == 1


async def test_a_start_that_took_the_power_meanwhile_is_seen_in_the_transaction(
    farm: Farm,
) -> None:
    """Somebody started the neighbour after the queue had looked: the grant is rolled back."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    await loads(farm, 1000.0, one.id, two.id)
    mine, theirs = await farm.job(one), await farm.job(two)
    check = farm.jobs.file_wait.check

    async def somebody_is_faster(job: Job) -> None:
        farm.jobs.file_wait.check = check  # type: ignore[method-assign]
        await farm.jobs.start_explicit(farm.admin, theirs)

    farm.jobs.file_wait.check = somebody_is_faster  # type: ignore[method-assign]
    assert await farm.scheduler.step() == 0
    assert (await farm.job_now(mine)).state == "pending"
    assert (await farm.row(one)).active_grant is None
    assert not await Decision.all()


async def test_circuits_are_kept(farm: Farm, app: FarmApp) -> None:
    """A printer is on one circuit; a printer that is deleted is on none; names are taken once."""
    one = await farm.printer()
    load = {"printer_id": one.id, "heat_up_w": 300, "printing_w": 100}
    made = await app.ask(
        "POST", "/scheduler/circuits", {"name": "A", "max_w": 900, "printers": [load]}, expect=201
    )
    assert made["printers"] == [{**load, "heat_up_w": 300.0, "printing_w": 100.0}]
    for body, status in (
        ({"name": "B", "max_w": 900, "printers": [load]}, 422),
        ({"name": "A", "max_w": 900}, 400),
        ({"name": "C", "max_w": 900, "printers": [load, load]}, 422),
        ({"name": "C", "max_w": 900, "printers": [{**load, "printer_id": 999}]}, 404),
        ({"name": " ", "max_w": 900}, 422),
    ):
        await app.ask("POST", "/scheduler/circuits", body, expect=status)
    path = f"/scheduler/circuits/{made['id']}"
    changed = await app.ask("PATCH", path, {"max_w": 500})
    assert (changed["max_w"], changed["name"]) == (500.0, "A")
    await farm.printers.delete(farm.admin, one.id)
    assert [each["printers"] for each in await app.ask("GET", "/scheduler/circuits")] == [[]]
    await app.ask("DELETE", path, expect=204)
    await app.ask("PATCH", path, {"max_w": 500}, expect=404)
