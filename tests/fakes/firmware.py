"""A firmware and cables, pure and seeded: what the tests of the sans-I/O core talk to.

`Firmware` follows Marlin's rules for numbers, checksums, resends and the receive ring. A cable is a
function over bytes; it may flip and lose them. Time is a number that the test moves.
"""

import random
import re
from collections.abc import Callable
from functools import reduce
from operator import xor

Cable = Callable[[bytes], bytes]

_COMMAND = re.compile(rb"[GMT]\d+")
_LINE = re.compile(rb"N(-?\d+) (.*)\*(\d+)$", re.DOTALL)


def intact(data: bytes) -> bytes:
    """A good cable."""
    return data


def lossy(seed: int, *, flip: float, lose: float) -> Cable:
    """A bad cable: each byte is flipped in one bit or lost with these probabilities."""
    rng = random.Random(seed)

    def carry(data: bytes) -> bytes:
        kept = bytearray()
        for byte in data:
            draw = rng.random()
            if draw < lose:
                continue
            kept.append(byte ^ (1 << rng.randrange(8)) if draw < lose + flip else byte)
        return bytes(kept)

    return carry


def numbered(line: bytes) -> tuple[int, bytes] | None:
    """Number and text of a numbered line whose checksum is right, None for any other."""
    match = _LINE.match(line)
    if match is None or reduce(xor, line.rpartition(b"*")[0], 0) != int(match[3]):
        return None
    return int(match[1]), match[2]


class Firmware:
    """Marlin 2.1: `executed` is what it ran, in order, numbered lines only.

    `astray` is what it ran without a number: the rest of cut lines.
    """

    def __init__(
        self, *, silent_repeats: bool = True, resend_ok: bool = True, flushes: bool = True
    ) -> None:
        self.executed: list[bytes] = []
        self.astray: list[bytes] = []
        self.last = 0
        self.silent_repeats = silent_repeats
        self.resend_ok = resend_ok
        self.flushes = flushes
        self.requests = 0
        self.most_bytes = 0
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """The answers to *data*, given line by line until the ring is empty or flushed."""
        self._buffer += data
        self.most_bytes = max(self.most_bytes, len(self._buffer))
        answers = b""
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            answers += self.answer(line.strip())
        return answers

    def answer(self, line: bytes) -> bytes:
        """The reply to one line."""
        if not line:
            return b""
        if not line.startswith(b"N"):
            return self._unnumbered(line)
        match = _LINE.match(line)
        if match is None:
            return self._again(b"No Checksum with line number")
        number, text = int(match[1]), match[2]
        if number in (self.last, self.last - 1) and b"M110" not in text and self.silent_repeats:
            return b""
        if number != self.last + 1 and b"M110" not in text:
            return self._again(b"Line Number is not Last Line Number+1")
        if reduce(xor, line.rpartition(b"*")[0], 0) != int(match[3]):
            return self._again(b"checksum mismatch")
        self.last = number
        self.executed.append(text)
        return b"ok T:20.0 /0.0 B:20.0 /0.0 @:0\n" if text == b"M105" else b"ok\n"

    def _unnumbered(self, line: bytes) -> bytes:
        if line == b"M105":
            return b"ok T:20.0 /0.0 B:20.0 /0.0 @:0\n"
        if _COMMAND.match(line) is None:
            return b'echo:Unknown command: "%b"\nok\n' % line
        self.astray.append(line)
        return b"ok\n"

    def _again(self, why: bytes) -> bytes:
        self.requests += 1
        if self.flushes:
            self._buffer = b""
        ok = b"ok\n" if self.resend_ok else b""
        return b"Error:%b, Last Line: %d\nResend: %d\n%b" % (why, self.last, self.last + 1, ok)
