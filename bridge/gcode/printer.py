"""A printer on a serial link, as one value without I/O and without a clock.

The front door of `bridge.gcode`. A driver opens the port and then repeats: `receive` what came,
`take` what goes out, `events` for what happened; `tick` at `deadline`. What `PRINTER_TRANSITIONS`
does not allow raises `LocalProtocolError` and changes nothing.

A print is the job lines of the stream between scripts. To pause, job lines are held, the lines in
flight finish, and `M400` empties the motion queue: then the position is exactly that of the next
unsent line, temperatures stay, and to resume means to let the job lines go on.
"""

from dataclasses import replace

from bridge.errors import LocalProtocolError
from bridge.gcode import reactions, scripts
from bridge.gcode.connection import Connection
from bridge.gcode.greeting import Outcome
from bridge.gcode.happenings import (
    AttemptMoved,
    Happening,
    OrderDone,
    OrderLost,
    StateMoved,
    StreamLost,
    Warned,
)
from bridge.gcode.prepare import HostPause, Prepared
from bridge.gcode.run import JobFacts, Run
from bridge.gcode.terminal import sendable
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import (
    ACTIVE,
    CONNECTED,
    PRINTER_TRANSITIONS,
    PrinterConfig,
    PrinterEvent,
    PrinterState,
    Progress,
)
from schemas.transitions import IllegalTransition, advance, can

_S, _E = PrinterState, PrinterEvent

#: Job lines that are kept ready in the stream.
LOW_WATER_LINES = 512
#: The line feed ends a half line, so that M112 stands at the start of a line.
STOP_BYTES = b"\nM112\n"

# Orders of our own; tokens of the driver never begin with @.
_PARKED, _RESUMED, _DRAINED, _OVER, _BEGUN = "@parked", "@resumed", "@drained", "@over", "@begun"
_TALKING = CONNECTED | {_S.CONNECTING}
_STEADY = frozenset({_S.PRINTING, _S.PAUSED, _S.OPERATIONAL, _S.OFFLINE, _S.HALTED, _S.ERROR})


class Printer:
    """One printer. All times are seconds on one monotonic clock."""

    def __init__(self, config: PrinterConfig, *, lossless: bool = True) -> None:
        self.config = config
        self.state = _S.OFFLINE
        self.error: str | None = None
        self.run: Run | None = None
        self.link = Connection(config, lossless=lossless)
        self._events: list[Happening] = []
        self._watch = False
        self._stop = b""
        self.half_error = False  # Marlin 1 has begun an error line
        self._hot = False  # an attempt was lost: heaters off before anything else

    # Public: the port.

    def opened(self, now: float, *, boots: bool, lossless: bool, trying: bool = False) -> None:
        """The port is open; greet the firmware. *boots*: opening it may have reset the board."""
        if self.state is not _S.CONNECTING:
            self.step(_E.OPEN)
        self.error = None
        self.link = Connection(self.config, lossless=lossless)
        self.link.greet(now, boots=boots, trying=trying)

    def lost(self, reason: str, now: float) -> None:
        """The port is gone or the firmware is: the attempt is interrupted, the state is error."""
        self.fall(_E.FAIL, AttemptEvent.INTERRUPTED, reason, now)

    def closed(self, now: float) -> None:
        """We have closed the port."""
        self.fall(_E.CLOSE, AttemptEvent.INTERRUPTED, "the port was closed", now)

    def distrust(self) -> None:
        """Nobody knows what was left running: heaters off as soon as it is connected."""
        self._hot = True

    @property
    def silent(self) -> bool:
        """Whether the greeting has ended without an answer."""
        return self.link.greeting_outcome is Outcome.SILENT

    # Public: a print.

    def start(self, facts: JobFacts) -> None:
        """Bind a job. Nothing is sent before the first `feed`."""
        self.step(_E.JOB, grant=facts.grant)
        self.run = Run(facts)
        self.link.stream.out.restart_count()
        self.link.stream.release()
        before = scripts.script(self.config, "before_print")
        if before:
            self.link.stream.order(before, _BEGUN)
        self._watch = True

    def expect(self, print_s: float | None) -> None:
        """The slicer's printing time in seconds has been found in the file."""
        run = self._bound()
        run.facts = replace(run.facts, estimate_s=print_s)

    @property
    def wants_lines(self) -> bool:
        """Whether the job's next lines should be fed now."""
        run = self.run
        return (
            run is not None
            and not run.source_over
            and run.pause_after is None
            and self.state in reactions.FEEDING
            and self.link.stream.out.backlog < LOW_WATER_LINES
        )

    def feed(self, prepared: Prepared) -> None:
        """The job's next lines, in order, or the file's own wish to pause behind them."""
        run = self._bound()
        if isinstance(prepared, HostPause):
            run.pause_after = run.fed
            self._watch = True
            return
        stream = self.link.stream
        stream.feed(prepared.texts, blocking=prepared.blocking)
        run.note(prepared, stream.out.ordinal_of(stream.acked))

    def source_over(self) -> None:
        """The file has no more lines."""
        self._bound().source_over = True
        self._watch = True

    def pause(self, now: float, *, park: bool = True) -> None:
        """Pause at a line boundary. *park* False: the printer has moved away by itself."""
        run = self._bound()
        self.step(_E.PAUSE, grant=run.facts.grant)
        run.stop_clock(now)
        run.pause_after = None
        self.link.stream.hold()
        script = scripts.script(self.config, "on_pause") if park else []
        self.link.stream.order([b"M400", *script], _PARKED)

    def resume(self) -> None:
        """Go on with the next unsent line, after the resume script."""
        run = self._bound()
        self.step(_E.RESUME, grant=run.facts.grant)
        self.link.stream.order(scripts.script(self.config, "on_resume") or [b"M105"], _RESUMED)

    def cancel(self, now: float, reason: str = "") -> None:
        """End the print with the cancel script; `JOB_OVER` comes when that has run."""
        self._end(AttemptEvent.CANCELLED, reason, now)

    def fail(self, code: str, reason: str, now: float) -> None:
        """End the print as failed, with the cancel script if anything was sent."""
        run = self._bound()
        self._events.append(Warned(code, reason, run.facts.grant))
        self._end(AttemptEvent.FAILED, reason, now)

    # Public: everything else that a person wants.

    def order(self, lines: list[str], token: str) -> None:
        """Send terminal lines through the gate; `OrderDone` or `OrderLost` with *token* follows.

        Raises `LocalProtocolError` when not connected, `GateRefusal` for a line the gate refuses.
        """
        self._need_connection()
        texts, bypassing = sendable(lines, self.config.profile)
        for text in bypassing:
            self.link.stream.bypass(text + b"\n", answered=True)
        if texts:
            self.link.stream.order(texts, token)
        else:
            self._events.append(OrderDone(token))

    def cool(self, token: str) -> None:
        """All heaters off. Raises `LocalProtocolError` when not connected."""
        self._need_connection()
        self.link.stream.order(scripts.heaters_off(self.config.profile), token)

    def halt(self, reason: str, now: float) -> None:
        """Remote stop: M112 goes out next, past everything; latched until `reset`."""
        again = self.state is _S.HALTED
        self.fall(_E.HALT, AttemptEvent.FAILED, reason, now)
        if not again:
            self._stop = STOP_BYTES

    def reset(self) -> None:
        """Release the latch of a stop or kill; the printer must be connected again."""
        self.step(_E.RESET)
        self.error, self._stop = None, b""

    # Public: bytes and time.

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the port."""
        link = self.link
        if link.plain(data, now):
            if self._watch:
                self._advance(now)
            return
        for reply in link.receive(data, now):
            reactions.react(self, reply, now)
        self._advance(now)

    def take(self, now: float) -> bytes:
        """What to write next; every byte counts as sent. After a stop: M112 and nothing else."""
        if self._stop:
            data, self._stop = self._stop, b""
            return data
        if self.state not in _TALKING:
            return b""
        data = self.link.take(now)
        if self._watch and data:
            self._advance(now)
        return data

    def deadline(self) -> float | None:
        """When `tick` is due at the latest; None: never."""
        return self.link.deadline() if self.state in _TALKING else None

    def tick(self, now: float) -> None:
        """Act on what is due."""
        if self.state not in _TALKING:
            return
        self.link.tick(now, quiet=self.state in ACTIVE)
        if self.state is not _S.CONNECTING and self.silent:
            self.lost("the printer has restarted and does not answer", now)
        self._advance(now)

    @property
    def news(self) -> bool:
        """Whether `events` has something."""
        return bool(self._events)

    def events(self) -> list[Happening]:
        """What has happened since the last call, oldest first."""
        if not self._events:
            return []
        events, self._events = self._events, []
        return events

    def progress(self, now: float) -> Progress | None:
        """How far the attempt is, None without one."""
        stream = self.link.stream
        ordinal = stream.out.ordinal_of(stream.acked)
        return self.run.progress(ordinal, now) if self.run else None

    # Public: what the printer itself brings about.

    def fall(self, event: PrinterEvent, outcome: AttemptEvent, reason: str, now: float) -> None:
        """Leave the connected states; whatever was bound ends here."""
        if not self._can(event):
            return
        run = self.run
        if run is not None:
            ending = run.outcome if self.state is _S.CANCELLING else outcome
            if run.state is AttemptState.GRANTED:  # not a line of it has been sent
                ending = AttemptEvent.NOT_STARTED
            run.stop_clock(now)
            self._attempt(ending, now, reason)
            self._hot = True
        self._give_up_orders(reason)
        self.run, self._watch = None, False
        self.error = None if event is _E.CLOSE else reason
        self.step(event, grant=run.facts.grant if run else None, reason=reason)

    def warn(self, code: str, text: str) -> None:
        """Report something that a person should know."""
        self._events.append(Warned(code, text, self._grant()))

    # Private: steps.

    def _advance(self, now: float) -> None:
        """Draw the consequences of what was acknowledged."""
        for event in self.link.events(now):
            if isinstance(event, StreamLost):
                self._events.append(Warned(event.code, event.text, self._grant()))
                self.lost(event.text, now)
                return
            self._order_done(event.token, now)
        if (identity := self.link.take_identity()) is not None:
            self._events.append(identity)
        if self.state is _S.CONNECTING and self.link.ready:
            if self._hot:
                self._hot = False
                self.link.stream.order(scripts.heaters_off(self.config.profile))
            self.step(_E.READY)
        if self._watch and self.run is not None:
            self._advance_run(self.run, now)

    def _advance_run(self, run: Run, now: float) -> None:
        stream = self.link.stream
        done = stream.out.ordinal_of(stream.acked)
        if self.state is _S.STARTING and stream.out.ordinal_of(stream.sent) > 0:
            self._attempt(AttemptEvent.STARTED, now)
            run.run_clock(now)
            if done > 0:
                self.step(_E.STREAM, grant=run.facts.grant)
        if run.pause_after is not None and done >= run.pause_after and self._can(_E.PAUSE):
            self.pause(now)
        over = run.source_over and stream.idle and run.pause_after is None
        if over and self._can(_E.LAST_LINE):
            self._attempt(AttemptEvent.STARTED, now)
            self.step(_E.LAST_LINE, grant=run.facts.grant)
            stream.order([b"M400", *scripts.script(self.config, "after_print")], _DRAINED)
        self._watch = self.state not in _STEADY or run.source_over or run.pause_after is not None

    def _order_done(self, token: str, now: float) -> None:
        run = self.run
        if not token.startswith("@"):
            self._events.append(OrderDone(token))
        elif run is None:
            return
        elif token == _PARKED and self._can(_E.PARKED):
            self._attempt(AttemptEvent.PAUSED, now)
            self.step(_E.PARKED, grant=run.facts.grant)
        elif token == _RESUMED and self.state is _S.RESUMING:
            self.link.stream.release()
            run.run_clock(now)
            self._attempt(AttemptEvent.RESUMED, now)
            self.step(_E.STREAM, grant=run.facts.grant)
            self._watch = True
        elif token in (_DRAINED, _OVER) and self._can(_E.JOB_OVER):
            self._job_over(run, now)

    def _job_over(self, run: Run, now: float) -> None:
        self.link.stream.release()
        self._attempt(run.outcome, now, run.reason)
        self.run, self._watch = None, False
        self.step(_E.JOB_OVER, grant=run.facts.grant, reason=run.reason)

    def _end(self, outcome: AttemptEvent, reason: str, now: float) -> None:
        run = self._bound()
        stream = self.link.stream
        before = scripts.script(self.config, "before_print")
        untouched = run.state is AttemptState.GRANTED and not before
        self.step(_E.CANCEL, grant=run.facts.grant, reason=reason)
        run.outcome, run.reason = outcome, reason
        run.stop_clock(now)
        self._give_up_orders(reason or "the print was ended")
        stream.hold()
        self._watch = True
        if untouched:
            run.outcome = AttemptEvent.NOT_STARTED
            self._job_over(run, now)
            return
        if self.link.status.emergency_parser and stream.out.blocked(stream.acked):
            stream.bypass(b"M108\n", answered=True)
        stream.order(scripts.script(self.config, "on_cancel") or [b"M400"], _OVER)

    def _give_up_orders(self, reason: str) -> None:
        for token in self.link.stream.abandon():
            if not token.startswith("@"):
                self._events.append(OrderLost(token, reason))

    def _attempt(self, event: AttemptEvent, now: float, reason: str = "") -> None:
        run = self._bound()
        if run.move(event):
            self._events.append(
                AttemptMoved(
                    run.facts.grant, run.facts.job, event, run.state, reason, self.progress(now)
                )
            )

    def step(self, event: PrinterEvent, *, grant: str | None = None, reason: str = "") -> None:
        """Move the state by the table."""
        try:
            state = advance(PRINTER_TRANSITIONS, self.state, event)
        except IllegalTransition:
            raise LocalProtocolError(
                f"the printer is {self.state.value}: {event.value} is not possible now"
            ) from None
        previous, self.state = self.state, state
        if state is not previous:
            self._events.append(StateMoved(state, previous, grant, reason))

    def _can(self, event: PrinterEvent) -> bool:
        return can(PRINTER_TRANSITIONS, self.state, event)

    def _grant(self) -> str | None:
        return self.run.facts.grant if self.run else None

    def _bound(self) -> Run:
        if self.run is None:
            raise LocalProtocolError(f"the printer is {self.state.value}: no job is running")
        return self.run

    def _need_connection(self) -> None:
        if self.state not in CONNECTED:
            raise LocalProtocolError(f"the printer is {self.state.value}: it is not connected")
