"""Rows of sections 4 and 5 about the job and the printer's profiles."""

from tests.api.octoprint.rows import VIEWER, Row, row

_JOB, _PROFILES = "/api/job", "/api/printerprofiles"
_NOTHING = dict.fromkeys(("name", "path", "origin", "size", "date"))
JOB = [
    row(
        "GET",
        _JOB,
        200,
        "nothing selected yet",
        by=VIEWER,
        equals={
            "job": {
                "file": _NOTHING,
                "estimatedPrintTime": None,
                "lastPrintTime": None,
                "filament": {"length": None, "volume": None},
                "user": None,
            },
            "progress": dict.fromkeys(
                ("completion", "filepos", "printTime", "printTimeLeft", "printTimeLeftOrigin")
            ),
            "state": "Operational",
        },
    ),
    row("GET", _JOB, 200, "queue of a pool", pool=200, has={"state": "Operational"}),
    row(
        "GET",
        _JOB,
        200,
        "selected",
        given=("selected",),
        keys=frozenset({"job", "progress", "state"}),
        has={
            "job.file.name": "a.gcode",
            "job.file.path": "a.gcode",
            "job.file.display": "a.gcode",
            "job.file.origin": "local",
            "job.user": "admin",
            "job.averagePrintTime": None,
        },
    ),
    row("GET", _JOB, 200, "printing", given=("printing",), has={"state": "Printing"}),
    row("GET", _JOB, 200, "paused", given=("paused",), has={"state": "Paused"}),
    row("GET", _JOB, 200, "offline", given=("offline",), has={"state": "Offline"}, pool=200),
    row(
        "GET",
        _JOB,
        200,
        "error only if set",
        given=("error",),
        keys=frozenset({"job", "progress", "state", "error"}),
        has={"error": "Thermal runaway"},
    ),
    row("POST", _JOB, 204, "start with nothing selected", json={"command": "start"}, pool=409),
    row("POST", _JOB, 204, "start", json={"command": "start"}, given=("selected",)),
    row("POST", _JOB, 409, "start while active", json={"command": "start"}, given=("printing",)),
    row(
        "POST", _JOB, 409, "restart unless paused", json={"command": "restart"}, given=("printing",)
    ),
    row("POST", _JOB, 204, "restart paused", json={"command": "restart"}, given=("paused",)),
    row("POST", _JOB, 204, "pause toggles", json={"command": "pause"}, given=("printing",)),
    row(
        "POST",
        _JOB,
        204,
        "pause",
        json={"command": "pause", "action": "pause"},
        given=("printing",),
    ),
    row(
        "POST",
        _JOB,
        204,
        "pause while paused",
        json={"command": "pause", "action": "pause"},
        given=("paused",),
    ),
    row(
        "POST",
        _JOB,
        204,
        "resume",
        json={"command": "pause", "action": "resume"},
        given=("paused",),
    ),
    row(
        "POST",
        _JOB,
        400,
        "other action",
        json={"command": "pause", "action": "hop"},
        given=("printing",),
    ),
    row("POST", _JOB, 409, "pause unless active", json={"command": "pause"}),
    row("POST", _JOB, 204, "cancel", json={"command": "cancel"}, given=("printing",)),
    row("POST", _JOB, 204, "cancel paused", json={"command": "cancel"}, given=("paused",)),
    row("POST", _JOB, 409, "cancel unless active", json={"command": "cancel"}),
    row(
        "POST",
        _JOB,
        409,
        "not operational first",
        json={"command": "x"},
        given=("offline",),
        by=VIEWER,
    ),
    row("POST", _JOB, 400, "command second", json={"command": "x"}, by=VIEWER),
    row("POST", _JOB, 403, "permission third", json={"command": "cancel"}, by=VIEWER),
    row("POST", _JOB, 415, "another type", content=b"command=cancel"),
    row("POST", _JOB, 400, "a list", json=[]),
]
_PROFILE = frozenset(
    {
        *("id", "name", "model", "color", "default", "current", "resource", "heatedBed"),
        *("heatedChamber", "volume", "axes", "extruder"),
    }
)
PROFILES = [
    row(
        "GET",
        _PROFILES,
        200,
        "by id",
        keys=frozenset({"profiles"}),
        has={"profiles._default.id": "_default"},
        pool=200,
    ),
    row("GET", _PROFILES, 403, "readonly has no CONNECTION", by=VIEWER, pool=403),
    row(
        "GET",
        f"{_PROFILES}/_default",
        200,
        "one",
        keys=_PROFILE,
        pool=200,
        has={"volume.custom_box": False, "axes.x.inverted": False, "extruder.count": 1},
    ),
    row("GET", f"{_PROFILES}/none", 404, "unknown", pool=404),
    row(
        "POST",
        _PROFILES,
        200,
        "merges the default",
        json={"profile": {"id": "new", "name": "New"}},
        has={"profile.name": "New", "profile.extruder.count": 1},
        pool=409,
    ),
    row("POST", _PROFILES, 400, "missing id", json={"profile": {"name": "New"}}),
    row("POST", _PROFILES, 400, "missing name", json={"profile": {"id": "new"}}),
    row(
        "POST",
        _PROFILES,
        409,
        "existing id (500 there)",
        json={"profile": {"id": "_default", "name": "x"}},
    ),
    row(
        "PATCH",
        f"{_PROFILES}/_default",
        200,
        "changed",
        json={"profile": {"color": "red"}},
        has={"profile.color": "red"},
    ),
    row("PATCH", f"{_PROFILES}/none", 404, "unknown", json={"profile": {"color": "red"}}),
    row("DELETE", f"{_PROFILES}/fine", 204, "one", given=("profile",)),
    row("DELETE", f"{_PROFILES}/unknown", 204, "unknown too"),
    row("DELETE", f"{_PROFILES}/_default", 409, "the default or current one"),
]
ROWS: list[Row] = [*JOB, *PROFILES]
