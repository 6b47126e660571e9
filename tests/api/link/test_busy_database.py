"""Passing trouble of the database slows a link down; only trouble that lasts ends it."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from tortoise.exceptions import DBConnectionError

from api.bridges.bulk_tokens import BULK_TOKEN_S
from api.bridges.models import Bridge
from api.bridges.nonces import Nonces
from api.clock import SystemClock
from api.db import Busy, Transaction, Transient, in_our_words
from api.link.facts import FOREIGN
from api.link.patience import PATIENCE_S
from api.link.socket import LinkEndpoint
from api.outage import AGAIN_S
from api.printers.models import Printer
from api.telemetry.service import PRINTERS_KNOWN_S
from schemas.commands import StartArgs, Verb
from schemas.facts import PrinterFact
from schemas.link import Beat, Cmd, Desired, FactAck, LiveSnap, Nak, RemoteStop, Token, Welcome
from schemas.printer import Live, PrinterState
from tests.api.link.conftest import Farm, batch
from tests.fakes.agents import hello_of
from tests.fakes.sockets import FakeSocket


def _locked() -> sqlite3.OperationalError:
    """What SQLite says while somebody else writes to its file."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


TROUBLES: list[Callable[[], Exception]] = [
    lambda: Busy("canceling statement due to statement timeout"),
    lambda: Transient("deadlock detected"),
    lambda: DBConnectionError("the connection to the database was lost"),
    lambda: in_our_words(_locked()),
]


class Trouble:
    """What every transaction meets; None: nothing."""

    def __init__(self) -> None:
        self.make: Callable[[], Exception] | None = None
        self.met = 0

    def begin(self, make: Callable[[], Exception] = TROUBLES[0]) -> None:
        """From now on."""
        self.make, self.met = make, 0

    def end(self) -> None:
        """It has passed."""
        self.make = None

    async def meets(self, times: int) -> None:
        """Return when so many transactions have met it."""
        async with asyncio.timeout(10):
            while self.met < times:
                await asyncio.sleep(0.001)


@pytest.fixture
def endpoint(farm: Farm) -> LinkEndpoint:
    return LinkEndpoint(farm.handler, farm.bus, farm.clock)


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    """Of the database, where a transaction begins; pauses are short."""
    trouble = Trouble()
    real = Transaction._begin

    async def begin(self: Transaction) -> Any:
        if trouble.make is not None:
            trouble.met += 1
            raise trouble.make()
        return await real(self)

    monkeypatch.setattr(Transaction, "_begin", begin)
    monkeypatch.setattr("api.link.patience.FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr("api.link.patience.LONGEST_PAUSE_S", 0.001)
    monkeypatch.setattr("api.db.AGAIN_S", (0.0,))
    monkeypatch.setattr("api.db.BEGIN_AGAIN_S", (0.0,))
    return trouble


async def greeted(farm: Farm, socket: FakeSocket) -> None:
    """The socket after hello, welcome and configuration."""
    await socket.accepted()
    socket.say(hello_of(farm.bridge.uid))
    welcome = await socket.hear()
    assert isinstance(welcome, Welcome)
    socket.epoch = welcome.epoch
    assert isinstance(await socket.hear(), Desired)


@pytest.mark.parametrize("make", TROUBLES)
async def test_facts_wait_for_a_busy_database(
    farm: Farm, endpoint: LinkEndpoint, trouble: Trouble, make: Callable[[], Exception]
) -> None:
    """Recorded once when it has time again, on the same link; a stop goes out meanwhile."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        trouble.begin(make)
        socket.say(batch(PrinterFact(printer=farm.printer.id, state=PrinterState.OPERATIONAL)))
        await trouble.meets(10)
        assert await farm.rooms.commands.stop_directly(farm.admin, farm.printer)
        assert isinstance(await socket.hear(), RemoteStop)
        trouble.end()
        assert await socket.hear() == FactAck(journal_id="J1", seq=1)
    assert (await Bridge.get(id=farm.bridge.id)).fact_seq == 1


async def test_pictures_go_past_facts_that_wait(
    farm: Farm, endpoint: LinkEndpoint, trouble: Trouble
) -> None:
    """R19: people see the printer while nothing can be written; then the facts, in their order."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        trouble.begin()
        for number, state in enumerate((PrinterState.OPERATIONAL, PrinterState.PRINTING), start=1):
            socket.say(batch(PrinterFact(printer=farm.printer.id, state=state), first=number))
        await trouble.meets(3)
        for z_mm in (1.0, 2.0, 3.0):
            live = Live(printer=farm.printer.id, state=PrinterState.PRINTING, z_mm=z_mm)
            socket.say(LiveSnap(printers=[live]))
            socket.say(Beat(sent_ms=1))
            await _seen(farm, z_mm)
        assert (await Bridge.get(id=farm.bridge.id)).fact_seq == 0
        trouble.end()
        acks: list[int] = []
        while len(acks) < 2:
            if isinstance(heard := await socket.hear(), FactAck):
                acks.append(heard.seq)
        assert acks == [1, 2]
    assert (await Printer.get(id=farm.printer.id)).state == PrinterState.PRINTING


async def _seen(farm: Farm, z_mm: float) -> None:
    """Return when people see it at this height."""
    async with asyncio.timeout(10):
        while (live := farm.rooms.telemetry.state_of(farm.printer.id)) is None or live.z_mm != z_mm:
            await asyncio.sleep(0.001)


async def test_a_room_is_known_beyond_its_time_while_nobody_can_be_asked(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R19: whose printers these are is remembered; what was foreign before stays so (S59)."""

    async def away(bridge_id: int) -> frozenset[int]:
        raise DBConnectionError("the connection to the database was lost")

    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        monkeypatch.setattr(farm.rooms.printers, "numbers_on", away)
        farm.clock.advance(2 * PRINTERS_KNOWN_S)
        foreign = Live(printer=farm.printer.id + 1, state=PrinterState.PRINTING)
        live = Live(printer=farm.printer.id, state=PrinterState.PRINTING, z_mm=7.0)
        socket.say(LiveSnap(printers=[foreign, live]))
        answer = await socket.hear()
        assert isinstance(answer, Nak) and answer.code == FOREIGN
        await _seen(farm, 7.0)
    assert farm.rooms.telemetry.state_of(farm.printer.id + 1) is None


async def test_starts_wait_for_a_busy_database(
    farm: Farm, endpoint: LinkEndpoint, trouble: Trouble
) -> None:
    """Marking them as sent is tried again, and they are carried once."""
    start = StartArgs(
        grant="G", job=1, print=1, attempt=1, file_name="a", sha256="ab" * 32, size_bytes=1
    )
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        command = await farm.rooms.commands.issue(farm.admin, farm.printer, Verb.START, start)
        trouble.begin()
        await trouble.meets(3)
        trouble.end()
        carried = await socket.hear()
        assert isinstance(carried, Cmd) and carried.id == command.id
        assert await socket.unheard() == []


async def test_a_file_token_waits_and_the_commands_beside_it_do_not(
    farm: Farm, trouble: Trouble
) -> None:
    """What is marked as sent is carried at once; the token comes with a later look."""
    endpoint = LinkEndpoint(farm.handler, farm.bus, SystemClock())
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        farm.clock.advance(BULK_TOKEN_S / 2 + 1)
        command = await farm.issue(Verb.CONNECT)
        trouble.begin()
        carried = await socket.hear()
        assert isinstance(carried, Cmd) and carried.id == command.id
        assert trouble.met > 0
        trouble.end()
        farm.bus.wake([f"bridge:{farm.bridge.id}"])
        assert isinstance(await socket.hear(), Token)


async def test_a_greeting_waits_for_a_busy_database(
    farm: Farm, endpoint: LinkEndpoint, trouble: Trouble
) -> None:
    """The welcome comes late, with the only link epoch that was opened."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        trouble.begin()
        socket.say(hello_of(farm.bridge.uid))
        await trouble.meets(3)
        trouble.end()
        welcome = await socket.hear()
        assert isinstance(welcome, Welcome) and welcome.epoch == 1


async def test_who_comes_to_a_busy_database_is_asked_to_come_again(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 before the upgrade, and no failure of the API."""
    proof = await farm.credentials()

    async def busy(*_: object) -> bool:
        raise TROUBLES[0]()

    monkeypatch.setattr(Nonces, "use", busy)
    async with FakeSocket(endpoint, proof) as socket:
        assert await socket.refusal() == (503, "upstream_unavailable")


async def test_a_room_that_hung_up_or_is_greeting_is_told_of_no_stop(
    farm: Farm, endpoint: LinkEndpoint, trouble: Trouble
) -> None:
    """M08, no fake success: saying goodbye and hello take their time while the database is away."""
    stop = partial(farm.rooms.commands.stop_directly, farm.admin, farm.printer)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        trouble.begin()
        socket.say(hello_of(farm.bridge.uid))
        await trouble.meets(3)
        assert not await stop()
        trouble.end()
        welcome = await socket.hear()
        assert isinstance(welcome, Welcome) and isinstance(await socket.hear(), Desired)
        assert await stop()
        assert isinstance(await socket.hear(), RemoteStop)
        trouble.begin()
        socket.hang_up()
        await trouble.meets(3)
        assert not socket.task.done(), "it still says goodbye"
        assert not await stop()
        trouble.end()


@pytest.mark.parametrize("silent", ["touch", "numbers_on"])
async def test_a_silent_database_holds_no_pictures_up(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    """R19: neither behind a sign of life nor behind the question whose printers these are.

    What is answered too late for that is known all the same: a slow database is not asked again
    for each picture.
    """
    for module in ("api.link.handler", "api.telemetry.service"):
        monkeypatch.setattr(f"{module}.ASK_S", 0.01)
    ends, asked = asyncio.Event(), 0
    room = farm.rooms.bridges if silent == "touch" else farm.rooms.printers
    real = getattr(room, silent)

    async def slow(bridge_id: int) -> Any:
        nonlocal asked
        asked += 1
        await ends.wait()
        return await real(bridge_id)

    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        monkeypatch.setattr(room, silent, slow)
        farm.clock.advance(PRINTERS_KNOWN_S)
        for z_mm in (1.0, 2.0):
            socket.say(Beat(sent_ms=1))
            live = Live(printer=farm.printer.id, state=PrinterState.PRINTING, z_mm=z_mm)
            socket.say(LiveSnap(printers=[live]))
            await _seen(farm, z_mm)
        ends.set()
        if silent == "numbers_on":
            await asyncio.sleep(0.05)
            farm.clock.advance(AGAIN_S)
            socket.say(LiveSnap(printers=[replace(live, z_mm=3.0)]))
            await _seen(farm, 3.0)
            assert asked == 1


async def test_trouble_that_lasts_ends_the_link(
    farm: Farm, endpoint: LinkEndpoint, trouble: Trouble
) -> None:
    """R19: stops go out for five minutes. Then the bridge is let go, its facts unrecorded."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        trouble.begin()
        began = farm.clock.monotonic()
        socket.say(batch(PrinterFact(printer=farm.printer.id, state=PrinterState.OPERATIONAL)))
        while farm.clock.monotonic() - began < 300:
            socket.say(Beat(sent_ms=1))
            farm.clock.advance(10)
            await asyncio.sleep(0.002)
        assert await farm.rooms.commands.stop_directly(farm.admin, farm.printer)
        while not isinstance(await socket.hear(), RemoteStop):
            pass  # beats of its own
        closing = asyncio.create_task(socket.closed())
        while not closing.done():
            socket.say(Beat(sent_ms=1))
            farm.clock.advance(1)
            await asyncio.sleep(0.002)
        assert (await closing)[0] == 1011
        assert farm.clock.monotonic() - began >= PATIENCE_S
        trouble.end()
    assert (await Bridge.get(id=farm.bridge.id)).fact_seq == 0
