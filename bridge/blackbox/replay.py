"""A recording against a simulated printer: does a printer like ours answer as that one did?

The recorded bytes go in as they were cut, the simulator runs free of time, and the answers that
belong to lines (`ok`, Resend, errors) are compared in order. A report that comes by itself, such as
a temperature, has no place in that order and is left out.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bridge.blackbox.records import Kind
from bridge.gcode.failures import Failure
from bridge.gcode.lines import number_line
from bridge.gcode.replies import Ack, LineReader, Reply, Resend, parse
from bridge.simulator.firmware import Firmware
from bridge.simulator.pace import Pace
from bridge.simulator.profile import Profile

_NUMBERED = re.compile(rb"^N(\d+) (?!M110)", re.MULTILINE)
_GREETING = re.compile(rb"^N-?\d+ M110", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of it. Counts are by kind of answer; *differs_at* counts answers from 1."""

    lines_sent: int
    executed: int
    recorded: dict[str, int]
    replayed: dict[str, int]
    differs_at: int | None
    recorded_answer: str
    replayed_answer: str

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.differs_at is None


def replay(record: Iterable[tuple[Kind, bytes]], profile: Profile | None = None) -> Replayed:
    """Send what was sent, compare what came."""
    board = _Board(profile or Profile())
    theirs = LineReader()
    recorded: list[str] = []
    replayed: list[str] = []
    lines = 0
    for kind, data in record:
        if kind is Kind.SENT:
            lines += data.count(b"\n")
            replayed += _answers(board.reader, board.send(data))
        else:
            recorded += _answers(theirs, data)
    at = next(
        (i for i, pair in enumerate(zip(recorded, replayed, strict=False)) if pair[0] != pair[1]),
        None if len(recorded) == len(replayed) else min(len(recorded), len(replayed)),
    )
    return Replayed(
        lines_sent=lines,
        executed=board.executed,
        recorded=dict(Counter(answer.split(" ")[0] for answer in recorded)),
        replayed=dict(Counter(answer.split(" ")[0] for answer in replayed)),
        differs_at=None if at is None else at + 1,
        recorded_answer="" if at is None else _at(recorded, at),
        replayed_answer="" if at is None else _at(replayed, at),
    )


class _Board:
    """A free-running board that has just been switched on."""

    def __init__(self, profile: Profile) -> None:
        self.reader = LineReader()
        self.executed = 0
        self._now = 0.0
        self._firmware = Firmware(profile, Pace(0.0))
        self._firmware.power_on(self._now)
        self._firmware.data_to_send()
        self._counting = False

    def send(self, data: bytes) -> bytes:
        """What it says to *data*."""
        if not self._counting:
            self._follow_count(data)
        self._firmware.receive(data, self._now)
        self._now += 1.0
        self._firmware.tick(self._now)
        executed = self._firmware.take_executed()
        self.executed += sum(not one.startswith(b"\t") for one in executed)
        return self._firmware.data_to_send()

    def _follow_count(self, data: bytes) -> None:
        """A record that begins in mid-print: the count of lines begins there too."""
        first = _NUMBERED.search(data)
        if first is None and not _GREETING.search(data):
            return
        self._counting = True
        if first is not None and int(first[1]) > 1:
            before = int(first[1]) - 1
            self._firmware.receive(number_line(0, b"M110 N%d" % before), self._now)
            self._firmware.data_to_send()
            self._firmware.take_executed()


def _answers(reader: LineReader, data: bytes) -> list[str]:
    return [
        word
        for line in reader.feed(data)
        for reply in parse(line)
        if (word := _word(reply)) is not None
    ]


def _word(reply: Reply) -> str | None:
    match reply:
        case Ack():
            return "ok"
        case Resend(number):
            return f"resend {number}"
        case Failure():
            return "error"
        case _:
            return None


def _at(answers: list[str], index: int) -> str:
    return answers[index] if index < len(answers) else "nothing"
