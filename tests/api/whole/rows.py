"""Rows of the v1 contract as tests: what is promised, the call, and what has to come of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.api.whole.conftest import Whole

#: Fields of the contract's typed answers.
PRINTER = """name model slot_count is_active api_type api_host camera_url nickname bed_temp
    bed_target_temp nozzle_temp nozzle_target_temp gcode_state print_stage hms_errors lights_on
    nozzle_type nozzle_diameter fan_speed bed_x_mm bed_y_mm last_seen total_print_hours
    total_print_count hours_since_maintenance prints_since_maintenance last_error_code
    last_error_message last_error_at camera_discovered tags timelapse_enabled machine_type id
    created_at updated_at filament_slots loaded_colors shared org_id has_api_key status"""
SLOT = """slot_number filament_type color color_hex spoolman_spool_id assigned_spool_id
    spool_confirmed id printer_id loaded_at remaining material_type"""
SPOOL = """id filament_id qr_code initial_weight_g remaining_weight_g spool_weight_g
    percent_remaining price purchase_date vendor lot_number status location_printer_id
    location_slot storage_location notes created_at filament_brand filament_name
    filament_material filament_color_hex pa_profile low_stock_threshold_g is_low_stock"""
ALERT = """id user_id alert_type severity title message is_read is_dismissed printer_id job_id
    spool_id metadata_json created_at printer_name job_name spool_name"""
ORDER = """order_number platform customer_name customer_email order_date notes revenue
    platform_fees payment_fees shipping_charged shipping_cost labor_minutes id status shipped_date
    tracking_number created_at updated_at items total_items fulfilled_items estimated_cost
    actual_cost profit margin_percent jobs_total jobs_complete"""
ITEM = """product_id quantity unit_price id order_id fulfilled_quantity created_at product_name
    product_sku subtotal is_fulfilled"""
PRODUCT = """name sku price description id created_at updated_at components consumables
    estimated_cogs component_count"""
CONSUMABLE = """id name sku unit cost_per_unit current_stock min_stock is_low_stock vendor notes
    status created_at updated_at"""
TASK = """id name description printer_model_filter interval_print_hours interval_days
    estimated_cost estimated_downtime_min is_active"""
LOG = """id printer_id task_id task_name performed_at performed_by notes cost downtime_minutes
    print_hours_at_service"""

Check = Callable[[Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """*promise*: in the contract's words. *call*: method and path, with ids in braces. *fields*:
    names that the answer (or the first row of a list) has; *holds*: what is true of it.
    """

    promise: str
    call: str
    body: Any = None
    status: int = 200
    fields: str = ""
    holds: Check = field(default=lambda answer: True)
    who: str = "admin"

    def __str__(self) -> str:
        return self.promise

    async def sent(self, whole: Whole, ids: dict[str, Any]) -> httpx.Response:
        """What the farm answers."""
        method, _, path = self.call.partition(" ")
        given = {} if self.body is None else {"json": filled(self.body, ids)}
        return await whole.ask(self.who, method, f"/api/v1{path.format(**ids)}", **given)

    async def asked(self, whole: Whole, ids: dict[str, Any]) -> Any:
        """What the farm answers, after the status has been compared."""
        answer = await self.sent(whole, ids)
        assert answer.status_code == self.status, (self.call, answer.text)
        if not answer.content:
            return None
        if answer.headers["Content-Type"].startswith("application/json"):
            return answer.json()
        return answer.text

    def missing(self, answer: Any) -> set[str]:
        """Promised fields that *answer* does not have."""
        wanted = set(self.fields.split())
        return wanted - set(answer[0] if isinstance(answer, list) else answer) if wanted else wanted


class Page:
    """Rows that build on each other: before one of them is asked, all above it have been, whichever
    of them are tests of this process.
    """

    def __init__(self, *rows: Row) -> None:
        self.rows = rows
        self._asked = 0

    async def asked(self, row: Row, whole: Whole, ids: dict[str, Any]) -> Any:
        """As `Row.asked`."""
        place = self.rows.index(row)
        for above in self.rows[self._asked : place]:
            await above.sent(whole, ids)
        self._asked = max(self._asked, place + 1)
        return await row.asked(whole, ids)


def filled(body: Any, ids: dict[str, Any]) -> Any:
    """*body* with the ids in place of their names in angle brackets."""
    if isinstance(body, dict):
        return {name: filled(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, ids) for value in body]
    if isinstance(body, str) and body.startswith("<") and body.endswith(">"):
        return ids[body[1:-1]]
    return body
