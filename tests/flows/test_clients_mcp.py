"""The published O.D.I.N. MCP client drives a running farm (v1 contract, section 3)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.farm.started import StartedFarm
from tests.fakes.mcp import Mcp
from tests.fakes.npm import NPM
from tests.flows.conftest import Faces, eventually

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        NPM is None, reason="the published client runs on Node.js: install nodejs and npm"
    ),
]


@pytest.fixture(scope="module")
def mcp(farm: StartedFarm) -> Iterator[Mcp]:
    with Mcp(farm.ready["url"], farm.ready["token"]) as started:
        yield started


@pytest.fixture
def model_id(faces: Faces, vase: str) -> int:
    files = {"file": ("by agent.gcode", vase)}
    return int(faces.v1.post("/print-files/upload", files=files).json()["model_id"])


def status_of(mcp: Mcp, job_id: int) -> str:
    return str(mcp.call("get_job", id=job_id)["status"])


def test_reading_tools(mcp: Mcp, faces: Faces) -> None:
    """farm_summary, list_printers, get_printer, list_jobs, list_queue, as agents see them."""
    printer = faces.printer["id"]
    listed: list[Any] = mcp.call("list_printers")["printers"]
    assert [one["id"] for one in listed] == [printer]
    assert mcp.call("list_printers", status_filter="offline")["printers"] == []
    one = mcp.call("get_printer", id=printer)
    assert (one["id"], one["status"]) == (printer, "idle")
    assert isinstance(mcp.call("list_jobs")["jobs"], list)
    assert mcp.call("list_jobs", status_filter="completed", limit=1)["jobs"] == []
    assert mcp.call("list_queue")["queue"] == []


def test_a_job_is_queued_printed_paused_resumed_and_cancelled(
    mcp: Mcp, faces: Faces, model_id: int
) -> None:
    """queue_job, get_job, pause_printer, resume_printer, cancel_job."""
    printer = faces.printer["id"]
    job = mcp.call("queue_job", model_id=model_id, printer_id=printer, notes="for an agent")
    assert job["printer_id"] == printer
    eventually(lambda: status_of(mcp, job["id"]) == "printing", 30.0, "printing")
    paused = mcp.call("pause_printer", printer_id=printer)
    assert paused["success"] is True
    eventually(lambda: mcp.call("get_printer", id=printer)["status"] == "paused", 20.0, "paused")
    assert mcp.call("resume_printer", printer_id=printer)["success"] is True
    eventually(lambda: mcp.call("get_printer", id=printer)["status"] == "printing", 20.0, "again")
    mcp.call("cancel_job", job_id=job["id"], reason="seen enough")
    eventually(lambda: status_of(mcp, job["id"]) == "cancelled", 30.0, "cancelled")
    assert job["id"] in [one["id"] for one in mcp.call("list_jobs")["jobs"]]


LIVE = {
    *("farm_summary", "list_printers", "get_printer", "list_jobs", "get_job", "list_queue"),
    *("list_alerts", "list_spools", "list_filaments", "list_maintenance_tasks", "list_orders"),
    *("queue_job", "cancel_job", "approve_job", "reject_job", "pause_printer", "resume_printer"),
    *("mark_alert_read", "dismiss_alert", "assign_spool", "consume_spool", "complete_maintenance"),
}


def test_all_live_tools_are_tried(mcp: Mcp) -> None:
    """The 22 tools of the published client; this module calls each of them (v1 section 3)."""
    assert mcp.tools() >= LIVE
    source = Path(__file__).read_text(encoding="utf-8")
    asked = set(re.findall(r"(?:call|refused|rehearsed)\(\s*(?:mcp, )?\"(\w+)\"", source))
    assert asked >= LIVE, LIVE - asked


def rehearsed(mcp: Mcp, tool: str, **arguments: Any) -> Any:
    """What *tool* would do; fails unless it is a preview."""
    preview = mcp.call(tool, dry_run=True, **arguments)
    assert preview["dry_run"] is True, preview
    return preview["would_execute"]


def made(faces: Faces, path: str, **body: Any) -> Any:
    answer = faces.v1.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def test_a_queued_job_is_rehearsed_first(mcp: Mcp, faces: Faces, model_id: int) -> None:
    """queue_job and cancel_job with dry_run: nothing happens until they are said for real."""
    before = mcp.call("list_jobs")["jobs"]
    would = rehearsed(mcp, "queue_job", model_id=model_id, notes="rehearsal", quantity=2)
    assert (would["action"], would["quantity"], would["model_id"]) == ("queue_job", 2, model_id)
    assert mcp.call("list_jobs")["jobs"] == before
    printer = faces.printer["id"]
    faces.v1.post(f"/printers/{printer}/queue/hold").raise_for_status()
    job = mcp.call("queue_job", model_id=model_id, printer_id=printer)["id"]
    assert job in [one["id"] for one in mcp.call("list_queue")["queue"]]
    would = rehearsed(mcp, "cancel_job", job_id=job)
    assert (would["from_status"], would["to_status"]) == ("pending", "cancelled")
    assert status_of(mcp, job) == "pending"
    assert mcp.call("cancel_job", job_id=job)["status"] == "cancelled"
    faces.v1.post(f"/printers/{printer}/queue/release").raise_for_status()


def test_jobs_are_approved_and_rejected(mcp: Mcp, faces: Faces) -> None:
    """approve_job and reject_job: what a viewer submitted; the viewer is told of it."""
    viewer = {"username": "pupil", "email": "", "password": "Correct-horse-7", "role": "viewer"}
    made(faces, "/users", **viewer)
    login = {"username": "pupil", "password": viewer["password"]}
    token = made(faces, "/auth/login", **login)["access_token"]
    faces.v1.put("/config/require-job-approval", json={"enabled": True}).raise_for_status()
    theirs = {"Authorization": f"Bearer {token}"}
    with httpx.Client(
        base_url=faces.v1.base_url, headers=theirs, timeout=30, trust_env=False
    ) as pupil:
        jobs = [
            pupil.post("/jobs", json={"item_name": name, "hold": True}).json()["id"]
            for name in ("good", "bad")
        ]
        assert {one["id"] for one in mcp.call("list_jobs", status_filter="submitted")["jobs"]} == {
            *jobs
        }
        assert rehearsed(mcp, "approve_job", job_id=jobs[0])["to_status"] == "pending"
        assert rehearsed(mcp, "reject_job", job_id=jobs[1], reason="no")["action"] == "reject_job"
        assert mcp.call("approve_job", job_id=jobs[0])["status"] == "approved"
        answer = mcp.call("reject_job", job_id=jobs[1], reason="too big")
        assert (answer["status"], answer["reason"]) == ("rejected", "too big")
        told = {one["alert_type"] for one in pupil.get("/alerts").json()}
    assert told == {"job_approved", "job_rejected"}
    mine = mcp.call("list_alerts", unread_only=True)["alerts"]
    assert "job_submitted" in {one["alert_type"] for one in mine}
    faces.v1.put("/config/require-job-approval", json={"enabled": False}).raise_for_status()


def test_a_print_is_paused_and_resumed_only_for_real(mcp: Mcp, faces: Faces, model_id: int) -> None:
    """pause_printer and resume_printer with dry_run do not reach the printer."""
    printer = faces.printer["id"]
    refused = mcp.refused("pause_printer", printer_id=printer, dry_run=True)
    assert refused["code"], "nothing prints yet"
    faces.v1.post(f"/printers/{printer}/queue/release").raise_for_status()
    job = mcp.call("queue_job", model_id=model_id, printer_id=printer)["id"]
    eventually(lambda: status_of(mcp, job) == "printing", 30.0, "printing")
    would = rehearsed(mcp, "pause_printer", printer_id=printer)
    assert (would["action"], would["target_gcode_state"]) == ("pause_print", "PAUSED")
    assert mcp.call("get_printer", id=printer)["status"] == "printing"
    mcp.call("pause_printer", printer_id=printer)
    eventually(lambda: mcp.call("get_printer", id=printer)["status"] == "paused", 20.0, "paused")
    would = rehearsed(mcp, "resume_printer", printer_id=printer)
    assert (would["current_gcode_state"], would["target_gcode_state"]) == ("PAUSED", "RUNNING")
    assert mcp.call("get_printer", id=printer)["status"] == "paused"
    mcp.call("cancel_job", job_id=job)
    eventually(lambda: status_of(mcp, job) == "cancelled", 30.0, "cancelled")
    faces.v1.post(f"/printers/{printer}/queue/release").raise_for_status()


def test_spools_alerts_and_orders(mcp: Mcp, faces: Faces) -> None:
    """list_filaments, list_spools, assign_spool, consume_spool, list_alerts, mark_alert_read,
    dismiss_alert, list_orders, farm_summary.
    """
    printer = faces.printer["id"]
    filament = made(faces, "/filaments", brand="Acme", name="Red", material="PETG")["id"]
    spool = made(faces, "/spools", filament_id=filament, initial_weight_g=100)["id"]
    assert f"lib_{filament}" in [one["id"] for one in mcp.call("list_filaments")["filaments"]]
    free = mcp.call("list_spools", filament_type="PETG", available_only=True)["spools"]
    assert [one["id"] for one in free] == [spool]
    place = {"spool_id": spool, "printer_id": printer, "ams_slot": 1}
    assert rehearsed(mcp, "assign_spool", **place)["new_spool_id"] == spool
    assert mcp.call("assign_spool", **place)["previous_spool_id"] is None
    assert mcp.call("list_spools", available_only=True)["spools"] == []
    slot = mcp.call("get_printer", id=printer)["filament_slots"][0]
    assert (slot["assigned_spool_id"], slot["remaining"]) == (spool, 100)
    would = rehearsed(mcp, "consume_spool", spool_id=spool, grams=60)
    assert would["new_remaining_g"] == 40
    assert mcp.call("consume_spool", spool_id=spool, grams=60)["remaining_weight_g"] == 40
    alerts = mcp.call("list_alerts", severity="warning", unread_only=True)["alerts"]
    alert = next(one["id"] for one in alerts if one["alert_type"] == "spool_low")
    assert rehearsed(mcp, "mark_alert_read", alert_id=alert)["from_is_read"] is False
    assert mcp.call("mark_alert_read", alert_id=alert)["is_read"] is True
    assert rehearsed(mcp, "dismiss_alert", alert_id=alert)["also_marks_read"] is False
    assert mcp.call("dismiss_alert", alert_id=alert)["is_dismissed"] is True
    assert alert not in [one["id"] for one in mcp.call("list_alerts")["alerts"]]
    order = made(faces, "/orders", order_number="A-7")["id"]
    assert [one["id"] for one in mcp.call("list_orders", status_filter="pending")["orders"]] == [
        order
    ]
    assert mcp.call("list_orders", status_filter="completed")["orders"] == []
    assert mcp.call("farm_summary")


def print_a_second(faces: Faces) -> None:
    """Something for the printer's clock to count."""
    files = {"file": ("second.gcode", b"G28\nG4 P400\nG1 X10 F600\n")}
    file = faces.v1.post("/print-files/upload", files=files).raise_for_status().json()["id"]
    job = made(faces, "/jobs", item_name="a second", print_file_id=file)["id"]
    eventually(lambda: faces.job_of(job)["status"] == "completed", 30.0, "a short print")


def test_maintenance_is_listed_and_completed(mcp: Mcp, faces: Faces) -> None:
    """list_maintenance_tasks and complete_maintenance with nothing but the task (ours)."""
    task = made(faces, "/maintenance/tasks", name="Oil it", interval_print_hours=0.000001)["id"]
    print_a_second(faces)
    late = [one["id"] for one in mcp.call("list_maintenance_tasks", overdue_only=True)["tasks"]]
    assert late == [task]
    would = rehearsed(mcp, "complete_maintenance", task_id=task)
    assert (would["task_name"], would["printer_id"]) == ("Oil it", faces.printer["id"])
    done = mcp.call("complete_maintenance", task_id=task, notes="by an agent")
    assert done["printer_ids"] == [faces.printer["id"]]
    assert mcp.call("list_maintenance_tasks", overdue_only=True)["tasks"] == []


def test_a_call_whose_answer_was_lost_is_said_again(faces: Faces, model_id: int) -> None:
    """The client sends a new key with each call; its own retry, as it would look on the wire."""
    sent = {"Idempotency-Key": "0b0e7d1c-5c0d-4d7a-9d8e-2f1f5b1a7c11"}
    body = {"model_id": model_id, "item_name": "retry", "priority": 3, "quantity": 1}
    first, again = (faces.v1.post("/jobs", json=body, headers=sent) for _ in range(2))
    assert (first.json()["id"], again.headers["X-Idempotent-Replay"]) == (
        *(again.json()["id"],),
        "true",
    )
    faces.v1.post(f"/jobs/{first.json()['id']}/cancel").raise_for_status()


def test_a_refusal_reaches_the_agent_with_its_code(mcp: Mcp) -> None:
    """error {code, detail, retriable}: what is not there, and what does not fit."""
    gone = mcp.refused("get_job", id=987654)
    assert (gone["code"], gone["retriable"], gone["status"]) == ("job_not_found", False, 404)
    gone = mcp.refused("pause_printer", printer_id=987654)
    assert gone["code"] == "printer_not_found"
    wrong = mcp.refused("queue_job", model_id=987654)
    assert wrong["code"] == "model_not_found"
