"""What the library routes answer (v1 contract, 2.5)."""

from typing import Annotated, Any, Literal

from pydantic import Field

from api.describe import Answer, Instant

Millimetres = Annotated[float | None, Field(description="mm")]


class FilamentAnswer(Answer):
    """What one tool uses."""

    slot: int = Field(description="From 1")
    type: str | None
    color: str | None
    used_grams: float | None
    used_mm: float | None


class SlicedAnswer(Answer):
    """A sliced file; what nobody wrote into it is null."""

    id: int
    filename: str
    project_name: str
    print_time_seconds: int = Field(description="As the slicer estimates it; 0: it does not say")
    print_time_formatted: str
    total_weight_grams: float | None
    layer_count: int | None
    filaments: list[FilamentAnswer]
    thumbnail_b64: str | None
    thumbnail_url: str | None = Field(description="Where its picture is; null: it has none")
    model_id: int
    printer_model: str | None
    bed_x_mm: Millimetres
    bed_y_mm: Millimetres
    compatible_api_types: list[str]


class PrintFileAnswer(SlicedAnswer):
    """A print file of the library."""

    layer_height: Millimetres
    nozzle_diameter: Millimetres
    supports_used: bool | None
    bed_type: str | None
    mesh_data: None
    file_hash: str = Field(description="SHA-256 of its bytes")
    file_size_bytes: int
    job_id: int | None = Field(description="The newest job that prints it")
    job_status: str | None
    job_name: str | None
    original_filename: str
    uploaded_at: Instant
    plate_count: int


class Duplicate(Answer):
    """The same bytes are in the library already."""

    duplicate: Literal[True]
    existing_file_id: int
    existing_file_name: str


class UploadAnswer(SlicedAnswer):
    """A file that was just uploaded."""

    is_sliced: bool
    is_new_model: bool
    objects: list[Any]
    has_mesh: bool
    duplicate: Duplicate | None


class FileDeleted(Answer):
    """It is not in the library any more."""

    status: Literal["deleted"]
    id: int


class ColorAnswer(Answer):
    """A colour that a model needs."""

    color: str
    grams: float
    filament_type: str | None


class ModelAnswer(Answer):
    """Something that can be printed, with what follows from its fields."""

    id: int
    name: str
    build_time_hours: float | None
    default_filament_type: str
    color_requirements: dict[str, ColorAnswer] | None
    category: str | None
    thumbnail_url: str | None
    thumbnail_b64: str | None
    notes: str | None
    cost_per_item: float | None
    units_per_bed: int | None
    quantity_per_bed: int | None
    markup_percent: float | None = Field(description="null: default_margin of /pricing-config")
    is_favorite: bool | None
    created_at: Instant
    updated_at: Instant
    required_colors: list[str]
    total_filament_grams: float
    time_per_item: float | None = Field(description="Hours")
    filament_per_item: float | None = Field(description="Grams")
    value_per_bed: float | None
    value_per_hour: float | None


class VariantAnswer(Answer):
    """A print file of a model."""

    id: int
    filename: str
    printer_model: str | None
    print_time_seconds: int
    print_time_hours: float
    total_weight_grams: float | None
    nozzle_diameter: Millimetres
    layer_height: Millimetres
    uploaded_at: Instant
    bed_x_mm: Millimetres
    bed_y_mm: Millimetres
    compatible_api_types: list[str]
    plate_count: int


class VariantsAnswer(Answer):
    """The print files of a model, newest first."""

    model_id: int
    model_name: str
    variants: list[VariantAnswer]
