"""v1 routes of printers: shapes, freshness, honest answers."""

from dataclasses import replace

import pytest

from api.commands import control
from api.commands.control import Aim
from schemas.commands import CommandState, Verb
from schemas.jobs import AttemptEvent
from schemas.printer import Live, PrinterState, Progress, Temperature
from tests.fakes.farm import BRIDGE, Farm
from tests.fakes.farm_app import FarmApp

#: v1 contract, 2.3, PrinterResponse.
CONTRACT_FIELDS = [
    "name",
    "model",
    "slot_count",
    "is_active",
    "api_type",
    "api_host",
    "camera_url",
    "nickname",
    "bed_temp",
    "bed_target_temp",
    "nozzle_temp",
    "nozzle_target_temp",
    "gcode_state",
    "print_stage",
    "hms_errors",
    "lights_on",
    "nozzle_type",
    "nozzle_diameter",
    "fan_speed",
    "bed_x_mm",
    "bed_y_mm",
    "last_seen",
    "total_print_hours",
    "total_print_count",
    "hours_since_maintenance",
    "prints_since_maintenance",
    "last_error_code",
    "last_error_message",
    "last_error_at",
    "camera_discovered",
    "tags",
    "timelapse_enabled",
    "machine_type",
    "id",
    "created_at",
    "updated_at",
    "filament_slots",
    "loaded_colors",
    "shared",
    "org_id",
    "has_api_key",
]


@pytest.fixture
def app(farm: Farm) -> FarmApp:
    return FarmApp(farm)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits seconds for an answer that it does not give."""
    for verb, aim in control.AIMS.items():
        monkeypatch.setitem(control.AIMS, verb, Aim(aim.states, 0.05))


async def test_printer_is_made_on_a_port_and_shown_whole(app: FarmApp) -> None:
    """v1 2.3: every field of PrinterResponse, and ours."""
    body = {
        "name": "Prusa 1",
        "bridge_id": BRIDGE,
        "port_id": "usb:1",
        "api_type": "serial",
        "baud": 115200,
        "bed_x_mm": 180,
        "profile": {"max_nozzle_c": 280},
        "plate_policy": "confirm",
        "tags": ["pla"],
    }
    made = await app.ask("POST", "/printers", body, 201)
    assert set(CONTRACT_FIELDS) <= made.keys()
    assert (made["slug"], made["octoprint_url"]) == ("prusa-1", "/octoprint/prusa-1/")
    assert (made["status"], made["gcode_state"], made["plate_state"]) == (
        "offline",
        None,
        "unknown",
    )
    assert (made["bed_x_mm"], made["profile"]["max_nozzle_c"]) == (180, 280)
    assert await app.ask("GET", f"/printers/{made['id']}") == made
    assert await app.ask("GET", "/printers") == [made]
    assert await app.ask("GET", "/printers/tags") == ["pla"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"name": ""}, 422),
        ({"name": "A", "slot_count": 99}, 422),
        ({"name": "A", "profile": {"max_bed_c": 900}}, 422),
        ({"name": "A", "bridge_id": 99, "port_id": "usb:1"}, 404),
        ({"name": "A", "bridge_id": BRIDGE}, 422),
        ({"name": "A", "bridge_id": BRIDGE, "port_id": "usb:99"}, 404),
    ],
)
async def test_wrong_printer_is_refused(app: FarmApp, body: dict[str, object], status: int) -> None:
    """S29: what does not fit answers 4xx and makes nothing."""
    await app.ask("POST", "/printers", body, status)
    assert await app.ask("GET", "/printers") == []


async def test_list_shows_every_change_at_once(app: FarmApp, farm: Farm) -> None:
    """Cached bytes are never stale: state, temperatures, room, name, job."""
    printer = await farm.printer()

    async def shown() -> dict[str, object]:
        [only] = await app.ask("GET", "/printers")
        return dict(only)

    assert (await shown())["status"] == "idle"
    live = Live(
        printer=printer.id,
        state=PrinterState.OPERATIONAL,
        temps={"tool0": Temperature(200.5, 210.0), "bed": Temperature(60.0, 60.0)},
    )
    await app.show(live)
    first = await shown()
    assert (first["nozzle_temp"], first["bed_target_temp"]) == (200.5, 60.0)
    farm.clock.advance(5)
    await app.show(live)
    assert (await shown())["last_seen"] != first["last_seen"]
    job = await farm.job(printer)
    await farm.scheduler.step()
    assert ((await shown())["current_job_id"], (await shown())["plate_state"]) == (
        job.id,
        "occupied",
    )
    await farm.run(printer, AttemptEvent.STARTED)
    await farm.report(printer.id, PrinterState.PRINTING)
    progress = Progress(file_bytes=250, size_bytes=1000, lines=9, print_time_s=60, time_left_s=180)
    await app.show(Live(printer=printer.id, state=PrinterState.PRINTING, progress=progress))
    now = await shown()
    assert (now["status"], now["gcode_state"], now["progress"]) == ("printing", "RUNNING", 25.0)
    status = await app.ask("GET", f"/printers/{printer.id}/live-status")
    assert (status["job_name"], status["time_remaining"]) == ("Cube", 3)
    await app.ask("PATCH", f"/printers/{printer.id}", {"name": "New", "nickname": None})
    assert (await shown())["name"] == "New"
    farm.bridges.is_online = False
    now = await shown()
    assert (now["status"], now["nozzle_temp"], now["progress"]) == ("offline", None, None)


async def test_list_filters_and_pages(app: FarmApp, farm: Farm) -> None:
    """`status`, `tag`, `active_only`, `skip`, `limit`; a status that there is not is refused."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    await app.ask("PATCH", f"/printers/{two.id}", {"tags": ["abs"], "is_active": False})

    async def ids(query: str) -> list[int]:
        return [each["id"] for each in await app.ask("GET", f"/printers?{query}")]

    assert await ids("status=idle") == [one.id]
    assert await ids("status=offline") == [two.id]
    assert await ids("tag=abs") == [two.id]
    assert await ids("active_only=true") == [one.id]
    assert await ids("skip=1&limit=1") == [two.id]
    await app.ask("GET", "/printers?status=lost", expect=422)
    await app.ask("GET", "/printers?limit=x", expect=422)


async def test_foreign_printers_answer_like_none(app: FarmApp, farm: Farm) -> None:
    """S25: every route with an id answers 404 to another organization, and does nothing."""
    printer = await farm.printer()
    app.principal = replace(farm.admin, organization_id=2, is_superadmin=False)
    before = await farm.kinds()
    for method, path, _ in app.v1.routes:
        if path.startswith("/printers/<int:printer_id>"):
            mine = path.replace("<int:printer_id>", str(printer.id)).replace(
                "<int:slot_number>", "1"
            )
            await app.ask(method, mine, {"speed": 1} if method != "GET" else None, 404)
    assert await app.ask("GET", "/printers") == []
    assert await farm.kinds() == before


async def test_viewer_reads_and_controls_nothing(app: FarmApp, farm: Farm) -> None:
    """S26: writes need an operator."""
    printer = await farm.printer()
    app.principal = replace(farm.admin, role=type(farm.admin.role).VIEWER, is_superadmin=False)
    for method, path, _ in app.v1.routes:
        if path.startswith("/printers/<int:printer_id>"):
            mine = path.replace("<int:printer_id>", str(printer.id)).replace(
                "<int:slot_number>", "1"
            )
            expect = 200 if method == "GET" else 403
            await app.ask(method, mine, {"speed": 1} if method != "GET" else None, expect)
    await app.ask("POST", "/printers", {"name": "A"}, 403)


async def test_control_routes_answer_what_was_reported(app: FarmApp, farm: Farm) -> None:
    """Nothing runs: 400; the room silent: 503; done and reported: the state."""
    printer = await farm.printer()
    refused = await app.ask("POST", f"/printers/{printer.id}/pause", expect=400)
    assert refused["error"]["code"] == "invalid_state_transition"
    await app.ask("POST", f"/printers/{printer.id}/stop", expect=400)
    connected = await app.ask("POST", f"/printers/{printer.id}/connect")
    assert (connected["state"], connected["success"]) == ("IDLE", True)
    silent = await app.ask("POST", f"/printers/{printer.id}/remote-stop", expect=503)
    assert silent["error"]["retriable"]
    await farm.answer(await farm.last(Verb.REMOTE_STOP), CommandState.DONE)
    await farm.report(printer.id, PrinterState.HALTED)
    stopped = await farm.stopping(app.ask("POST", f"/printers/{printer.id}/remote-stop"))
    assert (stopped["state"], stopped["printer_id"]) == ("HALTED", printer.id)
    farm.bridges.is_online = False
    await app.ask("POST", f"/printers/{printer.id}/remote-stop", expect=503)
    assert (await app.ask("GET", f"/printers/{printer.id}"))["status"] == "error"


async def test_plate_and_queue_are_released_by_people(app: FarmApp, farm: Farm) -> None:
    """plate-cleared, queue/hold and queue/release change what the printer shows."""
    printer = await farm.printer("One", "usb:1")
    held = await app.ask("POST", f"/printers/{printer.id}/queue/hold")
    assert held["queue_hold"] == "Held by admin."
    hold = f"/printers/{printer.id}/queue/hold"
    said = await app.ask("POST", hold, {"reason": " The belt is worn "})
    assert said["queue_hold"] == "The belt is worn"
    await app.ask("POST", hold, {"reason": "x" * 201}, 422)
    assert (await app.ask("POST", f"/printers/{printer.id}/queue/release"))["queue_hold"] is None
    assert (await app.ask("POST", f"/printers/{printer.id}/plate-cleared"))["success"]
    assert (await app.ask("GET", f"/printers/{printer.id}"))["plate_state"] == "clear"
    await farm.job(printer)
    await farm.scheduler.step()
    await app.ask("POST", f"/printers/{printer.id}/plate-cleared", expect=409)
    await app.ask("DELETE", f"/printers/{printer.id}", expect=409)


async def test_deleted_printer_is_gone(app: FarmApp, farm: Farm) -> None:
    """204, then 404."""
    printer = await farm.printer()
    await app.ask("DELETE", f"/printers/{printer.id}", expect=204)
    await app.ask("GET", f"/printers/{printer.id}", expect=404)
    assert await app.ask("GET", f"/printers/{printer.id}/telemetry", expect=404)
