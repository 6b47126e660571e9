"""The seeds of a long test: whoever goes through them says now and then how far it is."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import overload

#: Between two words about it, in seconds.
EVERY_S = 60.0


class Seeds(Sequence[int]):
    """A range of seeds."""

    def __init__(self, seeds: range, say: Callable[[str], None]) -> None:
        self._seeds, self._say = seeds, say

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        return self._seeds[index]

    def __len__(self) -> int:
        return len(self._seeds)

    def __iter__(self) -> Iterator[int]:
        due = time.monotonic() + EVERY_S
        for done, seed in enumerate(self._seeds):
            if time.monotonic() >= due:
                due = time.monotonic() + EVERY_S
                left = len(self._seeds) - done
                self._say(f"{done} seeds are done; to go on: --first-seed {seed} --seeds {left}")
            yield seed
