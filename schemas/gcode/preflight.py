"""A file against a printer, before it is sent there: what stands in the way, what is odd. Pure.

Everything that the gate at the port would refuse blocks here too, by the same functions. The rest
is what the gate lets pass and a person would like to know: a code that the firmware does not know,
a nozzle that nobody heats. What leaves the file printable with one line less or more is a *fix*,
with its diff; `schemas.gcode.mending` carries it out.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice

import msgspec

from schemas.gcode import firmware, materials, volume
from schemas.gcode.limits import Violation, ceiling_c
from schemas.gcode.policy import ALLOWABLE, PROFILE_CODES, Treatment, file_codes
from schemas.gcode.survey import Code, Judged, Survey
from schemas.printer import Profile

#: So many concerns are told of one file.
MAX_CONCERNS = 60
#: Beside the bed by more than this is worth a word; the gate allows more (`volume.MARGIN_MM`).
BESIDE_MM = 5.0
HOME = "G28"
#: Codes that a printer does without when a file is not allowed to give them: the printer's own
#: settings hold, and the host does what they ask for.
DISPENSABLE = frozenset(
    {"M80", "M81", "M92", "M302", "M303", "M410", "M500", "M501", "M502", "M851", "M906"}
)


class Severity(StrEnum):
    """What a concern means for the print."""

    ERROR = "error"
    WARNING = "warning"
    FIX = "fix"


class Edit(StrEnum):
    """What a fix does."""

    LEAVE_OUT = "leave_out"  # every line of one code
    HOME_FIRST = "home_first"  # home before the first move


class Fix(msgspec.Struct, frozen=True):
    """One change of the file. *code*: of the lines that go, or of the line that comes."""

    edit: Edit
    code: str
    times: int
    diff: str


class Concern(msgspec.Struct, frozen=True, kw_only=True):
    """One finding. *id* is the same for the same file. *blocks*: it is not printed like this.

    *line* is the first that it is about, from 1; None: it is about the whole file.
    """

    id: str
    severity: Severity
    rule: str
    blocks: bool
    text: str
    line: int | None = None
    code: str | None = None
    fix: Fix | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The printer that a file is held against. *dialect*: one of `schemas.printer.DIALECTS`;
    *material*: what is to be printed with, None if nobody said; *prepares*: its own script runs
    before every print, so that it may home and heat.
    """

    profile: Profile
    dialect: str = "auto"
    material: str | None = None
    prepares: bool = False


def assess(survey: Survey, machine: Machine) -> list[Concern]:
    """Everything that there is to say, what blocks first; at most `MAX_CONCERNS`."""
    found = [concern for rule in RULES for concern in rule(survey, machine)]
    return sorted(found, key=lambda each: not each.blocks)[:MAX_CONCERNS]


def blocking(survey: Survey, profile: Profile) -> Concern | None:
    """The first concern that keeps the file from a printer of *profile*; None: it may print."""
    machine = Machine(profile=profile)
    found = (concern for rule in GATE_RULES for concern in rule(survey, machine))
    return next((concern for concern in found if concern.blocks), None)


def _error(rule: str, what: str, text: str, line: int | None, code: str | None = None) -> Concern:
    return Concern(
        id=f"{rule}:{what}",
        severity=Severity.ERROR,
        rule=rule,
        blocks=True,
        text=text,
        line=line,
        code=code,
    )


def _warning(rule: str, what: str, text: str, line: int | None, code: str | None = None) -> Concern:
    return Concern(
        id=f"{rule}:{what}",
        severity=Severity.WARNING,
        rule=rule,
        blocks=False,
        text=text,
        line=line,
        code=code,
    )


# What the gate refuses.


def _ceilings(survey: Survey, machine: Machine) -> Iterator[Concern]:
    for heater, target in survey.hottest.items():
        allowed_c = ceiling_c(machine.profile, heater)
        if target.c > allowed_c:
            text = str(Violation(target.code, heater, target.c, allowed_c))
            yield _error("limit_exceeded", heater, text, target.line, target.code)


def _volume(survey: Survey, machine: Machine) -> Iterator[Concern]:
    for axis, reach in survey.reach.items():
        for place, line in ((reach.low_mm, reach.low_line), (reach.high_mm, reach.high_line)):
            why = volume.outside(axis, place, machine.profile) if line else None
            if why is not None:
                yield _error("outside", f"{axis}{place:+g}", why, line)


def _policy(survey: Survey, machine: Machine) -> Iterator[Concern]:
    allowed = file_codes(machine.profile.allowed_codes)
    for code, judged in survey.judged.items():
        if code in allowed:
            continue
        refused = judged.treatment is Treatment.REFUSE
        if judged.treatment is Treatment.HOST:
            yield _warning(
                "pauses", code, f"{code} pauses the print here: {judged.why}", judged.line, code
            )
        elif refused and code not in DISPENSABLE:
            text = f"{code} is not allowed in a file: {judged.why}"
            yield _error("not_allowed", code, text, judged.line, code)
        else:
            yield _left_out(code, judged, blocks=refused)


def _left_out(code: str, judged: Judged, *, blocks: bool) -> Concern:
    rule = "not_allowed" if blocks else "left_out"
    way = "is not allowed in a file" if blocks else "is left out on the way to the printer"
    help_there_is = f"; {ALLOWABLE}" if code in PROFILE_CODES else ""
    diff = f"@@ -{judged.line} +{judged.line - 1},0 @@\n-{judged.text}\n"
    return Concern(
        id=f"{rule}:{code}",
        severity=Severity.FIX,
        rule=rule,
        blocks=blocks,
        text=f"{code} {way}: {judged.why}{help_there_is}",
        line=judged.line,
        code=code,
        fix=Fix(Edit.LEAVE_OUT, code, judged.times, diff),
    )


def _misfits(survey: Survey, machine: Machine) -> Iterator[Concern]:
    for misfit in survey.misfits:
        yield _error("malformed", str(misfit.line), misfit.why, misfit.line)


# What the gate lets pass.


def _tools(survey: Survey, machine: Machine) -> Iterator[Concern]:
    has = machine.profile.extruders
    for code, at in survey.codes.items():
        if code[:1] == "T" and code[1:].isdigit() and int(code[1:]) >= has:
            text = f"{code} is not there: this printer has {_tools_text(has)}"
            yield _error("no_such_tool", code, text, at.line, code)


def _tools_text(count: int) -> str:
    return "one tool, T0" if count == 1 else f"{count} tools, T0 to T{count - 1}"


def _beside(survey: Survey, machine: Machine) -> Iterator[Concern]:
    for axis, reach in survey.reach.items():
        low, high = volume.bounds_mm(machine.profile, axis)
        for place, line in ((reach.low_mm, reach.low_line), (reach.high_mm, reach.high_line)):
            inside = low - BESIDE_MM <= place <= high + BESIDE_MM
            if inside or not line or volume.outside(axis, place, machine.profile):
                continue
            text = f"it moves to {axis} {place:g} mm, beside the bed ({low:g} to {high:g} mm)"
            yield _warning("beside_bed", axis, text, line)


def _heaters(survey: Survey, machine: Machine) -> Iterator[Concern]:
    has = {"bed": machine.profile.heated_bed, "chamber": machine.profile.heated_chamber}
    for heater, target in survey.hottest.items():
        if target.c > 0 and not has.get(heater, True):
            text = f"it heats a {heater}, and this printer has none that heats"
            yield _warning("no_such_heater", heater, text, target.line)


def _order(survey: Survey, machine: Machine) -> Iterator[Concern]:
    """Homed before the first move, heated before the first filament."""
    macros = [at.line for code, at in survey.codes.items() if firmware.is_macro(code)]
    if machine.prepares:
        return
    move, push = survey.first_move, survey.first_extrusion
    home = survey.codes.get(HOME)
    homed = [home.line] if home else []
    if move is not None and min(homed + macros, default=move.line) >= move.line:
        yield _home_first(move)
    heated = [survey.heated] if survey.heated is not None else []
    if push is not None and min(heated + macros, default=push.line) >= push.line:
        text = "it pushes filament before anything heats the nozzle"
        yield _warning("not_heated", "nozzle", text, push.line)


def _home_first(move: Code) -> Concern:
    diff = f"@@ -{move.line} +{move.line},2 @@\n+{HOME}\n {move.text}\n"
    return Concern(
        id="not_homed",
        severity=Severity.FIX,
        rule="not_homed",
        blocks=False,
        text="it moves before anything has homed the printer",
        line=move.line,
        code=HOME,
        fix=Fix(Edit.HOME_FIRST, HOME, 1, diff),
    )


def _firmware(survey: Survey, machine: Machine) -> Iterator[Concern]:
    for code, at in survey.codes.items():
        if code in survey.judged:
            continue
        why = firmware.dangerous(code, machine.dialect)
        if why is not None:
            yield _warning("dangerous_code", code, f"{code}: {why}", at.line, code)


def _foreign(survey: Survey, machine: Machine) -> Iterator[Concern]:
    odd = (
        (code, at)
        for code, at in survey.codes.items()
        if code not in survey.judged and firmware.unknown(code, machine.dialect)
    )
    known = machine.dialect != "auto"
    whose = f"the firmware here ({machine.dialect})" if known else "any common firmware"
    for code, at in islice(odd, MAX_CONCERNS // 3):
        yield _warning("unknown_code", code, f"{code} is not known to {whose}", at.line, code)


def _material(survey: Survey, machine: Machine) -> Iterator[Concern]:
    window = materials.window_of(machine.material)
    if window is None:
        return
    nozzle, bed = survey.hottest.get("nozzle"), survey.hottest.get("bed")
    if nozzle is not None and not window.nozzle_low_c <= nozzle.c <= window.nozzle_high_c:
        text = (
            f"{machine.material} is printed at {window.nozzle_low_c:g} to "
            f"{window.nozzle_high_c:g} °C; this file asks for {nozzle.c:g} °C at most"
        )
        yield _warning("material", "nozzle", text, nozzle.line)
    if bed is not None and bed.c > window.bed_high_c:
        text = (
            f"{machine.material} wants a bed of {window.bed_high_c:g} °C at most; "
            f"this file asks for {bed.c:g} °C"
        )
        yield _warning("material", "bed", text, bed.line)


Rule = Callable[[Survey, Machine], Iterator[Concern]]
#: What blocks: it depends on the profile alone.
GATE_RULES: tuple[Rule, ...] = (_ceilings, _volume, _policy, _misfits, _tools)
RULES: tuple[Rule, ...] = (
    *GATE_RULES,
    _beside,
    _heaters,
    _order,
    _firmware,
    _foreign,
    _material,
)
