"""CSV that is safe to open in a spreadsheet: no cell is taken for a formula (RFC 4180; safety S29).

A cell that begins like a formula gets an apostrophe in front, which spreadsheets do not show.
"""

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: object) -> str:
    """*value* as a cell; None is empty. Numbers stay numbers, a minus sign included."""
    if value is None:
        return ""
    text = str(value)
    if isinstance(value, int | float) or not text.lstrip(" ").startswith(_FORMULA):
        return text
    return f"'{text}"


def rows(table: Iterable[Sequence[object]]) -> str:
    """The lines of *table*, each ending in CR LF."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows([cell(one) for one in row] for row in table)
    return file.getvalue()
