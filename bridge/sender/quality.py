"""How steadily lines reached the printer: latency of answers, and when the printer had to starve.

Theory. A printer that gets no line goes on with what it has: the lines in flight and a planner full
of moves. So a gap between two answers starves it only by what it is longer than that slack, and
only as far as the host is to blame: for the time this process waited for a CPU, as the kernel
counts it, or the whole gap where noise cost a Resend. A long move is no gap; a command that blocks
makes none. Bounded memory, a few operations per read and write, none per line.
"""

import os
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from schemas.printer import Quality

#: Blocks in the planner of nearly every firmware.
PLANNER_BLOCKS = 16
#: A gap below this is not looked at.
MIN_GAP_S = 0.01
#: Latencies are counted in classes, each a quarter wider than the one before, from 10 µs.
_CLASSES = 72
_FIRST_S, _GROWTH = 1e-5, 1.25
_BOUNDS_S = [_FIRST_S * _GROWTH**index for index in range(_CLASSES - 1)]
_SMOOTH = 0.02
_MAX_WRITES = 64


@cache
def waited_for_cpu() -> Callable[[], float]:
    """A clock of the seconds this process was ready and did not run; 0 where nobody counts.

    One for the whole process, which keeps its file open.
    """
    try:
        fd = os.open("/proc/self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return lambda: 0.0
    return lambda: int(os.pread(fd, 64, 0).split()[1]) / 1e9


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file it is: command and layer, from what the file says."""

    line: int
    layer: int | None


class Meter:
    """Measures one attempt. Times are seconds on one monotonic clock."""

    def __init__(self, cpu_wait_s: Callable[[], float] | None = None) -> None:
        self._cpu_wait_s = cpu_wait_s or waited_for_cpu()
        self.restart()

    def restart(self, strays: int = 0) -> None:
        """Another attempt begins; *strays* of the stream (`bridge.gcode.strays`) until now."""
        self._first_strays = strays
        self._classes = [0] * _CLASSES
        self._writes: deque[tuple[int, float]] = deque(maxlen=_MAX_WRITES)
        self._acked = 0
        self._heard_at: float | None = None
        self._line_s = 0.0
        self._resends = self._first_resends = 0
        self._waited_s = self._cpu_wait_s()
        self._printed_s = self._starved_s = self._worst_s = 0.0
        self._gaps = self._lines = 0
        self._worst: Place | None = None
        self._fresh = True

    def wrote(self, now: float, number: int) -> None:
        """Lines up to *number* have left."""
        if not self._writes or self._writes[-1][0] < number:
            self._writes.append((number, now))

    def paused(self) -> None:
        """What comes next is no gap: a command blocks, or the print does not run."""
        self._heard_at = None

    def heard(self, now: float, acked: int, resends: int, place: Callable[[], Place]) -> None:
        """Lines up to *acked* are answered, *resends* were asked for until now."""
        if self._fresh:
            self._fresh, self._acked, self._first_resends = False, acked, resends
            self._resends = resends
        count = acked - self._acked
        if count <= 0:
            return
        self._acked = acked
        self._lines += count
        writes = self._writes
        while writes and writes[0][0] <= acked:
            self._classes[_class_of(now - writes.popleft()[1])] += 1
        if self._heard_at is not None:
            gap_s = now - self._heard_at
            self._printed_s += gap_s
            if gap_s >= MIN_GAP_S:
                self._look_at(gap_s, resends, place)
            self._line_s += _SMOOTH * (gap_s / count - self._line_s)
        self._heard_at = now

    def quality(self, strays: int = 0) -> Quality:
        """What was measured so far; *strays* of the stream until now."""
        share = self._starved_s / self._printed_s if self._printed_s else 0.0
        resends = self._resends - self._first_resends
        noise = resends / self._lines if self._lines else 0.0
        score = 100 * (1 - min(1.0, 20 * share)) * (1 - min(0.5, 10 * noise))
        return Quality(
            score=round(score),
            starved_s=round(self._starved_s, 3),
            gaps=self._gaps,
            resends=resends,
            latency_p50_ms=self._percentile_ms(0.5),
            latency_p99_ms=self._percentile_ms(0.99),
            worst_gap_ms=round(self._worst_s * 1000, 1),
            worst_line=self._worst.line if self._worst else None,
            worst_layer=self._worst.layer if self._worst else None,
            strays=max(0, strays - self._first_strays),
        )

    # Private.

    def _look_at(self, gap_s: float, resends: int, place: Callable[[], Place]) -> None:
        waited_s = self._cpu_wait_s()
        blamed_s = min(gap_s, waited_s - self._waited_s)
        self._waited_s = waited_s
        if resends != self._resends:
            self._resends, blamed_s = resends, gap_s
        starved_s = blamed_s - PLANNER_BLOCKS * self._line_s
        if starved_s <= 0.0:
            return
        self._starved_s += starved_s
        self._gaps += 1
        if gap_s > self._worst_s:
            self._worst_s, self._worst = gap_s, place()

    def _percentile_ms(self, share: float) -> float:
        left = share * sum(self._classes)
        for index, count in enumerate(self._classes):
            left -= count
            if count and left <= 0:
                return round(_FIRST_S * _GROWTH**index * 1000, 3)
        return 0.0


def _class_of(latency_s: float) -> int:
    """The class of a latency: where it is at most `_FIRST_S * _GROWTH ** index`."""
    return bisect_left(_BOUNDS_S, latency_s)
