"""Every case and invariant of the safety contract is named by a test."""

import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
INVARIANTS = {f"I{number}" for number in range(1, 13)}
MACHINES = {f"M{number:02}" for number in range(1, 28)}
FAULTS = {f"R{number:02}" for number in range(1, 57)}
#: What names a case or a range of them: `R01-R14`. Only what stands in a docstring counts, and
#: G-code has an M21 too: machine cases are named after the word safety, or first of all.
_NAMED = re.compile(r"\b([IMR])(\d{1,2})(?:-\1(\d{1,2}))?\b")
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)


def cases(text: str) -> Iterator[str]:
    """The cases that docstrings in *text* name."""
    for docstring in _DOCSTRING.findall(text):
        means_cases = "afety" in docstring or re.match(r"[IMR]\d", docstring)
        for kind, first, last in _NAMED.findall(docstring):
            if kind == "M" and not means_cases:
                continue
            width = 1 if kind == "I" else 2
            for number in range(int(first), int(last or first) + 1):
                yield f"{kind}{number:0{width}}"


def test_ranges_are_read() -> None:
    """The reader itself: ranges count each case, and only docstrings do."""
    assert [*cases('"""R01-R03 and I2."""\n"M05"')] == ["R01", "R02", "R03", "I2"]


def test_every_case_is_named_by_a_test() -> None:
    """A machine case, a fault case or an invariant without a test fails here."""
    named = {
        case
        for path in TESTS.rglob("*.py")
        if path.name.startswith("test_") and path != Path(__file__)
        for case in cases(path.read_text("utf-8"))
    }
    assert named >= INVARIANTS | MACHINES | FAULTS, sorted((INVARIANTS | MACHINES | FAULTS) - named)
