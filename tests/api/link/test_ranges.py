"""Byte ranges of a file."""

import pytest

from api.link.ranges import Unsatisfiable, byte_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=0-", (0, 10)),
        ("bytes=4-", (4, 6)),
        ("bytes=4-6", (4, 3)),
        ("bytes=4-99", (4, 6)),
        ("bytes=-3", (7, 3)),
        ("bytes=-99", (0, 10)),
        ("bytes=-", None),
        ("bytes=6-4", None),
        ("bytes=0-1,4-5", None),
        ("lines=1-2", None),
    ],
)
def test_one_range_is_served_and_other_headers_mean_the_whole_file(
    header: str | None, expected: tuple[int, int] | None
) -> None:
    """First and length of what was asked for, cut to the file."""
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_bytes_behind_the_end_do_not_exist(header: str) -> None:
    """A transfer that is complete already asks for nothing more."""
    with pytest.raises(Unsatisfiable):
        byte_range(header, 10)
