"""What a printer's own words do to its state: resets, kills, errors and host actions (serial 7)."""

from typing import TYPE_CHECKING

from bridge.gcode.failures import Failure, Severity
from bridge.gcode.replies import Action, Reply, Start, Text, parse
from schemas.jobs import AttemptEvent
from schemas.printer import ACTIVE, CONNECTED, PrinterEvent, PrinterState

if TYPE_CHECKING:
    from bridge.gcode.printer import Printer

_S = PrinterState

#: States in which job lines may be fed.
FEEDING = frozenset({_S.STARTING, _S.PRINTING, _S.PAUSING, _S.PAUSED, _S.RESUMING})
_PAUSABLE = frozenset({_S.STARTING, _S.PRINTING, _S.RESUMING})
#: Host actions that only tell a person something, and the code they are reported under.
_TELLING = {
    "notification": "printer_says",
    "prompt_begin": "printer_asks",
    "out_of_filament": "out_of_filament",
    "filament_runout": "out_of_filament",
    "probe_failed": "probe_failed",
}


def react(printer: "Printer", reply: Reply, now: float) -> None:
    """Let *reply* act on *printer*; most replies do nothing here."""
    match reply:
        case Start():
            _rebooted(printer, now)
        case Failure(severity, text):
            _failed(printer, severity, text, now)
        case Action(word, text):
            _act(printer, word, text, now)
        case Text(text) if text.startswith(": ") and printer.half_error:
            # Marlin 1 splits one error over two lines: `Error:0` and `: Extruder switched off …`
            for whole in parse(f"Error{text}"):
                react(printer, whole, now)
        case _:
            pass


def _rebooted(printer: "Printer", now: float) -> None:
    new = printer.link.is_new_boot(now)
    if printer.state not in CONNECTED or not new:
        return
    if printer.state in ACTIVE:
        printer.warn("printer_reset", "the printer has restarted in the middle of the print")
        printer.lost("the printer has restarted", now)
    else:
        printer.link.greet(now, boots=False)


def _failed(printer: "Printer", severity: Severity, text: str, now: float) -> None:
    printer.half_error = severity is Severity.HARMLESS and len(text) <= 2
    if severity is Severity.RESEND or printer.half_error or printer.state not in CONNECTED:
        return
    printer.warn("firmware_error", text)
    if severity is Severity.HALTED:
        printer.fall(PrinterEvent.HALT, AttemptEvent.FAILED, text, now)
    elif severity is Severity.STOPPED:
        printer.fall(PrinterEvent.FAIL, AttemptEvent.FAILED, text, now)


def _act(printer: "Printer", word: str, text: str, now: float) -> None:
    if word in ("pause", "paused") and printer.state in _PAUSABLE:
        printer.pause(now, park=word == "pause")
    elif word in ("resume", "resumed") and printer.state is _S.PAUSED:
        printer.resume()
    elif word == "cancel" and printer.state in ACTIVE - {_S.CANCELLING}:
        printer.cancel(now, "cancelled at the printer")
    elif word in _TELLING:
        printer.warn(_TELLING[word], text or word)
