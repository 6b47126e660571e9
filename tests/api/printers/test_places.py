"""Ports are read from what the rooms report, and given to printers."""

import pytest

from api.errors import Conflict, Invalid, NotFound, Unavailable
from schemas.commands import CommandState, Verb
from schemas.jobs import AttemptEvent
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


async def test_a_printer_of_a_room_that_never_comes_back_finds_another_place(farm: Farm) -> None:
    """safety I10: its last word was that it prints. The text says the way: the job by force; then
    the printer may move, or go.
    """
    one = await farm.printer("One", "usb:1")
    job = await farm.job(one)
    await farm.jobs.start_explicit(farm.admin, job)
    await farm.answer(await farm.last(Verb.START), CommandState.DONE)
    await farm.run(one, AttemptEvent.STARTED)
    await farm.report(one.id, PrinterState.PRINTING)
    nowhere = {"bridge_id": None, "port_id": None}
    with pytest.raises(Conflict, match=r"stop it first\.$"):
        await farm.printers.update(farm.admin, one.id, nowhere)
    farm.bridges.is_online = False
    with pytest.raises(Conflict, match="cancel the job by force"):
        await farm.printers.update(farm.admin, one.id, nowhere)
    with pytest.raises(Unavailable, match="cancel the job by force"):
        await farm.jobs.cancel(farm.admin, job.id)
    await farm.jobs.cancel(farm.admin, job.id, force=True)
    with pytest.raises(Conflict):
        await farm.printers.update(farm.admin, one.id, {"port_id": "usb:2"})
    row = await farm.printers.update(farm.admin, one.id, nowhere)
    assert (row.bridge_id, row.active_grant, row.state) == (None, None, "offline")
    two = await farm.printer("Two", "usb:2")
    await farm.report(two.id, PrinterState.PRINTING)
    await farm.printers.delete(farm.admin, two.id)
