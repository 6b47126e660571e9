"""What a print has its printer do besides the job's lines, so that a later life can finish it.

Theory. Scripts, and what goes with a pause, a resume or an end, are errands: lines of our own with
numbers of their own. The stream counts own lines as it numbers them, so the firmware's line count
tells how many of them it has taken. An `Agenda` is all errands that are not done, the count before
their first line, and what else they need. It is written down before any of their bytes leaves: a
later life sends what is left of them, each line once, and draws the same consequences.

Questions (where is the head, what is heated) change nothing, and their answers died with who asked:
they are asked again from the beginning.
"""

from collections import deque
from dataclasses import dataclass

from bridge.gcode.modal import Modal
from bridge.gcode.pausing import Saved
from schemas.jobs import AttemptEvent
from schemas.printer import PrinterState

# Tokens of a print's own orders; those of the driver never begin with @.
STILL, PARKED, ASKED, RESUMED = "@still", "@parked", "@asked", "@resumed"
DRAINED, OVER, BEGUN = "@drained", "@over", "@begun"
#: Errands that only ask.
QUESTIONS = frozenset({STILL, ASKED})


@dataclass(frozen=True, slots=True)
class Errand:
    """Lines for one purpose, which *token* says."""

    token: str
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """What a print is at besides its lines. *serial* rises with every change.

    *state* is that of the printer since the change; *before*: own lines that were numbered before
    the first of *errands*; *modal*: what the firmware remembers once they are done; *saved*: what
    is to be brought back; *paused*: the attempt is; *own_pause*: the printer pauses by itself,
    *resumes*: and has said that this is over; *rested*: the job line behind which the file's own
    pause was kept last, -1: none was, None: an older release wrote this; *outcome* and *reason*:
    how the print ends behind its last script.
    """

    serial: int
    state: PrinterState
    before: int
    errands: tuple[Errand, ...]
    modal: Modal
    saved: Saved | None = None
    paused: bool = False
    own_pause: bool = False
    resumes: bool = False
    rested: int | None = None
    outcome: AttemptEvent = AttemptEvent.COMPLETED
    reason: str = ""

    def left(self, owns: int) -> tuple[Errand, ...]:
        """What is to be sent when the firmware has taken *owns* own lines; questions whole."""
        done = owns - self.before
        left: list[Errand] = []
        for errand in self.errands:
            if errand.token in QUESTIONS:
                left.append(errand)
            elif done < len(errand.lines):
                left.append(Errand(errand.token, errand.lines[max(0, done) :]))
            done -= len(errand.lines)
        return tuple(left)


class Errands:
    """The errands of one print that are not done yet."""

    __slots__ = ("before", "serial", "waiting")

    def __init__(self) -> None:
        self.serial = 0
        self.before = 0
        self.waiting: deque[Errand] = deque()

    def begin(self, owns: int) -> None:
        """A print begins; *owns* own lines have been numbered so far."""
        self.waiting.clear()
        self.before = owns

    def add(self, errand: Errand, owns: int) -> None:
        """Behind all others; *owns* own lines have been numbered so far."""
        if not self.waiting:
            self.before = owns
        self.waiting.append(errand)
        self.serial += 1

    def done(self, token: str) -> None:
        """All lines of the errand *token* are taken, and so are those before it."""
        if not any(errand.token == token for errand in self.waiting):
            return
        while True:
            errand = self.waiting.popleft()
            self.before += len(errand.lines)
            if errand.token == token:
                return

    def drop(self, owns: int) -> None:
        """What was not sent will not be; *owns* own lines have been numbered so far."""
        self.begin(owns)
        self.serial += 1

    def changed(self) -> None:
        """Something else of the agenda is other than before."""
        self.serial += 1
