"""`/api/job`: start, pause, resume, cancel, restart, and what is shown (octoprint 4, 5)."""

import asyncio
from typing import Any

import httpx
import pytest

from api.printers.models import Printer
from api.printers.rows import bell
from schemas.commands import Verb
from schemas.printer import PrinterState
from tests.api.octoprint.conftest import GCODE, Farm

LOCAL = "/api/files/local"
pytestmark = pytest.mark.asyncio(loop_scope="session")


async def order(farm: Farm, command: str, **more: Any) -> httpx.Response:
    return await farm.post("/api/job", json={"command": command, **more})


async def until(farm: Farm, state: str) -> None:
    for _ in range(300):
        if (await farm.job())["state"] == state:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it is not {state}")


async def printing(farm: Farm, name: str = "a.gcode") -> None:
    assert (await farm.upload(name, print="true")).json()["effectivePrint"] is True
    await until(farm, "Printing")


async def test_pause_and_resume_answer_what_the_printer_reported(farm: Farm) -> None:
    """Read your own write: after the 204 the face shows it; a repeat is a no-op."""
    await printing(farm)
    for action, state in (
        ("pause", "Paused"),
        ("pause", "Paused"),
        ("resume", "Printing"),
        ("resume", "Printing"),
        ("toggle", "Paused"),
        (None, "Printing"),
    ):
        more = {"action": action} if action else {}
        answer = await order(farm, "pause", **more)
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await farm.job())["state"] == state, action
    verbs = [verb for verb, _ in farm.room.orders]
    assert verbs == [Verb.START, Verb.PAUSE, Verb.RESUME, Verb.PAUSE, Verb.RESUME]


async def test_cancel_ends_the_print_and_keeps_the_file_selected(farm: Farm) -> None:
    """octoprint 5 cancelled: progress back to null, the file stays."""
    await printing(farm)
    await farm.room.advance(farm.machine, 0.5)
    assert (await farm.job())["progress"]["completion"] == pytest.approx(50, abs=1)
    assert (await order(farm, "cancel")).status_code == 204
    shown = await farm.job()
    assert shown["state"] == "Operational"
    assert shown["progress"]["completion"] is None
    assert shown["job"]["file"]["name"] == "a.gcode"


async def test_a_finished_print_shows_hundred_percent(farm: Farm) -> None:
    """octoprint 5 finished: 100, nothing left, Operational, selected; until something else is."""
    await printing(farm)
    await farm.room.advance(farm.machine, 0.5)
    await farm.room.finish(farm.machine)
    shown = await farm.job()
    assert (shown["state"], shown["job"]["file"]["name"]) == ("Operational", "a.gcode")
    progress = shown["progress"]
    assert (progress["completion"], progress["printTimeLeft"]) == (100, 0)
    assert progress["filepos"] == shown["job"]["file"]["size"]
    await farm.upload("b.gcode", select="true")
    shown = await farm.job()
    assert shown["job"]["file"]["name"] == "b.gcode"
    assert shown["progress"]["completion"] is None


async def test_start_prints_the_selected_file(farm: Farm) -> None:
    """204 with nothing selected too; 409 while one prints."""
    assert (await order(farm, "start")).status_code == 204
    assert farm.room.orders == []
    await farm.upload("a.gcode", select="true")
    assert (await order(farm, "start")).status_code == 204
    await until(farm, "Printing")  # a room that is slow is waited for a second, no longer
    assert [verb for verb, _ in farm.room.orders] == [Verb.START]
    assert (await order(farm, "start")).status_code == 409


async def test_a_start_that_cannot_be_leaves_no_job(farm: Farm) -> None:
    """On a plate that is not clear: 409 with what to do, and nothing waits."""
    await farm.application.rooms.printers.update(farm.admin, 1, {"plate_policy": "confirm"})
    await farm.upload("a.gcode", select="true")
    answer = await order(farm, "start")
    assert answer.status_code == 409
    assert "plate" in answer.json()["error"]
    assert (await farm.get("/api/v1/jobs", key=farm.token)).json() == []  # nor a cancelled one


async def test_restart_is_the_next_attempt_of_the_same_job(farm: Farm) -> None:
    """409 unless paused; then cancel and start again: one job, attempt two."""
    await printing(farm)
    assert (await order(farm, "restart")).status_code == 409
    await order(farm, "pause")
    assert (await order(farm, "restart")).status_code == 204
    starts = [args for verb, args in farm.room.orders if verb == Verb.START]
    assert [args["attempt"] for args in starts] == [1, 2]
    assert starts[0]["job"] == starts[1]["job"]
    await asyncio.sleep(0.05)
    assert (await farm.job())["state"] == "Printing"


async def test_restart_does_not_print_on_top_of_a_print(farm: Farm) -> None:
    """A plate that people clear cannot be restarted on: 409, and the print stays paused."""
    await printing(farm)
    await order(farm, "pause")
    await Printer.filter(id=1).update(plate_policy="start_confirms")  # as if set before the print
    farm.application.bus.wake([bell(1)])
    answer = await order(farm, "restart")
    assert answer.status_code == 409
    assert (await farm.job())["state"] == "Paused"


async def test_the_order_of_refusals(farm: Farm) -> None:
    """octoprint 4: not operational 409, command 400, permission 403, state 409."""
    for command, status in (("pause", 409), ("cancel", 409), ("restart", 409), ("dance", 400)):
        assert (await order(farm, command)).status_code == status, command
    viewer = {"X-Api-Key": farm.viewer_key}
    for body, status in (({"command": "dance"}, 400), ({"command": "cancel"}, 403)):
        answer = await farm.http.post("/api/job", json=body, headers=viewer)
        assert answer.status_code == status
    farm.machine.state = PrinterState.OFFLINE
    await farm.room.report(farm.machine)
    for body in ({"command": "dance"}, {"command": "cancel"}):
        answer = await farm.http.post("/api/job", json=body, headers=viewer)
        assert answer.status_code == 409


async def test_a_print_that_is_taken_up_again_can_be_cancelled(farm: Farm) -> None:
    """Its sender died, and the printer has not told its line count yet; nothing else is possible.

    Without a print, connecting is 409 for all.
    """
    await printing(farm)
    grant, farm.machine.state = farm.machine.grant, PrinterState.CONNECTING
    await farm.room.report(farm.machine)
    assert (await order(farm, "pause", action="pause")).status_code == 409
    assert (await order(farm, "cancel")).status_code == 204
    assert farm.room.orders[-1][0] == Verb.CANCEL
    farm.machine.state, farm.machine.grant = PrinterState.CONNECTING, None
    await farm.room.report(farm.machine)
    assert grant is not None
    assert (await order(farm, "cancel")).status_code == 409


async def test_a_bad_action_is_400(farm: Farm) -> None:
    """octoprint 4: other actions."""
    await printing(farm)
    assert (await order(farm, "pause", action="dance")).status_code == 400
    assert (await order(farm, "pause", action=["pause"])).status_code == 400


BODIES = [
    (b"{", "application/json", 400),
    (b"[]", "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b'{"command": NaN}', "application/json", 400),
    (b'{"command": ["start"]}', "application/json", 400),
    (b'{"command": "\\ud800"}', "application/json", 400),
    (b"{}", "application/json", 400),
    (b"\xff", "application/json", 400),
    (b"command=start", "application/x-www-form-urlencoded", 415),
    (b'{"command": "start"}', "text/plain", 415),
    (b"", "multipart/form-data; boundary=B", 400),
]


async def test_broken_bodies_are_refused_in_words(farm: Farm) -> None:
    """octoprint 1 bodies, S21: 415 for another type, 400 for what is no JSON object; never a
    500.
    """
    for raw, kind, status in BODIES:
        headers = {"X-Api-Key": farm.key, "Content-Type": kind}
        for path in ("/api/job", "/api/printer/printhead", "/api/connection"):
            answer = await farm.http.post(path, content=raw, headers=headers)
            assert answer.status_code == status, (path, raw[:30], answer.text)
            assert answer.text if kind.startswith("multipart/") else answer.json()["error"]


async def test_a_printer_that_refuses_is_a_409_with_its_reason(farm: Farm) -> None:
    """Nothing is claimed that the printer has not reported."""
    await printing(farm)
    farm.room.refuses = "the head is parked"
    answer = await order(farm, "pause")
    assert answer.status_code == 409
    assert "the head is parked" in answer.json()["error"]
    assert (await farm.job())["state"] == "Printing"


async def test_an_error_is_shown(farm: Farm) -> None:
    """State Error, its text in job, printer answers 409."""
    farm.machine.state, farm.machine.error = PrinterState.ERROR, "Heating failed"
    await farm.room.report(farm.machine)
    shown = await farm.job()
    assert (shown["state"], shown["error"]) == ("Error", "Heating failed")
    assert (await farm.get("/api/printer")).status_code == 409
    assert (await farm.get("/api/printer/error")).json()["error"] == "Heating failed"


async def test_an_absent_room_is_offline(farm: Farm) -> None:
    """Both looks of it: Offline in the job, Closed in the connection."""
    await farm.room.leave()
    farm.application.rooms.bridges._presence.forget(1)
    assert (await farm.job())["state"] == "Offline"
    connection = (await farm.get("/api/connection")).json()["current"]
    assert (connection["state"], connection["port"]) == ("Closed", None)
    assert (await farm.get("/api/printer")).status_code == 409
    assert (await order(farm, "start")).status_code == 409


async def test_a_job_from_v1_is_shown_and_uses_no_name_here(farm: Farm) -> None:
    """Its file is shown to the end; a file of the same name in the tree stays free."""
    token = {"Authorization": f"Bearer {farm.token}"}
    files = {"file": ("a.gcode", GCODE)}
    made = await farm.http.post("/api/v1/print-files/upload", files=files, headers=token)
    body = {"item_name": "vase", "print_file_id": made.json()["id"], "printer_id": 1}
    assert (await farm.http.post("/api/v1/jobs", json=body, headers=token)).status_code == 201
    await until(farm, "Printing")
    assert (await farm.job())["job"]["file"]["name"] == "a.gcode"
    assert (await farm.upload("a.gcode")).status_code == 201
    await farm.room.finish(farm.machine)
    shown = await farm.job()
    assert (shown["state"], shown["progress"]["completion"]) == ("Operational", 100)
    assert (await farm.post(f"{LOCAL}/current", json={"command": "unselect"})).status_code == 204
    assert (await farm.job())["job"]["file"]["name"] is None
