"""Modes along a job's lines, and what is told about them in between (serial 9)."""

import pytest

from bridge.gcode.modal import Modal, Trail


def after(*lines: bytes, joined: bool = True) -> Modal:
    """The state behind *lines*."""
    state = Modal()
    for line in lines:
        state.apply(line, joined=joined)
    return state


def trail(*lines: bytes) -> Trail:
    """A trail along *lines* in one batch."""
    made = Trail(Modal())
    texts = list(lines)
    codes = [(at, text) for at, text in enumerate(texts) if not text.startswith((b"G0", b"G1 "))]
    made.feed(1, texts, codes)
    return made


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        ([b"G91"], "absolute", False),
        ([b"G91", b"G90"], "absolute", True),
        ([b"M83"], "e_absolute", False),
        ([b"M83", b"G90"], "e_absolute", True),
        ([b"G90", b"M83"], "e_absolute", False),
        ([b"G20"], "inches", True),
        ([b"T1"], "tool", 1),
        ([b"M106 S127.5"], "fan_percent", 50.0),
        ([b"M106"], "fan_percent", 100.0),
        ([b"M106 P1 S255"], "fan_percent", None),
        ([b"M106 S255", b"M107"], "fan_percent", 0.0),
        ([b"M220 S150"], "feed_percent", 150.0),
        ([b"M220"], "feed_percent", 100.0),
        ([b"M221 S95"], "flow_percent", 95.0),
        ([b"M221 S95 T3"], "flow_percent", 100.0),
        ([b"M117 T1"], "tool", 0),
    ],
)
def test_a_line_changes_what_it_says(lines: list[bytes], name: str, value: object) -> None:
    """And nothing else."""
    assert getattr(after(*lines), name) == value


def test_families_differ_in_what_g90_does_to_the_extruder() -> None:
    """Marlin 2 sets it, Klipper and RepRapFirmware leave it."""
    assert after(b"M83", b"G90").e_absolute
    assert not after(b"M83", b"G90", joined=False).e_absolute


def test_the_state_is_that_of_the_line_asked_for() -> None:
    """Not of the lines that are only prepared."""
    along = trail(b"G90", b"G1 X1 F1200", b"M106 S255", b"G1 X2 F2400", b"G91")
    states = [along.at(ordinal) for ordinal in range(6)]
    assert [state.feedrate_mm_min for state in states] == [None, None, 1200, 1200, 2400, 2400]
    assert [state.fan_percent for state in states] == [None, None, None, 100, 100, 100]
    assert [state.absolute for state in states] == [True] * 5 + [False]


def test_settled_lines_and_orders_keep_their_order() -> None:
    """The file's later word wins over an operator's earlier one, and the other way round."""
    along = trail(b"M106 S255", b"G1 X1", b"M220 S50")
    along.order(1, [b"M106 S0", b"M220 S200"])
    assert (along.at(1).fan_percent, along.at(1).feed_percent) == (0.0, 200.0)
    assert along.at(3).feed_percent == 50.0
    along.settle(3)
    assert (along.at(3).fan_percent, along.at(3).feed_percent) == (0.0, 50.0)
    along.feed(4, [b"M106 S51"], [(0, b"M106 S51")])
    assert (along.at(3).fan_percent, along.at(4).fan_percent) == (0.0, 20.0)


def test_a_refused_tool_is_not_kept() -> None:
    """serial 12/#69: the firmware stays with the one that it had."""
    along = trail(b"T1", b"G1 X1", b"T5", b"G1 X2")
    assert along.refuse_tool(4, 5) == 1
    assert along.at(4).tool == 1
    assert along.refuse_tool(4, 7) is None


@pytest.mark.parametrize(
    ("line", "feedrate"),
    [
        (b"G1 X1 F1200", 1200.0),
        (b"G1X1Y2F1200", 1200.0),
        (b"G01 X1F 1200", 1200.0),
        (b"G3 X1 Y1 I2 F1200.5", 1200.5),
        (b"G29 F10", None),
        (b"M117 F10", None),
        (b"M204 P1 F10", None),
        (b"G28", None),
    ],
)
def test_the_feedrate_of_a_move_is_read_however_it_is_written(
    line: bytes, feedrate: float | None
) -> None:
    """Files without blanks are files, too; a resumed print had gone on at the pace of its lift."""
    assert trail(b"G90", line, b"G1 X2").at(3).feedrate_mm_min == feedrate
