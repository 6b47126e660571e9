"""Stops past the rows, of processes that ask each other."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from api.commands import direct
from api.commands.direct import DirectStops
from api.principal import Principal, Role
from schemas.link import RemoteStop
from tests.api.conftest import FakeClock
from tests.fakes.buses import Ether, FakeChannel, on

PRESSED = Principal(
    organization_id=3,
    user_id=7,
    username="mia",
    role=Role.OPERATOR,
    kind="session",
    credential_id=1,
)
PRINTER = (3, 12, "Prusa")
ROOM = 5


@pytest.fixture
async def processes(clock: FakeClock) -> AsyncIterator[list[DirectStops]]:
    """Three on one bus."""
    ether = Ether()
    async with on(*(FakeChannel(ether) for _ in range(3))) as buses:
        yield [DirectStops(bus, clock) for bus in buses]


@contextmanager
def room_of(stops: DirectStops) -> Iterator[list[RemoteStop]]:
    """What the room is told by the process of *stops*."""
    said: list[RemoteStop] = []
    with stops.link(ROOM, said.append, 1):
        yield said


async def test_who_has_no_link_asks_the_others_and_who_tells_the_room_owes_the_row(
    processes: list[DirectStops],
) -> None:
    """M07: once, under one id, whoever is asked again; as pressed by the person."""
    one, two, three = processes
    with room_of(two) as said:
        assert await one.send(PRESSED, PRINTER, ROOM)
        assert await three.send(PRESSED, PRINTER, ROOM)
        assert await two.send(PRESSED, PRINTER, ROOM)
    assert {each.printer for each in said} == {12}
    [told] = {each.id for each in said}
    assert len(said) == 3
    assert one.owed == three.owed == {}
    [owed] = two.owed.values()
    assert owed.id == told
    assert (owed.by.organization_id, owed.by.user_id, owed.by.username) == (3, 7, "mia")


async def test_pressed_again_later_it_is_a_stop_of_its_own(
    processes: list[DirectStops], clock: FakeClock
) -> None:
    """The printer may have been reset at its room, which does nothing twice under one id."""
    one = processes[0]
    with room_of(one) as said:
        assert await one.send(PRESSED, PRINTER, ROOM)
        clock.advance(direct.SAME.total_seconds())
        assert await one.send(PRESSED, PRINTER, ROOM)
    assert len({each.id for each in said}) == 2
    assert {*one.owed} == {each.id for each in said}


async def test_nobody_has_the_link(
    processes: list[DirectStops], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and owes nothing."""
    monkeypatch.setattr(direct, "OTHERS_S", 0.3)
    one, two, _ = processes
    assert not await one.send(PRESSED, PRINTER, ROOM)
    with room_of(two) as said:
        assert not await one.send(PRESSED, PRINTER, ROOM + 1)
    assert said == []
    assert [each.owed for each in processes] == [{}, {}, {}]


async def test_who_has_the_link_is_told_of_a_stop_that_is_being_written(
    processes: list[DirectStops],
) -> None:
    """Under the id that the row will have; nobody waits for it, here or anywhere."""
    one, two, _ = processes
    with room_of(two) as said:
        at_once = two.press(PRESSED, PRINTER, ROOM)
        assert [each.id for each in said] == [at_once]
        two.owed.clear()
        asked = one.press(PRESSED, PRINTER, ROOM)
        async with asyncio.timeout(5):
            while len(said) < 2:
                await asyncio.sleep(0)
    assert asked == said[1].id != at_once
    assert (*one.owed, *two.owed) == (asked,)
    assert one.press(PRESSED, PRINTER, ROOM + 1) not in one.owed


async def test_what_a_bus_held_back_stops_nobody_later(
    processes: list[DirectStops], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person may have reset the printer and begun anew."""
    monkeypatch.setattr(direct, "OTHERS_S", 0.3)
    one, two, _ = processes
    late = FakeClock()
    late.advance(direct.STALE.total_seconds() + 1)
    monkeypatch.setattr(two, "_clock", late)
    with room_of(two) as said:
        assert not await one.send(PRESSED, PRINTER, ROOM)
        assert said == []
        clock.advance(5)
        assert await one.send(PRESSED, PRINTER, ROOM)
        assert len(said) == 1


@pytest.mark.parametrize(
    "text", [b"7", b"[]", b'["1",7,"mia",3,"x","Prusa",5,"yesterday"]', b'{"a":1}']
)
async def test_what_is_no_stop_on_the_bus_is_logged_and_stops_nobody(
    clock: FakeClock, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """S69."""
    ether = Ether()
    async with on(FakeChannel(ether), FakeChannel(ether)) as (here, there):
        stops = DirectStops(there, clock)
        heard = asyncio.Event()
        there.on_live(lambda *_: heard.set())
        with room_of(stops) as said:
            here.live("stop:1", text)
            here.live("stopped:1", text)
            async with asyncio.timeout(5):
                await heard.wait()
        assert said == []
    assert "stop:1 on the bus is no stop" in caplog.text
