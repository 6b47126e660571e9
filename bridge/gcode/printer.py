"""A printer on a serial link, as one value without I/O and without a clock.

The front door of `bridge.gcode`. A driver opens the port and then repeats: `receive` what came,
`take` what goes out, `events` for what happened; `tick` at `deadline`. What the table of states
does not allow raises `LocalProtocolError` and changes nothing.
"""

from bridge.gcode import reactions, scripts
from bridge.gcode.cardprint import CardPrint
from bridge.gcode.cardwrite import CardWrite
from bridge.gcode.connection import Connection
from bridge.gcode.greeting import Outcome
from bridge.gcode.happenings import OrderDone, StreamLost
from bridge.gcode.heat import HeatLease, RunawayWatch, Silence
from bridge.gcode.prepare import Prepared
from bridge.gcode.printing import Printing
from bridge.gcode.run import JobFacts
from bridge.gcode.standing import Standing, StopReach
from bridge.gcode.stopping import IGNORED, Stopping
from bridge.gcode.temperatures import Temperatures
from bridge.gcode.terminal import only_answers, sendable
from schemas.gcode.policy import Origin
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import (
    ACTIVE,
    CONNECTED,
    PrinterConfig,
    PrinterEvent,
    PrinterState,
    Progress,
)

_S, _E = PrinterState, PrinterEvent

#: Job lines that are kept ready in the stream.
LOW_WATER_LINES = 512

_TALKING = CONNECTED | {_S.CONNECTING}
#: Who has the heaters switched off at the end of their lease.
_LEASE = "@lease"
_HEATS = (b"M104", b"M109", b"M140", b"M190", b"M141", b"M191")


class Printer(Standing):
    """One printer. All times are seconds on one monotonic clock."""

    def __init__(self, config: PrinterConfig, *, lossless: bool = True) -> None:
        super().__init__(config, Connection(config, lossless=lossless))
        self.printing = Printing(self)
        self.card_print = CardPrint(self)
        self.card_write = CardWrite(self, self.card_print)
        self.half_error = False  # Marlin 1 has begun an error line
        self.lease = HeatLease(config.heat_lease_s)
        self._runaway = RunawayWatch()
        self._silence = Silence()
        self.stopping = Stopping()
        self._cooling: set[str] = set()  # tokens of who waits to hear what the card does
        self._wanted_heat = False  # since the last tick
        self._hot = False  # an attempt was lost: heaters off before anything else

    # Public: the port.

    def opened(self, now: float, *, boots: bool, lossless: bool, trying: bool = False) -> None:
        """The port is open; greet the firmware. *boots*: opening it may have reset the board."""
        if self.state is not _S.CONNECTING:
            self.step(_E.OPEN)
        self.error = None
        self.link = Connection(self.config, lossless=lossless)
        self._runaway = RunawayWatch()
        self.tell_again()
        first, closes = self.stopping.word(), self.card_write.may_save
        self.link.greet(now, boots=boots, trying=trying, closes=closes, first=first)

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

    def configure(self, config: PrinterConfig) -> None:
        """*config* holds from now on; other offsets from the file's next heat line on."""
        before, self.config = self.config, config
        if self.run is not None and config.offsets_c != before.offsets_c:
            self.link.stream.out.amend(self.run.heat_lines.again(config))

    # Public: a print.

    def start(self, facts: JobFacts) -> None:
        """Bind a job. Nothing is sent before the first `feed`."""
        self.printing.start(facts)

    def expect(self, print_s: float | None, layers: int | None = None) -> None:
        """The file has said its printing time in seconds and how many layers it has."""
        self.bound().expect(print_s, layers)

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
        self.printing.feed(prepared)

    def source_over(self) -> None:
        """The file has no more lines."""
        self.bound().source_over = True
        self.watch = True

    def pause(self, now: float, *, park: bool = True) -> None:
        """Pause at a line boundary. *park* False: the printer has moved away by itself."""
        if self.card_print.active:
            self.card_print.steer(b"M25", send=park)
        else:
            self.printing.pause(now, park=park)

    def resume(self, now: float) -> None:
        """Go on with the next unsent line, in the state of the pause."""
        if self.card_print.active:
            self.card_print.steer(b"M24", send=True)
        else:
            self.printing.resume(now)

    def cancel(self, now: float, reason: str = "") -> None:
        """End the print with the cancel script; `JOB_OVER` comes when that has run.

        A file that goes to the card is deleted there.
        """
        if self.card_write.job is not None:
            self.card_write.cancel(now, reason)
        elif self.card_print.active:
            self.card_print.cancel(now, reason)
        else:
            self.printing.end(AttemptEvent.CANCELLED, reason, now)

    def fail(self, code: str, reason: str, now: float) -> None:
        """End the print as failed, with the error script if anything was sent."""
        self.bound()
        self.warn(code, reason)
        self.printing.end(AttemptEvent.FAILED, reason, now)

    # Public: everything else that a person wants.

    def order(self, lines: list[str], token: str, origin: Origin = Origin.TERMINAL) -> None:
        """Send typed lines through the gate; `OrderDone` or `OrderLost` with *token* follows.

        Raises `LocalProtocolError` when that is not possible now, `GateRefusal` for a line that the
        gate refuses.
        """
        texts, bypassing = sendable(lines, self.config.profile, origin)
        if not (self.is_taken_up and only_answers(texts, bypassing)):
            self.need_free()
        for text in bypassing:
            self.link.bypass(text)
            self.printing.waits.answered()
        if not texts:
            self.report(OrderDone(token))
            return
        texts = [self.card_print.spelled(text) for text in texts]
        self.printing.touched()
        self.ordered(texts)
        self._wanted_heat = self._wanted_heat or any(text.startswith(_HEATS) for text in texts)
        self.link.stream.order(texts, token)
        self.card_print.follow(texts)

    def cool(self, token: str) -> None:
        """All heaters off, but not under a print from the card that nobody has told us of.

        `OrderDone` with *token* follows either way. Raises `LocalProtocolError` when that is not
        possible now.
        """
        self.need_free()
        if self.link.can("SDCARD") and self.state is _S.OPERATIONAL:
            self._cooling.add(token)
            self.link.stream.order([b"M27", b"M105"], token)  # some answer behind the `ok`
        else:
            self._switch_off(token)

    def halt(self, reason: str, now: float) -> None:
        """Remote stop: M112 goes out next, past everything; latched until `reset`.

        It is sent again as long as the machine speaks and does not say that it has stopped.
        """
        again = self.state is _S.HALTED
        uncertain = self.state in CONNECTED and self.stop_reach is not StopReach.AT_ONCE
        self.fall(_E.HALT, AttemptEvent.FAILED, reason, now)
        if again:
            return
        self.stopping.begin(self.link.stream.dialect.stop, now, saving=self.card_write.may_save)
        if uncertain:
            self.warn(
                "stop_uncertain",
                "M112 was sent, but this firmware may obey only when it has done what it is at: "
                "if the machine does not stop now, switch it off",
            )

    def reset(self) -> None:
        """Release the latch of a stop or kill; the printer must be connected again."""
        self.step(_E.RESET)
        self.error = None
        self.stopping.release(self.link.stream.dialect.revives)

    # Public: bytes and time.

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the port."""
        link = self.link
        if self.state is _S.HALTED:
            for reply in link.receive(data, now):
                reactions.react(self, reply, now)
                self.stopping.heard(reply, now)
            if self.stopping.ignored(scripts.heaters_off(self.config.profile)):
                self.warn("stop_ignored", IGNORED)
            return
        if link.plain(data, now):
            if self.watch:
                self._advance(now)
            return
        for reply in link.receive(data, now):
            reactions.react(self, reply, now)
            if isinstance(reply, Temperatures):
                self._look_at_heat(now)
        self._advance(now)

    def take(self, now: float) -> bytes:
        """What to write next; every byte counts as sent. After a stop: M112 and nothing else."""
        if stop := self.stopping.take():
            return stop
        if self.state not in _TALKING:
            return b""
        data = self.link.take(now)
        if alone := self.link.stream.out.went_alone:
            self.doings.sent(alone)
            alone.clear()
        if self.watch and data:
            self._advance(now)
        return data

    def deadline(self) -> float | None:
        """When `tick` is due at the latest; None: never."""
        if self.state not in _TALKING:
            return self.stopping.deadline()
        moments = (
            self.link.deadline(),
            self.lease.deadline(),
            self.printing.deadline(),
            self.card_write.deadline(),
        )
        return min((moment for moment in moments if moment is not None), default=None)

    def tick(self, now: float) -> None:
        """Act on what is due."""
        if self.state not in _TALKING:
            self.stopping.tick(now)
            return
        self.link.tick(now, quiet=self.state in ACTIVE)
        if self.state is not _S.CONNECTING and self.silent:
            self.lost("the printer has restarted and does not answer", now)
        self._advance(now)
        if self.state in CONNECTED:
            self.printing.cool_pause(now)
            self.card_write.tick(now)
            self._keep_heat(now)

    def progress(self, now: float) -> Progress | None:
        """How far the attempt is, or what runs with the card; None without one."""
        cards = self.card_write.progress(now) or self.card_print.progress(now)
        return self.run_progress(now) or cards

    # Public: what the printer itself brings about.

    def fall(self, event: PrinterEvent, outcome: AttemptEvent, reason: str, now: float) -> None:
        """Leave the connected states; whatever was bound ends here."""
        if not self.can(event):
            return
        run = self.run
        if run is not None:
            ending = run.outcome if run.ending else outcome
            if run.state is AttemptState.GRANTED:  # not a line of it has been sent
                ending = AttemptEvent.NOT_STARTED
            run.stop_clock(now)
            self.attempt(ending, now, reason)
            self._hot = True
        self.give_up_orders(reason)
        self._cooling.clear()
        self.card_print.forget()
        self.card_write.forget(reason, now)
        self.run, self.watch = None, False
        self.error = None if event is _E.CLOSE else reason
        self.step(event, grant=run.facts.grant if run else None, reason=reason)

    # Private.

    def _advance(self, now: float) -> None:
        """Draw the consequences of what was acknowledged."""
        for event in self.link.events(now):
            if isinstance(event, StreamLost):
                self.warn(event.code, event.text)
                self.lost(event.text, now)
                return
            self._order_done(event, now)
        if self.link.stream.strays.news():
            reactions.strayed(self, now)
        if (identity := self.link.take_identity()) is not None:
            self.report(identity)
        if self.state is _S.CONNECTING and self.link.ready:
            self._ready(now)
        if self.watch and self.run is not None:
            self.printing.advance(now)
        elif self.watch:
            self.card_write.advance()
        self.card_print.tell()

    def _order_done(self, order: OrderDone, now: float) -> None:
        if order.token in self._cooling:
            self._cool_unless_printing(order.token)
        elif not order.token.startswith("@"):
            self.report(order)
        else:
            self.printing.order_done(order.token, now)
            self.card_print.order_done(order.token, now)
            self.card_write.order_done(order.token, now)

    def _cool_unless_printing(self, token: str) -> None:
        """The card has been asked: heaters off, unless something is going on there or here."""
        self._cooling.discard(token)
        if self.state is _S.OPERATIONAL:
            self._switch_off(token)
        elif token != _LEASE:
            self.report(OrderDone(token))

    def _switch_off(self, token: str) -> None:
        self.link.stream.order(scripts.heaters_off(self.config.profile), token)
        if token == _LEASE:
            self.warn(
                "heat_lease",
                f"the heaters were on without a job for {self.lease.life_s / 60:.0f} minutes and "
                "are switched off",
            )

    def _ready(self, now: float) -> None:
        self.card_write.found_again()
        self.step(_E.READY)
        running = self.link.status.card.running
        if running is not None:
            self._hot = False  # it needs its heat: it prints from its card
            self.card_print.heard(running, now)
            return
        if self._hot:
            self._hot = False
            self.link.stream.order(scripts.heaters_off(self.config.profile))
        on_connect = self.script("on_connect", now)
        if on_connect:
            self.ordered(on_connect)
            self.link.stream.order(on_connect)

    def _look_at_heat(self, now: float) -> None:
        if self.state not in CONNECTED:
            return
        heaters, stream = self.link.status.temperatures, self.link.stream
        resting = stream.patience.awaits_person(now, in_flight=stream.in_flight > 0)
        fault = self._runaway.observe(heaters, self.config.profile, now, resting=resting)
        if fault is not None:
            self.warn("thermal_fault", f"{fault}: the printer was stopped")
            self.halt(fault, now)

    def _keep_heat(self, now: float) -> None:
        status = self.link.status
        self.lease.life_s = self.config.heat_lease_s
        if self._wanted_heat:
            self._wanted_heat = False
            self.lease.renew(now)
        transferring = self.state is _S.TRANSFERRING  # nothing is on, nothing can be switched off
        needed = self.state in ACTIVE or transferring
        if self.lease.follow(now, heating=status.heating, needed=needed):
            self.cool(_LEASE)
        stream = self.link.stream
        waits = stream.in_flight > 0 and not stream.patience.silences
        silent = self._silence.observe(now, status.heard_at, stream.acked, waits=waits)
        if status.heating and silent and not transferring:
            self.warn_once("temperature_silent", "no temperature is reported while heaters are on")
