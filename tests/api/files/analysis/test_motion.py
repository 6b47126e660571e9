"""Where moves go, what they extrude and how long they take."""

import json
import math
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.files.analysis.motion import Motion, arc_points
from api.files.analysis.moves import bare_lines
from api.files.analysis.worker import analyse, analyse_timed

DATA = Path(__file__).parents[3] / "data"


def told(code: str | bytes, size: int = 1 << 20, *, timed: bool = False) -> dict[str, Any]:
    data = code.encode() if isinstance(code, str) else code
    motion = Motion(timed=timed)
    for at in range(0, len(data), size):
        motion.feed(data[at : at + size])
    return motion.finish()


def test_only_extruding_moves_are_the_printed_area() -> None:
    """octoprint 5: printing and travel areas with their dimensions; G92 E0 begins again."""
    found = told(
        "G28\nG1 X10 Y10 Z0.2 F3000\nG1 X30 E5\nG92 E0\nG1 Y20 E2\nG1 E1\nG0 X100 Y100\n"
        "G1 E2 F300\n"
    )
    assert found["printing"] == {
        "low": [10.0, 10.0, 0.2],
        "high": [30.0, 20.0, 0.2],
        "size": [20.0, 10.0, 0.0],
    }
    assert found["travel"]["high"] == [100.0, 100.0, 0.2]
    assert found["filament_mm"] == [7.0]
    assert (found["moves"], found["heights"]) == (6, 1)


@pytest.mark.parametrize(
    "code",
    [
        "G1 X10 Y5 E1 F600",
        "g1 x10 y5 e1 f600",
        "G1 F600 X10 Y5 E1 ; a comment",
        "G01 Y5 E1 X10",
        "N7 G1 X10 Y5 E1*34",
        "  G1X10Y5E1",
        "G1 X10.0000 Y+5 E1.\r",
    ],
)
def test_words_may_stand_in_any_order(code: str) -> None:
    """Every writing of the same move is the same move."""
    found = told(f"{code}\n")
    assert found["printing"]["high"][:2] == [10.0, 5.0]
    assert found["filament_mm"] == [1.0]


def test_room_between_words_changes_nothing() -> None:
    """As a purge tower is written: two blanks, one at the end; read as columns all the same."""
    plain = "M83\nG1 X5 Y2 F7200\nG1 X64.6 E2\nG1 Y3 E0.5 F1590\nG1 X5\n"
    roomy = plain.replace(" ", "  ").replace("\n", " \n").replace("G1  Y3", "G1     Y3")
    assert told(roomy) == told(plain)
    assert not [line for line in bare_lines(roomy.encode()) if b"  " in line or line[-1:] == b" "]


def test_relative_and_absolute_modes() -> None:
    """G90, G91, M82, M83: G91 counts for the extruder, too."""
    found = told("M83\nG1 X10 E1\nG1 X20 E1\nM82\nG92 E0\nG1 X30 E1\nG91\nG1 X5 E2\nG90\n")
    assert found["printing"]["high"][0] == 35.0
    assert found["filament_mm"] == [5.0]


def test_each_tool_has_its_filament() -> None:
    """A retraction is not used filament; a tool that extrudes nothing has none."""
    found = told("M83\nT0\nG1 X1 E5\nG1 E-2\nT2\nG1 X2 E3\nT0\nG1 E2\nG1 X3 E1\n")
    assert found["filament_mm"] == [6.0, 0.0, 3.0]


def test_an_arc_reaches_further_than_its_end() -> None:
    """G2 and G3 around I and J, in pieces; a whole circle ends where it starts."""
    found = told("G1 X10 Y0\nG3 X-10 Y0 I-10 J0 E4\n")
    assert found["printing"]["high"][1] == pytest.approx(10.0, abs=0.1)
    assert found["filament_mm"] == [4.0]
    circle = told("M83\nG1 X10 Y0\nG2 X10 Y0 I-10 E6.28\n")
    assert circle["printing"]["low"][:2] == pytest.approx([-10.0, -10.0], abs=0.1)
    assert circle["filament_mm"] == [6.28]
    assert told("G1 X10 Y0\nG2 X0 Y10 R10 E1\n")["printing"]["high"] == [10.0, 10.0, 0.0]


@given(st.floats(-3, 3), st.booleans())
def test_points_of_an_arc_stay_on_it(angle: float, is_clockwise: bool) -> None:
    """They are as far from the centre as the start."""
    end = (5 * math.cos(angle), 5 * math.sin(angle))
    points = list(arc_points((5, 0), end, (-5, 0), is_clockwise=is_clockwise))
    assert points[-1] == end
    assert all(math.hypot(x, y) == pytest.approx(5.0) for x, y in points)


@pytest.mark.parametrize("name", ["cube_small", "ps_gui_cube_thumbs", "twocolor_mmu"])
def test_it_does_not_matter_how_the_bytes_come(name: str) -> None:
    """Chunks end anywhere."""
    data = (DATA / f"{name}.gcode").read_bytes()
    assert told(data, 1013) == told(data)


@pytest.mark.parametrize("name", ["cube_small", "ps_gui_cube_thumbs", "twocolor_mmu"])
def test_moves_in_columns_are_the_moves_of_each_line(name: str) -> None:
    """Files tell the same when every move is written so that it is looked at word by word."""
    data = (DATA / f"{name}.gcode").read_bytes()
    slow = data.replace(b"\nG1 ", b"\ng1 ").replace(b"\nG0 ", b"\ng0 ")
    assert slow != data
    assert told(slow, timed=True) == told(data, timed=True)


_PLACES = st.floats(-300, 300).map(lambda value: f"{value:.3f}")
_NUMBERS = _PLACES | st.integers(0, 9000).map(str) | st.sampled_from(["", ".5", "-.25", "+7", "1."])
_WORDS = st.tuples(st.sampled_from("XYZEF"), _NUMBERS).map("".join)
_MOVES = st.tuples(st.sampled_from(["G0", "G1"]), st.lists(_WORDS, max_size=5)).map(
    lambda move: " ".join((move[0], *move[1]))
)
_LINES = _MOVES | st.sampled_from(["G90", "G91", "M82", "M83", "G92 E0", "G28 X", "T1", "M106 S9"])


@settings(max_examples=100)
@given(st.lists(_LINES, max_size=40))
def test_plain_moves_mean_what_other_writings_mean(lines: list[str]) -> None:
    """Runs of lines at once and word by word: places, lengths, feeds, in every mode."""
    plain = "".join(f"{line}\n" for line in lines)
    assert told(plain, timed=True) == told(plain.replace("G", "g"), timed=True)


def test_the_time_of_a_slicers_file_is_close_to_what_it_says() -> None:
    """The slicer says 5m 52s; a simulation is only for files that say nothing."""
    found = told((DATA / "cube_small.gcode").read_bytes(), timed=True)
    assert found["time_s"] == pytest.approx(352, rel=0.15)
    assert found["filament_mm"] == [pytest.approx(224.22, abs=0.05)]


def test_speeding_up_takes_time() -> None:
    """100 mm at 100 mm/s and 1000 mm/s²: 1.1 s; straight on there is no stop between."""
    assert told("G1 X100 F6000\n", timed=True)["time_s"] == pytest.approx(1.1, abs=0.06)
    halves = told("G1 X50 F6000\nG1 X100\n", timed=True)["time_s"]
    assert halves == pytest.approx(1.1, abs=0.06)
    back = told("G1 X50 F6000\nG1 X0\n", timed=True)["time_s"]
    assert back > halves
    slow = told("M204 P100\nG1 X100 F6000\n", timed=True)["time_s"]
    assert slow == pytest.approx(2.0, abs=0.1)
    assert told("G1 E10 F60\nG4 S1\n", timed=True)["time_s"] == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize(
    "code", ["", "; nothing", "G1", "G1 X", "G1 X1.2.3 E1\nG1 X-- E5", "G92 X--", "T999", "M204 S-"]
)
def test_odd_files_tell_little_and_break_nothing(code: str) -> None:
    """Safety S45: numbers that are none, moves without words."""
    found = told(code, timed=True)
    assert "printing" not in found
    json.dumps(found, allow_nan=False)


@settings(max_examples=60)
@given(st.binary(max_size=300) | st.text("GMTXYZEFIJ0123 .-+;\n", max_size=300))
def test_whatever_comes_there_is_an_answer(code: bytes | str) -> None:
    """Safety S45: no file stops the analysis, and what it tells can be written as JSON."""
    found = told(code, timed=True)
    assert found == json.loads(json.dumps(found, allow_nan=False))


def test_the_worker_answers_json_with_the_hash() -> None:
    """octoprint 5: sha1; the time only when it was asked for."""
    out = BytesIO()
    analyse(BytesIO(b"G1 X1 E1\n"), out)
    found = json.loads(out.getvalue())
    assert found["sha1"] == "b1ac037ff963de689e6d4fb10795bfd2e28b47b9"
    assert "time_s" not in found
    out = BytesIO()
    analyse_timed(BytesIO(b"G1 X1 E1\n"), out)
    assert json.loads(out.getvalue())["time_s"] > 0
