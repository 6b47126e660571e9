"""Secrets are compared in constant time in the whole API, and drawn by `secrets` (S07, S08)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import api

SECRET = re.compile(
    r"(^|_)(secret|password|password_hash|csrf|csrf_token|signature|ticket|token|mark|nonce_hash)$"
)
FOR_PAUSES = {"db.py", "link/patience.py", "link/turns.py"}
#: Looks at this process's own settings at its start: nobody outside can time it.
OWN_SETTINGS = {"production.py"}
ROOT = Path(api.__path__[0])


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        if "migrations" not in path.parts:
            yield path.relative_to(ROOT), ast.parse(path.read_text("utf-8"))


def compared(tree: ast.Module) -> Iterator[str]:
    """Comparisons by == or != of two values of which one is called like a secret."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant | ast.Tuple) for side in sides):
            continue  # with a literal: a kind, an empty string
        names = [ast.unparse(side).rpartition(".")[2] for side in sides]
        if any(SECRET.search(name) for name in names):
            yield f"{node.lineno}: {ast.unparse(node)}"


def test_no_secret_is_compared_with_equals() -> None:
    """`hmac.compare_digest` instead (CVE-2026-23892)."""
    found = [
        f"{path}:{line}"
        for path, tree in trees()
        if str(path) not in OWN_SETTINGS
        for line in compared(tree)
    ]
    assert found == []


@pytest.mark.parametrize("code", ["a.secret == b", "given != self._token"])
def test_the_scan_finds_them(code: str) -> None:
    """It is not blind."""
    assert list(compared(ast.parse(code)))


def test_nothing_is_drawn_from_a_predictable_generator() -> None:
    """`random` is for pauses between two tries only (8cbb61c07)."""
    guilty = [
        str(path)
        for path, tree in trees()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and any(name.name == "random" for name in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    ]
    assert set(guilty) <= FOR_PAUSES
