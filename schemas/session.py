"""The link session: one connection's rules for both sides, without I/O and without a clock.

Theory of operation. A session greets (hello -> welcome), is open, and ends. The table `SAYS` names
what each side may say in which state; anything else is answered with `nak` and changes nothing.
After the welcome every frame carries the link epoch, and a frame of another epoch is dropped
silently: it comes from a socket that was already replaced. Outgoing frames wait in lanes and leave
highest lane first; the live lane holds one frame (the newest), so a slow line loses pictures and
never facts, and the terminal's lane is the lowest. Time is passed in as *now*, seconds on a
monotonic clock.

Calling order: `receive()` as often as text arrives, `tick()` when `deadline()` has passed, and
after either of them send what `data_to_send()` gives and look at `closed`.
"""

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, StrEnum

from schemas.codec import BadFrame, UnknownType, decode, encode
from schemas.facts import FactBatch
from schemas.link import (
    Beat,
    Body,
    Cmd,
    CmdGot,
    Desired,
    FactAck,
    Frame,
    Goaway,
    Hello,
    LiveSnap,
    Nak,
    Refuse,
    RemoteStop,
    Reported,
    Sender,
    Token,
    Welcome,
)
from schemas.watching import Interest, TerminalGot, TerminalLines

GREETING_S = 10.0  # a peer that says nothing within this time is gone
BEAT_S = 15.0
DEAD_S = 40.0
PROMPT_S = 60.0  # of so long the promptest frame is what others are late against: clocks drift
PUNCTUAL_S = 2.0  # who notices a silence later than this was asleep himself and knows nothing of it


class LinkState(StrEnum):
    """Where a connection is."""

    GREETING = "greeting"
    OPEN = "open"
    CLOSED = "closed"


class Lane(IntEnum):
    """Outgoing order: a frame waits only for higher lanes."""

    STOP = 0
    CONTROL = 1
    FACTS = 2
    LIVE = 3
    TERMINAL = 4


#: (who speaks, state) -> what may be said
SAYS: dict[tuple[Sender, LinkState], tuple[type[Body], ...]] = {
    (Sender.AGENT, LinkState.GREETING): (Hello,),
    (Sender.API, LinkState.GREETING): (Welcome, Refuse),
    (Sender.AGENT, LinkState.OPEN): (
        *(CmdGot, FactBatch, LiveSnap, TerminalLines),
        *(Beat, Reported, Nak),
    ),
    (Sender.API, LinkState.OPEN): (
        *(Cmd, RemoteStop, Desired, FactAck),
        *(Interest, TerminalGot, Beat, Goaway, Token, Nak),
    ),
}

LANE_OF: dict[type[Body], Lane] = {
    RemoteStop: Lane.STOP,
    FactBatch: Lane.FACTS,
    LiveSnap: Lane.LIVE,
    TerminalLines: Lane.TERMINAL,
}


class WrongSession(ValueError):
    """Our own side tried to say what the table does not allow now."""


class LinkSession:
    """One connection as *side* sees it."""

    def __init__(
        self, side: Sender, now: float, *, state: LinkState = LinkState.GREETING, epoch: int = 0
    ) -> None:
        self.side = side
        self.peer = Sender.API if side is Sender.AGENT else Sender.AGENT
        self.state = state
        self.epoch = epoch
        self.closed: str | None = None  # why, once it is over
        self.silent_since: float | None = None  # its last word, when it is over for want of another
        #: what the peer sent and must not, by code: counted, never acted on
        self.refused: Counter[str] = Counter()
        #: how long the newest frame was under way beyond the promptest ones of this link
        self.late_ms = 0
        self._lateness = Lateness()
        self._beat_s = BEAT_S
        self._dead_s = DEAD_S
        self._heard_at = now
        self._is_listening = True
        self._next_beat = now + self._beat_s
        self._peer_beat_ms: int | None = None
        self._lanes: dict[Lane, deque[str]] = {lane: deque() for lane in Lane}
        self._printing = 0
        self._outbox = 0

    # What comes in.

    def receive(self, text: str | bytes, now: float) -> Body | None:
        """The body for the caller to act on; None when the session dealt with it itself."""
        self._heard_at = now
        try:
            frame = decode(text)
        except UnknownType as error:
            self._nak("unsupported", str(error), error.name, now)
            return None
        except BadFrame as error:
            self._nak("bad_frame", str(error), "", now)
            return None
        self.late_ms = self._lateness.of(frame.mono_ms, int(now * 1000))
        return self._accept(frame, now)

    def _accept(self, frame: Frame, now: float) -> Body | None:
        body = frame.body
        if not isinstance(body, SAYS.get((self.peer, self.state), ())):
            self._nak("out_of_place", f"not expected in state {self.state}", "", now)
            return None
        if self.state is LinkState.OPEN and frame.epoch != self.epoch:
            self.refused["old_epoch"] += 1
            return None
        if isinstance(body, Beat):
            self._peer_beat_ms = body.sent_ms
        elif isinstance(body, Welcome):
            self._open(body, now)
        elif isinstance(body, Refuse):
            self.close(f"refused: {body.reason}")
        return body

    # What goes out.

    def say(self, body: Body, now: float) -> None:
        """Queue *body*. Raises `WrongSession` for what this side may not say now."""
        if not isinstance(body, SAYS.get((self.side, self.state), ())):
            raise WrongSession(f"{type(body).__name__} is not for {self.side} in {self.state}")
        if isinstance(body, Welcome):
            self.epoch = body.epoch
        lane = LANE_OF.get(type(body), Lane.CONTROL)
        if lane is Lane.LIVE:
            self._lanes[lane].clear()
        self._lanes[lane].append(self._encode(body, now))
        if isinstance(body, Welcome):
            self._open(body, now)

    def load(self, *, printing: int, outbox: int) -> None:
        """What the next beat says of this side."""
        self._printing, self._outbox = printing, outbox

    def data_to_send(self) -> str | None:
        """The next frame to write, highest lane first; None when nothing waits."""
        for queue in self._lanes.values():
            if queue:
                return queue.popleft()
        return None

    def waiting(self) -> int:
        """How many frames wait to be written."""
        return sum(len(queue) for queue in self._lanes.values())

    # Time.

    def deadline(self) -> float:
        """When `tick()` wants to be called next."""
        if self.state is LinkState.GREETING:
            return self._heard_at + GREETING_S
        if not self._is_listening:
            return self._next_beat
        return min(self._next_beat, self._heard_at + self._dead_s)

    @contextmanager
    def not_listening(self) -> Iterator[None]:
        """While this lasts our side takes no frames, so the peer's silence says nothing of it."""
        self._is_listening = False
        try:
            yield
        finally:
            self._is_listening = True

    def tick(self, now: float) -> None:
        """Send a beat that is due; close when the peer has been silent for too long."""
        if self.state is LinkState.CLOSED:
            return
        limit = GREETING_S if self.state is LinkState.GREETING else self._dead_s
        is_judged = self._is_listening or self.state is LinkState.GREETING
        dead_at = self._heard_at + limit  # the very sum of `deadline()`: no rounding between
        if is_judged and now >= dead_at:
            self.close(f"nothing heard for {limit:.0f} s")
            self.silent_since = self._heard_at if now < dead_at + PUNCTUAL_S else None
        elif self.state is LinkState.OPEN and now >= self._next_beat:
            self._next_beat = now + self._beat_s
            beat = Beat(
                sent_ms=int(now * 1000),
                echo_ms=self._peer_beat_ms,
                printing=self._printing,
                outbox=self._outbox,
            )
            self.say(beat, now)

    def close(self, reason: str) -> None:
        """End the session; the first reason stays."""
        self.state = LinkState.CLOSED
        self.closed = self.closed or reason

    def _open(self, welcome: Welcome, now: float) -> None:
        self.state = LinkState.OPEN
        self.epoch = welcome.epoch
        self._beat_s, self._dead_s = welcome.beat_s, welcome.dead_s
        self._next_beat = now + self._beat_s

    def _nak(self, code: str, reason: str, type_name: str, now: float) -> None:
        self.refused[code] += 1
        if self.state is LinkState.OPEN:
            self.say(Nak(code=code, reason=reason[:200], type=type_name[:40]), now)
        else:
            self.close(reason)

    def _encode(self, body: Body, now: float) -> str:
        return encode(Frame(body=body, epoch=self.epoch, mono_ms=int(now * 1000)))


class Lateness:
    """How late frames come, by the peer's clock in them and ours, which have no common zero.

    A frame that waited in a dead line or in front of a frozen process is late against the promptest
    frame of the last minute or two; what all of them need is not counted.
    """

    def __init__(self) -> None:
        self._since_ms: int | None = None
        self._promptest: tuple[int | None, int | None] = None, None  # in the last minute, in this

    def of(self, said_ms: int, now_ms: int) -> int:
        """Milliseconds that the frame said at *said_ms* is late; 0 for one without a time."""
        if not said_ms:
            return 0
        behind = now_ms - said_ms
        last, this = self._promptest
        if self._since_ms is None or now_ms - self._since_ms >= PROMPT_S * 1000:
            self._since_ms, last, this = now_ms, this, None
        this = behind if this is None else min(this, behind)
        self._promptest = last, this
        return behind - (this if last is None else min(last, this))
