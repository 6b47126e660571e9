"""The rows of v1 that change or end what others were made for, each with its effect."""

from typing import Any

import pytest
import pytest_asyncio

from tests.api.whole.conftest import GCODE, Whole
from tests.api.whole.rows import Page, Row

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ids(farm_with_all: Whole) -> dict[str, Any]:
    """What the rows act on, by its name."""

    async def make(path: str, **given: Any) -> Any:
        answer = await farm_with_all.ask("admin", "POST", f"/api/v1{path}", **given)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    named = {"username": "rest", "email": "", "password": "Correct-horse-7", "role": "viewer"}
    files = {"file": ("rest.gcode", GCODE + b"; rest\n")}
    model = (await make("/print-files/upload", files=files))["model_id"]
    printer = (await make("/printers", json={"name": "Rest"}))["id"]
    product = await make("/products", json={"name": "Rest"})
    order = await make("/orders", json={"items": [{"product_id": product["id"], "quantity": 2}]})
    task = (await make("/maintenance/tasks", json={"name": "Rest", "interval_days": 1}))["id"]
    filament = (await make("/filaments", json={"brand": "Acme", "name": "Rest"}))["id"]
    return {
        "user": (await make("/users", json=named))["id"],
        "printer": printer,
        "model": model,
        "preset": (await make("/presets", json={"name": "rest", "model_id": model}))["id"],
        "product": product["id"],
        "order": order["id"],
        "item": order["items"][0]["id"],
        "log": (await make("/maintenance/logs", json={"task_id": task, "printer_id": printer}))[
            "id"
        ],
        "filament": filament,
        "spool": (await make("/spools", json={"filament_id": filament}))["id"],
        "nozzle": (await make(f"/printers/{printer}/nozzle", json={}))["id"],
    }


#: feature_disabled (v1 1.5)
FEATURE = 403
ROWS = (
    Row(
        promise="2.2 DELETE /admin/users/{id}/mfa: they have none",
        call="DELETE /admin/users/{user}/mfa",
        status=404,
    ),
    Row(
        promise="2.2 GET /admin/quotas: everybody's",
        call="GET /admin/quotas",
        fields="user_id username quota_grams quota_hours quota_jobs quota_period usage period_key",
    ),
    Row(
        promise="2.2 GET /admin/logs/stream: by superadmins",
        call="GET /admin/logs/stream",
        who="operator",
        status=403,
    ),
    Row(
        promise="2.2 POST /orgs/{id}/members {user_id}",
        call="POST /orgs/1/members",
        body={"user_id": "<user>"},
        holds=lambda found: found == {"status": "ok"},
    ),
    Row(
        promise="2.3 PUT plug: only a room's bridge reaches one",
        call="PUT /printers/{printer}/plug",
        body={"type": "tasmota", "host": "192.0.2.7"},
        status=FEATURE,
    ),
    *(
        Row(promise=f"2.3 {call}: there is none", call=call, status=404)
        for call in (
            "POST /printers/{printer}/plug/on",
            "POST /printers/{printer}/plug/off",
            "POST /printers/{printer}/plug/toggle",
            "GET /printers/{printer}/plug/state",
            "GET /printers/{printer}/plug/energy",
        )
    ),
    Row(
        promise="2.3 POST /printers: what a printer says itself is not taken from a body",
        call="POST /printers",
        body={
            **{"name": "Told", "gcode_state": "RUNNING", "bed_temp": 60.0, "lights_on": True},
            **{"last_seen": "2026-01-01T00:00:00", "total_print_count": 7, "hms_errors": "x"},
        },
        status=201,
        holds=lambda row: (
            row["gcode_state"] != "RUNNING"
            and row["bed_temp"] is None
            and row["total_print_count"] != 7
        ),
    ),
    Row(
        promise="2.3 PATCH nozzle/{id}/retire",
        call="PATCH /printers/{printer}/nozzle/{nozzle}/retire",
        holds=lambda nozzle: nozzle["retired_at"] is not None and not nozzle["is_active"],
    ),
    Row(
        promise="2.3 GET vision",
        call="GET /printers/{printer}/vision",
        fields="printer_id enabled spaghetti_enabled auto_pause",
    ),
    Row(
        promise="2.3 POST ams/refresh: no such machine",
        call="POST /printers/{printer}/ams/refresh",
        status=400,
    ),
    Row(
        promise="2.3 POST bambu/sync-ams: no such machine",
        call="POST /printers/{printer}/bambu/sync-ams",
        status=400,
    ),
    Row(
        promise="2.4 POST presets/{id}/schedule → {id,item_name,status}",
        call="POST /presets/{preset}/schedule",
        holds=lambda made: made["status"] == "pending",
        fields="id item_name status",
    ),
    Row(
        promise="2.4 POST mqtt-republish/test: nothing is set",
        call="POST /config/mqtt-republish/test",
        status=FEATURE,
    ),
    Row(
        promise="2.5 GET variants → {model_id, model_name, variants}",
        call="GET /models/{model}/variants",
        fields="model_id model_name variants",
        holds=lambda found: len(found["variants"]) == 1,
    ),
    Row(promise="2.6 GET /spools/{id}/qr: a picture", call="GET /spools/{spool}/qr"),
    Row(
        promise="2.6 PATCH /filaments/{id}",
        call="PATCH /filaments/{filament}",
        body={"name": "Renamed"},
        holds=lambda row: row["name"] == "Renamed",
    ),
    Row(
        promise="2.6 DELETE /filaments/{id}: a spool is of it",
        call="DELETE /filaments/{filament}",
        status=409,
    ),
    *(
        Row(
            promise=f"2.6 {call}: there is none",
            call=call,
            status=FEATURE,
        )
        for call in ("POST /spoolman/sync", "GET /spoolman/filaments", "GET /spoolman/test")
    ),
    Row(
        promise="2.8 DELETE /maintenance/logs/{id} 204",
        call="DELETE /maintenance/logs/{log}",
        status=204,
    ),
    Row(
        promise="2.9 PATCH items/{id}",
        call="PATCH /orders/{order}/items/{item}",
        body={"quantity": 3, "unit_price": 2.5},
        holds=lambda item: (item["quantity"], item["subtotal"]) == (3, 7.5),
    ),
    Row(
        promise="2.9 DELETE items/{id} 204",
        call="DELETE /orders/{order}/items/{item}",
        status=204,
    ),
    Row(
        promise="2.9 PATCH /products/{id}",
        call="PATCH /products/{product}",
        body={"price": 9.5},
        holds=lambda product: product["price"] == 9.5,
    ),
    Row(
        promise="2.9 POST components",
        call="POST /products/{product}/components",
        body={"model_id": "<model>", "quantity_needed": 2},
        fields="id product_id model_id quantity_needed notes model_name",
    ),
    Row(
        promise="2.9 DELETE components/{id}: of another product",
        call="DELETE /products/{product}/components/987654",
        status=404,
    ),
    Row(promise="2.9 DELETE /products/{id} 204", call="DELETE /products/{product}", status=204),
    *(
        Row(promise=f"2.10 {call}: none was recorded", call=call, status=404, body=body)
        for call, body in (
            ("GET /timelapses/1/stream", None),
            ("GET /timelapses/1/download", None),
            ("POST /timelapses/1/trim", {"start_seconds": 0, "end_seconds": 1}),
            ("POST /timelapses/1/speed", {"multiplier": 2}),
        )
    ),
)
PAGE = Page(*ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_v1_the_rest(whole: Whole, ids: dict[str, Any], row: Row) -> None:
    """Status, fields and what else the row promises (v1 2.2 to 2.10)."""
    answer = await PAGE.asked(row, whole, ids)
    assert row.missing(answer) == set()
    assert row.holds(answer), answer


async def test_a_product_costs_what_it_is_made_of(whole: Whole) -> None:
    """v1 2.9 `estimated_cogs`: its pieces by the rates, four on a bed, and its consumables; null
    while something of it is unknown.
    """

    async def ask(method: str, path: str, body: Any = None) -> Any:
        answer = await whole.ask("admin", method, f"/api/v1{path}", json=body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    known = {"name": "weighed", "build_time_hours": 2.0, "quantity_per_bed": 4}
    model = (await ask("POST", "/models", known))["id"]
    a_print = (await ask("GET", f"/models/{model}/cost"))["estimated_cost"]
    box = (await ask("POST", "/consumables", {"name": "Carton", "cost_per_unit": 0.5}))["id"]
    made = await ask("POST", "/products", {"name": "Set", "components": []})
    assert made["estimated_cogs"] is None
    path = f"/products/{made['id']}"
    await ask("POST", f"{path}/components", {"model_id": model, "quantity_needed": 2})
    needs = {"consumable_id": box, "quantity_per_product": 3}
    await ask("POST", f"{path}/consumables", needs)
    told = (await ask("GET", path))["estimated_cogs"]
    assert told == pytest.approx(a_print * 2 / 4 + 1.5, abs=0.02)
    unknown = (await ask("POST", "/models", {"name": "never weighed"}))["id"]
    await ask("POST", f"{path}/components", {"model_id": unknown})
    assert (await ask("GET", path))["estimated_cogs"] is None
