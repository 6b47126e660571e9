"""Binary G-code (`.bgcode`, version 1) to the text that a serial printer can print. Pure.

A header, then blocks: what slicer, printer and print are, pictures, and G-code; each plain or
compressed (deflate, heatshrink), G-code also packed (MeatPack), with a CRC-32 at its end. Facts
and pictures come out as the comments that slicers write into text, in the order of the blocks.
Nothing of a file is believed: sizes are bounded before anything is unpacked.
"""

import base64
import re
import struct
import zlib
from collections.abc import Iterator

from api.files.analysis import heatshrink
from api.files.analysis.broken import BrokenFile
from api.files.analysis.meatpack import MeatPack

MAGIC = b"GCDE"
MAX_BLOCK_BYTES = 4 * 1024 * 1024  # slicers write 64 KB
_HEADER = struct.Struct("<4sIH")
_BLOCK = struct.Struct("<HHI")
_SIZE = struct.Struct("<I")
_G_CODE, _THUMBNAIL = 1, 5
_FACTS = frozenset({0, 2, 3, 4})  # of the file, the slicer, the printer, the print
_HEATSHRINK = {2: (11, 4), 3: (12, 4)}
_PICTURES = ("", "_JPG", "_QOI")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_WIDTH = 78  # of a line of a picture


class BrokenBinary(BrokenFile):
    """It is no binary G-code, or was damaged on its way. The text is for the reader."""


class Decoder:
    """One file. `feed` what comes, then `finish`; both raise `BrokenBinary`."""

    def __init__(self) -> None:
        self._data = b""
        self._has_checksums: bool | None = None  # None: the header has not come yet
        self._number = 0
        self._has_code = False
        self._packing = MeatPack()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The text of the blocks that are whole now."""
        self._data += chunk
        if self._has_checksums is None and len(self._data) >= _HEADER.size:
            self._begin()
        while self._has_checksums is not None and (size := self._whole()):
            block, self._data = self._data[:size], self._data[size:]
            self._number += 1
            yield self._text(block)

    def finish(self) -> None:
        """Nothing more comes."""
        if self._data or self._has_checksums is None:
            raise BrokenBinary("The file is cut off: its last block is not whole.")
        if not self._has_code:
            raise BrokenBinary("There is no G-code in this file.")

    def _begin(self) -> None:
        magic, version, checksum = _HEADER.unpack_from(self._data)
        if magic != MAGIC or version != 1 or checksum > 1:
            raise BrokenBinary(f"This is no binary G-code that is known here (version {version}).")
        self._has_checksums = checksum == 1
        self._data = self._data[_HEADER.size :]

    def _head(self) -> tuple[int, int, int, int, int]:
        """Of the next block: kind, compression, size unpacked and packed, and the head's own."""
        kind, compression, size = _BLOCK.unpack_from(self._data)
        packed, head = size, _BLOCK.size
        if compression:
            if len(self._data) < head + _SIZE.size:
                return kind, compression, size, 0, 0
            packed = _SIZE.unpack_from(self._data, head)[0]
            head += _SIZE.size
        if max(size, packed) > MAX_BLOCK_BYTES:
            raise BrokenBinary(f"Block {self._number + 1} is larger than {MAX_BLOCK_BYTES} bytes.")
        return kind, compression, size, packed, head

    def _whole(self) -> int:
        """How many bytes the next block has; 0 while it is not all there."""
        if len(self._data) < _BLOCK.size:
            return 0
        kind, _, _, packed, head = self._head()
        if not head:
            return 0
        size = head + _parameters(kind) + packed + (_SIZE.size if self._has_checksums else 0)
        return size if len(self._data) >= size else 0

    def _text(self, block: bytes) -> bytes:
        if self._has_checksums:
            block, said = block[: -_SIZE.size], _SIZE.unpack(block[-_SIZE.size :])[0]
            if zlib.crc32(block) != said:
                raise BrokenBinary(f"Block {self._number} was damaged on its way. Upload it again.")
        kind, compression, size = _BLOCK.unpack_from(block)
        head = _BLOCK.size + (_SIZE.size if compression else 0)
        parameters, packed = block[head : head + _parameters(kind)], block[head:]
        data = self._unpacked(packed[len(parameters) :], compression, size)
        if kind in _FACTS:
            return _facts(data)
        if kind == _THUMBNAIL:
            return _picture(parameters, data)
        return self._code(parameters, data) if kind == _G_CODE else b""

    def _unpacked(self, data: bytes, compression: int, size: int) -> bytes:
        try:
            if compression == 0:
                return data
            if compression == 1:
                unpacked = zlib.decompressobj().decompress(data, size + 1)
            elif compression in _HEATSHRINK:
                unpacked = heatshrink.unpack(data, size, *_HEATSHRINK[compression])
            else:
                raise BrokenBinary(f"Block {self._number} is compressed in an unknown way.")
        except (zlib.error, heatshrink.Broken) as error:
            raise BrokenBinary(f"Block {self._number} cannot be unpacked: {error}.") from None
        if len(unpacked) != size:
            raise BrokenBinary(f"Block {self._number} is not as long as it says.")
        return unpacked

    def _code(self, parameters: bytes, data: bytes) -> bytes:
        self._has_code = True
        encoding = int.from_bytes(parameters, "little")
        if encoding > 2:
            raise BrokenBinary(f"Block {self._number} is encoded in an unknown way.")
        return self._packing.unpack(data) if encoding else data


def _parameters(kind: int) -> int:
    """How many bytes stand between a block's head and its data."""
    return 6 if kind == _THUMBNAIL else 2


def _facts(data: bytes) -> bytes:
    """``key=value`` lines as slicers write them into text."""
    lines = []
    for line in data.splitlines():
        key, equals, value = _CONTROL.sub(b" ", line).partition(b"=")
        if key == b"Producer":
            lines.append(b"; generated by %b\n" % value)
        elif equals:
            lines.append(b"; %b = %b\n" % (key, value))
    return b"".join(lines)


def _picture(parameters: bytes, data: bytes) -> bytes:
    kind, width, height = struct.unpack("<HHH", parameters)
    if kind >= len(_PICTURES):
        return b""
    text = base64.b64encode(data)
    name = f"thumbnail{_PICTURES[kind]}"
    lines = [text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)]
    body = b"".join(b"; %b\n" % line for line in lines)
    begin = f";\n; {name} begin {width}x{height} {len(text)}\n".encode()
    return begin + body + f"; {name} end\n;\n".encode()
