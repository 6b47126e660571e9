"""User codes of the device flow, and how often somebody may guess one: pure."""

import secrets
from collections import deque

#: Letters and digits that nobody mistakes for another: no 0 O, 1 I L.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 8


def new_user_code() -> str:
    """Eight random characters, without the dash it is shown with."""
    return "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))


def shown(code: str) -> str:
    """``ABCD2345`` as ``ABCD-2345``."""
    return f"{code[:4]}-{code[4:]}"


def typed(text: str) -> str | None:
    """The code that a person typed, in any case, with or without dash; None when it is none."""
    code = text.replace("-", "").replace(" ", "").upper()
    if len(code) != CODE_LENGTH or not set(code) <= set(ALPHABET):
        return None
    return code


class Tries:
    """Counts events by key over a sliding window; *now* in seconds, monotonic."""

    MAX_KEYS = 10_000  # more addresses than this at once: the quietest are forgotten first

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._times: dict[str, deque[float]] = {}

    def wait_s(self, key: str, now: float) -> float:
        """Seconds until *key* may try again; 0.0: it may now."""
        times = self._times.get(key)
        if times is None:
            return 0.0
        while times and now - times[0] >= self._window_s:
            times.popleft()
        if len(times) < self._limit:
            return 0.0
        return times[0] + self._window_s - now

    def count(self, key: str, now: float) -> None:
        """*key* has tried."""
        times = self._times.pop(key, deque())
        times.append(now)
        self._times[key] = times  # last in the order of keys: the most recent
        if len(self._times) > self.MAX_KEYS:
            del self._times[next(iter(self._times))]
