"""Printers by the dozen, what is loaded in them, speed and fans (v1 2.3)."""

from dataclasses import replace

import pytest

from api.commands import control
from api.events.models import AuditEntry
from api.principal import Role
from schemas.commands import CommandState, Verb
from schemas.printer import PrinterState
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp


@pytest.fixture
def app(farm: Farm) -> FarmApp:
    return FarmApp(farm)


async def names(app: FarmApp) -> list[str]:
    return [row["name"] for row in await app.ask("GET", "/printers")]


async def test_printers_are_shown_in_the_order_that_was_asked_for(app: FarmApp, farm: Farm) -> None:
    """Those named first, the others behind them as before; an unknown one changes nothing."""
    a, _, c = [await farm.printer(name, None) for name in "ABC"]
    body = {"printer_ids": [c.id, a.id]}
    answer = await app.ask("POST", "/printers/reorder", body)
    assert answer == {"success": True, "order": [3, 1, 2]}
    assert await names(app) == ["C", "A", "B"]
    await app.ask("POST", "/printers/reorder", {"printer_ids": [a.id, 99]}, 404)
    assert await names(app) == ["C", "A", "B"]


async def test_bulk_update_is_for_admins_and_all_or_nothing(app: FarmApp, farm: Farm) -> None:
    """Disable, enable, tag; one that prints is left as it is, and so are the others."""
    one, two = await farm.printer("One", "virtual:one"), await farm.printer("Two", "virtual:two")
    ids = [one.id, two.id]
    job = await farm.job(two)
    await farm.jobs.start_explicit(farm.admin, job)
    off = {"printer_ids": ids, "action": "disable"}
    await app.ask("POST", "/printers/bulk-update", off, 409)
    assert all([row["is_active"] for row in await app.ask("GET", "/printers")])
    tagged = {"printer_ids": ids, "action": "add_tag", "tag": "petg"}
    answer = await app.ask("POST", "/printers/bulk-update", tagged)
    assert answer == {"status": "ok", "affected": 2}
    assert await app.ask("GET", "/printers/tags") == ["petg"]
    assert len(await app.ask("GET", "/printers?tag=petg")) == 2
    await app.ask("POST", "/printers/bulk-update", {**off, "printer_ids": [one.id]})
    assert [row["id"] for row in await app.ask("GET", "/printers?active_only=true")] == [two.id]
    for wrong in ({**tagged, "tag": None}, {**tagged, "action": "paint"}, {"action": "enable"}):
        await app.ask("POST", "/printers/bulk-update", wrong, 422)
    app.principal = replace(farm.admin, role=Role.OPERATOR, is_superadmin=False)
    await app.ask("POST", "/printers/bulk-update", tagged, 403)


async def test_fields_that_decide_nothing_are_kept(app: FarmApp, farm: Farm) -> None:
    """What the contract's clients set comes back; what a printer reports cannot be set (S27)."""
    body = {"name": "A", "api_host": "10.0.0.9", "nozzle_type": "brass", "nozzle_diameter": 0.6}
    row = await app.ask("POST", "/printers", {**body, "state": "printing", "org_id": 7}, 201)
    assert {name: row[name] for name in body} == body
    assert (row["state"], row["org_id"], row["has_api_key"]) == ("operational", 1, False)
    change = {"timelapse_enabled": True, "api_host": None, "id": 99, "print_count": 5}
    row = await app.ask("PATCH", f"/printers/{row['id']}", change)
    assert (row["timelapse_enabled"], row["api_host"], row["nozzle_type"]) == (True, None, "brass")
    assert row["total_print_count"] == 0


async def test_live_status_of_all(app: FarmApp, farm: Farm) -> None:
    """One row a printer, paged like every list."""
    for name in "ABC":
        await farm.printer(name, None)
    rows = await app.ask("GET", "/printers/live-status?skip=1&limit=1")
    assert [(row["printer_name"], row["status"]) for row in rows] == [("B", "idle")]


async def test_speed_and_fan_are_lines_to_the_printer(
    app: FarmApp, farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The contract's levels or percent as M220, fans as M106; refused lines are conflicts."""
    monkeypatch.setattr(control, "SEND_WAIT_S", 0.01)
    printer = await farm.printer()
    one = f"/printers/{printer.id}"
    sent = []
    for path, body in (
        ("speed", {"speed": 3}),
        ("speed", {"percent": 80}),
        ("fan", {"speed": 255}),
        ("fan", {"fan": "chamber", "speed": 0}),
    ):
        await app.ask("POST", f"{one}/{path}", body, 503)  # the room does not answer here
        sent.append((await farm.last(Verb.GCODE)).args["lines"])
    assert sent == [["M220 S124"], ["M220 S80"], ["M106 S255"], ["M106 P2 S0"]]
    for path, body in (("speed", {}), ("speed", {"speed": 5}), ("fan", {"speed": 256})):
        await app.ask("POST", f"{one}/{path}", body, 422)


async def test_errors_are_forgotten_but_a_stop_is_not(app: FarmApp, farm: Farm) -> None:
    """clear-errors takes the message away; a halted printer stays halted (M06)."""
    printer = await farm.printer()
    await farm.report(printer.id, PrinterState.HALTED, "stopped by a person")
    shown = await app.ask("GET", f"/printers/{printer.id}")
    assert shown["last_error_message"] == "stopped by a person"
    await app.ask("POST", f"/printers/{printer.id}/clear-errors")
    shown = await app.ask("GET", f"/printers/{printer.id}")
    assert (shown["last_error_message"], shown["state"]) == (None, "halted")


async def test_everything_done_to_a_printer_is_noted(app: FarmApp, farm: Farm) -> None:
    """Who did what, in the transaction of the change (v1 2.11)."""
    printer = await farm.printer("A", "virtual:one")
    await app.ask("PATCH", f"/printers/{printer.id}", {"nickname": "Big"})
    await app.ask("POST", f"/printers/{printer.id}/queue/hold")
    await app.ask("POST", f"/printers/{printer.id}/queue/release")
    await app.ask("POST", f"/printers/{printer.id}/plate-cleared")
    await farm.commands.issue(farm.admin, await farm.row(printer), Verb.DISCONNECT)
    await farm.answer(await farm.last(Verb.DISCONNECT), CommandState.DONE)
    await app.ask("DELETE", f"/printers/{printer.id}", expect=204)
    rows = await AuditEntry.filter(entity_type="printer").order_by("id")
    assert [row.action.removeprefix("printer.") for row in rows] == [
        "created",
        "updated",
        "queue_held",
        "queue_released",
        "plate_cleared",
        "disconnect",
        "deleted",
    ]
    assert {(row.username, row.organization_id) for row in rows} == {("admin", 1)}
