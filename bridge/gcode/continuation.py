"""A print that goes on where the host before us died: the attempt is bound, the count is asked for.

Until the count is known the printer is connecting, with the attempt bound, so that everything that
ends a connection interrupts the attempt. Then lines follow exactly behind the last one taken.
"""

from bridge.gcode.connection import Connection
from bridge.gcode.happenings import Identified
from bridge.gcode.modal import Modal
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.printer import Printer
from bridge.gcode.printing import RESUMED
from bridge.gcode.regain import Regain
from bridge.gcode.run import JobFacts, Run
from schemas.jobs import AttemptEvent
from schemas.printer import PrinterEvent

_RETRACT_MM, _RETRACT_MM_MIN = 1.0, 1800
_LIFT_MM, _LIFT_MM_MIN = 1.0, 600


def reopen(
    printer: Printer,
    facts: JobFacts,
    asking: Regain,
    known: Identified,
    *,
    lossless: bool,
    paused: bool = False,
) -> None:
    """The port is open again behind a host that died while it printed *facts*.

    *known* is what the firmware said of itself then.
    """
    printer.run = Run(facts, Modal())
    printer.run.move(AttemptEvent.STARTED)
    if paused:
        printer.run.move(AttemptEvent.PAUSED)
    printer.step(PrinterEvent.OPEN, grant=facts.grant)
    printer.error = None
    printer.link = Connection(printer.config, lossless=lossless)
    printer.link.regain(asking, known)
    printer.run.trail.joined = printer.link.stream.dialect.joined_modes


def skip(printer: Printer, prepared: Prepared, ordinal: int) -> None:
    """Like `Printer.feed`, but job lines up to *ordinal* have been printed already."""
    run = printer.run
    assert run is not None
    done = ordinal - run.fed
    if done <= 0:
        printer.feed(prepared)
    elif not isinstance(prepared, HostPause):
        texts = run.heat_lines.take(run.fed + 1, prepared, printer.config)
        run.note(prepared, run.fed)
        if done < len(texts):
            printer.link.stream.feed(texts[done:], alone=prepared.alone)


def go_on(printer: Printer, number: int, ordinal: int, now: float, *, event: PrinterEvent) -> None:
    """The firmware has lines up to *number*, the last job line among them is *ordinal*: go on.

    With `REGAIN_LIFTED` nothing of the job is sent before `lift_off` has brought the nozzle back,
    with `REGAIN_PAUSED` nothing before it is resumed.
    """
    run, stream = printer.run, printer.link.stream
    assert run is not None
    stream.reset(now)
    stream.out.go_on(number, ordinal)
    stream.acked = number
    if event is PrinterEvent.REGAIN:
        run.run_clock(now)
    else:
        stream.hold()
    printer.step(event, grant=run.facts.grant)
    printer.link.regained(now)


def lift_off(printer: Printer, now: float) -> None:
    """The nozzle has rested on the part: retract, lift, come back, prime; then the job goes on.

    The lines before were read again, so the modes to restore are known. Nothing moves in the sum.
    """
    run, modal = printer.run, printer.modal_now()
    assert run is not None
    printer.progress(now)  # takes in where the lines before have led
    highest_mm = printer.config.profile.height_mm - 2 * _LIFT_MM
    lines = [b"G21", b"G91", b"M83", b"G1 E-%g F%d" % (_RETRACT_MM, _RETRACT_MM_MIN)]
    if run.z_mm is not None and run.z_mm <= highest_mm:  # the firmware would cut a move above it
        lines += [b"G1 Z%g F%d" % (_LIFT_MM, _LIFT_MM_MIN), b"G1 Z-%g" % _LIFT_MM]
    lines += [b"G1 E%g F%d" % (_RETRACT_MM, _RETRACT_MM_MIN)]
    if modal.feedrate_mm_min is not None:
        lines.append(b"G1 F%g" % modal.feedrate_mm_min)
    lines += [b"G20"] if modal.inches else []
    lines.append(b"G90" if modal.absolute else b"G91")
    lines.append(b"M82" if modal.e_absolute else b"M83")
    printer.ordered(lines)
    printer.link.stream.order(lines, RESUMED)
