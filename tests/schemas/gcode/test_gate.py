"""Preflight of files and judgement of single lines (safety M19, M20)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.gcode import limits
from schemas.gcode.gate import MAX_FINDINGS, Preflight, judge, scan_lines
from schemas.gcode.policy import POLICY, Origin, Treatment
from schemas.printer import Profile

PROFILE = Profile(max_nozzle_c=275, max_bed_c=110)
CUBE = Path(__file__).parents[2] / "data" / "cube_small.gcode"


@pytest.mark.parametrize("code", sorted(POLICY))
@pytest.mark.parametrize("origin", Origin)
def test_every_row_of_the_policy_is_found_by_the_search(code: str, origin: Origin) -> None:
    """safety M20: no row of the table is missed by the fast search over a chunk."""
    batch = b"G1 X1\n  %b S1\nG1 X2\n" % code.lower().encode()
    found = scan_lines(batch, PROFILE, first_line=10, origin=origin)
    treatment = POLICY[code].treatment(origin)
    expected = [] if treatment is Treatment.ALLOW else [(11, code, treatment)]
    assert [(one.line, one.code, one.treatment) for one in found] == expected


def test_a_real_file_passes() -> None:
    """A cube from a slicer has nothing to refuse, and all of its lines are counted."""
    preflight = Preflight(PROFILE)
    preflight.feed(CUBE.read_bytes())
    assert preflight.finish() == []
    assert preflight.lines == 2743


def test_findings_do_not_depend_on_how_the_file_is_cut() -> None:
    """Line numbers are those of the file, whatever the chunks are."""
    data = b"G28\n" * 50 + b"M104 S300\r\n" + b"; M997\n" * 9 + b"G1 X1\nM997 ; new firmware"
    for size in (1, 7, 64, 1000):
        preflight = Preflight(PROFILE)
        for start in range(0, len(data), size):
            preflight.feed(data[start : start + size])
        assert [(one.line, one.code) for one in preflight.finish()] == [(51, "M104"), (62, "M997")]


def test_a_file_full_of_refusals_keeps_the_first_ones() -> None:
    """Memory is bounded however bad the file is."""
    preflight = Preflight(PROFILE)
    preflight.feed(b"M997\n" * 1000)
    assert [one.line for one in preflight.finish()] == list(range(1, MAX_FINDINGS + 1))


def test_the_strictest_command_of_a_line_decides() -> None:
    """A line that pauses and overheats is refused, not paused."""
    found = judge(b"M0 G1 X1 M104 S300", 7, PROFILE, Origin.FILE)
    assert found is not None
    assert found.treatment is Treatment.REFUSE
    assert str(found).startswith("line 7: M104 asks for 300 °C")


def test_host_commands_are_dropped_from_files_and_refused_at_the_terminal() -> None:
    """`@word` is for a host program; only `@pause` means something to us."""
    in_file = judge(b"@sound x", 1, PROFILE, Origin.FILE)
    typed = judge(b"@sound x", 1, PROFILE, Origin.TERMINAL)
    assert in_file is not None
    assert typed is not None
    assert (in_file.treatment, typed.treatment) == (Treatment.DROP, Treatment.REFUSE)


@given(
    st.sampled_from(["M104", "M109", "m 0104", "M140", "N3 M190", "M+104", "M486 M+109"]),
    st.sampled_from([" S", "S", " R", "T1 S", " s"]),
    st.integers(276, 9999),
    st.sampled_from(["", ".0", " ; S0", "*33", " S0", "e0", "\t"]),
)
def test_no_spelling_of_a_hot_target_gets_through(
    code: str, word: str, target: int, tail: str
) -> None:
    """safety M19: the search and the judge both refuse it, alone and inside a chunk."""
    line = f"{code}{word}{target}{tail}".encode()
    assert judge(line, 1, PROFILE, Origin.FILE) is not None
    assert scan_lines(b"G1 X0\n" + line + b"\nG1 X1", PROFILE)


def test_every_g_code_of_the_tables_has_a_word_that_it_needs() -> None:
    """The search finds them by it; a code without one would need the G of every move."""
    assert [code for code in POLICY if code[0] == "G"] == []
    assert all(each.needs for code, each in limits.SETTERS.items() if code[0] == "G")


_PIECES = [
    *(b"M", b"m", b"G", b"g", b"10", b"0010", b"104", b"M104 S300", b"g10 P0 S400", b"M 0 999"),
    *(b"P", b"p1", b"S300", b"R", b" ", b"\t", b"\\", b"\x80", b"\x00", b";", b'"', b"@x", b"%"),
    *(b"//", b"/", b"SET_HEATER_TEMPERATURE HEATER=extruder TARGET=400", b"_heater", b"N1", b"*7"),
    *(b"+", b"26", b"H300", b"b200", b"M600R400", b"M486 ", b"M118 ", b"pid_calibrate", b"_CALIB"),
    *(b"set_HEATER_temperature heater=extruder target=1e9", b"X1.5", b"MMMMMMMMMMMMMMMMMM", b"\r"),
]


@given(st.lists(st.lists(st.sampled_from(_PIECES), max_size=6).map(b"".join), max_size=6))
def test_the_search_finds_what_looking_at_every_line_finds(lines: list[bytes]) -> None:
    """safety M19, M20: fast, and nothing hides from it."""
    for origin in Origin:
        each = [judge(line, number, PROFILE, origin) for number, line in enumerate(lines, 1)]
        expected = [one for one in each if one is not None]
        assert scan_lines(b"\n".join(lines), PROFILE, origin=origin) == expected
