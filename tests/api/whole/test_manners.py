"""What v1's clients count on in every call: refusals, summaries, a full disk told apart."""

from typing import Any

import pytest
from tortoise.exceptions import DBConnectionError

from api.db import OutcomeUnknown
from tests.api.whole.conftest import GCODE, Whole
from tests.fakes import databases

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_has_no_dry_run_says_so(whole: Whole) -> None:
    """501 dry_run_unsupported instead of the real thing (v1 1.7); reading ignores the header."""
    before = await whole.rows()
    dry = {"X-Dry-Run": "true"}
    for method, path in (
        *(("POST", "/api/v1/printers"), ("POST", "/api/v1/models")),
        *(("DELETE", "/api/v1/printers/1"), ("PATCH", "/api/v1/printers/1")),
    ):
        answer = await whole.ask("admin", method, path, headers=dry, json={"name": "n"})
        assert answer.status_code == 501, path
        assert answer.json()["error"]["code"] == "dry_run_unsupported"
    assert (await whole.ask("admin", "GET", "/api/v1/jobs", headers=dry)).status_code == 200
    off = {"X-Dry-Run": "0"}
    answer = await whole.ask("admin", "POST", "/api/v1/jobs/987654/reset", headers=off)
    assert answer.status_code == 404
    assert await whole.rows() == before


async def test_a_job_shows_its_model_and_a_schedule_its_file(whole: Whole) -> None:
    """`model` is a summary (v1 2.4); scheduling names what was scheduled (v1 2.5)."""
    files = {"file": ("vase_two.gcode", GCODE)}
    file = (await whole.ask("admin", "POST", "/api/v1/print-files/upload", files=files)).json()
    model = {"id": file["model_id"], "name": "vase_two"}
    path = f"/api/v1/print-files/{file['id']}/schedule"
    one = (await whole.ask("admin", "POST", path)).json()
    assert (one["file_id"], one["project_name"]) == (file["id"], "vase_two")
    assert (one["job_id"], one["model"], one["status"]) == (one["id"], model, "pending")
    path = f"/api/v1/models/{file['model_id']}/schedule"
    other = (await whole.ask("admin", "POST", path)).json()
    assert (other["model_id"], other["model_name"]) == (model["id"], model["name"])


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/jobs"])
async def test_a_full_disk_is_503_and_reading_goes_on(whole: Whole, path: str) -> None:
    """storage_unavailable and retriable, nothing kept; later the same call succeeds."""
    before = await whole.rows()
    body = [{"item_name": "large", "notes": "n" * 10_000}] * 10
    async with databases.full_disk():
        full = await whole.ask("admin", "POST", f"{path}/bulk", json=body)
        assert full.status_code == 503, full.text
        assert full.json()["error"]["code"] == "storage_unavailable"
        assert full.json()["error"]["retriable"] is True
        assert "disk of the database is full: make room" in full.json()["detail"]
        assert (await whole.ask("admin", "GET", path)).status_code == 200
        assert await whole.rows() == before
    whole.application.readiness._full_until = 0.0  # the other tests' farm need not rest
    assert (await whole.ask("admin", "POST", f"{path}/bulk", json=body)).status_code == 201


async def test_an_outcome_that_nobody_knows_is_told_as_such(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks again without looking might have it twice (safety R23)."""

    def lost(*_: object) -> None:
        raise OutcomeUnknown("the database went away during a commit")

    monkeypatch.setattr(whole.application.rooms.ledger, "change", lost)
    answer = await whole.ask("admin", "POST", "/api/v1/jobs", json={"item_name": "one"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "storage_unavailable"
    assert "Look before you ask again" in answer.json()["detail"]


@pytest.mark.parametrize("is_upload", [False, True])
async def test_what_was_done_before_the_database_went_is_told(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, is_upload: bool
) -> None:
    """503 that says so: who asked again without looking had two jobs, or two files (safety R21)."""
    room: Any = whole.application.rooms.jobs
    name = "create"
    if is_upload:
        room, name = whole.application.rooms.library, "sliced"
    real = getattr(room, name)

    async def lost(*given: object) -> None:
        if not is_upload:
            await real(*given)
        raise DBConnectionError("the connection to the database was lost")

    monkeypatch.setattr(room, name, lost)
    if is_upload:
        files = {"file": ("told.gcode", GCODE)}
        answer = await whole.ask("admin", "POST", "/api/v1/print-files/upload", files=files)
    else:
        answer = await whole.ask("admin", "POST", "/api/v1/jobs", json={"item_name": "told"})
    assert answer.status_code == 503
    assert "done already. Look before you ask again" in answer.json()["detail"]


async def test_who_may_not_hears_so_before_what_is_wrong_with_the_body(whole: Whole) -> None:
    """v1 1.4: 403 comes before 422, whatever was sent."""
    for method, path in (("POST", "/printers"), ("POST", "/users"), ("POST", "/jobs/bulk")):
        body: object
        for body in ({}, [], {"name": 7}):
            answer = await whole.ask("viewer", method, f"/api/v1{path}", json=body)
            assert answer.status_code == 403, (path, body)


async def test_a_shared_printer_is_seen_by_others_and_stays_its_owners(whole: Whole) -> None:
    """v1 1.4: people see their organization's rows and shared printers; the rest is 404."""
    body = {"name": "For all to see", "shared": True}
    printer = (await whole.ask("admin", "POST", "/api/v1/printers", json=body)).json()
    one = f"/api/v1/printers/{printer['id']}"

    async def listed() -> set[int]:
        rows = (await whole.ask("foreigner", "GET", "/api/v1/printers")).json()
        return {row["id"] for row in rows}

    assert printer["id"] in await listed()
    for path in (one, f"{one}/live-status", f"{one}/slots"):
        assert (await whole.ask("foreigner", "GET", path)).status_code == 200, path
    for method, path in (("PATCH", one), ("DELETE", one), ("POST", f"{one}/pause")):
        answer = await whole.ask("foreigner", method, path, json={})
        assert answer.status_code == 404, (method, path)
    await whole.ask("admin", "PATCH", one, json={"shared": False})
    assert printer["id"] not in await listed()
    assert (await whole.ask("foreigner", "GET", one)).status_code == 404
    assert (await whole.ask("admin", "DELETE", one)).status_code == 204
