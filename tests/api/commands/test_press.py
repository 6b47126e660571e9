"""One press is one stop, whatever the database does meanwhile (safety M07, M09)."""

import asyncio
from collections.abc import Iterator
from contextvars import copy_context
from dataclasses import replace
from typing import Any

import pytest
from tortoise.queryset import QuerySet

from api.commands import control
from api.commands import machine as machines
from api.commands.control import Aim
from api.commands.machine import Machine
from api.commands.models import Command
from api.db import Busy
from api.events.models import AuditEntry
from api.events.writers import Writers
from schemas.commands import Verb
from schemas.link import RemoteStop
from schemas.printer import PrinterState
from tests.api.commands.test_fleet import Hidden
from tests.api.conftest import FakeClock
from tests.fakes.farm import BRIDGE, Farm


@pytest.fixture
def machine(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Which waits for no answer long."""
    for verb, aim in control.AIMS.items():
        monkeypatch.setitem(control.AIMS, verb, Aim(aim.states, 0.05))
    monkeypatch.setattr(machines, "OUTCOME_WAIT_S", 0.05)
    hidden: Any = Hidden()
    return Machine(farm.printers, farm.commands, farm.jobs.control, hidden, farm.ledger)


@pytest.fixture
def said(farm: Farm) -> Iterator[list[RemoteStop]]:
    """What the room hears on its own lane."""
    heard: list[RemoteStop] = []
    with farm.commands.direct.link(BRIDGE, heard.append, 3):
        yield heard


async def once(farm: Farm, said: list[RemoteStop]) -> None:
    """It was one stop for the room, for the rows and for the audit log."""
    for _ in ("written", "seen to be there"):
        await farm.commands.expire_due()
    assert [row.id for row in await Command.all()] == [*{stop.id for stop in said}]
    assert await AuditEntry.filter(action="printer.remote_stop").count() == 1
    assert farm.commands.direct.owed == {}


async def test_a_row_that_is_refused_late_makes_no_second_stop(
    farm: Farm,
    machine: Machine,
    said: list[RemoteStop],
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PostgreSQL's limit for locks is longer than what counts as pressed again."""
    printer = await farm.printer()

    async def late(*_: object, **__: object) -> Command:
        clock.advance(3.0)
        raise Busy("canceling statement due to lock timeout")

    with monkeypatch.context() as trouble:
        trouble.setattr(farm.commands, "issue_in", late)
        await machine.remote_stop(farm.admin, printer.id)
    assert len(said) == 2
    await once(farm, said)


async def test_an_outcome_that_cannot_be_read_makes_no_second_stop(
    farm: Farm, machine: Machine, said: list[RemoteStop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row is there; then the database goes away."""
    printer = await farm.printer()

    async def away(*_: object, **__: object) -> Command:
        raise Busy("canceling statement due to statement timeout")

    monkeypatch.setattr(farm.commands, "settle", away)
    await machine.remote_stop(farm.admin, printer.id)
    await once(farm, said)


async def test_two_who_press_at_once_are_both_in_the_audit_log(
    farm: Farm, said: list[RemoteStop]
) -> None:
    """The printer is told one stop; who presses twice is there once."""
    printer = await farm.printer()
    eve = replace(farm.admin, user_id=2, username="eve")
    outside = copy_context()  # of the open transaction
    async with asyncio.TaskGroup() as tasks, farm.ledger.change():
        for by in (farm.admin, eve, farm.admin):
            press = farm.commands.issue(by, printer, Verb.REMOTE_STOP)
            tasks.create_task(press, context=outside.copy())
        async with asyncio.timeout(5):
            while len(said) < 3:
                await asyncio.sleep(0)
    entries = await AuditEntry.filter(action="printer.remote_stop")
    assert sorted(entry.username for entry in entries) == ["admin", "eve"]
    assert await Command.all().count() == 1


async def test_a_room_that_goes_after_it_was_told_was_told(
    farm: Farm, said: list[RemoteStop]
) -> None:
    """Its stop is written: "nothing was stopped" would not be true."""
    printer = await farm.printer()
    outside = copy_context()  # of the open transaction
    async with farm.ledger.change():
        press = farm.commands.issue(farm.admin, printer, Verb.REMOTE_STOP)
        pressed = asyncio.create_task(press, context=outside)
        async with asyncio.timeout(5):
            while not said:
                await asyncio.sleep(0)
        farm.bridges.is_online = False
    assert (await pressed).id == said[0].id
    await once(farm, said)


async def test_a_stop_that_gets_its_row_meanwhile_is_not_owed_twice(
    farm: Farm, said: list[RemoteStop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`issue` forgets it between the question for its row and the answer; the queue goes on."""
    printer = await farm.printer()
    direct = farm.commands.direct
    direct.press(farm.admin, (1, printer.id, printer.name), BRIDGE)
    await farm.commands.keep_owed()
    written, exists = direct.owed.pop, QuerySet.exists

    def there(query: "QuerySet[Command]") -> object:
        written(said[0].id)
        return exists(query)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(QuerySet, "exists", there)
        await farm.commands.keep_owed()
    assert direct.owed == {}
    assert await Command.all().count() == 1


async def test_a_reset_that_waits_for_its_row_is_older_than_the_stop_that_overtakes_it(
    farm: Farm, machine: Machine, said: list[RemoteStop], clock: FakeClock
) -> None:
    """M10: its id tells when it was asked for, so the printer's sender can refuse it; and a stop
    goes out though the printer shows the one before.
    """
    printer = await farm.printer()
    await farm.report(printer.id, PrinterState.HALTED, "stopped")
    writers = farm.ledger._writers.setdefault(None, Writers())
    async with writers.turn():
        asked = farm.commands.issue(farm.admin, printer, Verb.RESET_STOP)
        reset = asyncio.create_task(asked)
        await asyncio.sleep(0)
        clock.advance(1.0)
        pressed = asyncio.create_task(machine.remote_stop(farm.admin, printer.id))
        async with asyncio.timeout(5):
            while not said:
                await asyncio.sleep(0)
        clock.advance(1.0)
    assert (await reset).id < said[0].id
    await asyncio.wait_for(pressed, 5)


async def test_a_stop_that_got_its_row_late_is_not_newer_than_the_reset_before_it(
    farm: Farm, machine: Machine, said: list[RemoteStop], clock: FakeClock
) -> None:
    """It went out past the database: its number is higher, and its press was before."""
    printer = await farm.printer()
    farm.commands.direct.press(farm.admin, (1, printer.id, printer.name), BRIDGE)
    clock.advance(3)
    await farm.report(printer.id, PrinterState.HALTED, "stopped")
    await farm.commands.issue(farm.admin, await farm.row(printer), Verb.RESET_STOP)
    await farm.commands.keep_owed()
    clock.advance(3)
    await machine.remote_stop(farm.admin, printer.id)
    assert len({stop.id for stop in said}) == 2


async def test_a_press_that_joined_anothers_stays_with_it(
    farm: Farm, machine: Machine, said: list[RemoteStop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried again past the database, it is the stop that the room has."""
    printer = await farm.printer()
    eve = replace(farm.admin, user_id=2, username="eve")
    farm.commands.direct.press(eve, (1, printer.id, printer.name), BRIDGE)

    async def away(*_: object, **__: object) -> Command:
        raise Busy("canceling statement due to statement timeout")

    monkeypatch.setattr(farm.commands, "settle", away)
    await machine.remote_stop(farm.admin, printer.id)
    assert len(said) == 3
    assert len({stop.id for stop in said}) == 1
