"""A file against a printer: errors, warnings and fixes."""

from typing import Any

import pytest

from schemas.gcode.mending import Mender
from schemas.gcode.preflight import MAX_CONCERNS, Concern, Machine, Severity, assess
from schemas.gcode.survey import Surveyor
from schemas.printer import Profile

GOOD = b"G28\nM109 S215\nM190 S60\nT0\nG1 X50 Y50 E1\n"


def concerns(text: bytes, machine: Machine | None = None) -> dict[str, Concern]:
    """What a preflight of *text* says, by id."""
    surveyor = Surveyor()
    surveyor.feed(text)
    found = assess(surveyor.finish(), machine or Machine(profile=Profile()))
    return {each.id: each for each in found}


def test_of_a_good_file_there_is_nothing_to_say() -> None:
    """A file that homes, heats and stays inside passes without a word."""
    assert concerns(GOOD, Machine(profile=Profile(), dialect="marlin", material="PLA")) == {}


@pytest.mark.parametrize(
    ("line", "wanted", "words"),
    [
        (b"M104 S300", "limit_exceeded:nozzle", "allows 275"),
        (b"M104 Sx", "not_allowed:M104", "no plain number"),
        (b"G1 X4000", "outside:X+4000", "from 0 to 250"),
        (b"M112", "not_allowed:M112", "remote stop"),
        (b"T3", "no_such_tool:T3", "one tool, T0"),
        (b"G1 " + b"X" * 90, "malformed:6", "bytes long"),
    ],
)
def test_what_no_printer_may_run_is_an_error(line: bytes, wanted: str, words: str) -> None:
    """Errors block, name their line and say what is allowed (safety M19, M20)."""
    found = concerns(GOOD + line + b"\n")
    assert list(found) == [wanted]
    error = found[wanted]
    assert (error.severity, error.blocks, error.line) == (Severity.ERROR, True, 6)
    assert words in error.text


@pytest.mark.parametrize(
    ("text", "machine", "wanted"),
    [
        (GOOD + b"M0\n", {}, "pauses:M0"),
        (GOOD + b"G1 X-12\n", {}, "beside_bed:X"),
        (GOOD + b"G1003\n", {"dialect": "marlin"}, "unknown_code:G1003"),
        (GOOD + b"START_PRINT\n", {"dialect": "prusa"}, "unknown_code:START_PRINT"),
        (GOOD + b"SAVE_CONFIG\n", {"dialect": "klipper"}, "dangerous_code:SAVE_CONFIG"),
        (GOOD + b"M42 P4 S255\n", {}, "dangerous_code:M42"),
        (GOOD + b"M141 S40\n", {}, "no_such_heater:chamber"),
        (GOOD, {"material": "ABS"}, None),
        (GOOD, {"material": "PC"}, "material:nozzle"),
        (GOOD.replace(b"S60", b"S100"), {"material": "PLA"}, "material:bed"),
        (b"G28\nG1 X1 E1\nM104 S200\n", {}, "not_heated:nozzle"),
    ],
)
def test_what_is_odd_is_a_warning(text: bytes, machine: dict[str, Any], wanted: str | None) -> None:
    """Warnings never block."""
    found = concerns(text, Machine(profile=Profile(), **machine))
    assert list(found) == ([wanted] if wanted else [])
    assert all(each.severity is Severity.WARNING and not each.blocks for each in found.values())


def test_a_printer_that_prepares_itself_needs_no_home_and_no_heat_in_the_file() -> None:
    """A script of the printer, or a macro in the file, may do both."""
    bare = b"G1 X5 Y5\nG1 X6 E1\n"
    assert set(concerns(bare)) == {"not_homed", "not_heated:nozzle"}
    assert concerns(bare, Machine(profile=Profile(), prepares=True)) == {}
    assert concerns(b"PRINT_START\n" + bare, Machine(profile=Profile(), dialect="klipper")) == {}


def test_a_profile_lets_its_codes_pass_and_nothing_beside_them() -> None:
    """safety M20: what stands in one line with an allowed code is judged all the same."""
    text = b"G28\nM302 P1 M500 M997\nM500 ; keep\n"
    assert set(concerns(text)) == {"not_allowed:M302", "not_allowed:M500", "not_allowed:M997"}
    assert "an admin can allow it" in concerns(text)["not_allowed:M500"].text
    some = Machine(profile=Profile(allowed_codes=("M302",)))
    assert set(concerns(text, some)) == {"not_allowed:M500", "not_allowed:M997"}
    every = Machine(profile=Profile(allowed_codes=("M302", "M500", "M997")))
    assert set(concerns(text, every)) == {"not_allowed:M997"}
    assert concerns(b"G28\nM302 P1\nM500\n", every) == {}


def test_a_fix_shows_its_diff_and_mends_the_file() -> None:
    """Lines that may go are left out, a missing home comes first, the rest stays byte by byte."""
    text = b";made\nG1 X5 Y5 F900\nM500\nM155 S1 ; report\nG1 X6\nM500\r\nG1 X7 M500\nend"
    found = concerns(text)
    fixes = {name: each.fix for name, each in found.items() if each.fix}
    assert {name: fix.diff for name, fix in fixes.items()} == {
        "not_homed": "@@ -2 +2,2 @@\n+G28\n G1 X5 Y5 F900\n",
        "not_allowed:M500": "@@ -3 +2,0 @@\n-M500\n",
        "left_out:M155": "@@ -4 +3,0 @@\n-M155 S1 ; report\n",
    }
    assert found["not_allowed:M500"].blocks
    assert not found["left_out:M155"].blocks
    for size in (1, 5, 1000):
        mender = Mender([*fixes.values()], found["not_homed"].line)
        pieces = [mender.feed(text[at : at + size]) for at in range(0, len(text), size)]
        mended = b"".join(pieces) + mender.finish()
        assert mended == b";made\nG28\nG1 X5 Y5 F900\nG1 X6\nG1 X7 M500\nend"
        assert mender.removed == 3


def test_what_blocks_is_told_first_and_not_everything_is_told() -> None:
    """A file of nonsense gives a bounded answer, the errors in front."""
    lines = [b"G%d" % number for number in range(1000, 1300)]
    found = list(concerns(b"\n".join(lines) + b"\nM112\n").values())
    assert found[0].blocks
    assert len(found) <= MAX_CONCERNS
