"""A file into lines that are ready for the stream."""

from pathlib import Path

import pytest

from bridge.errors import GateRefusal
from bridge.gcode.estimate import Estimate
from bridge.gcode.prepare import HostPause, Prepared, Preparer, Run
from schemas.printer import Profile

DATA = Path(__file__).parents[2] / "data"
PROFILE = Profile(max_nozzle_c=275, max_bed_c=110)


def prepare(data: bytes, size: int = 1 << 20) -> list[Prepared]:
    """All of *data* through a `Preparer`, *size* bytes at a time."""
    preparer = Preparer(PROFILE)
    prepared: list[Prepared] = []
    for start in range(0, len(data), size):
        chunk = data[start : start + size]
        prepared += preparer.feed(chunk, last=start + size >= len(data))
    return prepared


def texts(prepared: list[Prepared]) -> list[bytes]:
    """The lines in order."""
    return [text for run in prepared if isinstance(run, Run) for text in run.texts]


@pytest.mark.parametrize("size", [17, 1000, 1 << 20])
def test_a_real_file_is_its_commands_in_order(size: int) -> None:
    """Every command of a slicer's file, and the offset behind each, however it is read."""
    data = (DATA / "cube_small.gcode").read_bytes()
    prepared = prepare(data, size)
    expected = [line.split(b";")[0].strip() for line in data.split(b"\n")]
    assert texts(prepared) == [line for line in expected if line]
    for run in prepared:
        assert isinstance(run, Run)
        for text, end in zip(run.texts, run.ends, strict=True):
            assert data[:end].endswith(b"\n")
            assert text in data[:end].splitlines()[-1]


def test_odd_files_are_understood() -> None:
    """serial 12/#33: BOM, CRLF, tabs, lower case, parentheses, no last line end."""
    data = b"\xef\xbb\xbf; head\r\n\r\n\tg28 (home)\r\n;\r\nG1 X1;c\r\ng1 y2"
    assert texts(prepare(data)) == [b"G28", b"G1 X1", b"G1 Y2"]


def test_a_megabyte_of_comment_takes_no_memory() -> None:
    """serial 12/#33: a line without end is bounded."""
    preparer = Preparer(PROFILE)
    assert preparer.feed(b";") == []
    for _ in range(100):
        assert preparer.feed(b"x" * 20_000) == []
    assert texts(preparer.feed(b"\nG28\n", last=True)) == [b"G28"]


def test_blocking_lines_stand_alone() -> None:
    """The stream learns where the window must be one line."""
    runs = prepare(b"G1 X1\nG28\nG1 X2\nG1 X3\nM109 S200\n")
    assert [(run.texts, run.alone) for run in runs if isinstance(run, Run)] == [
        ([b"G1 X1"], False),
        ([b"G28"], True),
        ([b"G1 X2", b"G1 X3"], False),
        ([b"M109 S200"], True),
    ]


def test_the_policy_pauses_and_drops() -> None:
    """serial 12/#48: M0 becomes a pause of the host; what is the host's business is left out."""
    prepared = prepare(b"G1 X1\nM0 change\nM155 S5\nM110 N0\nG1 X2\n@pause\nG1 X3\n")
    assert [run.code if isinstance(run, HostPause) else run.texts for run in prepared] == [
        [b"G1 X1"],
        "M0",
        [b"G1 X2"],
        "@PAUSE",
        [b"G1 X3"],
    ]


def test_minutes_left_are_taken_from_m73() -> None:
    """The slicer's own progress stays in the file and is read on the way."""
    (run,) = prepare(b"M73 P0 R14\nG1 X1\nM73 P50 R7\nG1 X2\n")
    assert isinstance(run, Run)
    assert run.codes == [(0, b"M73 P0 R14"), (2, b"M73 P50 R7")]


@pytest.mark.parametrize("size", [5, 1 << 20])
@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"G28\n; c\n\nM104 S300\n", 4),
        (b"G28\nM997\n", 2),
        (b"; a\nM\\104 S300", 2),
        (b"; a\nM1(x)04 G1 M104 S300\n", 2),
        (b"G28\n" * 9 + b"G1 " + b"X1 " * 90, 10),
    ],
)
def test_a_line_that_may_not_pass_is_refused_by_its_number(
    data: bytes, line: int, size: int
) -> None:
    """safety M19, M20: the number is that of the file, whatever was cleaned away."""
    with pytest.raises(GateRefusal) as caught:
        prepare(data, size)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"line {line}: ")


@pytest.mark.parametrize(
    ("comment", "seconds"),
    [
        (b"; estimated printing time (normal mode) = 1h 2m 3s\n", 3723),
        (b"; model printing time: 5m; total estimated time: 1d 1h\n", 90000),
        (b";TIME:1234\n", 1234),
        (b"; nothing\n", None),
    ],
)
def test_the_slicers_estimate_is_found(comment: bytes, seconds: float | None) -> None:
    """In every slicer's words, also across two chunks."""
    estimate = Estimate()
    data = b"G1 X1\n" * 50 + comment
    for start in range(0, len(data), 40):
        estimate.feed(data[start : start + 40])
    estimate.feed(b"")
    assert estimate.print_s == seconds


def test_a_profile_lets_its_codes_through_the_gate_at_the_port() -> None:
    """safety M20: M302 and M500 go out where the profile names them, and only those."""
    data = b"G28\nM302 P1\nM500\nG1 X1\n"
    allowing = Profile(allowed_codes=("M302", "M500", "M303"))
    assert texts(Preparer(allowing).feed(data, last=True)) == data.splitlines()
    with pytest.raises(GateRefusal, match="line 2: M302"):
        prepare(data)
    with pytest.raises(GateRefusal, match="line 5: M303"):
        Preparer(allowing).feed(data + b"M303 E0 S200\n", last=True)
