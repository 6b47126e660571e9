"""Names and paths of files (OctoPrint contract 6; safety S32, S33)."""

import pytest

from api.errors import Invalid
from api.files.names import clean_name, clean_path, extension, join, parents


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("naïve bär.gcode", "naïve bär.gcode"),
        (".hidden.gcode", "hidden.gcode"),
        ("  padded .gcode. ", "padded .gcode"),
        ("$(id);reboot|x.gcode", "(id)rebootx.gcode"),
        ("-rf.gcode", "-rf.gcode"),
        ("CON.gcode", "CON.gcode"),
        ("..gcode", "gcode"),
        ("bu\u0308hne.gcode", "bühne.gcode"),
        ("🚀.gcode", "🚀.gcode"),
    ],
)
def test_names_keep_what_people_wrote(given: str, kept: str) -> None:
    """Spaces and accents stay; leading dots and shell characters go."""
    assert clean_name(given) == kept


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "...", "..", "a/b", "a\\b", "a\nb", "a\0b", "a\x7f"),
        *("\u202egpj.gcode", "\ud800", "x" * 256, "ü" * 128),
    ],
)
def test_misleading_names_are_refused(name: str) -> None:
    """Traversal, control characters, direction overrides, half characters, endless names."""
    with pytest.raises(Invalid):
        clean_name(name)


def test_paths_are_cleaned_part_by_part() -> None:
    """Slashes at the ends and doubled ones do not matter."""
    assert clean_path("/parts//.old/a b.gcode/") == "parts/old/a b.gcode"
    assert clean_path("") == ""
    assert parents("a/b/c.gcode") == ["a", "a/b"]
    assert join("a", "b") == "a/b"
    assert join("", "b") == "b"


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "a/..", "C:\\x", "a/\0", "/".join(["d" * 100] * 6)]
)
def test_paths_never_leave_the_tree(path: str) -> None:
    """Traversal is refused, not resolved (safety S33)."""
    with pytest.raises(Invalid):
        clean_path(path)


def test_a_join_is_bounded_too() -> None:
    """Two good halves can be too long together."""
    with pytest.raises(Invalid):
        join("/".join(["d" * 99] * 4), "x" * 200)


def test_extension_is_lower_case_and_needs_a_stem() -> None:
    """`.gcode` alone is a name without extension."""
    assert extension("A.B.GCODE") == ".gcode"
    assert extension("plain") == ""
    assert extension(".gcode") == ""
