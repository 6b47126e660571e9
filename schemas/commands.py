"""Commands to a printer: verbs, their rules, their arguments and their life cycle.

Source: the room link contract, "Command life". A command is journalled before it has an effect,
executed at most once, always answered, and dies at its deadline.
"""

from enum import StrEnum

import msgspec

from schemas.transitions import Table


class CommandState(StrEnum):
    """Where a command is; every state but `unknown` that ends a command is final."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"  # in the bridge's journal
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"  # not allowed here and now; nothing happened
    EXPIRED = "expired"  # its deadline passed before it could start; nothing happened
    SUPERSEDED = "superseded"  # a newer one of its kind replaced it; nothing happened
    UNKNOWN = "unknown"  # a crash hides whether it happened; may be resolved once


class CommandEvent(StrEnum):
    """What may happen to a command."""

    SENT = "sent"
    DELIVERED = "delivered"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


_C, _CE = CommandState, CommandEvent
_UNTOUCHED = {
    _CE.REJECTED: _C.REJECTED,
    _CE.EXPIRED: _C.EXPIRED,
    _CE.SUPERSEDED: _C.SUPERSEDED,
}
_OUTCOME = {_CE.DONE: _C.DONE, _CE.FAILED: _C.FAILED, _CE.UNKNOWN: _C.UNKNOWN}

COMMAND_TRANSITIONS: Table[CommandState, CommandEvent] = {
    _C.QUEUED: {
        _CE.SENT: _C.SENT,
        _CE.DELIVERED: _C.DELIVERED,
        _CE.STARTED: _C.STARTED,
        **_OUTCOME,
        **_UNTOUCHED,
    },
    _C.SENT: {
        _CE.SENT: _C.SENT,  # a new link sends again what no journal has confirmed
        _CE.DELIVERED: _C.DELIVERED,
        _CE.STARTED: _C.STARTED,
        **_OUTCOME,
        **_UNTOUCHED,
    },
    _C.DELIVERED: {_CE.STARTED: _C.STARTED, **_OUTCOME, **_UNTOUCHED},
    _C.STARTED: {**_OUTCOME, _CE.REJECTED: _C.REJECTED, _CE.EXPIRED: _C.EXPIRED},
    _C.DONE: {},
    _C.FAILED: {},
    _C.REJECTED: {},
    _C.EXPIRED: {},
    _C.SUPERSEDED: {},
    _C.UNKNOWN: {_CE.DONE: _C.DONE, _CE.FAILED: _C.FAILED},
}

#: States in which nothing more is expected (`unknown` may still be resolved once).
COMMAND_OVER = frozenset({_C.DONE, _C.FAILED, _C.REJECTED, _C.EXPIRED, _C.SUPERSEDED, _C.UNKNOWN})


class Verb(StrEnum):
    """What a printer can be told."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    GCODE = "gcode"
    TEMPERATURE = "temperature"
    REMOTE_STOP = "remote_stop"
    RESET_STOP = "reset_stop"
    CARD = "card"
    CARD_WRITE = "card_write"
    PLUG = "plug"


#: Where a command must name its attempt: the print that the printer runs from its own card, or the
#: file that is being written to it.
CARD_PRINT = "card"


class CardAction(StrEnum):
    """What can be done with the card in a printer's slot."""

    MOUNT = "mount"  # M21, then its list
    LIST = "list"  # M20
    RELEASE = "release"  # M22
    SELECT = "select"  # M23
    START = "start"  # M23, and M24 when the printer has found the file
    DELETE = "delete"  # M30, then its list


#: Actions that mean one file.
CARD_FILE_ACTIONS = frozenset({CardAction.SELECT, CardAction.START, CardAction.DELETE})


class PlugAction(StrEnum):
    """What the plug that feeds a printer is told."""

    ON = "on"
    OFF = "off"
    STATE = "state"  # only to say how it stands


class VerbRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a verb is treated. *ttl_ms* None: it never expires."""

    ttl_ms: int | None
    needs_grant: bool = False  # must name the attempt it means
    coalesces: bool = False  # a newer one replaces an unsent older one
    repeatable: bool = False  # doing it twice is the same as once


VERBS: dict[Verb, VerbRule] = {
    Verb.START: VerbRule(ttl_ms=120_000),
    Verb.PAUSE: VerbRule(ttl_ms=60_000, needs_grant=True, repeatable=True),
    Verb.RESUME: VerbRule(ttl_ms=60_000, needs_grant=True),
    Verb.CANCEL: VerbRule(ttl_ms=60_000, needs_grant=True, repeatable=True),
    Verb.CONNECT: VerbRule(ttl_ms=30_000, repeatable=True),
    Verb.DISCONNECT: VerbRule(ttl_ms=30_000, repeatable=True),
    Verb.GCODE: VerbRule(ttl_ms=30_000),
    Verb.TEMPERATURE: VerbRule(ttl_ms=30_000, coalesces=True, repeatable=True),
    Verb.REMOTE_STOP: VerbRule(ttl_ms=None, repeatable=True),
    Verb.RESET_STOP: VerbRule(ttl_ms=30_000),
    Verb.CARD: VerbRule(ttl_ms=30_000),
    Verb.CARD_WRITE: VerbRule(ttl_ms=120_000),
    Verb.PLUG: VerbRule(ttl_ms=15_000),
}


class StartArgs(msgspec.Struct, frozen=True, kw_only=True):
    """A start grant: it may be consumed once, by the bridge of this printer.

    *last_alone*: the newest start that the room made by itself on this printer, as far as the API
    knows; a room that knows of a newer one refuses.
    """

    grant: str
    job: int
    print: int
    attempt: int
    file_name: str
    sha256: str
    size_bytes: int
    plate_claim: str | None = None
    last_alone: str | None = None


class GcodeArgs(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines for the terminal; each is checked by the same gate as a file's.

    *jog*: the axes that somebody moves by hand with them, "" for anything else. *admin*: they come
    from an admin who has just given the password (`schemas.gcode.policy.Origin.ADMIN`); who does
    not know the field refuses what it would let pass.
    """

    lines: list[str]
    jog: str = ""
    admin: bool = False


class TemperatureArgs(msgspec.Struct, frozen=True):
    """Targets in degrees Celsius, keyed tool0…n, bed, chamber."""

    targets_c: dict[str, float]


class CardArgs(msgspec.Struct, frozen=True):
    """What is done with the card; *name*: the file's as its list has it, "" where none is meant."""

    action: CardAction
    name: str = ""


class CardWriteArgs(msgspec.Struct, frozen=True, kw_only=True):
    """A file that goes to the printer's own card; done when its first line is acknowledged there.

    *name*: what it is called on the card. *then*: what follows when it is there whole, `SELECT` or
    `START`; None: nothing.
    """

    name: str
    sha256: str
    size_bytes: int
    then: CardAction | None = None


class PlugArgs(msgspec.Struct, frozen=True):
    """*force*: off even in a print, or while a nozzle is hot."""

    action: PlugAction
    force: bool = False


class NoArgs(msgspec.Struct, frozen=True):
    """A verb that needs no arguments."""


Args = StartArgs | GcodeArgs | TemperatureArgs | CardArgs | CardWriteArgs | PlugArgs | NoArgs

ARGS: dict[Verb, type[Args]] = {
    Verb.START: StartArgs,
    Verb.GCODE: GcodeArgs,
    Verb.TEMPERATURE: TemperatureArgs,
    Verb.CARD: CardArgs,
    Verb.CARD_WRITE: CardWriteArgs,
    Verb.PLUG: PlugArgs,
}

#: The code of what came too late for whom it was for.
EXPIRED = "expired"
#: A move by hand is meant now: somebody looks at the head while it moves.
JOG_TTL_MS = 2_000


def ttl_ms_of(verb: Verb, args: Args) -> int | None:
    """How long a command lives, in milliseconds; None: it never expires."""
    if isinstance(args, GcodeArgs) and args.jog:
        return JOG_TTL_MS
    return VERBS[verb].ttl_ms


def replaces(verb: Verb, newer: Args, older: Args) -> bool:
    """Whether *newer* stands for an unsent *older* of the same verb: as its rule says, and one jog
    for another of the same axes.
    """
    if isinstance(newer, GcodeArgs) and isinstance(older, GcodeArgs):
        return bool(newer.jog) and newer.jog == older.jog
    return VERBS[verb].coalesces


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """What must still be true when a command arrives, or it is rejected unexecuted.

    *grant*: the attempt that runs, `CARD_PRINT` for a print from the printer's own card. A start
    expects none: its own grant is in its arguments.
    """

    grant: str | None = None
