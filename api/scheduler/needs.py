"""What a job asks of a printer: from its row and from what reading its file told. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from api.jobs.line import Waiting
from api.spools.consumption import grams_by_slot

#: Names of materials that mean the same.
_SAME = {"NYLON": "PA", "FLEX": "TPU", "PETG_HF": "PETG"}


@dataclass(frozen=True, slots=True)
class Strand:
    """One filament of a print. *slot* 0: it may hang anywhere. *grams* None: nobody knows."""

    slot: int
    material: str
    grams: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The demands of one job; a demand that is None or empty is met by every printer.

    *blob_id*: the file that a preflight looks at. *kind*: (``model`` or ``protocol``, what it must
    be). *model*: the printer that the file was sliced for. *size_mm*: of what is printed. *heat_c*:
    hottest targets by heater. *refused*: (code, its line in words) that no printer may run, unless
    its profile allows the code.
    """

    printer_id: int | None = None
    pool_id: int | None = None
    blob_id: int | None = None
    tags: frozenset[str] = frozenset()
    kind: tuple[str, str] | None = None
    model: str | None = None
    size_mm: tuple[float, float, float] | None = None
    nozzle_mm: float | None = None
    heat_c: tuple[tuple[str, float], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    strands: tuple[Strand, ...] = ()
    colors: tuple[str, ...] = ()


def need_of(job: Waiting, facts: Mapping[str, Any], analysis: Mapping[str, Any]) -> Need:
    """The demands of *job*; *facts* and *analysis* are those of its file, {} while unknown.

    Who names a printer has chosen it: only what its volume and its filament must be is asked then.
    What its file asks beyond the printer's limits fails such a job, instead of letting it wait.
    """
    strands = _strands(job.filament_type, facts)
    colors = colors_of(job.colors_required)
    size_mm = _size_mm(analysis)
    if job.pinned:
        return Need(
            printer_id=job.printer_id,
            size_mm=size_mm,
            strands=strands,
            colors=colors,
        )
    return Need(
        pool_id=job.pool_id,
        blob_id=job.blob_id,
        tags=frozenset(job.required_tags),
        kind=_kind(job),
        model=facts.get("printer_model"),
        size_mm=size_mm,
        nozzle_mm=facts.get("nozzle_mm"),
        heat_c=_heat_c(facts),
        refused=tuple((one["code"], one["text"]) for one in facts.get("refused") or ()),
        strands=strands,
        colors=colors,
    )


def colors_of(text: str | None) -> tuple[str, ...]:
    """The colours of a list with commas, each in one spelling and once."""
    named = [color_name(each) for each in (text or "").split(",")]
    return tuple(dict.fromkeys(each for each in named if each))


def color_name(text: str | None) -> str:
    """A colour's name or number in one spelling."""
    return (text or "").strip().casefold().removeprefix("#")


def material_name(text: str | None) -> str:
    """A material in one spelling: slicers write ``PLA-CF`` for what is called ``PLA_CF`` here."""
    name = (text or "").strip().upper().replace("-", "_").replace(" ", "_").removesuffix("+")
    return _SAME.get(name, name)


def _kind(job: Waiting) -> tuple[str, str] | None:
    if job.target_type not in ("model", "protocol") or not job.target_filter:
        return None
    return job.target_type, job.target_filter.strip()


def _size_mm(analysis: Mapping[str, Any]) -> tuple[float, float, float] | None:
    size = (analysis.get("printing") or {}).get("size")
    return None if not size else (float(size[0]), float(size[1]), float(size[2]))


def _heat_c(facts: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    found = ((heater, facts.get(f"max_{heater}_c")) for heater in ("nozzle", "bed", "chamber"))
    return tuple((heater, float(hottest["c"])) for heater, hottest in found if hottest is not None)


def _strands(said: str | None, facts: Mapping[str, Any]) -> tuple[Strand, ...]:
    """What people said of the job goes before what the slicer wrote into the file."""
    grams = grams_by_slot(None, facts)
    if said:
        return (Strand(0, material_name(said), sum(grams.values()) or None),)
    kinds = [material_name(each) for each in facts.get("filament_types") or ()]
    if not grams:
        return (Strand(0, kinds[0]),) if len(kinds) == 1 and kinds[0] else ()
    found = [
        Strand(slot, kinds[slot - 1] if slot <= len(kinds) else "", weight)
        for slot, weight in grams.items()
    ]
    return (Strand(0, found[0].material, found[0].grams),) if len(found) == 1 else tuple(found)
