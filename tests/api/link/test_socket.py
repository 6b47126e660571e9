"""The bridges' socket, driven as an ASGI server drives it."""

import asyncio
import logging
import re
from dataclasses import replace

import pytest

from api.bridges.models import Bridge
from api.clock import SystemClock
from api.config import Settings
from api.link import connection
from api.link.handler import LinkHandler
from api.link.socket import LinkEndpoint
from schemas.codec import MAX_FRAME_BYTES, encode
from schemas.commands import Verb
from schemas.facts import PrinterFact
from schemas.link import (
    Beat,
    Body,
    Cmd,
    CmdGot,
    Desired,
    FactAck,
    Frame,
    Goaway,
    LiveSnap,
    Nak,
    Refuse,
    RemoteStop,
    Welcome,
)
from schemas.printer import Live, PrinterState
from schemas.watching import Interest, InterestLevel
from tests.api.link.conftest import Farm, batch
from tests.fakes.agents import AgentKey, hello_of
from tests.fakes.sockets import FakeSocket


@pytest.fixture
def endpoint(farm: Farm) -> LinkEndpoint:
    return LinkEndpoint(farm.handler, farm.bus, farm.clock)


async def greeted(farm: Farm, socket: FakeSocket) -> FakeSocket:
    """The socket after hello, welcome and configuration."""
    await socket.accepted()
    socket.say(hello_of(farm.bridge.uid))
    welcome = await socket.hear()
    assert isinstance(welcome, Welcome)
    socket.epoch = welcome.epoch
    assert isinstance(await socket.hear(), Desired)
    return socket


# Who gets a socket.


async def test_nobody_unknown_gets_a_socket(farm: Farm, endpoint: LinkEndpoint) -> None:
    """No, wrong, doubled or foreign credentials: 401 before the upgrade (safety S41, S43)."""
    good = await farm.credentials()
    stranger = AgentKey().credentials(farm.bridge.uid, "x")
    for authorization in ((), ("Bearer odin_x",), (stranger,), (good, good)):
        async with FakeSocket(endpoint, *authorization) as socket:
            assert await socket.refusal() == (401, "not_authenticated")


async def test_other_websocket_paths_do_not_exist(farm: Farm, endpoint: LinkEndpoint) -> None:
    """404, credentials or not."""
    async with FakeSocket(endpoint, await farm.credentials(), path="/ws") as socket:
        assert await socket.refusal() == (404, "not_found")


async def test_a_removed_bridge_is_refused_by_name(farm: Farm, endpoint: LinkEndpoint) -> None:
    """403 revoked, so that its agent asks seldom (safety R51)."""
    await farm.rooms.bridges.revoke(farm.admin, farm.bridge.id)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        assert await socket.refusal() == (403, "revoked")


@pytest.mark.parametrize(
    "first",
    ["", "{", '{"t":"beat","d":{"sent_ms":1}}', '{"t":"?","d":{}}', "x" * (MAX_FRAME_BYTES + 1)],
    ids=["empty", "no frame", "no hello", "unknown type", "oversize"],
)
async def test_the_first_frame_is_a_hello(farm: Farm, endpoint: LinkEndpoint, first: str) -> None:
    """Anything else ends the connection, and no link epoch was raised."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        socket.write(first)
        assert await socket.close_code() == 1008
    assert (await Bridge.get(id=farm.bridge.id)).epoch == 0


async def test_a_silent_stranger_is_let_go(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who does not greet in time loses the socket."""
    monkeypatch.setattr(connection, "GREETING_S", 0.01)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        assert await socket.close_code() == 1008


async def test_a_refused_hello_hears_why(farm: Farm, endpoint: LinkEndpoint) -> None:
    """The refusal with its advice comes before the close."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        socket.say(hello_of(farm.bridge.uid, protocols=(7, 9)))
        refusal = await socket.hear()
        assert isinstance(refusal, Refuse) and refusal.action == "upgrade"
        assert await socket.close_code() == 1008


# The open link.


async def test_commands_travel_as_soon_as_they_are_committed(
    farm: Farm, endpoint: LinkEndpoint
) -> None:
    """The bus rings, the socket looks; a remote stop and a command, and both are answered."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        assert farm.rooms.bridges.online(farm.bridge.id)
        command = await farm.issue(Verb.CONNECT)
        carried = await socket.hear()
        assert isinstance(carried, Cmd) and carried.id == command.id
        socket.say(CmdGot(seq=carried.seq))
        stop = await farm.issue(Verb.REMOTE_STOP)
        assert await socket.hear() == RemoteStop(id=stop.id, printer=farm.printer.id)
        assert await socket.unheard() == []  # not again when its row is there
        socket.say(batch(PrinterFact(printer=farm.printer.id, state=PrinterState.HALTED)))
        assert await socket.hear() == FactAck(journal_id="J1", seq=1)
    assert (await Bridge.get(id=farm.bridge.id)).disconnected_at is not None


async def test_what_cannot_be_read_is_refused_and_the_link_stays(
    farm: Farm, endpoint: LinkEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Unknown types, oversize, depth, NaN, bytes that are no text: a nak each (safety S47).

    They are counted, and logged once a kind (R50).
    """
    caplog.set_level(logging.INFO, "gantry.link")
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        deep = '{"t":"live","d":' + "[" * 40 + "]" * 40 + "}"
        wrong: list[tuple[str | bytes, str]] = [
            ('{"t":"new_kind","d":{}}', "unsupported"),
            ("x" * (MAX_FRAME_BYTES + 1), "bad_frame"),
            (deep, "bad_frame"),
            ('{"t":"beat","d":{"sent_ms":NaN}}', "bad_frame"),
            (b"\xff\xfe", "bad_frame"),
            (b"", "bad_frame"),
        ]
        for text, code in wrong:
            socket.write(text)
            nak = await socket.hear()
            assert isinstance(nak, Nak) and nak.code == code
        socket.say(batch())
        assert await socket.hear() == FactAck(journal_id="J1", seq=0)
    assert caplog.text.count("is not taken: bad_frame") == 1
    assert caplog.text.count("is not taken: unsupported") == 1
    assert "{'unsupported': 1, 'bad_frame': 5}" in caplog.text


async def test_frames_of_another_epoch_are_dropped(
    farm: Farm, endpoint: LinkEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """A frame from yesterday's capture has no effect and no answer (safety R14); it is counted,
    and logged once.
    """
    caplog.set_level(logging.INFO, "gantry.link")
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        fact = batch(PrinterFact(printer=farm.printer.id, state=PrinterState.ERROR))
        socket.epoch -= 1
        socket.say(fact)
        socket.say(fact)
        socket.epoch += 1
        socket.say(batch())
        assert await socket.hear() == FactAck(journal_id="J1", seq=0)
    assert caplog.text.count("is not taken: old_epoch") == 1
    assert "{'old_epoch': 2}" in caplog.text


async def test_the_newest_link_wins(farm: Farm, endpoint: LinkEndpoint) -> None:
    """The older socket gets 4409, and the room stays online (safety S58, R09)."""
    async with FakeSocket(endpoint, await farm.credentials()) as old:
        await greeted(farm, old)
        async with FakeSocket(endpoint, await farm.credentials()) as new:
            await greeted(farm, new)
            assert await old.close_code() == 4409
            await old.task
            assert farm.rooms.bridges.online(farm.bridge.id)
            assert (await Bridge.get(id=farm.bridge.id)).disconnected_at is None
            command = await farm.issue()
            carried = await new.hear()
            assert isinstance(carried, Cmd) and carried.id == command.id


async def test_revoking_closes_the_socket_at_once(farm: Farm, endpoint: LinkEndpoint) -> None:
    """4401 as soon as the removal is committed (safety R51)."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        await farm.rooms.bridges.revoke(farm.admin, farm.bridge.id)
        assert await socket.close_code() == 4401


async def test_a_bridge_that_speaks_for_others_is_let_go(
    farm: Farm, endpoint: LinkEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The third report about a foreign printer closes with 4403 (safety S59).

    Just after a change of the configuration such reports are natural and forgiven. They are
    counted, and logged once.
    """
    caplog.set_level(logging.INFO, "gantry.link")
    foreign = LiveSnap(printers=[Live(printer=99, state=PrinterState.PRINTING)])
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        for _ in range(4):
            socket.say(foreign)
            assert isinstance(await socket.hear(), Nak)
        farm.clock.advance(31)
        for _ in range(3):
            socket.say(foreign)
        assert await socket.close_code() == 4403
        await socket.task
    assert caplog.text.count("is not taken: foreign_printer") == 1
    assert "{'foreign_printer': 7}" in caplog.text


async def test_facts_that_do_not_follow_begin_the_link_anew(
    farm: Farm, endpoint: LinkEndpoint
) -> None:
    """Refused, told where to go on, and closed: the next greeting agrees on the position (R13)."""
    fact = PrinterFact(printer=farm.printer.id, state=PrinterState.ERROR)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        socket.say(batch(fact, first=2))
        nak = await socket.hear()
        assert isinstance(nak, Nak) and nak.code == "gap"
        assert await socket.hear() == FactAck(journal_id="J1", seq=0)
        assert await socket.close_code() == 1008
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        socket.say(batch(fact, fact))
        assert await socket.hear() == FactAck(journal_id="J1", seq=2)


async def test_a_restart_says_goodbye(farm: Farm, endpoint: LinkEndpoint) -> None:
    """Goaway, then 1012; the room counts as connected until the grace after the restart is over."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        await endpoint.drain()
        assert isinstance(await socket.hear(), Goaway)
        assert await socket.close_code() == 1012
    assert (await Bridge.get(id=farm.bridge.id)).disconnected_at is None
    async with FakeSocket(endpoint, await farm.credentials()) as late:
        assert await late.refusal() == (503, "upstream_unavailable")


async def test_a_restart_does_not_wait_for_a_stuck_bridge(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket that takes nothing holds the shutdown up for the drain time only."""
    monkeypatch.setattr("api.link.socket.DRAIN_S", 0.01)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        socket.stalled = True
        async with asyncio.timeout(5):
            await endpoint.drain()
    async with FakeSocket(endpoint, await farm.credentials()) as late:
        assert await late.refusal() == (503, "upstream_unavailable")


async def test_an_idle_endpoint_drains_at_once(farm: Farm, endpoint: LinkEndpoint) -> None:
    """Without bridges there is nobody to say goodbye to; who comes later is sent away."""
    async with asyncio.timeout(1):
        await endpoint.drain()
    async with FakeSocket(endpoint, await farm.credentials()) as late:
        assert await late.refusal() == (503, "upstream_unavailable")


class LeapingClock(SystemClock):
    """The machine's own clock, which can be moved on."""

    leapt_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leapt_s


async def test_a_silent_bridge_is_dead(farm: Farm, settings: Settings) -> None:
    """Beats go out while it is quiet; after the dead time the socket is closed (safety R08).

    The room is shown offline at once: it has been away since its last word (R07).
    """
    dead_s = 600.0
    handler = LinkHandler(farm.rooms, farm.clock, replace(settings, beat_s=0.05, dead_s=dead_s))
    clock = LeapingClock()
    endpoint = LinkEndpoint(handler, farm.bus, clock)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        assert isinstance(await socket.hear(), Beat)
        clock.leapt_s = dead_s
        assert await socket.close_code() == 1008
        assert not farm.rooms.bridges.online(farm.bridge.id)
    assert (await Bridge.get(id=farm.bridge.id)).disconnected_at is not None


async def test_a_bridge_that_takes_nothing_is_let_go(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that does not end in time ends the link, and so does trying to say goodbye."""
    monkeypatch.setattr(connection, "SEND_S", 0.02)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        socket.stalled = True
        await farm.issue()
        await socket.task
    assert (await Bridge.get(id=farm.bridge.id)).disconnected_at is not None


async def test_answers_do_not_pile_up(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridge that asks without reading is let go when too much waits for it (safety S47)."""
    monkeypatch.setattr(connection, "SEND_S", 0.1)
    monkeypatch.setattr(connection, "MAX_WAITING", 10)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        socket.stalled = True
        for _ in range(20):
            socket.write('{"t":"?","d":{}}')
        await asyncio.wait_for(socket.task, 2)
    assert (await Bridge.get(id=farm.bridge.id)).disconnected_at is not None


async def test_a_flood_of_frames_is_read_slowly(
    farm: Farm, endpoint: LinkEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than so many frames a second wait in the line, and cost the others nothing (S47).

    The room's pictures are asked for less often; the socket stays (R45).
    """
    monkeypatch.setattr(connection, "MAX_FRAMES_PER_S", 3)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        for _ in range(6):
            socket.say(batch())
        heard: list[Body] = [await socket.hear() for _ in range(3)]
        assert heard == [FactAck(journal_id="J1", seq=0)] * 3
        thinned = await socket.hear()
        assert isinstance(thinned, Interest) and thinned.level is InterestLevel.LIST
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await socket.hear()
        await endpoint.drain()


async def test_a_failing_database_ends_the_link_and_is_logged(
    farm: Farm, endpoint: LinkEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The bridge keeps its facts and comes again; the log has the cause."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        connection = Bridge._meta.db
        await connection.execute_script("ALTER TABLE printer RENAME TO away")
        with caplog.at_level(logging.ERROR):
            fact = PrinterFact(printer=farm.printer.id, state=PrinterState.ERROR)
            socket.say(batch(fact))
            assert await socket.close_code() == 1011
    assert "its link failed" in caplog.text
    assert re.search("no such table|does not exist", caplog.text)


async def test_bytes_are_taken_like_text(farm: Farm, endpoint: LinkEndpoint) -> None:
    """A client that sends binary frames is understood."""
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await socket.accepted()
        socket.write(encode(Frame(body=hello_of(farm.bridge.uid))).encode())
        assert isinstance(await socket.hear(), Welcome)
