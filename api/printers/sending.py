"""A file on its way to a printer's own card: what is remembered of it, and what it forbids. Pure.

It is remembered beside what the card said last, from the order on until the printer has told how it
went. Until the printer has opened the file its state is still `operational`; nothing else starts on
it meanwhile.
"""

from typing import Any

import msgspec

from api.errors import Conflict, NotFound
from api.printers import plate
from api.printers.models import Printer
from schemas.commands import CardAction, Verb
from schemas.printer import ACTIVE, PrinterState

_KEY = "sending"
#: What a printer takes while a file goes to its card: every other word would land in the file.
_TAKEN = frozenset(
    {
        *(Verb.CANCEL, Verb.REMOTE_STOP, Verb.RESET_STOP, Verb.PLUG),
        *(Verb.CONNECT, Verb.DISCONNECT),
    }
)
#: What waits as soon as a file is about to go there.
_HELD_BACK = frozenset({Verb.START, Verb.CARD, Verb.CARD_WRITE})


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One file that goes to a card.

    *name*: on the card. *path*: in the printer's tree of names, "" when it came another way.
    *selection*: what the OctoPrint face has selected when it is there. *bridge_id*: the room that
    sends it. *is_over*: the printer has it, or gave it up, and which of them is not told yet.
    """

    command_id: str
    name: str
    path: str
    size_bytes: int
    bridge_id: int
    user_id: int | None = None
    user: str = ""
    then: CardAction | None = None
    selection: dict[str, Any] | None = None
    is_over: bool = False


def known_sending(row: Printer) -> Sending | None:
    """What was ordered last and has not been told the end of; None: nothing."""
    kept = (row.card or {}).get(_KEY)
    return None if kept is None else msgspec.convert(kept, Sending)


def sending_of(row: Printer) -> Sending | None:
    """The file that goes to the card of *row*, or is about to; None: none."""
    if not row.card or _KEY not in row.card:
        return None
    found = known_sending(row)
    return None if found is None or found.is_over or found.bridge_id != row.bridge_id else found


def card_with(row: Printer, sending: Sending | None) -> dict[str, Any]:
    """The card of *row* with *sending* in place of what was being sent."""
    kept = {name: value for name, value in (row.card or {}).items() if name != _KEY}
    return kept if sending is None else {**kept, _KEY: msgspec.to_builtins(sending)}


def is_sending(row: Printer) -> bool:
    """Whether a file goes to its card, or is about to."""
    return row.state == PrinterState.TRANSFERRING or sending_of(row) is not None


def has_slot(row: Printer) -> bool:
    """Whether its firmware prints from a card: it has said so, or has told of one."""
    capabilities = (row.firmware or {}).get("capabilities") or {}
    return row.card is not None or bool(capabilities.get("SDCARD"))


def check_writable(row: Printer, *, reachable: bool) -> None:
    """Raises `NotFound` without a slot, `Conflict` when no file can go to the card of *row* now."""
    if not has_slot(row):
        raise NotFound(
            f"{row.name} has told of no SD card slot, so no file can be sent to a card there. "
            "Upload to local instead: a print starts from there as well."
        )
    if row.bridge_id is None or not reachable or row.state == PrinterState.OFFLINE:
        raise Conflict(
            f"{row.name} is offline; connect it before a file is sent to its card.",
            code="printer_not_operational",
        )
    if row.active_grant is not None or row.state in ACTIVE:
        raise Conflict(
            f"{row.name} has a print. A file can go to its card when that is over.",
            code="printer_busy",
            state=row.state,
        )
    if is_sending(row):
        raise busy_sending(row)
    if row.state != PrinterState.OPERATIONAL:
        raise Conflict(
            f"{row.name} is {row.state}; a file goes to its card when it is operational.",
            code="printer_not_operational",
            state=row.state,
        )
    if (row.card or {}).get("present") is not True:
        raise Conflict(
            f"{row.name} has no card ready. Put one in and have it read (init, or mount), then "
            "send the file again.",
        )


def may_start(row: Printer) -> bool:
    """Whether the rule of the plate lets a print begin that a person names this printer for."""
    return plate.may_start(row.plate_policy, row.plate_state, explicit=True)


def check_free_for(row: Printer, verb: Verb) -> None:
    """Raises `Conflict` when *verb* has to wait for the end of a file that goes to the card."""
    if row.state == PrinterState.TRANSFERRING and verb not in _TAKEN:
        raise busy_sending(row)
    if verb in _HELD_BACK and sending_of(row) is not None:
        raise busy_sending(row)


def busy_sending(row: Printer) -> Conflict:
    """The refusal of what has to wait until a file is on the card."""
    sending = sending_of(row)
    what = sending.name if sending is not None else "a file"
    return Conflict(
        f"{row.name} is getting {what} onto its SD card. Wait for the end of that, or cancel it.",
        code="printer_busy",
        state=row.state,
    )
