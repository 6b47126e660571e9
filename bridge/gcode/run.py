"""One attempt at one file: how far it is, how long it has taken, how it will end."""

from collections import deque
from dataclasses import dataclass

from bridge.gcode.prepare import Run as Lines
from schemas.jobs import ATTEMPT_TRANSITIONS, AttemptEvent, AttemptState
from schemas.printer import Progress
from schemas.transitions import advance, can

#: Below this share of the file a rate says nothing about the rest.
_MIN_SHARE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What a start grant says. *estimate_s*: the slicer's printing time in seconds, if known."""

    grant: str
    job: int
    file_name: str
    size_bytes: int
    estimate_s: float | None = None


class Run:
    """The running attempt. Ordinals count the job's lines from 1, as `Outgoing` does."""

    def __init__(self, facts: JobFacts) -> None:
        self.facts = facts
        self.state = AttemptState.GRANTED
        self.fed = 0
        self.source_over = False
        #: how it ends once its last script has run
        self.outcome = AttemptEvent.COMPLETED
        self.reason = ""
        #: lines that must be acknowledged before the file's own pause, None without one
        self.pause_after: int | None = None
        self._ends: deque[tuple[int, list[int]]] = deque()
        self._minutes: deque[tuple[int, int]] = deque()
        self._minutes_left: int | None = None
        self._clock_from: float | None = None
        #: seconds of printing before the clock ran last
        self.printed_s = 0.0
        self._best = Progress(0, facts.size_bytes, 0, 0.0)

    def note(self, lines: Lines, done: int) -> None:
        """*lines* have been given to the stream, *done* ordinals are acknowledged."""
        self._forget(done)
        self._ends.append((self.fed + 1, lines.ends))
        self.fed += len(lines.texts)
        if lines.minutes_left is not None:
            self._minutes.append((self.fed, lines.minutes_left))

    def move(self, event: AttemptEvent) -> bool:
        """Step the attempt's table. False: the step is not allowed, nothing has moved."""
        if not can(ATTEMPT_TRANSITIONS, self.state, event):
            return False
        self.state = advance(ATTEMPT_TRANSITIONS, self.state, event)
        return True

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

    def progress(self, ordinal: int, now: float) -> Progress:
        """How far it is when *ordinal* lines are acknowledged; never less than before."""
        self._forget(ordinal)
        ends = self._ends
        while self._minutes and self._minutes[0][0] <= ordinal:
            self._minutes_left = self._minutes.popleft()[1]
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
        )
        return self._best

    def _forget(self, ordinal: int) -> None:
        while len(self._ends) > 1 and self._ends[1][0] <= ordinal:
            self._ends.popleft()

    def _time_left_s(self, file_bytes: int, elapsed_s: float) -> float | None:
        if self.state is AttemptState.COMPLETED:
            return 0.0
        if self._minutes_left is not None:
            return self._minutes_left * 60.0
        share = file_bytes / self.facts.size_bytes if self.facts.size_bytes else 1.0
        if self.facts.estimate_s is not None:
            # the slicer's word counts less the more of the print has been measured
            total_s = (1.0 - share) * self.facts.estimate_s + elapsed_s
            return round((1.0 - share) * total_s, 1)
        if share < _MIN_SHARE:
            return None
        return round(elapsed_s * (1.0 - share) / share, 1)
