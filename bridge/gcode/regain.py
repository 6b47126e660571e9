"""Which line did it take last? After a host crash with the printer's power on (serial 11).

Theory of operation. Marlin moves its line count only for a numbered line whose number and checksum
are right. So a numbered `M105` far ahead of anything ever sent is refused, and the refusal tells
the count: what it says has been or will be executed, what follows is ours to send.

Answers that the dead host never read may still be on their way. A word that nobody has said before
and that is no command is told back by the firmware as unknown: what comes behind it is an answer to
us. Only then the count is asked for. A `start`, a count outside what the dead host can have sent,
two numbers in one refusal that do not fit, a firmware that takes the impossible line: each means
that nothing is certain.

Ports swap names while a host is dead, and two printers may have stopped at the same line of one
file. So a firmware that has told its UUID before is asked for it last: a print goes on with its own
machine only (safety M18).
"""

import re
from enum import Enum, auto

from bridge.errors import LocalProtocolError
from bridge.gcode.failures import Failure, Severity
from bridge.gcode.greeting import Outcome
from bridge.gcode.lines import impossible_line
from bridge.gcode.replies import Ack, Busy, FirmwareInfo, Reply, Resend, Start, Text
from bridge.gcode.temperatures import Temperatures

#: Between two questions that nobody has answered.
ASK_EVERY_S = 1.5
#: Questions in a row without any sign of life.
MAX_QUESTIONS = 6
#: Words that may wait in the receive buffer of a firmware that does not read, as while it waits for
#: a person. More would fill it, and then nothing gets in any more: no M108, and no M112.
MAX_UNHEARD = 3
#: Signs of life without an answer, as while a heater or the homing holds the firmware, for so long.
MAX_WAIT_S = 1800.0


#: M108 to a print that is to end, at most: one that hears none keeps them in its ring.
MAX_BREAKS = 4
#: The same for waits that noise has made of a question.
MAX_SLIPS = 4
#: The same with what a person says: a change of filament asks more than once.
MAX_SAID = 8


class Waits(Enum):
    """What holds up a firmware that does not answer."""

    NOT = auto()
    MACHINE = auto()  # a heater, homing, moves that it has
    PERSON = auto()


class _Stage(Enum):
    """What is waited for, in this order; no answer in time begins anew with another word."""

    WORD = auto()
    WORD_OK = auto()
    COUNT = auto()  # to be asked for
    ANSWER = auto()
    NAME = auto()  # to be asked for
    NAMED = auto()


#: Makes what a dead host has left of a line no command: a half `M115` may be an `M1`, at which the
#: printer waits for a person, and there is no `M1777`. Alone it is none either.
_SPOIL = b"777"
_LAST_LINE = re.compile(r"Last Line: ?(\d+)")


class Regain:
    """One conversation; it stands where a greeting stands. *number* is valid once ANSWERED.

    *waits*: what holds the firmware up, as far as it has said; *human_at*: when it has said last
    that it waits for a person.
    """

    def __init__(
        self, now: float, *, lowest: int, highest: int, word: str, uuid: str | None = None
    ) -> None:
        """The count must lie between *lowest* and *highest*; nobody has ever said *word*.

        *uuid*: of the board that was printing; None: it has none, and is not asked.
        """
        self.outcome = Outcome.WAITING
        self.number = 0
        self.reason = "the printer did not answer"
        self.waits = Waits.NOT
        self.human_at = float("-inf")
        self._lowest, self._highest = lowest, highest
        self._word = word
        self._uuid, self._named = uuid, ""
        self._stranger = ""  # a UUID that may have been noise
        self._asked = 0
        self._left = MAX_QUESTIONS
        self._unheard = 0  # words since the firmware has read any
        self._alive = False  # it has shown since the last word that it lives
        self._next = now
        self._ends = now + MAX_WAIT_S
        self._stage = _Stage.WORD
        self._told: int | None = None
        self._resend: int | None = None
        self._uncounted = False  # it has taken a line that is not possible
        self._breaks_left = 0
        self._breaking = False
        self._slips_left = 0  # from when on nothing that waits can be the dead host's
        self._broken = 0  # answers to M108 that may still come
        self._words = b""  # of a person

    def deadline(self) -> float | None:
        """When `tick` is due; None: never again."""
        return self._next if self.outcome is Outcome.WAITING else None

    def tick(self, now: float) -> bytes:
        """What to write now, blank for nothing. Sets `outcome` when patience is over."""
        if self.outcome is not Outcome.WAITING:
            return b""
        if self._breaking:
            self._breaking = False
            self._breaks_left = max(0, self._breaks_left - 1)
            self._broken += 1
            return b"M108\n"
        if self._words:
            words, self._words = self._words, b""
            return words
        if now < self._next:
            return b""
        if self._left == 0 or now >= self._ends:
            self.outcome = Outcome.SILENT
            return b""
        self._next = now + ASK_EVERY_S
        if self._stage in (_Stage.COUNT, _Stage.NAME):
            return self._question()
        alive, self._alive = self._alive, False
        if alive and self._unheard >= MAX_UNHEARD:
            return b""
        self._left -= 1
        self._asked += 1
        self._unheard += 1
        self._stage = _Stage.WORD
        # No command, so that no part of it is one either.
        return b"%b\n%b\n" % (_SPOIL, self._mark().encode())

    def receive(self, reply: Reply, now: float, *, garbage: int = 0) -> None:
        """A reply arrived; *garbage* is nothing here: the baud rate is known."""
        if self.outcome is Outcome.ANSWERED and isinstance(reply, Start):
            self._give_up("the printer has restarted")
        if self.outcome is not Outcome.WAITING:
            return
        if isinstance(reply, Busy) or (isinstance(reply, Temperatures) and reply.settling):
            self._left = MAX_QUESTIONS
            self._next = now + ASK_EVERY_S
            self._alive = True
            self._held_up(reply, now)
        elif isinstance(reply, Ack):
            self._unheard = 0
        if self._stage is _Stage.ANSWER:
            self._hear_answer(reply, now)
        elif self._stage is _Stage.NAMED:
            self._hear_name(reply)
        else:
            self._hear_word(reply, now)

    def break_waits(self) -> None:
        """The print is to end: what the firmware waits for now, and later, is not waited for."""
        self._breaks_left = MAX_BREAKS
        self._breaking = self.waits is not Waits.NOT

    def say(self, text: bytes) -> None:
        """A person answers what the firmware waits for, or ends it; an `ok` comes for that.

        Raises `LocalProtocolError` when too many such words are not answered yet.
        """
        if self._broken >= MAX_SAID:
            raise LocalProtocolError(
                f"{MAX_SAID} such words were sent and the printer has answered none yet: "
                "see what it waits for"
            )
        self._broken += 1
        self._words += b"\n%b\n" % text  # a half line of the dead host ends before

    # Private.

    def _held_up(self, reply: Busy | Temperatures, now: float) -> None:
        human = isinstance(reply, Busy) and reply.human
        if human:
            self.waits = Waits.PERSON
            self.human_at = now
            self._ends = now + MAX_WAIT_S  # a person may take any time
        elif self.waits is Waits.NOT:
            self.waits = Waits.MACHINE
        if self._breaks_left and (human or isinstance(reply, Temperatures)):
            self._breaking = True
        elif human and self._slips_left:  # an M1 that was our M115
            self._slips_left -= 1
            self._breaking = True

    def _question(self) -> bytes:
        """What is to be asked next, behind a word that was heard."""
        if self._stage is _Stage.NAME:
            self._stage, self._named = _Stage.NAMED, ""
            self._slips_left = self._slips_left or MAX_SLIPS
            return b"M115\n"
        self._stage = _Stage.ANSWER
        self._told = self._resend = None
        return impossible_line(self._highest)

    def _mark(self) -> str:
        return f"{self._word}.{self._asked}"

    def _hear_word(self, reply: Reply, now: float) -> None:
        match reply:
            case Start():
                self._give_up("the printer has restarted")
            case Text(text) | Failure(_, text) if (
                self._stage is _Stage.WORD and self._mark() in text
            ):
                self._stage = _Stage.WORD_OK
            case Ack() if self._stage is _Stage.WORD_OK:
                self._stage, self._next = _Stage.COUNT, now
            case _:
                pass

    def _hear_answer(self, reply: Reply, now: float) -> None:
        match reply:
            case Start():
                self._give_up("the printer has restarted")
            case Failure(Severity.RESEND, text):
                found = _LAST_LINE.search(text)
                self._told = int(found[1]) if found else None
            case Resend(number):
                self._resend = number
            case Ack():
                self._judge(now)
            case _:
                pass

    def _judge(self, now: float) -> None:
        told, resend = self._told, self._resend
        if told is None and resend is None and self._broken:
            self._broken -= 1
        elif told is None or resend is None:
            self._stage = _Stage.WORD  # noise in them, once
            if self._uncounted:
                self._give_up("this firmware does not count lines")
            self._uncounted = True
        elif resend != told + 1:
            self._stage = _Stage.WORD  # noise in one of them: a new word, when it is time
        elif not self._lowest <= told <= self._highest:
            self._give_up(
                f"its count is {told}, which is not between {self._lowest} and {self._highest}"
            )
        else:
            self.number = told
            if self._uuid is None:
                self.outcome = Outcome.ANSWERED
            else:
                self._stage, self._next = _Stage.NAME, now

    def _hear_name(self, reply: Reply) -> None:
        match reply:
            case Start():
                self._give_up("the printer has restarted")
            case FirmwareInfo(fields):
                self._named = fields.get("UUID", "")
            case Ack():
                self._recognise(self._named)
            case _:
                pass

    def _recognise(self, uuid: str) -> None:
        if uuid == self._uuid:
            self.outcome = Outcome.ANSWERED
        elif not uuid and self._broken:
            self._broken -= 1
        elif uuid and uuid == self._stranger:
            self._give_up(
                f"another board answers at this port: UUID {uuid}, and it was {self._uuid}"
            )
        else:  # noise makes no name twice: all is asked again, when it is time
            self._stage, self._stranger = _Stage.WORD, uuid
            self.reason = "the printer did not say who it is, as it had before"

    def _give_up(self, reason: str) -> None:
        self.reason = reason
        self.outcome = Outcome.SILENT
