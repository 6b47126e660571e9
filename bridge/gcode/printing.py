"""A print from its start to its last script (serial 9).

A print is the job lines of the stream between scripts. To pause, job lines are held, the lines in
flight finish and the motion queue empties: then the position that the firmware tells is exactly
that of the next unsent line. It is kept with modes, tool, fan, factors and targets, and brought
back before the next line goes.
"""

from collections.abc import Sequence

from bridge.gcode import pausing
from bridge.gcode.errands import (
    ASKED,
    BEGUN,
    DRAINED,
    OVER,
    PARKED,
    RESUMED,
    STILL,
    Errand,
    Errands,
)
from bridge.gcode.pausing import Saved
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.prepare import Run as Lines
from bridge.gcode.presence import Presence
from bridge.gcode.run import JobFacts, Run
from bridge.gcode.scripts import exists, nozzles_off
from bridge.gcode.standing import Standing, StopReach
from bridge.gcode.waits import Waits
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import PrinterEvent, PrinterState

_S, _E = PrinterState, PrinterEvent

_STAYS = (
    "the printer does not say where it has paused, so it stays there: the script for a pause was "
    "left out, or the print would go on from where that had parked"
)
#: Why a file pauses, for who has to see to it.
_ASKED_TO = "the file asks for a pause here (%s): see to it, then resume"
CHANGE = "the file asks for other filament: change it, then resume"
_COOLED = "paused for %.0f minutes: the nozzles are off until it goes on"
#: How often the state of a pause is asked for again while no two answers in a row agree.
_ASKS = 2
_STEADY = frozenset({_S.PRINTING, _S.PAUSED, _S.OPERATIONAL, _S.OFFLINE, _S.HALTED, _S.ERROR})


class Printing:
    """The running print of one printer, or none."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self.errands = Errands()
        self._presence = Presence(standing)
        #: from a pause until it is brought back
        self.saved: Saved | None = None
        #: the printer has said that its own pause is over before it had begun
        self.resumes = False
        #: `pause` or `paused`, what it says while its print is taken up
        self.wished = ""
        self.waits = Waits(standing)
        self._paused_at: float | None = None
        self._asks_left = 0  # for the place of the pause
        self.own_pause = False  # the printer has paused by itself

    # What a person or the file wants.

    def start(self, facts: JobFacts) -> None:
        """Bind a job. Nothing is sent before the first `feed`."""
        at = self._standing
        at.step(_E.JOB, grant=facts.grant)
        stream = at.link.stream
        at.run = Run(facts, at.modal)
        at.run.trail.joined = stream.dialect.joined_modes
        self.saved, self.resumes, self.own_pause = None, False, False
        self.errands.begin(stream.out.owns)
        at.tell_again()
        self.waits.begin()
        stream.out.restart_count()
        stream.release()
        before = at.script("before_print", 0.0)
        if before:
            self.send(before, BEGUN)
            at.run.begun = at.run.trail.at(0)
        at.watch = True

    def feed(self, prepared: Prepared) -> None:
        """The job's next lines, in order, or the file's own wish to pause behind them."""
        at, run = self._standing, self._standing.bound()
        if isinstance(prepared, HostPause):
            run.rest(_ASKED_TO % prepared.text)
            at.watch = True
            return
        stream = at.link.stream
        if prepared.alone and self.needs_host(prepared):
            # counted like every line of the file, but what goes out only waits
            stream.feed([stream.dialect.drain], alone=True)
            run.note(prepared, stream.out.ordinal_of(stream.acked))
            run.rest(CHANGE, "filament_change")
            at.watch = True
            return
        texts = run.heat_lines.take(run.fed + 1, prepared, at.config)
        stream.feed(texts, alone=prepared.alone)
        run.note(prepared, stream.out.ordinal_of(stream.acked))
        if prepared.alone:
            at.follow_homing(prepared.texts)

    def pause(self, now: float, *, park: bool = True) -> None:
        """Pause at a line boundary. *park* False: the printer has moved away by itself."""
        at, run = self._standing, self._standing.bound()
        at.step(_E.PAUSE, grant=run.facts.grant)
        run.stop_clock(now)
        stream = at.link.stream
        run.keep_rest(stream.out.ordinal_of(stream.acked))
        stream.hold()
        # a resume that had only just begun leaves it parked, and in a pause of its own
        self.resumes, self.own_pause = False, self.own_pause or not park
        stream.out.settled = self.own_pause and bool(stream.dialect.goes_on)
        if self.own_pause or self.saved is not None:
            self.give([*self._hold(), stream.dialect.drain], PARKED)
        else:
            self.ask_place()

    def ask_place(self) -> None:
        """Where does the head stand, and what is heated, once nothing moves?"""
        at, stream = self._standing, self._standing.link.stream
        at.link.status.forget_position()  # only answers to what follows are those of this place
        where = [b"M114"] * (2 if stream.dialect.position else 0)
        self._asks_left = _ASKS
        if where:
            at.doings.asked_place("pause")
        # a report of the targets may be older than a line of the file that has set another
        self.give([b"M105", stream.dialect.drain, *where], STILL)

    def resume(self, now: float) -> None:
        """Go on with the next unsent line, after what brings back the state of the pause.

        First it is asked what is heated: a report may be older than what has switched it off.
        """
        at, run = self._standing, self._standing.bound()
        at.step(_E.RESUME, grant=run.facts.grant)
        self.ask_heat()

    def ask_heat(self) -> None:
        """What is heated?"""
        drain = self._standing.link.stream.dialect.drain
        self.give([b"M105", drain], ASKED)  # some answer behind the `ok`

    def end(self, outcome: AttemptEvent, reason: str, now: float) -> None:
        """End the print before its last line, with the script for *outcome*.

        A print that is being taken up ends once it is known which lines the printer has.
        """
        at, run = self._standing, self._standing.bound()
        if at.state is _S.CONNECTING:
            self._end_later(run, outcome, reason)
            return
        stream = at.link.stream
        untouched = run.state is AttemptState.GRANTED and not exists(at.config, "before_print")
        at.step(_E.CANCEL, grant=run.facts.grant, reason=reason)
        run.outcome, run.reason = outcome, reason
        run.stop_clock(now)
        at.give_up_orders(reason or "the print was ended")
        self.errands.drop(stream.out.owns)
        stream.hold()
        at.watch = True
        if untouched:
            run.outcome = AttemptEvent.NOT_STARTED
            self._over(run, now)
            return
        at_once = at.stop_reach is StopReach.AT_ONCE
        if at_once and at.config.cancel_policy == "quick_stop":
            stream.bypass(b"M410\n", answered=True)
            at.position_known = False
        self.waits.cancelled()
        self._last_script(run, now)

    def touched(self) -> None:
        """Somebody is about to send commands of his own; at a pause they may move the head."""
        at = self._standing
        if self.own_pause and self.saved is None and at.state is _S.PAUSED:
            self.saved = Saved(at.modal_now(), self._targets_c())
        if self.saved is not None:
            self.saved.moved = True
            self.errands.changed()

    def comes_back(self, now: float) -> None:
        """The printer says that its own pause is over."""
        if self._standing.state is _S.PAUSED:
            self.resume(now)
        elif self._standing.state is _S.PAUSING:
            self.resumes = True
            self.errands.changed()

    def at_rest(self, now: float) -> None:
        """It has come to rest, here or in a life before this one."""
        self._paused_at = now
        self.waits.paused(now if self.own_pause else None)
        if self.resumes:
            self.resume(now)

    # What follows from acknowledgements and time.

    def advance(self, now: float) -> None:
        """Draw the consequences of what was acknowledged."""
        at, run = self._standing, self._standing.bound()
        stream = at.link.stream
        done = stream.out.ordinal_of(stream.acked)
        if at.state is _S.STARTING and stream.out.ordinal_of(stream.sent) > 0:
            at.attempt(AttemptEvent.STARTED, now)
            run.run_clock(now)
            if done > 0:
                at.step(_E.STREAM, grant=run.facts.grant)
        if run.rests_at(done) and at.state in (_S.STARTING, _S.PRINTING):
            at.warn(*run.pause_why)
            self.pause(now)
        over = run.source_over and stream.idle and run.pause_after is None
        if over and at.can(_E.LAST_LINE):
            at.attempt(AttemptEvent.STARTED, now)
            at.step(_E.LAST_LINE, grant=run.facts.grant)
            self.send([stream.dialect.drain, *at.script("after_print", now)], DRAINED)
        at.watch = at.state not in _STEADY or run.source_over or run.pause_after is not None

    def order_done(self, token: str, now: float) -> None:
        """An order of our own is acknowledged."""
        at, run = self._standing, self._standing.run
        if run is None:
            return
        self.errands.done(token)
        if token == STILL and at.state is _S.PAUSING:
            self._still(now)
        elif token == PARKED and at.can(_E.PARKED):
            at.attempt(AttemptEvent.PAUSED, now)
            at.step(_E.PARKED, grant=run.facts.grant)
            self.at_rest(now)
        elif token == ASKED and at.state is _S.RESUMING:
            self._bring_back(now)
        elif token == ASKED and at.state is _S.CANCELLING:
            self._last_script(run, now)
        elif token == RESUMED and at.state is _S.RESUMING:
            at.link.stream.release()
            run.run_clock(now)
            at.attempt(AttemptEvent.RESUMED, now)
            at.step(_E.STREAM, grant=run.facts.grant)
            at.watch = True
        elif token in (DRAINED, OVER) and at.can(_E.JOB_OVER):
            self._over(run, now)

    def cool_pause(self, now: float) -> None:
        """A pause that takes long keeps its bed warm and its nozzles off (safety M23).

        A firmware that would take it for the end of the print is told otherwise.
        """
        self._presence.tick(now)
        self.waits.tick(now)
        at, due = self._standing, self._cools_at
        if due is None or now < due:
            return
        self._paused_at = None
        if self.saved is None:
            self.saved = Saved(at.modal_now(), self._targets_c())
            self.errands.changed()
        at.link.stream.order(nozzles_off(at.config.profile))
        at.warn("pause_cooled", _COOLED % (at.config.pause_heat_s / 60))

    def deadline(self) -> float | None:
        """When `cool_pause` is due, None: never."""
        moments = self._presence.deadline(), self.waits.deadline(), self._cools_at
        return min((moment for moment in moments if moment is not None), default=None)

    # Private.

    @property
    def _cools_at(self) -> float | None:
        """None: never. A print from the printer's card has pauses of its own."""
        at, life_s = self._standing, self._standing.config.pause_heat_s
        if at.run is None or at.state is not _S.PAUSED or self._paused_at is None or not life_s:
            return None
        return self._paused_at + life_s

    def _still(self, now: float) -> None:
        """Nothing moves: keep the state, then park, but only from where there is a way back."""
        at = self._standing
        status = at.link.status
        targets_c = self._targets_c()
        is_damaged = len(targets_c) < len(status.targets_c()) or not status.temperatures
        asks = [b"M105"] if is_damaged or not status.targets_sure else []
        if at.link.stream.dialect.position and not status.position_sure:
            asks.append(b"M114")
        if asks and self._asks_left:
            self._asks_left -= 1
            return self.give(asks, STILL)
        position = status.position if status.position_sure else None
        self.saved = Saved(at.modal_now(), targets_c, position)
        script = at.script("on_pause", now)
        if script and position is None:
            at.warn("position_unknown", _STAYS)
            script = []
        self.saved.moved = bool(script)
        lines = [*self._hold(), *script]
        self._send_if_any(lines, PARKED, now)

    def _bring_back(self, now: float) -> None:
        """What is heated is known: make it as it was at the pause, then go on."""
        at, saved = self._standing, self.saved
        let_go = self._let_go()
        self.saved = None
        lines: list[bytes] = []
        if saved is not None:
            lines += pausing.heat_lines(saved, at.link.status.targets_c())
        goes_on = at.link.stream.dialect.goes_on if self.own_pause else b""
        self.own_pause = False
        lines += at.script("on_resume", now)
        lines += let_go
        if saved is not None:
            saved.moved = saved.moved or exists(at.config, "on_resume")
            now_set = at.modal_now().copy()
            for line in lines:
                now_set.apply(line, joined=at.link.stream.dialect.joined_modes)
            lines += pausing.restore_lines(saved, now_set)
            if saved.moved and saved.position is None and not goes_on:
                at.warn("position_unknown", "nobody knows where it paused: it goes on from here")
        if goes_on:  # behind it an MK3 runs lines of the file at once, those that it asks for again
            lines.append(goes_on)
        self._send_if_any(lines, RESUMED, now)

    def _targets_c(self) -> dict[str, float]:
        at = self._standing
        return pausing.credible(at.link.status.targets_c(), at.config.profile)

    def _hold(self) -> list[bytes]:
        """What keeps the head where it is until somebody resumes, whenever that is.

        Behind M85 a firmware kills itself when nothing has moved for a while.
        """
        holds = self._standing.link.stream.dialect.holds
        inactive = [b"M85 S0"] if self._standing.modal_now().inactive_s else []
        return [*([holds] if holds else []), *inactive]

    def _let_go(self) -> list[bytes]:
        """What takes that back."""
        at = self._standing
        lets_go, was = at.link.stream.dialect.lets_go, at.modal_now()
        if self.saved is not None:
            was = self.saved.modal
        inactive = [b"M85 S%.0f" % was.inactive_s] if was.inactive_s else []
        return [*([lets_go] if lets_go else []), *inactive]

    def _end_later(self, run: Run, outcome: AttemptEvent, reason: str) -> None:
        if not run.ending:
            run.outcome, run.reason = outcome, reason
            self.errands.changed()
        self._standing.link.break_waits()

    def _last_script(self, run: Run, now: float) -> None:
        at = self._standing
        name = "on_error" if run.outcome is AttemptEvent.FAILED else "on_cancel"
        lines = at.script(name, now, run.reason) or [at.link.stream.dialect.drain]
        freed = self._let_go() if self.saved is not None or self.own_pause else []
        if self.own_pause and at.link.stream.dialect.drops_pause:
            freed = [*freed, at.link.stream.dialect.drops_pause]
        self.send([*freed, *lines], OVER)

    def send(self, lines: list[bytes], token: str) -> None:
        """An errand whose lines may change what the firmware remembers."""
        self._standing.ordered(lines)
        self.give(lines, token)

    def give(self, lines: Sequence[bytes], token: str) -> None:
        """An errand; what its lines change is known."""
        stream = self._standing.link.stream
        self.errands.add(Errand(token, tuple(lines)), stream.out.owns)
        stream.orders.add(stream.dialect.spelled([*lines]), token, own=True)

    def _send_if_any(self, lines: list[bytes], token: str, now: float) -> None:
        if lines:
            self.send(lines, token)
        else:
            self.errands.changed()
            self.order_done(token, now)

    def needs_host(self, lines: Lines) -> bool:
        """Whether this is a filament change that would only block the connection."""
        at = self._standing
        return (
            lines.texts[0].startswith(b"M600")
            and not at.link.stream.dialect.own_filament_change
            and not at.link.status.emergency_parser
        )

    def _over(self, run: Run, now: float) -> None:
        at = self._standing
        at.link.stream.release()
        at.attempt(run.outcome, now, run.reason)
        at.modal = at.modal_now()
        at.run, at.watch = None, False
        at.step(_E.JOB_OVER, grant=run.facts.grant, reason=run.reason)
