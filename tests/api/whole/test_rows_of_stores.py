"""Contract v1 2.6 to 2.9, row by row: spools, filaments, alerts, maintenance, orders, products."""

from typing import Any

import pytest
import pytest_asyncio

from tests.api.whole.conftest import Whole
from tests.api.whole.rows import (
    ALERT,
    CONSUMABLE,
    ITEM,
    LOG,
    ORDER,
    PRODUCT,
    SPOOL,
    TASK,
    Page,
    Row,
)
from tests.fakes.browser_push import PushBrowser

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILAMENT = "id source brand name material color_hex display_name"
USED = "success remaining_weight_g percent_remaining status next_actions"
SUMMARY = """id order_number platform customer_name status revenue order_date item_count
    fulfilled"""
STATUS = "printer_id printer_name printer_model total_print_hours overall_status tasks"


def code(answer: Any) -> Any:
    """The code of a refusal."""
    return answer["error"]["code"]


def named(answer: Any) -> Any:
    """The field that a 422 names."""
    return answer["detail"][0]["loc"][-1]


SPOOLS = (
    Row(
        promise="POST /filaments: {id:<int>, brand, name, message}",
        call="POST /filaments",
        body={"brand": "Acme", "name": "Row", "material": "PETG", "color_hex": "#00FF00"},
        fields="id brand name message",
        holds=lambda row: isinstance(row["id"], int),
    ),
    Row(
        promise="POST /filaments: brand and name are required",
        call="POST /filaments",
        body={"brand": "Acme"},
        status=422,
        holds=lambda answer: named(answer) == "name",
    ),
    Row(
        promise='GET /filaments: rows {id:"lib_<n>", source:"library", …}',
        call="GET /filaments?brand=acme&material=petg",
        fields=FILAMENT,
        holds=lambda rows: rows[0]["id"].startswith("lib_") and rows[0]["source"] == "library",
    ),
    Row(
        promise="a filament is found by the id that its row has",
        call="GET /filaments/lib_{filament}",
        fields=FILAMENT,
    ),
    Row(
        promise="PATCH /filaments/lib_<n>",
        call="PATCH /filaments/lib_{filament}",
        body={"brand": "Acme"},
        fields="id brand",
    ),
    Row(
        promise="DELETE /filaments/lib_<n>: 404 unknown",
        call="DELETE /filaments/lib_987654",
        status=404,
        holds=lambda answer: code(answer) == "filament_not_found",
    ),
    Row(promise="GET /filament-library: the same", call="GET /filament-library", fields=FILAMENT),
    Row(
        promise="POST /spools: {id, qr_code, message}",
        call="POST /spools",
        body={"filament_id": "<filament>"},
        fields="id qr_code message",
        holds=lambda row: row["qr_code"].startswith("SPL-") and len(row["qr_code"]) == 12,
    ),
    Row(
        promise="POST /spools: 404 unknown filament",
        call="POST /spools",
        body={"filament_id": 987654},
        status=404,
    ),
    Row(
        promise="POST /spools: weights have limits",
        call="POST /spools",
        body={"filament_id": "<filament>", "initial_weight_g": 0},
        status=422,
        holds=lambda answer: named(answer) == "initial_weight_g",
    ),
    Row(promise="GET /spools: rows of a spool", call="GET /spools", fields=SPOOL),
    Row(
        promise="GET /spools?filament_type=: ours honours it",
        call="GET /spools?filament_type=no-such",
        holds=lambda rows: rows == [],
    ),
    Row(
        promise="available_only: no location_printer_id",
        call="GET /spools?available_only=true",
        holds=lambda rows: all(row["location_printer_id"] is None for row in rows),
    ),
    Row(promise="status has words", call="GET /spools?status=melted", status=422),
    Row(
        promise="GET /spools/{id}: + updated_at, usage_history",
        call="GET /spools/{spool}",
        fields=f"{SPOOL} updated_at usage_history",
    ),
    Row(
        promise="an unknown spool: 404 spool_not_found",
        call="GET /spools/987654",
        status=404,
        holds=lambda answer: code(answer) == "spool_not_found",
    ),
    Row(
        promise="GET /spools/lookup/{qr_code}",
        call="GET /spools/lookup/{qr}",
        fields=f"{SPOOL} usage_history",
    ),
    Row(
        promise="PATCH /spools/{id}: {success, id}",
        call="PATCH /spools/{spool}",
        body={"notes": "dry", "remaining_weight_g": 900},
        fields="success id",
    ),
    Row(
        promise="POST load {printer_id, slot_number}: {success, spool_id, printer, slot}",
        call="POST /spools/{spool}/load",
        body={"printer_id": "<printer>", "slot_number": 2},
        fields="success spool_id printer slot",
    ),
    Row(
        promise="POST use: {success, remaining_weight_g, percent_remaining, status, next_actions}",
        call="POST /spools/{spool}/use",
        body={"weight_used_g": 100},
        fields=USED,
        holds=lambda answer: (answer["remaining_weight_g"], answer["status"]) == (800, "active"),
    ),
    Row(
        promise="PATCH use {grams}: the MCP client's form",
        call="PATCH /spools/{spool}/use",
        body={"grams": 10000},
        fields=USED,
        holds=lambda answer: (answer["remaining_weight_g"], answer["status"]) == (0, "empty"),
    ),
    Row(
        promise="use: refused when neither weight is given",
        call="POST /spools/{spool}/use",
        body={},
        status=422,
    ),
    Row(
        promise="use: grams > 0 ≤ 10000",
        call="POST /spools/{spool}/use",
        body={"grams": 10001},
        status=422,
        holds=lambda answer: named(answer) == "grams",
    ),
    Row(
        promise="POST unload?storage_location=",
        call="POST /spools/{spool}/unload?storage_location=shelf",
        fields="success message",
    ),
    Row(
        promise="POST weigh {gross_weight_g}: {success, old_weight_g, new_weight_g, …}",
        call="POST /spools/{spool}/weigh",
        body={"gross_weight_g": 750},
        fields="success old_weight_g new_weight_g percent_remaining",
        holds=lambda answer: (answer["old_weight_g"], answer["new_weight_g"]) == (0, 500),
    ),
    Row(
        promise="weigh: ≤ 10 g is empty",
        call="POST /spools/{spool}/weigh",
        body={"gross_weight_g": 259},
        holds=lambda answer: answer["new_weight_g"] == 0,
    ),
    Row(promise="GET /spools/low-stock", call="GET /spools/low-stock", fields=SPOOL),
    Row(
        promise="scan-assign {qr_code, printer_id, slot}",
        call="POST /spools/scan-assign",
        body={"qr_code": "<qr>", "printer_id": "<printer>", "slot": 3},
        fields="success message spool_id spool_name printer_name slot",
    ),
    Row(
        promise="DELETE /spools/{id} archives: {success, message}",
        call="DELETE /spools/{spool}",
        fields="success message",
    ),
    Row(
        promise="and the row stays",
        call="GET /spools/{spool}",
        holds=lambda spool: (spool["status"], spool["location_printer_id"]) == ("archived", None),
    ),
)
ALERTS = (
    Row(promise="GET /alerts: a bare array of AlertResponse", call="GET /alerts", fields=ALERT),
    Row(
        promise="GET /alerts?severity=&is_read=false",
        call="GET /alerts?severity=critical&is_read=false",
        holds=lambda rows: all(
            (row["severity"], row["is_read"]) == ("critical", False) for row in rows
        ),
    ),
    Row(promise="severity has words", call="GET /alerts?severity=loud", status=422),
    Row(
        promise="GET /alerts/unread-count: {unread_count}",
        call="GET /alerts/unread-count",
        fields="unread_count",
    ),
    Row(
        promise="GET /alerts/summary",
        call="GET /alerts/summary",
        fields="print_failed spool_low maintenance_overdue total",
    ),
    Row(
        promise='PATCH read: {status:"ok", alert_id, is_read:true, next_actions}',
        call="PATCH /alerts/{alert}/read",
        fields="status alert_id is_read next_actions",
        holds=lambda answer: (answer["status"], answer["is_read"]) == ("ok", True),
    ),
    Row(
        promise="PATCH dismiss: also is_dismissed, is_read",
        call="PATCH /alerts/{alert}/dismiss",
        fields="status alert_id is_dismissed is_read next_actions",
        holds=lambda answer: answer["is_dismissed"] and answer["is_read"],
    ),
    Row(
        promise="lists show the caller's only",
        call="PATCH /alerts/{alert}/read",
        who="operator",
        status=404,
        holds=lambda answer: code(answer) == "alert_not_found",
    ),
    Row(
        promise="GET /alert-preferences: AlertPreferenceBase rows, made on first read",
        call="GET /alert-preferences",
        fields="alert_type in_app browser_push email threshold_value",
        holds=lambda rows: (
            {row["alert_type"]: row["threshold_value"] for row in rows if row["threshold_value"]}
            == {"spool_low": 100}
        ),
    ),
    Row(
        promise="PUT /alert-preferences JSON AlertPreferencesUpdate",
        call="PUT /alert-preferences",
        body={"preferences": [{"alert_type": "queue_added", "email": True, "in_app": False}]},
        fields="status updated",
        holds=lambda answer: answer["updated"] == 1,
    ),
    Row(
        promise="alert_type of a preference has words",
        call="PUT /alert-preferences",
        body={"preferences": [{"alert_type": "flood"}]},
        status=422,
        holds=lambda answer: named(answer) == "alert_type",
    ),
    Row(
        promise="GET /alerts/digest-status",
        call="GET /alerts/digest-status",
        fields="enabled pending next_digest_at quiet_hours",
        who="viewer",
    ),
    Row(
        promise="POST /alerts/test-email: no mail server is set here",
        call="POST /alerts/test-email",
        status=403,
        holds=lambda answer: code(answer) == "feature_disabled",
    ),
    Row(
        promise="GET /smtp-config: SmtpConfigBase, and never the password",
        call="GET /smtp-config",
        fields="enabled host port username password from_address use_tls",
        holds=lambda answer: (answer["enabled"], answer["password"]) == (False, ""),
    ),
    Row(
        promise="PUT /smtp-config is refused: GANTRY_SMTP_… are set where the server runs",
        call="PUT /smtp-config",
        body={"enabled": True, "host": "mail.example.org"},
        status=403,
        holds=lambda answer: code(answer) == "feature_disabled",
    ),
    Row(
        promise="POST /webhooks: {success,message}, and the id",
        call="POST /webhooks",
        body={"url": "http://127.0.0.1:9/x", "alert_types": "spool_low"},
        fields="success message id secret",
    ),
    Row(
        promise="POST /webhooks: private targets are refused",
        call="POST /webhooks",
        body={"url": "http://169.254.169.254/latest/meta-data"},
        status=400,
        holds=lambda answer: "GANTRY_WEBHOOK_NETWORKS" in answer["detail"],
    ),
    Row(
        promise="GET /webhooks rows; alert_types is JSON text, is_enabled 0 or 1",
        call="GET /webhooks",
        fields="id name url webhook_type alert_types is_enabled created_at updated_at",
        holds=lambda rows: (
            (rows[0]["name"], rows[0]["alert_types"], rows[0]["is_enabled"])
            == ("Webhook", '["all"]', 0)
            and rows[0]["webhook_type"] == "discord"
        ),
    ),
    Row(
        promise="PATCH /webhooks/{id}: any of its fields → {success}",
        call="PATCH /webhooks/{webhook}",
        body={"name": "Room 2", "alert_types": ["print_failed"]},
        fields="success",
    ),
    Row(
        promise="POST /webhooks/{id}/test: {success,message}, 200 in any case",
        call="POST /webhooks/{webhook}/test",
        fields="success message",
        holds=lambda answer: answer["success"] is False,
    ),
    Row(
        promise="POST /webhooks/{id}/test: 404 unknown",
        call="POST /webhooks/987654/test",
        status=404,
        holds=lambda answer: code(answer) == "webhook_not_found",
    ),
    Row(
        promise="ours: what a webhook was told",
        call="GET /webhooks/{webhook}/deliveries",
        holds=lambda rows: all(
            {"delivery_id", "event", "state", "tries"} <= {*row} for row in rows
        ),
    ),
    Row(promise="DELETE /webhooks/{id}", call="DELETE /webhooks/{webhook}", fields="success"),
    Row(promise="mark-all-read: {status}", call="POST /alerts/mark-all-read", fields="status"),
)
PUSH = (
    Row(
        promise="GET /push/vapid-key: to everybody",
        call="GET /push/vapid-key",
        who="nobody",
        fields="public_key",
        holds=lambda answer: len(answer["public_key"]) == 87,
    ),
    Row(
        promise="POST /push/subscribe JSON PushSubscriptionCreate, any user",
        call="POST /push/subscribe",
        body={"endpoint": "http://127.0.0.1:9/push", "keys": PushBrowser().keys},
        who="viewer",
        fields="status device_id",
        holds=lambda answer: answer["device_id"].startswith("web-"),
    ),
    Row(
        promise="PushSubscriptionCreate {endpoint, p256dh_key, auth_key}",
        call="POST /push/subscribe",
        body={"endpoint": "http://127.0.0.1:9/push", **PushBrowser().flat_keys},
        who="viewer",
        fields="status device_id",
        holds=lambda answer: answer["device_id"].startswith("web-"),
    ),
    Row(
        promise="PushSubscriptionCreate: both of its keys",
        call="POST /push/subscribe",
        body={"endpoint": "http://127.0.0.1:9/flat", "p256dh_key": "AAAA"},
        status=422,
        holds=lambda answer: "auth_key" in answer["detail"][0]["msg"],
    ),
    Row(
        promise="POST /push/subscribe: private targets are refused",
        call="POST /push/subscribe",
        body={"endpoint": "https://169.254.169.254/latest", "keys": PushBrowser().keys},
        who="viewer",
        status=422,
        holds=lambda answer: answer["error"]["field"] == "endpoint",
    ),
    Row(
        promise="POST /push/subscribe: keys of no browser are refused",
        call="POST /push/subscribe",
        body={"endpoint": "http://127.0.0.1:9/x", "keys": {"p256dh": "AAAA", "auth": "AAAA"}},
        status=422,
        holds=lambda answer: answer["error"]["field"] == "keys",
    ),
    Row(
        promise="POST /push/register JSON DeviceRegisterRequest: 201, and no sender for it",
        call="POST /push/register",
        body={"device_id": "row-phone", "device_token": "ab" * 32},
        who="viewer",
        status=201,
        fields="device_id platform registered_at deliverable message",
        holds=lambda answer: answer["deliverable"] is False,
    ),
    Row(
        promise="a device_id is one word",
        call="POST /push/register",
        body={"device_id": "../x y", "device_token": "ab" * 32},
        status=422,
        holds=lambda answer: named(answer) == "device_id",
    ),
    Row(
        promise="GET /push/preferences?device_id=",
        call="GET /push/preferences?device_id=row-phone",
        who="viewer",
        holds=lambda answer: (
            answer == {"device_id": "row-phone", "enabled": True, "alert_types": None}
        ),
    ),
    Row(
        promise="PUT /push/preferences?device_id= JSON PushPreferences",
        call="PUT /push/preferences?device_id=row-phone",
        body={"enabled": False, "alert_types": ["spool_low"]},
        who="viewer",
        holds=lambda answer: (answer["enabled"], answer["alert_types"]) == (False, ["spool_low"]),
    ),
    Row(
        promise="alert types of a device have words",
        call="PUT /push/preferences?device_id=row-phone",
        body={"alert_types": ["flood"]},
        who="viewer",
        status=422,
        holds=lambda answer: answer["error"]["field"] == "alert_types",
    ),
    Row(
        promise="device_id is needed",
        call="GET /push/preferences",
        status=422,
        holds=lambda answer: answer["error"]["field"] == "device_id",
    ),
    Row(
        promise="another person's device is not there",
        call="GET /push/preferences?device_id=row-phone",
        who="operator",
        status=404,
        holds=lambda answer: code(answer) == "device_not_found",
    ),
    Row(
        promise="POST /push/live-activity JSON LiveActivityRequest",
        call="POST /push/live-activity",
        body={
            "device_id": "row-phone",
            "printer_id": "<printer>",
            "activity_token": "cd" * 32,
        },
        who="viewer",
        fields="status device_id printer_id deliverable message",
        holds=lambda answer: (answer["status"], answer["deliverable"]) == ("kept", False),
    ),
    Row(
        promise="POST /push/live-activity: of a printer that there is",
        call="POST /push/live-activity",
        body={"device_id": "row-phone", "printer_id": 987654},
        who="viewer",
        status=404,
        holds=lambda answer: code(answer) == "printer_not_found",
    ),
    Row(
        promise="POST /push/test: 200 in any case",
        call="POST /push/test",
        who="viewer",
        fields="success sent failed removed message",
        holds=lambda answer: (answer["success"], answer["failed"]) == (False, 1),
    ),
    Row(
        promise="DELETE /push/register/{device_id} 204",
        call="DELETE /push/register/row-phone",
        who="viewer",
        status=204,
    ),
    Row(
        promise="DELETE /push/subscribe",
        call="DELETE /push/subscribe",
        who="viewer",
        holds=lambda answer: answer == {"status": "unsubscribed", "removed": 1},
    ),
)
MAINTENANCE = (
    Row(
        promise="POST tasks: {id, name, message}",
        call="POST /maintenance/tasks",
        body={"name": "Row", "interval_days": 30},
        fields="id name message",
    ),
    Row(
        promise="interval_days has limits",
        call="POST /maintenance/tasks",
        body={"name": "Row", "interval_days": 0},
        status=422,
        holds=lambda answer: named(answer) == "interval_days",
    ),
    Row(promise="GET tasks", call="GET /maintenance/tasks", fields=TASK),
    Row(
        promise="GET tasks?overdue=true: ours honours it",
        call="GET /maintenance/tasks?overdue=true",
        holds=lambda rows: all(row["name"] != "Row" for row in rows),
    ),
    Row(
        promise="PATCH tasks/{id}: {id, message}",
        call="PATCH /maintenance/tasks/{task}",
        body={"is_active": True, "estimated_downtime_min": 5},
        fields="id message",
    ),
    Row(
        promise="POST logs {task_id, notes}: printer_id and task_name are optional (ours)",
        call="POST /maintenance/logs",
        body={"task_id": "<task>", "notes": "oiled"},
        fields="id message print_hours_at_service next_actions",
    ),
    Row(
        promise="POST logs: an unknown task is maintenance_task_not_found",
        call="POST /maintenance/logs",
        body={"task_id": 987654},
        status=404,
        holds=lambda answer: code(answer) == "maintenance_task_not_found",
    ),
    Row(promise="GET logs?printer_id=", call="GET /maintenance/logs?limit=200", fields=LOG),
    Row(
        promise="GET status: per active printer, its tasks",
        call="GET /maintenance/status",
        fields=STATUS,
        holds=lambda rows: (
            {task["status"] for row in rows for task in row["tasks"]}
            <= {"ok", "due_soon", "overdue"}
        ),
    ),
    Row(
        promise="seed-defaults: {message, created, skipped}, 11 tasks",
        call="POST /maintenance/seed-defaults",
        fields="message created skipped",
        holds=lambda answer: answer["created"] + answer["skipped"] == 11,
    ),
    Row(promise="DELETE tasks/{id} 204", call="DELETE /maintenance/tasks/{task}", status=204),
)
ORDERS = (
    Row(
        promise="POST /products: ProductResponse",
        call="POST /products",
        body={"name": "Row", "price": 12.5, "components": []},
        fields=PRODUCT,
    ),
    Row(
        promise="name: 1 to 200 characters",
        call="POST /products",
        body={"name": "x" * 201},
        status=422,
        holds=lambda answer: named(answer) == "name",
    ),
    Row(promise="GET /products", call="GET /products", fields=PRODUCT),
    Row(
        promise="POST /consumables JSON ConsumableCreate",
        call="POST /consumables",
        body={"name": "Row", "unit": "pair", "current_stock": 5, "min_stock": 6},
        fields=CONSUMABLE,
        holds=lambda row: (row["current_stock"], row["is_low_stock"]) == (5, True),
    ),
    Row(
        promise="stocks have limits",
        call="POST /consumables",
        body={"name": "Row", "current_stock": -1},
        status=422,
        holds=lambda answer: named(answer) == "current_stock",
    ),
    Row(
        promise="GET /consumables?status=",
        call="GET /consumables?status=active",
        fields=CONSUMABLE,
    ),
    Row(
        promise="GET /consumables/low-stock",
        call="GET /consumables/low-stock",
        fields=CONSUMABLE,
        holds=lambda rows: all(row["is_low_stock"] for row in rows),
    ),
    Row(
        promise="GET /consumables/{id}",
        call="GET /consumables/{consumable}",
        fields=f"{CONSUMABLE} usage_history",
    ),
    Row(
        promise="PATCH /consumables/{id} JSON ConsumableUpdate",
        call="PATCH /consumables/{consumable}",
        body={"vendor": "Acme", "cost_per_unit": 0.25},
        fields=CONSUMABLE,
        holds=lambda row: (row["vendor"], row["cost_per_unit"]) == ("Acme", 0.25),
    ),
    Row(
        promise="POST adjust {type ~ ^(restock|deduct)$, quantity, notes}",
        call="POST /consumables/{consumable}/adjust",
        body={"type": "deduct", "quantity": 1, "notes": "lost"},
        fields="success id current_stock missing is_low_stock",
        holds=lambda row: (row["current_stock"], row["missing"]) == (9, 0),
    ),
    Row(
        promise="adjust: other words are refused",
        call="POST /consumables/{consumable}/adjust",
        body={"type": "burn", "quantity": 1},
        status=422,
        holds=lambda answer: named(answer) == "type",
    ),
    Row(
        promise="POST /products/{id}/consumables",
        call="POST /products/{product}/consumables",
        body={"consumable_id": "<consumable>", "quantity_per_product": 2},
        fields="id product_id consumable_id quantity_per_product notes consumable_name cost",
        holds=lambda row: row["cost"] == 0.5,
    ),
    Row(
        promise="ProductResponse has its consumables",
        call="GET /products/{product}",
        fields=PRODUCT,
        holds=lambda product: (
            [each["consumable_name"] for each in product["consumables"]] == ["Box", "Nut"]
        ),
    ),
    Row(
        promise="DELETE /products/{id}/consumables/{id}: 404 for what it does not need",
        call="DELETE /products/{product}/consumables/987654",
        status=404,
    ),
    Row(promise="empty order bodies are allowed", call="POST /orders", body={}, fields=ORDER),
    Row(promise="GET /orders: OrderSummary rows", call="GET /orders", fields=SUMMARY),
    Row(
        promise="status_filter and status are both honoured, completed is fulfilled (ours)",
        call="GET /orders?status=completed",
        holds=lambda rows: all(row["status"] == "fulfilled" for row in rows),
    ),
    Row(promise="GET /orders/{id}", call="GET /orders/{order}", fields=ORDER),
    Row(
        promise="PATCH /orders/{id}",
        call="PATCH /orders/{order}",
        body={"customer_name": "Ada", "revenue": 100},
        fields=ORDER,
        holds=lambda order: (order["customer_name"], order["revenue"]) == ("Ada", 100),
    ),
    Row(
        promise="POST items: OrderItemResponse",
        call="POST /orders/{order}/items",
        body={"product_id": "<product>", "quantity": 2, "unit_price": 3},
        fields=ITEM,
        holds=lambda item: (item["subtotal"], item["is_fulfilled"]) == (6, False),
    ),
    Row(
        promise="quantity has limits",
        call="POST /orders/{order}/items",
        body={"product_id": "<product>", "quantity": 0},
        status=422,
        holds=lambda answer: named(answer) == "quantity",
    ),
    Row(
        promise="POST schedule: {success, order_id, jobs_created, details, consumables_deducted}",
        call="POST /orders/{order}/schedule",
        fields="success order_id jobs_created details consumables_deducted",
        holds=lambda answer: (
            [(one["name"], one["quantity"]) for one in answer["consumables_deducted"]]
            == [("Box", 1), ("Nut", 2), ("Box", 2), ("Nut", 4)]
        ),
    ),
    Row(
        promise="GET /orders/{id}/invoice.pdf: for operators",
        call="GET /orders/{order}/invoice.pdf",
        who="viewer",
        status=403,
    ),
    Row(
        promise="GET /orders/{id}/invoice.pdf: a PDF",
        call="GET /orders/{order}/invoice.pdf",
        who="operator",
        holds=lambda text: text.startswith("%PDF-"),
    ),
    Row(
        promise="PATCH ship sets status shipped",
        call="PATCH /orders/{order}/ship",
        body={"tracking_number": "T1"},
        fields=ORDER,
        holds=lambda order: (order["status"], order["tracking_number"]) == ("shipped", "T1"),
    ),
    Row(promise="DELETE /orders/{id} 204", call="DELETE /orders/{order}", status=204),
    Row(
        promise="DELETE /consumables/{id} answers 200 with a JSON body",
        call="DELETE /consumables/{consumable}",
        fields="success message",
    ),
    Row(
        promise="an unknown consumable: 404 consumable_not_found",
        call="GET /consumables/{consumable}",
        status=404,
        holds=lambda answer: code(answer) == "consumable_not_found",
    ),
    Row(
        promise="an unknown order: 404 order_not_found",
        call="GET /orders/987654",
        status=404,
        holds=lambda answer: code(answer) == "order_not_found",
    ),
)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def ids(farm_with_all: Whole) -> dict[str, Any]:
    """Something of everything that these rows change and delete."""
    whole = farm_with_all

    async def make(path: str, **body: Any) -> Any:
        return (await whole.ask("admin", "POST", f"/api/v1{path}", json=body)).json()

    filament = int(whole.ids["filament_id"])
    spool = await make("/spools", filament_id=filament)
    order = await make("/orders", items=[{"product_id": int(whole.ids["product_id"])}])
    return {
        "filament": filament,
        "spool": spool["id"],
        "qr": spool["qr_code"],
        "printer": (await make("/printers", name="Row of stores"))["id"],
        "alert": int(whole.ids["alert_id"]),
        "webhook": (await make("/webhooks", url="http://127.0.0.1:9/row"))["id"],
        "task": (await make("/maintenance/tasks", name="Rows", interval_print_hours=9))["id"],
        "product": int(whole.ids["product_id"]),
        "order": order["id"],
        "consumable": (await make("/consumables", name="Nut", current_stock=10))["id"],
    }


PAGE = Page(*SPOOLS, *ALERTS, *PUSH, *MAINTENANCE, *ORDERS)


@pytest.mark.parametrize("row", PAGE.rows, ids=str)
async def test_v1_stores(whole: Whole, ids: dict[str, Any], row: Row) -> None:
    """Status, fields and what else the row promises."""
    answer = await PAGE.asked(row, whole, ids)
    assert row.missing(answer) == set()
    assert row.holds(answer), answer
