"""Rows as CSV that a spreadsheet may open: what looks like a formula is text there. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

#: A cell that begins so would be run by a spreadsheet, or hides that it does.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def lines(rows: Iterable[Sequence[Any]]) -> bytes:
    """*rows* as lines of CSV in UTF-8; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else value
    return f"'{value}" if value.startswith(_FORMULA) else value
