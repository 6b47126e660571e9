"""What a client of the push wants to hear: its `subscribe` message (OctoPrint contract, 8). Pure.

Without one it hears everything. With one, what is not listed is off; of the terminal `state: true`
means the log and no messages. A message that an OctoPrint does not understand is passed over whole.

A regular expression comes from whoever may sign in, so it runs in RE2: in time that grows with the
line and never explodes, and in bounded memory. What RE2 cannot do that way (references back, looks
ahead) is passed over as an expression that is broken.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

#: All lines, none, or those in which an expression is found.
Wish = bool | str
Lines = Sequence[str]

MAX_EXPRESSION = 500
#: Of one expression. OctoPrint's own filters need less; what needs more would take long for a line.
_MEMORY_BYTES = 16 * 1024

#: How a line of the terminal begins that the printer has said.
RECEIVED = "Recv: "


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the client wants. True: all; False: nothing; else the names.

    *logs* and *messages* are the terminal's, and count with *state* alone.
    """

    state: bool = True
    logs: Wish = True
    messages: Wish = True
    events: bool | frozenset[str] = True
    plugins: bool | frozenset[str] = True

    @property
    def terminal(self) -> bool:
        """Whether lines of the terminal are wanted."""
        return self.state and (self.logs is not False or self.messages is not False)

    def wants_event(self, name: str) -> bool:
        """Whether events of this type are wanted."""
        return self.events if isinstance(self.events, bool) else name in self.events

    def wants_plugin(self, name: str) -> bool:
        """Whether messages of this plugin are wanted."""
        return self.plugins if isinstance(self.plugins, bool) else name in self.plugins


class Misunderstood(ValueError):
    """The wish is none."""


def subscription(wanted: Mapping[str, Any]) -> Subscription | None:
    """The client's wish; None for one that cannot be understood."""
    try:
        state = wanted.get("state", False)
        logs, messages = _terminal(state)
        return Subscription(
            state=state is not False,
            logs=logs,
            messages=messages,
            events=_names(wanted.get("events", False)),
            plugins=_names(wanted.get("plugins", False)),
        )
    except Misunderstood:
        return None


def _terminal(state: Any) -> tuple[Wish, Wish]:
    if isinstance(state, bool):
        return state, False
    if not isinstance(state, dict):
        raise Misunderstood
    return _wish(state.get("logs", False)), _wish(state.get("messages", False))


def _wish(value: Any) -> Wish:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise Misunderstood
    _finder(value)
    return value


def _names(value: Any) -> bool | frozenset[str]:
    if isinstance(value, list):
        return frozenset(each for each in value if isinstance(each, str))
    if not isinstance(value, bool):
        raise Misunderstood
    return value


def logs_of(lines: Lines, wish: Wish) -> list[str]:
    """The entries of `logs` that *wish* means."""
    return _chosen(lines, wish)


def messages_of(lines: Lines, wish: Wish) -> list[str]:
    """The entries of `messages`: what the printer has said, as it said it."""
    if wish is False:
        return []
    said = [line.removeprefix(RECEIVED) for line in lines if line.startswith(RECEIVED)]
    return _chosen(said, wish)


def _chosen(lines: Lines, wish: Wish) -> list[str]:
    if isinstance(wish, bool):
        return list(lines) if wish else []
    finds = _finder(wish)
    return [line for line in lines if finds(line)]


@lru_cache(maxsize=256)
def _finder(expression: str) -> Callable[[str], object]:
    """What looks for *expression* in a line. Raises `Misunderstood`."""
    import re2  # loaded when somebody has such a wish

    if len(expression) > MAX_EXPRESSION:
        raise Misunderstood
    options = re2.Options()
    options.max_mem, options.log_errors = _MEMORY_BYTES, False
    try:
        found: Callable[[str], object] = re2.compile(expression, options).search
    except (re2.error, UnicodeError):
        raise Misunderstood from None
    return found
