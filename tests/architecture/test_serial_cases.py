"""Every fault case of the serial contract's section 12 has a test that says so."""

import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1] / "bridge"
CASES = range(1, 77)
#: MeatPack: Gantry does not speak it.
NOT_SPOKEN = {70}
_NAMED = re.compile(r"serial\s[^\"]*?12/((?:#\d+[\s,]*(?:and |to )?)+)")
_NUMBER = re.compile(r"#(\d+)([\s,]*(?:and |to )?)")


def numbers(text: str) -> Iterator[int]:
    """The cases that *text* names: `#3, #5 to #7 and #9`."""
    first: int | None = None
    for number, joint in _NUMBER.findall(text):
        yield from range(int(number) if first is None else first, int(number) + 1)
        first = int(number) if "to" in joint else None


def test_ranges_and_lists_are_read() -> None:
    """The reader itself: a case that is skipped in the middle is not counted as named."""
    assert sorted({*numbers("#3, #5 to #7 and #9")}) == [3, 5, 6, 7, 9]


def test_every_fault_case_is_named_by_a_test() -> None:
    """serial 12: a case without a test, or a test for a case that does not exist, fails here."""
    named = {
        number
        for path in TESTS.rglob("test_*.py")
        for cases in _NAMED.findall(path.read_text("utf-8"))
        for number in numbers(cases)
    }
    assert named == {*CASES} - NOT_SPOKEN
