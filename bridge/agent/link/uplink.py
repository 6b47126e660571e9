"""One connection as the agent sees it, without I/O and without a clock.

What leaves, highest first: what the session has queued (acks, reports, beats), then facts within
the send window, then pictures, then terminal lines. All but the first are *pulled* when the line is
free and never pushed, so a slow line costs pictures and delays facts but fills no queue.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from bridge.agent.live import LiveSlots
from bridge.agent.outbox import SendWindow
from schemas.codec import encoded_size
from schemas.facts import Fact, FactBatch
from schemas.leases import Lease
from schemas.link import Body, Cmd, Desired, FactAck, Hello, LiveSnap, Sender, Welcome
from schemas.session import LinkSession, LinkState
from schemas.watching import Interest, TerminalGot, TerminalLines


class Uplink:
    """The agent's half of a link that has just been opened."""

    def __init__(self, hello: Hello, live: LiveSlots, now: float) -> None:
        self._session = LinkSession(Sender.AGENT, now)
        self._journal_id = hello.resume.journal_id
        self._boot_id = hello.boot_id
        self._first_fact = hello.resume.oldest_fact
        self._live = live
        self._window: SendWindow | None = None
        self._facts_wait = True
        self._desired = DesiredParts()
        self.welcome: Welcome | None = None
        self._session.say(hello, now)

    @property
    def closed(self) -> str | None:
        """Why the session is over; None while it is not."""
        return self._session.closed

    @property
    def epoch(self) -> int:
        """The link epoch; 0 before the welcome."""
        return self._session.epoch

    @property
    def refused(self) -> Mapping[str, int]:
        """How many frames of the API were not taken, by the reason's code."""
        return self._session.refused

    # What comes in.

    def receive(self, text: str | bytes, now: float) -> Body | None:
        """The body for the caller to act on; None when there is nothing to do."""
        body = self._session.receive(text, now)
        if isinstance(body, Welcome):
            self._open(body, now)
        elif isinstance(body, FactAck):
            self._acked(body)
        elif isinstance(body, Interest):
            self._live.interest(body, now)
        elif isinstance(body, TerminalGot):
            self._live.terminal.got(body.number)
        elif isinstance(body, Cmd):
            return aged(body, self._session.late_ms)
        elif isinstance(body, Desired) and body.leases:
            return worn(body, self._session.late_ms)
        return body

    def desired(self, part: Desired) -> Desired | None:
        """The whole configuration once its last part is there; None before."""
        return self._desired.add(part)

    def _open(self, welcome: Welcome, now: float) -> None:
        self.welcome = welcome
        known = welcome.fact_ack.seq if welcome.fact_ack.journal_id == self._journal_id else 0
        self._window = SendWindow(max(known, self._first_fact - 1))
        self._live.greeted(welcome.live_s, now, welcome.idle_s)

    def _acked(self, ack: FactAck) -> None:
        if self._window is not None and ack.journal_id == self._journal_id:
            self._window.on_ack(ack.seq)

    # What goes out.

    def say(self, body: Body, now: float) -> None:
        """Queue *body* if the link stands; before the welcome and after the end it is not due."""
        if self._session.state is LinkState.OPEN:
            self._session.say(body, now)

    def next_frame(self) -> str | None:
        """What the session itself wants to say; before facts and pictures."""
        return self._session.data_to_send()

    def facts_wait(self) -> None:
        """The outbox has grown."""
        self._facts_wait = True

    def facts_after(self) -> int | None:
        """Read the outbox after this number and call `facts()`; None: not now.

        What `facts_wait()` says while the outbox is being read counts for the next time.
        """
        if self._window is None or self._session.state is not LinkState.OPEN:
            return None
        if not self._facts_wait or not self._window.open():
            return None
        self._facts_wait = False
        return self._window.sent

    def facts(self, batch: list[Fact], now: float) -> None:
        """Queue the batch that was read from the outbox; empty: there is nothing new."""
        if not batch or self._window is None or self._session.state is not LinkState.OPEN:
            return
        self._facts_wait = True
        sent_ms = int(now * 1000)
        body = FactBatch(
            journal_id=self._journal_id, facts=batch, sent_ms=sent_ms, boot_id=self._boot_id
        )
        self._session.say(body, now)
        self._window.on_sent(batch[-1].seq, encoded_size(body))

    def picture(self, now: float) -> LiveSnap | None:
        """Queue the pictures that are due; what was queued, None for nothing."""
        if self._session.state is not LinkState.OPEN:
            return None
        snap = self._live.take(now)
        if snap is not None:
            self._session.say(snap, now)
        return snap

    def terminal(self, now: float) -> TerminalLines | None:
        """Queue the terminal lines that are due; what was queued, None for nothing."""
        if self._session.state is not LinkState.OPEN:
            return None
        lines = self._live.terminal.take(now)
        if lines is not None:
            self._session.say(lines, now)
        return lines

    # Time.

    def deadline(self) -> float:
        """When `tick()`, `picture()` and `terminal()` want to be called next."""
        if self._session.state is LinkState.OPEN:
            live = min(self._live.deadline(), self._live.terminal.deadline())
            return min(self._session.deadline(), live)
        return self._session.deadline()

    def tick(self, now: float, outbox: int) -> None:
        """Let time pass; *outbox* is how many facts wait, for the beat."""
        self._session.load(printing=self._live.printing(), outbox=outbox)
        self._session.tick(now)

    def close(self, reason: str) -> None:
        """End the session; the first reason stays."""
        self._session.close(reason)


def aged(command: Cmd, waited_ms: int) -> Cmd:
    """*command* after it has waited somewhere: its life goes on while it does."""
    if command.ttl_left_ms is None or waited_ms <= 0:
        return command
    return replace(command, ttl_left_ms=max(0, command.ttl_left_ms - waited_ms))


def worn(desired: Desired, waited_ms: int) -> Desired:
    """*desired* after it has waited somewhere: its leases have run on meanwhile."""
    late_s = max(0, waited_ms) / 1000
    return replace(desired, leases=[_run_on(lease, late_s) for lease in desired.leases])


def _run_on(lease: Lease, late_s: float) -> Lease:
    opens_s = lease.opens_s
    if opens_s is not None:
        opens_s = [(begin - late_s, end - late_s) for begin, end in opens_s]
    return replace(lease, left_s=max(0.0, lease.left_s - late_s), opens_s=opens_s)


class DesiredParts:
    """Puts a configuration together that came in several frames."""

    def __init__(self) -> None:
        self._version = 0
        self._parts: dict[int, Desired] = {}

    def add(self, part: Desired) -> Desired | None:
        """The whole, as one part, when *part* was the last missing one."""
        if part.version != self._version:
            if part.version < self._version:
                return None  # a straggler of a version that was already replaced
            self._version, self._parts = part.version, {}
        self._parts[part.part] = part
        if len(self._parts) < part.parts:
            return None
        parts = [self._parts[number] for number in sorted(self._parts)]
        self._parts = {}
        return Desired(
            version=part.version,
            printers=[printer for each in parts for printer in each.printers],
            leases=[lease for each in parts for lease in each.leases],
            recalled={grant: printer for each in parts for grant, printer in each.recalled.items()},
        )
