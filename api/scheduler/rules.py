"""Which printer may have which job: one table of rules. Pure; the time is in the scene.

Each rule looks at one demand of a job (`asks`; None: the job does not care) and one printer. The
lasting rules come first: against what they refuse only a change of the job or of the farm helps.
The others pass by themselves or with somebody's hand: what is loaded, what the printer does, its
plate, the hours, the power. The order is that in which a refusal is told.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.clock import iso
from api.pools.service import Pool, contains
from api.scheduler.materials import (
    colors_loaded,
    colors_missing,
    materials_foreign,
    materials_loaded,
    materials_missing,
    short_of,
)
from api.scheduler.needs import Need
from api.scheduler.power import Power
from api.scheduler.spots import Spot
from schemas.gcode.limits import ceiling_c
from schemas.gcode.policy import file_codes
from schemas.printer import PrinterState

#: A print may be so much larger than the volume, in mm (v1 4.4): a brim's rounding, no more.
SIZE_SLACK_MM = 2.0
NOZZLE_SLACK_MM = 0.01

#: What the preflight says against the file of a blob on a printer; None: nothing, or not yet.
Preflight = Callable[[int, Spot], str | None]


def nothing_said(blob_id: int, spot: Spot) -> str | None:
    """Where no preflight is asked."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What stands around jobs and printers. *opens_at*: nothing starts before; None: now."""

    power: Power
    pools: Mapping[int, Pool] = field(default_factory=dict)
    opens_at: datetime | None = None
    preflight: Preflight = nothing_said


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One reason why a printer may not have a job.

    *fits*, *why_not* and *unblock* are given the demand, the printer and the scene. *why_not* goes
    after the printer's name, *unblock* after "waits for". *lasting*: it does not pass by itself.
    """

    name: str
    asks: Callable[[Need], Hashable | None]
    fits: Callable[[Any, Spot, Scene], bool]
    why_not: Callable[[Any, Spot, Scene], str]
    unblock: Callable[[Any, Spot, Scene], str]
    lasting: bool = False


def _always(need: Need) -> bool:
    return True


def _model_fits(sliced_for: str, spot: Spot) -> bool:
    """Names of models are written in many ways; the one may be a part of the other."""
    wanted, actual = _plain(sliced_for), _plain(spot.model)
    return not wanted or not actual or wanted in actual or actual in wanted


def _plain(text: str) -> str:
    return "".join(each for each in text.casefold() if each.isalnum())


def _is_kind(kind: tuple[str, str], spot: Spot) -> bool:
    wanted = kind[1].casefold()
    if kind[0] == "protocol":
        return spot.api_type.casefold() == wanted
    machine = str((spot.row.details or {}).get("machine_type") or "")
    return wanted in (spot.model.casefold(), machine.casefold())


def _in_pool(pool_id: int, spot: Spot, scene: Scene) -> bool:
    pool = scene.pools.get(pool_id)
    return pool is not None and contains(pool, spot.row)


def _pool_name(pool_id: int, scene: Scene) -> str:
    pool = scene.pools.get(pool_id)
    return "its pool, which is gone" if pool is None else f"the pool {pool.name}"


def _too_large(size_mm: tuple[float, float, float], spot: Spot) -> bool:
    profile = spot.profile
    room = (profile.width_mm, profile.depth_mm, profile.height_mm)
    return any(size > place + SIZE_SLACK_MM for size, place in zip(size_mm, room, strict=True))


def _volume(spot: Spot) -> str:
    profile = spot.profile
    return f"{profile.width_mm:g} × {profile.depth_mm:g} × {profile.height_mm:g} mm"


def _size(size_mm: tuple[float, float, float]) -> str:
    return " × ".join(f"{each:.0f}" for each in size_mm) + " mm"


def _too_hot(heat_c: tuple[tuple[str, float], ...], spot: Spot) -> tuple[str, float, float] | None:
    for heater, asked_c in heat_c:
        allowed_c = ceiling_c(spot.profile, heater)
        if asked_c > allowed_c:
            return heater, asked_c, allowed_c
    return None


def _forbidden(refused: tuple[tuple[str, str], ...], spot: Spot) -> str | None:
    """The first line of the file that this printer must not run; None: there is none."""
    allowed = file_codes(spot.profile.allowed_codes)
    return next((text for code, text in refused if code not in allowed), None)


def _heat_why(heat_c: tuple[tuple[str, float], ...], spot: Spot, _: Scene) -> str:
    found = _too_hot(heat_c, spot)
    assert found is not None, "asked of a printer that allows it"
    heater, asked_c, allowed_c = found
    return f"allows {allowed_c:g} °C at the {heater}, the file asks for {asked_c:g} °C"


def _heat_unblock(heat_c: tuple[tuple[str, float], ...], spot: Spot, _: Scene) -> str:
    found = _too_hot(heat_c, spot)
    assert found is not None, "asked of a printer that allows it"
    return f"a printer that allows {found[1]:g} °C at the {found[0]}"


def _held(spot: Spot) -> str:
    """Why its queue waits, as a part of a sentence."""
    return spot.held.rstrip(". ") or "nobody said why"


def _power_why(_: object, spot: Spot, scene: Scene) -> str:
    found = scene.power.shortage(spot.id)
    assert found is not None, "asked of a printer that has its power"
    budget, missing_w = found
    return f"cannot heat up now: circuit {budget.name} lacks {missing_w:.0f} W"


def _power_unblock(_: object, spot: Spot, scene: Scene) -> str:
    found = scene.power.shortage(spot.id)
    assert found is not None, "asked of a printer that has its power"
    return f"power on circuit {found[0].name}: others heat up or print"


#: The rules in the order in which a refusal is told; the lasting ones first.
RULES: tuple[Rule, ...] = (
    Rule(
        name="printer",
        asks=lambda need: need.printer_id,
        fits=lambda printer_id, spot, _: spot.id == printer_id,
        why_not=lambda *_: "is not the printer that the job is for",
        unblock=lambda _, spot, __: f"somebody to move it to {spot.name}",
        lasting=True,
    ),
    Rule(
        name="pool",
        asks=lambda need: need.pool_id,
        fits=_in_pool,
        why_not=lambda pool_id, _, scene: f"is not in {_pool_name(pool_id, scene)}",
        unblock=lambda pool_id, spot, scene: f"{spot.name} in {_pool_name(pool_id, scene)}",
        lasting=True,
    ),
    Rule(
        name="tags",
        asks=lambda need: need.tags or None,
        fits=lambda tags, spot, _: tags <= spot.tags,
        why_not=lambda tags, spot, _: f"lacks the tags {', '.join(sorted(tags - spot.tags))}",
        unblock=lambda tags, spot, _: (
            f"the tags {', '.join(sorted(tags - spot.tags))} on {spot.name}"
        ),
        lasting=True,
    ),
    Rule(
        name="kind",
        asks=lambda need: need.kind,
        fits=lambda kind, spot, _: _is_kind(kind, spot),
        why_not=lambda kind, spot, _: (
            f"is {(spot.model if kind[0] == 'model' else spot.api_type) or 'of no known kind'}, "
            f"the job asks for the {kind[0]} {kind[1]}"
        ),
        unblock=lambda kind, *_: f"a printer of the {kind[0]} {kind[1]}",
        lasting=True,
    ),
    Rule(
        name="model",
        asks=lambda need: need.model,
        fits=lambda model, spot, _: _model_fits(model, spot),
        why_not=lambda model, spot, _: f"is a {spot.model}, the file was sliced for {model}",
        unblock=lambda model, spot, _: f"a file for {spot.model}, or a printer {model}",
        lasting=True,
    ),
    Rule(
        name="bed",
        asks=lambda need: need.size_mm,
        fits=lambda size_mm, spot, _: not _too_large(size_mm, spot),
        why_not=lambda size_mm, spot, _: f"holds {_volume(spot)}, the print is {_size(size_mm)}",
        unblock=lambda size_mm, *_: f"a printer that holds {_size(size_mm)}",
        lasting=True,
    ),
    Rule(
        name="nozzle",
        asks=lambda need: need.nozzle_mm,
        fits=lambda mm, spot, _: abs(spot.profile.nozzle_mm - mm) <= NOZZLE_SLACK_MM,
        why_not=lambda mm, spot, _: (
            f"has a nozzle of {spot.profile.nozzle_mm:g} mm, the file is for {mm:g} mm"
        ),
        unblock=lambda mm, spot, _: f"a nozzle of {mm:g} mm in {spot.name}",
        lasting=True,
    ),
    Rule(
        name="limits",
        asks=lambda need: need.heat_c or None,
        fits=lambda heat_c, spot, _: _too_hot(heat_c, spot) is None,
        why_not=_heat_why,
        unblock=_heat_unblock,
        lasting=True,
    ),
    Rule(
        name="materials",
        asks=lambda need: need.strands or None,
        fits=lambda strands, spot, _: not materials_foreign(strands, spot),
        why_not=lambda strands, spot, _: (
            f"is not meant for {', '.join(materials_foreign(strands, spot))}"
        ),
        unblock=lambda strands, *_: "a printer whose profile allows that material",
        lasting=True,
    ),
    Rule(
        name="codes",
        asks=lambda need: need.refused or None,
        fits=lambda refused, spot, _: _forbidden(refused, spot) is None,
        why_not=lambda refused, spot, _: f"must not run the file: {_forbidden(refused, spot)}",
        unblock=lambda *_: "a file without what no printer may run",
        lasting=True,
    ),
    Rule(
        name="preflight",
        asks=lambda need: need.blob_id,
        fits=lambda blob_id, spot, scene: scene.preflight(blob_id, spot) is None,
        why_not=lambda blob_id, spot, scene: (
            f"does not pass the preflight: {scene.preflight(blob_id, spot)}"
        ),
        unblock=lambda *_: "a file that passes the preflight",
        lasting=True,
    ),
    Rule(
        name="circuit",
        asks=_always,
        fits=lambda _, spot, scene: scene.power.too_small(spot.id) is None,
        why_not=lambda *_: "draws more alone than its circuit bears",
        unblock=lambda _, spot, __: f"another circuit for {spot.name}",
        lasting=True,
    ),
    Rule(
        name="by_hand",
        asks=_always,
        fits=lambda _, spot, __: not spot.by_hand,
        why_not=lambda *_: "has no bridge; people start it",
        unblock=lambda _, spot, __: f"somebody to start it by hand on {spot.name}",
    ),
    Rule(
        name="material",
        asks=lambda need: need.strands or None,
        fits=lambda strands, spot, _: materials_loaded(strands, spot),
        why_not=lambda strands, spot, _: (
            f"has not loaded {', '.join(materials_missing(strands, spot))}"
        ),
        unblock=lambda strands, spot, _: (
            f"{', '.join(materials_missing(strands, spot))} in {spot.name}"
        ),
    ),
    Rule(
        name="color",
        asks=lambda need: need.colors or None,
        fits=lambda colors, spot, _: colors_loaded(colors, spot),
        why_not=lambda colors, spot, _: f"has not loaded {', '.join(colors_missing(colors, spot))}",
        unblock=lambda colors, spot, _: (
            f"{', '.join(colors_missing(colors, spot))} filament in {spot.name}"
        ),
    ),
    Rule(
        name="filament",
        asks=lambda need: need.strands or None,
        fits=lambda strands, spot, _: short_of(strands, spot) is None,
        why_not=lambda strands, spot, _: f"has {short_of(strands, spot)}",
        unblock=lambda strands, spot, _: f"a fuller spool in {spot.name}",
    ),
    Rule(
        name="offline",
        asks=_always,
        fits=lambda _, spot, __: spot.reachable and spot.is_active,
        why_not=lambda _, spot, __: "is offline" if spot.is_active else "is switched off here",
        unblock=lambda _, spot, __: f"{spot.name} to come online",
    ),
    Rule(
        name="busy",
        asks=_always,
        fits=lambda _, spot, __: not spot.has_grant,
        why_not=lambda *_: "has another print",
        unblock=lambda _, spot, __: f"the print on {spot.name} to end",
    ),
    Rule(
        name="stopped",
        asks=_always,
        fits=lambda _, spot, __: spot.state is not PrinterState.HALTED,
        why_not=lambda *_: "was stopped",
        unblock=lambda _, spot, __: f"somebody to reset the stop of {spot.name}",
    ),
    Rule(
        name="held",
        asks=_always,
        fits=lambda _, spot, __: not spot.held,
        why_not=lambda _, spot, __: f"holds its queue: {_held(spot)}",
        unblock=lambda _, spot, __: f"somebody to release the queue of {spot.name}: {_held(spot)}",
    ),
    Rule(
        name="card",
        asks=_always,
        fits=lambda _, spot, __: not spot.is_sending,
        why_not=lambda *_: "is getting a file onto its SD card",
        unblock=lambda _, spot, __: f"the file that goes to the SD card of {spot.name}",
    ),
    Rule(
        name="state",
        asks=_always,
        fits=lambda _, spot, __: spot.state is PrinterState.OPERATIONAL,
        why_not=lambda _, spot, __: f"is {spot.state}",
        unblock=lambda _, spot, __: f"{spot.name} to be operational; it is {spot.state}",
    ),
    Rule(
        name="plate",
        asks=_always,
        fits=lambda _, spot, __: spot.plate_clear,
        why_not=lambda *_: "has a plate that nobody has called clear",
        unblock=lambda _, spot, __: f"somebody to say that the plate of {spot.name} is clear",
    ),
    Rule(
        name="hours",
        asks=_always,
        fits=lambda _, __, scene: scene.opens_at is None,
        why_not=lambda _, __, scene: f"starts nothing before {iso(scene.opens_at)}",
        unblock=lambda _, __, scene: f"the hours in which prints start, {iso(scene.opens_at)}",
    ),
    Rule(
        name="power",
        asks=_always,
        fits=lambda _, spot, scene: scene.power.shortage(spot.id) is None,
        why_not=_power_why,
        unblock=_power_unblock,
    ),
)
BY_NAME = {rule.name: rule for rule in RULES}
