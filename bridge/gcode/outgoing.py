"""Lines on their way out: queued, numbered just before they go, remembered for replays.

Theory. Numbers are given in blocks ahead of need, because that is cheap in bulk; what is numbered
but not sent can be un-numbered again when something has to go in between. So an inserted command
has its place in the one sequence that the firmware checks, and a replay is always the same bytes.
"""

from collections import deque
from collections.abc import Mapping

from bridge.gcode.lines import is_long, number_line, number_lines, plainer
from bridge.gcode.window import MAX_WINDOW

#: Lines numbered at a time. A longer block saves nothing and costs more when it is taken back.
_BLOCK = 128
#: Acknowledged lines that are kept for a late Resend, and the slack before they are trimmed.
HISTORY = 512
_TRIM_SLACK = 1024
#: Lines that went alone and that nobody has looked at since.
_ALONE_KEPT = 8
#: Inserted lines whose place is remembered: more than can be in flight.
INSERTS_KEPT = 64
#: A Resend so many lines behind what is acknowledged is noise in its number.
MAX_REWIND = 2 * MAX_WINDOW


class _Segment:
    """Consecutive job lines of which none, or the only one, must be alone."""

    __slots__ = ("alone", "at", "texts")

    def __init__(self, texts: list[bytes], alone: bool) -> None:
        self.texts = texts
        self.alone = alone
        self.at = 0


class Outgoing:
    """The sequence of numbered lines. *next* goes out next, *top* is the highest ever sent."""

    def __init__(self) -> None:
        self.next = 1
        self.top = 0
        self.backlog = 0
        #: what was inserted and acknowledged has run, and does not run again when it is asked for:
        #: Prusa's MK3 counts from before its own pause when that is over (`Marlin_main.cpp`,
        #: `restore_print_from_ram_and_continue`), whatever it was told to do meanwhile
        self.settled = False
        #: whether what failed last was a line of the job; None: nothing was in flight
        self.answering: bool | None = None
        #: inserted lines so far, and those of them that are of the print's own errands
        self.inserts = self.owns = 0
        #: the last of them with the job lines and the own ones up to them
        self.inserted: deque[tuple[int, int, int]] = deque(maxlen=INSERTS_KEPT)
        #: lines that were sent alone, each once; whoever looks at them takes them out
        self.went_alone: deque[bytes] = deque(maxlen=_ALONE_KEPT)
        self._segments: deque[_Segment] = deque()
        self.reset()

    def reset(self) -> None:
        """Begin again at line 1; queued job lines that were not sent stay queued."""
        self.next, self.top = 1, 0
        self._base = 1
        self._lines: list[bytes] = []
        self._marks: list[int] = []
        self._ordinal = 0
        self._source: _Segment | None = None
        self._alone: set[int] = set()
        self._hold = self._long = 0

    def go_on(self, number: int, ordinal: int, owns: int) -> None:
        """Lines up to *number* were sent in another life, *ordinal* of the job and *owns* own."""
        self.reset()
        self.owns = owns
        self.next, self.top = number + 1, number
        self._base = number
        self._lines, self._marks = [b""], [ordinal]
        self._ordinal = ordinal

    # Public: what is to be sent.

    def feed(self, texts: list[bytes], *, alone: bool) -> None:
        """Queue job lines, cleaned and in order. *alone*: one line that must be alone in flight."""
        self._segments.append(_Segment(texts, alone))
        self.backlog += len(texts)

    def amend(self, texts: Mapping[int, bytes]) -> None:
        """Job lines, by ordinal, become these texts; what was sent stays as it was."""
        self.unnumber()
        first = self._ordinal + 1
        for segment in self._segments:
            last = first + len(segment.texts) - segment.at - 1
            changed = {ordinal: texts[ordinal] for ordinal in texts if first <= ordinal <= last}
            if changed:
                segment.texts = [*segment.texts]  # who fed it may still look at his
            for ordinal, text in changed.items():
                segment.texts[segment.at + ordinal - first] = text
            first = last + 1

    def drop_queue(self) -> None:
        """Forget all job lines that have not been sent."""
        self.unnumber()
        self._segments.clear()
        self._source = None
        self.backlog = 0

    def restart_count(self) -> None:
        """The next job line is the first of a new job for `ordinal_of`, which has none so far."""
        self.unnumber()
        self._ordinal = 0
        self._marks = [0] * len(self._marks)

    def insert(self, text: bytes, *, alone: bool, own: bool = False) -> int:
        """Put *text* next in the sequence and return its number. Only outside a replay.

        *own*: it is of an errand of the print.
        """
        self.unnumber()
        self._lines.append(number_line(self.next, text))
        self._marks.append(self._ordinal)
        self.inserts += 1
        self.owns += own
        self.inserted.append((self.next, self._ordinal, self.owns))
        if alone:
            self._alone.add(self.next)
        return self.next

    def take(self, limit: int, acked: int, *, job: bool) -> list[bytes]:
        """Up to *limit* lines to send now; blank when a line is or must be alone.

        *job* False: job lines stay where they are, only inserted ones and replays go.
        """
        if self._hold > acked:
            return []
        index = self.next - self._base
        if index >= len(self._lines) and not (job and self._number_more()):
            return []
        if self._alone:
            limit = self._before_alone(limit, acked)
        lines = self._lines[index : index + limit]
        self.next += len(lines)
        if self.next > self.top:
            self.top = self.next - 1
        return lines

    def peek_bytes(self) -> int:
        """Size of the next line that is ready, 0 when none is."""
        index = self.next - self._base
        return len(self._lines[index]) if index < len(self._lines) else 0

    # Public: what happened.

    @property
    def replaying(self) -> bool:
        """Whether the next line has been sent before."""
        return self.next <= self.top

    def oldest(self, acked: int) -> int:
        """The lowest number that a Resend may ask for when lines up to *acked* are acknowledged."""
        first = self._base if self._lines and self._lines[0] else self._base + 1
        return first if self.settled else max(first, acked - MAX_REWIND)

    @property
    def empty(self) -> bool:
        """Whether no line waits to be sent, for the first time or again."""
        return self.backlog == 0 and self.next == self._base + len(self._lines)

    def blocked(self, acked: int) -> bool:
        """Whether a line that must be alone is in flight."""
        return self._hold > acked

    def waits_long(self, acked: int) -> bool:
        """Whether a command that may take minutes is in flight."""
        return self._long > acked

    def rewind(self, number: int, acked: int, times: int = 1) -> None:
        """Send again from *number*, which must be in the history; up to *acked* was answered.

        *times*: so often it has been asked for in a row.
        """
        self.unnumber()
        if times > 1 and number <= self.top:
            self._spell_plainer(number - self._base, times)
        if self.settled:
            self._leave_out(number, acked)
        self.next = number
        self._hold = self._long = 0

    def forget(self, acked: int) -> None:
        """Lines up to *acked* are done; keep `HISTORY` of them."""
        if self._alone:
            self._alone = {number for number in self._alone if number > acked}
        surplus = acked - self._base - HISTORY
        if surplus > _TRIM_SLACK and not self.settled:
            del self._lines[:surplus]
            del self._marks[:surplus]
            self._base += surplus

    def ordinal_of(self, number: int) -> int:
        """How many job lines there are up to line *number*."""
        index = number - self._base
        return self._marks[index] if 0 <= index < len(self._marks) else 0

    def note_answering(self, acked: int) -> None:
        """The firmware speaks of the line behind *acked*: those without a queue run one by one."""
        ordinal = self.ordinal_of(acked + 1)
        self.answering = None if self.next == acked + 1 else ordinal > self.ordinal_of(acked)

    def word_of(self, number: int) -> bytes:
        """The first word of line *number*, which must be in the history."""
        return self._lines[number - self._base].split(b" ", 2)[1].partition(b"*")[0].strip()

    def size_of(self, first: int, last: int) -> int:
        """Bytes of the lines from *first* to *last*, both included."""
        return sum(map(len, self._lines[first - self._base : last - self._base + 1]))

    def unnumber(self) -> None:
        """Take back the numbers of lines that were never sent."""
        keep = max(self.next, self.top + 1) - self._base
        surplus = len(self._lines) - keep
        if surplus <= 0:
            return
        del self._lines[keep:]
        del self._marks[keep:]
        self._alone = {number for number in self._alone if number <= self.top}
        if self._source is not None:
            self._source.at -= surplus
            self._ordinal -= surplus
            self.backlog += surplus

    # Private.

    def _spell_plainer(self, index: int, times: int) -> None:
        text = self._lines[index].partition(b" ")[2].rpartition(b"*")[0]
        plain = plainer(text, times)
        if plain != text:
            self._lines[index] = number_line(self._base + index, plain)

    def _leave_out(self, number: int, acked: int) -> None:
        """What was inserted from *number* to *acked* becomes a question."""
        for index in range(max(1, number - self._base), acked - self._base + 1):
            if self._marks[index] == self._marks[index - 1]:
                self._lines[index] = number_line(self._base + index, b"M105")

    def _number_more(self) -> bool:
        segments = self._segments
        while segments and segments[0].at >= len(segments[0].texts):
            segments.popleft()
        if not segments:
            return False
        segment = self._source = segments[0]
        texts = segment.texts[segment.at : segment.at + _BLOCK]
        if segment.alone:
            self._alone.add(self.next)
        self._lines += number_lines(self.next, texts)
        self._marks += range(self._ordinal + 1, self._ordinal + len(texts) + 1)
        self._ordinal += len(texts)
        segment.at += len(texts)
        self.backlog -= len(texts)
        return True

    def _before_alone(self, limit: int, acked: int) -> int:
        if self.next in self._alone:
            if self.next - 1 > acked:
                return 0
            self._hold = self.next
            if is_long(self._lines[self.next - self._base].partition(b" ")[2]):
                self._long = self.next
            if self.next > self.top:
                self.went_alone.append(self._lines[self.next - self._base])
            return 1
        ahead = min((number for number in self._alone if number > self.next), default=None)
        return limit if ahead is None else min(limit, ahead - self.next)
