"""Terminals come while somebody reads them, in whichever process, and are kept nowhere else."""

import pytest

from api.bus.local import LocalBus, OnLive
from api.telemetry.scrollback import LEFT_OUT
from api.telemetry.terminals import (
    HISTORY_LINES,
    LEASE_S,
    PARCEL_BYTES,
    RENEW_S,
    Terminals,
    bell,
)
from schemas.watching import TerminalText, TerminalWatch
from tests.api.conftest import FakeClock

BRIDGE, PRINTER = 3, 7


def said(*lines: str, cursor: str = "", dropped: int | None = 0) -> TerminalText:
    return TerminalText(printer=PRINTER, lines=list(lines), cursor=cursor, dropped=dropped)


class Wire:
    """What processes tell each other; a silent one loses it."""

    def __init__(self) -> None:
        self.hearers: list[tuple[LocalBus, OnLive]] = []
        self.is_silent = False
        self.told: list[bytes] = []


class WiredBus(LocalBus):
    """A process's end of the wire."""

    def __init__(self, wire: Wire, name: str) -> None:
        super().__init__()
        self._wire, self._name = wire, name

    @property
    def is_shared(self) -> bool:
        return True

    @property
    def origin(self) -> str:
        return self._name

    def live(self, key: str, payload: bytes) -> None:
        self._wire.told.append(payload)
        for bus, told in self._wire.hearers:
            if bus is not self and not self._wire.is_silent:
                told(key, payload)

    def on_live(self, told: OnLive) -> None:
        self._wire.hearers.append((self, told))


class Process:
    """One API process with somebody who follows the terminal."""

    def __init__(self, clock: FakeClock, bus: LocalBus) -> None:
        self.bus = bus
        self.terminals = Terminals(clock, bus)
        self.rings = 0
        self._place = 0

    def rang(self) -> None:
        self.rings += 1

    def look(self) -> None:
        self.terminals.look(PRINTER, BRIDGE)

    def lines(self) -> list[str]:
        """What came since the last time."""
        with self.terminals.followed_by(PRINTER, lambda: None) as lines:
            found = lines.since(self._place)
            self._place = lines.end
            return found


@pytest.fixture
def one(clock: FakeClock, bus: LocalBus) -> Process:
    return Process(clock, bus)


def test_a_look_holds_for_its_lease_and_is_renewed_in_time(one: Process, clock: FakeClock) -> None:
    """The room's link is woken once a look and at each renewal; nobody looks, nothing is wanted."""
    listener = one.bus.listen(bell(BRIDGE), on_ring=one.rang)
    with listener:
        assert one.terminals.wanted(BRIDGE) == []
        one.look()
        one.look()
        assert one.rings == 1
        assert one.terminals.wanted(BRIDGE) == [TerminalWatch(printer=PRINTER, lease_s=LEASE_S)]
        assert one.terminals.wanted(BRIDGE + 1) == []
        clock.advance(RENEW_S)
        one.look()
        assert one.rings == 2
        clock.advance(LEASE_S)
        assert one.terminals.wanted(BRIDGE) == []


def test_lines_are_kept_while_somebody_reads(one: Process) -> None:
    """Followers are called; what nobody reads is nowhere."""
    one.terminals.hear(BRIDGE, said("Recv: lost"))
    one.look()
    with one.terminals.followed_by(PRINTER, one.rang) as lines:
        one.terminals.hear(BRIDGE, said("Recv: ok", cursor="c:1"))
        one.terminals.hear(BRIDGE + 1, said("Recv: of another room"))
        assert lines.since(0) == ["Recv: ok"]
    assert one.rings == 1
    assert one.terminals.wanted(BRIDGE)[0].after == "c:1"


def test_what_was_read_is_forgotten_when_nobody_is_left(one: Process, clock: FakeClock) -> None:
    """With the next look of anybody; a follower keeps its own."""
    one.look()
    one.terminals.hear(BRIDGE, said("Recv: old", cursor="c:1"))
    with one.terminals.followed_by(PRINTER, one.rang):
        clock.advance(LEASE_S)
        one.terminals.look(PRINTER + 1, BRIDGE)
        assert one.lines() == ["Recv: old"]
    clock.advance(LEASE_S)
    one.terminals.look(PRINTER + 1, BRIDGE)
    one.look()
    assert {each.printer: each.after for each in one.terminals.wanted(BRIDGE)}[PRINTER] == ""


def test_a_printer_that_moves_begins_again(one: Process) -> None:
    """A cursor is a word of its bridge."""
    one.look()
    one.terminals.hear(BRIDGE, said("Recv: ok", cursor="c:1"))
    one.terminals.look(PRINTER, BRIDGE + 1)
    assert one.terminals.wanted(BRIDGE) == []
    assert one.terminals.wanted(BRIDGE + 1)[0].after == ""


@pytest.fixture
def pair(clock: FakeClock) -> tuple[Process, Process]:
    """The process with the room's link, and another one."""
    wire = Wire()
    return Process(clock, WiredBus(wire, "a")), Process(clock, WiredBus(wire, "b"))


def test_readers_elsewhere_get_the_lines(pair: tuple[Process, Process]) -> None:
    """A look reaches the process with the link, its lines reach the reader, each once."""
    linked, other = pair
    other.look()
    assert linked.terminals.wanted(BRIDGE) == other.terminals.wanted(BRIDGE)
    linked.terminals.hear(BRIDGE, said("Recv: one"))
    linked.terminals.hear(BRIDGE, said("Recv: two", cursor="c:2"))
    assert other.lines() == ["Recv: one", "Recv: two"]
    assert other.terminals.wanted(BRIDGE)[0].after == "c:2"
    assert linked.lines() == ["Recv: one", "Recv: two"]


def test_who_comes_later_gets_the_past(pair: tuple[Process, Process], clock: FakeClock) -> None:
    """From the process that hears the room; whoever has lines already is not told again."""
    linked, other = pair
    wire = linked.bus._wire  # type: ignore[attr-defined]
    wire.is_silent = True
    linked.look()
    linked.terminals.hear(BRIDGE, said("Recv: before", cursor="c:1"))
    wire.is_silent = False
    other.look()
    assert other.lines() == ["Recv: before"]
    clock.advance(RENEW_S)
    other.look()
    linked.terminals.hear(BRIDGE, said("Recv: after"))
    assert other.lines()[-1] == "Recv: after"
    assert linked.lines() == ["Recv: before", "Recv: after"]


def test_what_is_lost_between_processes_leaves_a_mark(pair: tuple[Process, Process]) -> None:
    """The bus is lossy."""
    linked, other = pair
    other.look()
    wire = linked.bus._wire  # type: ignore[attr-defined]
    linked.terminals.hear(BRIDGE, said("Recv: one"))
    wire.is_silent = True
    linked.terminals.hear(BRIDGE, said("Recv: two"))
    wire.is_silent = False
    linked.terminals.hear(BRIDGE, said("Recv: three"))
    assert other.lines() == ["Recv: one", LEFT_OUT, "Recv: three"]


def test_messages_between_processes_fit_any_bus(pair: tuple[Process, Process]) -> None:
    """PostgreSQL carries less than 8 000 bytes; a long text goes in parts."""
    linked, other = pair
    other.look()
    lines = [f"Recv: {number} " + "é" * 240 for number in range(HISTORY_LINES)]
    linked.terminals.hear(BRIDGE, said(*lines, cursor="c:9", dropped=2))
    wire = linked.bus._wire  # type: ignore[attr-defined]
    assert max(map(len, wire.told)) <= PARCEL_BYTES + 200
    assert other.lines() == ["[... 2 lines left out ...]", *lines]
    assert other.terminals.wanted(BRIDGE)[0].after == "c:9"


@pytest.mark.parametrize(
    ("key", "payload"),
    [("terminal?7", b"{}"), ("terminal?x", b"[3,true]"), ("terminal!7:1", b"[1]"), ("live:7", b"")],
)
def test_rubbish_on_the_bus_changes_nothing(
    pair: tuple[Process, Process], key: str, payload: bytes
) -> None:
    """Logged and dropped (safety S69)."""
    linked, other = pair
    other.bus.live(key, payload)
    assert linked.terminals.wanted(BRIDGE) == []
