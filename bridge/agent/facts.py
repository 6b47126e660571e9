"""From what a sender says to what the API is told (room link contract, "Facts"). Pure."""

from collections.abc import Callable
from typing import Any

from bridge.control.messages import (
    Alarm,
    AttemptChanged,
    CardSeen,
    CardWritten,
    Firmware,
    Happening,
    StateChanged,
)
from schemas.facts import (
    AlarmFact,
    AttemptFact,
    CardFact,
    CardWrittenFact,
    FactBody,
    FirmwareFact,
    PrinterFact,
)


def _state(printer: int, body: StateChanged) -> FactBody:
    return PrinterFact(printer=printer, state=body.state, grant=body.grant, reason=body.reason)


def _attempt(printer: int, body: AttemptChanged) -> FactBody:
    return AttemptFact(
        printer=printer,
        grant=body.grant,
        event=body.event,
        state=body.state,
        reason=body.reason,
        progress=body.progress,
        quality=body.quality,
    )


def _alarm(printer: int, body: Alarm) -> FactBody:
    return AlarmFact(printer=printer, code=body.code, text=body.text, grant=body.grant)


def _firmware(printer: int, body: Firmware) -> FactBody:
    return FirmwareFact(
        printer=printer,
        name=body.name,
        uuid=body.uuid,
        machine=body.machine,
        capabilities=body.capabilities,
        fields=body.fields,
    )


def _card(printer: int, body: CardSeen) -> FactBody:
    return CardFact(printer=printer, present=body.present, files=body.files, unlisted=body.unlisted)


def _card_written(printer: int, body: CardWritten) -> FactBody:
    return CardWrittenFact(printer=printer, name=body.name, time_s=body.time_s, reason=body.reason)


_BUILD: dict[type[Happening], Callable[[int, Any], FactBody]] = {
    StateChanged: _state,
    AttemptChanged: _attempt,
    Alarm: _alarm,
    Firmware: _firmware,
    CardSeen: _card,
    CardWritten: _card_written,
}


def fact_of(printer: int, body: Happening) -> FactBody:
    """The fact that tells the API of *body*."""
    return _BUILD[type(body)](printer, body)
