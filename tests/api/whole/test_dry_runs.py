"""X-Dry-Run (v1 1.7): the real call's checks and words, and not a row is different after it."""

from typing import Any

import httpx
import pytest

from api.events.service import Happened
from tests.api.whole.conftest import Whole
from tests.api.whole.test_roles import BODIES, nothing

pytestmark = pytest.mark.asyncio(loop_scope="session")

DRY = {"X-Dry-Run": "yes"}


async def dry(whole: Whole, method: str, path: str, body: Any = None) -> httpx.Response:
    """A dry run by the admin."""
    given = {} if body is None else {"json": body}
    path = whole.path(f"/api/v1{path}")
    return await whole.ask("admin", method, path, headers=DRY, **given)


async def would(whole: Whole, method: str, path: str, body: Any = None) -> Any:
    """What it would do; fails unless it is a preview and nothing has changed."""
    before = await whole.rows()
    answer = await dry(whole, method, path, body)
    assert answer.status_code == 200, answer.text
    assert await whole.rows() == before, path
    preview = answer.json()
    assert preview.keys() == {"dry_run", "would_execute", "next_actions", "notes"}
    assert preview["dry_run"] is True
    return preview


async def test_a_job_is_not_queued(whole: Whole) -> None:
    """queue_job: every field of the contract; checks of existence run."""
    model_id = int(whole.ids["model_id"])
    body = {"item_name": "vase", "model_id": model_id, "priority": "urgent", "quantity": 2}
    preview = await would(whole, "POST", "/jobs", body)
    found = preview["would_execute"]
    assert found.keys() >= {
        *("action", "item_name", "model_id", "model_revision_id", "quantity", "priority"),
        *("duration_hours", "effective_filament_type", "effective_colors", "initial_status"),
        *("requires_approval", "estimated_cost", "suggested_price", "target_type", "due_date"),
    }
    assert (found["action"], found["priority"], found["quantity"]) == ("queue_job", 1, 2)
    assert (found["initial_status"], found["requires_approval"]) == ("pending", False)
    assert {"tool": "list_queue", "args": {}} in preview["next_actions"]
    answer = await dry(whole, "POST", "/jobs", {**body, "model_id": 987654})
    assert answer.json()["error"]["code"] == "model_not_found"
    assert (await dry(whole, "POST", "/jobs", {"quantity": 0})).status_code == 422


async def test_a_job_is_not_cancelled_held_moved_or_deleted(whole: Whole) -> None:
    """cancel_job as tabled, and every other verb of jobs with its ids and facts."""
    body = {"item_name": "dry", "hold": True}
    job = (await whole.ask("admin", "POST", "/api/v1/jobs", json=body)).json()["id"]
    found = (await would(whole, "POST", f"/jobs/{job}/cancel", {}))["would_execute"]
    assert found == {
        **{"action": "cancel_job", "job_id": job, "item_name": "dry"},
        **{"from_status": "pending", "to_status": "cancelled", "would_lock": True},
    }
    for method, path, given in (
        ("POST", "/jobs/bulk-update", {"job_ids": [job], "action": "hold"}),
        ("POST", "/jobs/bulk", [body]),
        ("POST", "/jobs/batch", {"item_name": "x", "printer_ids": [int(whole.ids["printer_id"])]}),
        ("PATCH", "/jobs/reorder", {"job_ids": [job]}),
        ("PATCH", f"/jobs/{job}", {"priority": 1}),
        ("DELETE", f"/jobs/{job}", None),
        ("POST", f"/jobs/{job}/repeat", None),
        (
            *("PATCH", f"/jobs/{job}/move"),
            {
                "printer_id": int(whole.ids["printer_id"]),
                "scheduled_start": "2031-01-01T00:00:00Z",
            },
        ),
    ):
        action = (await would(whole, method, path, given))["would_execute"]["action"]
        assert action, path
    refused = await dry(whole, "POST", f"/jobs/{job}/approve", {})
    assert refused.json()["error"]["code"] == "invalid_state_transition"


async def test_a_submitted_job_is_neither_approved_nor_rejected(whole: Whole) -> None:
    """approve_job and reject_job: who decides, from where to where, who would hear of it."""
    on = {"enabled": True}
    await whole.ask("admin", "PUT", "/api/v1/config/require-job-approval", json=on)
    body = {"item_name": "please"}
    job = (await whole.ask("viewer", "POST", "/api/v1/jobs", json=body)).json()["id"]
    await whole.ask("admin", "PUT", "/api/v1/config/require-job-approval", json={"enabled": False})
    found = (await would(whole, "POST", f"/jobs/{job}/approve", {}))["would_execute"]
    assert (found["from_status"], found["to_status"]) == ("submitted", "pending")
    assert found["approver_id"] and found["would_notify_submitter"] is True
    found = (await would(whole, "POST", f"/jobs/{job}/reject", {"reason": "no"}))["would_execute"]
    assert (found["action"], found["reason"], found["job_id"]) == ("reject_job", "no", job)
    assert found["rejector_id"]


async def test_no_spool_alert_or_maintenance_is_touched(whole: Whole) -> None:
    """consume_spool, assign_spool, mark_alert_read, dismiss_alert, complete_maintenance."""
    spool, printer = int(whole.ids["spool_id"]), int(whole.ids["printer_id"])
    for method in ("POST", "PATCH"):
        found = (await would(whole, method, "/spools/<int:spool_id>/use", {"grams": 1500}))[
            "would_execute"
        ]
        assert found["action"] == "consume_spool"
        assert (found["grams_consumed"], found["new_remaining_g"]) == (1500, 0)
        assert found["would_deplete_to_empty"] is found["would_insert_usage_row"] is True
    body = {"spool_id": spool, "printer_id": printer, "ams_slot": 2}
    found = (await would(whole, "POST", "/filament-slots", body))["would_execute"]
    assert found == {
        **{"action": "assign_spool", "printer_id": printer, "printer_name": "Alpha"},
        **{"slot_number": 2, "new_spool_id": spool, "previous_spool_id": None},
        "spool_filament_type": "PLA",
    }
    assert (await dry(whole, "POST", "/filament-slots", {**body, "ams_slot": 0})).status_code == 404
    async with whole.application.rooms.ledger.change() as change:
        change.record(Happened(1, "job.failed", printer, data={"item_name": "not looked at yet"}))
    [newest] = (await whole.ask("admin", "GET", "/api/v1/alerts?limit=1")).json()
    alert = f"/alerts/{newest['id']}"
    found = (await would(whole, "PATCH", f"{alert}/read"))["would_execute"]
    assert (found["action"], found["from_is_read"]) == ("mark_alert_read", False)
    found = (await would(whole, "PATCH", f"{alert}/dismiss"))["would_execute"]
    assert (found["action"], found["also_marks_read"]) == ("dismiss_alert", True)
    log = {"task_id": int(whole.ids["task_id"]), "printer_id": printer, "notes": "oiled"}
    found = (await would(whole, "POST", "/maintenance/logs", log))["would_execute"]
    assert found["action"] == "complete_maintenance"
    assert (found["task_name"], found["notes"], found["printer_name"]) == (
        *("Oil it", "oiled"),
        "Alpha",
    )


ONE = "/printers/<int:printer_id>"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{ONE}/nozzle", {"nozzle_type": "steel", "nozzle_diameter": 0.8}),
        ("PATCH", f"{ONE}/nozzle/<int:nozzle_id>/retire", None),
        ("PATCH", f"{ONE}/vision", {"enabled": True}),
        ("PATCH", f"{ONE}/slots/1/manual-assign", {"filament_type": "ABS", "color": "dry"}),
        ("PUT", f"{ONE}/ams/0/slots/1", {"filament_type": "ASA", "color": "dry"}),
        ("POST", "/models/<int:model_id>/revisions/1/revert", None),
        ("POST", "/spools/bulk-update", {"spool_ids": ["<spool_id>"], "action": "delete"}),
        ("POST", "/spools/<int:spool_id>/dry?duration_hours=4", None),
    ],
)
async def test_no_fitting_model_or_spool_is_touched(
    whole: Whole, method: str, path: str, body: Any
) -> None:
    """Nozzles, slots, revisions and the shelf: an action, and everything as it was."""
    if body is not None and "spool_ids" in body:
        body = {**body, "spool_ids": [int(whole.ids["spool_id"])]}
    found = (await would(whole, method, path, body))["would_execute"]
    assert found["action"]


async def test_what_would_be_refused_is_refused_in_a_dry_run_too(whole: Whole) -> None:
    """A light that is not there, an AMS, a plug: the same code as of the real call."""
    for method, path, code in (
        ("POST", f"{ONE}/lights", "feature_disabled"),
        ("POST", f"{ONE}/sync-ams", "bad_request"),
        ("POST", f"{ONE}/plug/on", "not_found"),
        ("PUT", f"{ONE}/plug", "feature_disabled"),
    ):
        answer = await dry(whole, method, path, {"type": "psu"})
        assert answer.json()["error"]["code"] == code, path


async def test_a_printer_is_told_nothing(whole: Whole) -> None:
    """Plate, queue and slots are previewed; what cannot reach a printer is refused as always."""
    one = "/printers/<int:printer_id>"
    for path in ("plate-cleared", "queue/hold", "clear-errors"):
        found = (await would(whole, "POST", f"{one}/{path}"))["would_execute"]
        assert found["printer_id"] == int(whole.ids["printer_id"]), path
    assert (await dry(whole, "POST", f"{one}/pause")).status_code == 503
    assert (await dry(whole, "POST", "/printers/987654/resume")).status_code == 404


async def test_who_may_not_is_not_shown_what_would_happen(whole: Whole) -> None:
    """403 for a viewer on all that has a dry run and needs more; 404 for what is not there."""
    before = await whole.rows()
    for route in whole.application.v1.declared:
        key = (route.method, route.path)
        if not route.doc.dry_run or "<int:" not in route.path:
            continue
        path = "/api/v1" + whole.path(route.path, **nothing(route.path))
        given = {"json": BODIES.get(key, {})}
        answer = await whole.ask("admin", route.method, path, headers=DRY, **given)
        assert answer.status_code in (404, 422), key
        path = "/api/v1" + whole.path(route.path)
        if route.doc.right in ("jobs.write", "printers.control", "spools.use"):
            answer = await whole.ask("viewer", route.method, path, headers=DRY, **given)
            assert answer.status_code in (403, 422), key
    assert await whole.rows() == before
