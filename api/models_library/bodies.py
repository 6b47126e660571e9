"""Request bodies of the library routes (v1 contract, 2.5)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from api.http import Body
from api.models_library.service import MAX_CATEGORY
from api.models_library.views import MODEL_DETAILS
from api.printers.filaments import FilamentType

Quantity = Annotated[int, Field(ge=1, le=10_000)]
Amount = Annotated[float, Field(ge=0, le=1e9)]


class ColorBody(Body):
    """A colour that a model needs."""

    color: Annotated[str, Field(max_length=100)]
    grams: Amount = 0
    filament_type: FilamentType | None = None


class ModelBody(Body):
    """A model to be made. *markup_percent*: null takes the default margin of /pricing-config."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    build_time_hours: Amount | None = None
    default_filament_type: FilamentType = "PLA"
    color_requirements: Annotated[dict[str, ColorBody], Field(max_length=32)] | None = None
    category: Annotated[str, Field(max_length=MAX_CATEGORY)] | None = None
    thumbnail_url: Annotated[str, Field(max_length=2000)] | None = None
    thumbnail_b64: str | None = None
    notes: Annotated[str, Field(max_length=10_000)] | None = None
    cost_per_item: Amount | None = None
    units_per_bed: Quantity | None = 1
    quantity_per_bed: Quantity | None = 1
    markup_percent: Amount | None = 300
    is_favorite: bool | None = False


class ModelUpdateBody(Body):
    """``PATCH /models/{id}``: only what is there is changed."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    build_time_hours: Amount | None = None
    default_filament_type: FilamentType | None = None
    color_requirements: Annotated[dict[str, ColorBody], Field(max_length=32)] | None = None
    category: Annotated[str, Field(max_length=MAX_CATEGORY)] | None = None
    thumbnail_url: Annotated[str, Field(max_length=2000)] | None = None
    notes: Annotated[str, Field(max_length=10_000)] | None = None
    cost_per_item: Amount | None = None
    units_per_bed: Quantity | None = None
    quantity_per_bed: Quantity | None = None
    markup_percent: Amount | None = None
    is_favorite: bool | None = None

    #: Null empties every field but these.
    REQUIRED: ClassVar[frozenset[str]] = frozenset({"name", "default_filament_type"})

    def values(self) -> dict[str, Any]:
        """The columns that were sent; what decides nothing is below ``details``."""
        sent = self.model_dump(exclude_unset=True)
        kept = {k: v for k, v in sent.items() if v is not None or k not in self.REQUIRED}
        columns = {name: value for name, value in kept.items() if name not in MODEL_DETAILS}
        details = {name: value for name, value in kept.items() if name in MODEL_DETAILS}
        return {**columns, "details": details}
