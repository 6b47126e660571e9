"""Spools and filaments as v1 shows them (2.6): from rows to JSON, nothing else."""

from typing import Any

from api.clock import iso
from api.spools.forms import LIBRARY
from api.spools.service import Filament, Spool, SpoolUse


def filament_fields(row: Filament) -> dict[str, Any]:
    """A kind of filament."""
    return {
        "id": f"{LIBRARY}{row.id}",
        "source": "library",
        "brand": row.brand,
        "name": row.name,
        "material": row.material,
        "color_hex": row.color_hex,
        "cost_per_gram": row.cost_per_gram,
        "display_name": f"{row.brand} {row.name} ({row.material})",
    }


def spool_fields(row: Spool, filament: Filament | None) -> dict[str, Any]:
    """A spool."""
    return {
        "id": row.id,
        "filament_id": row.filament_id,
        "qr_code": row.qr_code,
        "initial_weight_g": row.initial_weight_g,
        "remaining_weight_g": row.remaining_weight_g,
        "spool_weight_g": row.spool_weight_g,
        "percent_remaining": percent_remaining(row),
        "price": row.price,
        "purchase_date": iso(row.purchase_date),
        "vendor": row.vendor,
        "lot_number": row.lot_number,
        "status": row.status,
        "location_printer_id": row.location_printer_id,
        "location_slot": row.location_slot,
        "storage_location": row.storage_location,
        "notes": row.notes,
        "created_at": iso(row.created_at),
        "filament_brand": filament.brand if filament else None,
        "filament_name": filament.name if filament else None,
        "filament_material": filament.material if filament else None,
        "filament_color_hex": filament.color_hex if filament else None,
        "pa_profile": None,
        "low_stock_threshold_g": row.low_threshold_g,
        "is_low_stock": row.remaining_weight_g < row.low_threshold_g,
        "org_id": row.organization_id,
    }


def percent_remaining(row: Spool) -> float:
    """Of what was on it when it was new."""
    return round(100 * row.remaining_weight_g / row.initial_weight_g, 1)


def use_fields(row: SpoolUse) -> dict[str, Any]:
    """A use of a spool."""
    return {
        "id": row.id,
        "weight_used_g": row.weight_used_g,
        "used_at": iso(row.used_at),
        "job_id": row.job_id,
        "notes": row.notes,
    }
