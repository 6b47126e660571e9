"""Which clock a sender lives by."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SENDERS = ("bridge/gcode", "bridge/sender", "bridge/serial", "bridge/control")
#: Calls that follow the wall clock.
WALL = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"}


def calls(path: Path) -> set[str]:
    """Every `name.attribute` that is called in *path*."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {ast.unparse(each) for each in found if isinstance(each, ast.Attribute)}


@pytest.mark.parametrize("folder", SENDERS)
def test_a_jump_of_the_wall_clock_moves_no_timer(folder: str) -> None:
    """serial 12/#65: every deadline is on the monotonic clock; only the black box writes a date."""
    used = {
        path.name: wall
        for path in sorted((ROOT / folder).glob("*.py"))
        if path.name != "blackbox.py" and (wall := calls(path) & WALL)
    }
    assert not used
