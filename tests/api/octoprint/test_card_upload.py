"""Files sent to a printer's own card, as OctoPrint's clients send them (octoprint 4, 5, 6, 8)."""

import asyncio
from typing import Any

import httpx
import pytest

from api.events.models import AuditEntry, Event
from api.files.models import TreeName
from api.jobs.models import Print
from api.octoprint import push_client
from schemas.commands import Verb
from schemas.printer import CardFile, PrinterState
from tests.api.octoprint.conftest import GCODE, Farm
from tests.api.octoprint.test_push import RAW, signed_in
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")

SD, CARD, LOCAL = "/api/printer/sd", "/api/files/sdcard", "/api/files/local"
SENT = {"local": "cube.gcode", "remote": "cube.gco"}
HOT = b"G28\nM104 S900\nG1 X10\n"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.commands.card_writes.REFUSAL_WAIT_S", 0.5)
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.02)


async def with_card(farm: Farm, *names: str) -> None:
    """A card is in the slot, with files of these names on it."""
    farm.machine.card = [CardFile(name, 4000) for name in names]
    assert (await farm.post(SD, json={"command": "init"})).status_code == 204


async def send(farm: Farm, name: str = "cube.gcode", **fields: str) -> httpx.Response:
    return await farm.post(CARD, files={"file": (name, GCODE)}, data=fields)


async def stored(farm: Farm) -> int:
    """How many names there are."""
    return await TreeName.all().count()


async def state_text(farm: Farm) -> str:
    return str((await farm.get("/api/printer")).json()["state"]["text"])


async def kinds(*wanted: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of these kinds and what they say, oldest first."""
    rows = await Event.filter(kind__in=wanted).order_by("number")
    return [(row.kind, row.data) for row in rows]


async def newest(kind: str) -> dict[str, Any]:
    row = await Event.filter(kind=kind).order_by("-number").first()
    assert row is not None
    return dict(row.data)


async def test_a_file_goes_to_the_card(farm: Farm) -> None:
    """octoprint 6 sdcard: 201 with both places, `done` false; the bridge is told its hash and a
    short name; state and job show it until it is there; then it is listed, and nothing selected."""
    await with_card(farm)
    answer = await send(farm)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["done"], told["effectiveSelect"], told["effectivePrint"]) == (False, False, False)
    assert told["files"]["local"]["refs"]["resource"].endswith(f"{LOCAL}/cube.gcode")
    card = told["files"]["sdcard"]
    assert (card["name"], card["path"], card["origin"]) == ("cube.gco", "cube.gco", "sdcard")
    assert card["refs"]["resource"].endswith(f"{CARD}/cube.gco")
    assert answer.headers["location"] == card["refs"]["resource"]
    verb, args = farm.room.orders[-1]
    assert (verb, args["name"], args["size_bytes"]) == (Verb.CARD_WRITE, "cube.gco", len(GCODE))
    assert len(args["sha256"]) == 64 and args.get("then") is None

    await farm.room.advance(farm.machine, 0.5)
    shown = (await farm.get("/api/printer")).json()["state"]
    assert shown["text"] == "Sending file to SD"
    true = {name for name, is_set in shown["flags"].items() if is_set}
    assert true == {"operational", "printing", "sdReady"}
    job = await farm.job()
    assert job["state"] == "Sending file to SD"
    file = job["job"]["file"]
    assert (file["name"], file["origin"], file["size"]) == ("cube.gco", "sdcard", len(GCODE))
    assert 40 < job["progress"]["completion"] < 60

    await farm.room.close_file(farm.machine)
    assert await state_text(farm) == "Operational"
    assert (await farm.job())["job"]["file"]["path"] is None
    listed = (await farm.get(CARD)).json()["files"]
    assert [each["name"] for each in listed] == ["CUBE.GCO"]
    assert (await farm.get(f"{CARD}/cube.gco")).json() == listed[0]
    written = await newest("printer.card_written")
    assert (written["file"], written["path"], written["time_s"]) == ("cube.gco", "cube.gcode", 12.5)
    assert await Print.all().count() == 0


@pytest.mark.parametrize(
    ("fields", "then"),
    [({"select": "true"}, "select"), ({"print": "true"}, "start")],
)
async def test_what_follows_is_told_with_the_order(
    farm: Farm, fields: dict[str, str], then: str
) -> None:
    """octoprint 6 select, 6 print alone: the printer does it when the file is there whole."""
    await with_card(farm)
    told = (await send(farm, **fields)).json()
    assert told["effectiveSelect"] is ("select" in fields)
    assert told["effectivePrint"] is ("print" in fields)
    assert farm.room.orders[-1][1]["then"] == then
    await farm.room.close_file(farm.machine)
    job = await farm.job()
    assert job["state"] == ("Printing from SD" if then == "start" else "Operational")
    assert (job["job"]["file"]["path"].lower(), job["job"]["file"]["origin"]) == (
        "cube.gco",
        "sdcard",
    )


async def test_a_plate_that_is_not_clear_keeps_the_print_away(farm: Farm) -> None:
    """DESIGN 7, Plate: the file is sent, the print is not begun, and the answer says so."""
    await with_card(farm)
    patched = await farm.http.patch(
        "/api/v1/printers/1",
        json={"plate_policy": "confirm"},
        headers={"Authorization": f"Bearer {farm.token}"},
    )
    assert patched.status_code == 200, patched.text
    told = (await send(farm, print="true", select="true")).json()
    assert (told["effectiveSelect"], told["effectivePrint"]) == (True, False)
    assert farm.room.orders[-1][1]["then"] == "select"


async def test_refused_before_the_file_nothing_is_stored(farm: Farm) -> None:
    """octoprint 6 unknown target, 6 offline, 6 busy: 404 without a slot, 409 without a card, for a
    printer that prints and for one that is away; no name and no order is left."""
    assert (await send(farm)).status_code == 404
    await with_card(farm)
    await farm.post(SD, json={"command": "release"})
    answer = await send(farm)
    assert answer.status_code == 409
    assert "no card" in answer.json()["error"]
    await with_card(farm)
    for state in (PrinterState.PRINTING, PrinterState.OFFLINE, PrinterState.ERROR):
        farm.machine.state = state
        await farm.room.report(farm.machine)
        assert (await send(farm)).status_code == 409, state
    assert await stored(farm) == 0
    assert Verb.CARD_WRITE not in [verb for verb, _ in farm.room.orders]


async def test_what_is_no_file_for_a_card(farm: Farm) -> None:
    """octoprint 6 extensions, 6 foldername, 6 empty file: 415, 400; a file beyond the printer's
    ceilings is refused as for a print, whatever is asked to follow."""
    await with_card(farm)
    assert (await send(farm, "cube.exe")).status_code == 415
    assert (await farm.post(CARD, data={"foldername": "new"})).status_code == 400
    empty = {"file": ("a.gcode", b"")}
    assert (await farm.post(CARD, files=empty)).status_code == 400
    answer = await farm.post(CARD, files={"file": ("hot.gcode", HOT)})
    assert answer.status_code == 400, answer.text
    assert "900" in answer.json()["error"]
    assert (await farm.http.post(CARD, files={"file": ("a.gcode", GCODE)})).status_code == 403
    viewer = {"X-Api-Key": farm.viewer_key}
    answer = await farm.http.post(CARD, files={"file": ("a.gcode", GCODE)}, headers=viewer)
    assert answer.status_code == 403
    assert await stored(farm) == 0


async def test_a_key_in_the_form_is_enough(farm: Farm) -> None:
    """octoprint 6 apikey: behind the file, too."""
    await with_card(farm)
    form: list[tuple[str, Any]] = [
        ("file", ("cube.gcode", GCODE)),
        ("apikey", (None, farm.key.encode())),
    ]
    assert (await farm.http.post(CARD, files=form)).status_code == 201


async def test_a_refusal_of_the_printer_is_the_answer(farm: Farm) -> None:
    """409 with its reason; the file stays in local, the printer is free, who watches is told."""
    await with_card(farm)
    farm.room.refuses = "The card is full."
    answer = await send(farm)
    assert answer.status_code == 409
    assert "The card is full." in answer.json()["error"]
    assert await stored(farm) == 1
    assert await state_text(farm) == "Operational"
    assert (await newest("printer.card_write_failed"))["reason"] == "The card is full."
    farm.room.refuses = ""
    assert (await send(farm)).status_code == 201


async def test_a_file_that_is_fetched_holds_the_printer(farm: Farm) -> None:
    """The answer waits no longer than for a refusal; `Starting to send file to SD`, and nothing
    else is begun on it: no print, no other file."""
    await with_card(farm)
    farm.room.fetches = True
    assert (await send(farm)).status_code == 201
    assert await state_text(farm) == "Starting to send file to SD"
    job = await farm.job()
    assert job["state"] == "Starting to send file to SD"
    assert job["job"]["file"]["name"] == "cube.gco"
    assert (await send(farm, "other.gcode")).status_code == 409
    assert (await farm.upload("b.gcode", print="true")).json()["effectivePrint"] is False
    assert (await farm.post("/api/job", json={"command": "start"})).status_code == 409
    assert Verb.START not in [verb for verb, _ in farm.room.orders]
    await farm.room.open_file(farm.machine)
    assert await state_text(farm) == "Sending file to SD"
    await farm.room.close_file(farm.machine)
    assert await state_text(farm) in ("Operational", "Starting", "Printing")


async def test_nothing_else_reaches_a_printer_that_gets_a_file(farm: Farm) -> None:
    """409 for what would land in the file; pausing is not possible."""
    await with_card(farm, "OLD.GCO")
    await send(farm)
    orders = len(farm.room.orders)
    for path, body in (
        ("/api/printer/command", {"command": "G28"}),
        ("/api/printer/printhead", {"command": "home", "axes": ["x"]}),
        ("/api/printer/printhead", {"command": "feedrate", "factor": 110}),
        ("/api/printer/tool", {"command": "target", "targets": {"tool0": 200}}),
        ("/api/printer/bed", {"command": "target", "target": 60}),
        (SD, {"command": "refresh"}),
        (f"{CARD}/OLD.GCO", {"command": "select", "print": True}),
        ("/api/job", {"command": "start"}),
        ("/api/job", {"command": "pause", "action": "pause"}),
        ("/api/job", {"command": "restart"}),
        (f"{LOCAL}/cube.gcode", {"command": "select", "print": True}),
        (f"{LOCAL}/cube.gcode", {"command": "move", "destination": "b.gcode"}),
        (f"{LOCAL}/cube.gcode", {"command": "uploadSd"}),
    ):
        assert (await farm.post(path, json=body)).status_code == 409, (path, body)
    key = {"X-Api-Key": farm.key}
    for path in (f"{LOCAL}/cube.gcode", f"{CARD}/OLD.GCO"):
        assert (await farm.http.request("DELETE", path, headers=key)).status_code == 409, path
    again = await farm.upload("cube.gcode")
    assert again.status_code == 409
    assert "cube.gcode is being sent to the printer's SD card" in again.json()["error"]
    assert len(farm.room.orders) == orders


async def test_it_is_cancelled(farm: Farm) -> None:
    """Cancel is 204, the printer is told, and nothing is on the card."""
    await with_card(farm)
    await send(farm)
    assert (await farm.post("/api/job", json={"command": "cancel"})).status_code == 204
    assert farm.room.orders[-1][0] == Verb.CANCEL
    assert await state_text(farm) == "Operational"
    assert (await farm.get(CARD)).json()["files"] == []
    failed = await newest("printer.card_write_failed")
    assert (failed["file"], failed["reason"]) == ("cube.gco", "It was cancelled.")
    assert (await farm.post("/api/job", json={"command": "cancel"})).status_code == 409
    assert await Print.all().count() == 0
    row = await farm.printer()
    assert (row.queue_hold, row.print_count) == ("", 0)


async def test_a_stop_gets_through(farm: Farm) -> None:
    """M112 passes, and the file has failed: told once."""
    await with_card(farm)
    await send(farm)
    await Event.filter(kind="printer.card_write_failed").delete()
    assert (await farm.post("/api/printer/command", json={"command": "M112"})).status_code == 204
    assert farm.room.orders[-1][0] == Verb.REMOTE_STOP
    assert len(await kinds("printer.card_write_failed")) == 1


@pytest.mark.parametrize("state", [PrinterState.OFFLINE, PrinterState.ERROR])
async def test_a_printer_that_is_lost_has_not_got_the_file(farm: Farm, state: PrinterState) -> None:
    """It failed, once; when the printer is back, the next file goes there."""
    await with_card(farm)
    await send(farm)
    await Event.filter(kind="printer.card_write_failed").delete()
    farm.machine.state = state
    await farm.room.report(farm.machine)
    [(_, failed)] = await kinds("printer.card_write_failed")
    assert failed["file"] == "cube.gco"
    assert failed["reason"].endswith("; what is on the card under that name is not whole")
    await farm.room.close_file(farm.machine, "The printer was lost.")
    assert len(await kinds("printer.card_write_failed")) == 1
    assert (await send(farm)).status_code == 201


async def test_a_name_that_is_taken_gets_a_number(farm: Farm) -> None:
    """octoprint 6 sdcard: eight letters and three, and no file on the card is overwritten."""
    await with_card(farm, "CUBE.GCO", "A_LONG~1.GCO")
    first = (await send(farm)).json()["files"]["sdcard"]["name"]
    await farm.room.close_file(farm.machine)
    second = (await send(farm, "a long name.gcode")).json()["files"]["sdcard"]["name"]
    assert (first, second) == ("cube~1.gco", "a_long~2.gco")


async def test_a_file_that_is_here_goes_to_the_card(farm: Farm) -> None:
    """`uploadSd`: 201 with the same body; 404 for what is not there and for a folder, 400
    on the card itself, 409 for a printer that is busy."""
    assert (await farm.upload("cube.gcode", path="parts")).status_code == 201
    path = f"{LOCAL}/parts/cube.gcode"
    assert (await farm.post(path, json={"command": "uploadSd"})).status_code == 404  # no slot
    await with_card(farm, "OLD.GCO")
    answer = await farm.post(path, json={"command": "uploadSd"})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["files"]["local"]["path"] == "parts/cube.gcode"
    assert (told["files"]["sdcard"]["path"], told["done"]) == ("cube.gco", False)
    assert (await farm.post(path, json={"command": "uploadSd"})).status_code == 409
    await farm.room.close_file(farm.machine)
    for missing in ("none.gcode", "parts"):
        answer = await farm.post(f"{LOCAL}/{missing}", json={"command": "uploadSd"})
        assert answer.status_code == 404, missing
    on_card = await farm.post(f"{CARD}/OLD.GCO", json={"command": "uploadSd"})
    assert on_card.status_code == 400


async def test_who_sent_what_is_in_the_audit(farm: Farm) -> None:
    """Safety S54: who, which printer, which file, under which name."""
    await with_card(farm)
    await send(farm)
    entry = await AuditEntry.filter(action="printer.card_write").order_by("-id").first()
    assert entry is not None
    assert (entry.username, entry.entity_id) == ("admin", "1")
    assert (entry.details["file"], entry.details["path"]) == ("cube.gco", "cube.gcode")


async def test_push_tells_of_it(farm: Farm) -> None:
    """octoprint 8 TransferStarted, 8 TransferDone, 8 TransferFailed, 8 Upload: as OctoPrint's; no
    print and no selection is told, and the list of files is another one."""
    await with_card(farm)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("history")
        await send(farm)
        await farm.room.close_file(farm.machine)
        events = await app.events("TransferDone")
        await send(farm)
        await farm.room.close_file(farm.machine, "The card is full.")
        events += await app.events("TransferFailed")
    names = [name for name, _ in events]
    assert names.count("TransferStarted") == 2
    assert ("TransferStarted", SENT) in events
    assert ("TransferDone", {**SENT, "time": 12.5}) in events
    again = {"local": "cube.gcode", "remote": "cube~1.gco"}
    assert events[-1] == (
        "TransferFailed",
        {**again, "time": 12.5, "reason": "The card is full."},
    )
    assert {"PrintStarted", "PrintDone", "PrintFailed", "FileSelected"}.isdisjoint(names)
    upload = dict(events)["Upload"]
    assert (upload["path"], upload["target"]) == ("cube.gcode", "sdcard")
    changed = {"state_id": "PRINTING", "state_string": "Sending file to SD"}
    assert ("PrinterStateChanged", changed) in events
    assert "UpdatedFiles" in names


async def test_v1_says_what_it_is(farm: Farm) -> None:
    """v1 2.3, 4.2: `transferring`, shown as PREPARE; no job, and no stage and progress of one."""
    await with_card(farm)
    await send(farm)
    await farm.room.advance(farm.machine, 0.5)
    headers = {"Authorization": f"Bearer {farm.token}"}
    shown = (await farm.http.get("/api/v1/printers/1", headers=headers)).json()
    assert (shown["state"], shown["gcode_state"]) == ("transferring", "PREPARE")
    assert (shown["current_job_id"], shown["print_stage"], shown["progress"]) == (None, None, None)
    for path, body in (("/pause", {}), ("/sd", {"action": "list"}), ("/fan", {"speed": 9})):
        answer = await farm.http.post(f"/api/v1/printers/1{path}", json=body, headers=headers)
        assert answer.status_code == 409, (path, answer.text)
    stopped = await farm.http.post("/api/v1/printers/1/stop", headers=headers)
    assert stopped.status_code == 200, stopped.text
    assert stopped.json()["state"] == "IDLE"


async def test_the_queue_waits_for_the_end(farm: Farm) -> None:
    """DESIGN 7: a job says what it waits for, and begins when the file is there."""
    await with_card(farm)
    cleared = {"Authorization": f"Bearer {farm.token}"}
    await farm.http.post("/api/v1/printers/1/plate-cleared", headers=cleared)
    await send(farm)
    assert (await farm.upload("b.gcode", print="true")).json()["effectivePrint"] is False
    why = await farm.http.get("/api/v1/jobs", headers=cleared)
    [job] = why.json()
    told = await farm.http.get(f"/api/v1/jobs/{job['id']}/explanation", headers=cleared)
    assert "SD card" in told.text, told.text
    assert Verb.START not in [verb for verb, _ in farm.room.orders]
    await farm.room.close_file(farm.machine)
    for _ in range(250):
        if Verb.START in [verb for verb, _ in farm.room.orders]:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the job has not begun")


async def test_v1_sends_a_print_file(farm: Farm) -> None:
    """Ours, beside v1 2.3: a file of the library, by its number; `sending` tells how far it is;
    404 for a file that is not there, 409 while another goes, 422 for other words."""
    headers = {"Authorization": f"Bearer {farm.token}"}
    path = "/api/v1/printers/1/sd-files"
    uploaded = await farm.http.post(
        "/api/v1/print-files/upload", files={"file": ("vase.gcode", GCODE)}, headers=headers
    )
    assert uploaded.status_code in (200, 201), uploaded.text
    number = (await farm.http.get("/api/v1/print-files", headers=headers)).json()[0]["id"]

    async def ask(**body: object) -> httpx.Response:
        return await farm.http.post(path, json=body, headers=headers)

    assert (await ask(print_file_id=number)).status_code == 404  # no slot
    await with_card(farm)
    assert (await ask(print_file_id=number + 1)).status_code == 404
    assert (await ask(print_file_id=number, then="eat")).status_code == 422
    assert (await farm.http.get(path, headers=headers)).json()["sending"] is None
    answer = await ask(print_file_id=number, then="start")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["file"], answer.json()["state"]) == ("vase.gco", "TRANSFERRING")
    assert farm.room.orders[-1][1]["then"] == "start"
    await farm.room.advance(farm.machine, 0.5)
    sending = (await farm.http.get(path, headers=headers)).json()["sending"]
    assert (sending["name"], sending["size_bytes"], sending["then"]) == (
        *("vase.gco", len(GCODE)),
        "start",
    )
    assert 40 < sending["progress"] < 60
    assert (await ask(print_file_id=number)).status_code == 409
    await farm.room.close_file(farm.machine)
    assert (await farm.job())["state"] == "Printing from SD"
    assert (await farm.http.get(path, headers=headers)).json()["sending"] is None


async def test_a_cancel_frees_a_printer_whose_room_knows_nothing_of_a_file(farm: Farm) -> None:
    """The room has lost the order: what it answers to the cancel ends the wait."""
    await with_card(farm)
    farm.room.fetches = True
    await send(farm)
    farm.room.refuses = "Nothing is being sent to the card."
    cancelled = await farm.post("/api/job", json={"command": "cancel"})
    assert cancelled.status_code == 409
    farm.room.refuses = ""
    assert await state_text(farm) == "Operational"
    assert (await newest("printer.card_write_failed"))["file"] == "cube.gco"
    farm.room.fetches = False
    assert (await send(farm)).status_code == 201
