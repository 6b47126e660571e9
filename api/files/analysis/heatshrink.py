"""Heatshrink, as binary G-code uses it: a small LZ for small machines. Pure.

Bits, the highest first: 1 and a byte is that byte; 0, a distance and a count is a copy of what came
out *distance* bytes ago.
"""


class Broken(ValueError):
    """The data cannot be unpacked."""


def unpack(data: bytes, size_bytes: int, window_bits: int, count_bits: int) -> bytes:
    """*data* unpacked to exactly *size_bytes*. Raises `Broken` when it holds less."""
    out = bytearray()
    held, bits, at = 0, 0, 0  # `bits` bits of the input wait in `held`
    copy_bits = window_bits + count_bits
    copy_mask, count_mask = (1 << copy_bits) - 1, (1 << count_bits) - 1
    longest = 1 + max(8, copy_bits)
    while len(out) < size_bytes:
        if bits < longest and at < len(data):
            more = data[at : at + 8]
            held = (held & ((1 << bits) - 1)) << 8 * len(more) | int.from_bytes(more, "big")
            bits += 8 * len(more)
            at += len(more)
        bits -= 1
        if bits >= 8 and held >> bits & 1:
            bits -= 8
            out.append(held >> bits & 0xFF)
        elif bits >= copy_bits and not held >> bits & 1:
            bits -= copy_bits
            found = held >> bits & copy_mask
            _copy(out, (found >> count_bits) + 1, (found & count_mask) + 1)
        else:
            raise Broken(f"it ends after {len(out)} of {size_bytes} bytes")
    return bytes(out[:size_bytes])


def _copy(out: bytearray, distance: int, count: int) -> None:
    """Zeros stand before the beginning, as in the encoder's empty window."""
    start = len(out) - distance
    if start >= 0 and count <= distance:
        out += out[start : start + count]
        return
    for place in range(start, start + count):
        out.append(out[place] if place >= 0 else 0)
