"""Commands: issue, carry, answer, expire (link contract, "Command life")."""

import asyncio
from collections.abc import Sequence
from contextvars import copy_context

import pytest

from api.commands.models import Command
from api.commands.rules import MAX_WAITING
from api.commands.service import Commands
from api.db import Busy
from api.errors import Conflict, Invalid, Unavailable
from api.events.models import AuditEntry
from api.events.service import asked_from
from api.printers.models import Printer
from schemas.commands import CommandState, GcodeArgs, TemperatureArgs, Verb
from schemas.facts import CommandFact
from schemas.link import RemoteStop
from schemas.printer import PrinterState
from tests.fakes.farm import BRIDGE, BridgeId, Farm


async def issue(farm: Farm, printer: Printer, verb: Verb = Verb.CONNECT) -> Command:
    return await farm.commands.issue(farm.admin, printer, verb)


async def heat(farm: Farm, printer: Printer, **targets_c: float) -> Command:
    args = TemperatureArgs(targets_c=targets_c)
    return await farm.commands.issue(farm.admin, printer, Verb.TEMPERATURE, args)


async def states(commands: Sequence[Command]) -> list[str]:
    return [(await Command.get(id=each.id)).state for each in commands]


async def test_commands_of_a_room_are_numbered_in_order(farm: Farm) -> None:
    """Two printers of a room share one order, and a link carries it so."""
    one, two = await farm.printer(), await farm.printer("Two", "virtual:two")
    issued = [await issue(farm, each) for each in (one, two, one)]
    pending = await farm.commands.pending(BRIDGE, epoch=1)
    assert [each.id for each in pending] == [each.id for each in issued]
    assert [each.seq for each in pending] == [1, 2, 3]


async def test_offline_room_gets_no_command(farm: Farm) -> None:
    """Refused, not queued: nothing is released hours later (safety 0, findings 1)."""
    printer = await farm.printer()
    farm.bridges.is_online = False
    for verb in (Verb.CONNECT, Verb.REMOTE_STOP):
        with pytest.raises(Unavailable) as refused:
            await issue(farm, printer, verb)
        assert refused.value.code == "upstream_unavailable"
    assert "own switch" in refused.value.detail  # safety M08: say at once what does help
    assert await Command.all().count() == 0


async def test_a_verb_that_means_an_attempt_needs_one(farm: Farm) -> None:
    """Pausing an idle printer is a conflict, not a command."""
    printer = await farm.printer()
    with pytest.raises(Conflict, match="nothing to pause") as refused:
        await issue(farm, printer, Verb.PAUSE)
    assert refused.value.code == "invalid_state_transition"


async def test_arguments_of_another_verb_are_refused(farm: Farm) -> None:
    """A temperature is no G-code."""
    printer = await farm.printer()
    with pytest.raises(Invalid):
        args = GcodeArgs(lines=["G28"])
        await farm.commands.issue(farm.admin, printer, Verb.TEMPERATURE, args)


async def test_newer_temperature_replaces_the_unsent_older_without_losing_heaters(
    farm: Farm,
) -> None:
    """Coalescing keeps what the newer one does not say."""
    printer = await farm.printer()
    older = await heat(farm, printer, tool0=200, bed=50)
    newer = await heat(farm, printer, bed=60)
    assert await states([older, newer]) == ["superseded", "queued"]
    assert (await Command.get(id=newer.id)).args == {"targets_c": {"tool0": 200, "bed": 60}}
    await farm.commands.mark_sent([newer], epoch=1)
    await heat(farm, printer, bed=70)
    assert await states([newer]) == ["sent"]


async def jog(farm: Farm, printer: Printer, axes: str) -> Command:
    args = GcodeArgs(lines=["G91", "G1 X1", "G90"], jog=axes)
    return await farm.commands.issue(farm.admin, printer, Verb.GCODE, args)


async def test_move_by_hand_lives_two_seconds_and_gives_way_to_the_next(farm: Farm) -> None:
    """Link contract, "Command life" 3 and 4; other axes and lines of a terminal stay."""
    printer = await farm.printer()
    lines = await farm.commands.issue(farm.admin, printer, Verb.GCODE, GcodeArgs(["M117"]))
    moved = [await jog(farm, printer, axes) for axes in ("x", "y", "x")]
    assert await states([lines, *moved]) == ["queued", "superseded", "queued", "queued"]
    lives = [farm.commands.ttl_left_ms(each) for each in (lines, moved[-1])]
    assert lives == [30_000, 2_000]
    farm.clock.advance(-3600)
    assert farm.commands.ttl_left_ms(moved[-1]) == 2_000
    farm.clock.advance(3602)
    assert await farm.commands.expire_due() == 2
    assert await states([lines, *moved]) == ["queued", "superseded", "expired", "expired"]


async def test_after_a_stop_only_the_reset_passes(farm: Farm) -> None:
    """M10: from the moment the stop is asked for, not only from its report on."""
    printer = await farm.printer()
    await issue(farm, printer, Verb.REMOTE_STOP)
    with pytest.raises(Conflict) as refused:
        await issue(farm, printer, Verb.CONNECT)
    assert refused.value.code == "stopped"
    await farm.answer(await farm.last(Verb.REMOTE_STOP), CommandState.DONE)
    await farm.report(printer.id, PrinterState.HALTED)
    farm.restart()
    with pytest.raises(Conflict):
        await issue(farm, await farm.row(printer), Verb.CONNECT)
    await issue(farm, await farm.row(printer), Verb.RESET_STOP)


async def test_flood_is_refused_and_the_stop_passes(farm: Farm) -> None:
    """R44: a bounded queue a printer; a stop is never in it."""
    printer = await farm.printer()
    for _ in range(MAX_WAITING):
        await issue(farm, printer)
    with pytest.raises(Unavailable) as refused:
        await issue(farm, printer)
    assert refused.value.code == "rate_limited"
    await issue(farm, printer, Verb.REMOTE_STOP)


async def test_new_link_carries_again_what_no_journal_confirmed(farm: Farm) -> None:
    """Sent is not delivered; what was delivered is not sent again."""
    printer = await farm.printer()
    first, second = await issue(farm, printer), await issue(farm, printer)
    await farm.commands.mark_sent([first, second], epoch=1)
    assert await farm.commands.pending(BRIDGE, epoch=1) == []
    async with farm.ledger.change() as change:
        await farm.commands.delivered(change, BRIDGE, first.seq)
    again = await farm.commands.pending(BRIDGE, epoch=2)
    assert [each.id for each in again] == [second.id]


async def test_remote_stop_is_not_confirmed_by_the_order_of_others(farm: Farm) -> None:
    """It travels on its own lane: a later number says nothing about it."""
    printer = await farm.printer()
    stop = await issue(farm, printer, Verb.REMOTE_STOP)
    await farm.commands.mark_sent([stop], epoch=1)
    async with farm.ledger.change() as change:
        await farm.commands.delivered(change, BRIDGE, 99)
    assert await states([stop]) == ["sent"]


async def test_unsent_command_expires_and_a_sent_one_asks_the_bridge(
    farm: Farm,
) -> None:
    """M11: only the bridge can say whether a sent command came in time."""
    printer = await farm.printer()
    sent, unsent = await issue(farm, printer), await issue(farm, printer)
    await farm.commands.mark_sent([sent], epoch=1)
    farm.clock.advance(31)
    assert await farm.commands.expire_due() == 1
    assert await states([sent, unsent]) == ["sent", "expired"]
    [again] = await farm.commands.pending(BRIDGE, epoch=2)
    assert (again.id, farm.commands.ttl_left_ms(again)) == (sent.id, 0)


async def test_command_does_not_live_longer_when_the_wall_clock_is_set_back(farm: Farm) -> None:
    """Safety M12, R37: an hour back is not an hour more to start something."""
    command = await farm.commands.issue(farm.admin, await farm.printer(), Verb.CONNECT)
    farm.clock.advance(-3600.0)
    assert farm.commands.ttl_left_ms(command) == 30_000
    assert await farm.commands.expire_due() == 0


async def test_facts_step_the_table_and_nothing_else(farm: Farm) -> None:
    """I5: terminal is final, twice is once, `unknown` is resolved once."""
    printer = await farm.printer()
    command = await issue(farm, printer)
    steps = [
        (CommandState.STARTED, "started"),
        (CommandState.DELIVERED, "started"),
        (CommandState.UNKNOWN, "unknown"),
        (CommandState.REJECTED, "unknown"),
        (CommandState.DONE, "done"),
        (CommandState.FAILED, "done"),
        (CommandState.QUEUED, "done"),
    ]
    for said, then in steps:
        await farm.answer(command, said)
        assert await states([command]) == [then]
    assert (await farm.kinds()).count("command.done") == 1


async def test_another_bridges_word_counts_for_nothing(farm: Farm) -> None:
    """S59: a bridge speaks about its own commands only."""
    printer = await farm.printer()
    command = await issue(farm, printer)
    async with farm.ledger.change() as change:
        fact = CommandFact(id=command.id, state=CommandState.DONE)
        assert await farm.commands.record(change, BridgeId(8), fact) is None
    assert await states([command]) == ["queued"]


async def test_wait_returns_with_the_outcome(farm: Farm) -> None:
    """A waiter is woken by the fact, not by polling."""
    printer = await farm.printer()
    command = await issue(farm, printer)
    waiter = asyncio.create_task(farm.commands.wait(command.id, timeout_s=30))
    await asyncio.sleep(0)
    await farm.answer(command, CommandState.STARTED)
    await farm.answer(command, CommandState.FAILED, "port_lost")
    async with asyncio.timeout(5):
        over = await waiter
    assert (over.state, over.code) == ("failed", "port_lost")
    assert (await farm.commands.wait((await issue(farm, printer)).id, 0)).state == "queued"


async def test_withdrawing_works_only_before_it_left(farm: Farm) -> None:
    """What a link has carried cannot be taken back."""
    printer = await farm.printer()
    command = await issue(farm, printer)
    async with farm.ledger.change() as change:
        assert await farm.commands.withdraw(change, command.id)
        assert not await farm.commands.withdraw(change, command.id)
    assert await states([command]) == ["superseded"]


async def test_what_is_taken_back_while_a_link_picks_up_is_not_carried(farm: Farm) -> None:
    """Between looking and marking there is a commit of somebody else: the mark decides."""
    printer = await farm.printer()
    await farm.job(printer)
    await farm.scheduler.step()
    seen = await farm.commands.pending(7, epoch=1)
    async with farm.ledger.change() as change:
        await farm.commands.withdraw_starts(change, printer.id)
    assert not await farm.commands.mark_sent(seen, epoch=1)
    assert (await farm.last(Verb.START)).state == CommandState.SUPERSEDED


async def test_a_stop_goes_out_before_its_row_which_waits_for_those_who_write(farm: Farm) -> None:
    """Whatever is being written: M112 waits for none of it, and its row has the id it went by."""
    printer = await farm.printer()
    said: list[RemoteStop] = []
    outside = copy_context()  # of the open transaction
    with farm.commands.direct.link(BRIDGE, said.append, 3):
        async with asyncio.TaskGroup() as tasks, farm.ledger.change():
            pressed = [
                tasks.create_task(issue(farm, printer, Verb.REMOTE_STOP), context=outside)
                for _ in "ab"
            ]
            async with asyncio.timeout(5):
                while len(said) < 2:
                    await asyncio.sleep(0)
            assert set(farm.commands.direct.owed) == {said[0].id}
    assert {stop.id for stop in said} == {task.result().id for task in pressed}
    [row] = await Command.all()
    assert (row.id, row.printer_id) == (said[0].id, printer.id)
    assert (row.state, row.sent_epoch) == ("sent", 3)
    assert await AuditEntry.filter(action="printer.remote_stop").count() == 1
    assert farm.commands.direct.owed == {}


async def test_a_stop_whose_row_cannot_be_written_is_owed(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went out; as soon as rows can be written it has one, and an audit entry (M07)."""
    printer = await farm.printer()
    said: list[RemoteStop] = []

    async def full(self: Commands, *_: object, **__: object) -> Command:
        raise Busy("the disk is full")

    with farm.commands.direct.link(BRIDGE, said.append, 3):
        with monkeypatch.context() as trouble, pytest.raises(Busy):
            trouble.setattr(Commands, "issue_in", full)
            token = asked_from.set("192.0.2.7")
            await issue(farm, printer, Verb.REMOTE_STOP)
        asked_from.reset(token)
        assert await Command.all().count() == 0
        await farm.commands.expire_due()
    assert [row.id for row in await Command.all()] == [stop.id for stop in said]
    entry = await AuditEntry.get(action="printer.remote_stop")
    assert (entry.username, entry.remote_address) == (farm.admin.username, "192.0.2.7")


async def test_the_rooms_word_about_a_stop_may_come_before_its_row(farm: Farm) -> None:
    """It is written with the word, once."""
    printer = await farm.printer()
    said: list[RemoteStop] = []
    outside = copy_context()  # of the open transaction
    with farm.commands.direct.link(BRIDGE, said.append, 3):
        async with asyncio.TaskGroup() as tasks, farm.ledger.change() as change:
            stop = issue(farm, printer, Verb.REMOTE_STOP)
            pressed = tasks.create_task(stop, context=outside)
            async with asyncio.timeout(5):
                while not said:
                    await asyncio.sleep(0)
            bridge, done = BridgeId(BRIDGE), CommandFact(id=said[0].id, state=CommandState.DONE)
            assert await farm.commands.record(change, bridge, done) is not None
    assert pressed.result().state == CommandState.DONE
    assert await Command.all().count() == 1
    assert await AuditEntry.filter(action="printer.remote_stop").count() == 1
