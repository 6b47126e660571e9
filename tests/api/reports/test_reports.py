"""Numbers are counted from what happened; search and exports take words literally."""

import csv
import io
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from api.bus.local import LocalBus
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.files.service import Files
from api.jobs.models import Job
from api.models_library.service import Library, NewModel
from api.orders.service import Orders
from api.principal import Principal, Role
from api.printers.models import Printer
from api.reports import pages
from api.reports.csv import lines
from api.reports.routes import ReportRoutes
from api.reports.service import Reports
from api.spools.forms import NewFilament, NewSpool
from api.spools.service import Spools
from api.storage import open_storage
from schemas.jobs import AttemptEvent, JobState
from schemas.printer import Live, PrinterState, Progress, Temperature
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp

E = AttemptEvent


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
def library(ledger: Ledger, clock: Clock, settings: Settings) -> Library:
    return Library(Files(open_storage(settings), ledger, clock, settings), ledger, clock)


@pytest.fixture
def app(farm: Farm, library: Library) -> FarmApp:
    app = FarmApp(farm)
    orders = Orders(farm.jobs, library, farm.ledger, farm.clock)
    reports = Reports(farm.printers, farm.jobs, library, orders, farm.clock)
    ReportRoutes(reports, farm.printers, farm.jobs, app.telemetry).register(app.v1)
    return app


async def some_history(farm: Farm) -> None:
    """One printer: two hours completed, one hour failed; another one that did nothing."""
    printer = await farm.printer("One")
    await farm.printer("Two", "virtual:two")
    for hours, end, name in ((2, E.COMPLETED, "Good"), (1, E.FAILED, "Bad, very")):
        job = await farm.job(printer, item_name=name, duration_hours=1.0)
        await farm.printers.release_queue(farm.admin, printer.id)
        await farm.jobs.start_explicit(farm.admin, job)
        await farm.run(printer, E.STARTED)
        farm.clock.advance(3600 * hours)
        await farm.run(printer, end)


async def test_stats_are_counted(app: FarmApp, farm: Farm, library: Library) -> None:
    """v1 2.11 /stats: what happened, null where nothing has."""
    await some_history(farm)
    await farm.job(None)
    await library.create_model(farm.admin, NewModel(name="Thing"))
    stats = await app.ask("GET", "/stats")
    assert stats["printers"] == {"total": 2, "active": 2}
    assert stats["jobs"] == {"pending": 1, "scheduled": 0, "printing": 0, "completed_today": 1}
    assert stats["models"] == 1
    one, two = stats["printer_stats"]
    assert (one["completed_jobs"], one["failed_jobs"], one["total_hours"]) == (1, 1, 3.0)
    assert (one["success_rate"], one["avg_job_hours"], one["utilization_pct"]) == (50.0, 1.5, 100.0)
    assert (two["completed_jobs"], two["success_rate"], two["avg_job_hours"]) == (0, None, None)
    farm.clock.advance(2 * 86400)
    assert (await app.ask("GET", "/stats"))["jobs"]["completed_today"] == 0


async def test_analytics_know_no_money_that_nobody_named(
    app: FarmApp, farm: Farm, library: Library
) -> None:
    """v1 2.11 /analytics: unknown sums are null; models are ranked by value per hour."""
    await some_history(farm)
    for name, price in (("Cheap", 1.0), ("Dear", 9.0), ("Unknown", None)):
        details = {"cost_per_item": price}
        new = NewModel(name=name, build_time_hours=2.0, details=details)
        await library.create_model(farm.admin, new)
    found = await app.ask("GET", "/analytics")
    assert [row["name"] for row in found["top_by_hour"]] == ["Dear", "Cheap"]
    assert [row["value_per_hour"] for row in found["worst_performers"]] == [0.5, 4.5]
    summary = found["summary"]
    assert (summary["total_jobs"], summary["completed_jobs"]) == (2, 1)
    assert (summary["total_print_hours"], summary["total_revenue"]) == (3.0, None)


async def test_analytics_count_the_money_of_the_jobs(app: FarmApp, farm: Farm) -> None:
    """v1 2.11 /analytics: done jobs are revenue and cost, coming ones are projected; a printer says
    whether it has a plug.
    """
    await some_history(farm)
    await farm.job(None)
    await Job.filter(state=JobState.COMPLETED).update(estimated_cost=6.0, suggested_price=8.0)
    await Job.filter(state=JobState.PENDING).update(estimated_cost=1.0, suggested_price=4.0)
    await Printer.filter(name="Two").update(details={"plug": {"type": "tasmota"}})
    found = await app.ask("GET", "/analytics")
    summary = found["summary"]
    assert (summary["total_revenue"], summary["total_cost"]) == (8.0, 6.0)
    assert (summary["total_margin"], summary["margin_percent"]) == (2.0, 25.0)
    assert (summary["projected_revenue"], summary["projected_cost"]) == (4.0, 1.0)
    assert summary["jobs_with_cost_data"] == 2
    plugs = {row["name"]: row["has_plug"] for row in found["printer_stats"]}
    assert plugs == {"One": False, "Two": True}


async def test_failures_and_estimates(app: FarmApp, farm: Farm) -> None:
    """By reason and printer; the estimate of an hour for two was worth 200 %."""
    await some_history(farm)
    found = await app.ask("GET", "/analytics/failures?days=7")
    assert (found["total_failures"], found["failure_rate"]) == (1, 50.0)
    assert found["by_printer"] == [{"printer_id": 1, "printer_name": "One", "count": 1}]
    assert found["by_reason"] == [{"reason": None, "label": None, "count": 1}]
    times = await app.ask("GET", "/analytics/time-accuracy")
    assert (times["jobs"][0]["actual_hours"], times["avg_accuracy_pct"]) == (2.0, 200.0)
    for wrong in ("0", "366", "x", "-1"):
        await app.ask("GET", f"/analytics/failures?days={wrong}", expect=422)


async def test_prints_are_listed_with_what_is_known(app: FarmApp, farm: Farm) -> None:
    """v1 2.4 /print-jobs: newest first, filtered, the running one with its live progress."""
    await some_history(farm)
    printer = (await farm.printers.list(farm.admin))[0]
    await farm.printers.release_queue(farm.admin, printer.id)
    job = await farm.job(printer)
    attempt = await farm.jobs.start_explicit(farm.admin, job)
    assert len(await app.ask("GET", "/print-jobs")) == 2  # what has not begun is no print
    await farm.run(printer, E.STARTED)
    progress = Progress(50, 100, 5, 60.0, time_left_s=120.0, layer=3, layers=9)
    await app.show(
        Live(
            printer=printer.id,
            state=PrinterState.PRINTING,
            grant=attempt.grant,
            temps={"bed": Temperature(59.0, 60.0)},
            progress=progress,
        )
    )
    running, bad, good = await app.ask("GET", "/print-jobs")
    assert (running["status"], running["progress_percent"]) == ("running", 50.0)
    assert (running["remaining_minutes"], running["current_layer"]) == (2, 3)
    assert (running["bed_temp_target"], running["duration_minutes"]) == (60.0, None)
    assert (bad["status"], bad["duration_minutes"], bad["bed_temp_target"]) == (
        "failed",
        60.0,
        None,
    )
    assert (good["status"], good["progress_percent"], good["job_name"]) == (
        "completed",
        100,
        "Good",
    )
    assert [row["id"] for row in await app.ask("GET", "/print-jobs?status=failed")] == [bad["id"]]
    assert await app.ask("GET", "/print-jobs?printer_id=2") == []
    await app.ask("GET", "/print-jobs?status=nice", expect=422)
    one, _ = await app.ask("GET", "/print-jobs/stats")
    assert (one["total_jobs"], one["running_jobs"], one["total_hours"]) == (3, 1, 3.0)


async def test_timeline_shows_prints_and_plans(app: FarmApp, farm: Farm) -> None:
    """v1 2.4 /timeline: what ran, and jobs with a planned time; a bad date names itself."""
    await some_history(farm)
    job = await farm.job(None, duration_hours=2.0)
    start = farm.clock.now() + timedelta(hours=5)
    await farm.jobs.move(farm.admin, job.id, 1, start)
    found = await app.ask("GET", "/timeline?days=2")
    assert [slot["status"] for slot in found["slots"]] == ["completed", "failed", "pending"]
    assert found["slots"][2]["end"] == "2026-01-01T22:00:00.000Z"
    assert found["start_date"] == "2026-01-01T00:00:00.000Z"
    later = await app.ask("GET", "/timeline?start_date=2026-03-01T00:00:00Z")
    assert later["slots"] == []
    for wrong in ("tomorrow", "0001-01-01", "9999-12-31"):
        await app.ask("GET", f"/timeline?start_date={wrong}", expect=422)


async def test_search_takes_words_literally(app: FarmApp, farm: Farm, library: Library) -> None:
    """S28: %, _ and quotes mean themselves; five of each at most; 2 to 200 characters."""
    await farm.printer("Prusa_100%", "virtual:one")
    await farm.printer("PrusaX1000", "virtual:two")
    await library.create_model(farm.admin, NewModel(name="prusa logo"))
    for _ in range(6):
        await farm.job(None, item_name="Prusa part")
    found = await app.ask("GET", "/search?q=PRUSA")
    assert (len(found["printers"]), len(found["models"]), len(found["jobs"])) == (2, 1, 5)
    assert [row["name"] for row in (await app.ask("GET", "/search?q=a_1"))["printers"]] == [
        "Prusa_100%"
    ]
    for odd in ("%25%25", "__", "'%20OR%201=1--", "%5C%5C"):
        found = await app.ask("GET", f"/search?q={odd}")
        assert found["jobs"] == found["models"] == []
    for wrong in ("", "?q=a", "?q=" + "x" * 201):
        await app.ask("GET", f"/search{wrong}", expect=422)


async def test_search_finds_spools_by_label_and_filament(app: FarmApp, farm: Farm) -> None:
    """v1 2.11 /search: spools {id, name, qr_code, type}, by brand, name, material or label."""
    files: Any = None
    spools = Spools(farm.printers, farm.jobs, files, files, ledger=farm.ledger, clock=farm.clock)
    new = NewFilament(brand="Acme", name="Galaxy 100%", material="PETG")
    filament = await spools.filaments.create(farm.admin, new)
    whole = NewSpool(filament_id=filament.id, initial_weight_g=1000.0, spool_weight_g=250.0)
    spool = await spools.create(farm.admin, whole)
    gone = await spools.create(farm.admin, whole)
    await spools.archive(farm.admin, gone.id)
    shown = {"id": spool.id, "name": "Acme Galaxy 100%", "qr_code": spool.qr_code, "type": "spool"}
    for words in ("aCME", "galaxy", "petg", "100%25", spool.qr_code.lower()):
        assert (await app.ask("GET", f"/search?q={words}"))["spools"] == [shown], words
    assert (await app.ask("GET", "/search?q=%25%25"))["spools"] == []


async def test_jobs_leave_as_csv_without_formulas(
    app: FarmApp, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """v1 2.11 /export/jobs: every job of the organization, cells that no spreadsheet runs."""
    await some_history(farm)
    await farm.job(None, item_name="=cmd|' /C calc'!A0", notes='say "hi",\nthen go')
    answer = await app.client.get("/api/v1/export/jobs", headers={"X-API-Key": "odin_farm"})
    assert answer.content_type == "text/csv; charset=utf-8"
    text = await answer.get_data(as_text=True)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["Item Name"] for row in rows] == ["Good", "Bad, very", "'=cmd|' /C calc'!A0"]
    assert [row["Status"] for row in rows] == ["completed", "failed", "pending"]
    assert rows[2]["Notes"] == 'say "hi",\nthen go'
    failed = await app.client.get(
        "/api/v1/export/jobs?status=failed", headers={"X-API-Key": "odin_farm"}
    )
    assert (await failed.get_data(as_text=True)).count("\r\n") == 2
    monkeypatch.setattr(pages, "MAX_LINES", 2)  # a long list: the rest comes after the last ID
    monkeypatch.setattr(pages, "PAGE_ROWS", 1)
    found = []
    for after in (0, int(rows[1]["ID"])):
        answer = await app.client.get(
            f"/api/v1/export/jobs?after={after}", headers={"X-API-Key": "odin_farm"}
        )
        text = await answer.get_data(as_text=True)
        found.append([row["ID"] for row in csv.DictReader(io.StringIO(text, newline=""))])
    assert found == [[rows[0]["ID"], rows[1]["ID"]], [rows[2]["ID"]]]
    app.principal = replace(farm.admin, role=Role.VIEWER, is_superadmin=False)
    await app.ask("GET", "/export/jobs", expect=403)


async def test_reports_are_an_organizations_own(app: FarmApp, farm: Farm) -> None:
    """Another organization sees nothing of it, and a key that is bound to a printer nothing at
    all (v1 1.4, S25).
    """
    await some_history(farm)
    app.principal = replace(farm.admin, organization_id=2, is_superadmin=False)
    assert await app.ask("GET", "/print-jobs") == []
    assert (await app.ask("GET", "/stats"))["printers"]["total"] == 0
    assert (await app.ask("GET", "/search?q=Good"))["jobs"] == []
    assert (await app.ask("GET", "/timeline"))["slots"] == []
    app.principal = replace(farm.admin, printer_id=1)
    await app.ask("GET", "/stats", expect=403)


def test_cells_that_a_spreadsheet_would_run_are_text() -> None:
    """A leading quote for what begins like a formula; numbers stay numbers."""
    row = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "a=1", -5, None, 2.5]
    text = lines([row]).decode()
    assert next(csv.reader(io.StringIO(text, newline=""))) == [
        *[f"'{cell}" for cell in row[:6]],
        *["a=1", "-5", "", "2.5"],
    ]
