"""Rows of sections 4 and 6 about files on their way: downloads and uploads."""

import json

from tests.api.octoprint.conftest import GCODE
from tests.api.octoprint.rows import LOCAL, NOBODY, VIEWER, Row, row

_DOWN, _SD = "/downloads/files/local", "/api/files/sdcard"
_FILE = ("a.gcode", GCODE)
_LOADED = frozenset({"files", "done", "effectiveSelect", "effectivePrint"})


def sent(status: int, says: str, name: str = "a.gcode", **more: object) -> Row:
    """A row of section 6."""
    more = {"parts": {"file": (name, GCODE)}, **more}
    return row("POST", LOCAL, status, says, section="6", **more)


DOWNLOADS = [
    row(
        "GET",
        f"{_DOWN}/a.gcode",
        200,
        "an attachment",
        by=VIEWER,
        given=("file",),
        media="text/plain",
        pool=200,
    ),
    row(
        "GET",
        f"{_DOWN}/a.gcode",
        206,
        "a range",
        given=("file",),
        headers={"Range": "bytes=0-3"},
        pool=206,
    ),
    row("HEAD", f"{_DOWN}/a.gcode", 200, "head", given=("file",)),
    row(
        "GET",
        f"{_DOWN}/a.gcode",
        403,
        "without key, no JSON",
        given=("file",),
        by=NOBODY,
        media="text/html",
    ),
    row("GET", f"{_DOWN}/none.gcode", 404, "unknown, no JSON", media="text/html"),
]
UPLOADS = [
    sent(
        201,
        "local",
        keys=_LOADED,
        lands=f"{LOCAL}/a.gcode",
        pool=201,
        has={
            "done": True,
            "effectiveSelect": False,
            "effectivePrint": False,
            "files.local.name": "a.gcode",
            "files.local.path": "a.gcode",
            "files.local.origin": "local",
        },
        keys_at={
            "files": frozenset({"local"}),
            "files.local": frozenset({"name", "path", "origin", "refs"}),
            "files.local.refs": frozenset({"resource", "download"}),
        },
    ),
    sent(
        201,
        "path",
        form={"path": "x/y"},
        lands=f"{LOCAL}/x/y/a.gcode",
        has={"files.local.path": "x/y/a.gcode"},
        pool=201,
    ),
    sent(
        201,
        "filename overrides",
        form={"filename": "z.gcode"},
        has={"files.local.name": "z.gcode"},
        pool=201,
    ),
    sent(
        201,
        "select",
        form={"select": "true"},
        has={"effectiveSelect": True, "effectivePrint": False},
    ),
    sent(
        201,
        "print alone selects nothing",
        form={"print": "true"},
        has={"effectivePrint": True, "effectiveSelect": False},
    ),
    sent(
        201,
        "select and print",
        form={"select": "true", "print": "true"},
        has={"effectivePrint": True, "effectiveSelect": True},
    ),
    sent(
        201,
        "select while busy is ignored",
        "b.gcode",
        form={"select": "true"},
        given=("printing",),
        has={"effectivePrint": False, "effectiveSelect": False},
    ),
    sent(
        201,
        "select while paused is ignored",
        "b.gcode",
        form={"select": "true", "print": "true"},
        given=("paused",),
        has={"effectivePrint": False, "effectiveSelect": False},
    ),
    sent(201, "print at a pool waits", form={"print": "yes"}, pool=201),
    sent(
        201,
        "print and select offline are ignored",
        form={"print": "true", "select": "true"},
        given=("offline",),
        has={"effectivePrint": False, "effectiveSelect": False},
        pool=201,
    ),
    sent(
        201,
        "print while busy",
        "b.gcode",
        form={"print": "1"},
        given=("printing",),
        has={"effectivePrint": False},
    ),
    sent(201, "overwrites", given=("file",), pool=201),
    sent(409, "noOverwrite", form={"noOverwrite": "true"}, given=("file",), pool=409),
    sent(
        201, "noOverwrite of a new name", "b.gcode", form={"noOverwrite": "true"}, given=("file",)
    ),
    sent(409, "the file being printed", given=("printing",)),
    sent(409, "the file of a paused print", given=("paused",)),
    sent(415, "exe", "a.exe", pool=415),
    sent(415, "no extension", "agcode", pool=415),
    sent(415, "stl without slicer", "a.stl", pool=415),
    sent(
        201,
        "spaces and accents are kept",
        "naïve bär.gcode",
        lands=f"{LOCAL}/na%C3%AFve%20b%C3%A4r.gcode",
        has={"files.local.name": "naïve bär.gcode"},
        pool=201,
    ),
    sent(415, "dots and an extension are no name", "..gcode", pool=415),
    sent(201, "leading dot stripped", ".hidden.gcode", has={"files.local.name": "hidden.gcode"}),
    sent(201, "empty file", parts={"file": ("e.gcode", b"")}, pool=201),
    sent(400, "traversal in filename", "../a.gcode", pool=400),
    sent(400, "traversal in path", form={"path": "../.."}, pool=400),
    sent(400, "bad userdata", form={"userdata": "{"}, pool=400),
    sent(201, "userdata", form={"userdata": json.dumps({"a": 1})}, pool=201),
    sent(400, "another field", parts={"upload": _FILE}, pool=400),
    sent(400, "no file", parts=None, form={"print": "true"}, pool=400),
    sent(403, "no right", by=VIEWER, pool=403),
    sent(403, "no key", by=NOBODY, pool=403),
    sent(
        201,
        "a folder",
        parts=None,
        form={"foldername": "New"},
        lands=f"{LOCAL}/New",
        keys=frozenset({"folder", "done"}),
        keys_at={
            "folder": frozenset({"name", "path", "origin", "refs"}),
            "folder.refs": frozenset({"resource"}),
        },
        has={"done": True, "folder.name": "New", "folder.path": "New", "folder.origin": "local"},
        pool=201,
    ),
    sent(
        201,
        "a folder that exists",
        parts=None,
        form={"foldername": "sub"},
        given=("folder",),
        pool=201,
    ),
    sent(201, "a folder as multipart", parts={"foldername": (None, "New")}, pool=201),
    sent(
        201,
        "a folder in a folder",
        parts=None,
        form={"foldername": "New", "path": "sub"},
        given=("folder",),
        lands=f"{LOCAL}/sub/New",
        has={"folder.path": "sub/New"},
    ),
    sent(400, "a folder outside", parts=None, form={"foldername": "../New"}),
    row("POST", "/api/files/cloud", 404, "unknown target", parts={"file": _FILE}, pool=404),
    row("POST", _SD, 404, "no slot for a card", parts={"file": _FILE}, pool=404),
    row(
        "POST",
        _SD,
        201,
        "to the card",
        parts={"file": _FILE},
        given=("card",),
        keys=_LOADED,
        lands=f"{_SD}/a.gco",
        has={
            "done": False,
            "effectiveSelect": False,
            "effectivePrint": False,
            "files.local.origin": "local",
            "files.sdcard.name": "a.gco",
            "files.sdcard.origin": "sdcard",
        },
        keys_at={
            "files.sdcard": frozenset({"name", "path", "origin", "refs"}),
            "files.sdcard.refs": frozenset({"resource"}),
        },
    ),
    row("POST", _SD, 409, "card offline", parts={"file": _FILE}, given=("card", "offline")),
    row("POST", _SD, 409, "printer busy", parts={"file": _FILE}, given=("card", "printing")),
    row("POST", _SD, 409, "card busy", parts={"file": _FILE}, given=("sending",)),
    row("POST", _SD, 403, "to the card, no right", parts={"file": _FILE}, by=VIEWER),
    row("POST", _SD, 400, "a folder on the card", form={"foldername": "New"}, given=("card",)),
]
ROWS: list[Row] = [*DOWNLOADS, *UPLOADS]
