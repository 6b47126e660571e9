"""A print that the printer runs from its own card: found, followed and ended (serial 6).

The host only asks how far it is (`M27`), or has it told (`M27 S5`) where the firmware can. There
is no attempt behind it; the printer's state follows the same table, so that nothing else is started
meanwhile. It begins at the printer, or with `M23` and `M24` at the terminal; one that runs already
when the connection is made is taken up, not ended.
"""

from bridge.errors import LocalProtocolError
from bridge.gcode.happenings import CardListed, OrderDone, OrderLost
from bridge.gcode.lines import LineTooLong, clean
from bridge.gcode.replies import Reply
from bridge.gcode.sdcard import Finished, NotPrinting, Printing
from bridge.gcode.standing import Standing
from schemas.commands import CardAction
from schemas.printer import ACTIVE, PrinterEvent, PrinterState, Progress

_S, _E = PrinterState, PrinterEvent

_GOES, _PAUSED, _OVER = "@card:goes", "@card:paused", "@card:over"
_FOUND = "@card:found"
_STARTS = (b"M24", b"M32")
#: What an action sends, but for those that have to find a file first.
_SENT = {
    CardAction.MOUNT: [b"M21", b"M20"],
    CardAction.LIST: [b"M20"],
    CardAction.RELEASE: [b"M22"],
}
#: A name ends at these, or becomes another command.
_NOT_IN_NAMES = frozenset("*;\r\n")
_STEERING = {b"M25": (_E.PAUSE, _PAUSED), b"M24": (_E.RESUME, _GOES)}


class CardPrint:
    """The print from the card of one printer, or none."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self.active = False
        self._paused = False
        self._told_to_start = False  # and no answer to M27 has come since
        self._size_bytes = 0
        self._at_bytes = 0
        self._since = 0.0
        self._asked: tuple[CardAction, str, str] | None = None  # action, name, token

    # What a person wants.

    def do(self, action: CardAction, name: str, token: str) -> None:
        """One action on the card; `OrderDone` or `OrderLost` with *token* follows.

        Raises `LocalProtocolError` when that is not possible now or there is no such name.
        """
        at = self._standing
        if at.state is not _S.OPERATIONAL:
            raise LocalProtocolError(f"the printer is {at.state.value}: its card is not free")
        if action in _SENT:
            at.link.stream.order(list(_SENT[action]), token)
            return
        text = _named(b"M30 " if action is CardAction.DELETE else b"M23 ", name)
        if action is CardAction.DELETE:
            at.link.stream.order([text, b"M20"], token)
            return
        if self._asked is not None:
            raise LocalProtocolError("another file is being looked for on the card")
        self._asked = (action, name, token)
        at.link.status.card.opened = None
        at.link.stream.order([self.spelled(text)], _FOUND)

    def steer(self, code: bytes, *, send: bool) -> None:
        """Pause (M25) or go on (M24); *send* False: somebody has told the printer already."""
        event, token = _STEERING[code]
        self._standing.step(event)
        self._paused = event is _E.PAUSE
        self._standing.link.stream.order([code if send else b"M27"], token)

    def follow(self, texts: list[bytes]) -> None:
        """A person has typed *texts*: what they do to a print from the card."""
        at = self._standing
        for text in texts:
            if not self.active:
                if text.startswith(_STARTS):
                    at.link.watch_card = self._told_to_start = True
                    at.link.stream.order([b"M27"])  # seen before anything else starts
            elif text in _STEERING and at.can(_STEERING[text][0]):
                self.steer(text, send=False)
            elif text == at.link.stream.dialect.card_abort and at.can(_E.CANCEL):
                at.step(_E.CANCEL)
                at.link.stream.order([b"M27"], _OVER)

    def spelled(self, text: bytes) -> bytes:
        """*text* with the file's name as this firmware wants it."""
        lower = self._standing.link.stream.dialect.lower_case_names
        return text[:4] + text[4:].lower() if lower and text.startswith(b"M23 ") else text

    def cancel(self, now: float, reason: str) -> None:
        """End it, with the cancel script.

        Between the two something is asked for that may get lost: Marlin empties its queue a moment
        behind the `ok` of M524 (`MarlinCore.cpp`, `abortSDPrinting`).
        """
        at = self._standing
        at.step(_E.CANCEL, reason=reason)
        dialect = at.link.stream.dialect
        script = at.script("on_cancel", now, reason)
        at.link.stream.order([dialect.card_abort, dialect.drain, *script], _OVER)

    def forget(self) -> None:
        """The connection is gone; the printer may print on."""
        self.active = self._standing.link.watch_card = self._told_to_start = False
        if self._asked is not None:
            token, self._asked = self._asked[2], None
            self._standing.report(OrderLost(token, "the connection was lost"))

    # What the printer says.

    def heard(self, reply: Reply, now: float) -> None:
        """A reply about the card."""
        at = self._standing
        match reply:
            case Printing(at_bytes, size_bytes):
                at.link.card_heard(now)
                read, self._told_to_start = at_bytes > 0 or self._told_to_start, False
                if not self.active and not (read and at_bytes < size_bytes):
                    return  # a file is open and nothing runs
                if not self.active and at.state is _S.OPERATIONAL:
                    at.step(_E.JOB)
                    at.step(_E.STREAM)
                    self._begin(now)
                    at.warn("card_print", "the printer prints from its card")
                self._at_bytes, self._size_bytes = at_bytes, size_bytes
            case NotPrinting() if self.active:
                if at.state is _S.PRINTING and not self._paused:
                    self._stopped(now)
            case NotPrinting():
                at.link.watch_card = self._told_to_start = False
            case Finished() if self.active:
                self._end(now)
            case _:
                pass

    def order_done(self, token: str, now: float) -> None:
        """An order of our own is acknowledged."""
        at = self._standing
        if token == _FOUND:
            self._found()
        if not self.active:
            return
        if token == _GOES and at.can(_E.STREAM):
            at.step(_E.STREAM)
        elif token == _PAUSED and at.can(_E.PARKED):
            at.step(_E.PARKED)
        elif token == _OVER and at.state in ACTIVE:
            self.forget()
            at.step(_E.JOB_OVER)

    def tell(self) -> None:
        """Report the card where it is another than was told."""
        card = self._standing.link.status.card
        if card.take_news():
            self._standing.report(CardListed(card.present, tuple(card.files), card.unlisted))

    def progress(self, now: float) -> Progress | None:
        """How far it is, None when none runs."""
        if not self.active:
            return None
        elapsed_s = now - self._since
        left_s = None
        if self._at_bytes:
            left_s = round(elapsed_s * (self._size_bytes / self._at_bytes - 1.0), 1)
        return Progress(self._at_bytes, self._size_bytes, 0, round(elapsed_s, 3), left_s)

    # Private.

    def _found(self) -> None:
        """M23 is answered: go on where it has opened the file."""
        if self._asked is None:
            return
        (action, name, token), self._asked = self._asked, None
        link = self._standing.link
        if link.status.card.opened is None:
            text = f"the printer finds no {name!r} on its card"
            if token.startswith("@"):  # nobody waits for it
                self._standing.warn("card_file_missing", text)
            self._standing.report(OrderLost(token, text))
        elif action is CardAction.SELECT:
            self._standing.report(OrderDone(token))
        else:
            link.watch_card = self._told_to_start = True
            link.stream.order([b"M24", b"M27"], token)  # seen before anything else starts

    def _begin(self, now: float) -> None:
        self.active = self._standing.link.watch_card = True
        self._paused = False
        self._since = now
        self._at_bytes = self._size_bytes = 0
        if self._standing.link.can("AUTOREPORT_SD_STATUS"):
            self._standing.link.stream.order([b"M27 S5"])

    def _end(self, now: float) -> None:
        """The file is printed to its end."""
        at = self._standing
        if not at.can(_E.LAST_LINE):
            return
        self._at_bytes = self._size_bytes
        at.step(_E.LAST_LINE)
        drain = at.link.stream.dialect.drain
        at.link.stream.order([drain, *at.script("after_print", now)], _OVER)

    def _stopped(self, now: float) -> None:
        """Nothing is printed any more, and nobody has said that the file is at its end.

        Stopped at the printer, or only paused there by a firmware that does not tell: a script for
        the end of a print could drive the head through the part.
        """
        at = self._standing
        if self._at_bytes >= self._size_bytes:
            self._end(now)
            return
        at.warn(
            "card_print_stopped",
            f"the printer has stopped printing from its card behind {self._at_bytes} of "
            f"{self._size_bytes} bytes: the script for the end of a print was left out",
        )
        at.step(_E.LAST_LINE)
        at.link.stream.order([at.link.stream.dialect.drain], _OVER)


def _named(code: bytes, name: str) -> bytes:
    """*code* with a file's name. Raises `LocalProtocolError` for what cannot be one."""
    if not name.strip() or not name.isprintable() or _NOT_IN_NAMES & set(name):
        raise LocalProtocolError(f"no file on a card is called {name!r}")
    try:
        return clean(code + name.encode()) or code
    except LineTooLong as error:
        raise LocalProtocolError(f"the name {name!r} is too long: {error}") from None
