"""Preflights over HTTP: asked for, kept with a start, and their fixes."""

import pytest

from api.files import surveys
from tests.fakes.desk import Desk

GOOD = b"G28\nM104 S200\nM109 S200\nG1 X10 Y10 E1\n"
FIXABLE = b"M104 S200\nG1 X10 Y10 E1\nM500\nM155 S2\nG1 X11 Y10 E2\n"
WIDE = GOOD + b"G1 X400\n"


async def test_a_file_is_held_against_a_printer(desk: Desk) -> None:
    """Errors name the line and what the printer allows; a good file passes."""
    on = {"printer_id": desk.printer_id}
    good = await desk.ask("GET", f"/print-files/{await desk.upload(GOOD)}/preflight", params=on)
    assert (good.json()["status"], good.json()["findings"]) == ("passed", [])
    wide = await desk.ask("GET", f"/print-files/{await desk.upload(WIDE)}/preflight", params=on)
    [finding] = wide.json()["findings"]
    assert wide.json()["status"] == "refused"
    assert (finding["severity"], finding["blocks"], finding["line"]) == ("error", True, 5)
    assert "from 0 to 250 mm" in finding["text"]


async def test_a_file_that_cannot_be_printed_there_makes_no_job(desk: Desk) -> None:
    """Errors block before anything is queued, with the line and the rule (M19)."""
    file_id = await desk.upload(WIDE)
    body = {"item_name": "wide", "print_file_id": file_id, "printer_id": desk.printer_id}
    answer = await desk.ask("POST", "/jobs", json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["line"], error["rule"]) == ("limit_exceeded", 5, "outside")


async def test_a_file_needs_a_printer_to_be_held_against(desk: Desk) -> None:
    """422 names the field that is missing."""
    answer = await desk.ask("GET", f"/print-files/{await desk.upload(GOOD)}/preflight")
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "printer_id"


async def test_a_job_is_held_against_its_own_printer_or_another(desk: Desk) -> None:
    """What people say that it is printed with decides what is odd about it."""
    file_id = await desk.upload(GOOD)
    body = {"item_name": "part", "print_file_id": file_id, "filament_type": "PC"}
    job = (await desk.ask("POST", "/jobs", json=body)).json()["id"]
    nowhere = await desk.ask("GET", f"/jobs/{job}/preflight")
    assert nowhere.json()["error"]["field"] == "printer_id"
    found = await desk.ask("GET", f"/jobs/{job}/preflight", params={"printer_id": desk.printer_id})
    assert (found.json()["status"], found.json()["material"]) == ("warnings", "PC")
    assert found.json()["findings"][0]["id"] == "material:nozzle"
    assert found.json()["attempt"] is None


async def test_fixes_make_a_new_file_for_the_job(desk: Desk) -> None:
    """Only what was asked for is mended; the old file stays; the job prints the new one."""
    file_id = await desk.upload(FIXABLE)
    body = {"item_name": "part", "print_file_id": file_id}
    job = (await desk.ask("POST", "/jobs", json=body)).json()["id"]
    params = {"printer_id": desk.printer_id}
    found = (await desk.ask("GET", f"/jobs/{job}/preflight", params=params)).json()
    fixes = {each["id"]: each["fix"] for each in found["findings"] if each["fix"]}
    assert set(fixes) == {"not_allowed:M500", "left_out:M155", "not_homed"}
    assert fixes["not_homed"]["diff"] == "@@ -2 +2,2 @@\n+G28\n G1 X10 Y10 E1\n"
    fix = {**params, "findings": ["not_allowed:M500", "not_homed"]}
    mended = await desk.ask("POST", f"/jobs/{job}/preflight/fix", json=fix)
    assert mended.status_code == 201, mended.text
    assert mended.json()["removed_lines"] == 1
    assert [each["id"] for each in mended.json()["preflight"]["findings"]] == ["left_out:M155"]
    new_id = mended.json()["print_file_id"]
    assert (await desk.ask("GET", f"/jobs/{job}")).json()["print_file_id"] == new_id
    old = await desk.ask("GET", f"/print-files/{file_id}/preflight", params=params)
    assert old.json()["status"] == "refused"


async def test_what_cannot_be_fixed_is_refused_by_name(desk: Desk) -> None:
    """An unknown finding and one without a fix: 422, and no new file."""
    file_id = await desk.upload(WIDE)
    path = f"/print-files/{file_id}/preflight/fix"
    for name in ("nonsense", "outside:X+400"):
        body = {"printer_id": desk.printer_id, "findings": [name]}
        answer = await desk.ask("POST", path, json=body)
        assert answer.status_code == 422
        assert answer.json()["error"]["field"] == "findings"
    none = await desk.ask("POST", path, json={"printer_id": desk.printer_id, "findings": []})
    assert none.status_code == 422
    assert len((await desk.ask("GET", "/print-files")).json()) == 1


async def test_a_dry_run_of_a_fix_makes_nothing(desk: Desk) -> None:
    """It says what would be mended."""
    file_id = await desk.upload(FIXABLE)
    body = {"printer_id": desk.printer_id, "findings": ["not_homed"]}
    path = f"/print-files/{file_id}/preflight/fix"
    answer = await desk.ask("POST", path, json=body, headers={"X-Dry-Run": "1"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["would_execute"]["findings"] == ["not_homed"]
    assert len((await desk.ask("GET", "/print-files")).json()) == 1


async def test_a_large_file_is_looked_at_by_the_worker_process(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same answer from the worker as from the thread; a huge one is unchecked until then."""
    monkeypatch.setattr(surveys, "IN_THREAD_BYTES", 10)
    params = {"printer_id": desk.printer_id}
    file_id = await desk.upload(WIDE)
    found = await desk.ask("GET", f"/print-files/{file_id}/preflight", params=params)
    assert [each["id"] for each in found.json()["findings"]] == ["outside:X+400"]
    monkeypatch.setattr(surveys, "WAITED_FOR_BYTES", 20)
    monkeypatch.setattr("api.files.analyst.WAITED_FOR_BYTES", 20)
    huge = await desk.upload(WIDE + b"G1 X12\n", "huge.gcode")
    path = f"/print-files/{huge}/preflight"
    assert (await desk.ask("GET", path, params=params)).json()["status"] == "unchecked"
    assert await desk.application.rooms.analyst.step()
    assert (await desk.ask("GET", path, params=params)).json()["status"] == "refused"
