"""The budgets of the code: short files, short functions, every module says what it is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("schemas", "bridge", "api", "infra")
FILE_LINES = 400
FUNCTION_LINES = 60
NESTING = 4
SUPERVISORS = {
    "api/alerts/digests.py",
    "api/app.py",
    "api/bridges/replicas.py",
    "api/bus/attendance.py",
    "api/events/outbox.py",
    "api/files/analyst.py",
    "api/gateway/errands.py",
    "api/idempotency/requests.py",  # gives the key back, and raises it again
    "api/gateway/sockets.py",
    "api/postgres.py",  # raises everything again, as what it means
    "api/feed/hub.py",
    "api/feed/service.py",
    "api/feed/sockets.py",
    "api/link/facts.py",
    "api/mail/service.py",
    "api/octoprint/push_channel.py",
    "api/octoprint/push_requests.py",
    "api/hourly.py",
    "api/webhooks/courier.py",
    "api/scheduler/service.py",
    "api/telemetry/service.py",
    "bridge/agent/process.py",
    "bridge/agent/printers.py",
    "bridge/sender/process.py",
}
VAGUE = {"utils", "helpers", "common", "core", "manager", "misc"}


def modules() -> list[Path]:
    """Every source module but migrations."""
    found = (path for top in SOURCES for path in (ROOT / top).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in modules()}


def test_no_file_is_longer_than_400_lines() -> None:
    """A file that outgrows the budget is split by noun."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES
    }
    assert long == {}


def test_no_function_is_longer_than_60_lines(trees: dict[Path, ast.Module]) -> None:
    """A function that does not fit on a screen does too much."""
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, tree in trees.items()
        for node in functions(tree)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


def test_every_module_says_what_it_is(trees: dict[Path, ast.Module]) -> None:
    """Someone new reads the first line of a module and knows whether to read on."""
    silent = [str(path.relative_to(ROOT)) for path, tree in trees.items() if tree.body
              and not ast.get_docstring(tree)]  # fmt: skip
    assert silent == []


def test_names_of_modules_say_something() -> None:
    """No room is called by a word that fits everything."""
    vague = [str(path.relative_to(ROOT)) for path in modules() if path.stem in VAGUE]
    assert vague == []


def test_only_supervisors_catch_everything(trees: dict[Path, ast.Module]) -> None:
    """A broad except hides the blame; only who restarts others may have one."""
    broad = {
        str(path.relative_to(ROOT))
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    }
    assert broad - SUPERVISORS == set()


def _is_broad(handler: ast.ExceptHandler) -> bool:
    names = {"Exception", "BaseException"}
    return handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id in names)


def test_modules_of_models_are_imported_only_by_their_room(
    trees: dict[Path, ast.Module],
) -> None:
    """A room's rows are its own; others ask its service."""
    foreign = []
    for path, tree in trees.items():
        if path.relative_to(ROOT).parts[0] == "infra":
            continue  # benchmarks furnish a farm faster than its own API would
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            parts = node.module.split(".")
            if parts[0] == "api" and parts[-1] == "models" and len(parts) == 3:
                room = path.relative_to(ROOT).parts[1:2]
                if room != (parts[1],):
                    foreign.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.module}")
    assert foreign == []
