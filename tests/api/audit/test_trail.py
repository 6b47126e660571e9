"""Reading the rows, and that nothing else is done with them."""

import re
from pathlib import Path

import api
from api.audit.sheets import cell, rows
from api.events import trail
from api.events.service import Ledger
from api.events.trail import Wanted
from api.principal import Principal


async def test_all_entries_come_in_steps(ledger: Ledger, admin: Principal) -> None:
    """More than one step, each entry once, newest first."""
    async with ledger.change() as change:
        for number in range(1203):
            change.note(admin, "thing.done", ("thing", number))
    pages = [page async for page in trail.walk(Wanted(), 5000)]
    assert [len(page) for page in pages] == [500, 500, 203]
    for most, lengths in ((1203, [500, 500, 203]), (1000, [500, 500]), (3, [3])):
        assert [len(page) async for page in trail.walk(Wanted(), most)] == lengths
    found = [int(entry.entity_id) for page in pages for entry in page]
    assert found == list(reversed(range(1203)))


def test_no_code_updates_or_deletes_entries() -> None:
    """Only `bulk_create` and reading, in the whole API (safety S54)."""
    used: set[str] = set()
    for path in Path(api.__path__[0]).rglob("*.py"):
        if "migrations" not in path.parts:
            text = path.read_text("utf-8")
            used |= set(re.findall(r"\bAuditEntry\.(\w+)", text))
            assert not re.search(r"(delete from|update) .?audit_entry", text, re.IGNORECASE), path
    assert used == {"bulk_create", "filter"}
    text = (Path(api.__path__[0]) / "events" / "trail.py").read_text("utf-8")
    assert ".delete(" not in text
    assert ".update(" not in text


def test_cells_that_begin_like_a_formula_are_text() -> None:
    """Also after blanks; numbers stay numbers (safety S29)."""
    for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1"):
        assert cell(text) == f"'{text}"
    assert [cell(value) for value in (-1, 2.5, None, "a=b", "")] == ["-1", "2.5", "", "a=b", ""]
    assert rows([("a,b", 'say "x"', "two\nlines")]) == '"a,b","say ""x""","two\nlines"\r\n'
