"""Files with codes that a printer's profile allows, from upload to job (safety M20)."""

from tests.fakes.desk import Desk

STORING = b"G28\nM104 S200\nM302 P1\nG1 X10 Y10 E1\nM500\n"


async def test_a_file_with_such_codes_is_a_job_where_the_profile_allows_them(desk: Desk) -> None:
    """The library takes it; the job is refused with the line, and made once an admin allows it."""
    file_id = await desk.upload(STORING)
    body = {"item_name": "part", "print_file_id": file_id, "printer_id": desk.printer_id}
    refused = await desk.ask("POST", "/jobs", json=body)
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert (error["code"], error["line"]) == ("limit_exceeded", 3)
    assert "an admin can allow it" in refused.text
    printer = f"/printers/{desk.printer_id}"
    for codes, made in ((["M302"], 422), (["M302", "M500"], 201)):
        allowing = {"profile": {"allowed_codes": codes}}
        changed = await desk.ask("PATCH", printer, json=allowing)
        assert changed.status_code == 200, changed.text
        assert changed.json()["profile"]["allowed_codes"] == codes
        assert (await desk.ask("POST", "/jobs", json=body)).status_code == made
    on = {"printer_id": desk.printer_id}
    passed = await desk.ask("GET", f"/print-files/{file_id}/preflight", params=on)
    assert (passed.json()["status"], passed.json()["findings"]) == ("passed", [])
