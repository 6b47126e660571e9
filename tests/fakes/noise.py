"""Cables with noise that the protocol can find: at most one damage per line, each of many kinds.

Checksums of one byte do not find everything: two flips in one column pass, and so do one in 256
merged lines. No host can do anything about those, so this noise leaves them out; what is left must
be repaired exactly.
"""

import random
from collections.abc import Callable

from tests.fakes.firmware import Cable, numbered

Damage = Callable[[random.Random, bytearray, int], None]


def _flip(rng: random.Random, line: bytearray, at: int) -> None:
    line[at] ^= 1 << rng.randrange(8)


def _lose(_rng: random.Random, line: bytearray, at: int) -> None:
    del line[at]


def _double(_rng: random.Random, line: bytearray, at: int) -> None:
    line.insert(at, line[at])


def _insert(rng: random.Random, line: bytearray, at: int) -> None:
    line.insert(at, rng.choice(b"\x00\xff \nN*7"))


def _lose_all(_rng: random.Random, line: bytearray, _at: int) -> None:
    line.clear()


def _merge(_rng: random.Random, line: bytearray, _at: int) -> None:
    line[:] = line.rstrip(b"\n")


_DAMAGES: tuple[Damage, ...] = (_flip, _lose, _double, _insert, _lose_all, _merge)


def noisy(seed: int, share: float) -> Cable:
    """A cable that damages this share of the lines."""
    rng = random.Random(seed)
    unfinished = b""

    def carry(data: bytes) -> bytes:
        nonlocal unfinished
        lines = data.splitlines(keepends=True)
        carried = b""
        for line in lines:
            damaged = bytearray(line)
            if rng.random() < share:
                rng.choice(_DAMAGES)(rng, damaged, rng.randrange(len(damaged)))
            carried += damaged
        sent = {line.strip() for line in lines}
        arrived = [line.strip() for line in (unfinished + carried).split(b"\n")]
        if any(numbered(line) and line not in sent for line in arrived):
            carried = b"\n" + data
        unfinished = (unfinished + carried).rpartition(b"\n")[2]
        return carried

    return carry
