"""What the numbers of the specification are counted in. Pure.

Most names carry their unit (`duration_hours`), and some fields say it in their description. The
rest are the contract's own names, and are told here, once for all the bodies and answers that have
them.
"""

import re
from typing import Any

#: Names that say it: a unit at their end, or at their beginning of what they are so many.
_IN_ITS_NAME = re.compile(
    r"_(g|grams|kg|mm|mm_s|s|sec|seconds|ms|min|minutes|hours?|days|c|w|kwh|pct|percent|mb|bytes)$"
    r"|^hours_"
)
_IN_ITS_DESCRIPTION = re.compile(
    r"°C|\b(mm|0 to 1|kWh|unit|(?i:grams|percent|hours|watts|money|month|times))\b"
)
_MONEY = "In the money of /pricing-config"
_TOLD: dict[str, str] = {
    "Grams": "grams spool_weight remaining",
    "°C": "bed_temp bed_target nozzle_temp nozzle_target bed_temp_target nozzle_temp_target",
    "mm": "nozzle_diameter layer_height",
    "Percent": "percent_remaining default_margin failure_rate success_rate",
    "Hours": "printer_lifespan print_hours_at_service",
    "Watts": "printer_wattage",
    "Percent of the required colours that were loaded": "avg_match_score",
    "In the unit of the consumable": "quantity missing current_stock min_stock"
    " quantity_per_product",
    "How sure the detection must be, 0 to 1": "detachment_threshold first_layer_threshold"
    " spaghetti_threshold",
    "A month": "parts_per_month",
    "The field's own unit": "a b",
    _MONEY: "cost estimated_cost actual_cost cost_per_item value_per_bed price unit_price"
    " suggested_price subtotal revenue platform_fees payment_fees shipping_charged shipping_cost"
    " profit estimated_cogs printer_cost projected_cost projected_revenue total_cost total_margin"
    " total_revenue depreciation electricity failures labor material other overhead packaging",
    f"{_MONEY}, for one unit": "cost_per_unit",
    f"{_MONEY}, for a gram": "cost_per_gram",
    f"{_MONEY}, for an hour": "hourly_rate value_per_hour avg_value_per_hour",
    f"{_MONEY}, for a kWh": "electricity_rate",
    f"{_MONEY}, for a month": "monthly_rent",
    f"{_MONEY}, for a print": "packaging_cost other_costs",
    f"{_MONEY}, for a spool": "spool_cost",
    "Times as fast": "multiplier",
}
UNITS = {name: unit for unit, names in _TOLD.items() for name in names.split()}


def say_units(definitions: dict[str, Any]) -> None:
    """Tell the unit of every number of *definitions* that does not tell it yet."""
    for schema in definitions.values():
        for name, described in schema.get("properties", {}).items():
            if name in UNITS and is_measured(described) and not tells_unit(name, described):
                said = described.get("description")
                unit = UNITS[name]
                described["description"] = f"{said} ({unit[0].lower()}{unit[1:]})" if said else unit


def is_measured(described: dict[str, Any]) -> bool:
    """Whether a field may be a number with a fraction: what is counted in a unit."""
    return any(each.get("type") == "number" for each in (described, *described.get("anyOf", ())))


def tells_unit(name: str, described: dict[str, Any]) -> bool:
    """Whether the field's name or its description says what it is counted in."""
    told = _IN_ITS_DESCRIPTION.search(described.get("description", ""))
    return bool(_IN_ITS_NAME.search(name) or told)
