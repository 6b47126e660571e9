"""A print that goes on where the host before us died: the attempt is bound, the count is asked for.

Until the count is known the printer is connecting, with the attempt bound, so that everything that
ends a connection interrupts the attempt. Then lines follow exactly behind the last one taken.
"""

from bridge.gcode.connection import Connection
from bridge.gcode.happenings import Identified
from bridge.gcode.modal import Modal
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.printer import Printer
from bridge.gcode.regain import Regain
from bridge.gcode.run import JobFacts, Run
from schemas.jobs import AttemptEvent
from schemas.printer import PrinterEvent


def reopen(
    printer: Printer, facts: JobFacts, asking: Regain, known: Identified, *, lossless: bool
) -> None:
    """The port is open again behind a host that died while it printed *facts*.

    *known* is what the firmware said of itself then.
    """
    printer.run = Run(facts, Modal())
    printer.run.move(AttemptEvent.STARTED)
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
        run.note(prepared, run.fed)
        if done < len(prepared.texts):
            printer.link.stream.feed(prepared.texts[done:], blocking=prepared.blocking)


def go_on(printer: Printer, number: int, ordinal: int, now: float) -> None:
    """The firmware has lines up to *number*, the last job line among them is *ordinal*."""
    run, stream = printer.run, printer.link.stream
    assert run is not None
    stream.reset(now)
    stream.out.go_on(number, ordinal)
    stream.acked = number
    run.run_clock(now)
    printer.step(PrinterEvent.REGAIN, grant=run.facts.grant)
    printer.link.regained(now)
