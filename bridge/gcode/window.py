"""How many lines may be in flight (serial 4).

One at first, one more for every few good answers, one again after a Resend. A receive ring that is
smaller than the window loses bytes every time the window reaches that size, also behind a link that
loses none itself. So the size at which a Resend came is remembered, and each failure there doubles
the good answers that another try costs; a size that holds makes the next one cheap again.

Behind a damaged line others are cut, and the rest of a cut line may be a command by itself. One
line at a time is never cut: on a cable that damages lines again and again it stays at one for ever
longer.
"""

#: Good answers before the window grows by one line.
GROW_AFTER = 8
#: The same for a size that has failed again and again, and for the first step after many Resends.
MAX_GROW_AFTER = 2048
#: What each Resend at more than one multiplies that first step by, each full window divides it by.
_CALM = 4
#: More lines than this are never in flight: an emergency command would wait behind them.
MAX_WINDOW = 16


class Window:
    """The lines allowed in flight now: *size*, never more than *limit*."""

    __slots__ = ("_calm_after", "_failed", "_good", "_retry_after", "limit", "size")

    def __init__(self) -> None:
        self.limit = 1
        self.restart()

    def restart(self) -> None:
        """A new conversation: one line, nothing has failed yet."""
        self.size = 1
        self._good = 0
        self._calm_after = GROW_AFTER
        self._failed = MAX_WINDOW + 1
        self._retry_after = GROW_AFTER

    def bound(self, limit: int) -> None:
        """At most *limit* lines from now on."""
        self.limit = min(limit, MAX_WINDOW)
        self.size = min(self.size, self.limit)

    def grow(self, count: int) -> None:
        """*count* good answers have come."""
        self._good += count
        following = self.size + 1
        need = self._calm_after if self.size == 1 else GROW_AFTER
        if following >= self._failed:
            need = max(need, self._retry_after)
        if self._good < need:
            return
        self._good = 0
        if self.size >= self._failed:  # it holds now
            self._failed = MAX_WINDOW + 1
            self._retry_after = max(GROW_AFTER, self._retry_after // 2)
        if self.size < self.limit:
            self.size = following
        if self.size == self.limit:
            self._calm_after = max(GROW_AFTER, self._calm_after // _CALM)

    def shrink(self) -> None:
        """Something in flight was damaged or lost: one line again."""
        if self.size > 1:
            self._calm_after = min(self._calm_after * _CALM, MAX_GROW_AFTER)
        if 1 < self.size <= self._failed:
            again = self.size == self._failed
            self._retry_after = 2 * (self._retry_after if again else GROW_AFTER)
            self._retry_after = min(self._retry_after, MAX_GROW_AFTER)
            self._failed = self.size
        self.size = 1
        self._good = 0

    @property
    def wary(self) -> bool:
        """Whether lines were damaged, and it has not been calm for long enough since."""
        return self._calm_after > GROW_AFTER

    @property
    def settled(self) -> bool:
        """Whether good answers change nothing: full size, and no failure to get over."""
        return self.size == self.limit and self.size < self._failed
