"""Reports as the v1 routes show them. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from api.clock import iso
from api.jobs.forms import FAILURE_REASONS
from api.jobs.records import Money, Run, Tally
from api.jobs.service import Job
from api.models_library.views import model_view
from api.printers.service import Printer
from api.printers.view import has_plug
from api.reports.service import Counts, Found, Span
from schemas.jobs import JOB_OVER, JobState
from schemas.printer import Live, Progress

_J = JobState
BEST = 10
#: Columns of the export of jobs.
JOB_COLUMNS = (
    "ID",
    "Item Name",
    "Status",
    "Priority",
    "Quantity",
    "Printer",
    "Filament Type",
    "Colors",
    "Duration Hours",
    "Due Date",
    "Created",
    "Started",
    "Ended",
    "Failure Reason",
    "Notes",
)


def stats_view(counts: Counts) -> dict[str, Any]:
    """``GET /stats``."""
    jobs = counts.jobs
    return {
        "printers": {
            "total": len(counts.printers),
            "active": sum(1 for row in counts.printers if row.is_active),
        },
        "jobs": {
            "pending": _pending(jobs),
            "scheduled": jobs.get(_J.SCHEDULED, 0),
            "printing": jobs.get(_J.PRINTING, 0) + jobs.get(_J.PAUSED, 0),
            "completed_today": counts.completed_today,
        },
        "models": counts.models,
        "spoolman_connected": False,
        "printer_stats": counts.stats,
    }


def _pending(jobs: Mapping[JobState, int]) -> int:
    return jobs.get(_J.PENDING, 0) + jobs.get(_J.WAITING_PLATE_CLEAR, 0)


def analytics_view(counts: Counts, models: Sequence[Any]) -> dict[str, Any]:
    """``GET /analytics``; *models*: rows of the library."""
    shown = [model_view(row) for row in models]
    priced = [each for each in shown if each["value_per_hour"] is not None]
    priced.sort(key=lambda each: each["value_per_hour"], reverse=True)
    names = ("id", "name", "build_time_hours", "value_per_bed", "value_per_hour")
    values = [{name: each[name] for name in names} for each in priced]
    hourly = [each["value_per_hour"] for each in priced]
    return {
        "top_by_hour": values[:BEST],
        "worst_performers": values[::-1][:BEST],
        "summary": {
            "total_models": counts.models,
            "total_jobs": sum(counts.jobs.values()),
            "completed_jobs": counts.jobs.get(_J.COMPLETED, 0),
            "pending_jobs": _pending(counts.jobs),
            **_money(counts.money),
            "total_print_hours": round(sum(each["total_hours"] for each in counts.stats), 3),
            "avg_value_per_hour": round(sum(hourly) / len(hourly), 2) if hourly else None,
            "jobs_with_cost_data": sum(each.jobs for each in counts.money.values()),
        },
        "printer_stats": [
            {**stats, "has_plug": has_plug(row)}
            for stats, row in zip(counts.stats, counts.printers, strict=True)
        ],
    }


def _money(by_state: Mapping[JobState, Money]) -> dict[str, Any]:
    """What the jobs that are done have cost and brought, and what those to come will; null where no
    job says what it costs.
    """
    done = by_state.get(_J.COMPLETED)
    coming = [money for state, money in by_state.items() if state not in JOB_OVER]
    margin = None if done is None else done.price - done.cost
    share = None if done is None or margin is None or not done.price else margin / done.price
    return {
        "total_revenue": None if done is None else round(done.price, 2),
        "total_cost": None if done is None else round(done.cost, 2),
        "total_margin": None if margin is None else round(margin, 2),
        "margin_percent": None if share is None else round(100 * share, 1),
        "projected_revenue": round(sum(each.price for each in coming), 2) if coming else None,
        "projected_cost": round(sum(each.cost for each in coming), 2) if coming else None,
    }


def failures_view(
    days: int, failed: Sequence[Job], completed: int, names: Mapping[int, str]
) -> dict[str, Any]:
    """``GET /analytics/failures``; *names*: of printers."""
    reasons = Counter(job.fail_reason for job in failed)
    printers = Counter(job.printer_id for job in failed)
    over = len(failed) + completed
    return {
        "days": days,
        "total_failures": len(failed),
        "completed_jobs": completed,
        "failure_rate": round(100 * len(failed) / over, 1) if over else None,
        "by_reason": [
            {"reason": reason, "label": FAILURE_REASONS.get(reason or ""), "count": count}
            for reason, count in reasons.most_common()
        ],
        "by_printer": [
            {"printer_id": number, "printer_name": names.get(number or 0), "count": count}
            for number, count in printers.most_common()
        ],
    }


def accuracy_view(days: int, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``GET /analytics/time-accuracy``."""
    shares = [row["accuracy_pct"] for row in rows]
    average = round(sum(shares) / len(shares), 1) if shares else None
    return {"days": days, "jobs": rows, "avg_accuracy_pct": average}


def search_view(found: Found) -> dict[str, Any]:
    """``GET /search``."""
    return {
        "models": [{"id": row.id, "name": row.name, "type": "model"} for row in found.models],
        "jobs": [
            {"id": job.id, "name": job.item_name, "status": job.state, "type": "job"}
            for job in found.jobs
        ],
        "spools": [
            {
                "id": row.id,
                "name": f"{filament.brand} {filament.name}",
                "qr_code": row.qr_code,
                "type": "spool",
            }
            for row, filament in found.spools
        ],
        "printers": [{"id": row.id, "name": row.name, "type": "printer"} for row in found.printers],
    }


def run_view(run: Run, printer: Printer | None, live: Live | None) -> dict[str, Any]:
    """A row of ``GET /print-jobs``; *live*: the picture of its printer, if it is of this run."""
    row, job, over = run.row, run.job, run.row.ended_at is not None
    progress = _progress(run, live)
    left_s = progress.time_left_s if progress is not None and not over else None
    targets = live.temps if live is not None else {}
    return {
        "id": row.id,
        "printer_id": row.printer_id,
        "printer_name": printer.name if printer is not None else None,
        "job_id": job.id if job is not None else None,
        "scheduled_job_id": job.id if job is not None else None,
        "filename": (job.file_name if job is not None else row.file_name) or None,
        "job_name": job.item_name if job is not None else row.file_name or None,
        "started_at": iso(row.started_at),
        "ended_at": iso(row.ended_at),
        "status": run.outcome,
        "progress_percent": 100.0
        if run.outcome == "completed"
        else (round(progress.completion, 1) if progress is not None else None),
        "remaining_minutes": None if left_s is None else round(left_s / 60),
        "total_layers": progress.layers if progress is not None else None,
        "current_layer": progress.layer if progress is not None else None,
        "bed_temp_target": targets["bed"].target_c if "bed" in targets else None,
        "nozzle_temp_target": targets["tool0"].target_c if "tool0" in targets else None,
        "filament_slots": None,
        "error_code": (run.attempt.reason or None) if run.attempt is not None and over else None,
        "created_at": iso(row.created_at),
        "model_revision_id": job.details.get("model_revision_id") if job is not None else None,
        "duration_minutes": round(row.printed_s / 60, 2) if over else None,
    }


def _progress(run: Run, live: Live | None) -> Progress | None:
    if live is not None and live.progress is not None:
        return live.progress
    stored = run.attempt.progress if run.attempt is not None else None
    return msgspec.convert(stored, Progress) if stored else None


def run_stats_view(printer: Printer, tally: Tally) -> dict[str, Any]:
    """A row of ``GET /print-jobs/stats``."""
    return {
        "printer_id": printer.id,
        "printer_name": printer.name,
        "total_jobs": tally.completed + tally.failed + tally.cancelled + tally.running,
        "completed_jobs": tally.completed,
        "failed_jobs": tally.failed,
        "cancelled_jobs": tally.cancelled,
        "running_jobs": tally.running,
        "total_hours": round(tally.printed_s / 3600, 3),
    }


def slot_view(span: Span, names: Mapping[int, str]) -> dict[str, Any]:
    """A slot of ``GET /timeline``; *names*: of printers."""
    job = span.job
    colors = ((job.colors_required if job is not None else None) or "").split(",")
    return {
        "start": iso(span.start),
        "end": iso(span.end),
        "printer_id": span.printer_id,
        "printer_name": names.get(span.printer_id),
        "job_id": job.id if job is not None else None,
        "item_name": job.item_name if job is not None else span.file_name or None,
        "status": span.status,
        "mqtt_job_id": span.run_id,
        "is_setup": False,
        "colors": [each.strip() for each in colors if each.strip()],
    }


def job_cells(job: Job, names: Mapping[int, str]) -> Sequence[Any]:
    """A line of the export of jobs, in the order of `JOB_COLUMNS`."""
    return (
        job.id,
        job.item_name,
        str(job.state),
        job.priority,
        job.quantity,
        names.get(job.printer_id or 0),
        job.filament_type,
        job.colors_required,
        job.duration_hours,
        iso(job.due_date),
        iso(job.created_at),
        iso(job.actual_start),
        iso(job.actual_end),
        job.fail_reason or job.reason or None,
        job.notes,
    )
