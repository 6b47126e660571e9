"""Temperature ceilings (safety M19)."""

import pytest

from schemas.gcode.limits import Violation, check
from schemas.gcode.words import parse
from schemas.printer import Profile

PROFILE = Profile(max_nozzle_c=275, max_bed_c=110, max_chamber_c=60)


def violation(line: bytes) -> Violation | None:
    """The first violation of *line* under `PROFILE`."""
    found = [check(command, PROFILE) for command in parse(line)]
    return next((one for one in found if one is not None), None)


@pytest.mark.parametrize(
    ("line", "asked_c", "heater"),
    [
        (b"M104 S276", 276, "nozzle"),
        (b"m109r300", 300, "nozzle"),
        (b"M104 T1 S999", 999, "nozzle"),
        (b"M104 S200 S300", 300, "nozzle"),
        (b"M104 S215.0e1", 2150, "nozzle"),
        (b"N12 M104 S300*97", 300, "nozzle"),
        (b"M109 S215 B280 F1", 280, "nozzle"),
        (b"M140 S111", 111, "bed"),
        (b"M190 R120", 120, "bed"),
        (b"M141 S61", 61, "chamber"),
        (b"G10 P0 S300", 300, "nozzle"),
        (b"G10 S300", 300, "nozzle"),
        (b"G10 R300", 300, "nozzle"),
        (b"G26 H300", 300, "nozzle"),
        (b"G26 H200 B120", 120, "bed"),
        (b"M600 R300", 300, "nozzle"),
        (b"M+104 S300", 300, "nozzle"),
        (b"M486 M104 S300", 300, "nozzle"),
        (b"M118 M104 S300", 300, "nozzle"),
        (b"G1 X1 M104 S300", 300, "nozzle"),
        (b"SET_HEATER_TEMPERATURE HEATER=heater_bed TARGET=130", 130, "bed"),
        (b"SET_HEATER_TEMPERATURE HEATER=extruder TARGET=200 TARGET=300", 300, "nozzle"),
        (b"SET_HEATER_TEMPERATURE HEATER=extruder HEATER=heater_bed TARGET=130", 130, "bed"),
    ],
)
def test_a_target_above_the_ceiling_is_a_violation(
    line: bytes, asked_c: float, heater: str
) -> None:
    """Every way to write a target is judged by its value and its heater."""
    found = violation(line)
    assert found is not None
    assert (found.asked_c, found.heater) == (asked_c, heater)


@pytest.mark.parametrize("line", [b"M104 S0x1F4", b"M104 SNAN", b"M140 S{bed}", b"M104 S2,0"])
def test_what_is_no_plain_number_is_a_violation(line: bytes) -> None:
    """Hexadecimal, words and expressions cannot be judged, so they do not pass."""
    found = violation(line)
    assert found is not None
    assert found.asked_c is None


@pytest.mark.parametrize(
    "line",
    [
        b"M104 S275",
        b"M104 S0",
        b"M104 T1S200",
        b"M104",
        b"G10 S1",
        b"M140 S110 ; S300",
        b"G1 S300",
        b"M117 S300",
        b"M117 M104 S300",
        b"M118 M104 S200",
        b"G26 H200 B100",
        b"M600 B300",
    ],
)
def test_a_target_within_the_ceiling_passes(line: bytes) -> None:
    """The ceiling itself is allowed; comments and other commands set nothing."""
    assert violation(line) is None


def test_a_violation_says_what_was_asked_and_what_is_allowed() -> None:
    """The text is for the person who has to change the file."""
    assert str(violation(b"M104 S300")) == (
        "M104 asks for 300 °C at the nozzle, this printer allows 275 °C"
    )
