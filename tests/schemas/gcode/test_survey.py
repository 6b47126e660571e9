"""The one pass over a file that a preflight for any printer needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.gcode.gate import Preflight
from schemas.gcode.preflight import blocking
from schemas.gcode.survey import Survey, Surveyor
from schemas.printer import Profile

LINES = [
    b"G28",
    b"G1 X10 Y20 E0.5",
    b"G1 X251.5 Y-3",
    b"g1 x-900",
    b"G1 X4000",
    b"G1 Z230.01",
    b"G1 Z.2 ; X9999",
    b"G92 X5000 E0",
    b"M104 S215",
    b"M104 S275.5",
    b"M109 R300",
    b"M140 S121",
    b"M104 Sabc",
    b"M500",
    b"M155 S2",
    b"M0",
    b"M117 " + b"a" * 200,
    b"G1 X1" + b" " * 90 + b"Y1",
    b"N12 M104 S300*97",
    b"; M104 S999",
    b"",
]


def survey(text: bytes, chunk_bytes: int = 7) -> Survey:
    """The survey of *text*, given in small pieces."""
    surveyor = Surveyor()
    for at in range(0, len(text), chunk_bytes):
        surveyor.feed(text[at : at + chunk_bytes])
    return surveyor.finish()


@given(st.lists(st.sampled_from(LINES), max_size=30), st.integers(1, 300))
def test_what_the_gate_refuses_blocks_and_nothing_else(
    lines: list[bytes], chunk_bytes: int
) -> None:
    """A survey answers for a printer exactly as the gate's own pass over the file (safety M19)."""
    text = b"\n".join(lines)
    profile = Profile()
    gate = Preflight(profile)
    gate.feed(text)
    found = blocking(survey(text, chunk_bytes), profile)
    assert (found is not None) == bool(gate.finish())


def test_codes_are_counted_with_their_first_line() -> None:
    """Codes are known by name, however they are written, with their first line and number."""
    found = survey(b"G28 ; home\nN7 M0104 S1\nm104 S200\nT01\nSTART_PRINT BED=60\nG1 X1 E1\n")
    assert {code: (each.line, each.times) for code, each in found.codes.items()} == {
        "G28": (1, 1),
        "M104": (2, 2),
        "T1": (4, 1),
        "START_PRINT": (5, 1),
    }
    assert found.codes["T1"].text == "T01"
    assert found.lines == 6


def test_the_farthest_places_are_found_with_their_lines() -> None:
    """Only moves count, not what a comment or another command says; 0 is always within reach."""
    found = survey(b"G1 X10 Y9\nG92 X900\n;X800\nG0 x30.5\nG1 X30.25 Z-0.5\nG1 Y+7.5\n")
    x, y, z = found.reach["X"], found.reach["Y"], found.reach["Z"]
    assert (x.low_mm, x.low_line, x.high_mm, x.high_line) == (0.0, 0, 30.5, 4)
    assert (y.high_mm, y.high_line) == (9.0, 1)
    assert (z.low_mm, z.low_line, z.high_line) == (-0.5, 5, 0)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"G1 E-2\nG1 X1 E0.00\nG1 X2 E0.005\n", 3),
        (b"G0 X1\nG1E.5\n", 2),
        (b"G1 X1 ; E5\nG92 E3\n", None),
    ],
)
def test_the_first_filament_is_found(text: bytes, line: int | None) -> None:
    """Retractions, zeros, comments and G92 push no filament."""
    first = survey(text).first_extrusion
    assert (first.line if first else None) == line


def test_what_begins_as_another_format_is_a_misfit() -> None:
    """A zip archive and a line too long are found, each with its line."""
    assert "zip" in survey(b"PK\x03\x04\nG28\n").misfits[0].why
    assert [each.line for each in survey(b"G28\nG1 " + b"X" * 100 + b"\n").misfits] == [2]
