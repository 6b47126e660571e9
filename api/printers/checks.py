"""What stands in the way of a start, of a change, of a delete. Pure."""

from api.errors import Conflict
from api.printers import plate
from api.printers.models import Printer
from api.printers.sending import busy_sending, is_sending
from schemas.printer import ACTIVE, PrinterState


def check_startable(row: Printer, *, explicit: bool) -> None:
    """Raises `Conflict` when no attempt may have this printer now."""
    if row.bridge_id is not None and row.state == PrinterState.HALTED:
        raise Conflict(
            f"{row.name} was stopped. Look at it, then reset the stop (reset-stop).",
            code="stopped",
        )
    if row.active_grant is not None:
        raise busy(row)
    if is_sending(row):
        raise busy_sending(row)
    if row.bridge_id is not None and row.state != PrinterState.OPERATIONAL:
        raise Conflict(
            f"{row.name} is {row.state}; a print needs it operational.",
            code="printer_not_operational",
            state=row.state,
        )
    if not plate.may_start(row.plate_policy, row.plate_state, explicit=explicit):
        raise Conflict(plate.why_not(row.name, row.plate_state), code="plate_not_clear")


def check_quiet(row: Printer, *, is_away: bool = False) -> None:
    """Raises `Conflict` ``printer_busy`` while a print is bound to this printer, or a file goes to
    its card.

    *is_away*: its room is. What that said last is no reason then: it may never say another word.
    """
    if row.active_grant is not None:
        raise busy(row, is_away=is_away)
    if is_away:
        return
    if row.state == PrinterState.TRANSFERRING:
        raise busy_sending(row)
    if row.state in ACTIVE:
        raise busy(row)


def changing(row: Printer) -> Conflict:
    """The refusal while somebody else has the printer's row locked."""
    return Conflict(
        f"{row.name} is being changed at this moment; ask again.",
        code="printer_busy",
        state=row.state,
    )


def busy(row: Printer, *, is_away: bool = False) -> Conflict:
    """The refusal of who comes second."""
    away = " Its room is away: if it will not come back, cancel the job by force."
    return Conflict(
        f"{row.name} has a print. Wait for its end, or stop it first.{away if is_away else ''}",
        code="printer_busy",
        state=row.state,
    )
