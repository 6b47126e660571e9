"""Printers: made, changed, held by one attempt, their plates and queues."""

import asyncio
from dataclasses import replace

import pytest

from api.errors import Conflict, Invalid, NotFound
from api.printers.forms import PrinterCreate
from api.printers.models import Printer
from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.farm import BRIDGE, Farm

GRANT = "01GRANT0000000000000000000"


async def take(farm: Farm, printer: Printer, *, explicit: bool, grant: str = GRANT) -> str:
    async with farm.ledger.change() as change:
        return await farm.printers.take(change, printer, grant, explicit=explicit)


async def give_back(farm: Farm, printer: Printer, outcome: AttemptState) -> bool:
    async with farm.ledger.change() as change:
        return await farm.printers.give_back(change, printer.id, GRANT, outcome)


async def test_slug_is_ascii_unique_and_never_reused(farm: Farm) -> None:
    """Names become slugs; a deleted printer's slug stays taken."""
    first = await farm.printers.create(farm.admin, PrinterCreate(name="Prüsa MK3 №1"))
    await farm.printers.delete(farm.admin, first.id)
    second = await farm.printers.create(farm.admin, PrinterCreate(name="Prüsa MK3 №1"))
    assert [first.slug, second.slug] == ["prusa-mk3-no1", "prusa-mk3-no1-2"]
    assert (await farm.printers.by_slug(farm.admin, "prusa-mk3-no1-2")).id == second.id


async def test_printer_needs_a_port_that_its_bridge_lists(farm: Farm) -> None:
    """An unknown port is refused with the ports that there are; a used one names its printer."""
    with pytest.raises(Invalid) as refused:
        await farm.printers.create(
            farm.admin, PrinterCreate(name="A", bridge_id=BRIDGE, port_id="usb:9")
        )
    assert refused.value.code == "port_not_found"
    assert "usb:1" in refused.value.detail
    await farm.printer("One")
    with pytest.raises(Conflict) as taken:
        await farm.printer("Two")
    assert taken.value.code == "port_in_use"


async def test_second_printer_of_a_name_is_refused(farm: Farm) -> None:
    """v1 2.3: names are unique."""
    await farm.printer()
    with pytest.raises(Invalid, match="Printer 'One' already exists"):
        await farm.printers.create(farm.admin, PrinterCreate(name="One"))


async def test_profile_out_of_reason_is_refused_by_field(farm: Farm) -> None:
    """A ceiling of 900 °C is a typing error, not a printer."""
    for profile in ({"max_nozzle_c": 900}, {"width_mm": 0}, {"extruders": 99}, {"nozzle_mm": "x"}):
        with pytest.raises(Invalid) as refused:
            await farm.printers.create(farm.admin, PrinterCreate(name="A", profile=profile))
        assert refused.value.code == "validation_failed"


async def test_scripts_are_those_that_a_sender_runs(farm: Farm) -> None:
    """A script under a name that nothing runs would be a silent mistake."""
    printer = await farm.printer()
    scripts = {"on_pause": "G91\nG1 Z5\nG90"}
    await farm.printers.update(farm.admin, printer.id, {"scripts": scripts})
    [config] = await farm.printers.desired(BRIDGE)
    assert config.scripts == scripts
    with pytest.raises(Invalid, match="before_print"):
        await farm.printers.update(farm.admin, printer.id, {"scripts": {"pause": "M0"}})


async def test_change_of_configuration_reaches_the_bridge(farm: Farm) -> None:
    """What the bridge works by raises the desired version; a nickname does not."""
    printer = await farm.printer()
    version = farm.bridges.desired
    await farm.printers.update(farm.admin, printer.id, {"nickname": "Bob"})
    assert farm.bridges.desired == version
    await farm.printers.update(farm.admin, printer.id, {"profile": {"max_nozzle_c": 250}})
    assert farm.bridges.desired == version + 1
    [config] = await farm.printers.desired(BRIDGE)
    assert config.profile.max_nozzle_c == 250
    assert config.profile.max_bed_c == 120


async def test_update_takes_no_fields_that_are_not_peoples_to_set(farm: Farm) -> None:
    """S27: organization, state and grant in a PATCH change nothing."""
    printer = await farm.printer()
    await farm.printers.update(
        farm.admin, printer.id, {"organization_id": 2, "state": "printing", "active_grant": "x"}
    )
    row = await farm.row(printer)
    assert (row.organization_id, row.state, row.active_grant) == (1, "operational", None)


async def test_foreign_printers_are_not_there(farm: Farm) -> None:
    """S25: another organization's printer answers like none; a bound key sees only its own."""
    printer = await farm.printer()
    other = await farm.printer("Two", "virtual:two")
    stranger = replace(farm.admin, organization_id=2, is_superadmin=False)
    with pytest.raises(NotFound):
        await farm.printers.get(stranger, printer.id)
    assert await farm.printers.list(stranger) == []
    bound = replace(farm.admin, printer_id=other.id)
    assert [row.id for row in await farm.printers.list(bound)] == [other.id]
    assert (await farm.printers.default_printer(bound)).id == other.id
    with pytest.raises(NotFound):
        await farm.printers.get(bound, printer.id)


async def test_rows_in_memory_are_never_older_than_the_last_commit(farm: Farm) -> None:
    """Readers beside fifty changes always see what was committed before they asked."""
    printer = await farm.printer()
    await farm.printers.list(farm.admin)
    for turn in range(50):
        name = f"Name {turn}"
        readers = [asyncio.create_task(farm.printers.list(farm.admin)) for _ in range(3)]
        await farm.printers.update(farm.admin, printer.id, {"name": name})
        late = await asyncio.gather(*(farm.printers.list(farm.admin) for _ in range(3)))
        assert {rows[0].name for rows in late} == {name}
        await asyncio.gather(*readers)


async def test_failed_change_is_not_remembered(farm: Farm) -> None:
    """A rolled back update is nowhere, also not in memory."""
    printer = await farm.printer()
    with pytest.raises(RuntimeError):
        async with farm.ledger.change() as change:
            await farm.printers.hold_in(change, printer.id, "no")
            assert (await farm.printers.locked(change, printer.id)).queue_hold == "no"
            raise RuntimeError
    assert (await farm.printers.get(farm.admin, printer.id)).queue_hold == ""


async def test_of_fifty_attempts_one_gets_the_printer(farm: Farm) -> None:
    """I6, S55: takers at once find it busy, but one."""
    printer = await farm.printer()

    async def attempt(turn: int) -> str | None:
        try:
            return await take(farm, printer, explicit=True, grant=f"{turn:026d}")
        except Conflict as refused:
            assert refused.code == "printer_busy"
            return None

    claims = await asyncio.gather(*(attempt(turn) for turn in range(50)))
    assert len([claim for claim in claims if claim]) == 1


@pytest.mark.parametrize(
    ("policy", "plate", "explicit", "allowed"),
    [
        ("self_clearing", "unknown", False, True),
        ("start_confirms", "unknown", False, False),
        ("start_confirms", "unknown", True, True),
        ("start_confirms", "occupied", True, False),
        ("start_confirms", "clear", False, True),
        ("confirm", "unknown", True, False),
        ("confirm", "clear", True, True),
    ],
)
async def test_plate_policy_decides_who_may_start(
    farm: Farm, policy: str, plate: str, explicit: bool, allowed: bool
) -> None:
    """DESIGN 7, Plate: unknown means no, but for a person who names the printer."""
    printer = await farm.printer()
    await Printer.filter(id=printer.id).update(plate_policy=policy, plate_state=plate)
    if allowed:
        assert await take(farm, printer, explicit=explicit)
    else:
        with pytest.raises(Conflict) as refused:
            await take(farm, printer, explicit=explicit)
        assert refused.value.code == "plate_not_clear"


async def test_claim_of_a_clear_plate_is_consumed_by_one_print(farm: Farm) -> None:
    """M15, M16: clear is said once, used by one print, kept by an attempt that never started."""
    printer = await farm.printer("One", "usb:1")
    await farm.printers.plate_cleared(farm.admin, printer.id)
    claim = (await farm.row(printer)).plate_claim
    await farm.printers.plate_cleared(farm.admin, printer.id)
    assert await take(farm, printer, explicit=False) == claim
    with pytest.raises(Conflict) as refused:
        await farm.printers.plate_cleared(farm.admin, printer.id)
    assert refused.value.code == "printer_busy"
    await give_back(farm, printer, AttemptState.NOT_STARTED)
    assert await take(farm, printer, explicit=False) == claim
    await give_back(farm, printer, AttemptState.COMPLETED)
    row = await farm.row(printer)
    assert (row.plate_state, row.plate_claim) == ("occupied", "")
    assert (await farm.kinds()).count("printer.plate_cleared") == 1


@pytest.mark.parametrize("outcome", ["cancelled", "failed", "interrupted"])
async def test_queue_holds_after_a_bad_end_until_released(farm: Farm, outcome: str) -> None:
    """DESIGN 7, Queue: after a cancel, a failure or an interruption a person releases it."""
    printer = await farm.printer()
    await take(farm, printer, explicit=False)
    assert await give_back(farm, printer, AttemptState(outcome))
    assert outcome in (await farm.row(printer)).queue_hold
    await farm.printers.release_queue(farm.admin, printer.id)
    assert (await farm.row(printer)).queue_hold == ""


async def test_printer_is_given_back_once(farm: Farm) -> None:
    """A second end of the same attempt changes nothing."""
    printer = await farm.printer()
    await take(farm, printer, explicit=False)
    assert await give_back(farm, printer, AttemptState.COMPLETED)
    assert not await give_back(farm, printer, AttemptState.FAILED)
    row = await farm.row(printer)
    assert (row.print_count, row.queue_hold) == (1, "")


async def test_stopped_and_offline_printers_start_nothing(farm: Farm) -> None:
    """M10: halted is latched; everything but operational is refused."""
    printer = await farm.printer()
    for state, code in (
        (PrinterState.HALTED, "stopped"),
        (PrinterState.OFFLINE, "printer_not_operational"),
    ):
        await farm.report(printer.id, state)
        with pytest.raises(Conflict) as refused:
            await take(farm, printer, explicit=True)
        assert refused.value.code == code


async def test_printing_printer_cannot_be_deleted_or_rewired(farm: Farm) -> None:
    """DESIGN 7, Tenancy: 409 while it prints; then its queue becomes unassigned."""
    printer = await farm.printer()
    job = await farm.job(printer)
    await take(farm, printer, explicit=False)
    for change in ({"port_id": "usb:1"}, {"profile": {"max_nozzle_c": 300}}):
        with pytest.raises(Conflict):
            await farm.printers.update(farm.admin, printer.id, change)
    with pytest.raises(Conflict):
        await farm.printers.delete(farm.admin, printer.id)
    await give_back(farm, printer, AttemptState.COMPLETED)
    await farm.printers.delete(farm.admin, printer.id)
    job = await farm.job_now(job)
    assert (job.printer_id, job.pinned, job.state) == (None, False, "pending")
    with pytest.raises(NotFound):
        await farm.printers.get(farm.admin, printer.id)
    assert await farm.printers.on_bridge(BRIDGE) == []
    await farm.printer("Another")  # its port is free again
