"""Layers, heights and time, as the slicers write them (serial 9)."""

import pytest

from bridge.gcode.estimate import Estimate
from bridge.gcode.layers import Layers
from bridge.gcode.prepare import Preparer
from bridge.gcode.prepare import Run as Lines
from bridge.gcode.run import JobFacts, Run
from bridge.gcode.timeleft import TimeLeft
from schemas.printer import Profile

MOVE = b"G1 X1 E1\n"


def said(data: bytes) -> list[tuple[str, float]]:
    """The marks in *data*, in order."""
    return [(mark.kind.value, mark.value) for _, mark in Layers().scan(data)]


@pytest.mark.parametrize(
    ("data", "marks"),
    [
        (b";LAYER:0\nG1\n;LAYER:1\n", [("layer", 1), ("layer", 2)]),
        (b";LAYER_CHANGE\n;Z:.2\nG1\n;LAYER_CHANGE\n;Z:0.4\n",
         [("layer", 1), ("z_mm", 0.2), ("layer", 2), ("z_mm", 0.4)]),
        (b"; CHANGE_LAYER\n; Z_HEIGHT: 0.2\n", [("layer", 1), ("z_mm", 0.2)]),
        (b"; layer 3, Z = 0.900\n", [("layer", 3), ("z_mm", 0.9)]),
        (b"; BEGIN_LAYER_OBJECT z=0.20\n", [("layer", 1), ("z_mm", 0.2)]),
        (b"; layer num/total_layer_count: 7/80\n", [("layer", 7)]),
        (b"SET_PRINT_STATS_INFO CURRENT_LAYER=4\n", [("layer", 4)]),
        (b";LAYER:2\n;TIME_ELAPSED:12.5\n", [("layer", 3), ("elapsed_s", 12.5)]),
        (b"; a layer of paint\nG1 X1\n", []),
    ],
)  # fmt: skip
def test_every_slicers_comments_are_understood(data: bytes, marks: list[tuple[str, float]]) -> None:
    """Numbers count from 1 for people."""
    assert said(data) == marks


def test_without_comments_higher_extrusion_is_a_layer() -> None:
    """A hop without extrusion is none, nor is going down again."""
    data = (
        b"G1 Z5\nG1 X1\nG1 Z0.2\nG1 X1 E1\nG1 Z0.6 F600\nG1 X9\nG1 Z0.2\nG1 X2 E2\n"
        b"G1 Z0.4\nG1 X3 E3\nG0 Z10\n"
    )
    assert said(data) == [("layer", 1), ("z_mm", 0.2), ("layer", 2), ("z_mm", 0.4)]


@pytest.mark.parametrize("size", [7, 64, 10_000])
def test_the_layer_shown_is_that_of_the_acknowledged_line(size: int) -> None:
    """However the file is read; comments behind the last line are waited for."""
    data = b";HEAD\n;LAYER:0\n" + MOVE * 2 + b";LAYER:1\n" + MOVE * 2 + b";LAYER:2\n" + MOVE
    preparer = Preparer(Profile())
    run = Run(JobFacts(grant="g", job=1, file_name="x", size_bytes=len(data), layers=3))
    for start in range(0, len(data), size):
        last = start + size >= len(data)
        for lines in preparer.feed(data[start : start + size], last=last):
            assert isinstance(lines, Lines)
            run.note(lines, 0)
    assert [run.progress(ordinal, 0.0).layer for ordinal in range(6)] == [1, 1, 2, 2, 3, 3]
    assert run.progress(5, 0.0).layers == 3


@pytest.mark.parametrize(
    ("comment", "seconds", "layers"),
    [
        (b";   Build time: 1 hour 2 minutes\n", 3720, None),
        (b";   Build time: 1 hours 2 minutes 3 seconds\n", 3723, None),
        (b";Print Time: 600\n", 600, None),
        (b"; Estimated Build Time:   71.5 minutes\n", 4290, None),
        (b";TIME:100\n;LAYER_COUNT:250\n", 100, 250),
        (b"; total layer number: 40\n", None, 40),
        (b"; total layers count = 41\n", None, 41),
    ],
)
def test_time_and_layers_of_the_whole_file(
    comment: bytes, seconds: float | None, layers: int | None
) -> None:
    """In the words of Simplify3D, ideaMaker, KISS, Cura, Orca and Prusa."""
    estimate = Estimate()
    estimate.feed(b"G28\n" + comment + b"G1 X1\n")
    assert (estimate.print_s, estimate.layers) == (seconds, layers)


def test_the_slicers_word_runs_down_between_two_of_its_marks() -> None:
    """Minutes are coarse; seconds pass in between."""
    left = TimeLeft()
    left.told(600.0, 0.0)
    assert left.left_s(0.0, 0.0) == 600.0
    assert left.left_s(0.1, 45.0) == 555.0


def test_a_printer_that_is_slower_than_the_slicer_thinks_takes_longer() -> None:
    """Ten minutes of the slicer's clock took fifteen: the rest is stretched alike."""
    left = TimeLeft()
    left.told(1800.0, 100.0)
    left.told(1200.0, 1000.0)
    assert left.left_s(0.3, 1000.0) == 1800.0
    left.told(600.0, 11_000.0)
    assert left.left_s(0.6, 11_000.0) == 1800.0  # never more than three times


def test_curas_own_clock_counts_against_its_estimate() -> None:
    """`;TIME_ELAPSED` stands at each layer's end."""
    left = TimeLeft()
    left.total_s = 1000.0
    left.told_elapsed(100.0, 80.0)
    left.told_elapsed(500.0, 480.0)
    assert left.left_s(0.4, 480.0) == 500.0
