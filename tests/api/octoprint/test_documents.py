"""The documents of the OctoPrint face, built from values alone (octoprint 1, 5)."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from api.errors import Invalid
from api.octoprint.file_document import Named, entry, listing
from api.octoprint.job_document import (
    JobFile,
    finished_document,
    job_document,
    origin_of,
    progress_document,
)
from api.octoprint.printer_document import (
    connection_document,
    history_document,
    printer_document,
)
from api.octoprint.profile_document import merged, overlaid, own_fields, profile_document
from api.octoprint.settings_document import Shown, parse_settings, settings_document, with_kept
from api.octoprint.states import FLAGS, LOOKS
from api.octoprint.wire import encode
from api.telemetry.history import Reading
from schemas.printer import Live, PrinterState, Profile, Progress, Temperature

AT = datetime(2026, 1, 1, 12, 0, 0, 500_000, UTC)
BASE = "http://farm.local/octoprint/alpha"

PROFILES = [{"id": "_default", "name": "Alpha"}]
#: state -> text, and the flags that the contract's table marks true
ROWS = [
    ("offline", "Offline", "closedOrError"),
    ("connecting", "Connecting", ""),
    ("operational", "Operational", "operational ready"),
    ("starting", "Starting", "operational printing"),
    ("printing", "Printing", "operational printing"),
    ("pausing", "Pausing", "operational printing pausing"),
    ("paused", "Paused", "operational paused"),
    ("resuming", "Resuming", "operational printing resuming"),
    ("cancelling", "Cancelling", "operational printing cancelling"),
    ("finishing", "Finishing", "operational printing finishing"),
    ("error", "Error", "closedOrError error"),
    ("halted", "Offline after error", "closedOrError error"),
]


@pytest.mark.parametrize(("state", "text", "flags"), ROWS)
def test_each_state_looks_as_in_the_contract(state: str, text: str, flags: str) -> None:
    """octoprint 5 texts, 5 flags: every row of the table, all eleven flags."""
    look = LOOKS[PrinterState(state)]
    assert look.text == text
    assert look.flags == {flag: flag in flags.split() for flag in FLAGS}


def test_every_state_has_a_look() -> None:
    """A new state without a row would be a KeyError in the hot read."""
    assert set(LOOKS) == set(PrinterState)


def test_json_is_written_as_octoprint_writes_it() -> None:
    """octoprint 1 JSON: sorted keys, indent 2, ASCII with lower-case escapes, a final newline."""
    data = {"b": [], "a": {"ü": "naïve 🖨", "n": None}, "c": 1.5}
    expected = json.dumps(data, indent=2, sort_keys=True) + "\n"
    assert encode(data).decode() == expected


def test_temperatures_cover_the_profile_and_nothing_else() -> None:
    """bed and chamber only if the profile has them; null where nothing was said."""
    live = Live(
        printer=1,
        state=PrinterState.OPERATIONAL,
        temps={"tool0": Temperature(21.3, 0.0), "bed": Temperature(22.0), "tool7": Temperature(1)},
    )
    shown = printer_document(live, Profile(heated_chamber=True, extruders=2))["temperature"]
    assert shown == {
        "tool0": {"actual": 21.3, "target": 0.0, "offset": 0},
        "tool1": {"actual": None, "target": None, "offset": 0},
        "bed": {"actual": 22.0, "target": None, "offset": 0},
        "chamber": {"actual": None, "target": None, "offset": 0},
    }
    assert "bed" not in printer_document(live, Profile(heated_bed=False))["temperature"]


def test_parts_can_be_excluded() -> None:
    """`exclude=temperature,sd` leaves the state."""
    live = Live(printer=1, state=PrinterState.PRINTING)
    assert set(printer_document(live, Profile(), {}, ["temperature", "sd"])) == {"state"}


FILE = JobFile(
    blob_id=1,
    name="a.gcode",
    path="x/a.gcode",
    display="A.gcode",
    size_bytes=1000,
    uploaded_at=AT,
    user="admin",
    facts={"estimated_s": 60, "filament_mm": [1000.0]},
)


def test_a_job_shows_its_file_and_progress() -> None:
    """octoprint 5 job, 5 progress, 5 filament: every leaf of both."""
    running = Progress(250, 1000, 25, 30.9, 90.2)
    shown = job_document(
        PrinterState.PRINTING,
        FILE,
        progress_document(running, origin_of(FILE.facts)),
        ever_selected=True,
        error=None,
    )
    assert shown["job"] == {
        "file": {
            "name": "a.gcode",
            "path": "x/a.gcode",
            "display": "A.gcode",
            "origin": "local",
            "size": 1000,
            "date": int(AT.timestamp()),
        },
        "estimatedPrintTime": 60,
        "averagePrintTime": None,
        "lastPrintTime": None,
        "filament": {"tool0": {"length": 1000.0, "volume": 2.4053}},
        "user": "admin",
    }
    assert shown["progress"] == {
        "completion": 25.0,
        "filepos": 250,
        "printTime": 30,
        "printTimeLeft": 90,
        "printTimeLeftOrigin": "mixed-analysis",
    }
    assert shown["state"] == "Printing"
    assert "error" not in shown


def test_whence_the_remaining_time_is_known() -> None:
    """octoprint 5 printTimeLeftOrigin: the slicer's statement and the pace, or the pace alone."""
    stated: dict[str, object] = {"estimated_s": 60}
    assert origin_of(stated) == "mixed-analysis"
    assert origin_of({**stated, "is_simulated": True}) == origin_of({}) == "linear"
    timeless = Progress(250, 1000, 25, 30.9, None)
    assert progress_document(timeless, "linear")["printTimeLeftOrigin"] is None


def test_nothing_selected_looks_different_before_the_first_time() -> None:
    """octoprint 5 nothing selected: no `display` and a filament object first, null later."""
    none = progress_document(None)
    state = PrinterState.OPERATIONAL
    first = job_document(state, None, none, ever_selected=False, error=None)["job"]
    later = job_document(state, None, none, ever_selected=True, error=None)["job"]
    assert "display" not in first["file"]
    assert "averagePrintTime" not in first
    assert first["filament"] == {"length": None, "volume": None}
    assert later["file"]["display"] is None
    assert later["averagePrintTime"] is None
    assert later["filament"] is None
    assert set(none.values()) == {None}


def test_a_finished_print_stays_at_hundred_percent() -> None:
    """octoprint 5: completion 100, nothing left."""
    shown = finished_document(1000, 120.7, "linear")
    assert (shown["completion"], shown["filepos"]) == (100.0, 1000)
    assert (shown["printTime"], shown["printTimeLeft"]) == (120, 0)


def test_the_quality_of_the_stream_is_shown_where_it_is_known() -> None:
    """Ours: in the names of this face, absent before the first word of it."""
    quality = {"score": 87, "starved_s": 1.5, "latency_p99_ms": 9.5, "worst_layer": 12}
    none = progress_document(None)
    state = PrinterState.PRINTING
    shown = job_document(state, FILE, none, ever_selected=True, error=None, quality=quality)
    assert shown["job"]["streamQuality"] == {
        "score": 87,
        "starvedS": 1.5,
        "latencyP99Ms": 9.5,
        "worstLayer": 12,
    }
    shown = job_document(state, FILE, none, ever_selected=True, error=None, quality=None)
    assert "streamQuality" not in shown["job"]


def test_an_error_is_told_with_the_job() -> None:
    """`error` is there only if one is set."""
    shown = job_document(
        PrinterState.ERROR, None, progress_document(None), ever_selected=True, error="no answer"
    )
    assert shown["error"] == "no answer"


def named(path: str, size: int = 0, **more: object) -> Named:
    is_folder = not size
    return Named(
        path=path,
        display=path,
        is_folder=is_folder,
        uploaded_at=AT,
        size_bytes=size,
        **more,  # type: ignore[arg-type]
    )


TREE = [named("sub"), named("sub/deep"), named("sub/deep/b.gcode", 20), named("a ü.gcode", 10)]


def test_a_listing_shows_folders_with_their_real_size() -> None:
    """octoprint 5 children, 5 date, 5 absent: not recursive: children empty, size whole; the URL
    is percent-encoded."""
    file, folder = listing(TREE, BASE)
    assert folder["type"] == "folder"
    assert folder["children"] == []
    assert folder["size"] == 20
    assert folder["refs"] == {"resource": f"{BASE}/api/files/local/sub"}
    assert file["refs"]["download"] == f"{BASE}/downloads/files/local/a%20%C3%BC.gcode"
    assert (file["typePath"], file["date"]) == (["machinecode", "gcode"], int(AT.timestamp()))
    for absent in ("hash", "user", "userdata", "gcodeAnalysis"):
        assert absent not in file


def test_a_recursive_listing_goes_all_the_way_down() -> None:
    """Everything below, nested."""
    folder = listing(TREE, BASE, recursive=True)[1]
    assert folder["children"][0]["children"][0]["path"] == "sub/deep/b.gcode"


def test_one_folder_lists_its_direct_children() -> None:
    """octoprint 5 children: even without `recursive`."""
    shown = entry(TREE[0], TREE[1:], BASE, recursive=False)
    assert [child["path"] for child in shown["children"]] == ["sub/deep"]
    assert shown["children"][0]["children"] == []


def test_a_file_tells_what_reading_it_told() -> None:
    """octoprint 5 hash, 5 userdata, 5 empty file: analysis, hash, user and userdata where they are
    known."""
    known = named(
        "a.gcode", 5, sha1="ab", user="admin", userdata={"k": 1}, facts={"estimated_s": 60}
    )
    shown = entry(known, [], BASE, recursive=False)
    assert shown["gcodeAnalysis"] == {"estimatedPrintTime": 60}
    assert (shown["hash"], shown["user"], shown["userdata"]) == ("ab", "admin", {"k": 1})
    empty = entry(named("a.gcode", 5, facts={"lines": 0}), [], BASE, recursive=False)
    assert empty["gcodeAnalysis"] == {"_empty": True}


def test_a_closed_connection_has_no_port() -> None:
    """octoprint 5 Closed: `Offline` elsewhere; the options list the printer's one port."""
    closed = connection_document(PrinterState.OFFLINE, "usb:1", 115200, PROFILES, "_default")
    assert closed["current"] == {
        "state": "Closed",
        "port": None,
        "baudrate": None,
        "printerProfile": "_default",
    }
    assert closed["options"]["ports"] == ["usb:1"]
    is_open = connection_document(PrinterState.PRINTING, "usb:1", 115200, PROFILES, "_default")[
        "current"
    ]
    assert (is_open["state"], is_open["port"], is_open["baudrate"]) == ("Printing", "usb:1", 115200)


def test_a_profile_is_what_the_printer_works_by() -> None:
    """octoprint 4: OctoPrint's shape and Gantry's say the same of size, heaters and tools."""
    profile = Profile(extruders=2, width_mm=300.0, heated_chamber=True)
    document = profile_document(profile, "Alpha", "MK3S")
    assert document["extruder"]["count"] == len(document["extruder"]["offsets"]) == 2
    assert own_fields(document)["width_mm"] == 300.0
    wider = merged(document, {"volume": {"width": 350}, "unknown": 1, "color": "red"})
    assert (own_fields(wider)["width_mm"], wider["color"]) == (350, "red")
    assert overlaid(wider, profile)["volume"]["width"] == 300.0
    assert "unknown" not in wider
    fewer = overlaid(document, Profile(extruders=1))["extruder"]
    assert (fewer["count"], fewer["offsets"]) == (1, [[0.0, 0.0]])
    more = overlaid(merged(document, {"extruder": {"offsets": [[1, 2]]}}), profile)["extruder"]
    assert (more["count"], more["offsets"]) == (2, [[1, 2], [0.0, 0.0]])


@pytest.mark.parametrize(
    "wrong",
    [
        *({"volume": 3}, {"heatedBed": "yes"}, {"name": 5}, {"volume": {"width": True}}),
        *({"volume": {"custom_box": box}} for box in (True, "no", {"x_min": "0"}, {"evil": 1})),
        *({"extruder": {"offsets": one}} for one in (3, [1], [[1]], [[1, "2"]], [[1, 2, 3]])),
    ],
)
def test_a_profile_takes_values_of_its_kinds(wrong: dict[str, Any]) -> None:
    """octoprint 4: a box is false or six numbers, offsets are pairs of numbers."""
    with pytest.raises(Invalid):
        merged(profile_document(Profile(), "Alpha", "MK3S"), wrong)


SHOWN = Shown(
    name="Alpha",
    stream_url="http://cam/stream",
    scripts={"on_cancel": "M104 S0"},
    allow_cross_origin=False,
    unique_id="u",
)


def test_settings_have_the_keys_that_apps_read() -> None:
    """octoprint 4: webcam, plugins, appearance, temperature presets, sdSupport, a stable id."""
    settings = settings_document(SHOWN, {"webcam": {"flipH": True}})
    assert set(settings) == {
        *("accessControl", "api", "appearance", "controls", "devel", "feature", "folder"),
        *("gcodeAnalysis", "plugins", "scripts", "serial", "server", "slicing", "system"),
        *("temperature", "terminalFilters", "webcam"),
    }
    assert settings["webcam"]["streamUrl"] == "http://cam/stream"
    assert (settings["webcam"]["flipH"], settings["webcam"]["flipV"]) == (True, False)
    assert settings["feature"]["sdSupport"] is False
    assert settings["appearance"]["name"] == "Alpha"
    assert settings["scripts"]["gcode"] == {"afterPrintCancelled": "M104 S0"}
    assert settings["plugins"]["discovery"]["upnpUuid"] == "u"


def test_what_is_set_is_checked_by_its_key() -> None:
    """octoprint 4: partial JSON; unknown keys are ignored, a wrong value names its key."""
    wanted = parse_settings(
        {
            "appearance": {"name": "New", "color": "red", "x": 1},
            "api": {"allowCrossOrigin": True},
            "scripts": {"gcode": {"afterPrintDone": "M84", "other": "M997"}},
            "temperature": {"profiles": [{"name": "PLA", "extruder": "210", "bed": 60}]},
            "surprise": [1],
        }
    )
    assert (wanted.name, wanted.allow_cross_origin) == ("New", True)
    assert wanted.scripts == {"after_print": "M84"}
    kept = with_kept({"appearance": {"fuzzyTimes": False}}, wanted.kept)
    assert kept["appearance"] == {"fuzzyTimes": False, "color": "red"}
    preset = {"name": "PLA", "extruder": 210, "bed": 60, "chamber": None}
    assert kept["temperature"] == {"profiles": [preset]}


@pytest.mark.parametrize(
    "body",
    [
        {"appearance": "x"},
        {"appearance": {"name": 5}},
        {"appearance": {"color": "url(x)"}},
        {"api": {"allowCrossOrigin": "yes"}},
        {"webcam": {"flipH": 1}},
        {"webcam": {"streamTimeout": float("nan")}},
        {"temperature": {"profiles": [{"name": 1}]}},
        {"temperature": {"profiles": {}}},
        {"terminalFilters": ["x"]},
        {"scripts": {"gcode": {"afterPrintDone": 5}}},
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(body: dict[str, object]) -> None:
    """Nothing is kept then."""
    with pytest.raises(Invalid):
        parse_settings(body)


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("", True),
        ("/webcam/?action=stream", True),
        ("http://cam.local:8080/x", True),
        ("https://cam.local/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("gopher://x", False),
        ("//evil.example/", False),
        ("http://user:secret@cam.local/", False),
        ("http://[", False),
    ],
)
def test_a_camera_address_is_a_web_address(url: str, fits: bool) -> None:
    """S37: no scheme but http and https, no password in it."""
    if fits:
        assert parse_settings({"webcam": {"streamUrl": url}}).stream_url == url
        return
    with pytest.raises(Invalid):
        parse_settings({"webcam": {"streamUrl": url}})


def test_history_has_time_and_every_heater_without_offsets() -> None:
    """octoprint 4: `{time,tool0{actual,target},bed{...}}`."""
    reading = Reading(1000.7, {"tool0": Temperature(20.5, 0.0)})
    assert history_document([reading], ["tool0", "bed"]) == [
        {
            "time": 1000,
            "tool0": {"actual": 20.5, "target": 0.0},
            "bed": {"actual": None, "target": None},
        }
    ]
