"""The published O.D.I.N. MCP client drives a running farm (v1 contract, section 3)."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.farm.started import StartedFarm
from tests.fakes.mcp import NPM, Mcp
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


def test_a_refusal_reaches_the_agent_with_its_code(mcp: Mcp) -> None:
    """error {code, detail, retriable}: what is not there, and what does not fit."""
    gone = mcp.refused("get_job", id=987654)
    assert (gone["code"], gone["retriable"], gone["status"]) == ("job_not_found", False, 404)
    gone = mcp.refused("pause_printer", printer_id=987654)
    assert gone["code"] == "printer_not_found"
    wrong = mcp.refused("queue_job", model_id=987654)
    assert wrong["code"] == "model_not_found"
