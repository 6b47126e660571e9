"""The terminal is read out of the black box: for whoever reads, and for nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.blackbox.records import Entry, Kind
from bridge.control.messages import TerminalSaid, WatchTerminal
from bridge.sender import blackbox
from bridge.sender.blackbox import BlackBox
from bridge.sender.terminal import (
    EVERY_S,
    HISTORY_LINES,
    MAX_LINE_CHARACTERS,
    TEXT_CHARACTERS,
    TEXT_LINES,
    Lines,
    Terminal,
    clean,
)

FIRST = WatchTerminal(lease_s=60.0, after="")


class Reader:
    """An owner who hears everything, unless they are slow."""

    def __init__(self) -> None:
        self.owned, self.slow = True, False
        self.heard: list[TerminalSaid] = []

    def send(self, message: TerminalSaid) -> None:
        self.heard.append(message)

    def lines(self) -> list[str]:
        """What came since the last time, in one piece."""
        heard, self.heard = self.heard, []
        return [line for said in heard for line in said.lines]


class Cable:
    """A black box, its terminal and a clock."""

    def __init__(self, directory: Path) -> None:
        self.box = BlackBox(directory / "box")
        self.terminal = Terminal(self.box, "life")
        self.reader = Reader()
        self.now = 0.0

    def said(self, *lines: str) -> None:
        for line in lines:
            self.box.note(self.now, line.startswith("N"), line.encode() + b"\n")

    def read(self) -> list[str]:
        """What the reader is told a moment later."""
        self.now += EVERY_S
        self.terminal.read_out(self.reader, self.now)
        return self.reader.lines()


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    cable = Cable(tmp_path)
    yield cable
    cable.box.close(cable.now)


def test_a_reader_gets_the_past_and_then_what_comes(cable: Cable) -> None:
    """In OctoPrint's words, each line once."""
    cable.said("N0 M110 N0*125", "ok")
    cable.box.mark(0.0, "connecting -> operational")
    cable.terminal.watch(FIRST, cable.now)
    assert cable.read() == [
        "Send: N0 M110 N0*125",
        "Recv: ok",
        'Changing monitoring state from "Connecting" to "Operational"',
    ]
    assert cable.read() == []
    cable.said("N1 M115*39", "FIRMWARE_NAME:Marlin", "ok")
    assert cable.read() == ["Send: N1 M115*39", "Recv: FIRMWARE_NAME:Marlin", "Recv: ok"]


def test_nothing_is_done_while_nobody_reads(cable: Cable) -> None:
    """No deadline, no line; the lease ends by itself, and at once when that is said."""
    assert cable.terminal.read_out(cable.reader, 0.0) == float("inf")
    cable.said("ok")
    assert cable.read() == []
    cable.terminal.watch(WatchTerminal(lease_s=EVERY_S, after=""), cable.now)
    assert cable.terminal.read_out(cable.reader, cable.now) == float("inf")
    assert cable.reader.lines() == ["Recv: ok"]
    cable.terminal.watch(FIRST, cable.now)
    cable.terminal.watch(WatchTerminal(lease_s=0.0), cable.now)
    assert cable.read() == []
    cable.terminal.watch(FIRST, cable.now)
    cable.terminal.stop()
    assert cable.read() == []


def test_a_new_reader_gets_at_most_so_much_of_the_past(cable: Cable) -> None:
    """The newest lines, without a mark: nobody has missed anything."""
    cable.said(*(f"echo:{number}" for number in range(1000)))
    cable.terminal.watch(FIRST, cable.now)
    cable.terminal.read_out(cable.reader, cable.now)
    assert {said.dropped for said in cable.reader.heard} == {0}
    lines = cable.reader.lines()
    assert lines == [f"Recv: echo:{number}" for number in range(1000 - HISTORY_LINES, 1000)]


def test_chunks_that_were_written_are_read_all_the_same(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the disk takes nothing; of what has left the memory a mark stays."""
    monkeypatch.setattr(blackbox, "CHUNK_BYTES", 200)
    monkeypatch.setattr(blackbox, "KEPT_BYTES", 1000)
    cable.terminal.watch(FIRST, cable.now)
    seen: list[str] = []
    for number in range(100):
        cable.said(f"echo:{number:03d}")
        if number % 7 == 0:
            seen += cable.read()
    seen += cable.read()
    assert seen == [f"Recv: echo:{number:03d}" for number in range(100)]
    cable.said(*(f"echo:{number:03d}" for number in range(100)))
    cable.now += EVERY_S
    cable.terminal.read_out(cable.reader, cable.now)
    assert cable.reader.heard[0].dropped is None
    late = cable.reader.lines()
    assert late[-1] == "Recv: echo:099"
    assert late == [f"Recv: echo:{number:03d}" for number in range(100 - len(late), 100)]


def test_a_reader_that_comes_back_goes_on_where_it_was(cable: Cable) -> None:
    """By the cursor of the last text; one of another life, or no cursor, begins with the past."""
    cable.terminal.watch(FIRST, cable.now)
    cable.said("one", "two")
    cable.now += EVERY_S
    cable.terminal.read_out(cable.reader, cable.now)
    cursor = cable.reader.heard[-1].cursor
    cable.terminal.stop()
    cable.reader.lines()
    cable.said("three")
    cable.terminal.watch(WatchTerminal(lease_s=60.0, after=cursor), cable.now)
    assert cable.read() == ["Recv: three"]
    for other in ("", "other:9", "life:", "life:-3", "life:²", "rubbish"):
        cable.terminal.watch(WatchTerminal(lease_s=60.0, after=other), cable.now)
        assert cable.read() == ["Recv: one", "Recv: two", "Recv: three"], other


@pytest.mark.parametrize("place", [1, 7, 15, 10**9, 10**30])
def test_a_cursor_that_nobody_gave_does_no_harm(cable: Cable, place: int) -> None:
    """It is taken to the next entry behind it."""
    cable.said(*("echo:hello",) * 9)
    cable.terminal.watch(WatchTerminal(lease_s=60.0, after=f"life:{place}"), cable.now)
    assert set(cable.read()) <= {"Recv: echo:hello"}


def test_an_owner_that_does_not_keep_up_gets_less(cable: Cable) -> None:
    """Nothing is queued for it; what it gets later says that something is missing."""
    cable.terminal.watch(FIRST, cable.now)
    cable.said("first")
    assert cable.read() == ["Recv: first"]
    cable.reader.slow = True
    for _ in range(100):
        cable.said("x" * 900)
        assert cable.read() == []
    cable.reader.slow = False
    cable.now += EVERY_S
    cable.terminal.read_out(cable.reader, cable.now)
    assert cable.reader.heard[0].dropped is None
    assert 10 < len(cable.reader.lines()) < 60


def test_texts_are_small(cable: Cable) -> None:
    """Each fits a frame; only the last of a row has the cursor."""
    cable.terminal.watch(FIRST, cable.now)
    cable.read()
    cable.box.note(cable.now, False, b"y" * 240 + b"\n" + b"ok\n" * 900)
    cable.now += EVERY_S
    cable.terminal.read_out(cable.reader, cable.now)
    texts = cable.reader.heard
    assert all(len(said.lines) <= TEXT_LINES for said in texts)
    most = TEXT_CHARACTERS + MAX_LINE_CHARACTERS + len("Recv: ")
    assert all(sum(map(len, said.lines)) <= most for said in texts)
    assert [bool(said.cursor) for said in texts] == [False] * (len(texts) - 1) + [True]
    assert len(cable.reader.lines()) == 901


def received(*pieces: bytes) -> list[str]:
    lines = Lines()
    return [line for each in pieces for line in lines.of(Entry(0.0, Kind.RECEIVED, each))]


def test_lines_are_put_together_however_they_were_cut() -> None:
    """Both directions by themselves; empty lines are none."""
    assert received(b"o", b"k\r", b"\n\n T:2", b"1 /0\nok") == ["Recv: ok", "Recv: T:21 /0"]
    lines = Lines()
    assert list(lines.of(Entry(0.0, Kind.SENT, b"N1 G1"))) == []
    assert list(lines.of(Entry(0.0, Kind.RECEIVED, b"ok\n"))) == ["Recv: ok"]
    assert list(lines.of(Entry(0.0, Kind.SENT, b" X1*2\n"))) == ["Send: N1 G1 X1*2"]
    assert list(lines.of(Entry(0.0, Kind.BEGIN, b"{}"))) == []


def test_what_is_torn_is_left_out() -> None:
    """After a gap the first piece of each direction may be half a line."""
    lines = Lines()
    lines.tear()
    assert list(lines.of(Entry(0.0, Kind.RECEIVED, b"k\nok\n"))) == ["Recv: ok"]
    assert list(lines.of(Entry(0.0, Kind.SENT, b"X1*2\n"))) == []
    assert list(lines.of(Entry(0.0, Kind.SENT, b"M105\n"))) == ["Send: M105"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"echo:\x1b[31mred\x07", "echo:\ufffd[31mred\ufffd"),
        (b"\xff\xfe noise", "\ufffd\ufffd noise"),
        ("Grüße µ".encode(), "Grüße µ"),
        ("a\u202eb\u2028c\x00".encode(), "a\ufffdb\ufffdc\ufffd"),
        (b"a\tb  ", "a b"),
    ],
)
def test_what_a_hostile_printer_says_can_be_shown(raw: bytes, text: str) -> None:
    """Control characters, broken UTF-8 and what turns text around become one sign."""
    assert clean(raw) == text


def test_endless_lines_are_cut() -> None:
    """In memory as well: a printer that never ends its line costs a bounded rest."""
    line = clean(b"x" * 10_000)
    assert len(line) == MAX_LINE_CHARACTERS
    assert line.endswith("…")
    lines = Lines()
    for _ in range(50):
        assert list(lines.of(Entry(0.0, Kind.RECEIVED, b"z" * 4096))) == []
    assert sum(map(len, lines._rest.values())) <= 4 * MAX_LINE_CHARACTERS
    (found,) = lines.of(Entry(0.0, Kind.RECEIVED, b"\n"))
    assert len(found) == len("Recv: ") + MAX_LINE_CHARACTERS
