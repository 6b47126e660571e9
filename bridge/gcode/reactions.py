"""What a printer's own words do to its state: resets, kills, errors and host actions (serial 7)."""

from typing import TYPE_CHECKING

from bridge.gcode.failures import Failure, Kind, Severity
from bridge.gcode.modal import Modal
from bridge.gcode.replies import (
    Action,
    BadTool,
    Busy,
    FirmwareInfo,
    Position,
    Reply,
    ResetReason,
    Start,
    Text,
    parse,
)
from bridge.gcode.sdcard import CardReply, Selected
from bridge.gcode.waits import is_question
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import ACTIVE, CONNECTED, PrinterEvent, PrinterState, Prompt

if TYPE_CHECKING:
    from bridge.gcode.printer import Printer

_S = PrinterState

#: States in which job lines may be fed.
FEEDING = frozenset({_S.STARTING, _S.PRINTING, _S.PAUSING, _S.PAUSED, _S.RESUMING})
_PAUSABLE = frozenset({_S.STARTING, _S.PRINTING, _S.RESUMING})
_ENDABLE = ACTIVE - {_S.CANCELLING}
#: Why a print ends that somebody has ended there; a fault of the machine may say so, too.
_AT_PRINTER = "cancelled at the printer"
#: Host actions that only tell a person something, and the code they are reported under.
_TELLING = {
    "notification": "printer_says",
    "out_of_filament": "out_of_filament",
    "filament_runout": "out_of_filament",
    "probe_failed": "probe_failed",
    "disconnect": "printer_says",
    "shutdown": "printer_says",
}
#: Behind these errors nobody knows where the head is.
_LOSING_PLACE = frozenset({Kind.HOMING, Kind.STOPPED, Kind.NOT_HOMED})
#: So many moves of a print that were left out for want of a homing make it a print of nothing.
_MOST_UNHOMED = 20
#: Why a printer has just paused by itself: told each time.
_PAUSING = frozenset({Kind.FAN, Kind.SUPERVISION})
#: So many extrusions in a row that were left out for want of heat: it prints nothing.
_MOST_COLD = 20
_COLD = (
    "nothing is extruded, because the nozzle is cold: heat it, see what is missing, then resume or "
    "cancel"
)
#: What a person is told of a stray command (`bridge.gcode.strays`).
_STRAY = (
    "the cable damages lines: the printer seems to have run the rest of one as a command of its "
    "own: a move may be out of place. serial.window_lines 1 makes it rare, a better cable ends it"
)


def react(printer: "Printer", reply: Reply, now: float) -> None:
    """Let *reply* act on *printer*; most replies do nothing here."""
    match reply:
        case Start(banner):
            _rebooted(printer, now, banner)
        case Failure():
            _failed(printer, reply, now)
        case Action(word, text):
            _act(printer, word, text, now)
        case BadTool(number):
            _keep_tool(printer, number)
        case ResetReason(text):
            _give_reason(printer, text, now)
        case Text(text) if text.startswith(": ") and printer.half_error:
            # Marlin 1 splits one error over two lines: `Error:0` and `: Extruder switched off …`
            for whole in parse(f"Error{text}"):
                react(printer, whole, now)
        case _ if printer.state in CONNECTED:
            _listen(printer, reply, now)


def _listen(printer: "Printer", reply: Reply, now: float) -> None:
    """What a connected printer tells of itself."""
    if isinstance(reply, CardReply):
        printer.card_print.heard(reply, now)
        printer.card_write.heard(reply, now)
        if isinstance(reply, Selected) and printer.state is _S.OPERATIONAL:
            printer.link.card_chosen(now)
    elif isinstance(reply, Position):
        modal = printer.modal_now()
        printer.doings.told_place(reply, modal.tool, modal.feedrate_mm_min)
    elif isinstance(reply, FirmwareInfo):
        printer.doings.named()
    elif isinstance(reply, Busy):
        printer.printing.waits.heard(now, human=reply.human)
    elif isinstance(reply, Text):
        printer.printing.waits.said(reply.text)


def strayed(printer: "Printer", now: float) -> None:
    """The rest of a cut line ran as a command of its own (`bridge.gcode.strays`)."""
    policy = printer.config.stray_policy
    if policy == "fail" and printer.run is not None and printer.can(PrinterEvent.CANCEL):
        printer.fail("stray_command", _STRAY, now)
    elif policy == "pause" and printer.state in _PAUSABLE:
        printer.warn("stray_command", _STRAY)
        printer.pause(now, park=True)
    else:
        printer.warn_once("stray_command", _STRAY)


def _rebooted(printer: "Printer", now: float, banner: str = "") -> None:
    if banner.startswith("//") and printer.link.stream.out.answering is False:
        return  # Klipper was asked for its state; before it restarts it says that it goes
    new = printer.link.is_new_boot(now, at_work=_is_at_work(printer))
    if printer.run is None:
        printer.modal = Modal()
    if printer.state not in CONNECTED or not new:
        return
    if printer.state in ACTIVE or printer.card_write.job is not None:
        what = "print" if printer.state in ACTIVE else "transfer to its card"
        printer.warn("printer_reset", f"the printer has restarted in the middle of the {what}")
        printer.lost("the printer has restarted", now)
    else:
        printer.link.greet(now, boots=False)


def _is_at_work(printer: "Printer") -> bool:
    """Whether lines of a job were sent, or may have been."""
    if printer.run is not None:
        return printer.run.state is not AttemptState.GRANTED
    return printer.state in ACTIVE or printer.card_write.may_save


def _give_reason(printer: "Printer", text: str, now: float) -> None:
    """The firmware says why it has restarted; what that cut off may have spoilt its `start`."""
    _rebooted(printer, now)
    if printer.state is _S.ERROR:
        printer.warn("reset_reason", f"why the printer restarted, in its own words: {text}")


def _failed(printer: "Printer", failure: Failure, now: float) -> None:
    severity, text = failure.severity, failure.text
    printer.half_error = failure.kind is Kind.OTHER and len(text) <= 2
    if severity is Severity.RESEND or printer.half_error or printer.state not in CONNECTED:
        return
    if failure.kind is Kind.CARD and printer.card_write.failed(text, now):
        return
    if failure.kind in _LOSING_PLACE:
        printer.position_known = False
    code = "firmware_error" if failure.kind is Kind.OTHER else f"firmware_{failure.kind.value}"
    is_waiting = failure.kind is Kind.NOT_READY and printer.state not in ACTIVE
    homing = failure.kind is Kind.HOMING and printer.link.stream.dialect.outlives_homing
    if _ends_print(printer, failure.kind, homing=homing):
        printer.fail(code, f"nothing moves, because it is not homed: {text}", now)
        return
    if severity is Severity.HARMLESS or is_waiting or homing:
        paused_for = printer.state is _S.PAUSING and failure.kind in _PAUSING
        (printer.warn if paused_for else printer.warn_once)(code, text)
        if failure.kind is Kind.COLD:
            _left_out(printer, text, now)
        return
    printer.warn(code, text)
    if failure.kind is Kind.STOPPED:
        printer.stopping.fault()
    run = printer.run
    if run is not None and run.outcome is AttemptEvent.CANCELLED and run.reason == _AT_PRINTER:
        run.outcome = AttemptEvent.FAILED  # an MK3 says `cancel` first (`lcd_print_stop`)
    event = PrinterEvent.HALT if severity is Severity.HALTED else PrinterEvent.FAIL
    printer.fall(event, AttemptEvent.FAILED, text, now)


def _ends_print(printer: "Printer", kind: Kind, *, homing: bool) -> bool:
    """Whether nothing of the print would move any more; *homing*: one failed, and all goes on."""
    run = printer.run
    if run is None or printer.state not in (_S.STARTING, _S.PRINTING):
        return False
    if kind is Kind.NOT_HOMED:
        run.unhomed += 1
        return run.unhomed >= _MOST_UNHOMED
    return homing and printer.link.stream.out.answering is True


def _left_out(printer: "Printer", text: str, now: float) -> None:
    """An extrusion did not take place: a print of nothing waits for a person."""
    run, stream = printer.run, printer.link.stream
    if run is None or printer.state is not _S.PRINTING or "too long" in text:
        return
    run.ran_cold(stream.out.ordinal_of(stream.acked))
    if run.cold >= _MOST_COLD:
        run.cold = 0
        printer.warn("cold_print", _COLD)
        printer.pause(now, park=True)


def _keep_tool(printer: "Printer", number: int) -> None:
    """The firmware has no such tool: what comes next must not go to one that it never took."""
    run, stream = printer.run, printer.link.stream
    if run is None:
        printer.warn_once("invalid_tool", f"this printer has no tool {number}")
        return
    kept = run.trail.refuse_tool(stream.out.ordinal_of(stream.sent), number)
    if kept is None:
        return
    printer.warn_once("invalid_tool", f"this printer has no tool {number}: it stays with {kept}")
    stream.order([b"T%d" % kept])


def _go_on(printer: "Printer", word: str, now: float) -> None:
    if printer.is_taken_up:
        printer.printing.wished, printer.printing.resumes = "", True
    elif printer.run is not None:
        printer.printing.comes_back(now)
    elif printer.card_print.active and printer.state is _S.PAUSED:
        printer.card_print.steer(b"M24", send=word == "resume")


def _ask(printer: "Printer", prompt: Prompt, now: float) -> None:
    """A question to a person, or what he is only told."""
    if not is_question(prompt):
        printer.call("printer_says", prompt.text, now)
        return
    buttons = ", ".join(f"{at}: {label}" for at, label in enumerate(prompt.buttons))
    printer.call("printer_asks", f"{prompt.text} [{buttons}]", now)


def _tell(printer: "Printer", word: str, text: str, now: float) -> None:
    if word == "notification":  # with every M117, and with every point of a bed levelling
        printer.warn_once(_TELLING[word], text)
    else:
        printer.call(_TELLING[word], text, now)


def _act(printer: "Printer", word: str, text: str, now: float) -> None:
    status = printer.link.status
    if word in ("pause", "paused") and (printer.state in _PAUSABLE or printer.is_taken_up):
        if text:
            printer.warn("printer_says", text)
        if printer.is_taken_up:
            printer.printing.wished, printer.printing.resumes = word, False
        else:
            asked = word == "pause" and not printer.link.stream.dialect.pauses_itself
            printer.pause(now, park=asked)
    elif word in ("resume", "resumed"):
        _go_on(printer, word, now)
    elif word == "cancel" and (printer.state in _ENDABLE or printer.is_taken_up):
        printer.cancel(now, _AT_PRINTER)
    elif word == "prompt_show" and status.prompt is not None:
        _ask(printer, status.prompt, now)
    elif word in _TELLING:
        _tell(printer, word, text or word, now)
