"""What each event of the push carries, key by key (OctoPrint contract, 8)."""

from typing import Any

import msgspec
import pytest

from api.octoprint import push_client
from api.octoprint.push_document import Picture
from api.octoprint.push_words import Scene, state_messages
from schemas.facts import AttemptFact
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import PrinterState
from tests.api.octoprint.conftest import GCODE, Farm
from tests.api.octoprint.test_pools import pool_of
from tests.api.octoprint.test_push import RAW, App, printing, signed_in
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

_S = PrinterState
ROOT = "/octoprint/alpha"
LOCAL = f"{ROOT}/api/files/local"
FILE = {"name": "cube.gcode", "path": "cube.gcode", "origin": "local", "size": len(GCODE)}
NAMED = {**FILE, "owner": "admin", "user": "admin"}
OWNED = {**FILE, "owner": "admin"}
#: Where a print is when half of its file has been read.
HALF = {
    "position": dict.fromkeys(("x", "y", "z", "e", "t", "f")),
    "fileposition": len(GCODE) // 2,
    "progress": 100 * (len(GCODE) // 2) // len(GCODE),
}
UPDATED = ("UpdatedFiles", {"type": "printables"})
#: state -> `state_id` and `state_string` of PrinterStateChanged
IDS = [
    ("offline", "OFFLINE", "Offline"),
    ("connecting", "CONNECTING", "Connecting"),
    ("operational", "OPERATIONAL", "Operational"),
    ("starting", "STARTING", "Starting"),
    ("printing", "PRINTING", "Printing"),
    ("pausing", "PAUSING", "Pausing"),
    ("paused", "PAUSED", "Paused"),
    ("resuming", "RESUMING", "Resuming"),
    ("finishing", "FINISHING", "Finishing"),
    ("transferring", "PRINTING", "Sending file to SD"),
    ("cancelling", "CANCELLING", "Cancelling"),
    ("error", "ERROR", "Error"),
    ("halted", "CLOSED_WITH_ERROR", "Offline after error"),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is long for a test."""
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)


async def order(farm: Farm, path: str, **body: Any) -> None:
    answer = await farm.post(ROOT + path, json=body)
    assert answer.status_code < 300, answer.text


async def delete(farm: Farm, path: str) -> None:
    answer = await farm.http.delete(ROOT + path, headers={"X-Api-Key": farm.key})
    assert answer.status_code == 204, answer.text


async def told(app: App, *names: str) -> list[tuple[str, Any]]:
    """The events *names* in the order in which they were told, until the last one of them."""
    found = await app.events(names[-1])
    return [event for event in found if event[0] in names]


@pytest.mark.parametrize(("state", "state_id", "text"), IDS)
async def test_a_change_of_state_has_its_id_and_its_text(
    state: str, state_id: str, text: str
) -> None:
    """octoprint 8 PrinterStateChanged: `{state_id,state_string}`, for every state there is."""
    document = {"state": {"error": ""}, "job": {"file": {}}}
    scene = Scene(Picture(state=PrinterState(state), document=document), None, {})
    messages = dict(state_messages(_S.OPERATIONAL, PrinterState(state), scene))
    assert messages["PrinterStateChanged"] == {"state_id": state_id, "state_string": text}
    assert {one[0] for one in IDS} == {*PrinterState}


async def test_a_print_that_succeeds(farm: Farm) -> None:
    """octoprint 8 FileSelected, 8 PrintStarted, 8 PrintDone, 8 order of success: owner and user in
    the first two, owner and time in the last."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await printing(farm)
        await farm.room.finish(farm.machine)
        events = await told(app, "FileSelected", "PrintStarted", "PrintDone")
    time_s = events[-1][1]["time"]
    assert time_s >= 0
    assert events == [
        ("FileSelected", NAMED),
        ("PrintStarted", NAMED),
        ("PrintDone", {**OWNED, "time": time_s}),
    ]


async def test_a_print_that_is_paused_and_cancelled(farm: Farm) -> None:
    """octoprint 8 PrintPaused, 8 PrintResumed, 8 PrintCancelling, 8 PrintCancelled, 8 PrintFailed,
    8 order of cancel: position, fileposition and progress where there are some; the reason is
    cancelled."""
    names = ("PrintPaused", "PrintResumed", "PrintCancelling", "PrintCancelled", "PrintFailed")
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await printing(farm)
        await farm.room.advance(farm.machine, 0.5)
        await order(farm, "/api/job", command="pause", action="pause")
        await order(farm, "/api/job", command="pause", action="resume")
        farm.machine.state = _S.CANCELLING
        await farm.room.report(farm.machine)
        await order(farm, "/api/job", command="cancel")
        events = await told(app, *names)
    time_s = events[-1][1]["time"]
    assert events == [
        ("PrintPaused", {**NAMED, **HALF}),
        ("PrintResumed", NAMED),
        ("PrintCancelling", NAMED),
        ("PrintCancelled", {**NAMED, **HALF, "time": time_s}),
        ("PrintFailed", {**NAMED, **HALF, "time": time_s, "reason": "cancelled"}),
    ]


async def test_a_print_that_fails(farm: Farm) -> None:
    """octoprint 8 PrintFailed: the reason error, and no PrintCancelled."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await printing(farm)
        await farm.room.advance(farm.machine, 0.5)
        while (await app.hear("current"))["progress"]["filepos"] != len(GCODE) // 2:
            pass
        grant = farm.machine.grant
        assert grant is not None
        farm.machine.state, farm.machine.grant = _S.ERROR, None
        fact = AttemptFact(
            printer=1,
            grant=grant,
            event=AttemptEvent.FAILED,
            state=AttemptState.FAILED,
            reason="thermal runaway",
        )
        await farm.room.report(farm.machine, fact)
        events = await told(app, "PrintCancelled", "PrintFailed")
    [(_, failed)] = events
    assert failed == {**NAMED, **HALF, "time": failed["time"], "reason": "error"}


async def test_a_connection_that_is_closed_and_opened(farm: Farm) -> None:
    """octoprint 8 Connecting, 8 Disconnecting, 8 Disconnected, 8 Connected: null, but for the last
    with port and baudrate."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await order(farm, "/api/connection", command="disconnect")
        farm.machine.state = _S.CONNECTING
        await farm.room.report(farm.machine)
        farm.machine.state = _S.OPERATIONAL
        await farm.room.report(farm.machine)
        names = ("Disconnecting", "Disconnected", "Connecting", "Connected")
        events = await told(app, *names)
    assert events == [
        ("Disconnecting", None),
        ("Disconnected", None),
        ("Connecting", None),
        ("Connected", {"port": "/dev/pts/7", "baudrate": 115200}),
    ]


async def test_a_line_that_breaks_is_not_being_closed(farm: Farm) -> None:
    """octoprint 8 Disconnected: alone when nobody asked for it."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        farm.machine.state = _S.OFFLINE
        await farm.room.report(farm.machine)
        events = await app.events("Disconnected")
    assert "Disconnecting" not in dict(events)


WISHES: list[tuple[dict[str, str], dict[str, bool]]] = [
    ({}, {}),
    ({"select": "true"}, {"select": True, "effective_select": True}),
    ({"print": "true"}, {"print": True, "effective_print": True}),
]


@pytest.mark.parametrize(("fields", "flags"), WISHES, ids=["kept", "selected", "printed"])
async def test_an_upload_is_told_with_what_came_of_it(
    farm: Farm, fields: dict[str, str], flags: dict[str, bool]
) -> None:
    """octoprint 8 FileAdded, 8 UpdatedFiles, 8 Upload: in this order; what was asked for and what
    was done."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await farm.upload("cube.gcode", GCODE, path="sub", **fields)
        events = await told(app, "FileAdded", "UpdatedFiles", "Upload")
    name = {"path": "sub/cube.gcode", "name": "cube.gcode"}
    kinds = ["machinecode", "gcode"]
    none = dict.fromkeys(("select", "print", "effective_select", "effective_print"), False)
    assert events == [
        ("FileAdded", {"storage": "local", **name, "type": kinds, "operation": "add"}),
        UPDATED,
        ("Upload", {**name, "target": "local", **none, **flags}),
    ]


async def test_an_upload_to_a_printer_that_is_off_is_told_as_kept(farm: Farm) -> None:
    """octoprint 6 offline, 8 Upload: asked for and not done."""
    farm.machine.state = _S.OFFLINE
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await farm.upload("cube.gcode", print="true", select="true")
        [(_, upload)] = await told(app, "Upload")
    assert (upload["select"], upload["effective_select"]) == (True, False)
    assert (upload["print"], upload["effective_print"]) == (True, False)


async def test_names_that_come_move_and_go(farm: Farm) -> None:
    """octoprint 8 FolderAdded, 8 FileMoved, 8 FolderRemoved, 8 FileRemoved: each followed by
    UpdatedFiles; a copy is no Upload."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await farm.upload("a.gcode")
        await app.events("Upload")
        await farm.post(LOCAL, data={"foldername": "sub"})
        await order(farm, "/api/files/local/a.gcode", command="move", destination="sub/b.gcode")
        await order(farm, "/api/files/local/sub/b.gcode", command="copy", destination="c.gcode")
        await delete(farm, "/api/files/local/sub")
        await delete(farm, "/api/files/local/c.gcode")
        events = await app.events("FileRemoved")
    moved = {
        "storage": "local",
        "source_path": "a.gcode",
        "source_name": "a.gcode",
        "destination_path": "sub/b.gcode",
        "destination_name": "b.gcode",
    }
    copy = {"storage": "local", "path": "c.gcode", "name": "c.gcode"}
    kinds = {"type": ["machinecode", "gcode"]}
    folder = {"storage": "local", "path": "sub", "name": "sub"}
    about_analysis = ("MetadataAnalysisStarted", "MetadataAnalysisFinished")
    assert [event for event in events if event[0] not in about_analysis] == [
        ("FolderAdded", folder),
        UPDATED,
        ("FileMoved", moved),
        UPDATED,
        ("FileAdded", {**copy, **kinds, "operation": "add"}),
        UPDATED,
        ("FolderRemoved", folder),
        UPDATED,
        ("FileRemoved", {**copy, **kinds, "operation": "remove"}),
    ]


async def test_a_selection_that_is_taken_back(farm: Farm) -> None:
    """octoprint 8 FileSelected, 8 FileDeselected: with the file, and with null."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await farm.upload("cube.gcode", select="true")
        assert (await app.events("FileSelected"))[-1] == ("FileSelected", NAMED)
        await order(farm, "/api/files/local/current", command="unselect")
        assert (await app.events("FileDeselected"))[-1] == ("FileDeselected", None)


async def test_settings_and_profiles_that_change(farm: Farm) -> None:
    """octoprint 8 SettingsUpdated, 8 PrinterProfileAdded, 8 PrinterProfileDeleted: with both
    hashes, and with the profile's identifier."""
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        for wanted in ({"appearance": {"name": "Alpha 2"}}, {"webcam": {"flipH": True}}):
            await order(farm, "/api/settings", **wanted)
            [(_, updated)] = await told(app, "SettingsUpdated")
            assert set(updated) == {"config_hash", "effective_hash"}
        await order(farm, "/api/printerprofiles", profile={"id": "fine", "name": "Fine"})
        await delete(farm, "/api/printerprofiles/fine")
        events = await told(app, "PrinterProfileAdded", "PrinterProfileDeleted")
    profile = {"identifier": "fine"}
    assert events == [("PrinterProfileAdded", profile), ("PrinterProfileDeleted", profile)]


async def test_a_pool_tells_of_its_own(farm: Farm) -> None:
    """octoprint 8 SettingsUpdated, 8 Upload: of the pool, whose prints all wait; nothing of its
    printers."""
    root = await pool_of(farm, 1)
    async with LiveSocket(farm.application, f"{root}/sockjs/websocket") as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        for wanted in ({"appearance": {"name": "Row"}}, {"webcam": {"flipH": True}}):
            assert (await farm.post(f"{root}/api/settings", json=wanted)).status_code == 200
            await app.events("SettingsUpdated")
        await order(farm, "/api/printerprofiles", profile={"id": "fine", "name": "Fine"})
        files = {"file": ("a.gcode", GCODE)}
        await farm.post(f"{root}/api/files/local", files=files, data={"print": "true"})
        events = await app.events("Upload")
    assert "PrinterProfileAdded" not in dict(events)
    assert (events[-1][1]["print"], events[-1][1]["effective_print"]) == (True, False)


async def test_the_height_that_changes(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """octoprint 8 ZChange: `{new,old}`, and `currentZ` beside it."""
    live = msgspec.structs.replace(farm.machine.live(), z_mm=0.4)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        monkeypatch.setattr(type(farm.machine), "live", lambda machine: live)
        await farm.room.show(farm.machine)
        [(_, change)] = await told(app, "ZChange")
        while (await app.hear("current"))["currentZ"] != 0.4:
            pass
    assert change == {"new": 0.4, "old": None}
