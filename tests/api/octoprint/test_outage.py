"""What apps are shown while the database is away."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from tortoise.exceptions import DBConnectionError

from api.octoprint.hot import HotReads, Shown
from api.printers.models import Printer


@dataclass(slots=True)
class Reads(HotReads):
    """Hot reads of a printer whose file is looked up by the test. *is_away*: it cannot be."""

    is_away: bool = False

    async def shown(self, printer: Printer) -> Shown:
        if self.is_away:
            raise DBConnectionError("away")
        return Shown(None, f"of {printer.organization_id}.gcode", None, is_running=False)


async def test_a_printer_that_was_given_away_shows_nothing_of_before() -> None:
    """Whose it is now sees no file of whose it was (safety S25)."""
    nothing: Any = SimpleNamespace()
    reads = Reads(*(nothing for _ in range(6)))
    before, after = Printer(id=1, organization_id=1), Printer(id=1, organization_id=2)
    assert (await reads._found(before)).path == "of 1.gcode"
    reads.is_away = True
    assert (await reads._found(before)).path == "of 1.gcode"
    with pytest.raises(DBConnectionError):
        await reads._found(after)
