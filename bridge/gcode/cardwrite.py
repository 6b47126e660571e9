"""A file that goes to the printer's own card: M28, its lines, M29 (serial 2 and 6).

Theory of operation, after Marlin's `queue.cpp`, `cardreader.cpp` and `M28_M29.cpp`.

1. Between M28 and M29 whatever the firmware accepts is a line of the file. Numbers and checksums
   are looked at when a line is read, before it is written: so the file's lines go through the same
   stream as a print's, each once and in order.
2. A line without number is refused meanwhile (`No Checksum with line number`, Resend), and one of
   ours with a number would be in the file. So nothing else is sent: `Orders` keeps back what
   anybody orders, no question is asked, and heaters are off before, for nothing could switch them
   off. Silence is looked into with a number far ahead of all that was sent: it is refused when it
   is read, writes nothing, and the refusal tells which line came last. (To say the last line again
   would not do: Marlin drops a repeat without a word.)
3. `Writing to file` must be heard before the first line goes: where M28 found no card the lines
   would be run. For the same reason nothing more goes once the firmware says that it has closed
   the file by itself.
4. Whoever connects behind an end that nobody saw says M29 before anything else (`greeting`), and so
   does a stop (`stopping`).
"""

import re
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from bridge.errors import LocalProtocolError
from bridge.gcode.cardprint import CardPrint
from bridge.gcode.happenings import CardWritten, OrderDone, OrderLost
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.replies import Reply
from bridge.gcode.scripts import heaters_off
from bridge.gcode.sdcard import Present, Saved, Writing
from bridge.gcode.standing import Standing
from schemas.commands import CardAction
from schemas.printer import PrinterEvent, PrinterState, Progress

_S, _E = PrinterState, PrinterEvent

_OPENED, _CLOSED, _LISTED, THEN = "@write:opened", "@write:closed", "@write:listed", "@write:then"
#: Some firmwares say `ok` before they say what came of it; and noise may have taken the answer.
ANSWER_S = 2.0
_OPENS = 3
#: Lines that are kept ready in the stream.
_LOW_WATER_LINES = 512
#: Eight and three characters that no firmware makes anything else of.
_NAME = re.compile(r"[A-Za-z0-9_~()-]{1,8}(?:\.[A-Za-z0-9_~()-]{1,3})?")
#: Marlin reads `M28 B1…` as the beginning of a binary transfer, and M110 in any line as its number;
#: in lower case it does neither.
_NO_NAME = re.compile(r"B[0-9]|.*M110")
PARTIAL = "what is on the card under that name is not whole"


class _Phase(Enum):
    """How far it is."""

    CHECKING = auto()  # nothing has been sent
    OPENING = auto()
    SENDING = auto()
    CLOSING = auto()
    LISTING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class CardJob:
    """*name*: on the card. *then*: what follows when it is there. *token*: who waits for M28."""

    name: str
    size_bytes: int
    token: str
    then: CardAction | None = None


@dataclass(slots=True)
class _Transfer:
    """One file on its way. *ends*: file offsets in bytes behind lines, with the first's ordinal."""

    job: CardJob
    phase: _Phase = _Phase.CHECKING
    since: float | None = None
    opens_left: int = _OPENS
    answer_by: float | None = None
    is_open: bool = False
    is_fed: bool = False
    is_answered: bool = False
    reason: str = ""
    lines: int = 0
    ends: deque[tuple[int, list[int]]] = field(default_factory=deque)
    best: tuple[int, int] = (0, 0)  # bytes and lines

    @property
    def name(self) -> bytes:
        """On the card."""
        return self.job.name.encode("ascii")

    def elapsed_s(self, now: float) -> float:
        """Since M28 was sent."""
        return 0.0 if self.since is None else now - self.since

    def place(self, done: int) -> tuple[int, int]:
        """Bytes of the file, and lines, when so many of these are acknowledged; never less."""
        if self.phase in (_Phase.CLOSING, _Phase.LISTING) and not self.reason:
            return self.job.size_bytes, self.lines
        while len(self.ends) > 1 and self.ends[1][0] <= done:
            self.ends.popleft()
        if self.phase is _Phase.SENDING and self.ends and done >= self.ends[0][0]:
            first, ends = self.ends[0]
            at_bytes = min(ends[min(done - first, len(ends) - 1)], self.job.size_bytes)
            self.best = max(self.best, (at_bytes, done))
        return self.best


class CardWrite:
    """The file that goes to the card of one printer, or none."""

    def __init__(self, standing: Standing, card_print: CardPrint) -> None:
        self._standing = standing
        self._card_print = card_print
        self._it: _Transfer | None = None
        #: until M29 is answered the firmware may take every line for one of the file
        self.may_save = False
        #: a transfer has changed what is on the card, and it was not listed since
        self.stale = False

    @property
    def job(self) -> CardJob | None:
        """What goes there."""
        return self._it.job if self._it is not None else None

    # What a person wants.

    def start(self, job: CardJob) -> None:
        """Bind *job*; nothing is sent before `begin`.

        `OrderDone` with its token comes when the printer has opened the file, else `OrderLost`;
        `CardWritten` at the end of all. Raises `LocalProtocolError` when it is not possible.
        """
        at = self._standing
        if at.state is not _S.OPERATIONAL:
            raise LocalProtocolError(f"the printer is {at.state.value}: its card is not free")
        problem = _unable(at) or _bad_name(job.name)
        if problem:
            raise LocalProtocolError(problem)
        at.step(_E.TRANSFER)
        self._it = _Transfer(job)

    def cancel(self, now: float, reason: str = "") -> None:
        """Stop sending; what is on the card already is deleted."""
        if self._it is not None and self._it.phase is _Phase.LISTING:
            raise LocalProtocolError("the file is on the card already")
        self.fail(reason or "cancelled", now)

    # The file.

    def begin(self, now: float) -> None:
        """The file may go: open it on the card."""
        at, it = self._standing, self._it
        assert it is not None
        stream = at.link.stream
        if at.link.status.heating:
            at.warn("card_write_cools", "a file goes to its card: the heaters are switched off")
            stream.order(heaters_off(at.config.profile))
        stream.out.restart_count()
        stream.release()
        it.phase, it.since, self.may_save, self.stale = _Phase.OPENING, now, True, True
        stream.save([b"M28 " + it.name], _OPENED)

    @property
    def wants_lines(self) -> bool:
        """Whether the file's next lines should be fed now."""
        it = self._it
        sending = it is not None and it.phase is _Phase.SENDING and not it.is_fed
        return sending and self._standing.link.stream.out.backlog < _LOW_WATER_LINES

    def feed(self, prepared: Prepared) -> None:
        """The file's next lines, in order, as `CardPreparer` makes them."""
        it = self._it
        assert it is not None and not isinstance(prepared, HostPause)
        self._standing.link.stream.feed(prepared.texts, alone=False)  # nothing is run
        it.ends.append((it.lines + 1, prepared.ends))
        it.lines += len(prepared.texts)

    def source_over(self) -> None:
        """The file has no more lines."""
        assert self._it is not None
        self._it.is_fed = self._standing.watch = True

    def fail(self, reason: str, now: float) -> None:
        """It cannot go on: what was sent is closed and deleted."""
        it = self._it
        if it is None or it.phase is _Phase.LISTING:
            return
        it.reason = it.reason or reason
        self._answer(it, reason)
        if it.phase is _Phase.CHECKING:
            self._over(it, now)
        elif it.phase is not _Phase.CLOSING:
            self._standing.link.stream.out.drop_queue()
            self._close(it)

    # What the printer says.

    def heard(self, reply: Reply, now: float) -> None:
        """A reply about the card."""
        it = self._it
        if it is None:
            return
        match reply:
            case Writing() if it.phase is _Phase.OPENING:
                it.is_open = True
                self._answer(it, "")
                if it.answer_by is not None:
                    it.phase, it.answer_by = _Phase.SENDING, None
            case Saved() if it.phase is _Phase.SENDING:
                self.fail("the printer has closed the file by itself", now)
            case Present(there=False):
                self.fail("there is no card in the printer any more", now)
            case _:
                pass

    def failed(self, text: str, now: float) -> bool:
        """An error about the card; whether it is one of this file."""
        it = self._it
        if it is None or it.phase in (_Phase.CHECKING, _Phase.LISTING):
            return False
        what = "written" if it.is_open else "opened"
        self.fail(f"the file cannot be {what} on the card: {text}", now)
        return True

    def order_done(self, token: str, now: float) -> None:
        """An order of our own is acknowledged."""
        it = self._it
        if it is None:
            return
        if token == _OPENED and it.phase is _Phase.OPENING:
            if it.is_open:
                it.phase = _Phase.SENDING
            else:
                it.answer_by = now + ANSWER_S
        elif token == _CLOSED and it.phase is _Phase.CLOSING:
            self._closed(it, now)
        elif token == _LISTED and it.phase is _Phase.LISTING:
            self._over(it, now)

    def advance(self) -> None:
        """Draw the consequences of what was acknowledged."""
        it = self._it
        over = it is not None and it.phase is _Phase.SENDING and it.is_fed
        if it is not None and over and self._standing.link.stream.idle:
            self._close(it)

    def deadline(self) -> float | None:
        """When `tick` is due, None: never."""
        return self._it.answer_by if self._it is not None else None

    def tick(self, now: float) -> None:
        """Nobody has said that the file is open: once more, from the beginning."""
        it = self._it
        if it is None or it.answer_by is None or now < it.answer_by:
            return
        it.answer_by = None
        it.opens_left -= 1
        if it.opens_left:
            self._standing.link.stream.save([b"M29", b"M28 " + it.name], _OPENED)
        else:
            self.fail("the printer does not say that it writes it: is there a card in it?", now)

    def forget(self, reason: str, now: float) -> None:
        """The connection is gone, and with it the file."""
        it = self._it
        if it is None:
            return
        it.reason = it.reason or reason
        if it.phase is not _Phase.CHECKING:
            it.reason += f"; {PARTIAL}"
        self._answer(it, it.reason)
        self._report(it, now)

    def found_again(self) -> None:
        """The connection is back, and whatever the printer wrote is closed: the greeting saw to it.

        What a transfer has left there that broke off is to be seen.
        """
        if self.stale or self.may_save:
            self._standing.link.stream.order([b"M20"])
        self.may_save = self.stale = False

    def progress(self, now: float) -> Progress | None:
        """How much of the file is on the card, None when none goes there."""
        it = self._it
        if it is None:
            return None
        stream = self._standing.link.stream
        at_bytes, lines = it.place(stream.out.ordinal_of(stream.acked))
        size_bytes, elapsed_s = it.job.size_bytes, it.elapsed_s(now)
        left_s = round(elapsed_s * (size_bytes / at_bytes - 1.0), 1) if at_bytes else None
        return Progress(at_bytes, size_bytes, lines, round(elapsed_s, 3), left_s)

    # Private.

    def _answer(self, it: _Transfer, reason: str) -> None:
        """Tell once who has asked for it what became of M28."""
        if it.is_answered:
            return
        it.is_answered = True
        token = it.job.token
        self._standing.report(OrderLost(token, reason) if reason else OrderDone(token))

    def _close(self, it: _Transfer) -> None:
        it.phase, it.answer_by = _Phase.CLOSING, None
        self._standing.link.stream.save([b"M29"], _CLOSED)

    def _closed(self, it: _Transfer, now: float) -> None:
        link = self._standing.link
        link.saved(now)
        self.may_save = False
        it.phase = _Phase.LISTING
        delete = [b"M30 " + it.name] if it.reason and it.is_open else []
        link.stream.order([*delete, b"M20"], _LISTED)

    def _over(self, it: _Transfer, now: float) -> None:
        if it.phase is _Phase.LISTING:
            self.stale = False
        self._card_print.tell()  # the new list, before the end that it shows
        self._standing.step(_E.TRANSFERRED, reason=it.reason)
        self._report(it, now)
        if it.job.then is not None and not it.reason:
            self._card_print.do(it.job.then, it.job.name, THEN)

    def _report(self, it: _Transfer, now: float) -> None:
        self._it, self._standing.watch = None, False
        time_s = round(it.elapsed_s(now), 3)
        self._standing.report(CardWritten(it.job.name, time_s, it.reason))


def _unable(at: Standing) -> str:
    """Why this printer takes no files, blank: it may."""
    told, dialect = at.link.status.capabilities, at.link.stream.dialect
    if dialect.no_card_write:
        return f"no file can be sent to its card: {dialect.no_card_write}"
    if told.get("SDCARD") is False:
        return "no file can be sent to its card: its firmware was built without one"
    if told.get("SD_WRITE") is False:
        return "no file can be sent to its card: its firmware only reads it (SD_WRITE:0)"
    if at.link.status.card.present is False:
        return "there is no card in the printer: put it in, then mount it"
    return ""


def _bad_name(name: str) -> str:
    """Why no file on a card can be called *name*, blank: one can."""
    if _NAME.fullmatch(name) and not _NO_NAME.match(name):
        return ""
    return (
        f"no file on a card is called {name[:40]!r}: eight of the letters, digits and _~()-, a dot "
        "and three of them, not beginning with a capital B and a digit"
    )
