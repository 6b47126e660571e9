"""What a person reads at the terminal of a print without a farm."""

import io
import sys
from pathlib import Path

import pytest

from bridge.gcode.happenings import Warned
from bridge.sender.standalone import Exit, Order, Standalone


def test_what_a_printer_says_does_nothing_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what its file says, behind M0: neither is by who sits there."""
    monkeypatch.setattr(sys, "stdin", None)
    missing = str(tmp_path / "none")
    order = Order(port="p", baud=115200, file=missing, max_nozzle_c=300.0, max_bed_c=120.0)
    shown = io.StringIO()
    alone = Standalone(order, shown)
    alone.happened(Warned("printer_says", "\x1b]0;title\x07 wipe \x9b2J"), 0.0)
    assert alone.run() is Exit.FILE
    assert "?]0;title? wipe ?2J\n" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()
