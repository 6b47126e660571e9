"""A print that goes on where the host before us died: the attempt is bound, the count is asked for.

Until the count is known the printer is connecting, with the attempt bound, so that everything that
ends a connection ends the attempt. Then lines follow exactly behind the last one taken: what is
left of the errands that the life before was at (`bridge.gcode.errands`), then the job's.
"""

from dataclasses import dataclass, replace

from bridge.gcode.connection import Connection
from bridge.gcode.errands import ASKED, DRAINED, OVER, RESUMED, STILL, Agenda, Errand
from bridge.gcode.happenings import AttemptMoved, Identified, StateMoved
from bridge.gcode.modal import Modal
from bridge.gcode.pausing import PausedAt, Saved
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.printer import Printer
from bridge.gcode.printing import CHANGE
from bridge.gcode.regain import Regain
from bridge.gcode.run import JobFacts, Run
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import PrinterEvent, PrinterState

_S, _E = PrinterState, PrinterEvent
_RETRACT_MM, _RETRACT_MM_MIN = 1.0, 1800
_LIFT_MM, _LIFT_MM_MIN = 1.0, 600
#: The states in which a print can be taken up, and the way there.
REGAINED = {
    _S.STARTING: _E.REGAIN_STARTING,
    _S.PRINTING: _E.REGAIN,
    _S.PAUSING: _E.REGAIN_PAUSING,
    _S.PAUSED: _E.REGAIN_PAUSED,
    _S.RESUMING: _E.REGAIN_RESUMING,
    _S.CANCELLING: _E.REGAIN_CANCELLING,
    _S.FINISHING: _E.REGAIN_FINISHING,
}
_CLOCKED = frozenset({_S.STARTING, _S.PRINTING, _S.FINISHING})
_TAKING_UP = (
    "the sender of this printer was started again in the middle of a print: the print goes on as "
    "soon as the printer has told which line it took last"
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a print goes on: in *state*, behind *ordinal* lines of the job and *owns* own ones.

    *left*: errands that are not done, or what is left of them.
    """

    state: PrinterState
    ordinal: int
    owns: int = 0
    left: tuple[Errand, ...] = ()


def reopen(
    printer: Printer,
    facts: JobFacts,
    asking: Regain,
    known: Identified,
    *,
    lossless: bool,
    begun: Modal | None = None,
    agenda: Agenda | None = None,
) -> None:
    """The port is open again behind a host that died while it printed *facts*.

    *known* is what the firmware said of itself then, *begun* what it remembered before the first
    line, *agenda* what the print was at; None: it was only printing.
    """
    run = printer.run = Run(facts, begun or Modal())
    run.move(AttemptEvent.STARTED)
    printer.step(_E.OPEN, grant=facts.grant, reason=_TAKING_UP)
    printer.link = Connection(printer.config, lossless=lossless)
    printer.link.regain(asking, known)
    run.trail.joined = printer.link.stream.dialect.joined_modes
    run.rested = None if agenda is None else agenda.rested
    if agenda is not None:
        inherit(printer, agenda)
    printer.error = _TAKING_UP
    printer.warn("taking_up", _TAKING_UP)


def tell(printer: Printer, why: str) -> None:
    """*why* the printer does not answer yet."""
    text = printer.error = f"{_TAKING_UP}; {why}"
    printer.report(StateMoved(printer.state, printer.state, printer.grant, text))
    printer.warn("taking_up", text)


# What the next life must know, and has from the last.


def agenda_of(printer: Printer) -> Agenda:
    """What the bound print is at besides its lines."""
    printing, run, saved = printer.printing, printer.bound(), printer.printing.saved
    return Agenda(
        serial=printing.errands.serial,
        state=_S.CANCELLING if printer.is_taken_up else printer.state,
        before=printing.errands.before,
        errands=tuple(printing.errands.waiting),
        modal=printer.modal_now(),
        saved=None if saved is None else replace(saved),
        paused=run.state is AttemptState.PAUSED,
        own_pause=printing.own_pause,
        resumes=printing.resumes,
        rested=run.rested,
        outcome=run.outcome,
        reason=run.reason,
    )


def inherit(printer: Printer, agenda: Agenda) -> None:
    """A life before this one was at *agenda*; its errands wait until the count is known."""
    printing, run = printer.printing, printer.bound()
    run.outcome, run.reason = agenda.outcome, agenda.reason
    if agenda.paused:
        run.move(AttemptEvent.PAUSED)
    printing.saved = None if agenda.saved is None else replace(agenda.saved)
    printing.own_pause, printing.resumes = agenda.own_pause, agenda.resumes
    printing.wished = ""
    printing.errands.serial = agenda.serial


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
        if prepared.alone and done == len(texts) and printer.printing.needs_host(prepared):
            run.rest(CHANGE, "filament_change")
        if done < len(texts):
            printer.link.stream.feed(texts[done:], alone=prepared.alone)


def go_on(printer: Printer, number: int, plan: Plan, now: float) -> None:
    """The firmware has lines up to *number*, and the file was read again up to there.

    Nothing leaves before `take_up`.
    """
    run, stream = printer.bound(), printer.link.stream
    stream.reset(now)
    stream.out.go_on(number, plan.ordinal, plan.owns)
    stream.acked = number
    if plan.state in _CLOCKED:
        run.run_clock(now)
    if plan.state not in (_S.STARTING, _S.PRINTING):
        stream.hold()
    run.regain_rest(plan.ordinal, pauses=plan.state not in (_S.STARTING, _S.PRINTING))
    printer.error = None
    printer.step(REGAINED[plan.state], grant=run.facts.grant)
    printer.link.regained(now)
    printer.watch = True
    _tell_attempt(printer, now)


def take_up(printer: Printer, plan: Plan, agenda: Agenda, now: float) -> None:
    """Do what is left of *agenda*, and what follows from it."""
    printing, state = printer.printing, printer.state
    stream = printer.link.stream
    wished = state is _S.CANCELLING and not agenda.errands
    if state in (_S.PRINTING, _S.STARTING):
        printing.saved, printing.resumes = None, False
    elif not wished and not any(errand.token == STILL for errand in plan.left):
        # every line of the job before is done, and what comes now is in there
        printer.bound().trail.become(plan.ordinal, agenda.modal)
    if state in (_S.CANCELLING, _S.FINISHING):
        stream.out.drop_queue()
    for errand in plan.left:
        _again(printer, errand)
    if wished:
        printing.ask_heat()
    elif state in (_S.CANCELLING, _S.FINISHING) and not plan.left:
        printing.order_done(OVER if state is _S.CANCELLING else DRAINED, now)
    elif state is _S.PAUSED:
        printing.at_rest(now)
    word, printing.wished = printing.wished, ""
    if word and printer.can(_E.PAUSE):
        printer.pause(now, park=word == "pause")


def paused_before(printer: Printer, kept: PausedAt, now: float) -> None:
    """A life before this one has paused, and kept only this of it (an older release).

    Somebody may have moved the head since, so it goes back to its place in any case.
    """
    printing = printer.printing
    printing.saved = Saved(printer.modal_now(), kept.targets_c, kept.position, moved=True)
    printer.ordered(printer.script("on_pause", now))
    printing.at_rest(now)


def lift_off(printer: Printer, now: float) -> None:
    """The nozzle has rested on the part: retract, lift, come back, prime; then the job goes on.

    The lines before were read again, so the modes to restore are known. Nothing moves in the sum.
    """
    run, modal = printer.bound(), printer.modal_now()
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
    printer.printing.send(lines, RESUMED)


# Private.


def _again(printer: Printer, errand: Errand) -> None:
    """Give what is left of *errand*; what its lines change is known."""
    printing = printer.printing
    if errand.token == STILL:
        printing.ask_place()
    elif errand.token == ASKED:
        printing.ask_heat()
    else:
        printing.give(errand.lines, errand.token)


def _tell_attempt(printer: Printer, now: float) -> None:
    """How the attempt stands: the life before may not have come to telling it."""
    run = printer.bound()
    facts, progress = run.facts, printer.run_progress(now)
    started = AttemptEvent.STARTED, AttemptState.STARTED
    printer.report(AttemptMoved(facts.grant, facts.job, *started, "", progress))
    is_paused = run.state is AttemptState.PAUSED
    if is_paused:
        paused = AttemptEvent.PAUSED, AttemptState.PAUSED
        printer.report(AttemptMoved(facts.grant, facts.job, *paused, "", progress))
    if printer.state is _S.PRINTING and is_paused:
        printer.attempt(AttemptEvent.RESUMED, now)
    elif printer.state is _S.PAUSED:
        printer.attempt(AttemptEvent.PAUSED, now)
