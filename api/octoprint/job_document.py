"""`/api/job`: the selected file and how far its print is (OctoPrint contract, section 5). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.jobs.outcomes import Outcome
from api.octoprint.file_facts import filament_document
from api.octoprint.states import LOOKS
from schemas.printer import PrinterState, Progress

_NO_PROGRESS = {
    "completion": None,
    "filepos": None,
    "printTime": None,
    "printTimeLeft": None,
    "printTimeLeftOrigin": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """The file of a job: *facts* is what reading it told (`estimated_s`, `filament_mm`).

    *outcome*: how its prints here went; None when there were none.
    """

    blob_id: int | None
    name: str
    path: str
    display: str
    size_bytes: int | None
    uploaded_at: datetime | None
    origin: str = "local"
    user: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None


def origin_of(facts: Mapping[str, Any]) -> str:
    """Where the remaining time comes from: the sender mixes the slicer's word with the pace."""
    is_stated = facts.get("estimated_s") is not None and not facts.get("is_simulated")
    return "mixed-analysis" if is_stated else "linear"


def progress_document(progress: Progress | None, origin: str = "linear") -> dict[str, Any]:
    """The progress of a running print; all null without one."""
    if progress is None:
        return dict(_NO_PROGRESS)
    left_s = progress.time_left_s
    return {
        "completion": progress.completion,
        "filepos": progress.file_bytes,
        "printTime": int(progress.print_time_s),
        "printTimeLeft": None if left_s is None else int(left_s),
        "printTimeLeftOrigin": None if left_s is None else origin,
    }


def finished_document(size_bytes: int, print_time_s: float, origin: str) -> dict[str, Any]:
    """The progress after a completed print, until something else is selected."""
    return {
        "completion": 100.0,
        "filepos": size_bytes,
        "printTime": int(print_time_s),
        "printTimeLeft": 0,
        "printTimeLeftOrigin": origin,
    }


def job_document(
    state: PrinterState,
    file: JobFile | None,
    progress: dict[str, Any],
    *,
    ever_selected: bool,
    error: str | None,
    text: str | None = None,
    quality: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`GET /api/job`. *ever_selected*: an empty selection looks different before the first one.
    *text* of the state, where it is another than usual. *quality*: how steadily the lines of the
    shown attempt reached the printer (`schemas.printer.Quality`); ours, absent where unknown.
    """
    document: dict[str, Any] = {
        "job": _file_part(file, ever_selected=ever_selected),
        "progress": progress,
        "state": text or LOOKS[state].text,
    }
    if quality:
        document["job"]["streamQuality"] = {_camel(name): value for name, value in quality.items()}
    if error:
        document["error"] = error
    return document


def _camel(name: str) -> str:
    """*name* as this face writes names."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _file_part(file: JobFile | None, *, ever_selected: bool) -> dict[str, Any]:
    if file is not None:
        return {
            "file": {
                "name": file.name,
                "path": file.path,
                "display": file.display,
                "origin": file.origin,
                "size": file.size_bytes,
                "date": int(file.uploaded_at.timestamp()) if file.uploaded_at else None,
            },
            "estimatedPrintTime": file.facts.get("estimated_s"),
            "averagePrintTime": file.outcome.average_s if file.outcome else None,
            "lastPrintTime": file.outcome.last_s if file.outcome else None,
            "filament": filament_document(file.facts),
            "user": file.user,
        }
    nothing: dict[str, Any] = dict.fromkeys(("name", "path", "origin", "size", "date"))
    empty: dict[str, Any] = {
        "file": nothing,
        "estimatedPrintTime": None,
        "lastPrintTime": None,
        "filament": None,
        "user": None,
    }
    if ever_selected:
        nothing["display"] = None
        empty["averagePrintTime"] = None
    else:
        empty["filament"] = {"length": None, "volume": None}
    return empty
