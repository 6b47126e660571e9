"""The printer's own card and its questions, as OctoPrint's clients use them (octoprint 4)."""

import pytest

from schemas.commands import Verb
from schemas.printer import CardFile, PrinterState, Prompt
from tests.api.octoprint.conftest import Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

SD, CUBE = "/api/printer/sd", "/api/files/sdcard/CUBE.GCO"
PROMPT = "/api/plugin/action_command_prompt"


async def with_card(farm: Farm) -> None:
    """The card is in the slot and listed."""
    machine = farm.room.machines[(await farm.printer()).id]
    machine.card = [CardFile("CUBE.GCO", 4000, "cube.gcode"), CardFile("VASE.GCO")]
    assert (await farm.post(SD, json={"command": "init"})).status_code == 204


async def delete(farm: Farm, path: str) -> int:
    """The status of the answer."""
    answer = await farm.http.request("DELETE", path, headers={"X-Api-Key": farm.key})
    return answer.status_code


async def test_a_card_is_listed_when_it_is_asked_for(farm: Farm) -> None:
    """octoprint 5 sdcard entry, 5 sdReady: nothing before; then names, sizes and links, beside the
    farm's own files too."""
    assert (await farm.get(SD)).json() == {"ready": False}
    assert (await farm.get("/api/files/sdcard")).json() == {"files": []}
    assert (await farm.get("/api/settings")).json()["feature"]["sdSupport"] is False
    await with_card(farm)
    assert (await farm.get("/api/settings")).json()["feature"]["sdSupport"] is True
    assert (await farm.get(SD)).json() == {"ready": True}
    shown = (await farm.get("/api/printer")).json()
    assert shown["sd"] == {"ready": True}
    assert shown["state"]["flags"]["sdReady"] is True
    first, second = (await farm.get("/api/files/sdcard")).json()["files"]
    assert (first["path"], first["display"], first["size"]) == ("CUBE.GCO", "cube.gcode", 4000)
    assert first["refs"]["resource"].endswith(CUBE)
    entry = {"name", "display", "path", "type", "typePath", "origin", "refs"}
    assert (set(first), set(second)) == ({*entry, "size"}, entry)
    assert (first["type"], first["typePath"]) == ("machinecode", ["machinecode", "gcode"])
    assert (first["origin"], set(first["refs"])) == ("sdcard", {"resource"})
    assert (await farm.get(CUBE)).json() == first
    everything = (await farm.get("/api/files")).json()["files"]
    assert {"CUBE.GCO", "VASE.GCO"} <= {each["name"] for each in everything}
    assert (await farm.get("/api/files/sdcard/NONE.GCO")).status_code == 404


async def test_a_print_from_the_card_is_started_paused_and_cancelled(farm: Farm) -> None:
    """octoprint 5 texts: Printing from SD; select with print reaches the printer; job, state and
    buttons are those of any print."""
    await with_card(farm)
    answer = await farm.post(CUBE, json={"command": "select", "print": True})
    assert answer.status_code == 204, answer.text
    assert farm.room.orders[-1] == (Verb.CARD, {"action": "start", "name": "CUBE.GCO"})
    job = (await farm.get("/api/job")).json()
    assert job["state"] == "Printing from SD"
    assert (job["job"]["file"]["origin"], job["job"]["file"]["size"]) == ("sdcard", 4000)
    assert await delete(farm, CUBE) == 409
    assert (await farm.post(SD, json={"command": "release"})).status_code == 409
    paused = await farm.post("/api/job", json={"command": "pause", "action": "pause"})
    assert paused.status_code == 204, paused.text
    assert (await farm.get("/api/job")).json()["state"] == "Paused"
    assert (await farm.post("/api/job", json={"command": "cancel"})).status_code == 204
    assert [verb for verb, _ in farm.room.orders[-2:]] == [Verb.PAUSE, Verb.CANCEL]
    assert farm.room.machines[(await farm.printer()).id].state is PrinterState.OPERATIONAL


async def test_a_selected_card_file_is_started_by_the_job(farm: Farm) -> None:
    """select asks the printer, start prints it; unselect forgets it, delete removes it."""
    await with_card(farm)
    assert (await farm.post(CUBE, json={"command": "select"})).status_code == 204
    assert (await farm.get("/api/job")).json()["job"]["file"]["path"] == "CUBE.GCO"
    assert (await farm.post(CUBE, json={"command": "unselect"})).status_code == 204
    assert await delete(farm, CUBE) == 204
    assert farm.room.orders[-1] == (Verb.CARD, {"action": "delete", "name": "CUBE.GCO"})
    listed = (await farm.get("/api/files/sdcard")).json()["files"]
    assert [each["name"] for each in listed] == ["VASE.GCO"]


async def test_a_question_is_shown_and_answered(farm: Farm) -> None:
    """As OctoPrint's bundled plugin: text and choices, `select` by number, 409 without one."""
    assert (await farm.get(PROMPT)).json() == {}
    answer = {"command": "select", "choice": 1}
    assert (await farm.post(PROMPT, json=answer)).status_code == 409
    machine = farm.room.machines[(await farm.printer()).id]
    machine.prompt = Prompt("Filament out", ["Resume", "Stop"])
    await farm.room.show(machine)
    assert (await farm.get(PROMPT)).json() == {
        "text": "Filament out",
        "choices": ["Resume", "Stop"],
    }
    assert (await farm.post(PROMPT, json=answer)).status_code == 204
    assert farm.room.orders[-1] == (Verb.GCODE, {"lines": ["M876 S1"]})
    assert (await farm.post(PROMPT, json={"command": "select", "choice": "1"})).status_code == 400
    machine.prompt = None
    await farm.room.show(machine)
