"""Terminal lines leave last, in small confirmed frames, and never pile up."""

import asyncio
import random
from pathlib import Path

from bridge.agent.database import Clock
from bridge.agent.link.uplink import Uplink
from bridge.agent.live import LiveSlots
from bridge.agent.terminal import EVERY_S, MAX_LINES, PATIENCE_S, TerminalLane
from bridge.control.messages import TerminalSaid, WatchTerminal
from schemas.codec import decode, encoded_size
from schemas.commands import Verb
from schemas.facts import AlarmFact, Fact, FactBatch
from schemas.link import BulkToken, CmdGot, FactAck, Hello, LiveSnap, Sender, Welcome
from schemas.printer import Live, PrinterState
from schemas.session import LinkSession
from schemas.watching import (
    TERMINAL_FRAME_BYTES,
    Interest,
    InterestLevel,
    TerminalLines,
    TerminalWatch,
)
from tests.bridge.agent.test_link import Bench, MemoryDialler
from tests.fakes.api_link import FakeApi
from tests.fakes.hall import hall_of
from tests.fakes.sender import FakeSender

NEVER = float("inf")


def said(*lines: str, cursor: str = "", dropped: int | None = 0) -> TerminalSaid:
    return TerminalSaid(lines=list(lines), cursor=cursor, dropped=dropped)


def read(*printers: int, now: float = 0.0) -> TerminalLane:
    """A lane of terminals that somebody reads."""
    lane = TerminalLane()
    lane.greeted()
    for printer in printers:
        lane.asked(TerminalWatch(printer=printer, lease_s=15.0), now)
    return lane


def taken(lane: TerminalLane, now: float) -> TerminalLines:
    frame = lane.take(now)
    assert frame is not None
    return frame


def test_what_nobody_reads_is_not_taken() -> None:
    """Neither before the first reader nor after the last."""
    lane = TerminalLane()
    assert not lane.put(1, said("Recv: ok"))
    assert lane.deadline() == NEVER and lane.take(0.0) is None
    lane = read(1)
    assert lane.end() == [1]
    assert not lane.put(1, said("Recv: ok"))


def test_the_next_frame_waits_for_the_word_that_this_one_has_come() -> None:
    """And for the pace; a confirmation that never comes is not waited for for ever."""
    lane = read(1)
    lane.put(1, said("Recv: one", cursor="c:1"))
    first = taken(lane, 0.0)
    assert [text.lines for text in first.texts] == [["Recv: one"]]
    assert lane.deadline() == NEVER
    lane.put(1, said("Recv: two"))
    assert lane.deadline() == PATIENCE_S and lane.take(1.0) is None
    lane.got(first.number - 1)
    assert lane.take(1.0) is None
    lane.got(first.number)
    assert lane.deadline() == EVERY_S
    assert taken(lane, 1.0).number == first.number + 1
    lane.put(1, said("Recv: three"))
    assert lane.take(1.0 + PATIENCE_S / 2) is None
    assert taken(lane, 1.0 + PATIENCE_S).texts[0].lines == ["Recv: three"]


def test_frames_are_small_and_shared_in_turn() -> None:
    """One printer that talks without end does not silence the others."""
    lane = read(1, 2)
    for _ in range(8):
        lane.put(1, said("Recv: " + "x" * 2500))
    lane.put(2, said("Recv: ok"))
    first = taken(lane, 0.0)
    assert encoded_size(first) <= TERMINAL_FRAME_BYTES + 100
    assert {text.printer for text in first.texts} == {1, 2}
    seen = len(first.texts)
    now = 0.0
    while lane.deadline() != NEVER:
        lane.got(lane._number)
        now += EVERY_S
        seen += len(taken(lane, now).texts)
    assert seen == 9


def test_the_oldest_lines_go_when_too_many_wait() -> None:
    """Counted, in what comes after them; an uncounted gap stays one."""
    lane = read(1, 2)
    for number in range(60):
        lane.put(1, said(*(f"Recv: {number}.{each}" for each in range(100))))
        lane.put(2, said(*("Recv: ok",) * 100, dropped=None if number == 3 else 0))
    one, two = (lane._readings[number].waiting for number in (1, 2))
    for waiting in (one, two):
        assert sum(len(text.lines) for text in waiting) == MAX_LINES
    assert one[0].dropped == 60 * 100 - MAX_LINES
    assert one[-1].lines[-1] == "Recv: 59.99"
    assert two[0].dropped is None


def test_renewing_is_not_beginning_again() -> None:
    """The sender is told to go on; after the lease, or over a new link, where to begin."""
    lane = TerminalLane()
    watch = TerminalWatch(printer=1, lease_s=15.0, after="c:9")
    assert lane.asked(watch, 0.0) == WatchTerminal(lease_s=15.0, after="c:9")
    assert lane.asked(watch, 10.0) == WatchTerminal(lease_s=15.0, after=None)
    assert lane.asked(watch, 30.0) == WatchTerminal(lease_s=15.0, after="c:9")
    lane.greeted()
    assert lane.asked(watch, 31.0) == WatchTerminal(lease_s=15.0, after="c:9")


def test_a_sender_that_comes_back_is_asked_to_go_on() -> None:
    """From the last line that it has said, for what is left of the lease."""
    lane = read(1)
    lane.put(1, said("Recv: ok", cursor="boot:44"))
    lane.put(1, said("Recv: ok", cursor=""))
    assert lane.again(1, 5.0) == WatchTerminal(lease_s=10.0, after="boot:44")
    assert lane.again(2, 5.0) is None
    assert lane.again(1, 15.0) is None
    lane.forget(1)
    assert lane.again(1, 5.0) is None


def test_no_lease_is_longer_than_the_bound() -> None:
    """Whatever the API says."""
    lane = TerminalLane()
    told = lane.asked(TerminalWatch(printer=1, lease_s=1e9), 0.0)
    assert told.lease_s == 300.0


def reads(*printers: int, level: InterestLevel = InterestLevel.DETAIL) -> Interest:
    watches = [TerminalWatch(printer=number, lease_s=60.0) for number in printers]
    return Interest(level=level, terminals=watches)


async def test_the_sender_of_a_printer_that_is_read_is_asked(quick_dir: Path) -> None:
    """And no other; a room that is looked at less closely ends it."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.until(lambda: hall.sender.configured)
        hall.fleet.interest(reads(1, 99))
        await hall.until(lambda: hall.sender.watches)
        assert hall.sender.watches == [WatchTerminal(lease_s=60.0, after="")]
        hall.sender.tell(said("Recv: ok", cursor="b:1"))
        await hall.until(lambda: hall.live.terminal.deadline() != NEVER)
        assert taken(hall.live.terminal, 9e9).texts[0].lines == ["Recv: ok"]
        hall.fleet.interest(reads(1, level=InterestLevel.LIST))
        await hall.until(lambda: len(hall.sender.watches) == 2)
        assert hall.sender.watches[-1].lease_s == 0.0


async def test_a_sender_that_was_lost_is_asked_again(quick_dir: Path) -> None:
    """A new life of it, or a broken line: the reader does not notice."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.until(lambda: hall.sender.configured)
        hall.fleet.interest(reads(1))
        hall.sender.tell(said("Recv: ok", cursor="life-1:8"))
        await hall.until(lambda: hall.live.terminal.deadline() != NEVER)
        hall.sender.die()
        await hall.until(lambda: 1 in hall.home.senders and hall.sender.watches)
        await hall.until(lambda: hall.sender.watches[-1].after == "life-1:8")
        assert 0 < hall.sender.watches[-1].lease_s <= 60.0


async def test_a_sender_from_before_is_left_alone(quick_dir: Path) -> None:
    """It prints on through an upgrade, and would hang up on what it does not know."""
    async with hall_of(quick_dir, FakeSender(protocol=1)) as hall:
        await hall.until(lambda: hall.sender.configured)
        hall.fleet.interest(reads(1))
        await hall.command(Verb.GCODE, {"lines": ["M105"]})
        await hall.until(lambda: hall.sender.executed)
        assert hall.sender.watches == []


async def test_lines_arrive_once_and_in_order(quick_dir: Path, now: Clock) -> None:
    """Over a whole link: asked for by an interest, carried in confirmed frames."""
    api = FakeApi()
    bench = Bench(quick_dir, api, MemoryDialler(api, random.Random(7)), now)
    lane, lines = bench.live.terminal, [f"Recv: {number}" for number in range(500)]

    async def talk() -> None:
        await api.until(lambda: bool(api.connections))
        asked = reads(1)
        api.connections[0].say(asked)
        async with asyncio.timeout(10):
            while asked not in bench.room.interests:
                await asyncio.sleep(0)
        lane.asked(asked.terminals[0], asyncio.get_running_loop().time())
        for start in range(0, len(lines), 50):
            lane.put(1, said(*lines[start : start + 50], cursor=f"b:{start}"))
        bench.client.wake()

    def heard() -> list[str]:
        return [line for text in api.terminal for line in text.lines]

    await bench.run_until(lambda: len(heard()) >= len(lines), talk())
    assert heard() == lines
    assert api.terminal[-1].cursor == "b:450"
    bench.journal.close()


def test_terminal_lines_leave_last() -> None:
    """Never before an answer, a fact or a picture that waits."""
    live = LiveSlots()
    hello = Hello(
        protocols=(1, 1), bridge_id="b", boot_id="b", boot_count=1, agent_version="1", os=""
    )
    uplink, api = Uplink(hello, live, 0.0), LinkSession(Sender.API, 0.0)
    api.receive(uplink.next_frame() or "", 0.0)
    ack, bulk = FactAck(journal_id="", seq=0), BulkToken(token="t", life_s=1)
    api.say(Welcome(session="s", epoch=1, protocol=1, server_time="", fact_ack=ack, bulk=bulk), 0.0)
    uplink.receive(api.data_to_send() or "", 0.0)
    live.terminal.asked(TerminalWatch(printer=1, lease_s=9.0), 0.0)
    live.terminal.put(1, said("Recv: ok"))
    assert uplink.terminal(0.0) is not None
    live.put(Live(printer=1, state=PrinterState.PRINTING))
    assert uplink.picture(0.0) is not None
    alarm = AlarmFact(printer=1, code="x", text="y")
    uplink.facts([Fact(seq=1, at_ms=0, boot_id="b", body=alarm)], 0.0)
    uplink.say(CmdGot(seq=1), 0.0)
    frames = [decode(uplink.next_frame() or "").body for _ in range(4)]
    assert [type(body) for body in frames] == [CmdGot, FactBatch, LiveSnap, TerminalLines]
