"""Push of a printer of which there is nothing new (OctoPrint contract, 8)."""

import asyncio
from typing import Any

import pytest

from api.octoprint import push_channel, push_client
from schemas.printer import PrinterState, Temperature
from tests.api.octoprint.conftest import Farm
from tests.api.octoprint.test_push import RAW, signed_in
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds are long for a test."""
    monkeypatch.setattr(push_client, "THROTTLE_S", 0.01)
    monkeypatch.setattr(push_channel, "REPEAT_S", 0.005)


def reported(current: Any) -> set[float | None]:
    """The nozzle's temperatures in one message."""
    return {item["tool0"]["actual"] for item in current["temps"]}


async def test_an_idle_printer_goes_on_reporting_its_temperatures(farm: Farm) -> None:
    """Apps take silence for a dead connection; a real printer reports whether it changed or not."""
    farm.machine.state = PrinterState.OPERATIONAL
    farm.machine.temps = {"tool0": Temperature(21.5, 0.0), "bed": Temperature(21.0, 0.0)}
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        async with asyncio.timeout(15):
            while reported(await app.hear("current")) != {21.5}:
                pass  # the picture from before is being replaced
        for _ in range(2):
            assert reported(await app.hear("current")) == {21.5}


async def test_a_printer_that_is_away_reports_nothing(farm: Farm) -> None:
    """Old temperatures are not told as new ones."""
    farm.machine.state = PrinterState.OFFLINE
    await farm.room.report(farm.machine)
    async with LiveSocket(farm.application, RAW) as socket:
        app = await signed_in(farm, socket)
        await app.hear("current")
        assert await socket.unheard() == []
