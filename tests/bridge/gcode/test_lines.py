"""File lines into lines for the wire (serial 2; serial 12/#32, #33)."""

from functools import reduce
from operator import xor
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.gcode.lines import (
    LineTooLong,
    clean,
    is_alone,
    is_long,
    number_line,
    number_lines,
)
from schemas.gcode.shape import MAX_COMMAND_BYTES, MAX_LINE_BYTES, misfits
from schemas.jobs import AttemptState
from tests.fakes.on_a_board import OnABoard


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"G1 X1 ; comment\r\n", b"G1 X1"),
        (b"g1 x1 y2", b"G1 X1 Y2"),
        (b"\xef\xbb\xbfG28", b"G28"),
        (b"\tG28 \t", b"G28"),
        (b"G28 (home)", b"G28"),
        (b"; nothing", None),
        (b"   ", None),
        (b"", None),
        (b"//action:cancel", None),
        (b"m117 Hello World", b"M117 Hello World"),
        (b"M117 a*b", b"M117 a b"),
        (b"M117 \xf0\x9f\x98\x80 hi", b"M117      hi"),
        (b'M118 "a;b"', b'M118 "a,b"'),
        (b"M117 M110 DONE", b"M117 M 110 DONE"),
        (b"M23 PLAM110.GCO", b"M23 PLAM110.GCO"),
        (b'm862.3 p "MK3S"', b'M862.3 p "MK3S"'),
        (b"N5 G1 X1*99", b"G1 X1"),
        (b"START_PRINT bed=60", b"START_PRINT bed=60"),
        (b"M118 P0 start", b"M118 P0 start."),
        (b"M118 start of layer 2", b"M118 start of layer 2"),
        (b"M118 restart", b"M118 restart"),
        (b'RESPOND TYPE=echo MSG="start"', b'RESPOND TYPE=echo MSG="start."'),
        (b"RESPOND MSG=start TYPE=echo", b"RESPOND MSG=start. TYPE=echo"),
        (b'RESPOND MSG="echo: start"', b'RESPOND MSG="echo: start."'),
        (b"M118 echo:start", b"M118 echo:start."),
        (b"M118 E1 --- start", b"M118 E1 --- start."),
        (b"M117 start", b"M117 start"),
    ],
)
def test_a_line_is_cleaned(raw: bytes, sent: bytes | None) -> None:
    """Comments and blanks go, codes become upper case, texts keep theirs."""
    assert clean(raw) == sent


def test_a_long_text_is_cut_and_a_long_command_is_refused() -> None:
    """serial 2: a longer line would lose its checksum and be asked for without end."""
    cut = clean(b"M117 " + b"a" * 200)
    assert cut is not None
    assert len(number_line(9_999_999, cut)) <= MAX_LINE_BYTES + 1
    with pytest.raises(LineTooLong):
        clean(b"G1 " + b"X1 " * 60)


def test_the_known_example_has_the_known_checksum() -> None:
    """`N0 M110 N0*125` is the one line that every host sends."""
    assert number_line(0, b"M110 N0") == b"N0 M110 N0*125\n"


@given(st.integers(0, 9_999_999), st.binary(min_size=1, max_size=MAX_COMMAND_BYTES))
def test_checksums_are_the_xor_of_all_bytes(number: int, text: bytes) -> None:
    """Folding whole words gives what a loop over bytes gives."""
    line = number_line(number, text)
    body, _, checksum = line.rpartition(b"*")
    assert int(checksum) == reduce(xor, body)


def test_many_lines_are_numbered_in_order() -> None:
    """A batch is its lines, one after the other."""
    assert number_lines(7, [b"G1", b"G2"]) == [number_line(7, b"G1"), number_line(8, b"G2")]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [(b"G28", True), (b"M109 S1", True), (b"T0", True), (b"G1 X1", False), (b"M104 S1", False)],
)
def test_blocking_lines_are_known(text: bytes, blocks: bool) -> None:
    """serial 4: what blocks or flushes is sent alone."""
    assert is_alone(text) is is_long(text) is blocks


@pytest.mark.parametrize("text", [b"G92 E0", b"M83", b"G91", b"M84", b"G20"])
def test_what_decides_about_others_is_alone_and_quick(text: bytes) -> None:
    """serial 3: run out of turn, as the rest of a cut line, it would spoil what is around it."""
    assert (is_alone(text), is_long(text)) == (True, False)


@pytest.mark.parametrize(
    "text",
    [
        b'M117 "a;b"',
        b"M117 M110 DONE",
        b"M118 LAYER N5 M110",
        b'M486 A"part;1"',
        b"G1 X5 M110 N7",
    ],
)
def test_no_text_of_a_file_spoils_the_line_count(text: bytes) -> None:
    """Marlin cuts a semicolon off although it is quoted, and looks for M110 everywhere."""
    host = OnABoard()
    host.printer.opened(host.now, boots=False, lossless=True)
    host.live(1.0)
    host.start(b"G1 X1\n" + text + b"\nG1 X2\nG1 X3\n")
    host.live(5.0)
    assert host.attempts[-1:] == [AttemptState.COMPLETED]
    assert host.printer.link.stream.resends == 0
    moves = [line for line in host.ran if line.startswith("G1") and "X5" not in line]
    assert moves == ["G1 X1", "G1 X2", "G1 X3"]


_OUTLINE = b"EXCLUDE_OBJECT_DEFINE NAME=cube_id_0 POLYGON=[" + b"[100,100]," * 9 + b"[1,1]]"


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        (b"M486 A" + b"a_very_long_name_of_a_part" * 4, b"M486 Aa_very_long_name_of_a_part"),
        (b'M486 S0 A"' + b"a_very_long_name" * 6 + b'"', b'M486 S0 A"a_very_long_name'),
        (_OUTLINE, None),
    ],
)
def test_a_long_name_of_an_object_costs_no_file(raw: bytes, sent: bytes | None) -> None:
    """PrusaSlicer and OrcaSlicer name objects by their files: the whole file was refused."""
    text = clean(raw)
    assert misfits(raw + b"\nG1 X1\n") == []
    if sent is None:
        assert text is None
        return
    assert text is not None
    assert text.startswith(sent)
    assert len(text) <= MAX_COMMAND_BYTES
    assert text.count(b'"') in (0, 2)


def test_a_long_line_takes_no_time() -> None:
    """A file's text holds up no sender: a stop would wait behind it."""
    raw = b"M117 " + b"RESPOND " * 8000 + b"start"
    began = perf_counter()
    text = clean(raw)
    assert perf_counter() - began < 1.0
    assert text == raw[:MAX_COMMAND_BYTES].strip()
