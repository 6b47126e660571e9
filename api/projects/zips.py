"""Zip files: written as they are read, and read as if somebody hostile had written them.

What comes in is on disk and never unpacked there: its entries are read one by one, as bytes.
Everything that it says of itself is bounded before it is believed: how long its directory is, how
many entries it has, how large they become, what they are called, how they are packed.
"""

import asyncio
import stat
import struct
import zipfile
import zlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import IO, cast

from api.errors import Invalid

ABOUT = "project.json"
FOLDER = "files/"
MAX_ENTRIES = 1000
MAX_DIRECTORY_BYTES = 1024 * 1024
MAX_ABOUT_BYTES = 32 * 1024 * 1024
#: More than any G-code can be packed, several times over.
MAX_RATIO = 200
_SMALL_BYTES = 1024 * 1024  # no ratio is looked at below this
_CHUNK_BYTES = 1024 * 1024
_LARGE_BYTES = 2**31 - 1  # from here on an entry needs longer fields

_END = struct.Struct("<4s4H2LH")  # the end of the directory, without a comment behind it
_END_64 = b"PK\x06\x07"  # in front of it: the directory is described elsewhere
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, struct.error),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file to be written. *size_bytes*: at most so many come."""

    name: str
    size_bytes: int
    chunks: AsyncGenerator[bytes, None]


class _Sink:
    """Takes what is written, until somebody fetches it. It cannot be wound back."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Keep *data*."""
        self._held += data
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def fetch(self) -> bytes:
        """What came since the last time."""
        found, self._held = bytes(self._held), bytearray()
        return found


async def zipped(entries: AsyncGenerator[Entry, None]) -> AsyncGenerator[bytes, None]:
    """A zip file of *entries*, as they come; packed in a thread, never whole in memory."""
    sink = _Sink()
    # It writes to whatever has `write` and `flush`, though its types ask for a whole file.
    to: IO[bytes] = cast(IO[bytes], sink)
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        async with aclosing(entries):
            async for entry in entries:
                large = entry.size_bytes > _LARGE_BYTES
                with packed.open(entry.name, "w", force_zip64=large) as target:
                    async with aclosing(_packed(entry, target, sink)) as chunks:
                        async for chunk in chunks:
                            yield chunk
    yield sink.fetch()


async def _packed(entry: Entry, target: IO[bytes], sink: _Sink) -> AsyncGenerator[bytes, None]:
    async with aclosing(entry.chunks) as chunks:
        async for chunk in chunks:
            await asyncio.to_thread(target.write, chunk)
            if written := sink.fetch():
                yield written


class Parcel:
    """A zip file that somebody sent: `project.json`, and files of one folder. Raises `Invalid`
    for what no honest hand packed. Blocks: to be used in a thread.
    """

    def __init__(self, file: IO[bytes], max_bytes: int) -> None:
        """*max_bytes*: all entries together, unpacked."""
        _check_end(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except _BROKEN as error:
            raise _damaged() from error
        entries = [each for each in self._zip.infolist() if not each.is_dir()]
        _check_entries(entries, max_bytes)
        names = {each.filename: each for each in entries}
        if len(names) < len(entries):
            raise Invalid("The zip file has two entries of the same name.")
        if ABOUT not in names:
            raise Invalid(f"The zip file has no {ABOUT}: it is not an exported project.")
        self._about = names[ABOUT]
        self._files = {
            name.removeprefix(FOLDER): each
            for name, each in names.items()
            if name.startswith(FOLDER) and "/" not in name.removeprefix(FOLDER)
        }

    @property
    def files(self) -> list[str]:
        """The names of the files, in the order in which they were packed."""
        return [*self._files]

    def about(self) -> bytes:
        """What ``project.json`` says. Raises `Invalid`."""
        if self._about.file_size > MAX_ABOUT_BYTES:
            raise Invalid(f"{ABOUT} is larger than {MAX_ABOUT_BYTES} bytes.", code="too_large")
        try:
            return self._zip.read(self._about)
        except _BROKEN as error:
            raise _damaged() from error

    async def read(self, name: str) -> AsyncGenerator[bytes, None]:
        """The bytes of the file *name*, read in a thread. Raises `Invalid`."""
        try:
            with await asyncio.to_thread(self._zip.open, self._files[name]) as packed:
                while chunk := await asyncio.to_thread(packed.read, _CHUNK_BYTES):
                    yield chunk
        except _BROKEN as error:
            raise _damaged() from error


def _check_end(file: IO[bytes]) -> None:
    """The directory of *file* is short enough to be read. Raises `Invalid`."""
    size = file.seek(0, 2)
    if size < _END.size:
        raise _damaged()
    file.seek(max(size - _END.size - 20, 0))
    tail = file.read()
    mark, *numbers = _END.unpack(tail[-_END.size :])
    entries, directory_bytes, comment = numbers[3], numbers[4], numbers[6]
    if mark != b"PK\x05\x06" or comment:
        raise _damaged()
    is_long = len(tail) > _END.size and tail[: -_END.size].startswith(_END_64)
    if is_long or entries > MAX_ENTRIES or directory_bytes > MAX_DIRECTORY_BYTES:
        raise Invalid(f"The zip file has more than {MAX_ENTRIES} entries.", code="too_large")
    file.seek(0)


def _check_entries(entries: Iterable[zipfile.ZipInfo], max_bytes: int) -> None:
    """Names, kinds and sizes of *entries*. Raises `Invalid`."""
    count = total = 0
    for each in entries:
        count, total = count + 1, total + each.file_size
        _check_name(each)
        if each.flag_bits & 0x1:
            raise Invalid(f"{each.filename!r} in the zip file is encrypted.")
        if each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Invalid(f"{each.filename!r} is packed in a way that is not taken: use deflate.")
        packed_tightly = each.file_size > MAX_RATIO * max(each.compress_size, 1)
        if packed_tightly and each.file_size > _SMALL_BYTES:
            raise Invalid(
                f"{each.filename!r} would become {each.file_size} bytes out of "
                f"{each.compress_size}: no G-code does.",
                code="too_large",
            )
    if count > MAX_ENTRIES:
        raise Invalid(f"The zip file has more than {MAX_ENTRIES} entries.", code="too_large")
    if total > max_bytes:
        raise Invalid(
            f"The files would be {total} bytes together; the limit of this server is {max_bytes} "
            "(GANTRY_MAX_UPLOAD_BYTES).",
            code="too_large",
            max_bytes=max_bytes,
        )


def _check_name(entry: zipfile.ZipInfo) -> None:
    name, mode = entry.filename, entry.external_attr >> 16
    parts = name.split("/")
    is_drive = len(name) > 1 and name[1] == ":"
    if "\\" in name or "\0" in entry.orig_filename or ".." in parts or "" in parts or is_drive:
        raise Invalid(f"{name[:100]!r} in the zip file is a name that leads out of it.")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Invalid(f"{name[:100]!r} in the zip file is a link or no plain file.")


def _damaged() -> Invalid:
    return Invalid("This is no zip file, or it is damaged.")
