"""How models and print files look in v1 (2.5): from rows and facts to JSON, nothing else."""

from itertools import zip_longest
from typing import Any

from api.clock import iso
from api.models_library.models import LibraryModel, PrintFile
from api.models_library.naming import stem
from api.models_library.service import Sliced

#: Fields of a model that decide nothing here, with what they are when nobody set them.
MODEL_DETAILS: dict[str, Any] = {
    "color_requirements": None,
    "thumbnail_url": None,
    "thumbnail_b64": None,
    "cost_per_item": None,
    "units_per_bed": 1,
    "quantity_per_bed": 1,
    "markup_percent": None,  # that of the organization's rates
    "is_favorite": False,
}


def upload_view(sliced: Sliced, is_new_model: bool, earlier: PrintFile | None) -> dict[str, Any]:
    """The answer to an upload."""
    duplicate = None
    if earlier is not None:
        duplicate = {
            "duplicate": True,
            "existing_file_id": earlier.id,
            "existing_file_name": earlier.filename,
        }
    return {
        **_sliced_view(sliced),
        "is_sliced": True,
        "is_new_model": is_new_model,
        "objects": [],
        "has_mesh": False,
        "duplicate": duplicate,
    }


def file_view(sliced: Sliced) -> dict[str, Any]:
    """A row of the list of print files."""
    facts, job = sliced.blob.facts, sliced.job
    return {
        **_sliced_view(sliced),
        "layer_height": facts.get("layer_height_mm"),
        "nozzle_diameter": facts.get("nozzle_mm"),
        "supports_used": None,
        "bed_type": None,
        "mesh_data": None,
        "file_hash": sliced.blob.sha256,
        "file_size_bytes": sliced.blob.size_bytes,
        "job_id": job.id if job else None,
        "job_status": job.status if job else None,
        "job_name": job.name if job else None,
        "original_filename": sliced.file.original_filename,
        "uploaded_at": iso(sliced.file.uploaded_at),
        "plate_count": 1,
    }


def _sliced_view(sliced: Sliced) -> dict[str, Any]:
    facts = sliced.blob.facts
    seconds = int(facts.get("estimated_s", 0))
    bed_x_mm, bed_y_mm = facts.get("bed_mm", (None, None))
    return {
        "id": sliced.file.id,
        "filename": sliced.file.filename,
        "project_name": stem(sliced.file.filename),
        "print_time_seconds": seconds,
        "print_time_formatted": formatted(seconds),
        "total_weight_grams": facts.get("filament_g"),
        "layer_count": facts.get("layers"),
        "filaments": filaments(facts),
        "thumbnail_b64": None,
        "thumbnail_url": thumbnail_url(sliced),
        "model_id": sliced.model.id,
        "printer_model": facts.get("printer_model"),
        "bed_x_mm": bed_x_mm,
        "bed_y_mm": bed_y_mm,
        "compatible_api_types": ["serial"],
    }


def thumbnail_url(sliced: Sliced) -> str | None:
    """Where the picture of a file is; None without one."""
    if not sliced.blob.facts.get("has_thumbnail"):
        return None
    return f"/api/v1/print-files/{sliced.file.id}/thumbnail"


def variant_view(sliced: Sliced) -> dict[str, Any]:
    """A print file as a variant of its model."""
    shown = file_view(sliced)
    return {
        "id": sliced.file.id,
        "filename": sliced.file.filename,
        "print_time_hours": round(shown["print_time_seconds"] / 3600, 4),
        **{name: shown[name] for name in _OF_VARIANT},
    }


_OF_VARIANT = (
    "printer_model",
    "print_time_seconds",
    "total_weight_grams",
    "nozzle_diameter",
    "layer_height",
    "uploaded_at",
    "bed_x_mm",
    "bed_y_mm",
    "compatible_api_types",
    "plate_count",
)


def formatted(seconds: int) -> str:
    """`1h 2m`, `2m`, `45s`; days are hours."""
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m" if minutes else f"{seconds}s"


def filaments(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry for each tool that is used; slots count from 1."""
    lengths = facts.get("filament_mm", [])
    grams = facts.get("filament_tools_g")
    if grams is None:
        grams = [facts["filament_g"]] if "filament_g" in facts and len(lengths) < 2 else []
    tools = zip_longest(
        lengths, grams, facts.get("filament_types", []), facts.get("filament_colors", [])
    )
    return [
        {"slot": slot, "type": kind, "color": color, "used_grams": used_g, "used_mm": used_mm}
        for slot, (used_mm, used_g, kind, color) in enumerate(tools, start=1)
        if used_mm or used_g
    ]


def model_view(model: LibraryModel) -> dict[str, Any]:
    """A model with what follows from its fields."""
    details = {name: model.details.get(name, value) for name, value in MODEL_DETAILS.items()}
    colors = list((details["color_requirements"] or {}).values())
    grams = sum(color["grams"] for color in colors)
    units = details["units_per_bed"] or 1
    hours, each = model.build_time_hours, details["cost_per_item"]
    per_bed = each * units if each is not None else None
    return {
        "id": model.id,
        "name": model.name,
        "build_time_hours": hours,
        "default_filament_type": model.default_filament_type,
        "category": model.category,
        "notes": model.notes,
        **details,
        "created_at": iso(model.created_at),
        "updated_at": iso(model.updated_at),
        "required_colors": [color["color"] for color in colors],
        "total_filament_grams": grams,
        "time_per_item": hours / units if hours is not None else None,
        "filament_per_item": grams / units if colors else None,
        "value_per_bed": per_bed,
        "value_per_hour": per_bed / hours if per_bed is not None and hours else None,
    }
