"""OctoPrint's printer commands as G-code (octoprint 4)."""

from typing import Any

import pytest

from api.errors import Invalid, NotFound
from api.octoprint import moves
from schemas.printer import Profile

PROFILE = Profile(extruders=2)

LINES = [
    (moves.jog, {"x": 10, "y": -0.5}, ["G91", "G1 X10 Y-0.5 F6000", "G90"]),
    (moves.jog, {"z": 0.02}, ["G91", "G1 Z0.02 F200", "G90"]),
    (moves.jog, {"x": 10, "absolute": True, "speed": 1200}, ["G90", "G1 X10 F1200"]),
    (moves.jog, {"x": 1e-7}, ["G91", "G1 X0 F6000", "G90"]),
    (moves.home, {"axes": ["z", "x"]}, ["G28 X Z"]),
    (moves.home, {"axes": ["x", "y", "z"]}, ["G28"]),
    (moves.home, {"axes": "xy"}, ["G28 X Y"]),
    (moves.home, {"axes": []}, []),
    (moves.jog, {"x": 1, "speed": True, "absolute": "true"}, ["G90", "G1 X1 F6000"]),
    (moves.jog, {"x": 1, "speed": "300", "absolute": "false"}, ["G91", "G1 X1 F300", "G90"]),
    (moves.feedrate, {"factor": 80}, ["M220 S80"]),
    (moves.feedrate, {"factor": 0.8}, ["M220 S80"]),
    (moves.feedrate, {"factor": 400}, ["M220 S400"]),
    (moves.flowrate, {"factor": 10}, ["M221 S10"]),
    (moves.flowrate, {"factor": 1.3}, ["M221 S130"]),
    (moves.select_tool, {"tool": "tool1"}, ["T1"]),
    (moves.extrude, {"amount": -5}, ["G91", "M83", "G1 E-5 F300", "M82", "G90"]),
    (moves.extrude, {"amount": 5, "speed": 60}, ["G91", "M83", "G1 E5 F60", "M82", "G90"]),
]


@pytest.mark.parametrize(("build", "body", "lines"), LINES)
def test_a_command_becomes_lines(
    build: moves.Build, body: dict[str, Any], lines: list[str]
) -> None:
    """octoprint 0 factors: relative moves restore absolute ones; numbers have no exponent."""
    assert build(body, PROFILE) == lines


REFUSED = [
    (moves.jog, {}),
    (moves.jog, {"x": "10"}),
    (moves.jog, {"x": True}),
    (moves.jog, {"x": float("nan")}),
    (moves.jog, {"x": float("inf")}),
    (moves.jog, {"x": 1, "speed": 0}),
    (moves.jog, {"x": 1, "speed": "fast"}),
    (moves.home, {}),
    (moves.home, {"axes": "xq"}),
    (moves.home, {"axes": ["e"]}),
    (moves.home, {"axes": [["x"]]}),
    (moves.feedrate, {"factor": 0}),
    (moves.feedrate, {"factor": "80"}),
    (moves.feedrate, {}),
    (moves.select_tool, {"tool": "tool2"}),
    (moves.select_tool, {"tool": 1}),
    (moves.extrude, {}),
    (moves.extrude, {"amount": "5"}),
]


@pytest.mark.parametrize(("build", "body"), REFUSED)
def test_bad_values_are_refused(build: moves.Build, body: dict[str, Any]) -> None:
    """octoprint 4: 400 bad values."""
    with pytest.raises(Invalid):
        build(body, PROFILE)


def test_targets_of_tools_that_are_not_there_have_no_effect() -> None:
    """octoprint 4: nonexistent toolN accepted."""
    body = {"targets": {"tool0": 200, "tool5": 180}}
    assert moves.tool_targets(body, PROFILE) == {"tool0": 200.0}


@pytest.mark.parametrize(
    "targets", [None, [], {"bed": 60}, {"tool0": "200"}, {"tool0": -1}, {"tool0": float("nan")}]
)
def test_targets_take_numbers_by_tool(targets: Any) -> None:
    """Every other key or value is 400."""
    with pytest.raises(Invalid):
        moves.tool_targets({"targets": targets}, PROFILE)


def test_an_offset_beyond_fifty_degrees_is_refused() -> None:
    """octoprint 4: -50..50, else 400; the key must be toolN."""
    assert moves.tool_offsets({"offsets": {"tool0": -50, "tool9": 1}}, PROFILE) == {"tool0": -50.0}
    assert moves.one_offset("bed", {"offset": 10}) == {"bed": 10.0}
    for wrong in ({"tool0": 51}, {"bed": 1}, {"tool0": "x"}, [1]):
        with pytest.raises(Invalid):
            moves.tool_offsets({"offsets": wrong}, PROFILE)
    with pytest.raises(Invalid):
        moves.one_offset("bed", {"offset": -51})


def test_an_offset_shifts_targets_but_switches_nothing_on() -> None:
    """A heater that is off stays off, and no target falls below zero."""
    targets = {"tool0": 200.0, "bed": 0.0, "tool1": 10.0}
    shifted = moves.shifted(targets, {"tool0": 5.0, "bed": 5.0, "tool1": -20.0})
    assert shifted == {"tool0": 205.0, "bed": 0.0, "tool1": 0.0}


def test_a_script_is_one_that_the_printer_has() -> None:
    """octoprint 4: an unknown script is 404."""
    scripts = {"on_cancel": "M104 S0\n\n M140 S0 \n"}
    assert moves.script_lines("afterPrintCancelled", scripts) == ["M104 S0", "M140 S0"]
    assert moves.script_lines("afterPrintDone", scripts) == []  # known, and empty here
    for name in ("on_cancel", "x", None, ["x"]):
        with pytest.raises(NotFound):
            moves.script_lines(name, scripts)


def test_parameters_go_into_their_places() -> None:
    """As OctoPrint's own controls send them; a value that is missing is refused."""
    body = {"commands": ["G1 X%(x)s F%(speed)d", "M117 100%"], "parameters": {"x": 1.5, "speed": 9}}
    assert moves.terminal_lines(body) == ["G1 X1.5 F9", "M117 100%"]
    with pytest.raises(Invalid):
        moves.terminal_lines({"command": "G1 X%(y)s", "parameters": {"x": 1}})


def test_a_list_may_come_as_command() -> None:
    """As an OctoPrint takes it."""
    assert moves.terminal_lines({"command": ["M105", "M114"]}) == ["M105", "M114"]


def test_terminal_lines_come_one_way_only() -> None:
    """Exactly one of command, commands and script."""
    assert moves.terminal_lines({"command": " M105 "}) == ["M105"]
    assert moves.terminal_lines({"commands": ["G28", "G1 X1\nG1 X2", ""]}) == [
        *("G28", "G1 X1", "G1 X2")
    ]
    for body in ({}, {"command": "G28", "commands": []}, {"command": 5}, {"commands": "G28"}):
        with pytest.raises(Invalid):
            moves.terminal_lines(body)
    with pytest.raises(Invalid):
        moves.terminal_lines({"command": "M117 " + "x" * 300})


def test_an_emergency_stop_is_recognised_however_it_is_written() -> None:
    """By the one parser of G-code words."""
    for line in ("M112", "m112 ; now", "N5 M112*33", "M 0112"):
        assert moves.is_stop(["G28", line]), line
    assert not moves.is_stop(["M117 M112", "; M112", "M1120"])
