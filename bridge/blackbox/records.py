"""The format of a recording: compressed chunks with checksums, only ever appended to.

A chunk is a head and a packed body; the body is a row of entries. A torn or damaged chunk is
skipped, what follows it is found by its marker. Pure.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

SUFFIX = ".gbb"
MARKER = b"GBB\x01"
#: Marker, size of the packed body, size of the body, CRC of the packed body.
_HEAD = struct.Struct("<4sIII")
#: Seconds on the host's monotonic clock, kind, size of what follows.
_ENTRY = struct.Struct("<dBI")
#: A chunk that says it is larger is damaged.
MAX_CHUNK_BYTES = 16 * 1024 * 1024
_LEVEL = 1


class Kind(IntEnum):
    """What an entry holds."""

    SENT = 0
    RECEIVED = 1
    STATE = 2
    BEGIN = 3  # JSON: who, what, and the wall clock at this moment


@dataclass(frozen=True, slots=True)
class Entry:
    """Bytes at a moment: *at_s* on the host's monotonic clock, to the microsecond."""

    at_s: float
    kind: Kind
    data: bytes


def entry(at_s: float, kind: int, data: bytes) -> bytes:
    """One entry of a body."""
    return _ENTRY.pack(at_s, kind, len(data)) + data


def chunk(body: bytes | bytearray) -> bytes:
    """Entries as they are appended to a file."""
    packed = zlib.compress(body, _LEVEL)
    return _HEAD.pack(MARKER, len(packed), len(body), zlib.crc32(packed)) + packed


def entries(data: bytes) -> Iterator[Entry]:
    """Every entry of the whole chunks in *data*, in order."""
    at = data.find(MARKER)
    while 0 <= at <= len(data) - _HEAD.size:
        body, end = _body(data, at)
        if body is None:
            at = data.find(MARKER, at + 1)
            continue
        for _, each in unpacked(body):
            yield each
        at = data.find(MARKER, end)


def _body(data: bytes, at: int) -> tuple[bytes | None, int]:
    _, packed_bytes, body_bytes, crc = _HEAD.unpack_from(data, at)
    begin = at + _HEAD.size
    packed = data[begin : begin + packed_bytes]
    if body_bytes > MAX_CHUNK_BYTES or len(packed) < packed_bytes or zlib.crc32(packed) != crc:
        return None, at
    return zlib.decompress(packed), begin + packed_bytes


def unpacked(body: bytes | bytearray, begin: int = 0) -> Iterator[tuple[int, Entry]]:
    """The entries of *body* from the one that starts at *begin* on, and where each of them ends."""
    at = begin
    while at + _ENTRY.size <= len(body):
        moment, kind, size = _ENTRY.unpack_from(body, at)
        at += _ENTRY.size + size
        yield at, Entry(moment, Kind(kind), bytes(body[at - size : at]))


def ends(body: bytes | bytearray) -> Iterator[int]:
    """Where the entries of *body* end, without a look at what is in them."""
    at = 0
    while at + _ENTRY.size <= len(body):
        at += _ENTRY.size + _ENTRY.unpack_from(body, at)[2]
        yield at
