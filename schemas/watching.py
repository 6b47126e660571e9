"""Who looks at a room, and what its terminals say (room link contract, "Live").

Pictures come faster while somebody looks, and a printer's terminal travels only while somebody
reads it. Both hold for a lease, so that nobody has to say that they have left. An agent that knows
no terminals passes over the field that asks for them; one that does says `TerminalLines` of at most
`TERMINAL_FRAME_BYTES`, and the next only after `TerminalGot`: on a slow line they wait for one
another, and nothing else waits for more than one of them.
"""

from enum import StrEnum

import msgspec

#: A frame of terminal lines, which facts may have to wait for.
TERMINAL_FRAME_BYTES = 8 * 1024


class InterestLevel(StrEnum):
    """How closely people look at a room."""

    OFF = "off"  # a snapshot every `idle_s`, and every change of state at once
    LIST = "list"
    DETAIL = "detail"  # every `live_s`; terminals as well


class TerminalWatch(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody reads this printer's terminal until *lease_s* from now.

    *after*: the newest `TerminalText.cursor` that was heard; empty: begin with what is kept.
    """

    printer: int
    lease_s: float
    after: str = ""


class Interest(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody looks at the room: pictures come faster until *lease_s* seconds from now.

    *terminals* are renewed, or begun; those that are not named go on to the end of their lease,
    but with a level below detail they end at once.
    """

    level: InterestLevel
    lease_s: float = 60.0
    terminals: list[TerminalWatch] = []


class TerminalText(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of a printer's terminal, oldest first: `Send: …`, `Recv: …`, and what changed.

    *dropped*: how many before them were left out; None: some, which nobody has counted. *cursor*:
    where these end, a word that only the bridge understands.
    """

    printer: int
    lines: list[str]
    cursor: str
    dropped: int | None = 0


class TerminalLines(msgspec.Struct, frozen=True, kw_only=True):
    """Terminal lines of some printers of the room; *number* rises with every frame of a link."""

    number: int
    texts: list[TerminalText]


class TerminalGot(msgspec.Struct, frozen=True, kw_only=True):
    """The lines with this number have come: say more."""

    number: int
