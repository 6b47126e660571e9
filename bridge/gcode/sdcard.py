"""The card in the printer's slot: its answers as values, and what is known of it (serial 6)."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from schemas.printer import CardFile

#: More names than this are counted and not kept.
MAX_FILES = 5000
#: Characters of a name: FAT has no longer ones.
MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class ListBegins:
    """The answer to M20 begins."""


@dataclass(frozen=True, slots=True)
class ListEnds:
    """The answer to M20 is complete."""


@dataclass(frozen=True, slots=True)
class Opened:
    """M23 has found the file."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Selected:
    """M24 will print the file that was opened."""


@dataclass(frozen=True, slots=True)
class Printing:
    """M27: so much of the file on the card is read."""

    at_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class NotPrinting:
    """M27: nothing is printed from the card."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The file on the card is printed to its end."""


@dataclass(frozen=True, slots=True)
class Present:
    """A card has been put in or taken out."""

    there: bool


@dataclass(frozen=True, slots=True)
class Writing:
    """M28 has opened the file: from here on every line goes into it."""


@dataclass(frozen=True, slots=True)
class Saved:
    """M29 has closed the file."""


CardReply = (
    ListBegins
    | ListEnds
    | Opened
    | Selected
    | Printing
    | NotPrinting
    | Finished
    | Present
    | Writing
    | Saved
)

PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], CardReply]], ...] = (
    (re.compile(r"Begin file list", re.I), lambda _: ListBegins()),
    (re.compile(r"End file list", re.I), lambda _: ListEnds()),
    (
        re.compile(r"File opened:(?P<name>.*?)\sSize:\s*(?P<size>\d{1,15})", re.I),
        lambda m: Opened(m["name"].strip()[:MAX_NAME], int(m["size"])),
    ),
    (re.compile(r"File selected", re.I), lambda _: Selected()),
    (
        re.compile(r"SD printing byte\s+(?P<at>\d{1,15})\s*/\s*(?P<size>\d{1,15})", re.I),
        lambda m: Printing(int(m["at"]), int(m["size"])),
    ),
    (re.compile(r"Not (?:SD printing|currently playing)", re.I), lambda _: NotPrinting()),
    (re.compile(r"Done printing file", re.I), lambda _: Finished()),
    (re.compile(r"Writing to file:", re.I), lambda _: Writing()),
    (re.compile(r"Done saving file", re.I), lambda _: Saved()),
    (re.compile(r"(?:echo:\s*)?SD card (?:ok|inserted)", re.I), lambda _: Present(True)),
    (
        re.compile(r"(?:echo:\s*)?(?:No (?:SD card|media)|SD card (?:released|removed))", re.I),
        lambda _: Present(False),
    ),
)

_ENTRY = re.compile(
    r"(?P<name>\S+(?:\s+\S+)*?)\s+(?P<size>\d{1,15})(?:\s+0x[0-9a-fA-F]+)?(?:\s+(?P<long>.+))?$"
)


class Card:
    """What the firmware has said about its card. *present* None: nothing yet."""

    def __init__(self) -> None:
        self.present: bool | None = None
        self.files: list[CardFile] = []
        self.opened: Opened | None = None
        self.listing = False
        self.unlisted = 0
        #: what M27 said last, None once it is over
        self.running: Printing | None = None
        #: the list, or whether there is a card, is another since `take_news`
        self._news = False

    def take_news(self) -> bool:
        """Whether there is something to tell of it, once."""
        news, self._news = self._news, False
        return news

    def entry(self, line: str) -> None:
        """A line between the beginning and the end of a list."""
        if len(self.files) >= MAX_FILES:
            self.unlisted += 1
            return
        match = _ENTRY.match(line)
        if match is None:
            self.files.append(CardFile(line[:MAX_NAME], None))
            return
        long_name = (match["long"] or "").strip('"')[:MAX_NAME] or None
        self.files.append(CardFile(match["name"][:MAX_NAME], int(match["size"]), long_name))

    def fold(self, reply: CardReply) -> None:
        """Take in one reply."""
        match reply:
            case ListBegins():
                self.files, self.unlisted, self.listing = [], 0, True
                self.present = True
            case ListEnds():
                self._news, self.listing = True, False
            case Opened():
                self.opened = reply
            case Printing():
                self.running = reply
            case NotPrinting() | Finished():
                self.running = None
            case Present(there):
                self._news = self._news or there is not self.present
                self.present = there
                if not there:
                    self.files, self.opened, self.listing = [], None, False
            case _:
                pass
