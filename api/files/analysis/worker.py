"""The process that reads files: `python -m api.files.analysis.worker WORK`, one of `WORKS`.

It reads stdin and writes stdout, and knows nothing else: no settings, no database, no network. It
stands back behind everything else on its machine and cannot take more than `MAX_MEMORY_BYTES`. A
file that cannot be read is status 2 and a sentence on stderr.

What a work needs is imported by it: most files are small, and starting is most of their time.
"""

import hashlib
import os
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from api.files.analysis.broken import BrokenFile

CHUNK_BYTES = 256 * 1024
MAX_MEMORY_BYTES = 768 * 1024 * 1024
STATUS_BROKEN = 2
_NICENESS = 10

Work = Callable[[BinaryIO, BinaryIO], None]


def analyse(source: BinaryIO, out: BinaryIO, *, timed: bool = False) -> None:
    """What `Motion` finds, and *sha1*, as JSON."""
    from api.files.analysis.motion import Motion

    motion, digest = Motion(timed=timed), hashlib.sha1(usedforsecurity=False)
    while chunk := source.read(CHUNK_BYTES):
        digest.update(chunk)
        motion.feed(chunk)
    out.write(msgspec.json.encode({**motion.finish(), "sha1": digest.hexdigest()}))


def analyse_timed(source: BinaryIO, out: BinaryIO) -> None:
    """As `analyse`, and how long it prints."""
    analyse(source, out, timed=True)


def survey(source: BinaryIO, out: BinaryIO) -> None:
    """What `Surveyor` finds, as JSON."""
    from schemas.gcode.survey import Surveyor

    surveyor = Surveyor()
    while chunk := source.read(CHUNK_BYTES):
        surveyor.feed(chunk)
    out.write(msgspec.json.encode(surveyor.finish()))


def decode(source: BinaryIO, out: BinaryIO) -> None:
    """Binary G-code as text, block by block."""
    from api.files.analysis.bgcode import Decoder

    decoder = Decoder()
    while chunk := source.read1(CHUNK_BYTES):  # type: ignore[attr-defined] # buffered, as it comes
        for text in decoder.feed(chunk):
            out.write(text)
        out.flush()
    decoder.finish()


def png(source: BinaryIO, out: BinaryIO) -> None:
    """A QOI picture as PNG."""
    from api.files.analysis import qoi

    out.write(qoi.to_png(source.read()))


WORKS: dict[str, Work] = {
    "analyse": analyse,
    "timed": analyse_timed,
    "survey": survey,
    "decode": decode,
    "png": png,
}


def main() -> int:
    """Do what the one argument says."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    try:
        WORKS[sys.argv[1]](sys.stdin.buffer, sys.stdout.buffer)
        sys.stdout.flush()
    except BrokenFile as error:
        sys.stderr.write(str(error))
        return STATUS_BROKEN
    except BrokenPipeError:  # nobody waits for it any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left to write goes nowhere
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
