"""Every family against transcripts of what its firmware says (serial 5, 6, 7 and 10)."""

from pathlib import Path

import pytest

from bridge.gcode.dialects import DIALECTS
from tests.fakes.transcript import Play, play

FOLDER = Path(__file__).parents[2] / "data" / "transcripts"
TRANSCRIPTS = sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_transcript_comes_to_what_it_says(name: str) -> None:
    """Connect, identify, print, and what goes wrong, in the firmware's own words."""
    played = play(FOLDER / f"{name}.txt")
    assert played.firmware.executed


def test_every_family_has_a_transcript() -> None:
    """A new firmware is a row and a transcript."""
    spoken = {
        rest.partition(" ")[2]
        for name in TRANSCRIPTS
        for verb, rest in Play((FOLDER / f"{name}.txt").read_text("utf-8")).steps
        if verb == "is" and rest.startswith("dialect ")
    }
    assert spoken == {dialect.name for dialect in DIALECTS}
