"""Request bodies of the spool routes (v1 contract, 2.6). Weights in grams."""

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from api.http import Body, RowId
from api.jobs.bodies import Moment
from api.printers.bodies import SlotBody
from api.printers.filaments import FilamentType
from api.spools.forms import (
    NewFilament,
    NewSpool,
    ShelfAction,
    SpoolStatus,
    Use,
    filament_id_of,
)

MAX_G = 100_000.0
MAX_BULK = 100

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Short = Annotated[str, StringConstraints(max_length=100)]
Material = Annotated[str, StringConstraints(min_length=1, max_length=32, strip_whitespace=True)]
Color = Annotated[str, StringConstraints(pattern=r"^#?[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?$")]
Grams = Annotated[float, Field(ge=0, le=MAX_G)]
UsedGrams = Annotated[float, Field(gt=0, le=10_000)]
Price = Annotated[float, Field(ge=0, le=1e9)]
Notes = Annotated[str, StringConstraints(max_length=10_000)]
Place = Annotated[str, StringConstraints(max_length=200)]
Slot = Annotated[int, Field(ge=0, le=256)]


class FilamentCreateBody(Body):
    """``POST /filaments``."""

    brand: Name
    name: Name
    material: Material = "PLA"
    color_hex: Color | None = None
    cost_per_gram: Price | None = None

    def form(self) -> NewFilament:
        """The same for the service."""
        return NewFilament(**self.model_dump())


class FilamentUpdateBody(Body):
    """``PATCH /filaments/{id}``: only what is there is changed."""

    brand: Name | None = None
    name: Name | None = None
    material: Material | None = None
    color_hex: Color | None = None
    cost_per_gram: Price | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent."""
        sent = self.model_dump(exclude_unset=True)
        required = ("brand", "name", "material")
        return {k: v for k, v in sent.items() if v is not None or k not in required}


class SpoolCreateBody(Body):
    """``POST /spools``."""

    filament_id: RowId | Annotated[str, StringConstraints(max_length=20)] = Field(
        description="The number, or lib_<number>"
    )
    initial_weight_g: Annotated[float, Field(gt=0, le=MAX_G)] = 1000.0
    spool_weight_g: Grams = 250.0
    price: Price | None = None
    purchase_date: Moment | None = None
    vendor: Short | None = None
    lot_number: Short | None = None
    storage_location: Place | None = None
    notes: Notes | None = None
    low_stock_threshold_g: Grams = 50.0

    def form(self) -> NewSpool:
        """The same for the service. Raises `Invalid`."""
        values: dict[str, Any] = self.model_dump()
        values["filament_id"] = filament_id_of(str(self.filament_id))
        values["low_threshold_g"] = values.pop("low_stock_threshold_g")
        return NewSpool(**values)


class SpoolUpdateBody(Body):
    """``PATCH /spools/{id}``: only what is there is changed."""

    remaining_weight_g: Grams | None = None
    status: SpoolStatus | None = None
    storage_location: Place | None = None
    notes: Notes | None = None
    price: Price | None = None
    vendor: Short | None = None
    lot_number: Short | None = None
    low_stock_threshold_g: Grams | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent, by their columns."""
        sent = self.model_dump(exclude_unset=True)
        if "low_stock_threshold_g" in sent:
            sent["low_threshold_g"] = sent.pop("low_stock_threshold_g")
        required = ("remaining_weight_g", "status", "low_threshold_g")
        return {k: v for k, v in sent.items() if v is not None or k not in required}


class SpoolUseBody(Body):
    """``POST`` or ``PATCH /spools/{id}/use``: one of *grams* and *weight_used_g*."""

    grams: UsedGrams | None = None
    weight_used_g: UsedGrams | None = None
    job_id: RowId | None = None
    notes: Annotated[str, StringConstraints(max_length=500)] | None = None

    @model_validator(mode="after")
    def _one_weight(self) -> Self:
        if self.grams is None and self.weight_used_g is None:
            raise ValueError("grams (or weight_used_g) is missing")
        return self

    def form(self) -> Use:
        """The same for the service."""
        grams = self.grams if self.grams is not None else self.weight_used_g
        return Use(grams=grams or 0.0, job_id=self.job_id, notes=self.notes)


class SlotUpdateBody(SlotBody):
    """``PATCH /printers/{id}/slots/{slot_number}``: only what is there is changed."""

    assigned_spool_id: RowId | None = Field(
        None, description="Hangs this spool into the slot; null takes out what hangs there"
    )


class AmsSlotBody(SlotUpdateBody):
    """``PUT /printers/{id}/ams/{unit}/slots/{slot}``: a slot, also in the words of an AMS."""

    tray_type: FilamentType | None = Field(None, description="The same as filament_type")
    tray_color: Annotated[str, StringConstraints(max_length=9)] | None = Field(
        None, description="The same as color_hex"
    )

    def values(self) -> dict[str, Any]:
        """The fields that were sent, by a slot's names."""
        values = super().values()
        for tray, name in (("tray_type", "filament_type"), ("tray_color", "color_hex")):
            said = values.pop(tray, None)
            if said is not None:
                values.setdefault(name, said)
        return values


class ManualSlotBody(Body):
    """``PATCH /printers/{id}/slots/{slot_number}/manual-assign``: only what is there is changed."""

    filament_library_id: RowId | Annotated[str, StringConstraints(max_length=20)] | None = Field(
        None, description="The number, or lib_<number>; what is said beside it counts first"
    )
    filament_type: FilamentType | None = None
    color: Short | None = None
    color_hex: Annotated[str, StringConstraints(max_length=9)] | None = None
    brand: Short | None = None

    def filament_id(self) -> int | None:
        """The filament's number; None: none was named. Raises `Invalid`."""
        said = self.filament_library_id
        return None if said is None else filament_id_of(str(said))

    def values(self) -> dict[str, Any]:
        """What was said of the slot itself."""
        return self.model_dump(exclude_none=True, exclude={"filament_library_id"})


class ShelfBody(Body):
    """``POST /spools/bulk-update``."""

    spool_ids: Annotated[list[RowId], Field(min_length=1, max_length=MAX_BULK)]
    action: ShelfAction


class SpoolWeighBody(Body):
    """``POST /spools/{id}/weigh``: spool and filament together."""

    gross_weight_g: Grams


class SpoolLoadBody(Body):
    """``POST /spools/{id}/load``."""

    printer_id: RowId
    slot_number: Slot


class AssignSpoolBody(Body):
    """``POST /filament-slots``."""

    spool_id: RowId
    printer_id: RowId
    ams_slot: Slot | None = Field(None, description="From 1, default 1")


class ScanAssignBody(Body):
    """``POST /spools/scan-assign``."""

    qr_code: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    printer_id: RowId
    slot: Slot
