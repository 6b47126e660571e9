"""How long nobody may answer before something is done about it (serial 3, lost `ok`)."""

from bridge.gcode.dialects import Dialect

#: Silence before the first probe where a probe decides nothing; then the dialect's patience.
FIRST_SILENCE_S = 8.0
#: The same behind a replay of lines that the firmware may have and would drop without a word.
REPEAT_SILENCE_S = 3.0
#: The same on a cable that has damaged lines: an `ok` may well be lost, and a probe costs little.
WARY_SILENCE_S = 1.0
#: Silence after which a firmware that says `busy` is probed.
BUSY_SILENCE_S = 3.0
#: Silence of a firmware that waits for a person: the answer that it has gone on may have been lost.
#: Then the dialect's patience with a long command, for one that says only once that it waits.
HUMAN_SILENCE_S = 60.0
#: Then it has all the time there is: what is not read piles up in a receive ring of 127 bytes, and
#: the rest of a probe that found no room there would be a command (`M1`).
MAX_HUMAN_PROBES = 3
#: `wait` counts only if nothing has been sent for so long.
WAIT_AFTER_S = 1.0
#: Probes without any answer before the firmware counts as gone.
MAX_SILENCES = 5


class Patience:
    """Since when nobody has answered. *human*: it waits for a person and is never given up."""

    __slots__ = ("busy_known", "human", "human_at", "quiet_since", "silences")

    def __init__(self) -> None:
        #: the firmware says `busy` while a long command runs
        self.busy_known = False
        #: when it has said last that it waits for a person
        self.human_at = float("-inf")
        self.restart(0.0)

    def restart(self, now: float) -> None:
        """A new conversation; what is known of the firmware stays known."""
        self.silences = 0
        self.human = False
        self.quiet_since = now

    def alive(self, now: float, *, human: bool) -> None:
        """A `busy`: not finished, and there."""
        self.busy_known = True
        self.quiet_since = now
        self.silences = 0
        self.human = human
        if human:
            self.human_at = now

    def awaits_person(self, now: float, *, in_flight: bool) -> bool:
        """Whether a person is due; where nothing of ours waits for him it must have said so lately,
        because no answer will end it.
        """
        return self.human and (in_flight or now < self.human_at + HUMAN_SILENCE_S)

    def keepalive(self, every_s: float) -> None:
        """The firmware has said how often it will say `busy`; 0 for never."""
        self.busy_known = every_s > 0.0

    def heating(self, now: float) -> None:
        """A temperature line while a command waits for a heater."""
        self.quiet_since = now

    def span_s(self, dialect: Dialect, *, long: bool, repeating: bool, wary: bool) -> float:
        """How long to wait now; longer after every probe, for a printer that is only stopped.

        *long*: a command that may take minutes is in flight. *repeating*: lines are sent again.
        *wary*: the cable has damaged lines.
        """
        if self.human:
            return dialect.long_silence_s if self.silences else HUMAN_SILENCE_S
        if wary and not long and not self.silences and dialect.asks_again:
            return WARY_SILENCE_S
        span_s = dialect.silence_s
        if self.busy_known:
            span_s = BUSY_SILENCE_S
        elif long:
            span_s = dialect.long_silence_s
        elif dialect.asks_again and not self.silences:
            soon_s = REPEAT_SILENCE_S if repeating and dialect.silent_repeats else FIRST_SILENCE_S
            span_s = min(span_s, soon_s)
        return span_s * (1 + self.silences)

    def minds(self, dialect: Dialect) -> bool:
        """Whether silence is looked into; a probe with a number would hide that a person is due."""
        return not self.human or (dialect.bare_lines and self.silences < MAX_HUMAN_PROBES)

    @property
    def over(self) -> bool:
        """Whether the firmware counts as gone."""
        return self.silences > MAX_SILENCES and not self.human
