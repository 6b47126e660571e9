"""Moves against the build volume (safety M19)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.gcode.gate import judge, scan_lines
from schemas.gcode.policy import Origin
from schemas.printer import Profile

PROFILE = Profile(width_mm=250, depth_mm=210, height_mm=210)
DELTA = Profile(width_mm=200, depth_mm=200, height_mm=300, origin="center")


@pytest.mark.parametrize(
    ("line", "profile", "refused"),
    [
        (b"G1 X350 Y10", PROFILE, True),
        (b"G0 Z400", PROFILE, True),
        (b"g1 y-120.5", PROFILE, True),
        (b"G1 X 0300", PROFILE, True),
        (b"G2 X10 Y999999 I3 J3", PROFILE, True),
        (b"G1 X255.5 Y-4 Z0.2", PROFILE, False),
        (b"G1 X-5 E300", PROFILE, False),
        (b"M201 X9000 Y9000", PROFILE, False),
        (b"G1 X1 ; X900", PROFILE, False),
        (b"G1 X-90 Y90", DELTA, False),
        (b"G1 X150 Y0", DELTA, True),
    ],
)
def test_places_far_outside_are_refused(line: bytes, profile: Profile, refused: bool) -> None:
    """With line and reason; what lies beside the bed passes."""
    findings = scan_lines(b"G28\n" + line + b"\nG1 X1\n", profile, moves=True)
    assert [one.line for one in findings] == ([2] if refused else [])
    if refused:
        assert "this printer goes from" in str(findings[0])


@given(
    st.sampled_from("XYZxyz"),
    st.decimals(min_value=-2000, max_value=2000, places=2),
    st.sampled_from([PROFILE, DELTA, Profile(width_mm=99, depth_mm=1000, height_mm=1)]),
)
def test_the_search_finds_every_line_that_the_check_refuses(
    axis: str, place: object, profile: Profile
) -> None:
    """The pattern may find too much, never too little."""
    line = f"G1 {axis}{place} F600".encode()
    alone = judge(line, 1, profile, Origin.FILE, moves=True)
    assert (alone is not None) == bool(scan_lines(line, profile, moves=True))
