"""Names on a printer's own card (octoprint 6 sdcard)."""

import pytest

from api.printers.dos_names import MAX_NUMBER, dos_name

NAMES = [
    ("test1234.gco", "test1234.gco"),
    ("test1234.gcode", "test1234.gco"),
    ("Test.GCODE", "test.gco"),
    ("auto0.g", "auto0.g"),
    ("test12345.gcode", "test12~1.gco"),
    ("two words.gcode", "two_wo~1.gco"),
    ("naïve bär.gcode", "naive_~1.gco"),
    ("a.b.c.gcode", "abc.gco"),
    ("v1.2[x];M112.gcode", "v12xm112.gco"),
    ("日本.gcode", "file.gco"),
    ("noending", "noending.gco"),
    ("box (1).gcode", "box_1.gco"),
    ("b1.gcode", "_b1.gco"),
    ("xM110.gcode", "xm_110.gco"),
    ("bM1100b.gcode", "bm_1100b.gco"),
]


@pytest.mark.parametrize(("given", "wanted"), NAMES)
def test_a_name_is_made_short(given: str, wanted: str) -> None:
    """Lower case, eight and three, nothing in it that a firmware could take for more."""
    assert dos_name(given, ()) == wanted


def test_a_name_that_is_taken_gets_the_next_number() -> None:
    """Whatever its case; the number takes the place of letters."""
    taken = ["CUBE.GCO"]
    found = []
    for _ in range(11):
        found.append(dos_name("cube.gcode", taken))
        taken.append(found[-1].upper())
    assert found[:2] == ["cube~1.gco", "cube~2.gco"]
    assert found[9:] == ["cube~10.gco", "cube~11.gco"]
    long = [f"longna~{number}.gco" for number in range(1, 10)]
    assert dos_name("longname1.gcode", long) == "longn~10.gco"


def test_a_card_full_of_one_name() -> None:
    """Nothing is overwritten: it is an error."""
    taken = ["cube.gco", *(f"cube~{number}.gco" for number in range(1, MAX_NUMBER + 1))]
    with pytest.raises(ValueError, match=r"cube\.gcode"):
        dos_name("cube.gcode", taken)
