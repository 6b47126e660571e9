"""A file's facts against a printer's ceilings, before a job is taken or started (safety M19).

The facts come from the parser of the gate at the port, so the two agree: what passes here is not
refused there for its temperatures or its codes.
"""

from typing import Any

from api.errors import Invalid
from schemas.gcode.limits import ceiling_c
from schemas.gcode.policy import ALLOWABLE, PROFILE_CODES, file_codes
from schemas.printer import Profile

HEATERS = ("nozzle", "bed", "chamber")


def check_facts(facts: dict[str, Any], profile: Profile) -> None:
    """Raises `Invalid` (limit_exceeded) naming a line, what it asks for and what is allowed."""
    for heater in HEATERS:
        hottest = facts.get(f"max_{heater}_c")
        allowed_c = ceiling_c(profile, heater)
        if hottest is not None and hottest["c"] > allowed_c:
            raise Invalid(
                f"This file cannot be printed here: line {hottest['line']} asks for "
                f"{hottest['c']:g} °C at the {heater}, this printer allows {allowed_c:g} °C.",
                code="limit_exceeded",
                line=hottest["line"],
                heater=heater,
                asked_c=hottest["c"],
                allowed_c=allowed_c,
            )
    allowed = file_codes(profile.allowed_codes)
    for refused in facts.get("refused", ()):
        if refused["code"] in allowed:
            continue
        help_there_is = f"; {ALLOWABLE}" if refused["code"] in PROFILE_CODES else ""
        raise Invalid(
            f"This file cannot be printed: {refused['text']}{help_there_is}.",
            code="limit_exceeded",
            line=refused["line"],
            gcode=refused["code"],
        )
