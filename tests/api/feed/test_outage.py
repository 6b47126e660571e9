"""Dashboards go on seeing printers while the database is away (safety R19)."""

import asyncio
from typing import Any

import pytest
from tortoise.exceptions import DBConnectionError

from api.outage import AGAIN_S, is_past_database
from api.printers.models import Printer
from schemas.printer import PrinterState
from tests.api.feed.conftest import Farm, Rows
from tests.fakes.sockets import LiveSocket


async def test_pictures_are_drawn_by_rows_of_before_while_the_database_is_away(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of printers whose rows have just changed; by their new rows when it is back."""
    remembered = {row.id: row for row in farm.printers}

    async def away(*_: object) -> Any:
        raise DBConnectionError("away")

    async def find(_: Rows, printer_id: int) -> Printer | None:
        return remembered[printer_id] if is_past_database() else await away()

    async with farm.socket() as socket:
        await socket.accepted()
        await socket.hear_type("printer_telemetry")
        with monkeypatch.context() as outage:
            outage.setattr(Rows, "find", find)
            outage.setattr(type(farm.history), "read", away)
            await Printer.filter(id=farm.printers[0].id).update(state=PrinterState.PAUSED)
            for nozzle_c in (200.0, 210.0):
                farm.clock.advance(AGAIN_S)
                await farm.report(PrinterState.PRINTING, nozzle_c=nozzle_c)
                picture = await _of_the_first(farm, socket)
                while picture["nozzle_temp"] != nozzle_c:
                    picture = await _of_the_first(farm, socket)
            assert picture["state"] != "PAUSED"
        farm.clock.advance(AGAIN_S)
        farm.bus.ring(["events:1"])
        await asyncio.sleep(0.05)
        farm.clock.advance(1.0)
        farm.bus.ring(["events:1"])
        while (await _of_the_first(farm, socket))["state"] != "PAUSED":
            pass


async def _of_the_first(farm: Farm, socket: LiveSocket) -> dict[str, Any]:
    """The next picture of the first printer."""
    while (picture := (await socket.hear_type("printer_telemetry"))["data"])["printer_id"] != (
        farm.printers[0].id
    ):
        pass
    found: dict[str, Any] = picture
    return found
