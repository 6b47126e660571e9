"""Faults on purpose: a bad cable, a bad plug, bad heaters. Seeded, so a run can be repeated.

The text form is a comma-separated list, for example
`flip=0.0002,lose=0.0001,drop_ok=0.02,double_ok=0.01,delay=0.01:0.2,seed=7,reset_at=1200,
unplug_at=500:3,heater_fail=e0`:

* `flip`, `lose`: probability per byte, in both directions, of a flipped bit or a lost byte
* `drop_ok`, `double_ok`: probability that an `ok` line is swallowed or said twice
* `delay=P:S`: probability that a line to the host is held back, with all behind it, S seconds
* `reset_at=N`: power cycle when the Nth line from the host arrives
* `unplug_at=N:S`: the device vanishes when the Nth line arrives and is back after S seconds
* `heater_fail`, `heater_stuck`: `e0`… or `bed` never gets warm, or never stops heating
* `seed`: another seed, another run

Cable faults depend on byte and line counts only, never on how the bytes are cut into reads.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf, log
from random import Random

from bridge.simulator.profile import HeaterFault


class FaultSpecError(ValueError):
    """A fault list that cannot be read. *parameter* names the entry to correct."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"fault {parameter}: {problem}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Faults:
    """Which faults to make. Probabilities are 0 to 1, durations real seconds, lines count from 1.

    None means never.
    """

    flip: float = 0.0
    lose: float = 0.0
    drop_ok: float = 0.0
    double_ok: float = 0.0
    delay: float = 0.0
    delay_s: float = 0.0
    reset_at: int | None = None
    unplug_at: int | None = None
    unplug_s: float = 0.0
    heaters: dict[str, HeaterFault] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reset:
    """The line that makes the board power-cycle has arrived."""


@dataclass(frozen=True, slots=True)
class Unplug:
    """The line that makes the device vanish for *seconds* has arrived."""

    seconds: float


def parse(spec: str, seed: int = 0) -> Faults:
    """Read the text form; *seed* holds unless the text has its own.

    Raises FaultSpecError naming the entry.
    """
    faults = Faults(seed=seed)
    for entry in filter(None, (part.strip() for part in spec.split(","))):
        name, _, value = entry.partition("=")
        reader = _READERS.get(name)
        if reader is None:
            raise FaultSpecError(name, f"unknown; known are {', '.join(_READERS)}")
        faults = reader(faults, name, value)
    return faults


class Cable:
    """The way between the host and the board, with its faults."""

    def __init__(self, faults: Faults) -> None:
        self._to_printer = _Noise(faults, "to printer")
        self._to_host = _Noise(faults, "to host")
        self._faults = faults
        self._random = Random(f"{faults.seed} lines")  # noqa: S311
        self._lines = 0
        self._held: deque[tuple[float, bytes]] = deque()
        self._events: dict[int, Reset | Unplug] = {}
        if faults.unplug_at is not None:
            self._events[faults.unplug_at] = Unplug(faults.unplug_s)
        if faults.reset_at is not None:
            self._events[faults.reset_at] = Reset()

    def to_printer(self, data: bytes) -> tuple[bytes, Reset | Unplug | None]:
        """What of the host's bytes arrives, and what happens right after them.

        Bytes behind an event are lost.
        """
        event: Reset | Unplug | None = None
        if self._events:
            data, event = self._until_event(data)
        return self._to_printer.pass_on(data), event

    def to_host(self, data: bytes, now: float) -> bytes:
        """What of the board's whole lines reaches the host by *now*, held back bytes included."""
        if data:
            self._send(data, now)
        due = b""
        while self._held and self._held[0][0] <= now:
            due += self._held.popleft()[1]
        return due

    def deadline(self) -> float:
        """When held back bytes are due, inf if there are none."""
        return self._held[0][0] if self._held else inf

    # Private

    def _until_event(self, data: bytes) -> tuple[bytes, Reset | Unplug | None]:
        ends = self._lines + data.count(b"\n")
        coming = min((line for line in self._events if line <= ends), default=0)
        if not coming:
            self._lines = ends
            return data, None
        cut = 0
        for _ in range(coming - self._lines):
            cut = data.index(b"\n", cut) + 1
        self._lines = coming
        return data[:cut], self._events.pop(coming)

    def _send(self, data: bytes, now: float) -> None:
        faults = self._faults
        if faults.drop_ok or faults.double_ok or faults.delay:
            for line in data.splitlines(keepends=True):
                self._send_line(line, now)
        else:
            self._hold(self._to_host.pass_on(data), now)

    def _send_line(self, line: bytes, now: float) -> None:
        faults = self._faults
        if line.startswith(b"ok"):
            if self._random.random() < faults.drop_ok:
                return
            if self._random.random() < faults.double_ok:
                line += line
        late_s = faults.delay_s if faults.delay and self._random.random() < faults.delay else 0.0
        self._hold(self._to_host.pass_on(line), now + late_s)

    def _hold(self, data: bytes, due: float) -> None:
        """Nothing overtakes what is held back."""
        after = self._held[-1][0] if self._held else -inf
        self._held.append((max(due, after), data))


class _Noise:
    """Flips and losses in one direction: the gaps between faults are drawn, not each byte."""

    def __init__(self, faults: Faults, direction: str) -> None:
        self._random = Random(f"{faults.seed} {direction}")  # noqa: S311
        self._rate = faults.flip + faults.lose
        self._flip_share = faults.flip / self._rate if self._rate else 0.0
        self._intact = self._gap()

    def pass_on(self, data: bytes) -> bytes:
        if self._intact >= len(data):
            self._intact -= len(data)
            return data
        damaged = bytearray()
        at = 0
        while self._intact < len(data) - at:
            fault = at + int(self._intact)
            damaged += data[at:fault]
            if self._random.random() < self._flip_share:
                damaged.append(data[fault] ^ 1 << self._random.randrange(8))
            at = fault + 1
            self._intact = self._gap()
        self._intact -= len(data) - at
        return bytes(damaged + data[at:])

    def _gap(self) -> float:
        if not self._rate:
            return inf
        if self._rate >= 1:
            return 0
        return int(log(1 - self._random.random()) / log(1 - self._rate))


def _flip(faults: Faults, name: str, value: str) -> Faults:
    return replace(faults, flip=_share(name, value))


def _lose(faults: Faults, name: str, value: str) -> Faults:
    return replace(faults, lose=_share(name, value))


def _drop_ok(faults: Faults, name: str, value: str) -> Faults:
    return replace(faults, drop_ok=_share(name, value))


def _double_ok(faults: Faults, name: str, value: str) -> Faults:
    return replace(faults, double_ok=_share(name, value))


def _delay(faults: Faults, name: str, value: str) -> Faults:
    share, _, seconds = value.partition(":")
    return replace(faults, delay=_share(name, share), delay_s=_seconds(name, seconds))


def _seed(faults: Faults, name: str, value: str) -> Faults:
    return replace(faults, seed=_whole(name, value, 0))


def _reset(faults: Faults, name: str, value: str) -> Faults:
    return replace(faults, reset_at=_whole(name, value, 1))


def _unplug(faults: Faults, name: str, value: str) -> Faults:
    line, _, seconds = value.partition(":")
    return replace(faults, unplug_at=_whole(name, line, 1), unplug_s=_seconds(name, seconds))


_HEATER_FAULTS = {"heater_fail": HeaterFault.NO_HEAT, "heater_stuck": HeaterFault.STUCK_ON}


def _heater(faults: Faults, name: str, value: str) -> Faults:
    heater = value or "e0"
    if heater != "bed" and not (heater[0] == "e" and heater[1:].isdigit()):
        raise FaultSpecError(name, f"{value!r} is no heater; write e0, e1, … or bed")
    return replace(faults, heaters={**faults.heaters, heater: _HEATER_FAULTS[name]})


_READERS: dict[str, Callable[[Faults, str, str], Faults]] = {
    "flip": _flip,
    "lose": _lose,
    "drop_ok": _drop_ok,
    "double_ok": _double_ok,
    "delay": _delay,
    "reset_at": _reset,
    "unplug_at": _unplug,
    "heater_fail": _heater,
    "heater_stuck": _heater,
    "seed": _seed,
}


def _share(name: str, value: str) -> float:
    try:
        share = float(value)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise FaultSpecError(name, f"{value!r} is no probability from 0 to 1")
    return share


def _seconds(name: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < inf:
        raise FaultSpecError(name, f"{value!r} is no number of seconds; write {name}=…:SECONDS")
    return seconds


def _whole(name: str, value: str, least: int) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise FaultSpecError(name, f"{value!r} is no whole number from {least}")
    return int(value)
