"""Rows of section 5: the texts and flags of every state, and the keys of the models."""

from collections.abc import Mapping
from typing import Any

from schemas.printer import CONNECTED, PrinterState
from tests.api.octoprint.conftest import GCODE
from tests.api.octoprint.rows import LOCAL, Row, row

_JOB, _PRINTER, _CONNECTION = "/api/job", "/api/printer", "/api/connection"
_FLAGS = (
    *("operational", "printing", "pausing", "paused", "resuming", "cancelling", "finishing"),
    *("ready", "closedOrError", "error", "sdReady"),
)
#: state, its text in job and printer, its text in connection, the flags that are true
_STATES = [
    ("offline", "Offline", "Closed", "closedOrError"),
    ("connecting", "Connecting", "Connecting", ""),
    ("operational", "Operational", "Operational", "operational ready"),
    ("starting", "Starting", "Starting", "operational printing"),
    ("printing", "Printing", "Printing", "operational printing"),
    ("pausing", "Pausing", "Pausing", "operational printing pausing"),
    ("paused", "Paused", "Paused", "operational paused"),
    ("resuming", "Resuming", "Resuming", "operational printing resuming"),
    ("cancelling", "Cancelling", "Cancelling", "operational printing cancelling"),
    ("finishing", "Finishing", "Finishing", "operational printing finishing"),
    ("error", "Error", "Error", "closedOrError error"),
    ("halted", "Offline after error", "Closed", "closedOrError error"),
]
_FILE_KEYS = frozenset({"name", "path", "display", "origin", "size", "date"})
_JOB_KEYS = frozenset(
    {"file", "estimatedPrintTime", "averagePrintTime", "lastPrintTime", "filament", "user"}
)
_PROGRESS = ("completion", "filepos", "printTime", "printTimeLeft", "printTimeLeftOrigin")
#: What every entry has, and what it has where it is known.
_ENTRY = frozenset({"name", "display", "path", "origin", "type", "typePath", "date", "refs"})
_FILE_ENTRY = _ENTRY | {"size", "user"}
_FOLDER_ENTRY = _ENTRY | {"size", "prints", "children"}


def _model(path: str, says: str, **more: Any) -> Row:
    """A row of this section."""
    return row("GET", path, 200, says, section="5", **more)


def _of_state(state: str, text: str, link: str, true: str) -> list[Row]:
    """What three endpoints say in *state*; the printer's own only where its firmware answers."""
    given = (f"state {state}",)
    flags = {flag: flag in true.split() for flag in _FLAGS}
    shown: Mapping[str, Any] = {"text": text, "flags": flags, "error": ""}
    asked = _model(_PRINTER, f"{text}: text, flags, error", given=given, has={"state": shown})
    if PrinterState(state) not in CONNECTED:
        says = f"{text}: not operational"
        asked = row("GET", _PRINTER, 409, says, section="5", given=given)
    return [
        asked,
        _model(_JOB, f"state {text}", given=given, has={"state": text}),
        _model(_CONNECTION, f"link {state}", given=given, has={"current.state": link}),
    ]


STATES = [each for state in _STATES for each in _of_state(*state)]
JOBS = [
    _model(
        _JOB,
        "nothing selected any more",
        given=("unselected",),
        equals={
            "job": {
                **dict.fromkeys(_JOB_KEYS),
                "file": dict.fromkeys(_FILE_KEYS),
            },
            "progress": dict.fromkeys(_PROGRESS),
            "state": "Operational",
        },
    ),
    _model(
        _JOB,
        "leaves of a selection",
        given=("selected",),
        keys=frozenset({"job", "progress", "state"}),
        keys_at={"job": _JOB_KEYS, "job.file": _FILE_KEYS},
        has={"progress": dict.fromkeys(_PROGRESS), "job.file.size": len(GCODE)},
    ),
    _model(
        _JOB,
        "leaves of a print",
        given=("printing",),
        keys=frozenset({"job", "progress", "state"}),
        keys_at={"job": _JOB_KEYS, "job.file": _FILE_KEYS, "progress": frozenset(_PROGRESS)},
        has={
            "progress.completion": 25.0,
            "progress.filepos": len(GCODE) // 4,
            "progress.printTime": 15,
            "progress.printTimeLeft": 45,
            "progress.printTimeLeftOrigin": "linear",
            "job.user": "admin",
        },
    ),
]
ENTRIES = [
    _model(
        f"{LOCAL}/a.gcode",
        "what is not known is absent",
        given=("file",),
        keys=_FILE_ENTRY,
        keys_at={"refs": frozenset({"resource", "download"})},
        pool=200,
    ),
    _model(
        f"{LOCAL}/sub",
        "a folder has no download",
        given=("folder",),
        keys=_FOLDER_ENTRY,
        keys_at={"refs": frozenset({"resource"})},
        has={
            "type": "folder",
            "typePath": ["folder"],
            "size": len(GCODE),
            "prints": {"success": 0, "failure": 0},
        },
        pool=200,
    ),
]
ROWS: list[Row] = [*STATES, *JOBS, *ENTRIES]
