"""What the spool routes answer (v1 contract, 2.6). Weights in grams."""

from typing import Literal

from pydantic import Field

from api.describe import Answer, Instant
from api.printers.answers import SlotAnswer
from api.printers.next_actions import NextAction
from api.spools.forms import Attention, SpoolStatus


class FilamentAnswer(Answer):
    """A kind of filament."""

    id: str = Field(description="lib_<number>")
    source: Literal["library"]
    brand: str
    name: str
    material: str
    color_hex: str | None
    cost_per_gram: float | None
    display_name: str


class FilamentMade(Answer):
    """A new kind of filament."""

    id: int
    brand: str
    name: str
    message: str


class SpoolAnswer(Answer):
    """A spool."""

    id: int
    filament_id: int
    qr_code: str
    initial_weight_g: float
    remaining_weight_g: float
    spool_weight_g: float = Field(description="Of the empty spool")
    percent_remaining: float
    price: float | None
    purchase_date: Instant | None
    vendor: str | None
    lot_number: str | None
    status: SpoolStatus
    location_printer_id: int | None
    location_slot: int | None
    storage_location: str | None
    notes: str | None
    created_at: Instant
    filament_brand: str | None
    filament_name: str | None
    filament_material: str | None
    filament_color_hex: str | None
    pa_profile: str | None
    low_stock_threshold_g: float
    is_low_stock: bool
    org_id: int


class UseAnswer(Answer):
    """Filament that was taken from a spool."""

    id: int
    weight_used_g: float
    used_at: Instant
    job_id: int | None
    notes: str | None


class SpoolDetail(SpoolAnswer):
    """A spool with its last 100 uses, the newest first."""

    updated_at: Instant
    usage_history: list[UseAnswer]


class SpoolMade(Answer):
    """A new spool."""

    id: int
    qr_code: str
    message: str


class SpoolChanged(Answer):
    """A spool was changed."""

    success: Literal[True]
    id: int


class SpoolArchived(Answer):
    """A spool is out of use."""

    success: Literal[True]
    message: str


class SpoolLoaded(Answer):
    """A spool hangs in a slot."""

    success: Literal[True]
    spool_id: int
    printer: str
    slot: int


class SpoolUnloaded(Answer):
    """A spool hangs nowhere."""

    success: Literal[True]
    message: str
    spool_id: int


class SpoolUsed(Answer):
    """What is left."""

    success: Literal[True]
    spool_id: int
    remaining_weight_g: float
    percent_remaining: float
    status: SpoolStatus
    next_actions: list[NextAction]


class SpoolWeighed(Answer):
    """What is left, by the scales."""

    success: Literal[True]
    old_weight_g: float
    new_weight_g: float
    percent_remaining: float


class SlotConfirmed(Answer):
    """What is said of a slot is so."""

    success: Literal[True]
    message: str
    printer_id: int
    slot_number: int
    spool_id: int | None
    next_actions: list[NextAction]


class SlotNoticed(SlotAnswer):
    """A slot that somebody should look at."""

    reasons: list[Attention] = Field(description="The most urgent first")


class SlotAssigned(Answer):
    """A spool hangs in a slot, another one perhaps no more."""

    success: Literal[True]
    printer_id: int
    slot_number: int
    spool_id: int
    previous_spool_id: int | None
    next_actions: list[NextAction]


class ScanAssigned(Answer):
    """A spool was found by its label and hangs in a slot."""

    success: Literal[True]
    message: str
    spool_id: int
    spool_name: str
    printer_name: str
    slot: int
