"""Files that are no G-code, and lines that no firmware takes: each is refused by name and line."""

import pytest

from schemas.gcode.gate import Finding, Preflight
from schemas.printer import Profile


def refused(data: bytes, size: int = 4096) -> list[Finding]:
    """The findings of the preflight of *data*, read *size* bytes at a time."""
    preflight = Preflight(Profile())
    for start in range(0, len(data), size):
        preflight.feed(data[start : start + size])
    return preflight.finish()


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"GCDE\x01\x00\x00\x00more", 1, "bgcode"),
        (b"PK\x03\x04....", 1, "zip"),
        (b"\x1f\x8b\x08.", 1, "gz"),
        ("G28\nG1 X1\n".encode("utf-16"), 1, "UTF-16"),
        (b"G28\nG1 X1\x00Y2\n", 2, "zero byte"),
        (b"; made by nobody\r\n\r\n;the end\n", 3, "nothing but comments"),
        (b"\xef\xbb\xbf;\n(x)\n%\n" + b";" + b"x" * 1_000_000, 4, "nothing but comments"),
        (b"G28\n;ok\nG1 " + b"X1 " * 90 + b"\nG28\n", 3, "bytes long"),
        (b"G28\nG1 " + b"1" * 1_000_000, 2, "bytes long"),
        (b"solid cube\nfacet normal 0 0 1\n", 1, ".stl"),
        (b"G28\rM104 S210\rG1 X1\r", 1, "old Macs"),
        (b"G28\r\n;c\rd\r\nG1 X1 ; go\rG1 X2\r\n", 3, "old Macs"),
        (b"G28\nM104 S210\nG1 X900\n", 3, "this printer goes from"),
    ],
)
def test_what_no_printer_can_take_is_refused_with_line_and_reason(
    data: bytes, line: int, words: str
) -> None:
    """serial 12/#33: before the first heater is on."""
    first = refused(data)[0]
    assert first.line == line
    assert words in str(first)


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfG28\r\nG1 X1\r\n",
        b"M117 " + b"long text " * 40 + b"\n",
        b"; thumbnail " + b"A" * 500 + b"\nG1 X1 ;" + b"comment" * 40 + b"\n",
        ("; größe\nM117 größe\nG1 X1 ; ü\n").encode("latin-1"),
        b"G1 X1" + b" " * 300 + b"\n",
        b";" + b"x" * 1_000_000 + b"\nG28",
        b"\xef\xbb\xbfSTART_PRINT\n",
        b"G28\r\r\nG1 X1\r\r\n\r; old\rcomment\nG1 X2\r ;end\n",
        b"; @pause is a command to a host\n@pause\n",
        b"",
    ],
)
def test_what_can_be_cleaned_passes(data: bytes) -> None:
    """serial 12/#33: BOM, CRLF, stray returns, texts to cut, long comments, encodings, blanks."""
    assert refused(data) == []
