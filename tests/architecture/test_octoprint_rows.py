"""Every row of the OctoPrint contract is named by a test, and asked for each of its answers."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.api.octoprint import (
    rows_absent,
    rows_files,
    rows_job,
    rows_machine,
    rows_models,
    rows_people,
    rows_uploads,
)
from tests.api.octoprint.rows import Row, row
from tests.architecture.octoprint_rows import ENDPOINTS, NAMES, Endpoint, rows

TESTS = Path(__file__).parents[1]
_TABLES = (
    *(rows_machine, rows_job, rows_models, rows_files, rows_uploads, rows_people, rows_absent),
)
Asked = set[tuple[str, str, str, int, str]]
_DOCSTRING = re.compile(r'"""(.*?)"""', re.DOTALL)
#: `octoprint 0 CSRF, 2 CSRF: …`: names up to the colon.
_NAMED = re.compile(r"octoprint ((?:\d [^,:;.]+(?:, )?)+):")


def named(text: str) -> Iterator[str]:
    """The rows that docstrings in *text* name, as `2 CSRF`."""
    for docstring in _DOCSTRING.findall(text):
        for names in _NAMED.findall(" ".join(docstring.split())):
            yield from names.split(", ")


def unasked(endpoints: Iterable[Endpoint], asked: Iterable[Row]) -> list[str]:
    """`name: status, asked of wanted` for what rows of data do not ask for, or not often enough."""
    there = {(one.section, one.method, one.path, one.status, one.says) for one in asked}
    counted = (
        (endpoint, status, cases, _times(endpoint, status, there))
        for endpoint in endpoints
        for status, cases in sorted(endpoint.statuses.items())
    )
    return [
        f"{endpoint.name}: {status}, {found} of {cases}"
        for endpoint, status, cases, found in counted
        if found < cases
    ]


def _times(endpoint: Endpoint, status: int, there: Asked) -> int:
    return sum(endpoint.asked_by(*one[:3]) and one[3] == status for one in there)


def test_names_are_read() -> None:
    """The reader itself: several names, over line ends; only docstrings, only before a colon."""
    text = '"""octoprint 0 CSRF,\n    2 CSRF cookie: so."""\n"octoprint 1 JSON: no"'
    assert [*named(text)] == ["0 CSRF", "2 CSRF cookie"]
    assert [*named('"""octoprint 4: so (octoprint 3 groups)."""')] == []
    assert [*named('"""Ours; octoprint 3 groups: so."""')] == ["3 groups"]


def test_a_row_that_is_left_out_is_found() -> None:
    """The reader itself: a status, a case of it, a method, a path or a section that nobody asks
    for is told.
    """
    wanted = rows("4", "GET /api/a/\\w+ 200 404\nPOST /api/a 201")
    asked = [row("GET", "/api/a/b?c=d", 200, "one"), row("POST", "/api/a", 201, "made")]
    assert unasked(wanted, asked) == ["4 GET /api/a/\\w+: 404, 0 of 1"]
    assert unasked(rows("4", "POST /api/a 201x2"), asked) == ["4 POST /api/a: 201, 1 of 2"]
    twice = [*asked, row("POST", "/api/a", 201, "made again")]
    assert unasked(rows("4", "POST /api/a 201x2"), twice) == []
    others = [row("POST", "/api/a", 201, "made", section="6"), row("GET", "/api/a", 404, "none")]
    assert unasked(wanted, others) == [
        *("4 GET /api/a/\\w+: 200, 0 of 1", "4 GET /api/a/\\w+: 404, 0 of 1"),
        "4 POST /api/a: 201, 0 of 1",
    ]


def test_every_endpoint_is_asked_for_every_answer() -> None:
    """What the contract tells of an endpoint is a row of data, at every root."""
    assert unasked(ENDPOINTS, (one for table in _TABLES for one in table.ROWS)) == []


def test_every_row_is_named_by_a_test() -> None:
    """A row that no docstring names fails here, and so does a name that is no row."""
    wanted = {f"{section} {name}" for section, names in NAMES.items() for name in names}
    found = {
        name
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
        for name in named(path.read_text("utf-8"))
    }
    assert wanted - found == set()
    assert found - wanted == set()
