"""One attempt at one file: how far it is, how long it has taken, how it will end."""

import re
from collections import deque
from dataclasses import dataclass, replace

from bridge.gcode.layers import Mark, MarkKind
from bridge.gcode.modal import Modal, Trail
from bridge.gcode.offsets import HeatLines
from bridge.gcode.prepare import Run as Lines
from bridge.gcode.timeleft import TimeLeft
from schemas.jobs import ATTEMPT_TRANSITIONS, AttemptEvent, AttemptState
from schemas.printer import Progress
from schemas.transitions import advance, can

#: Cold extrusions so many lines apart are none in a row: a retraction before each tool change.
COLD_GAP_LINES = 10
_MINUTES_LEFT = re.compile(rb"\bR(\d{1,9})")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What a start grant says, and what the file says of itself, if it does.

    *estimate_s* is the slicer's printing time in seconds. *tool* is active before the first line.
    """

    grant: str
    job: int
    file_name: str
    size_bytes: int
    estimate_s: float | None = None
    layers: int | None = None
    tool: int = 0


class Run:
    """The running attempt. Ordinals count the job's lines from 1, as `Outgoing` does."""

    def __init__(self, facts: JobFacts, before: Modal | None = None) -> None:
        """*before*: what the firmware remembers of the time before the job; None: nothing."""
        self.facts = facts
        #: what the firmware remembers before the first line
        self.begun = before or Modal()
        self.trail = Trail(self.begun)
        self.heat_lines = HeatLines(facts.tool)
        self.state = AttemptState.GRANTED
        self.fed = 0
        #: moves that the firmware has left out because it is not homed
        self.unhomed = 0
        #: extrusions in a row that it has left out because the nozzle is cold, and the last's line
        self.cold, self._cold_at = 0, 0
        self.source_over = False
        #: how it ends once its last script has run
        self.outcome = AttemptEvent.COMPLETED
        self.reason = ""
        #: lines that must be acknowledged before the file's own pause, None without one
        self.pause_after: int | None = None
        #: what a person is told of that pause, by code
        self.pause_why = ("file_pause", "")
        #: where the file's own pause was kept last, -1: nowhere yet, None: nobody wrote it down
        self.rested: int | None = -1
        self._ends: deque[tuple[int, list[int]]] = deque()
        self._marks: deque[tuple[int, Mark]] = deque()
        self._minutes: deque[tuple[int, int]] = deque()
        self._left = TimeLeft()
        self.layer: int | None = None
        self.z_mm: float | None = None
        self._clock_from: float | None = None
        #: seconds of printing before the clock ran last
        self.printed_s = 0.0
        self._best = Progress(0, facts.size_bytes, 0, 0.0)

    def expect(self, print_s: float | None, layers: int | None) -> None:
        """The file has said how long it takes and how many layers it has."""
        self.facts = replace(self.facts, estimate_s=print_s, layers=layers)

    def note(self, lines: Lines, done: int) -> None:
        """*lines* have been given to the stream, *done* ordinals are acknowledged."""
        self._forget(done)
        self._ends.append((self.fed + 1, lines.ends))
        self._marks += [(self.fed + at, mark) for at, mark in lines.marks]
        for at, text in lines.codes:
            if text.startswith(b"M73 ") and (minutes := _MINUTES_LEFT.search(text)):
                self._minutes.append((self.fed + at + 1, int(minutes[1])))
        self.trail.feed(self.fed + 1, lines.texts, lines.codes)
        self.fed += len(lines.texts)

    def rest(self, why: str, code: str = "file_pause") -> None:
        """The file wants a pause behind what has been fed; *why* is told by *code* then."""
        self.pause_after, self.pause_why = self.fed, (code, why)

    def rests_at(self, done: int) -> bool:
        """Whether the file's pause is due behind *done* lines; one before it leaves it there."""
        return self.pause_after is not None and done >= self.pause_after

    def keep_rest(self, done: int) -> None:
        """It pauses behind *done* lines: where that is the file's own pause, that one is kept."""
        if self.rests_at(done):
            self.rested, self.pause_after = self.pause_after, None

    def regain_rest(self, done: int, *, pauses: bool) -> None:
        """*done* lines were printed in a life before this one: has that kept a pause there?

        A person may pause where the file does, before it does: then its own is still to come.
        *pauses*: what is gone by when that life did not write it down (an older release).
        """
        if self.pause_after == done and (pauses if self.rested is None else self.rested == done):
            self.pause_after = None

    def move(self, event: AttemptEvent) -> bool:
        """Step the attempt's table. False: the step is not allowed, nothing has moved."""
        if not can(ATTEMPT_TRANSITIONS, self.state, event):
            return False
        self.state = advance(ATTEMPT_TRANSITIONS, self.state, event)
        return True

    @property
    def ending(self) -> bool:
        """Whether it ends before its last line, by a wish or an error."""
        return self.outcome is not AttemptEvent.COMPLETED

    def run_clock(self, now: float) -> None:
        """The print goes on: time counts from here."""
        if self._clock_from is None:
            self._clock_from = now

    def stop_clock(self, now: float) -> None:
        """The print pauses or ends."""
        if self._clock_from is not None:
            self.printed_s += now - self._clock_from
            self._clock_from = None

    def elapsed_s(self, now: float) -> float:
        """Seconds of printing, pauses left out."""
        return self.printed_s + (0.0 if self._clock_from is None else now - self._clock_from)

    def ran_cold(self, ordinal: int) -> None:
        """Behind *ordinal* lines an extrusion was left out; one here and there is no row."""
        self.cold = self.cold + 1 if ordinal - self._cold_at <= COLD_GAP_LINES else 1
        self._cold_at = ordinal

    def progress(self, ordinal: int, now: float) -> Progress:
        """How far it is when *ordinal* lines are acknowledged; never less than before."""
        self._forget(ordinal)
        ends = self._ends
        self._pass_marks(ordinal, self.elapsed_s(now))
        file_bytes = 0
        if ends and ordinal >= ends[0][0]:
            first, offsets = ends[0]
            file_bytes = offsets[min(ordinal - first, len(offsets) - 1)]
        if self.state is AttemptState.COMPLETED:  # what follows the last command is comments
            file_bytes = self.facts.size_bytes
        elapsed_s = self.elapsed_s(now)
        file_bytes = min(max(file_bytes, self._best.file_bytes), self.facts.size_bytes)
        self._best = Progress(
            file_bytes=file_bytes,
            size_bytes=self.facts.size_bytes,
            lines=max(ordinal, self._best.lines),
            print_time_s=round(elapsed_s, 3),
            time_left_s=self._time_left_s(file_bytes, elapsed_s),
            layer=self.layer,
            layers=self.facts.layers,
        )
        return self._best

    def _forget(self, ordinal: int) -> None:
        self.heat_lines.settle(ordinal)
        while len(self._ends) > 1 and self._ends[1][0] <= ordinal:
            self._ends.popleft()
            self.trail.settle(self._ends[0][0] - 1)

    def _pass_marks(self, ordinal: int, elapsed_s: float) -> None:
        self._left.total_s = self.facts.estimate_s
        while self._minutes and self._minutes[0][0] <= ordinal:
            self._left.told(self._minutes.popleft()[1] * 60.0, elapsed_s)
        while self._marks and self._marks[0][0] <= ordinal:
            mark = self._marks.popleft()[1]
            match mark.kind:
                case MarkKind.LAYER:
                    self.layer = int(mark.value)
                case MarkKind.Z_MM:
                    self.z_mm = mark.value
                case MarkKind.ELAPSED_S:
                    self._left.told_elapsed(mark.value, elapsed_s)

    def _time_left_s(self, file_bytes: int, elapsed_s: float) -> float | None:
        if self.state is AttemptState.COMPLETED:
            return 0.0
        share = file_bytes / self.facts.size_bytes if self.facts.size_bytes else 1.0
        return self._left.left_s(share, elapsed_s)
