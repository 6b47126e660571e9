"""No test falls between the steps of `make test`."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_what_unit_leaves_out_is_run_by_flow() -> None:
    """`make unit` does not even read tests/flows: everything there is marked for `make flow`."""
    files = sorted((TESTS / "flows").glob("test_*.py"))
    marked = re.compile(r"^pytestmark = (?:\[[^]]*)?pytest\.mark\.flow\b", re.MULTILINE)
    unmarked = [path.name for path in files if not marked.search(path.read_text("utf-8"))]
    assert files
    assert unmarked == []
