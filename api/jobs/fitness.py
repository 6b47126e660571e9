"""Whether a job's file may go to a printer, and the preflight that is kept with its start.

The rules are those of `schemas.gcode.preflight`, which are the gate's at the port.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from api.clock import iso
from api.errors import Invalid
from api.jobs.models import Job
from api.printers.service import Printer, Printers
from schemas.gcode.firmware import family_of
from schemas.gcode.preflight import Concern, Machine, assess, blocking
from schemas.gcode.survey import VERSION, Survey
from schemas.printer import Profile

#: The script of a printer that may home and heat before every print.
_PREPARES = "before_print"


def check(survey: Survey | None, profile: Profile) -> None:
    """Raises `Invalid` (limit_exceeded) for the first thing that keeps the file from a printer of
    *profile*; nothing is known of one without a *survey*.
    """
    concern = blocking(survey, profile) if survey is not None else None
    if concern is None:
        return
    where = f"line {concern.line}: " if concern.line is not None else ""
    raise Invalid(
        f"This file cannot be printed here: {where}{concern.text}.",
        code="limit_exceeded",
        line=concern.line,
        rule=concern.rule,
        gcode=concern.code,
        fixable=concern.fix is not None,
    )


def machine_of(printer: Printer, material: str | None) -> Machine:
    """*printer*, for a preflight of what is printed with *material*."""
    scripts: Mapping[str, str] = printer.scripts
    said = printer.dialect
    dialect = said if said != "auto" else family_of(printer.firmware.get("name") or "")
    return Machine(
        profile=Printers.profile(printer),
        dialect=dialect,
        material=material,
        prepares=bool(scripts.get(_PREPARES, "").strip()),
    )


def material_of(asked: str | None, facts: Mapping[str, Any]) -> str | None:
    """What is printed with: what people *asked* for, else what the slicer wrote, if one thing."""
    written = set(facts.get("filament_types") or ())
    return asked or (written.pop() if len(written) == 1 else None)


def verdict(survey: Survey | None, machine: Machine, at: datetime) -> dict[str, Any]:
    """The preflight of a file for a machine, as JSON: *status* passed, warnings, refused or
    unchecked (the file has not been looked at yet), and the findings.
    """
    found = assess(survey, machine) if survey is not None else []
    return {
        "status": _status(survey, found),
        "checked_at": iso(at),
        "rules": VERSION,
        "material": machine.material,
        "firmware": machine.dialect,
        "findings": [msgspec.to_builtins(each) for each in found],
    }


def _status(survey: Survey | None, found: list[Concern]) -> str:
    if survey is None:
        return "unchecked"
    if any(each.blocks for each in found):
        return "refused"
    return "warnings" if found else "passed"


def job_material(job: Job, facts: Mapping[str, Any]) -> str | None:
    """What *job* is printed with."""
    return material_of(job.filament_type, facts)
