"""What is told of spools: events, audit entries, and what their slot shows. Pure."""

from typing import Any

from api.events.service import Change, Happened
from api.principal import Principal
from api.spools.forms import SpoolStatus
from api.spools.models import Filament, Spool


def status_at(remaining_g: float) -> SpoolStatus:
    """Of a spool with so much left that is not archived."""
    return SpoolStatus.ACTIVE if remaining_g > 0 else SpoolStatus.EMPTY


def running_out(row: Spool, before_g: float) -> str | None:
    """The event of a spool that had *before_g* left; None when it had run low before."""
    if row.remaining_weight_g <= 0 < before_g:
        return "inventory.spool_empty"
    if row.remaining_weight_g < row.low_threshold_g <= before_g:
        return "inventory.spool_low"
    return None


def shown_in_slot(row: Spool, filament: Filament) -> dict[str, Any]:
    """What a slot says of itself with this spool in it."""
    return {
        "assigned_spool_id": row.id,
        "remaining": row.remaining_weight_g,
        "spool_confirmed": True,
        "filament_type": filament.material,
        "color": filament.name[:100],
        "color_hex": filament.color_hex,
    }


def happened(row: Spool, kind: str, user_id: int | None = None, **data: Any) -> Happened:
    """What happened to a spool, for the ledger."""
    facts = {"spool_id": row.id, "qr_code": row.qr_code, "remaining_grams": row.remaining_weight_g}
    return Happened(
        organization_id=row.organization_id,
        kind=kind,
        printer_id=row.location_printer_id,
        user_id=user_id,
        data=facts | data,
    )


def tell(change: Change, by: Principal, row: Spool, kind: str, **data: Any) -> None:
    """The event and the audit entry of what somebody did to a spool."""
    change.record(happened(row, kind.replace("slot.", "spool."), by.user_id, **data))
    change.note(by, kind, ("spool", row.id), qr_code=row.qr_code, **data)
