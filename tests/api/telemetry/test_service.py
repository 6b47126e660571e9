"""Telemetry: current state from memory, the past in rows."""

import asyncio
from dataclasses import replace

import pytest

from api.bridges.models import Bridge
from api.bridges.service import Bridges
from api.bus.local import LocalBus
from api.config import Settings
from api.errors import NotFound
from api.events.service import Ledger
from api.principal import Principal
from api.printers.models import Printer
from api.telemetry import rows
from api.telemetry.models import LastLive, Sample
from api.telemetry.service import PRINTERS_KNOWN_S, Telemetry
from schemas.link import LiveSnap
from schemas.printer import Live, PrinterState, Temperature
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey, hello_of
from tests.fakes.rooms import PrinterRows, printer_row


class Farm:
    """One bridge with one printer, connected."""

    def __init__(self, ledger: Ledger, clock: FakeClock, settings: Settings, bus: LocalBus) -> None:
        self.ledger, self.clock, self.bus = ledger, clock, bus
        self.bridges = Bridges(ledger, clock, settings, bus)
        self.printers = PrinterRows()
        self.telemetry = self.restarted()
        self.bridge: Bridge
        self.printer: Printer
        self.epoch = 0

    def restarted(self) -> Telemetry:
        return Telemetry(self.bridges, self.printers, self.clock, self.bus)

    async def open(self) -> None:
        async with self.ledger.change() as change:
            self.bridge = await self.bridges.create(change, 1, "Room", AgentKey().public)
        self.printer = await printer_row(self.clock, self.bridge.id)
        opened = await self.bridges.open_session(self.bridge, hello_of(self.bridge.uid))
        self.epoch = opened.epoch

    def live(self, state: PrinterState = PrinterState.OPERATIONAL, nozzle_c: float = 20.0) -> Live:
        temps = {"tool0": Temperature(nozzle_c, 0.0)}
        return Live(printer=self.printer.id, state=state, temps=temps)

    async def say(self, *pictures: Live) -> list[int]:
        return await self.telemetry.record(self.bridge, LiveSnap(printers=list(pictures)))


@pytest.fixture
async def farm(ledger: Ledger, clock: FakeClock, settings: Settings, bus: LocalBus) -> Farm:
    farm = Farm(ledger, clock, settings, bus)
    await farm.open()
    return farm


async def test_the_newest_picture_is_shown_with_its_age(farm: Farm, clock: FakeClock) -> None:
    """What the bridge said last is what everybody sees."""
    assert farm.telemetry.view(farm.printer).live is None
    await farm.say(farm.live(nozzle_c=20), farm.live(nozzle_c=21))
    clock.advance(3)
    view = farm.telemetry.view(farm.printer)
    assert (view.live, view.online, view.age_s) == (farm.live(nozzle_c=21), True, 3.0)
    assert farm.telemetry.state_of(farm.printer.id) == farm.live(nozzle_c=21)


async def test_a_bridge_speaks_for_its_own_printers_only(farm: Farm, clock: FakeClock) -> None:
    """Pictures of foreign or unknown printers change nothing and are named (safety S59)."""
    foreign = await printer_row(clock, bridge_id=None, organization_id=2)
    ids = await farm.say(
        Live(printer=foreign.id, state=PrinterState.PRINTING),
        Live(printer=999, state=PrinterState.PRINTING),
        farm.live(),
    )
    assert ids == [foreign.id, 999]
    assert farm.telemetry.state_of(foreign.id) is None
    assert farm.telemetry.state_of(farm.printer.id) == farm.live()


async def test_a_printer_that_moves_is_noticed(farm: Farm, clock: FakeClock) -> None:
    """The old bridge may speak of it no longer: at once when told, else within seconds."""
    await farm.say(farm.live())
    await Printer.filter(id=farm.printer.id).update(bridge_id=None)
    assert await farm.say(farm.live()) == []
    farm.telemetry.know_room(farm.bridge.id, [])
    assert await farm.say(farm.live()) == [farm.printer.id]
    await Printer.filter(id=farm.printer.id).update(bridge_id=farm.bridge.id)
    clock.advance(PRINTERS_KNOWN_S)
    assert await farm.say(farm.live()) == []


async def test_a_stream_of_pictures_asks_no_database(farm: Farm, clock: FakeClock) -> None:
    """Five seconds of 1 Hz pictures cost one look-up."""
    for second in range(5):
        await farm.say(farm.live(nozzle_c=second))
        clock.advance(0.99)
    assert farm.printers.asked == 1


async def test_a_state_change_wakes_whoever_waits_for_the_printer(farm: Farm) -> None:
    """Temperatures alone wake nobody."""
    with farm.bus.listen(f"printer:{farm.printer.id}") as waiter:
        await farm.say(farm.live())
        assert await waiter.wait(0)
        await farm.say(farm.live(nozzle_c=50))
        assert not await waiter.wait(0)
        await farm.say(farm.live(PrinterState.PRINTING))
        assert await waiter.wait(0)


async def test_the_version_moves_with_everything_visible(farm: Farm, clock: FakeClock) -> None:
    """News, and the room's absence after the grace, make cached answers stale; age does not."""
    assert farm.telemetry.version(999) == 0
    farm.telemetry.view(farm.printer)
    seen = [farm.telemetry.version(farm.printer.id)]
    await farm.say(farm.live())
    seen.append(farm.telemetry.version(farm.printer.id))
    await farm.say(farm.live())
    assert farm.telemetry.version(farm.printer.id) == seen[-1]
    await farm.bridges.close_session(farm.bridge.id, farm.epoch)
    assert farm.telemetry.version(farm.printer.id) == seen[-1]
    clock.advance(6)
    seen.append(farm.telemetry.version(farm.printer.id))
    assert len(set(seen)) == 3


async def test_a_restarted_api_knows_what_was_true(farm: Farm, clock: FakeClock) -> None:
    """The last picture comes back with its age, on the right printer (safety R01)."""
    await farm.say(farm.live(PrinterState.PRINTING))
    await farm.telemetry.step()
    clock.advance(90)
    restarted = farm.restarted()
    await restarted.load()
    view = restarted.view(farm.printer)
    assert (view.live, view.age_s) == (farm.live(PrinterState.PRINTING), 90.0)
    assert restarted.view(farm.printer).live is not None


async def test_an_unreadable_picture_is_left_out(
    farm: Farm, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A row of another version does not keep the API from starting."""
    await LastLive.create(printer_id=5, organization_id=1, live={"state": "?"}, at=clock.now())
    await farm.telemetry.load()
    assert farm.telemetry.state_of(5) is None
    assert "unreadable" in caplog.text


async def test_rows_are_written_thinned(farm: Farm, clock: FakeClock) -> None:
    """One row a printer, at a state change and each 30 s; one sample a minute while printing."""
    writes = 0
    for second in range(120):
        state = PrinterState.PRINTING if second >= 5 else PrinterState.OPERATIONAL
        await farm.say(farm.live(state, nozzle_c=second))
        before = await LastLive.get_or_none(printer_id=farm.printer.id)
        await farm.telemetry.step()
        after = await LastLive.get(printer_id=farm.printer.id)
        writes += before is None or before.live != after.live
        clock.advance(1)
    assert writes == 5  # at 0, 5 (state), 35, 65 and 95 s
    assert await LastLive.all().count() == 1
    assert await Sample.all().count() == 2


async def test_samples_are_read_by_their_owner(
    farm: Farm, clock: FakeClock, admin: Principal
) -> None:
    """Oldest first, within the hours asked for; another organization finds no printer."""
    for _ in range(3):
        await farm.say(farm.live(PrinterState.PRINTING))
        await farm.telemetry.step()
        clock.advance(3600)
    rows = await farm.telemetry.samples(admin, farm.printer.id, hours=2)
    assert [row.temps for row in rows] == [{"tool0": [20.0, 0.0]}] * 2
    assert rows[0].at < rows[1].at
    with pytest.raises(NotFound):
        await farm.telemetry.samples(replace(admin, organization_id=2), farm.printer.id, 2)


async def test_old_samples_go(farm: Farm, clock: FakeClock) -> None:
    """Nothing older than the longest question (168 h) is kept."""
    await farm.say(farm.live(PrinterState.PRINTING))
    await farm.telemetry.step()
    await farm.say(farm.live())
    clock.advance(8 * 24 * 3600)
    await farm.telemetry.step()
    assert await Sample.all().count() == 0


async def test_the_writer_survives_a_failing_database(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that fails is logged, and the loop goes on until it is cancelled."""
    await farm.say(farm.live())
    connection = LastLive._meta.db
    await connection.execute_script("ALTER TABLE last_live RENAME TO gone")
    writer = asyncio.create_task(farm.telemetry.run())
    while "could not be written" not in caplog.text:
        await asyncio.sleep(0.001)
    assert not writer.done()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer


async def test_readers_wait_for_the_room_after_a_start(farm: Farm, clock: FakeClock) -> None:
    """A print that ran at the stop shows no old progress: readers wait until it is heard of."""
    await farm.say(farm.live(PrinterState.PRINTING))
    await farm.telemetry.step()
    restarted = farm.restarted()
    await restarted.load()
    assert restarted.catching_up()
    waiting = asyncio.ensure_future(restarted.caught_up())
    await asyncio.sleep(0)
    assert not waiting.done()
    await restarted.record(farm.bridge, LiveSnap(printers=[farm.live(PrinterState.PRINTING)]))
    await waiting
    assert not restarted.catching_up()


async def test_patience_after_a_start_ends(farm: Farm, clock: FakeClock) -> None:
    """A room that does not come back holds nobody up for more than 4 s."""
    await farm.say(farm.live(PrinterState.PRINTING))
    await farm.telemetry.step()
    restarted = farm.restarted()
    await restarted.load()
    clock.advance(4)
    assert not restarted.catching_up()
    await restarted.caught_up()


async def test_half_an_hour_of_temperatures_is_kept_in_memory(farm: Farm, clock: FakeClock) -> None:
    """One reading every 5 s, none older than 30 minutes; nothing for a printer never heard of."""
    start_s = clock.now().timestamp()
    await farm.say(farm.live(nozzle_c=20))
    clock.advance(5)
    await farm.say(farm.live(nozzle_c=25))
    readings = farm.telemetry.history(farm.printer.id)
    seen = [(each.at_s - start_s, each.temps["tool0"].actual_c) for each in readings]
    assert seen == [(0.0, 20.0), (5.0, 25.0)]
    clock.advance(1797)
    assert [each.at_s - start_s for each in farm.telemetry.history(farm.printer.id)] == [5.0]
    assert farm.telemetry.history(999) == []


async def test_an_idle_printer_is_seen_as_long_as_its_room_is_there(farm: Farm) -> None:
    """v1 2.3: online = seen within 90 s; rooms tell only of what changes. Never backwards."""
    await farm.say(farm.live())
    start = farm.telemetry.stamps([farm.printer])[0]
    farm.clock.advance(300)
    changes, seen_s, online = farm.telemetry.stamps([farm.printer])[0]
    assert (changes, online) == (start[0], True)
    now_s = int(farm.clock.now().timestamp())
    assert seen_s is not None and 0 <= now_s - seen_s < 30
    await farm.bridges.close_session(farm.bridge.id, farm.epoch)
    farm.clock.advance(300)
    assert farm.telemetry.stamps([farm.printer])[0] == (changes, seen_s, False)


async def test_a_printer_whose_port_is_closed_is_not_seen(farm: Farm) -> None:
    """The room being there does not make it be there."""
    await farm.say(farm.live(PrinterState.OFFLINE))
    first = farm.telemetry.stamps([farm.printer])[0]
    farm.clock.advance(300)
    assert farm.telemetry.stamps([farm.printer])[0] == first


async def test_nobody_waits_behind_the_last_pictures(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloud function has only them, and its answer waits until they are written."""
    monkeypatch.setattr(rows, "BREATH_S", 3600.0)
    await farm.say(farm.live())
    async with asyncio.timeout(60):
        await farm.telemetry.flush()
    assert await LastLive.filter(printer_id=farm.printer.id).count() == 1
