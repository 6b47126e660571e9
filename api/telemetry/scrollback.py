"""The last lines of one printer's terminal, each at its place: pure."""

#: So many lines a reader may be behind.
KEPT_LINES = 2000
#: Where lines are missing that nobody counted, OctoPrint's own word for it.
LEFT_OUT = "[...]"


class Scrollback:
    """Lines with places that rise by one for ever; the oldest lines go."""

    def __init__(self) -> None:
        self.start = 0
        self._lines: list[str] = []

    @property
    def end(self) -> int:
        """The place of the next line."""
        return self.start + len(self._lines)

    def put(self, lines: list[str], dropped: int | None = 0) -> None:
        """More lines. *dropped*: how many are missing before them, None: some."""
        if dropped is None:
            self._lines.append(LEFT_OUT)
        elif dropped:
            self._lines.append(f"[... {dropped} lines left out ...]")
        self._lines += lines
        surplus = len(self._lines) - KEPT_LINES
        if surplus > 0:
            self.start += surplus
            del self._lines[:surplus]

    def since(self, place: int) -> list[str]:
        """From *place* on; where some of it has gone already, that is said first."""
        found = self._lines[max(0, place - self.start) :]
        return [LEFT_OUT, *found] if place < self.start else found

    def last(self, count: int) -> list[str]:
        """The newest *count* lines."""
        return self._lines[-count:]
