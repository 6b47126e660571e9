"""Plugs are switched by command, once, and never take the power from a print by accident."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bridge.agent import plugs as room
from bridge.agent.commands import CommandRow
from bridge.agent.database import Clock
from bridge.agent.handover import stop_row
from bridge.agent.journal import Journal
from bridge.control.messages import Status
from schemas.commands import CommandState, PlugAction, PlugArgs, Verb
from schemas.facts import AlarmFact, CommandFact, PlugFact
from schemas.link import Desired, RemoteStop
from schemas.plugs import address_of
from schemas.printer import Live, PlugConfig, PrinterConfig, PrinterState, Temperature
from tests.fakes.hall import CONFIG, Hall, hall_of
from tests.fakes.plug import FakePlug, plugged_in
from tests.fakes.sender import FakeSender

ON, OFF, STATE = PlugArgs(PlugAction.ON), PlugArgs(PlugAction.OFF), PlugArgs(PlugAction.STATE)


def with_plug(**more: bool) -> PrinterConfig:
    """The hall's printer, fed by a plug."""
    plug = PlugConfig(kind="tasmota", host="192.168.1.30", **more)
    return msgspec.structs.replace(CONFIG, plug=plug)


@asynccontextmanager
async def fed(directory: Path, plug: FakePlug, **more: bool) -> AsyncIterator[Hall]:
    """A hall whose printer is fed by *plug*, which answers."""
    async with plugged_in(plug), hall_of(directory, FakeSender()) as hall:
        hall.fleet.plugs.locate = plug.address
        await hall.fleet.configure(Desired(version=2, printers=[with_plug(**more)]))
        await hall.until(lambda: hall.sender.configured)
        yield hall


async def order(hall: Hall, args: PlugArgs, **more: int) -> str:
    return await hall.command(Verb.PLUG, args, **more)


async def ended(hall: Hall, command_id: str) -> CommandFact:
    """How the command ended."""
    found: list[CommandFact] = []

    async def over() -> bool:
        facts = [one for one in await hall.facts() if isinstance(one, CommandFact)]
        found[:] = [one for one in facts if one.id == command_id and one.state != "started"]
        return bool(found)

    await hall.until(over)
    return found[0]


async def said(hall: Hall) -> list[PlugFact]:
    return [one for one in await hall.facts() if isinstance(one, PlugFact)]


async def show(hall: Hall, state: PrinterState, nozzle_c: float = 20.0) -> None:
    """The printer's sender reports this, and the agent has heard it."""
    temps = {"tool0": Temperature(nozzle_c), "bed": Temperature(90.0)}
    live = Live(printer=1, state=state, temps=temps)
    hall.sender.tell(Status(live=live))
    await hall.until(lambda: hall.live.picture(1) == live)


async def test_a_plug_is_switched_and_tells_how_it_stands(quick_dir: Path) -> None:
    """Started is in the journal before, what the plug says before done: the fact is there then."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        for args, is_on in ((OFF, False), (ON, True), (STATE, True)):
            command_id = await order(hall, args)
            await hall.told(command_id, "started", "done")
            assert (await said(hall))[-1] == PlugFact(
                printer=1, is_on=is_on, power_w=121.0, energy_kwh=3.185
            )
        assert len(plug.orders) == 2


async def test_a_command_that_comes_twice_switches_once(quick_dir: Path) -> None:
    """safety R11: a repeated id is answered from the journal."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        cmd = hall.api.command(1, Verb.PLUG, OFF)
        await hall.fleet.commands([cmd])
        await ended(hall, cmd.id)
        await hall.fleet.commands([cmd])
        await hall.told(cmd.id, "started", "done", "done")
        assert len(plug.orders) == 1


async def test_no_print_and_no_hot_nozzle_loses_its_power(quick_dir: Path) -> None:
    """safety M27: refused with the reason unless somebody insists; on is no danger."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        for state, nozzle_c, why in (
            (PrinterState.PRINTING, 20.0, "it prints"),
            (PrinterState.PAUSED, 20.0, "it prints"),
            (PrinterState.OPERATIONAL, 180.0, "its nozzle is at 180 °C"),
        ):
            await show(hall, state, nozzle_c)
            end = await ended(hall, await order(hall, OFF))
            assert (end.state, end.code) == (CommandState.REJECTED, "needs_power")
            assert why in end.reason
        assert plug.orders == []
        assert (await ended(hall, await order(hall, ON))).state == CommandState.DONE
        forced = await order(hall, PlugArgs(PlugAction.OFF, force=True))
        assert (await ended(hall, forced)).state == CommandState.DONE
        assert plug.is_on is False


async def test_a_plug_that_does_not_do_it_has_not_done_it(quick_dir: Path) -> None:
    """It stays on, it is not there, it is of a kind that nobody knows: failed, and why."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        plug.obeys = False
        end = await ended(hall, await order(hall, OFF))
        assert (end.state, end.code) == (CommandState.FAILED, "plug_failed")
        assert "stays as it was" in end.reason
        plug.raw = b""
        end = await ended(hall, await order(hall, STATE))
        assert "cannot be reached" in end.reason
        assert (await said(hall))[-1].is_on is None
        hall.fleet.plugs.locate = address_of
        config = msgspec.structs.replace(
            CONFIG, plug=PlugConfig(kind="tasmota", host="169.254.169.254")
        )
        await hall.fleet.configure(Desired(version=3, printers=[config]))
        end = await ended(hall, await order(hall, ON))
        assert "not in a room's own network" in end.reason
        other = msgspec.structs.replace(CONFIG, plug=PlugConfig(kind="mqtt", host="192.168.1.30"))
        await hall.fleet.configure(Desired(version=4, printers=[other]))
        end = await ended(hall, await order(hall, ON))
        assert "does not know plugs of the kind mqtt" in end.reason
        await hall.fleet.configure(Desired(version=5, printers=[CONFIG]))
        end = await ended(hall, await order(hall, ON))
        assert (end.state, end.code) == (CommandState.REJECTED, "no_plug")


async def test_an_order_that_waited_too_long_is_not_carried_out(quick_dir: Path) -> None:
    """Its deadline runs while another one is under way: expired, and nothing happened."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        go_on = asyncio.Event()
        plug.hold = go_on.wait
        first = await order(hall, STATE)
        await hall.told(first, "started")
        late = await order(hall, OFF, ttl_left_ms=1)
        hall.now_s += 1.0
        go_on.set()
        assert (await ended(hall, late)).state == CommandState.EXPIRED
        assert plug.orders == []


async def test_what_a_killed_agent_began_is_unknown(quick_dir: Path) -> None:
    """safety R03: a plug that was being told is not told again; what was not begun is."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        go_on = asyncio.Event()
        plug.hold = go_on.wait
        begun = await order(hall, OFF)
        await hall.told(begun, "started")
        waiting = await order(hall, STATE)
        await hall.fleet.close()
        plug.hold = None
        before = len(plug.orders)
        hall.take_up(hall.journal)
        hall.fleet.plugs.locate = plug.address
        await hall.fleet.open()
        end = await ended(hall, begun)
        assert (end.state, end.code) == (CommandState.UNKNOWN, "agent_restarted")
        assert (await ended(hall, waiting)).state == CommandState.DONE
        assert len(plug.orders) == before
        go_on.set()


async def test_a_remote_stop_cuts_the_power_where_it_is_set_so(quick_dir: Path) -> None:
    """A machine without an emergency parser is off, whatever it prints, and nobody undoes it."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug, off_on_stop=True) as hall:
        await show(hall, PrinterState.PRINTING, 210.0)
        go_on = asyncio.Event()
        plug.hold = go_on.wait
        waiting = await order(hall, STATE)
        await hall.told(waiting, "started")
        meanwhile = await order(hall, ON)
        hall.fleet.remote_stop(RemoteStop(id="s1", printer=1))
        await hall.until(lambda: plug.orders)  # past the turn of what waits
        go_on.set()

        async def told() -> list[str]:
            return [one.code for one in await hall.facts() if isinstance(one, AlarmFact)]

        await hall.until(told)
        assert await told() == ["power_cut"]
        end = await ended(hall, meanwhile)
        assert (end.state, end.code) == (CommandState.REJECTED, "stopped")
        assert plug.is_on is False
        cut = len(plug.orders)
        hall.fleet.remote_stop(RemoteStop(id="s1", printer=1))  # the same stop, again
        assert (await ended(hall, await order(hall, ON))).state == CommandState.DONE
        assert len(plug.orders) == cut + 1


async def test_a_stop_that_a_killed_agent_heard_cuts_the_power(quick_dir: Path) -> None:
    """safety M07: it is in the journal without an outcome, so the next agent sees it through."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug, off_on_stop=True) as hall:
        await hall.fleet.close()
        row = stop_row(RemoteStop(id="s9", printer=1), int(hall.now_s * 1000))
        await hall.journal.run(Journal.stop, row, hall.journal.now())
        hall.take_up(hall.journal)
        hall.fleet.plugs.locate = plug.address
        await hall.fleet.open()
        await hall.until(lambda: not plug.is_on)
        assert plug.orders


async def test_a_stop_that_cannot_cut_the_power_says_so(quick_dir: Path) -> None:
    """Three tries, then an alarm that sends somebody there; without the setting nothing is cut."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug, off_on_stop=True) as hall:
        plug.obeys = False
        hall.fleet.remote_stop(RemoteStop(id="s1", printer=1))

        async def alarms() -> list[AlarmFact]:
            return [one for one in await hall.facts() if isinstance(one, AlarmFact)]

        await hall.until(alarms)
        (alarm,) = await alarms()
        assert alarm.code == "power_not_cut"
        assert "go there and switch it off" in alarm.text
        assert len(plug.orders) == 1 + room.CUT_TRIES
    other = quick_dir / "other"
    other.mkdir()
    async with fed(other, FakePlug("tasmota")) as hall:
        hall.fleet.remote_stop(RemoteStop(id="s2", printer=1))
        end = await ended(hall, await order(hall, STATE))
        assert end.state == CommandState.DONE
        assert (await said(hall))[-1].is_on is True


async def test_plugs_are_looked_at_and_only_news_are_told(
    quick_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person presses the button at the plug: told once; the same again is no fact."""
    monkeypatch.setattr(room, "LOOK_S", 0.001)
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        looking = asyncio.create_task(hall.fleet.plugs.run())
        try:
            await hall.until(lambda: len(plug.asked) > 10)
            plug.is_on = False
            seen = len(plug.asked)
            await hall.until(lambda: len(plug.asked) > seen + 10)
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
        assert [one.is_on for one in await said(hall)] == [True, False]


async def test_what_a_plug_measures_is_news_now_and_then(quick_dir: Path) -> None:
    """Other watts are told after five minutes, not with every look."""
    plug = FakePlug("tasmota")
    async with fed(quick_dir, plug) as hall:
        plugs = hall.fleet.plugs
        (one,) = plugs._plugs.values()
        told = PlugFact(printer=1, is_on=True, power_w=121.0, energy_kwh=3.185)
        one.told, one.told_at = told, hall.now_s
        other = msgspec.structs.replace(told, power_w=60.0)
        assert not plugs._is_news(one, other)
        hall.now_s += room.METER_S
        assert plugs._is_news(one, other)
        assert not plugs._is_news(one, told)


def test_a_plug_command_survives_the_journal(journal: Journal, now: Clock) -> None:
    """What is unpacked is what was packed."""
    row = CommandRow(id="c", seq=1, printer=1, verb=Verb.PLUG, args=PlugArgs(PlugAction.OFF, True))
    journal.accept([row], now)
    (kept,) = journal.open_commands(now)
    assert (kept.verb, kept.args) == (row.verb, row.args)
