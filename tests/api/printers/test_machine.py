"""The machine itself over v1: settings of the serial line, stop, prompt, heat, the card."""

import pytest

from api.commands.machine import Machine
from api.errors import Conflict, Invalid
from api.printers.bodies import PrinterCreateBody, PrinterUpdateBody
from api.printers.drafts import config
from api.printers.forms import parse_scripts
from api.printers.view import card_fields, care_fields, live_status, motion_fields
from api.telemetry.service import LiveView
from bridge.gcode.dialects import DIALECTS as BRIDGE_DIALECTS
from schemas.commands import CARD_PRINT, CardAction, CommandState, Verb
from schemas.facts import CardFact
from schemas.printer import DIALECTS, CardFile, Live, PrinterState, Prompt
from tests.fakes.farm import Farm

_S = PrinterState


class Shows:
    """Telemetry that shows one picture."""

    def __init__(self, live: Live | None = None) -> None:
        self.live = live

    def view(self, printer: object) -> LiveView:
        return LiveView(live=self.live, online=self.live is not None, age_s=0.0)


def machine(farm: Farm, live: Live | None = None) -> Machine:
    """The machine room of *farm*, seeing *live*."""
    return Machine(farm.printers, farm.commands, farm.jobs.control, Shows(live), farm.ledger)


def test_every_dialect_of_the_bridge_can_be_chosen() -> None:
    """The API takes the rows that bridges have, and `auto`."""
    assert set(DIALECTS) == {"auto"} | {each.name for each in BRIDGE_DIALECTS}


async def test_settings_of_the_line_reach_the_bridge(farm: Farm) -> None:
    """Window, leases and policies are kept one by one and go into the desired configuration."""
    printer = await farm.printer()
    desired = farm.bridges.desired
    body = PrinterUpdateBody.model_validate(
        {"serial": {"window_lines": 4, "heat_lease_s": 60}, "dialect": "prusa"}
    )
    await farm.printers.update(farm.admin, printer.id, body.values())
    more = PrinterUpdateBody.model_validate({"serial": {"cancel_policy": "quick_stop"}})
    await farm.printers.update(farm.admin, printer.id, more.values())
    found = config(await farm.row(printer), {})
    assert (found.window_lines, found.heat_lease_s, found.dialect) == (4, 60, "prusa")
    assert found.cancel_policy == "quick_stop"
    assert farm.bridges.desired == desired + 2


@pytest.mark.parametrize(
    "serial",
    [
        {"window_lines": 65},
        {"rx_bytes": -1},
        {"heat_lease_s": "x"},
        {"cancel_policy": "now"},
        {"stray_policy": "no"},
    ],
)
def test_settings_of_the_line_have_limits(serial: dict[str, object]) -> None:
    """What is out of range is refused by name."""
    with pytest.raises(ValueError, match=next(iter(serial))):
        PrinterCreateBody.model_validate({"name": "A", "serial": serial})


async def test_an_unknown_dialect_is_refused_with_those_there_are(farm: Farm) -> None:
    """A wrong word names the right ones."""
    printer = await farm.printer()
    with pytest.raises(Invalid, match=r"one of auto, marlin.*not 'marvin'"):
        await farm.printers.update(farm.admin, printer.id, {"dialect": "marvin"})


def test_a_wrong_placeholder_is_refused_at_once() -> None:
    """The refusal names script, line and placeholder."""
    with pytest.raises(Invalid) as refused:
        parse_scripts({"on_pause": "G91\nG1 Z{last_position.q + 5}"})
    assert refused.value.extra["line"] == 2
    assert "script on_pause, line 2" in refused.value.detail
    assert "last_position.q" in refused.value.detail


@pytest.mark.parametrize(
    ("code", "obeys"), [("at_once", True), ("in_turn", False), ("unknown", None)]
)
async def test_a_stop_says_whether_it_is_obeyed_at_once(
    farm: Farm, code: str, *, obeys: bool | None
) -> None:
    """The room's word about the firmware is in the answer."""
    printer = await farm.printer()
    stop = await farm.commands.issue(farm.admin, printer, Verb.REMOTE_STOP)
    await farm.report(printer.id, _S.HALTED, "stopped remotely")
    await farm.answer(stop, CommandState.DONE, code)
    stopped = await farm.stopping(machine(farm).remote_stop(farm.admin, printer.id), code)
    assert stopped.obeys_at_once is obeys
    assert stopped.advice and "plug" not in stopped.advice
    plug = {"type": "tasmota", "host": "192.168.1.30", "off_on_stop": True, "is_on": True}
    async with farm.ledger.change() as change:
        row = await farm.printers.locked(change, printer.id)
        row.details = {"plug": plug}
        await farm.printers.save(change, row, "details")
    stopped = await farm.stopping(machine(farm).remote_stop(farm.admin, printer.id), code)
    assert "cuts the power at its plug" in stopped.advice


async def test_a_question_is_answered_by_the_number_of_a_button(farm: Farm) -> None:
    """M876 goes out; without a question or with a button that is not there nothing does."""
    printer = await farm.printer()
    asks = Live(
        printer=printer.id, state=_S.PAUSED, prompt=Prompt("Filament out", ["Resume", "Stop"])
    )
    with pytest.raises(Conflict, match="asks nothing"):
        await machine(farm).answer_prompt(farm.admin, printer.id, 0)
    with pytest.raises(Invalid, match="0: Resume, 1: Stop"):
        await machine(farm, asks).answer_prompt(farm.admin, printer.id, 2)
    with pytest.raises(Exception, match="not answered"):
        await machine(farm, asks).answer_prompt(farm.admin, printer.id, 1)
    assert (await farm.last(Verb.GCODE)).args == {"lines": ["M876 S1"]}


async def test_a_print_from_the_card_is_paused_and_stopped_as_any(farm: Farm) -> None:
    """No attempt holds the printer; what prints is named, and its plate is no longer clear."""
    printer = await farm.printer(port_id="usb:1")
    await farm.printers.plate_cleared(farm.admin, printer.id)
    await farm.report(printer.id, _S.PRINTING)
    row = await farm.row(printer)
    assert row.plate_state == "occupied"
    await farm.commands.issue(farm.admin, row, Verb.PAUSE)
    assert (await farm.last(Verb.PAUSE)).grant == CARD_PRINT
    with pytest.raises(Exception, match="not answered"):
        await farm.jobs.stop(farm.admin, printer.id)
    assert (await farm.last(Verb.CANCEL)).grant == CARD_PRINT


async def test_a_start_from_the_card_keeps_the_rule_of_the_plate(farm: Farm) -> None:
    """Where something lies on the plate nothing is even asked of the printer."""
    printer = await farm.printer(port_id="usb:1")
    await farm.report(printer.id, _S.PRINTING)
    await farm.report(printer.id, _S.OPERATIONAL)
    with pytest.raises(Conflict) as refused:
        await machine(farm).card(farm.admin, printer.id, CardAction.START, "CUBE.GCO")
    assert refused.value.code == "plate_not_clear"
    with pytest.raises(Invalid, match="select needs file"):
        await machine(farm).card(farm.admin, printer.id, CardAction.SELECT)


async def test_the_list_of_the_card_is_kept_and_shown(farm: Farm) -> None:
    """What the room told is what is shown; it is ready while the printer is connected."""
    printer = await farm.printer()
    files = [CardFile("CUBE.GCO", 4000, "cube.gcode")]
    fact = CardFact(printer=printer.id, present=True, files=files, unlisted=3)
    async with farm.ledger.change() as change:
        await farm.printers.record_card(change, fact)
    row = await farm.row(printer)
    shown = card_fields(row, Shows(Live(printer=printer.id, state=_S.OPERATIONAL)).view(row))
    assert shown["ready"]
    assert shown["unlisted"] == 3
    assert shown["files"] == [{"name": "CUBE.GCO", "size_bytes": 4000, "long_name": "cube.gcode"}]
    assert not card_fields(row, Shows().view(row))["ready"]


async def test_what_a_printer_says_of_its_care_is_shown(farm: Farm) -> None:
    """Fan, lease, question, place and reach of a stop; unknown while its room is away."""
    printer = await farm.printer()
    live = Live(
        printer=printer.id,
        state=_S.PRINTING,
        fan_percent=40,
        heat_lease_s=12.5,
        z_mm=3.2,
        stop_reach="in_turn",
        position_known=False,
        prompt=Prompt("Go on?", ["Yes"]),
    )
    row = await farm.row(printer)
    care = care_fields(Shows(live).view(row))
    assert care == {
        "fan_speed": 40,
        "temps_stale": False,
        "heat_lease_s": 12.5,
        "prompt": {"text": "Go on?", "choices": ["Yes"]},
        "position_known": False,
        "stop_reach": "in_turn",
    }
    assert care_fields(Shows().view(row))["stop_reach"] is None
    assert motion_fields(Shows(live).view(row))["from_card"]
    assert live_status(row, Shows(live).view(row), None)["z_mm"] == 3.2
