"""Contract v1 2.4 to 2.6, row by row: changes of jobs, revisions and prices, the shelf."""

from typing import Any

import pytest
import pytest_asyncio

from tests.api.whole.conftest import GCODE, Whole
from tests.api.whole.rows import Page, Row

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODEL = """name build_time_hours default_filament_type color_requirements category thumbnail_url
    thumbnail_b64 notes cost_per_item units_per_bed quantity_per_bed markup_percent is_favorite id
    created_at updated_at required_colors total_filament_grams time_per_item filament_per_item
    value_per_bed value_per_hour"""
REVISION = "id revision_number file_path changelog uploaded_by uploaded_by_name created_at"


def refused(code: str) -> Any:
    """Whether an answer has this code."""
    return lambda answer: answer["error"]["code"] == code


JOBS = (
    Row(
        promise="PATCH /jobs/{id} takes status: what the life cycle has",
        call="PATCH /jobs/{job}",
        body={"status": "cancelled"},
        holds=lambda job: (job["status"], job["is_locked"]) == ("cancelled", True),
    ),
    Row(
        promise="an illegal transition: 400 invalid_state_transition",
        call="PATCH /jobs/{job}",
        body={"status": "completed"},
        status=400,
        holds=refused("invalid_state_transition"),
    ),
    Row(
        promise="a status that is none: 422",
        call="PATCH /jobs/{job}",
        body={"status": "melted"},
        status=422,
    ),
    Row(
        promise="reset by status, with is_locked, scheduled_start and scheduled_end",
        call="PATCH /jobs/{job}",
        body={
            "status": "pending",
            "is_locked": True,
            "scheduled_start": "2031-01-01T10:00:00Z",
            "scheduled_end": "2031-01-01T13:00:00Z",
        },
        holds=lambda job: (
            (job["status"], job["is_locked"], job["scheduled_end"], job["duration_hours"])
            == ("pending", True, "2031-01-01T13:00:00.000Z", 3)
        ),
    ),
    Row(
        promise="is_locked: its time stays",
        call="PATCH /jobs/{job}/move",
        body={"printer_id": "<printer>", "scheduled_start": "2031-02-01T10:00:00Z"},
        status=400,
        holds=refused("invalid_state_transition"),
    ),
    Row(
        promise="null leaves status, scheduled_end and is_locked",
        call="PATCH /jobs/{job}",
        body={"status": None, "scheduled_end": None, "is_locked": None, "notes": "x"},
        holds=lambda job: (job["status"], job["is_locked"], job["notes"]) == ("pending", True, "x"),
    ),
    Row(
        promise="POST /jobs/batch queue_only: on hold",
        call="POST /jobs/batch",
        body={"item_name": "later", "printer_ids": ["<printer>"], "queue_only": True},
        fields="id printer_id status",
    ),
    Row(
        promise="and the queue leaves it alone",
        call="GET /jobs?printer_id={printer}",
        holds=lambda jobs: any(job["item_name"] == "later" and job["hold"] for job in jobs),
    ),
    Row(
        promise="link-print?print_job_id= is needed",
        call="POST /jobs/{job}/link-print",
        status=422,
    ),
    Row(
        promise="link-print: 404 for a print that is not there or has a job",
        call="POST /jobs/{job}/link-print?print_job_id=987654",
        status=404,
    ),
)
MODELS = (
    Row(promise="GET /models?org_id=", call="GET /models?org_id=1", fields=MODEL),
    Row(
        promise="models-with-pricing: model fields and prices",
        call="GET /models-with-pricing?org_id=1",
        fields=MODEL
        + " variant_count estimated_cost suggested_price margin_percent bed_x_mm bed_y_mm",
    ),
    Row(
        promise="GET /models/{id}/cost",
        call="GET /models/{model}/cost",
        fields="model_id breakdown estimated_cost suggested_price margin_percent",
    ),
    Row(
        promise="GET /models/{id}/revisions",
        call="GET /models/{model}/revisions",
        fields=REVISION,
    ),
    Row(
        promise="revert: the same bytes as a new revision",
        call="POST /models/{model}/revisions/1/revert",
        fields=REVISION,
        holds=lambda row: row["revision_number"] == 2,
    ),
    Row(
        promise="revert: 404 for a number that there is not",
        call="POST /models/{model}/revisions/99/revert",
        status=404,
        holds=refused("file_not_found"),
    ),
    Row(
        promise="DELETE /models/{id}/variants/{variant}",
        call="DELETE /models/{model}/variants/{file}",
        holds=lambda answer: answer["status"] == "deleted",
    ),
    Row(promise="and it is gone", call="GET /print-files/{file}", status=404),
    Row(promise="mesh: none is kept", call="GET /models/{model}/mesh", status=404),
)
SHELF = (
    Row(
        promise="POST /spools/{id}/dry?duration_hours=&temp_c=&method=&notes=",
        call="POST /spools/{spool}/dry?duration_hours=6&temp_c=50&method=box&notes=wet",
        fields="id spool_id duration_hours temp_c method notes",
    ),
    Row(promise="dry: hours are needed", call="POST /spools/{spool}/dry", status=422),
    Row(
        promise="GET /spools/{id}/drying-history",
        call="GET /spools/{spool}/drying-history",
        holds=lambda rows: [row["method"] for row in rows] == ["box"],
    ),
    Row(
        promise="GET /filaments/combined",
        call="GET /filaments/combined",
        fields="id source brand name material color_hex display_name spool_count",
    ),
    Row(
        promise="POST /spools/bulk-update {spool_ids, action}",
        call="POST /spools/bulk-update",
        body={"spool_ids": ["<spool>"], "action": "delete"},
        holds=lambda answer: answer["affected"] == 1,
    ),
    Row(promise="and it is gone", call="GET /spools/{spool}", status=404),
    Row(
        promise="bulk-update: archive, activate or delete",
        call="POST /spools/bulk-update",
        body={"spool_ids": ["<spool>"], "action": "melt"},
        status=422,
    ),
    Row(
        promise="GET /spoolman/spools: none is connected",
        call="GET /spoolman/spools",
        status=403,
        holds=refused("feature_disabled"),
    ),
)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def ids(farm_with_all: Whole) -> dict[str, Any]:
    """A printer that people run by hand, a job, a model with its file, and a spool."""
    whole = farm_with_all

    async def make(path: str, **given: Any) -> Any:
        answer = await whole.ask("admin", "POST", f"/api/v1{path}", **given)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    form = {"file": ("rows of models.gcode", GCODE + b"; rows\n")}
    file = await make("/print-files/upload", files=form)
    spool = {"filament_id": int(whole.ids["filament_id"])}
    return {
        "printer": (await make("/printers", json={"name": "Row of models"}))["id"],
        "job": (await make("/jobs", json={"item_name": "rows"}))["id"],
        "file": file["id"],
        "model": file["model_id"],
        "spool": (await make("/spools", json=spool))["id"],
    }


PAGE = Page(*JOBS, *MODELS, *SHELF)


@pytest.mark.parametrize("row", PAGE.rows, ids=str)
async def test_v1_models(whole: Whole, ids: dict[str, Any], row: Row) -> None:
    """Status, fields and what else the row promises."""
    answer = await PAGE.asked(row, whole, ids)
    assert row.missing(answer) == set()
    assert row.holds(answer), answer
