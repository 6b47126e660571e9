"""Commands between a job's lines, in their order, and who waits for their end.

While a file is written to the printer's card, whatever the printer accepts is a line of that file.
So what anybody orders meanwhile is kept back here, and only who writes the file is let through.
"""

from collections import deque


class Orders:
    """*waiting* are not sent yet: line, token, and whether it is of an errand of the print.

    *tokens* are told when the line of their number is done.
    """

    __slots__ = ("_later", "saving", "tokens", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[tuple[bytes, str | None, bool]] = deque()
        self.tokens: deque[tuple[int, str]] = deque()
        #: a file is being written to the card
        self.saving = False
        self._later: deque[tuple[bytes, str | None, bool]] = deque()

    def add(
        self, texts: list[bytes], token: str | None, *, saves: bool = False, own: bool = False
    ) -> None:
        """Send *texts* in their turn; *saves*: they are about the file that is being written.

        *own*: they are an errand of the print, whose lines are counted for a later life.
        """
        orders = self._later if self.saving and not saves else self.waiting
        for text in texts[:-1]:
            orders.append((text, None, own))
        orders.append((texts[-1], token, own))

    def saved(self) -> None:
        """The file is closed: what was kept back may go."""
        self.saving = False
        self.waiting += self._later
        self._later.clear()

    def drop(self) -> list[str]:
        """Forget all of them; the tokens that will never be done."""
        lost = [token for _, token, _ in (*self.waiting, *self._later) if token]
        lost += [token for _, token in self.tokens]
        for orders in (self.waiting, self._later):
            orders.clear()
        self.tokens.clear()
        return lost
