"""The conversation behind a printer: greeting, identification, reports, stream and status.

After the greeting: fresh line numbers, `M115`, whether it prints from its card (`M27`), whether
long commands speak (`M113`), then temperature and position reports by the firmware (`M155`, `M154`)
where it can, by polling (`M105`) where it cannot or has fallen silent. Nothing here moves the
machine.
"""

from dataclasses import replace

from bridge.gcode.dialects import Dialect, by_banner, by_firmware, by_name
from bridge.gcode.failures import Failure, Kind, Severity, last_line, unknown_word
from bridge.gcode.greeting import Greeting, Outcome
from bridge.gcode.happenings import Identified, OrderDone, StreamLost
from bridge.gcode.regain import Regain
from bridge.gcode.replies import (
    MAX_FIELD,
    Ack,
    Busy,
    Capability,
    FirmwareInfo,
    Keepalive,
    LineReader,
    Overrun,
    Reply,
    Resend,
    Skipped,
    Start,
    Text,
    Wait,
    parse,
)
from bridge.gcode.status import Status
from bridge.gcode.stream import Stream
from bridge.gcode.temperatures import Temperatures
from schemas.printer import PrinterConfig

#: A firmware that does not answer M115 is used without it after this.
IDENTIFY_S = 5.0
#: Fields of M115's answer that are told: noise may make more of them.
_FIELDS = 24
#: Between two reports of the temperatures where the firmware makes them.
REPORT_S = 1.0
#: Between two polls of the temperatures, with and without a heater on.
POLL_HEATING_S = 2.0
POLL_IDLE_S = 5.0
#: A `start` so soon after the last one or the greeting, with so few lines answered since, belongs
#: to the same boot.
SAME_BOOT_S = 2.0
SAME_BOOT_LINES = 20

#: Reports that were ordered have stopped after so long: poll instead.
REPORTS_DEAD_S = 10.0
#: Between two looks at a print from the card.
CARD_POLL_S = 5.0

_IDENTIFY, _CARD, _POLL, _REPORTS = "@identify", "@card", "@poll", "@reports"


class Connection:
    """One connection to one firmware; a new one for every time the port is opened."""

    def __init__(self, config: PrinterConfig, *, lossless: bool) -> None:
        self.reader = LineReader()
        self.stream = Stream(lossless=lossless)
        self.status = Status()
        self.ready = False
        self._greeting: Greeting | Regain | None = None
        self._config = config
        self._dialect = by_name(config.dialect)
        self._greeted_at = 0.0
        self._started_at = float("-inf")
        self._reports = False
        self._reports_at = 0.0
        self._next_poll: float | None = None
        self._identified: Identified | None = None
        self._told: Identified | None = None
        self._asked_again = False
        self._telling = False  # M115's answer has begun behind its time
        #: a print from the card is to be followed by asking
        self.watch_card = False
        self._next_card_poll = 0.0
        self._speak(self._dialect or self.stream.dialect)

    @property
    def greeting_outcome(self) -> Outcome | None:
        """How the greeting stands, None once it is over and answered."""
        return self._greeting.outcome if self._greeting else None

    def greet(
        self,
        now: float,
        *,
        boots: bool,
        trying: bool = False,
        closes: bool = False,
        first: bytes = b"",
    ) -> None:
        """Begin to say hello; lines are numbered from 1 once it is answered. See `Greeting`."""
        self._greeting = Greeting(now, boots=boots, trying=trying, closes=closes, first=first)
        self._reports = False
        self._next_poll = None

    def regain(self, asking: Regain, known: Identified) -> None:
        """Ask which line the firmware has taken, instead of beginning anew; it was *known*."""
        self._greeting = asking
        self.status.fields = {"FIRMWARE_NAME": known.name, "UUID": known.uuid or ""}
        self.status.capabilities = dict(known.capabilities)
        if self._dialect is None:
            self._speak(by_firmware(known.name))

    def regained(self, now: float) -> None:
        """The stream goes on behind the line that was taken last."""
        self._greeting = None
        self._greeted_at = now
        self.ready = True
        if self.stream.dialect.keepalive:
            self.stream.order([b"M113"])
        self._report(now)

    def break_waits(self) -> None:
        """Whoever is asked for its count shall not wait for a heater or a person any more."""
        if isinstance(self._greeting, Regain):
            self._greeting.break_waits()

    def bypass(self, text: bytes) -> None:
        """Say *text* past every queue, also to a firmware that waits and is asked for its count.

        Raises `LocalProtocolError` when it has heard enough of such words.
        """
        asking = self._greeting
        if isinstance(asking, Regain) and asking.outcome is Outcome.WAITING:
            asking.say(text)
        else:
            self.stream.bypass(text + b"\n", answered=True)
        self.status.answered(text)

    def is_new_boot(self, now: float, *, at_work: bool) -> bool:
        """Note a `start`; False for one that belongs to the boot before it.

        A board may say it twice, or late; then no more than our first questions have been answered.
        *at_work*: lines of a job were sent, which must not be said to it again in any case.
        """
        recent = now - max(self._started_at, self._greeted_at) <= SAME_BOOT_S
        same = recent and self.stream.acked <= SAME_BOOT_LINES and not at_work
        self._started_at = now
        return not same and self._greeting is None

    def receive(self, data: bytes, now: float) -> list[Reply]:
        """Bytes in; replies that the stream and the greeting have seen already."""
        replies: list[Reply] = []
        for line in self.reader.feed(data):
            for reply in parse(line):
                self._dispatch(reply, now)
                replies.append(reply)
        return replies

    def plain(self, data: bytes, now: float) -> bool:
        """The fast path: *data* is nothing but `ok` lines for lines in flight. False: it is not."""
        return self._greeting is None and self.reader.clear and self.stream.plain(data, now)

    def take(self, now: float) -> bytes:
        """What to write now: a hello while it greets, else what the stream has."""
        if self._greeting is not None:
            return self._greeting.tick(now)
        return self.stream.take(now)

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        if self._greeting is not None:
            return self._greeting.deadline()
        if self.stream.orders.saving:
            return self.stream.deadline()
        due = [moment for moment in (self.stream.deadline(), self._next_poll) if moment is not None]
        if not self.ready:
            due.append(self._greeted_at + IDENTIFY_S)
        elif self._reports and not self.stream.out.blocked(self.stream.acked):
            due.append(self._heard_at() + REPORTS_DEAD_S)
        if self.watch_card:
            due.append(self._next_card_poll)
        return min(due, default=None)

    def tick(self, now: float, *, quiet: bool) -> None:
        """Act on what is due. *quiet*: a print runs, poll only where nothing blocks."""
        if self._greeting is not None:
            return
        self.stream.tick(now)
        if self.stream.orders.saving:
            return  # every question would be a line of the file
        if not self.ready and now >= self._greeted_at + IDENTIFY_S:
            self._be_ready(now)
        blocked = self.stream.out.blocked(self.stream.acked)
        if self._reports and not blocked and now >= self._heard_at() + REPORTS_DEAD_S:
            self._reports, self._next_poll = False, now
        if self._next_poll is not None and now >= self._next_poll:
            self._next_poll = None
            if quiet and blocked:
                self._schedule_poll(now)
            else:
                self.stream.order([b"M105"], _POLL)
        if self.watch_card and now >= self._next_card_poll:
            self._next_card_poll = now + CARD_POLL_S
            self.stream.order([b"M27"])

    def saved(self, now: float) -> None:
        """The file on the card is closed: what waited for that goes on."""
        self.stream.orders.saved()
        self._reports_at = now

    def events(self, now: float) -> list[OrderDone | StreamLost]:
        """The stream's events that are not our own business."""
        rest: list[OrderDone | StreamLost] = []
        for event in self.stream.events():
            token = event.token if isinstance(event, OrderDone) else None
            if token == _IDENTIFY:
                self._identify(now)
            elif token == _CARD:
                self._be_ready(now)
            elif token == _POLL:
                self._schedule_poll(now)
            elif token != _REPORTS:
                rest.append(event)
        return rest

    def take_identity(self) -> Identified | None:
        """What M115 said: once, and again where it says something else."""
        identity, self._identified = self._identified, None
        if identity == self._told:
            return None
        self._told = identity or self._told
        return identity

    # Private.

    def _dispatch(self, reply: Reply, now: float) -> None:
        if self._greeting is not None:
            self._hear_greeted(self._greeting, reply, now)
            return
        self.status.fold(reply, now)
        self._follow_identity(reply)
        match reply:
            case FirmwareInfo() if self._dialect is None:
                self._speak(by_firmware(self.status.firmware or ""))
            case Capability(name="SERIAL_XON_XOFF", enabled=enabled):
                self.reader.flow_control = enabled
            case Capability(name="AUTOREPORT_TEMP", enabled=True) if self.ready:
                self._report(now)
            case _:
                tell_stream(self.stream, reply, now)

    def _hear_greeted(self, greeting: Greeting | Regain, reply: Reply, now: float) -> None:
        greeting.receive(reply, now, garbage=self.reader.garbage)
        if isinstance(greeting, Regain):  # until `regained`
            if isinstance(reply, Temperatures):
                self.status.fold(reply, now)
        elif greeting.outcome is Outcome.ANSWERED:
            self._answered(now)
        elif isinstance(reply, Text | Start):
            self._hear_banner(reply.text if isinstance(reply, Text) else reply.banner)

    def _hear_banner(self, line: str) -> None:
        if self._dialect is None and (dialect := by_banner(line)) is not None:
            self._speak(dialect)

    def _speak(self, dialect: Dialect) -> None:
        """Use *dialect*, with what the configuration knows better."""
        config = self._config
        if config.window_lines:
            dialect = replace(dialect, window=config.window_lines)
        if config.rx_bytes:
            dialect = replace(dialect, rx_bytes=config.rx_bytes)
        self.stream.configure(dialect, fixed=config.window_lines > 0)

    def _answered(self, now: float) -> None:
        self._greeting = None
        self._greeted_at = now
        self.stream.reset(now)
        self.stream.order([b"M115"], _IDENTIFY)

    def _identify(self, now: float) -> None:
        """M115 is answered: what is on the card must be known before anything is switched off.

        An `ok` without answer may be that of an earlier hello, or the answer comes behind it, or
        noise took it: so it is asked for once more.
        """
        if self.ready:
            self._report(now)
        elif not self.status.fields and not self._asked_again:
            self._asked_again = True
            self.stream.order([b"M115"], _IDENTIFY)
        elif self.can("SDCARD"):
            self.stream.order([b"M27", b"M105"], _CARD)  # some answer behind the `ok`
        else:
            self._be_ready(now)

    def _be_ready(self, now: float) -> None:
        if self.ready:
            return
        self.ready = True
        self._note_identity()
        if self.stream.dialect.keepalive:
            self.stream.order([b"M113"])
        self._report(now)

    def _follow_identity(self, reply: Reply) -> None:
        """An answer to M115 that comes late is told with its last line."""
        if self.ready and isinstance(reply, FirmwareInfo):
            self._telling = True
        elif self._telling and isinstance(reply, Ack):
            self._telling = False
            self._note_identity()

    def _note_identity(self) -> None:
        fields = self.status.fields
        if fields:
            self._identified = Identified(
                name=self.status.firmware or "",
                uuid=fields.get("UUID") or None,
                machine=fields.get("MACHINE_TYPE") or None,
                capabilities=dict(self.status.capabilities),
                fields={name[:MAX_FIELD]: fields[name] for name in [*fields][:_FIELDS]},
            )

    def _report(self, now: float) -> None:
        able = self.can("AUTOREPORT_TEMP")
        if able and not self._reports:
            self._reports = True
            self._next_poll = None
            self._reports_at = now
            lines = [b"M155 S%d" % REPORT_S, *([b"M154 S5"] if self.can("AUTOREPORT_POS") else [])]
            self.stream.order(lines, _REPORTS)
        elif not able and self._next_poll is None:
            self._next_poll = now

    def _heard_at(self) -> float:
        heard_at = self.status.heard_at
        return self._reports_at if heard_at is None else max(heard_at, self._reports_at)

    @property
    def report_every_s(self) -> float:
        """How often a temperature is to be heard now."""
        if self._reports:
            return REPORT_S
        return POLL_HEATING_S if self.status.heating else POLL_IDLE_S

    def card_heard(self, now: float) -> None:
        """The firmware has told how far its print from the card is: ask when it falls silent."""
        told = self.can("AUTOREPORT_SD_STATUS")
        self._next_card_poll = now + (2 * CARD_POLL_S if told else CARD_POLL_S)

    def card_chosen(self, now: float) -> None:
        """A file on the card was chosen, by us or at the panel: see whether it is printed."""
        self.watch_card = True
        self._next_card_poll = now + CARD_POLL_S

    def can(self, capability: str) -> bool:
        """Whether the firmware has said, or is known, to have *capability*."""
        told = self.status.capabilities.get(capability)
        return capability in self.stream.dialect.assumed if told is None else told

    def _schedule_poll(self, now: float) -> None:
        self._next_poll = now + (POLL_HEATING_S if self.status.heating else POLL_IDLE_S)


def tell_stream(stream: Stream, reply: Reply, now: float) -> None:
    """Hand *stream* what concerns it."""
    match reply:
        case Ack():
            stream.on_ack(reply, now)
        case Resend(number):
            stream.on_resend(number, now)
        case Failure(severity=Severity.RESEND, text=text):
            stream.on_refusal(last_line(text))
        case Failure(kind=Kind.UNKNOWN_COMMAND, text=text):
            stream.on_unknown(unknown_word(text))
        case Failure() | Start():
            stream.out.note_answering(stream.acked)
        case Skipped():
            stream.on_skip()
        case _:
            _tell_patience(stream, reply, now)


def _tell_patience(stream: Stream, reply: Reply, now: float) -> None:
    match reply:
        case Busy(human):
            stream.patience.alive(now, human=human)
        case Keepalive(every_s):
            stream.patience.keepalive(every_s)
        case Wait():
            stream.on_wait(now)
        case Temperatures(settling=True):
            stream.patience.heating(now)
        case Overrun():
            stream.on_overrun()
        case _:
            pass
