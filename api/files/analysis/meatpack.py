"""MeatPack, as binary G-code uses it: the commonest characters in half a byte. Pure.

``FF FF`` and a byte is an order (packing on and off, with or without spaces); in a packed byte the
low half comes first, and a half of 15 stands for a whole byte that follows.
"""

import re

_ORDERS = re.compile(rb"\xff\xff(.)", re.DOTALL)
_ON, _OFF, _RESET, _NO_SPACES, _SPACES = 251, 250, 249, 247, 246
_WHOLE = 15
_G_LINE = re.compile(rb"^G\d[^;\n]*", re.MULTILINE)
_WORD = re.compile(rb"(?<=[^\s])(?=[A-Z])")


def _class(wanted: set[int]) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(wanted)) + b"]"


_LOW = {byte for byte in range(255) if byte & 15 == _WHOLE}
_HIGH = {byte for byte in range(255) if byte >> 4 == _WHOLE}
_PIECES = re.compile(
    rb"(%b+)|(%b)(.?)|(%b)(.?)|\xff(.?.?)"
    % (_class(set(range(255)) - _LOW - _HIGH), _class(_LOW), _class(_HIGH)),
    re.DOTALL,
)


def _table(sixth: bytes) -> list[bytes]:
    """What each packed byte stands for; a half of 15 for nothing."""
    halves = [*(b"%d" % digit for digit in range(10)), b".", sixth, b"\n", b"G", b"X", b""]
    return [halves[byte & 15] + halves[byte >> 4] for byte in range(256)]


_TABLES = {False: _table(b" "), True: _table(b"E")}


class MeatPack:
    """Unpacks a stream; how it is packed goes on from block to block."""

    def __init__(self) -> None:
        self._is_on = self._is_without_spaces = False

    def unpack(self, data: bytes) -> bytes:
        """The text of a block, which ends with a whole line."""
        pieces = _ORDERS.split(data)
        text = [self._piece(pieces[0])]
        for order, piece in zip(pieces[1::2], pieces[2::2], strict=True):
            self._obey(order[0])
            text.append(self._piece(piece))
        return b"".join(text)

    def _obey(self, order: int) -> None:
        if order in (_ON, _OFF):
            self._is_on = order == _ON
        elif order in (_NO_SPACES, _SPACES):
            self._is_without_spaces = order == _NO_SPACES
        elif order == _RESET:
            self._is_on = self._is_without_spaces = False

    def _piece(self, data: bytes) -> bytes:
        if not self._is_on:
            return data
        table = _TABLES[self._is_without_spaces]
        out = []
        for plain, low, after_low, high, after_high, both in _PIECES.findall(data):
            if plain:
                out.append(b"".join([table[byte] for byte in plain]))
            elif low:
                out.append(after_low + table[low[0]])
            elif high:
                out.append(table[high[0]] + after_high)
            else:
                out.append(both)
        text = b"".join(out)
        return _with_spaces(text) if self._is_without_spaces else text


def _with_spaces(text: bytes) -> bytes:
    """The words of moves stand apart again, as people and hosts read them."""
    return _G_LINE.sub(lambda line: _WORD.sub(b" ", line[0]), text)
