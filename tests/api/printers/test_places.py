"""Ports are read from what the rooms report, and given to printers."""

import pytest

from api.errors import Conflict, Invalid, NotFound
from schemas.printer import PrinterState
from tests.fakes.farm import BRIDGE, Farm


async def test_a_printer_that_was_run_by_hand_gets_a_port(farm: Farm) -> None:
    """And gives it back; its room is told each time."""
    printer = await farm.printer("One", None)
    desired = farm.bridges.desired
    place = {"bridge_id": BRIDGE, "port_id": "usb:1"}
    row = await farm.printers.update(farm.admin, printer.id, place)
    assert (row.bridge_id, row.port_id, row.api_type) == (BRIDGE, "usb:1", "serial")
    assert [each.id for each in await farm.printers.on_bridge(BRIDGE)] == [printer.id]
    nowhere = {"bridge_id": None, "port_id": None}
    row = await farm.printers.update(farm.admin, printer.id, nowhere)
    assert (row.bridge_id, row.port_id, row.api_type) == (None, None, None)
    assert await farm.printers.on_bridge(BRIDGE) == []
    assert farm.bridges.desired == desired + 2


async def test_a_port_is_there_and_free_and_its_printer_rests(farm: Farm) -> None:
    """No port that the room does not list, none of another printer, none under a print."""
    one = await farm.printer("One", "usb:1")
    two = await farm.printer("Two", None)
    for place, error in (
        ({"bridge_id": BRIDGE}, Invalid),
        ({"port_id": "usb:2"}, Invalid),
        ({"bridge_id": BRIDGE, "port_id": "usb:9"}, Invalid),
        ({"bridge_id": 99, "port_id": "usb:2"}, NotFound),
        ({"bridge_id": BRIDGE, "port_id": "usb:1"}, Conflict),
    ):
        with pytest.raises(error):
            await farm.printers.update(farm.admin, two.id, place)
    await farm.report(one.id, PrinterState.PRINTING)
    with pytest.raises(Conflict) as refused:
        await farm.printers.update(farm.admin, one.id, {"port_id": "usb:2"})
    assert refused.value.code == "printer_busy"
