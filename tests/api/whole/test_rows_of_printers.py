"""Contract v1 2.3, row by row: printers, their slots, control, pools and profiles beside them."""

from typing import Any

import pytest
import pytest_asyncio

from tests.api.whole.conftest import Whole
from tests.api.whole.rows import PRINTER, SLOT, Page, Row

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOLD = "success message printer_id state next_actions"
LIVE = """printer_id printer_name gcode_state job_name progress layer total_layers time_remaining
    bed_temp bed_target nozzle_temp nozzle_target wifi_signal"""

ROWS = (
    Row(
        promise="GET /printers: a bare array of PrinterResponse, with status",
        call="GET /printers",
        fields=PRINTER,
        holds=lambda rows: (
            {row["status"] for row in rows} <= {"idle", "printing", "paused", "offline", "error"}
        ),
    ),
    Row(
        promise="GET /printers?status=: ours honours it",
        call="GET /printers?status=printing",
        holds=lambda rows: all(row["status"] == "printing" for row in rows),
    ),
    Row(
        promise="GET /printers?tag=: printers with it",
        call="GET /printers?tag=contract",
        holds=lambda rows: [row["name"] for row in rows] == ["Contract"],
    ),
    Row(promise="a status that does not exist is 422", call="GET /printers?status=x", status=422),
    Row(
        promise="POST /printers 201: nickname, tags, camera_url are stored at once",
        call="POST /printers",
        body={"name": "Contract 2", "nickname": "Al", "tags": ["x"], "camera_url": "http://c"},
        status=201,
        fields=PRINTER,
        holds=lambda row: (
            (row["nickname"], row["tags"], row["camera_url"]) == ("Al", ["x"], "http://c")
        ),
    ),
    Row(
        promise="name unique: 400 Printer 'x' already exists",
        call="POST /printers",
        body={"name": "Contract"},
        status=400,
        holds=lambda answer: answer["detail"] == "Printer 'Contract' already exists",
    ),
    Row(
        promise="slot_count 1 to 16 on create",
        call="POST /printers",
        body={"name": "Contract 3", "slot_count": 17},
        status=422,
        holds=lambda answer: answer["detail"][0]["loc"] == ["body", "slot_count"],
    ),
    Row(
        promise="name: 1 to 100 characters",
        call="POST /printers",
        body={"name": "x" * 101},
        status=422,
        holds=lambda answer: answer["detail"][0]["loc"] == ["body", "name"],
    ),
    Row(
        promise="profile: every limit is enforced and named",
        call="POST /printers",
        body={"name": "Contract 3", "profile": {"max_bed_c": 201}},
        status=422,
        holds=lambda answer: answer["detail"][0]["loc"] == ["body", "profile", "max_bed_c"],
    ),
    Row(promise="GET /printers/{id}", call="GET /printers/{printer}", fields=PRINTER),
    Row(
        promise="an unknown printer: 404 printer_not_found, not retriable",
        call="GET /printers/987654",
        status=404,
        holds=lambda answer: (
            (answer["error"]["code"], answer["error"]["retriable"]) == ("printer_not_found", False)
        ),
    ),
    Row(
        promise="PATCH /printers/{id}: slot_count up to 256",
        call="PATCH /printers/{printer}",
        body={"slot_count": 5, "nickname": "Bo"},
        fields=PRINTER,
        holds=lambda row: (row["slot_count"], len(row["filament_slots"])) == (5, 5),
    ),
    Row(
        promise="GET /printers/tags: [str]",
        call="GET /printers/tags",
        holds=lambda tags: "contract" in tags,
    ),
    Row(
        promise="POST /printers/reorder: {success, order}",
        call="POST /printers/reorder",
        body={"printer_ids": ["<printer>"]},
        fields="success order",
    ),
    Row(
        promise="POST /printers/bulk-update {printer_ids, action, tag}: {status, affected}",
        call="POST /printers/bulk-update",
        body={"printer_ids": ["<printer>"], "action": "add_tag", "tag": "more"},
        fields="status affected",
        holds=lambda answer: answer["affected"] == 1,
    ),
    Row(
        promise="bulk-update: enable, disable or add_tag",
        call="POST /printers/bulk-update",
        body={"printer_ids": ["<printer>"], "action": "explode"},
        status=422,
    ),
    Row(
        promise="GET /printers/{id}/live-status",
        call="GET /printers/{printer}/live-status",
        fields=LIVE,
    ),
    Row(promise="GET /printers/live-status", call="GET /printers/live-status", fields=LIVE),
    Row(promise="telemetry?hours= {<=168}", call="GET /printers/{printer}/telemetry?hours=168"),
    Row(
        promise="telemetry: 169 hours are too many",
        call="GET /printers/{printer}/telemetry?hours=169",
        status=422,
    ),
    Row(
        promise="GET /printers/{id}/slots: slot_count slots numbered from 1",
        call="GET /printers/{printer}/slots",
        fields=SLOT,
        holds=lambda rows: [row["slot_number"] for row in rows] == [1, 2, 3, 4, 5],
    ),
    Row(
        promise="PATCH slot: FilamentSlotResponse",
        call="PATCH /printers/{printer}/slots/2",
        body={"filament_type": "PETG", "color": "red", "assigned_spool_id": None},
        fields=SLOT,
        holds=lambda slot: (slot["filament_type"], slot["color"]) == ("PETG", "red"),
    ),
    Row(
        promise="PATCH slot: FilamentType is one of the contract's",
        call="PATCH /printers/{printer}/slots/2",
        body={"filament_type": "CHEESE"},
        status=422,
        holds=lambda answer: answer["detail"][0]["loc"] == ["body", "filament_type"],
    ),
    Row(
        promise="POST slots/{n}/assign?spool_id=",
        call="POST /printers/{printer}/slots/1/assign?spool_id={spool}",
        fields="success printer_id slot_number spool_id previous_spool_id next_actions",
    ),
    Row(
        promise="POST slots/{n}/confirm",
        call="POST /printers/{printer}/slots/1/confirm",
        fields="success message printer_id slot_number spool_id next_actions",
    ),
    Row(
        promise="GET slots/needs-attention",
        call="GET /printers/{printer}/slots/needs-attention",
        holds=lambda rows: rows == [],
    ),
    Row(
        promise="POST /filament-slots: slot numbers are 1-based, default 1",
        call="POST /filament-slots",
        body={"spool_id": "<spool>", "printer_id": "<printer>"},
        fields="success printer_id slot_number spool_id previous_spool_id next_actions",
        holds=lambda answer: answer["slot_number"] == 1,
    ),
    Row(
        promise="POST /filament-slots: 0 is 404 not_found",
        call="POST /filament-slots",
        body={"spool_id": "<spool>", "printer_id": "<printer>", "ams_slot": 0},
        status=404,
        holds=lambda answer: answer["error"]["code"] == "not_found",
    ),
    Row(
        promise="it sets the spool's location (ours)",
        call="GET /spools/{spool}",
        holds=lambda spool: spool["location_slot"] == 1,
    ),
    Row(
        promise="pause: 503 upstream_unavailable when the printer does not answer",
        call="POST /printers/{printer}/pause",
        status=503,
        holds=lambda answer: (
            (answer["error"]["code"], answer["error"]["retriable"])
            == ("upstream_unavailable", True)
        ),
    ),
    Row(
        promise="plate-cleared: {success, message}",
        call="POST /printers/{printer}/plate-cleared",
        fields=TOLD,
    ),
    Row(
        promise="clear-errors: {success, message}",
        call="POST /printers/{printer}/clear-errors",
        fields=TOLD,
    ),
    Row(
        promise="speed 1-4",
        call="POST /printers/{printer}/speed",
        body={"speed": 5},
        status=422,
        holds=lambda answer: answer["detail"][0]["loc"] == ["body", "speed"],
    ),
    Row(
        promise="fan: speed 0-255",
        call="POST /printers/{printer}/fan",
        body={"fan": "part_cooling", "speed": 256},
        status=422,
        holds=lambda answer: answer["detail"][0]["loc"] == ["body", "speed"],
    ),
    Row(
        promise="bulk control (ours): 207 with a result for each printer",
        call="POST /printers/bulk-control",
        body={"printer_ids": ["<printer>", 987654], "action": "hold_queue"},
        status=207,
        fields="success action total succeeded failed results",
        holds=lambda answer: [one["status"] for one in answer["results"]] == [200, 404],
    ),
    Row(
        promise="bulk control (ours): one of printer_ids, tag and pool_id",
        call="POST /printers/bulk-control",
        body={"tag": "contract", "pool_id": 1, "action": "hold_queue"},
        status=422,
    ),
    Row(
        promise="bulk control (ours): 200 when all did it",
        call="POST /printers/bulk-control",
        body={"tag": "contract", "action": "release_queue"},
        holds=lambda answer: (answer["success"], answer["total"]) == (True, 1),
    ),
    Row(
        promise="fleet stop (ours): 207 and who has to go to a power switch",
        call="POST /printers/fleet-stop",
        body={"tag": "contract"},
        status=207,
        fields="success total reached power_switch not_reachable results",
        holds=lambda answer: len(answer["power_switch"]) == answer["total"] == 1,
    ),
    Row(
        promise="targets (ours): 0 to 500 °C, heaters by name",
        call="POST /printers/{printer}/temperature",
        body={"targets_c": {"toolx": 20}},
        status=422,
    ),
    Row(
        promise="pools are first-class (ours)",
        call="POST /pools",
        body={"name": "Contract pool", "tags": ["contract"]},
        status=201,
        holds=lambda pool: len(pool["members"]) == 1,
    ),
    Row(
        promise="printer profiles are first-class (ours)",
        call="GET /printer-profiles",
        fields="id name description profile dialect plate_policy printer_ids",
    ),
    Row(
        promise="POST /printers/test-connection {api_type, api_host}",
        call="POST /printers/test-connection",
        body={"api_type": "serial", "api_host": "usb:nowhere"},
        fields="success message",
        holds=lambda answer: answer["success"] is False,
    ),
    Row(
        promise="test-connection: api_type and api_host are needed",
        call="POST /printers/test-connection",
        body={"api_type": "serial"},
        status=422,
        holds=lambda answer: answer["detail"][0]["loc"] == ["body", "api_host"],
    ),
    Row(
        promise="hms-history?days= {>=1, <=90}",
        call="GET /printers/{printer}/hms-history?days=90",
        holds=lambda rows: rows == [],
    ),
    Row(
        promise="hms-history: 91 days are too many",
        call="GET /printers/{printer}/hms-history?days=91",
        status=422,
    ),
    Row(
        promise="POST /printers/{id}/nozzle {nozzle_type, nozzle_diameter, notes}",
        call="POST /printers/{printer}/nozzle",
        body={"nozzle_type": "hardened", "nozzle_diameter": 0.6, "notes": "new"},
        fields="id printer_id nozzle_type nozzle_diameter notes installed_at",
    ),
    Row(
        promise="GET /printers/{id}/nozzle: the one that is in",
        call="GET /printers/{printer}/nozzle",
        holds=lambda row: (row["nozzle_type"], row["nozzle_diameter"]) == ("hardened", 0.6),
    ),
    Row(
        promise="and PrinterResponse says the same",
        call="GET /printers/{printer}",
        holds=lambda row: (row["nozzle_type"], row["nozzle_diameter"]) == ("hardened", 0.6),
    ),
    Row(
        promise="GET /printers/{id}/nozzle/history",
        call="GET /printers/{printer}/nozzle/history",
        holds=lambda rows: len(rows) == 1,
    ),
    Row(
        promise="GET /printers/{id}/nozzle-status",
        call="GET /printers/{printer}/nozzle-status",
        fields="printer_id nozzles",
    ),
    Row(
        promise="lights: refused where no firmware says that it has one",
        call="POST /printers/{printer}/lights",
        status=403,
        holds=lambda answer: answer["error"]["code"] == "feature_disabled",
    ),
    Row(
        promise="skip-objects {object_ids:[int]}: refused where no firmware says that it can",
        call="POST /printers/{printer}/skip-objects",
        body={"object_ids": [1]},
        status=403,
        holds=lambda answer: answer["error"]["code"] == "feature_disabled",
    ),
    Row(
        promise="manual-assign {filament_type, color, color_hex, brand}",
        call="PATCH /printers/{printer}/slots/3/manual-assign",
        body={"filament_type": "ABS", "color": "grey", "color_hex": "#888888", "brand": "Acme"},
        fields=SLOT,
        holds=lambda slot: (slot["filament_type"], slot["brand"]) == ("ABS", "Acme"),
    ),
    Row(
        promise="GET /printers/{id}/unmatched-slots",
        call="GET /printers/{printer}/unmatched-slots",
        fields=SLOT,
        holds=lambda rows: 3 in [row["slot_number"] for row in rows],
    ),
    Row(promise="sync-ams: 400 without one", call="POST /printers/{printer}/sync-ams", status=400),
    Row(
        promise="GET ams/environment?hours= {<=168}: nothing",
        call="GET /printers/{printer}/ams/environment?hours=168",
        holds=lambda rows: rows == [],
    ),
    Row(
        promise="GET ams/current: nothing",
        call="GET /printers/{printer}/ams/current",
        holds=lambda rows: rows == [],
    ),
    Row(
        promise="PUT ams/{unit}/slots/{slot}: a slot of the printer",
        call="PUT /printers/{printer}/ams/0/slots/2",
        body={"filament_type": "ASA"},
        fields=SLOT,
        holds=lambda slot: (slot["slot_number"], slot["filament_type"]) == (3, "ASA"),
    ),
    Row(
        promise="GET plug: none",
        call="GET /printers/{printer}/plug",
        holds=lambda plug: plug["configured"] is False,
    ),
    Row(
        promise="PATCH /printers/{id}/vision: kept",
        call="PATCH /printers/{printer}/vision",
        body={"enabled": True},
        fields="printer_id enabled active",
    ),
    Row(
        promise="GET /overlay/{id}: to nobody until somebody says so",
        call="GET /overlay/{printer}",
        who="nobody",
        status=404,
    ),
    Row(
        promise="PATCH /printers/{id}: its overlay is for everybody",
        call="PATCH /printers/{printer}",
        body={"overlay": True},
        holds=lambda printer: printer["overlay"] is True,
    ),
    Row(
        promise="GET /overlay/{id}: to everybody",
        call="GET /overlay/{printer}",
        who="nobody",
        fields="""printer_id printer_name model gcode_state print_stage print_progress current_layer
            total_layers time_remaining_min nozzle_temp nozzle_target_temp bed_temp bed_target_temp
            job_name camera_url""",
    ),
    Row(
        promise="GET /jobs/filament-check?printer_id=: {filament_warnings, printer_id}",
        call="GET /jobs/filament-check?printer_id={printer}&filament_type=PVA&colors=pink",
        fields="filament_warnings printer_id",
        holds=lambda answer: "PVA is not loaded" in answer["filament_warnings"],
    ),
    Row(promise="filament-check needs a printer", call="GET /jobs/filament-check", status=422),
    Row(
        promise="GET /print-jobs/unlinked?printer_id=",
        call="GET /print-jobs/unlinked?printer_id={printer}",
        holds=lambda rows: rows == [],
    ),
    Row(promise="DELETE /printers/{id} 204", call="DELETE /printers/{other}", status=204),
    Row(promise="and then it is not there", call="GET /printers/{other}", status=404),
)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def ids(farm_with_all: Whole) -> dict[str, Any]:
    """A printer that people run by hand, another one to be deleted, and a spool."""
    whole = farm_with_all
    made = {}
    for name in ("Contract", "Contract other"):
        body = {"name": name, "tags": ["contract"] if name == "Contract" else []}
        answer = await whole.ask("admin", "POST", "/api/v1/printers", json=body)
        made[name] = answer.json()["id"]
    kind = {"filament_id": int(whole.ids["filament_id"])}
    spool = (await whole.ask("admin", "POST", "/api/v1/spools", json=kind)).json()["id"]
    return {"printer": made["Contract"], "other": made["Contract other"], "spool": spool}


PAGE = Page(*ROWS)


@pytest.mark.parametrize("row", PAGE.rows, ids=str)
async def test_v1_printers(whole: Whole, ids: dict[str, Any], row: Row) -> None:
    """Status, fields and what else the row promises."""
    answer = await PAGE.asked(row, whole, ids)
    assert row.missing(answer) == set()
    assert row.holds(answer), answer
