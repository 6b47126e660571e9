"""v1 routes of jobs: shapes, filters, life by hand and by printer."""

from dataclasses import replace

import pytest

from api.jobs import endings
from api.models_library.models import PrintFile
from schemas.commands import Verb
from schemas.jobs import AttemptEvent
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp

#: v1 contract, 2.4, JobResponse.
CONTRACT_FIELDS = [
    "item_name",
    "model_id",
    "quantity",
    "priority",
    "duration_hours",
    "colors_required",
    "filament_type",
    "notes",
    "hold",
    "due_date",
    "required_tags",
    "target_type",
    "target_filter",
    "id",
    "status",
    "printer_id",
    "scheduled_start",
    "scheduled_end",
    "actual_start",
    "actual_end",
    "match_score",
    "is_locked",
    "created_at",
    "updated_at",
    "colors_list",
    "effective_duration",
    "estimated_cost",
    "suggested_price",
    "model_revision_id",
    "order_item_id",
    "quantity_on_bed",
    "printer",
    "model",
]


@pytest.fixture
def app(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> FarmApp:
    monkeypatch.setattr(endings, "CANCEL_WAIT_S", 0.05)
    return FarmApp(farm)


async def print_file(farm: Farm) -> PrintFile:
    blob = await farm.blob()
    return await PrintFile.create(
        organization_id=1,
        model_id=3,
        blob_id=blob.id,
        filename="cube.gcode",
        original_filename="cube.gcode",
        uploaded_at=farm.clock.now(),
    )


async def test_job_is_queued_with_every_field(app: FarmApp, farm: Farm) -> None:
    """v1 2.4: JobResponse and next_actions; the printer of the MCP client pins it."""
    printer, file = await farm.printer("One", "usb:1"), await print_file(farm)
    body = {
        "item_name": "Cube",
        "model_id": 3,
        "printer_id": printer.id,
        "priority": "urgent",
        "colors_required": "red, blue",
        "due_date": "2026-02-01T10:00:00Z",
    }
    job = await app.ask("POST", "/jobs", body, 201)
    assert set(CONTRACT_FIELDS) | {"next_actions"} <= job.keys()
    assert (job["status"], job["printer_id"], job["priority"]) == ("pending", printer.id, 1)
    assert (job["print_file_id"], job["colors_list"]) == (file.id, ["red", "blue"])
    assert job["due_date"] == "2026-02-01T10:00:00.000Z"
    await farm.scheduler.step()
    shown = await app.ask("GET", f"/jobs/{job['id']}")
    assert shown["status"] == "waiting_plate_clear"
    assert shown["waiting_for"] == "somebody to say that the plate of One is clear"
    assert [each["id"] for each in await app.ask("GET", "/jobs?status=pending")] == [job["id"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"item_name": "A", "quantity": 0}, 422),
        ({"item_name": "A", "priority": "soon"}, 422),
        ({"item_name": "A", "printer_id": 99}, 404),
        ({"item_name": "A", "print_file_id": 99}, 404),
    ],
)
async def test_wrong_job_is_refused(app: FarmApp, body: dict[str, object], status: int) -> None:
    """4xx, and no job."""
    await app.ask("POST", "/jobs", body, status)
    assert await app.ask("GET", "/jobs") == []


async def test_status_filter_knows_its_words(app: FarmApp, farm: Farm) -> None:
    """The MCP's `submitted` and `queued` work; anything else is 422."""
    await farm.job(submitted=True)
    await farm.job()
    counts = {
        word: len(await app.ask("GET", f"/jobs?status={word}"))
        for word in ("submitted", "queued", "pending", "printing", "paused", "rejected")
    }
    assert list(counts.values()) == [1, 1, 1, 0, 0, 0]
    await app.ask("GET", "/jobs?status=lost", expect=422)


async def test_dispatch_is_the_explicit_start(app: FarmApp, farm: Farm) -> None:
    """Naming the printer is the plate claim under start_confirms; twice is a conflict."""
    printer = await farm.printer("One", "usb:1")
    job = await farm.job()
    await app.ask("POST", f"/jobs/{job.id}/dispatch", {}, 400)
    started = await app.ask("POST", f"/jobs/{job.id}/dispatch", {"printer_id": printer.id})
    assert (started["status"], started["job_id"]) == ("scheduled", job.id)
    await app.ask("POST", f"/jobs/{job.id}/dispatch", {"printer_id": printer.id}, 400)
    other = await farm.job()
    busy = await app.ask("POST", f"/jobs/{other.id}/dispatch", {"printer_id": printer.id}, 409)
    assert busy["error"]["code"] == "printer_busy"


async def test_print_file_and_model_are_scheduled(app: FarmApp, farm: Farm) -> None:
    """A job named after its file; after its model while that has none, to be printed by hand."""
    printer, file = await farm.printer(), await print_file(farm)
    job = await app.ask("POST", f"/print-files/{file.id}/schedule?printer_id={printer.id}")
    assert (job["item_name"], job["printer_id"], job["job_id"]) == ("cube", printer.id, job["id"])
    assert (await app.ask("POST", "/models/3/schedule"))["print_file_id"] == file.id
    by_hand = await app.ask("POST", "/models/4/schedule")
    assert (by_hand["item_name"], by_hand["print_file_id"]) == ("Model 4", None)
    assert (by_hand["status"], by_hand["duration_hours"]) == ("pending", 1.5)
    await app.ask("POST", "/models/404/schedule", expect=404)


async def test_life_by_hand(app: FarmApp, farm: Farm) -> None:
    """start, complete, fail, reset and repeat on a printer without a bridge."""
    printer = await farm.printer("Hand", None)
    body = {"item_name": "A", "printer_id": printer.id}
    job = await app.ask("POST", "/jobs", body, 201)
    path = f"/jobs/{job['id']}"
    assert (await app.ask("POST", f"{path}/start"))["status"] == "printing"
    assert (await app.ask("GET", f"/printers/{printer.id}"))["status"] == "printing"
    failed = await app.ask("POST", f"{path}/fail?notes=spaghetti")
    assert (failed["status"], failed["reason"]) == ("failed", "spaghetti")
    assert (await app.ask("POST", f"{path}/reset"))["status"] == "pending"
    await app.ask("POST", f"{path}/start")
    assert (await app.ask("POST", f"{path}/complete"))["progress"] == 100.0
    again = await app.ask("POST", f"{path}/repeat")
    assert again["new_job_id"] != job["id"]
    await app.ask("POST", f"{path}/cancel", {}, 400)


async def test_cancel_answers_honestly(app: FarmApp, farm: Farm) -> None:
    """Waiting: cancelled. Printing in a silent room: 503, and the job says it was asked."""
    printer = await farm.printer()
    job = await farm.job(printer)
    await farm.scheduler.step()
    await farm.run(printer, AttemptEvent.STARTED)
    await farm.commands.mark_sent([await farm.last(Verb.START)], epoch=1)
    await app.ask("POST", f"/jobs/{job.id}/cancel", {}, 503)
    shown = await app.ask("GET", f"/jobs/{job.id}")
    assert (shown["status"], shown["cancel_requested"]) == ("printing", True)
    assert (await app.ask("POST", f"/jobs/{job.id}/cancel", {"force": True}))[
        "status"
    ] == "cancelled"
    waiting = await farm.job()
    await app.ask("PATCH", f"/jobs/{waiting.id}", {"hold": True, "priority": "low"})
    assert (await app.ask("POST", f"/jobs/{waiting.id}/cancel"))["status"] == "cancelled"


async def test_approval_routes(app: FarmApp, farm: Farm) -> None:
    """approve, reject with a reason, resubmit."""
    job = await farm.job(submitted=True)
    await app.ask("POST", f"/jobs/{job.id}/reject", {}, 422)
    rejected = await app.ask("POST", f"/jobs/{job.id}/reject", {"reason": "too big"})
    assert (rejected["status"], rejected["reason"]) == ("rejected", "too big")
    assert (await app.ask("POST", f"/jobs/{job.id}/resubmit"))["status"] == "resubmitted"
    assert (await app.ask("POST", f"/jobs/{job.id}/approve"))["status"] == "approved"


async def test_foreign_jobs_answer_like_none(app: FarmApp, farm: Farm) -> None:
    """S25: every route with a job's id answers 404 to another organization, and does nothing."""
    job = await farm.job(await farm.printer())
    app.principal = replace(farm.admin, organization_id=2, is_superadmin=False)
    before = await farm.kinds()
    moved = {"printer_id": 1, "scheduled_start": "2026-11-21T16:30:00Z"}
    body = {"reason": "x", "fail_reason": "clog", **moved}
    for method, path, _ in app.v1.routes:
        if path.startswith("/jobs/<int:job_id>"):
            mine = path.replace("<int:job_id>", str(job.id))
            await app.ask(method, mine, body if method != "GET" else None, 404)
    assert await farm.kinds() == before


async def test_many_jobs_by_http(app: FarmApp, farm: Farm) -> None:
    """v1 2.4: bulk, batch, reorder, bulk-update, move, failure, delete in the contract's form."""
    one, two = await farm.printer("One", None), await farm.printer("Two", None)
    made = await app.ask("POST", "/jobs/bulk", [{"item_name": "a"}, {"item_name": "b"}], 201)
    assert [job["item_name"] for job in made] == ["a", "b"]
    both = {"item_name": "c", "printer_ids": [one.id, two.id], "priority": "high"}
    batch = await app.ask("POST", "/jobs/batch", both)
    assert [(job["printer_id"], job["status"]) for job in batch] == [(1, "pending"), (2, "pending")]
    assert await app.ask("PATCH", "/jobs/reorder", {"job_ids": [2, 1]}) == {"reordered": 2}
    assert [job["id"] for job in await app.ask("GET", "/jobs")] == [3, 4, 2, 1]
    done = await app.ask("POST", "/jobs/bulk-update", {"job_ids": [1, 2], "action": "hold"})
    assert done == {"status": "ok", "affected": 2}
    start = {"printer_id": one.id, "scheduled_start": "2026-05-01T10:00:00+02:00"}
    moved = await app.ask("PATCH", "/jobs/1/move", start)
    assert moved["scheduled_start"] == "2026-05-01T08:00:00.000Z"
    assert moved["scheduled_end"] == "2026-05-01T09:00:00.000Z"
    await app.ask("POST", "/jobs/3/start")
    await app.ask("POST", "/jobs/3/fail?notes=stuck")
    told = await app.ask("PATCH", "/jobs/3/failure", {"fail_reason": "clog", "fail_notes": "x"})
    assert told == {"success": True, "message": "Nozzle clog"}
    reasons = await app.ask("GET", "/failure-reasons")
    assert {"value": "clog", "label": "Nozzle clog"} in reasons
    await app.ask("DELETE", "/jobs/1", expect=204)
    await app.ask("GET", "/jobs/1", expect=404)
    for path, wrong in (
        ("/jobs/bulk", []),
        ("/jobs/bulk", {"item_name": "x"}),
        ("/jobs/bulk", [{"item_name": ""}]),
        ("/jobs/bulk", [{"item_name": "x"}] * 101),
        ("/jobs/batch", {"item_name": "x", "printer_ids": []}),
        ("/jobs/bulk-update", {"job_ids": [2], "action": "explode"}),
        ("/jobs/bulk-update", {"job_ids": [2], "action": "set_priority"}),
    ):
        await app.ask("POST", path, wrong, 422)
