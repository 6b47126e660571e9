"""``GET /printers/{id}/hms-history``: what went wrong with a printer, from events (v1 2.3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tortoise.expressions import Q

from api.events.history import Event
from api.principal import Principal
from api.printers.service import Printers
from schemas.printer import PrinterState

MAX_ROWS = 1000
_STATE, _ALARM = "printer.state", "printer.alarm"
#: State -> (how bad it is shown).
SEVERITIES = {PrinterState.ERROR: "error", PrinterState.HALTED: "fatal"}
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something went wrong. *code*: the state, or the alarm's own."""

    number: int
    code: str
    message: str
    severity: str
    at: datetime


class Troubles:
    """What went wrong with printers, as long as events are kept."""

    def __init__(self, printers: Printers) -> None:
        self._printers = printers

    async def of(self, by: Principal, printer_id: int, days: int) -> Sequence[Trouble]:
        """The newest first, of the last *days*; 1000 at most. Raises `NotFound`."""
        by.require("printers.read")
        row = await self._printers.get(by, printer_id)
        events = Event.filter(
            Q(organization_id=row.organization_id, printer_id=row.id, kind__in=(_STATE, _ALARM)),
            at__gte=self._printers.now() - timedelta(days=days),
        )
        found: list[Trouble] = []
        last: int | None = None
        while len(found) < MAX_ROWS:
            older = events if last is None else events.filter(number__lt=last)
            page = await older.order_by("-number").limit(_PAGE)
            found += [each for each in map(trouble_of, page) if each is not None]
            if len(page) < _PAGE:
                break
            last = page[-1].number
        return found[:MAX_ROWS]


def trouble_of(event: Event) -> Trouble | None:
    """What *event* says went wrong; None: nothing did."""
    data: dict[str, Any] = event.data
    if event.kind == _ALARM:
        return Trouble(event.number, data["code"], data["text"], "warning", event.at)
    severity = SEVERITIES.get(PrinterState(data["state"]))
    if severity is None:
        return None
    return Trouble(event.number, data["state"], data.get("reason") or "", severity, event.at)
