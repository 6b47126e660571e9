"""What a firmware waits for inside a command: a person is told, and a cancelled print ends it.

A wait for a person has no end of its own: a filament change, a question of an MMU, a text that is
to be read. Its firmware says so every two seconds (`busy: paused for user`), and hears M108 or M876
meanwhile only where it reads on.
"""

import re

from bridge.gcode.failures import MAX_TEXT
from bridge.gcode.standing import Standing
from schemas.printer import ACTIVE, PrinterState, Prompt

#: So often a cancelled print breaks a wait at most: one that hears no M108 keeps them in its ring.
_BREAKS = 8
#: A wait that goes on for so long behind an answer has not heard it. Marlin heats its nozzle again
#: behind one, and calls that a wait for the person still (`pause.cpp`, `wait_for_confirmation`).
UNHEARD_S = 180.0
#: A wait of which a line comes so soon is one with that before it, whatever is answered meanwhile:
#: `busy` comes every two seconds.
SAME_WAIT_S = 10.0
#: A pause of the printer's own that lasts is one for a person; a macro's may be over at once.
OWN_PAUSE_S = 60.0
_PAUSED = (
    "the printer has paused by itself, or somebody there has paused it: see what it shows, then "
    "resume or cancel"
)
_WAITS = "the printer waits for a person: do what it asks for, then "
_HEARS = "press its button, or send M108 in the terminal"
_DEAF = "press its button: over the cable it hears no answer now"
_UNHEARD = (
    "the printer waits for a person still, minutes after it was told to go on: it does not hear "
    "that over the cable. Press its button; if it has none, stop it"
)
#: An MMU has given up by itself. Its printer parks and waits for one of its buttons, and calls that
#: `busy: processing`; the line before says why, in capitals (`mmu2.cpp`, `SaveAndPark`).
_MMU = re.compile(r"echo:\s*MMU[23]:(?P<words>.*)")
_MMU_WAITS = "saving and parking"
_MMU_ASKS = "the MMU waits for a person (%s): see to it, then answer at the printer's display"


def is_question(prompt: Prompt) -> bool:
    """Whether *prompt* can be answered; what can only be dismissed is none."""
    return any(label.lower() != "dismiss" for label in prompt.buttons)


class Waits:
    """The waits of one printer."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._breaks_left = 0
        self.begin()

    def begin(self) -> None:
        """A print begins: whatever it waits for is to be told."""
        #: the answers before the command that waits, None: nobody waits
        self._acked: int | None = None
        self._heard_at = float("-inf")
        self._answered = False
        self._since: float | None = None
        self._mmu = "it does not say why"
        self._mmu_told: tuple[int, str] | None = None
        self._paused_at: float | None = None

    def cancelled(self) -> None:
        """The print ends: nothing of it is waited for any more."""
        self._breaks_left = _BREAKS
        self._end()

    def answered(self) -> None:
        """Somebody has told the firmware to go on."""
        self._answered, self._since = True, None

    def heard(self, now: float, *, human: bool) -> None:
        """The firmware is busy; *human*: it waits for a person, and may do so more than once."""
        at = self._standing
        heard_at, self._heard_at = self._heard_at, now if human else float("-inf")
        if not human:
            self._answered, self._since = False, None
            return
        if at.state not in ACTIVE:
            return
        if at.state is PrinterState.CANCELLING:
            self._end()
        elif self._acked != at.link.stream.acked:
            self._wait_begins()
            if now > heard_at + SAME_WAIT_S:
                self._tell()
        if self._answered and self._since is None:
            self._since = now
        if self._since is not None and now >= self._since + UNHEARD_S:
            self._answered, self._since = False, None
            at.warn_once("wait_unheard", _UNHEARD)

    def paused(self, now: float | None) -> None:
        """It stands in a pause of its own since *now*; None: in no such pause."""
        self._paused_at = now

    def deadline(self) -> float | None:
        """When `tick` is due, None: never."""
        at = self._standing
        if self._paused_at is None or at.run is None or at.state is not PrinterState.PAUSED:
            return None
        return self._paused_at + OWN_PAUSE_S

    def tick(self, now: float) -> None:
        """A pause of the printer's own that lasts is told, unless it has said more than that."""
        due = self.deadline()
        if due is None or now < due:
            return
        self._paused_at = None
        if not self._standing.link.stream.patience.human:
            self._standing.warn("printer_paused", _PAUSED)

    def said(self, text: str) -> None:
        """A line that says nothing to anybody else; an MMU may."""
        found = _MMU.match(text)
        if found is None:
            return
        words = found["words"].strip()[:MAX_TEXT]
        if words.isupper():
            self._mmu = words
        elif words.lower() == _MMU_WAITS and self._standing.state in ACTIVE:
            self._wait_begins()
            trouble = self._standing.link.stream.acked, self._mmu
            if trouble != self._mmu_told:
                self._mmu_told = trouble
                self._standing.warn("printer_waits", _MMU_ASKS % self._mmu)

    @property
    def hears(self) -> bool:
        """Whether the firmware says that it hears M108 while it waits."""
        return self._standing.link.status.emergency_parser or (
            self._standing.link.stream.dialect.reads_on
        )

    # Private.

    def _wait_begins(self) -> None:
        """Another wait has begun, of which somebody is told."""
        self._acked = self._standing.link.stream.acked
        self._answered, self._since = False, None

    def _tell(self) -> None:
        """Once for each command that waits; a question of its own has been told already."""
        at = self._standing
        prompt = at.link.status.prompt
        if prompt is None or not is_question(prompt):
            at.warn("printer_waits", _WAITS + (_HEARS if self.hears else _DEAF))

    def _end(self) -> None:
        """End what a command waits for, a heater or a person, where the firmware hears that."""
        stream = self._standing.link.stream
        blocked = self._standing.run is not None and stream.out.blocked(stream.acked)
        if self.hears and self._breaks_left and blocked:
            self._breaks_left -= 1
            if not self._answered:
                self.answered()
            stream.bypass(b"M108\n", answered=True)
