"""The one parser of G-code lines."""

from time import perf_counter

import pytest

from schemas.gcode.words import bare, code_of, parse


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        (b"G1 X1 Y2", ["G1"]),
        (b"g28 ; home", ["G28"]),
        (b"M0104 S1", ["M104"]),
        (b"M 104 S1", ["M104"]),
        (b"G92.1 X0", ["G92"]),
        (b"N12 M105*37", ["M105"]),
        (b"N1 N2 M105*37", ["M105"]),
        (b"G1 X1 M104 S3 G4", ["G1", "M104", "G4"]),
        (b"T1", ["T1"]),
        (b"Tx", ["T"]),
        (b"@pause now", ["@PAUSE"]),
        (b"; only a comment", []),
        (b"  \t \r\n", []),
        (b"SET_PIN PIN=x", ["SET_PIN"]),
        (b"M117 M104 S300", ["M117"]),
    ],
)
def test_a_line_yields_every_command_it_holds(line: bytes, codes: list[str]) -> None:
    """Blanks, zeros, case, line numbers, checksums and a second command hide nothing."""
    assert [command.code for command in parse(line)] == codes


def test_a_subcode_is_kept_beside_the_code() -> None:
    """`G92.1` is a `G92` for every table and still itself."""
    assert parse(b"G92.1")[0].subcode == 1


def test_a_semicolon_in_quotes_is_no_comment() -> None:
    """Quoted text may hold a semicolon; the real comment behind it goes."""
    assert bare(b'M118 "a;b" ; say it\r\n') == b'M118 "a;b"'


def test_unprintable_bytes_and_backslashes_become_blanks() -> None:
    """Nothing that a firmware would drop may join two halves of a code."""
    assert bare(b"M\\104\x00S300\xff") == b"M 104 S300"


@pytest.mark.parametrize(
    ("text", "code"), [(b"G1 X1", "G1"), (b"T3", "T"), (b"M0109 S1", "M109"), (b"START x", "START")]
)
def test_the_code_of_a_clean_line(text: bytes, code: str) -> None:
    """Tool changes share one code; other words are their own."""
    assert code_of(text) == code


def test_words_keep_repeated_letters() -> None:
    """A gate must see both values of `S200 S300`."""
    words = parse(b"M104 T1 S200 S300")[0].words()
    assert [(word.letter, word.number) for word in words] == [
        ("T", "1"),
        ("S", "200"),
        ("S", "300"),
    ]


def test_blanks_behind_an_asterisk_take_no_time() -> None:
    """A line of 64 KiB of them took minutes, in the sender as in the analysis."""
    began = perf_counter()
    assert bare(b"M117 *" + b" " * 64_000 + b"x*12 ").endswith(b" x")
    assert perf_counter() - began < 1.0
