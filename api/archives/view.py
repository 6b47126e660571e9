"""Records of prints as the v1 routes show them (v1 contract, 2.10). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from api.archives.service import Record
from api.clock import iso
from api.printers.service import Printer

#: Columns of the export.
COLUMNS = (
    *("Print Name", "Printer", "User", "Status", "Started", "Completed", "Duration (s)"),
    *("Filament (g)", "Cost", "Tags", "Notes"),
)
#: What is compared of two records.
_COMPARED = (
    *("print_name", "printer_display", "status", "actual_duration_seconds"),
    *("filament_used_grams", "cost_estimate", "started_at", "completed_at", "file_hash"),
)
_LOGGED = (
    *("id", "print_name", "printer_id", "user_id", "status", "started_at", "completed_at"),
    *("actual_duration_seconds", "filament_used_grams", "cost_estimate", "tags"),
    *("printer_name", "printer_nickname", "printer_display"),
)


def archive_view(record: Record, printer: Printer | None) -> dict[str, Any]:
    """A record; *printer* None: it is not there any more."""
    row, job = record.run.row, record.run.job
    return {
        "id": row.id,
        "job_id": job.id if job is not None else None,
        "print_job_id": row.id,
        "printer_id": row.printer_id,
        "user_id": (job.created_by or None) if job is not None else None,
        "print_name": record.name or None,
        "status": record.run.outcome,
        "started_at": iso(row.started_at),
        "completed_at": iso(row.ended_at),
        "actual_duration_seconds": round(row.printed_s),
        "filament_used_grams": _grams(record),
        "cost_estimate": _cost(record),
        "thumbnail_b64": None,
        "thumbnail_url": _thumbnail_url(record),
        "file_path": _file_path(record) or None,
        "notes": record.notes,
        "created_at": iso(row.created_at),
        "tags": [*record.tags],
        "plate_count": 1,
        "plate_thumbnails": None,
        "print_file_id": job.print_file_id if job is not None else None,
        "project_id": record.project_id,
        "energy_kwh": None,
        "energy_cost": None,
        "consumption_json": _consumption(record),
        "file_hash": record.blob.sha256 if record.blob is not None else None,
        "printer_name": printer.name if printer is not None else None,
        "printer_nickname": printer.nickname if printer is not None else None,
        "printer_display": _display(row.printer_id, printer),
    }


def log_view(shown: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """A line of the log out of a record as it is *shown*; *names*: of people."""
    logged = {name: shown[name] for name in _LOGGED}
    return {**logged, "user_name": names.get(shown["user_id"] or 0)}


def log_cells(shown: Mapping[str, Any], names: Mapping[int, str]) -> Sequence[object]:
    """A line of the export, in the order of `COLUMNS`."""
    return (
        shown["print_name"],
        shown["printer_display"],
        names.get(shown["user_id"] or 0),
        *(shown["status"], shown["started_at"], shown["completed_at"]),
        *(shown["actual_duration_seconds"], shown["filament_used_grams"]),
        shown["cost_estimate"],
        ", ".join(shown["tags"]),
        shown["notes"],
    )


def compared(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Two records as they are shown, and in what they differ."""
    diff = {name: {"a": a[name], "b": b[name]} for name in _COMPARED if a[name] != b[name]}
    return {"a": a, "b": b, "diff": diff}


def _grams(record: Record) -> float | None:
    """What spools say, else what the slicer wrote for a print that was completed; None: unknown."""
    if record.taken:
        return round(sum(each.grams for each in record.taken), 2)
    if record.blob is None or record.run.outcome != "completed":
        return None
    grams: float | None = record.blob.facts.get("filament_g")
    return grams


def _cost(record: Record) -> float | None:
    """Of this one print: the job's estimate was for all of its prints."""
    job = record.run.job
    if job is None or job.estimated_cost is None:
        return None
    return round(job.estimated_cost / job.quantity, 2)


def _consumption(record: Record) -> str | None:
    """JSON text, as the dialect has it."""
    if not record.taken:
        return None
    taken = [{"spool_id": each.spool_id, "grams": each.grams} for each in record.taken]
    return orjson.dumps(taken).decode()


def _file_path(record: Record) -> str:
    job = record.run.job
    return str(record.run.row.file_name if job is None else job.file_path or job.file_name)


def _thumbnail_url(record: Record) -> str | None:
    job = record.run.job
    if record.blob is None or job is None or job.print_file_id is None:
        return None
    if not record.blob.facts.get("has_thumbnail"):
        return None
    return f"/api/v1/print-files/{job.print_file_id}/thumbnail"


def _display(printer_id: int, printer: Printer | None) -> str:
    if printer is None:
        return f"Printer {printer_id}"
    return str(printer.nickname or printer.name)
