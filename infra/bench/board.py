"""The board that the benchmark's hosts print to: a minimal responder on a pty, in its own process.

It answers every line with `ok` when its scenario says so, see `infra.bench.sender`. A board does
not compete for this computer: it runs in real time where that is allowed, and its clock stands
still while it waits for a CPU.
"""

import json
import os
import pty
import select
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress

from bridge.sender.quality import waited_for_cpu

OK = b"ok\n"
BAUD = 115_200
_BITS_PER_BYTE = 10
_RING_BYTES = 127
_LATENCY_S = 0.001
PLANNER_BLOCKS, SEGMENT_S, _PLANNER_LATENCY_S = 16, 0.002, 0.0003
#: Above a sender's.
BOARD_PRIORITY = 10


class Wire:
    """When an answer leaves, by scenario."""

    def __init__(self, scenario: str) -> None:
        self._scenario = scenario
        self._free_at = 0.0
        self._ends: deque[float] = deque(maxlen=PLANNER_BLOCKS)
        self._ring: deque[tuple[float, int]] = deque()
        self.starvations = self.lost_bytes = 0

    def answers(self, data: bytes, now: float) -> list[float]:
        """The moments at which the lines in *data* are answered."""
        lines = data.count(b"\n")
        if self._scenario == "free":
            return [now] * lines
        if self._scenario == "latency1ms":
            return [now + _LATENCY_S] * lines
        if self._scenario == "planner2ms":
            return [self._planned(now) for _ in range(lines)]
        return list(self._carried(data, now))

    def _carried(self, data: bytes, now: float) -> Iterator[float]:
        """When the lines of *data* are answered that come over a slow wire, into a small ring.

        The ring holds, at worst, every byte whose answer the host has not seen.
        """
        ring = self._ring
        while ring and ring[0][0] <= now:
            ring.popleft()
        held = sum(size for _, size in ring) + len(data)
        self.lost_bytes += max(0, held - _RING_BYTES)
        for line in data.splitlines(keepends=True):
            self._free_at = max(now, self._free_at) + len(line) * _BITS_PER_BYTE / BAUD
            answered_at = self._free_at + len(OK) * _BITS_PER_BYTE / BAUD
            ring.append((answered_at, len(line)))
            if line.endswith(b"\n"):
                yield answered_at

    def _planned(self, now: float) -> float:
        """When a move that comes now has its place in the planner."""
        ends = self._ends
        full = len(ends) == PLANNER_BLOCKS
        place = max(now, ends[0]) if full else now
        if full and now > ends[-1]:
            self.starvations += 1
        ends.append(max(now, ends[-1] if ends else now) + SEGMENT_S)
        return place + _PLANNER_LATENCY_S


def board_clock() -> Callable[[], float]:
    """Be scheduled like a board, as far as that is allowed; seconds without waits for a CPU."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(BOARD_PRIORITY))
    waited_s = waited_for_cpu()
    return lambda: time.perf_counter() - waited_s()


def respond(scenario: str) -> None:
    """Be the device: print the pty's path, answer until it is hung up, print what was seen."""
    clock = board_clock()
    master, slave = pty.openpty()
    tty.setraw(slave)
    print(os.ttyname(slave), flush=True)
    wire = Wire(scenario)
    due: deque[float] = deque()
    seen, first, last = 0, 0.0, 0.0
    while True:
        now = clock()
        ready = 0
        while due and due[0] <= now:
            due.popleft()
            ready += 1
        if ready:
            os.write(master, OK * ready)
            last = time.perf_counter()
        wait = max(0.0, due[0] - now) if due else None
        if not select.select([master], [], [], wait)[0]:
            continue
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if slave >= 0:
            os.close(slave)  # from now on the end of the host is the end of the line
            slave = -1
        now = clock()
        data = data.removeprefix(b"\n")
        if b" G1 " in data:
            first = first or time.perf_counter()
            seen += data.count(b" G1 ")
        due.extend(wire.answers(data, now))
    result = {
        "lines": seen,
        "seconds": last - first,
        "starvations": wire.starvations,
        "lost_bytes": wire.lost_bytes,
    }
    print(json.dumps(result), flush=True)
