"""Binary G-code as a slicer writes it: blocks of every compression and encoding."""

import struct
import zlib

_NIBBLES = {char: number for number, char in enumerate("0123456789. \nGX")}


def heatshrink(data: bytes, window_bits: int, count_bits: int) -> bytes:
    """*data* packed the plain way: the longest earlier copy, else the byte."""
    bits: list[str] = []
    at = 0
    while at < len(data):
        best, distance = 0, 0
        for back in range(1, min(at, 1 << window_bits) + 1):
            size = 0
            while (
                size < 1 << count_bits
                and at + size < len(data)
                and data[at + size - back] == data[at + size]
            ):
                size += 1
            if size > best:
                best, distance = size, back
        if best > 2:
            bits.append(f"0{distance - 1:0{window_bits}b}{best - 1:0{count_bits}b}")
            at += best
        else:
            bits.append(f"1{data[at]:08b}")
            at += 1
    text = "".join(bits)
    return bytes(int(text[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8))


def meatpack(text: str, *, spaces: bool) -> bytes:
    """*text*, whose lines are all G-code, packed. Without spaces, a half of 11 is an E."""
    table = dict(_NIBBLES)
    if not spaces:
        text = text.replace(" ", "")
        del table[" "]
        table["E"] = 11
    out = bytearray(b"\xff\xff\xfb" + (b"" if spaces else b"\xff\xff\xf7"))
    text += "\n" if len(text) % 2 else ""
    for first, second in zip(text[::2], text[1::2], strict=True):
        out.append(table.get(first, 15) | table.get(second, 15) << 4)
        out += b"".join(each.encode() for each in (first, second) if each not in table)
    return bytes(out)


def block(kind: int, data: bytes, compression: int = 0, parameters: bytes = b"\0\0") -> bytes:
    """A whole block with its checksum."""
    packed = {
        0: lambda: data,
        1: lambda: zlib.compress(data),
        2: lambda: heatshrink(data, 11, 4),
        3: lambda: heatshrink(data, 12, 4),
    }[compression]()
    head = struct.pack("<HHI", kind, compression, len(data))
    head += struct.pack("<I", len(packed)) if compression else b""
    body = head + parameters + packed
    return body + struct.pack("<I", zlib.crc32(body))


def file(*blocks: bytes) -> bytes:
    """A file of *blocks*."""
    return struct.pack("<4sIH", b"GCDE", 1, 1) + b"".join(blocks)
