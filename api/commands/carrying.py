"""Which commands a link has to carry, and which are its own from their birth. Pure.

A command is committed as sent before its first byte leaves (link contract). For one whose room has
its link here that is done by its birth: the link finds it by its number, and no second commit is in
its way. If that link ends before it has said the command, it is as one whose words were lost: the
next link carries it again, and the bridge says what became of it.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from api.commands.models import Command
from schemas.codec import MAX_FRAME_BYTES
from schemas.commands import CommandState, Verb

#: The second may start what it has written. Both can be taken back until a link has said them.
STARTS = (Verb.START, Verb.CARD_WRITE)
#: Surely fits a frame with what is around it.
_FITS_BYTES = MAX_FRAME_BYTES // 2


@dataclass(frozen=True, slots=True)
class Told:
    """What a link has carried: the newest configuration, and commands by their ids.

    *commands* None: they are not remembered, and what is sent on this link is taken for said.
    """

    desired: int = 0
    commands: Container[str] | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """The id that a command is to have: a ULID of the moment in which it was asked for, for its row
    may have to wait. *is_told*: its room has it by this id, or may have it, so only that ends it.
    """

    id: str
    is_told: bool = False


#: A link that has just begun, and does not remember which commands it has told.
NOTHING = Told()


def at_birth(verb: Verb, args: Any, epoch: int | None) -> tuple[CommandState, int | None]:
    """The state of a new command, and the link that it is sent on.

    *epoch*: of the room's link, if that remembers what it has said; *args* as JSON.
    """
    if epoch is None or verb in STARTS or len(msgspec.json.encode(args)) > _FITS_BYTES:
        return CommandState.QUEUED, None
    return CommandState.SENT, epoch


def to_carry(
    undelivered: Iterable[Command], epoch: int, told: Container[str] | None, now: datetime
) -> list[Command]:
    """Those that the link of *epoch*, which has said those of *told*, still has to carry.

    What an older link carried and no journal confirmed is carried again even after its deadline:
    only the bridge can say whether it had come.
    """
    return [row for row in undelivered if _waits(row, epoch, told, now)]


def _waits(row: Command, epoch: int, told: Container[str] | None, now: datetime) -> bool:
    if row.state == CommandState.QUEUED:
        return row.deadline_at is None or now < row.deadline_at
    return not is_on(row, epoch) or (told is not None and row.id not in told)


def is_on(row: Command, epoch: int) -> bool:
    """Whether *row* is committed as sent on the link of *epoch*."""
    return row.state == CommandState.SENT and row.sent_epoch == epoch
