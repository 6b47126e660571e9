"""Contract v1 2.11 and 1, row by row: stats, analytics, search, exports, and the open routes."""

from typing import Any

import pytest
import pytest_asyncio

from tests.api.whole.conftest import REPORT, Whole
from tests.api.whole.rows import Page, Row

pytestmark = pytest.mark.asyncio(loop_scope="session")

PRINTER_STATS = {
    *("id", "name", "completed_jobs", "failed_jobs", "total_hours", "utilization_pct"),
    *("success_rate", "avg_job_hours"),
}
SUMMARY = {
    *("total_models", "total_jobs", "completed_jobs", "pending_jobs", "total_revenue"),
    *("total_cost", "total_margin", "margin_percent", "projected_revenue", "projected_cost"),
    *("total_print_hours", "avg_value_per_hour", "jobs_with_cost_data"),
}
RUN = """id printer_id printer_name job_id filename job_name started_at ended_at status
    progress_percent remaining_minutes total_layers current_layer bed_temp_target
    nozzle_temp_target filament_slots error_code scheduled_job_id created_at model_revision_id
    duration_minutes"""
METRICS = (
    *("odin_printers_total", "odin_printers_online", "odin_printers_printing"),
    *("odin_printers_idle", "odin_printers_error", "odin_printer_nozzle_temp_celsius"),
    *("odin_printer_bed_temp_celsius", "odin_printer_progress", "odin_queue_depth"),
    *("odin_jobs_by_status", "odin_orders_by_status", "odin_spools_total", "odin_spools_low"),
    "odin_alerts_unread",
)
COUNTERS = ("odin_printer_print_hours_total", "odin_printer_print_count_total")


def header(answer: Any) -> list[str]:
    """The first line of a CSV."""
    names: list[str] = answer.split("\r\n")[0].split(",")
    return names


ROWS = (
    Row(
        promise="/stats: printers, jobs, models, spoolman_connected, printer_stats",
        call="GET /stats",
        fields="printers jobs models spoolman_connected printer_stats",
        holds=lambda stats: (
            set(stats["jobs"]) >= {"pending", "scheduled", "printing", "completed_today"}
            and set(stats["printer_stats"][0]) >= PRINTER_STATS
        ),
    ),
    Row(
        promise="/analytics: top_by_hour, worst_performers, summary, printer_stats",
        call="GET /analytics",
        fields="top_by_hour worst_performers summary printer_stats",
        holds=lambda found: (
            set(found["summary"]) >= SUMMARY and "has_plug" in found["printer_stats"][0]
        ),
    ),
    Row(promise="/analytics/failures?days= {<=365}", call="GET /analytics/failures?days=365"),
    Row(promise="366 days are too many", call="GET /analytics/failures?days=366", status=422),
    Row(promise="/analytics/time-accuracy", call="GET /analytics/time-accuracy?days=1"),
    Row(
        promise="/search?q= → {models, jobs, spools, printers}, ≤ 5 each",
        call="GET /search?q=Al",
        fields="models jobs spools printers",
        holds=lambda found: all(len(rows) <= 5 for rows in found.values()),
    ),
    Row(promise="q: 2 to 200 characters", call="GET /search?q=a", status=422),
    Row(
        promise="/metrics: Prometheus text with every name of the contract",
        call="GET /metrics",
        holds=lambda text: (
            [name for name in METRICS if f"# TYPE {name} gauge" not in text] == []
            and [name for name in COUNTERS if f"# TYPE {name} counter" not in text] == []
        ),
    ),
    Row(
        promise="/timeline: start_date, end_date, slot_duration_minutes, printers, slots",
        call="GET /timeline?days=30",
        fields="start_date end_date slot_duration_minutes printers slots",
    ),
    Row(promise="/timeline?days= {<=30}", call="GET /timeline?days=31", status=422),
    Row(promise="/print-jobs/stats answers (500 in 1.9.3)", call="GET /print-jobs/stats"),
    Row(
        promise="/export/jobs: CSV",
        call="GET /export/jobs",
        holds=lambda text: header(text)[:3] == ["ID", "Item Name", "Status"],
    ),
    Row(
        promise="/export/spools: CSV",
        call="GET /export/spools",
        holds=lambda text: (
            {"QR Code", "Remaining (g)", "Material"} <= set(header(text)) and "SPL-" in text
        ),
    ),
    Row(
        promise="/spools/export: CSV, for viewers",
        call="GET /spools/export",
        who="viewer",
        holds=lambda text: header(text)[0] == "ID",
    ),
    Row(
        promise="GET /reports/chargebacks?start_date=&end_date=",
        call="GET /reports/chargebacks?start_date=2026-01-01&end_date=2026-01-31",
        fields="start_date end_date users totals",
        holds=lambda found: {"cost", "print_hours", "filament_grams"} <= set(found["totals"]),
    ),
    Row(
        promise="GET /education/usage-report?days= {>=7, <=90}, for operators",
        call="GET /education/usage-report?days=90",
        who="operator",
        fields="days start_date end_date users summary",
        holds=lambda found: found["summary"]["jobs_submitted"] > 0,
    ),
    Row(
        promise="6 days are too few",
        call="GET /education/usage-report?days=6",
        status=422,
        holds=lambda answer: answer["error"]["field"] == "days",
    ),
    Row(
        promise="POST /report-schedules {name, report_type, frequency, recipients, filters}: "
        "{id, status}",
        call="POST /report-schedules",
        body={**REPORT, "report_type": "failures", "filters": {"printer_ids": [1]}},
        fields="id status",
    ),
    Row(
        promise="recipients are addresses",
        call="POST /report-schedules",
        body={**REPORT, "recipients": ["a@b.example\nBcc: c@d.example"]},
        status=422,
        holds=lambda answer: "recipients" in answer["detail"][0]["loc"],
    ),
    Row(
        promise="a filter that a report does not have is refused",
        call="POST /report-schedules",
        body={**REPORT, "filters": {"printer_ids": [1]}},
        status=422,
        holds=lambda answer: answer["error"]["field"] == "filters",
    ),
    Row(
        promise="GET /report-schedules",
        call="GET /report-schedules",
        fields="id name report_type frequency recipients filters is_active next_run_at last_run_at",
        holds=lambda rows: rows[0]["next_run_at"].endswith("-01T07:00:00.000Z"),
    ),
    Row(
        promise="POST /report-schedules/{id}/run: no mail server is set here",
        call="POST /report-schedules/{schedule}/run",
        status=403,
        holds=lambda answer: answer["error"]["code"] == "feature_disabled",
    ),
    Row(
        promise="PATCH /report-schedules/{id}",
        call="PATCH /report-schedules/{schedule}",
        body={"is_active": False},
        fields="id status",
    ),
    Row(
        promise="DELETE /report-schedules/{id}",
        call="DELETE /report-schedules/{schedule}",
        fields="id status",
    ),
    Row(
        promise="an unknown schedule: 404",
        call="DELETE /report-schedules/987654",
        status=404,
        holds=lambda answer: answer["error"]["code"] == "report_schedule_not_found",
    ),
    Row(promise="exports are for operators", call="GET /export/spools", who="viewer", status=403),
    Row(
        promise="/export/filament-usage: CSV",
        call="GET /export/filament-usage",
        holds=lambda text: header(text)[:3] == ["ID", "Used", "Grams"],
    ),
    Row(
        promise="/export/models: CSV",
        call="GET /export/models",
        holds=lambda text: header(text)[:2] == ["ID", "Name"] and "part" in text,
    ),
    Row(
        promise="no rows of another organization are written out",
        call="GET /export/spools",
        who="foreigner",
        holds=lambda text: len(text.strip().split("\r\n")) == 1,
    ),
    Row(
        promise="GET /version: semver ≥ 1.9.0, to everybody",
        call="GET /version",
        who="nobody",
        holds=lambda found: tuple(map(int, found["version"].split("."))) >= (1, 9, 0),
    ),
    Row(
        promise="/health → {status, version, database, spoolman_connected}",
        call="GET /health",
        who="nobody",
        fields="status version database spoolman_connected",
    ),
    Row(
        promise="/health/ready → {ready, version}",
        call="GET /health/ready",
        who="nobody",
        fields="ready version",
    ),
    Row(
        promise="/license: public",
        call="GET /license",
        who="nobody",
        fields="valid tier max_printers max_users features",
    ),
    Row(
        promise="everything else: 401 not_authenticated",
        call="GET /stats",
        who="nobody",
        status=401,
        holds=lambda answer: answer["error"]["code"] == "not_authenticated",
    ),
    Row(
        promise='unmatched path: {"detail": "Not Found"}',
        call="GET /no-such-thing",
        status=404,
        holds=lambda answer: answer["detail"] == "Not Found",
    ),
    Row(
        promise='unmatched method: {"detail": "Method Not Allowed"}',
        call="DELETE /stats",
        status=405,
        holds=lambda answer: answer["detail"] == "Method Not Allowed",
    ),
)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def ids(farm_with_all: Whole) -> dict[str, Any]:
    """A schedule that these rows change and delete."""
    made = await farm_with_all.ask("admin", "POST", "/api/v1/report-schedules", json=REPORT)
    return {"schedule": made.json()["id"]}


PAGE = Page(*ROWS)


@pytest.mark.parametrize("row", PAGE.rows, ids=str)
async def test_v1_reports(whole: Whole, ids: dict[str, Any], row: Row) -> None:
    """Status, fields and what else the row promises."""
    answer = await PAGE.asked(row, whole, ids)
    assert row.missing(answer) == set()
    assert row.holds(answer), answer


async def test_print_jobs_have_the_contracts_fields(whole: Whole) -> None:
    """/print-jobs: every field of a row is in the specification."""
    document = (await whole.ask("nobody", "GET", "/api/v1/openapi.json")).json()
    described = document["components"]["schemas"]["PrintRun"]["properties"]
    assert set(RUN.split()) <= set(described)
