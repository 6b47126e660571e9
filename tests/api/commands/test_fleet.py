"""Many printers at once: each is asked by itself, and the answer is honest about each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tortoise.exceptions import OperationalError

from api.bus.local import LocalBus
from api.commands import control
from api.commands import machine as machines
from api.commands.control import Aim
from api.commands.fleet import MAX_PRINTERS, Choice, Fleet, FleetAction
from api.commands.machine import Machine
from api.commands.models import Command
from api.errors import Forbidden, Invalid, NotFound, Unavailable
from api.events.models import AuditEntry, Event
from api.events.rehearsal import Rehearsed, rehearsing
from api.events.service import Ledger
from api.pools.service import NewPool
from api.principal import Principal, Role
from api.printers.models import Printer
from api.printers.rows import STRUCTURE, PrinterRows, bell
from schemas.commands import CommandState, Verb
from schemas.jobs import AttemptEvent, JobState
from schemas.link import RemoteStop
from schemas.printer import PrinterState
from tests.api.conftest import FakeClock
from tests.api.pools.test_pools import foreigner
from tests.fakes.farm import BRIDGE, Farm

_S = PrinterState


class Hidden:
    """Telemetry that shows nothing."""

    def view(self, printer: object) -> object:
        raise NotImplementedError


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
def machine(farm: Farm) -> Machine:
    return Machine(farm.printers, farm.commands, farm.jobs.control, Hidden(), farm.ledger)  # type: ignore[arg-type]


@pytest.fixture
def fleet(farm: Farm, machine: Machine) -> Fleet:
    return Fleet(farm.printers, farm.pools, machine, farm.jobs, ledger=farm.ledger)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits seconds for an answer that it does not give."""
    for verb, aim in control.AIMS.items():
        wait_s = 5.0 if verb is Verb.REMOTE_STOP else 0.05
        monkeypatch.setitem(control.AIMS, verb, Aim(aim.states, wait_s))
    monkeypatch.setattr(machines, "OUTCOME_WAIT_S", 5.0)
    monkeypatch.setattr(machines, "SEND_WAIT_S", 0.05)


@asynccontextmanager
async def obeying(farm: Farm, codes: dict[int, str]) -> AsyncIterator[None]:
    """A room whose printers stop, and say how their firmware obeys."""

    async def room() -> None:
        done: set[str] = set()
        while True:
            for stop in await Command.filter(verb=Verb.REMOTE_STOP, printer_id__in=[*codes]):
                if stop.id not in done:
                    done.add(stop.id)
                    await farm.report(stop.printer_id, _S.HALTED, "stopped remotely")
                    await farm.answer(stop, CommandState.DONE, codes[stop.printer_id])
            await asyncio.sleep(0)

    task = asyncio.create_task(room())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def printing(farm: Farm, name: str, port_id: str) -> Printer:
    """A printer with a print."""
    printer = await farm.printer(name, port_id)
    await farm.job(printer)
    assert await farm.scheduler.step() == 1
    await farm.run(printer, AttemptEvent.STARTED)
    await farm.report(printer.id, _S.PRINTING)
    return printer


async def test_fleet_stop_says_honestly_what_became_of_each_printer(
    farm: Farm, fleet: Fleet
) -> None:
    """Obeyed at once, obeyed in turn (power switch), by hand (power switch), unknown number."""
    one = await farm.printer("One", "usb:1")
    two = await farm.printer("Two", "usb:2")
    hand = await farm.printer("Hand", None)
    chosen = Choice(printer_ids=[one.id, two.id, hand.id, 987])
    async with obeying(farm, {one.id: "at_once", two.id: "in_turn"}):
        found = await fleet.stop(farm.admin, chosen)
    assert [(each.sent, each.reached, each.obeys_at_once) for each in found] == [
        *((True, True, True), (True, True, False)),
        *((False, False, None), (False, False, None)),
    ]
    assert [each.needs_power_switch for each in found] == [False, True, True, True]
    assert "power switch" in found[2].message
    assert (found[3].name, "no printer number 987" in found[3].message) == (None, True)


async def test_a_fleet_stop_without_a_choice_stops_all_and_is_latched(
    farm: Farm, fleet: Fleet
) -> None:
    """Latched like the single stop: nothing goes through until each is reset."""
    one, two = await farm.printer("One", "usb:1"), await farm.printer("Two", "usb:2")
    async with obeying(farm, {one.id: "at_once", two.id: "at_once"}):
        found = await fleet.stop(farm.admin, Choice())
    assert {each.printer_id: each.reached for each in found} == {one.id: True, two.id: True}
    again = await fleet.control(farm.admin, Choice(tag=""), FleetAction.CONNECT)
    assert again == []
    refused = await fleet.control(farm.admin, Choice(printer_ids=[one.id]), FleetAction.CONNECT)
    assert [(each.code, each.status) for each in refused] == [("stopped", 409)]
    [entry] = await AuditEntry.filter(action="fleet.stopped")
    assert entry.details == {
        **{"printer_ids": [one.id, two.id], "printers": 2},
        **{"reached": 2, "power_switch": 0},
    }
    assert await Event.filter(kind="fleet.stopped").count() == 1


async def test_who_is_not_reachable_is_not_stopped_and_its_queue_waits(
    farm: Farm, fleet: Fleet
) -> None:
    """Nothing is sent later by surprise, and nothing starts by itself when the room is back."""
    printer = await farm.printer("One", "usb:1")
    farm.bridges.is_online = False
    [found] = await fleet.stop(farm.admin, Choice())
    assert (found.sent, found.reached, found.held) == (False, False, True)
    assert found.needs_power_switch
    assert "Nothing was stopped" in found.message
    assert await Command.all().count() == 0
    assert (await farm.row(printer)).queue_hold.startswith("Stopped")


async def test_a_fleet_stop_does_not_wait_for_a_database_that_is_away(
    farm: Farm, fleet: Fleet, bus: LocalBus
) -> None:
    """Those that are remembered are stopped, though their rows changed since; nobody else (M07)."""
    one = await farm.printer("One", "usb:1")
    assert await farm.printers.list(farm.admin)
    said: list[RemoteStop] = []
    connection = Printer._meta.db
    with farm.commands.direct.link(BRIDGE, said.append, 1):
        bus.ring([STRUCTURE, bell(one.id)])
        await connection.execute_script("ALTER TABLE printer RENAME TO away")
        await connection.execute_script("ALTER TABLE event RENAME TO gone")
        found = await fleet.stop(farm.admin, Choice(printer_ids=[one.id, 77]))
    assert [each.printer for each in said] == [one.id]
    known, unknown = sorted(found, key=lambda each: each.printer_id)
    assert "database is down" in known.message
    assert "Nothing was stopped" in unknown.message
    await connection.execute_script("ALTER TABLE away RENAME TO printer")
    await connection.execute_script("ALTER TABLE gone RENAME TO event")
    await farm.commands.expire_due()
    assert [row.id for row in await Command.filter(verb=Verb.REMOTE_STOP)] == [said[0].id]


async def test_a_stop_of_all_that_knows_of_none_is_no_success(farm: Farm, fleet: Fleet) -> None:
    """M08: a process that has read no printer yet stops nothing while the database is away."""
    await farm.printer("One", "usb:1")
    farm.printers._rows = PrinterRows(LocalBus())
    connection = Printer._meta.db
    await connection.execute_script("ALTER TABLE printer RENAME TO away")
    with pytest.raises(OperationalError):
        await fleet.stop(farm.admin, Choice())
    await connection.execute_script("ALTER TABLE away RENAME TO printer")
    assert len(await fleet.stop(farm.admin, Choice())) == 1


async def test_a_printer_that_is_not_remembered_is_stopped_when_the_database_is_only_slow(
    farm: Farm, machine: Machine, bus: LocalBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for: nothing is called down that answers late."""
    await farm.printers.list(farm.admin)
    late = await farm.printer("Late", "usb:2")
    bus.ring([STRUCTURE])
    monkeypatch.setattr(machines, "STOP_S", 0.0)
    said: list[RemoteStop] = []
    with farm.commands.direct.link(BRIDGE, said.append, 1):
        await machine.remote_stop(farm.admin, late.id)
    assert [each.printer for each in said] == [late.id]


@pytest.mark.parametrize("is_fleet", [True, False])
async def test_a_start_that_waits_for_an_absent_room_is_taken_back(
    farm: Farm, fleet: Fleet, machine: Machine, *, is_fleet: bool
) -> None:
    """By a fleet stop as by a single one: the job waits again, and its printer's queue holds."""
    printer = await farm.printer("One", "virtual:one")
    job = await farm.job(printer)
    assert await farm.scheduler.step() == 1
    farm.bridges.is_online = False
    if is_fleet:
        [found] = await fleet.stop(farm.admin, Choice())
        assert found.held
    else:
        with pytest.raises(Unavailable, match="queue waits") as refused:
            await machine.remote_stop(farm.admin, printer.id)
        assert refused.value.extra == {"queue_held": True}
    start = await farm.last(Verb.START)
    assert (start.state, start.code) == (CommandState.SUPERSEDED, "stopped")
    assert (await farm.job_now(job)).state == JobState.PENDING
    farm.bridges.is_online = True
    assert await farm.commands.pending(BRIDGE, epoch=2) == []
    assert await farm.scheduler.step() == 0
    row = await farm.row(printer)
    assert (row.active_grant, row.queue_hold) == (None, "Stopped while it could not be reached.")
    await farm.printers.release_queue(farm.admin, printer.id)
    assert await farm.scheduler.step() == 1


async def test_a_start_that_may_have_come_to_an_absent_room_has_no_life_left(
    farm: Farm, fleet: Fleet
) -> None:
    """Only the bridge can say whether it has it: it is asked, and does not start it any more."""
    printer = await farm.printer("One", "virtual:one")
    job = await farm.job(printer)
    await farm.scheduler.step()
    start = await farm.last(Verb.START)
    await farm.commands.mark_sent([start], epoch=1)
    farm.bridges.is_online = False
    await fleet.stop(farm.admin, Choice())
    [again] = await farm.commands.pending(BRIDGE, epoch=2)
    assert (again.id, farm.commands.ttl_left_ms(again)) == (start.id, 0)
    await farm.answer(again, CommandState.EXPIRED, "expired")
    assert (await farm.job_now(job)).state == JobState.PENDING


async def test_a_stop_that_reaches_its_room_overtakes_a_start_that_does_not(
    farm: Farm, fleet: Fleet
) -> None:
    """The start is taken back in the stop's own transaction; nothing is left for after a reset."""
    printer = await farm.printer("One", "virtual:one")
    job = await farm.job(printer)
    await farm.scheduler.step()
    start = await farm.last(Verb.START)
    async with obeying(farm, {printer.id: "at_once"}):
        [found] = await fleet.stop(farm.admin, Choice())
    assert (found.reached, found.held) == (True, False)
    assert (await farm.commands.get(start.id)).state == CommandState.SUPERSEDED
    assert (await farm.job_now(job)).state == JobState.PENDING
    assert (await farm.row(printer)).active_grant is None


async def test_bulk_control_has_a_result_for_each_printer(farm: Farm, fleet: Fleet) -> None:
    """One cannot be told, one has no such print, one does not exist: the fourth is not in doubt."""
    paused = await printing(farm, "One", "virtual:one")
    await farm.report(paused.id, _S.PAUSED)
    idle = await farm.printer("Two", "virtual:two")
    hand = await farm.printer("Hand", None)
    chosen = Choice(printer_ids=[paused.id, idle.id, hand.id, 987, idle.id])
    found = await fleet.control(farm.admin, chosen, FleetAction.PAUSE)
    assert [(each.printer_id, each.success, each.code) for each in found] == [
        (paused.id, True, None),
        (idle.id, False, "invalid_state_transition"),
        (hand.id, False, "upstream_unavailable"),
        (987, False, "printer_not_found"),
    ]
    assert [each.status for each in found] == [200, 400, 503, 404]
    assert (found[0].state, found[0].message) == ("PAUSED", "One reports PAUSED")


@pytest.mark.parametrize("by_tag", [True, False])
async def test_bulk_control_reaches_those_of_a_tag_or_of_a_pool(
    farm: Farm, fleet: Fleet, *, by_tag: bool
) -> None:
    """And nobody else."""
    one = await farm.printer("One", "virtual:one")
    two = await farm.printer("Two", "virtual:two")
    await farm.printers.update(farm.admin, one.id, {"tags": ["petg"]})
    pool = await farm.pools.create(farm.admin, NewPool(name="Pool", tags=["petg"]))
    choice = Choice(tag="petg") if by_tag else Choice(pool_id=pool.id)
    [found] = await fleet.control(farm.admin, choice, FleetAction.HOLD_QUEUE)
    assert (found.printer_id, found.success) == (one.id, True)
    assert (await farm.row(one)).queue_hold
    assert not (await farm.row(two)).queue_hold
    await fleet.control(farm.admin, choice, FleetAction.RELEASE_QUEUE)
    assert not (await farm.row(one)).queue_hold
    [entry, _] = await AuditEntry.filter(action="printers.controlled").order_by("id")
    assert entry.details == {"command": "hold_queue", "printer_ids": [one.id], "succeeded": 1}


async def test_targets_above_a_printers_ceiling_are_refused_for_that_one(
    farm: Farm, fleet: Fleet
) -> None:
    """Each is held against its own profile; the others are told."""
    one = await farm.printer("One", "virtual:one")
    two = await farm.printer("Two", "virtual:two")
    await farm.printers.update(farm.admin, one.id, {"profile": {"max_bed_c": 70}})
    chosen = Choice(printer_ids=[one.id, two.id])
    targets = {"bed": 90.0}
    found = await fleet.control(farm.admin, chosen, FleetAction.TEMPERATURE, targets)
    assert [each.code for each in found] == ["limit_exceeded", "upstream_unavailable"]
    told = await farm.last(Verb.TEMPERATURE)
    assert (told.printer_id, told.args) == (two.id, {"targets_c": targets})
    with pytest.raises(Invalid, match="targets_c"):
        await fleet.control(farm.admin, chosen, FleetAction.TEMPERATURE)


async def test_a_dry_run_tells_nobody_anything(farm: Farm, fleet: Fleet) -> None:
    """It says who would be told, and who would refuse; a stop's M112 goes past the rows."""
    one = await farm.printer("One", "virtual:one")
    hand = await farm.printer("Hand", None)
    chosen = Choice(printer_ids=[one.id, hand.id])
    said: list[RemoteStop] = []
    with farm.commands.direct.link(BRIDGE, said.append, 1):
        for call in (
            lambda: fleet.control(farm.admin, chosen, FleetAction.DISCONNECT),
            lambda: fleet.stop(farm.admin, chosen),
        ):
            with rehearsing() as rehearsal, pytest.raises(Rehearsed):
                await call()
            assert rehearsal.facts["printer_ids"] == [one.id, hand.id]
        assert rehearsal.facts["not_reachable"] == [hand.id]
        with rehearsing() as rehearsal, pytest.raises(Rehearsed):
            await farm.commands.issue(farm.admin, one, Verb.REMOTE_STOP)
    assert (said, farm.commands.direct.owed) == ([], {})
    assert await Command.all().count() == 0
    assert await AuditEntry.filter(action__startswith="fleet").count() == 0


async def test_many_printers_are_for_staff_of_their_own_farm(farm: Farm, fleet: Fleet) -> None:
    """A viewer, a bound key and a foreigner reach nothing; there is a cap."""
    printer = await farm.printer("One", "virtual:one")
    viewer = replace(farm.admin, role=Role.VIEWER)
    bound = replace(farm.admin, printer_id=printer.id)
    chosen = Choice(printer_ids=[printer.id])
    for by in (viewer, bound):
        with pytest.raises(Forbidden):
            await fleet.stop(by, chosen)
    [found] = await fleet.control(foreigner(), chosen, FleetAction.HOLD_QUEUE)
    assert found.code == "printer_not_found"
    many = Choice(printer_ids=range(1, MAX_PRINTERS + 2))
    with pytest.raises(Invalid, match="500 are allowed"):
        await fleet.control(farm.admin, many, FleetAction.HOLD_QUEUE)
    with pytest.raises(NotFound):
        await fleet.stop(farm.admin, Choice(pool_id=99))
