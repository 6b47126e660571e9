"""Lines in flight: the window, acknowledgements, resends, lost answers (serial 3 and 4).

Theory of operation.

1. The firmware's line numbers make numbered lines exactly-once: a repeat is refused or dropped, a
   gap is asked for. So every doubt is resolved by sending the next numbered line, never by guessing
   whether a move was executed, and a wrong credit costs a Resend, never a move.
2. A Resend voids everything in flight behind it. The window falls to one line, lines of ours that
   still arrive cause further Resends of the same line (leftovers), and those are ignored as often
   as lines were in flight. The window grows again with good answers.
3. Silence is probed with an unnumbered `M105`, which every firmware answers in its turn: when its
   answer comes, all before it has been taken or was never received. A harmless numbered line then
   finds out which. Autoreports and other chatter never count as an answer.
"""

from collections import deque

from bridge.gcode import happenings
from bridge.gcode.dialects import MARLIN, Dialect
from bridge.gcode.happenings import OrderDone, StreamLost
from bridge.gcode.lines import NUMBERING_BYTES, impossible_line, is_alone
from bridge.gcode.orders import Orders
from bridge.gcode.outgoing import MAX_REWIND, Outgoing
from bridge.gcode.patience import WAIT_AFTER_S, Patience
from bridge.gcode.replay import MAX_SAME_RESEND, Replay, agreed, counts_anew
from bridge.gcode.replies import Ack
from bridge.gcode.strays import Strays
from bridge.gcode.window import MAX_WINDOW, Window

_PLAIN_OKS = {b"ok\n" * count: count for count in range(1, MAX_WINDOW + 1)}


class Stream:
    """One conversation with one firmware. Drive it from `receive`-like calls, then `take`."""

    def __init__(self, *, lossless: bool) -> None:
        """*lossless*: the link has flow control (pty, native USB), so bytes are never lost."""
        self.out = Outgoing()
        self.acked = self.resends = 0
        self.held = False
        self._lossless = lossless
        self.orders = Orders()
        self._orders, self._tokens = self.orders.waiting, self.orders.tokens
        self._events: list[OrderDone | StreamLost] = []
        self._urgent = bytearray()
        #: told what the firmware says of its own pace
        self.patience = Patience()
        self.strays = Strays()
        self._replay = Replay(self.strays)
        self._window = Window()
        self.configure(MARLIN)
        self.reset(0.0)

    def configure(self, dialect: Dialect, *, fixed: bool = False) -> None:
        """Speak as *dialect* from now on. *fixed*: a person chose the window, it never widens."""
        self.dialect = dialect
        self._fixed = fixed
        spare = dialect.spare if self._lossless and not fixed else 0
        self._window.bound(dialect.window + spare)

    def reset(self, now: float) -> None:
        """The firmware has begun again: numbers start at 1, nothing is in flight."""
        self.out.reset()
        self.acked = 0
        self._window.restart()
        self._free: int | None = None
        self._extras, self._probes = deque[int](), deque[int]()
        self._unconfirmed, self._repeated = 0, False
        #: the line that an error line has asked for before its Resend came; 0: it did not say
        self._refused: int | None = None
        self._replay.restart()
        self.patience.restart(now)

    # Public: what to send.

    def feed(self, texts: list[bytes], *, alone: bool) -> None:
        """Queue job lines; see `Outgoing.feed`."""
        self.out.feed(self.dialect.spelled(texts), alone=alone)

    def order(self, texts: list[bytes], token: str | None = None) -> None:
        """Send *texts*, numbered and in order, before the job lines that are not sent yet.

        `OrderDone` with *token* comes when the last is acknowledged.
        """
        self.orders.add(self.dialect.spelled(texts), token)

    def save(self, texts: list[bytes], token: str) -> None:
        """Like `order`, for M28 and M29: from here on only these and the job's lines go."""
        self.orders.saving = True
        self.orders.add(texts, token, saves=True)

    def bypass(self, line: bytes, *, answered: bool) -> None:
        """Send *line* now, unnumbered, past every queue. *answered*: an `ok` comes for it."""
        self._urgent += line
        if answered:
            self._extras.append(self.sent)

    def hold(self) -> None:
        """Send no further job lines until `release`; replays and orders go on."""
        self.out.unnumber()
        self.held = True

    def release(self) -> None:
        """Go on with the next job line."""
        self.held = self.out.settled = False

    def abandon(self) -> list[str]:
        """Forget job lines and orders that were not sent; the tokens that will never be done."""
        self.out.drop_queue()
        return self.orders.drop()

    # Public: state.

    @property
    def sent(self) -> int:
        """The highest number that is sent and not voided by a Resend."""
        return self.out.next - 1

    @property
    def in_flight(self) -> int:
        """Lines sent and not acknowledged."""
        return self.out.next - 1 - self.acked

    @property
    def idle(self) -> bool:
        """Whether every line ever given is acknowledged beyond doubt."""
        return (
            self.out.empty
            and not self._orders
            and not self._unconfirmed
            and self.acked == self.out.top
            and not self._replay.holds
        )

    def events(self) -> list[OrderDone | StreamLost]:
        """What has happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """When `tick` is due at the latest, on the clock of *now*; None: never."""
        due = [one for one in self._replay.deadlines() if one is not None]
        if self._waits and self.patience.minds(self.dialect):
            due.append(self._probe_at())
        return min(due, default=None)

    # Public: bytes out.

    def take(self, now: float) -> bytes:
        """What to write now. Every byte that is returned counts as sent."""
        room = self._room()
        if room <= 0 and not self._urgent:
            return b""
        parts: list[bytes] = []
        if self._urgent:
            parts.append(bytes(self._urgent))
            self._urgent.clear()
        if self.acked == self.out.next - 1:
            self.patience.quiet_since = now
        while room > 0 and not self.out.blocked(self.acked):
            limit = room if self._lossless else self._fitting(room)
            if not limit or not self._next_is_ready():
                break
            lines = self.out.take(limit, self.acked, job=not (self.held or self._orders))
            if not lines:
                break
            parts += lines
            room -= len(lines)
        return b"".join(parts)

    # Public: what the firmware said.

    def plain(self, data: bytes, now: float) -> bool:
        """The fast path: *data* is nothing but `ok` lines for lines in flight. False: it is not."""
        count = _PLAIN_OKS.get(data)
        if count is None or self._extras or self._probes or self._unconfirmed or self._tokens:
            return False
        if self._replay.pending or self._refused is not None:
            return False
        self._credit(count, now)
        return True

    def on_ack(self, ack: Ack, now: float) -> None:
        """One `ok` line."""
        if self._refused is not None:  # the Resend between the error and this was lost
            self.on_resend(self._refused, now)
        self.strays.heard(self.acked, waiting=self._replay.holds)
        if self._probes and ack.temperatures:
            return self._resolve(self._probes.popleft(), now)
        if self._replay.takes_ok(now, ack.number):
            self.patience.quiet_since = now
            return
        if self._extras and self._extras[0] <= self.acked:
            self._extras.popleft()
            return
        self._free = ack.free
        if ack.free is not None and self._lossless and not self._fixed:
            self._window.bound(max(self._window.limit, ack.free))
        count = ack.count
        if ack.number is not None and self.acked - MAX_REWIND < ack.number <= self.sent:
            count = ack.number - self.acked
        if count > 0:
            self._credit(count, now)

    def on_resend(self, number: int, now: float) -> None:
        """The firmware asks for line *number* and everything behind it."""
        self.resends += 1
        told, self._refused = self._refused, None
        number = agreed(told, number, self.out.top)
        replay, resend_ok = self._replay, self.dialect.resend_ok
        if replay.is_leftover(number, self.acked, now, self.dialect):
            return
        self._window.shrink()
        self._free = None
        if number == self.sent + 1:  # it has all we sent: an answer to a repeat, or to noise
            replay.swallow(now, resend_ok=resend_ok)
            if self._repeated or self.orders.saving:  # else their own answers may still come
                self._credit(self.in_flight, now)
            return
        if told == 1 and counts_anew(number, self.acked, self.out.ordinal_of(self.acked)):
            return self._lose(happenings.RESTARTED)
        if not replay.asked(number):
            return self._lose(happenings.stuck(MAX_SAME_RESEND, number))
        if not self.out.oldest(self.acked) <= number <= self.out.top + 1:
            replay.swallow(now, resend_ok=True)
            self.patience.human = False
            self._probe(now)
            return
        others = len(self._extras) + len(self._probes)
        sure = told == number and not self._unconfirmed
        self.strays.resent(number, self.acked, others=others, sure=sure)
        self._extras.clear()
        self._probes.clear()
        replay.begin(
            max(0, self.sent - number),
            now,
            before=number - 1 - self.acked,
            doubles=self.dialect.doubles_resend,
            size_bytes=self.out.size_of(number, self.sent),
            cuts=not self._lossless,
        )
        self.out.rewind(number, self.acked, replay.times)
        self.acked, self._repeated = number - 1, False
        self.patience.quiet_since = now

    def on_refusal(self, last: int | None) -> None:
        """An error line about numbers or checksums; *last* is the last good line, if it says so.

        The `ok` that follows is that of a Resend and never one for a line.
        """
        if self.in_flight and self.dialect.asks_again:
            self._refused = 0 if last is None else last + 1

    def on_unknown(self, word: bytes | None) -> None:
        """*word* begins no command. If the last line does not, that has lost its head."""
        self.strays.unknown()
        last = self.in_flight == 1 and self.out.empty and not self._orders
        if last and word not in (None, self.out.word_of(self.sent)) and self.dialect.asks_again:
            self._unconfirmed = self.sent + 1
            self._orders.append((b"M105", None, False))

    def on_skip(self) -> None:
        """A line was left out behind a Resend (Repetier): its `ok` is none for any line."""
        self.strays.unknown()
        self._replay.skip()

    def on_overrun(self) -> None:
        """The firmware lost bytes of ours; a Resend may follow."""
        self._window.shrink()

    def on_wait(self, now: float) -> None:
        """The firmware is idle: what is in flight is done or was never received."""
        if self._waits and now - self.patience.quiet_since >= WAIT_AFTER_S:
            self._resolve(self.sent, now)

    def tick(self, now: float) -> None:
        """Act on what is due. Cheap when nothing is."""
        if self._replay.rested(now, counts=self.dialect.tells_count):
            self._urgent += impossible_line(self.out.top)
        if self._replay.overdue(now) and self.in_flight:
            self._replay.leftovers = 0  # it was damaged too, and its Resend taken for one
            self.out.rewind(self.acked + 1, self.acked)
            self._repeated = True
        patience = self.patience
        if self._waits and patience.minds(self.dialect) and now >= self._probe_at():
            patience.silences += 1
            if patience.over:
                return self._lose(happenings.NO_ANSWER)
            self._probe(now)

    # Private: sending.

    @property
    def _waits(self) -> bool:
        """Whether an answer is due."""
        return self.in_flight > 0 or bool(self._probes) or self._replay.owed > 0

    def _room(self) -> int:
        if self._replay.holds:
            return 0
        window = self._window.size
        if self._free is not None and self._free < window:
            window = max(self._free, 1 if self.acked == self.out.next - 1 else 0)
        return window - (self.out.next - 1 - self.acked)

    def _next_is_ready(self) -> bool:
        """Whether `Outgoing.take` may go on; an order is put into the sequence where it fits.

        It is put there only when it can leave at once: what waits in the sequence could be taken
        back by what comes behind it.
        """
        if not self._orders or self.out.replaying:
            return True
        text, token, own = self._orders[0]
        alone = is_alone(text)
        if alone and self.in_flight:
            return False
        self._orders.popleft()
        number = self.out.insert(text, alone=alone, own=own)
        if token is not None:
            self._tokens.append((number, token))
        return True

    def _fitting(self, room: int) -> int:
        """1 when the next line fits into a UART's receive ring beside what is in it, else 0."""
        if self.in_flight == 0:
            return 1
        flying = self.out.size_of(self.acked + 1, self.sent)
        size = self.out.peek_bytes() or self.dialect.rx_bytes // 2
        if self._orders and not self.out.replaying:
            size = len(self._orders[0][0]) + NUMBERING_BYTES
        return min(room, 1) if flying + size <= self.dialect.rx_bytes else 0

    def _probe_at(self) -> float:
        behind = self.acked - self.dialect.reads_ahead
        long = not self.orders.saving and self.out.waits_long(behind)
        return self.patience.quiet_since + self.patience.span_s(
            self.dialect, long=long, repeating=self._repeated, wary=self._window.wary
        )

    # Private: answers.

    def _credit(self, count: int, now: float) -> None:
        self.acked = acked = min(self.acked + count, self.out.next - 1)
        patience = self.patience
        patience.quiet_since = now
        patience.silences = 0
        patience.human = False
        if self._replay.leftovers:
            self._replay.settled(acked)
        if self._unconfirmed and acked >= self._unconfirmed:
            self._unconfirmed = 0
        if not self._window.settled:
            self._window.grow(count)
        self.out.forget(acked)
        while self._tokens and self._tokens[0][0] <= acked and not self._unconfirmed:
            self._events.append(OrderDone(self._tokens.popleft()[1]))

    def _probe(self, now: float) -> None:
        """Ask for a sign of life, behind what ends a half line where noise may have left one."""
        self.patience.quiet_since = now
        if self.orders.saving:
            self._replay.owed = 0  # no M105 tells: the next line does
            self._urgent += b"\n" + impossible_line(self.out.top)
            return
        if not self.dialect.bare_lines:
            return self._prove(self.sent, now)
        # `M1`, a part of this, would wait for a person. No host dies within these bytes: with no
        # more than a window in flight the kernel takes them at once.
        self._probes.append(self.sent)
        self._urgent += b"M105\n" if self._lossless else b"\nM105\n"

    def _resolve(self, number: int, now: float) -> None:
        """Up to *number* all was taken or never received: the next numbered line finds out."""
        self.patience.silences = self._replay.owed = 0
        if number <= self.acked:
            return
        self._extras.clear()
        self._window.shrink()
        if not self.dialect.asks_again:
            return self._lose(happenings.answer_lost(self.dialect.name, self.acked + 1))
        self._prove(number, now)

    def _prove(self, number: int, now: float) -> None:
        """Take lines up to *number* as done, until the next numbered line tells otherwise."""
        if self.orders.saving:
            return self._probe(now)
        silences, self._replay.owed = self.patience.silences, 0
        self._unconfirmed = number + 1
        self._credit(number - self.acked, now)
        self.patience.silences = silences
        if self.sent == number and not self.out.replaying:
            ask_about_busy = self.dialect.keepalive and not self.patience.busy_known
            self._orders.appendleft((b"M113" if ask_about_busy else b"M105", None, False))

    def _lose(self, lost: StreamLost) -> None:
        self._events.append(lost)
        self._probes.clear()
        self.patience.quiet_since = float("inf")
