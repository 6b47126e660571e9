"""Spools and filaments to be made, and which of them to list. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from api.errors import Invalid

LIBRARY = "lib_"
#: Less than this on the scales, in grams, is an empty spool.
EMPTY_BELOW_G = 10.0


class SpoolStatus(StrEnum):
    """Of a spool."""

    ACTIVE = "active"
    EMPTY = "empty"
    ARCHIVED = "archived"


class ShelfAction(StrEnum):
    """What can be done to many spools at once."""

    ARCHIVE = "archive"
    ACTIVATE = "activate"
    DELETE = "delete"


class Attention(StrEnum):
    """Why somebody should look at a slot."""

    UNCONFIRMED = "unconfirmed"  # something else was said to be loaded than the spool in it
    SPOOL_GONE = "spool_gone"  # its spool is archived, or hangs somewhere else
    EMPTY = "empty"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFilament:
    """A filament to be made. *cost_per_gram* in the farm's currency."""

    brand: str
    name: str
    material: str = "PLA"
    color_hex: str | None = None
    cost_per_gram: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSpool:
    """A spool to be made; weights in grams."""

    filament_id: int
    initial_weight_g: float
    spool_weight_g: float
    price: float | None = None
    purchase_date: datetime | None = None
    vendor: str | None = None
    lot_number: str | None = None
    storage_location: str | None = None
    notes: str | None = None
    low_threshold_g: float = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolFilter:
    """Which spools; None: any. Without a *status* archived ones are left out.

    *available*: not loaded, and not empty. *material*: in any case, ``_`` and ``-`` alike.
    """

    status: SpoolStatus | None = None
    filament_id: int | None = None
    printer_id: int | None = None
    material: str | None = None
    available: bool = False
    low: bool = False
    organization_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Filament to be taken from a spool, in grams."""

    grams: float
    job_id: int | None = None
    notes: str | None = None


def filament_id_of(text: str) -> int:
    """The number in ``lib_12`` or ``12``. Raises `Invalid` for anything else."""
    digits = text.removeprefix(LIBRARY)
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits[:12]) < 2**31:
        raise Invalid(
            f"filament_id: lib_<number>, not {text[:40]!r}",
            code="validation_failed",
            field="filament_id",
        )
    return int(digits)
