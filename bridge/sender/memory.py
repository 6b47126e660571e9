"""What one life of a sender leaves for the next: one small file beside the lock, written whole.

It holds the latch of a stop, the attempt that is running, and at a clean end the events that nobody
has acknowledged. An attempt found here at start lost its sender: it is taken up or interrupted.
"""

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec.structs import replace

from bridge.control.messages import Event
from bridge.gcode.errands import Agenda
from bridge.gcode.modal import Modal
from bridge.gcode.pausing import PausedAt
from schemas.printer import PrinterConfig


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What a later life needs to take up a print: its file, its port, what its firmware said.

    *identity* is that of the file (device, inode, size, time of change in ns); *host_boot* tells
    one life of this machine from the next; *tool*: active before the file's first line; *begun*:
    what the firmware remembered then; *agenda*: what the print was at besides its lines. *paused*
    is all that older releases kept of a pause.
    """

    grant: str
    job: int
    file_name: str
    path: str
    size_bytes: int
    identity: tuple[int, int, int, int]
    estimate_s: float | None
    config: PrinterConfig
    device: str
    baud: int
    firmware: str
    uuid: str | None
    machine: str | None
    capabilities: dict[str, bool]
    host_boot: str
    paused: PausedAt | None = None
    tool: int = 0
    begun: Modal | None = None
    agenda: Agenda | None = None


class Running(msgspec.Struct, frozen=True):
    """The attempt that is bound to the printer; *kept* None: it cannot be taken up."""

    grant: str
    job: int
    kept: Kept | None = None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The file's content. *halted*: why the printer was stopped, None when it is not; *stop*: the
    id of the newest remote stop.

    *clean*: that life ended by itself, with what it had heated cooled down. *transfer*: the name of
    the file that was going to the printer's card; *may_save*: the printer may be writing one still.
    """

    clean: bool = False
    halted: str | None = None
    stop: str = ""
    running: Running | None = None
    transfer: str | None = None
    may_save: bool = False
    events: list[Event] = []


def with_offsets(memory: Memory, offsets_c: dict[str, float]) -> Memory:
    """*memory*; a later life of its print moves the file's targets by *offsets_c*, as this one."""
    running = memory.running
    kept = running.kept if running is not None else None
    if running is None or kept is None or kept.config.offsets_c == offsets_c:
        return memory
    kept = replace(kept, config=replace(kept.config, offsets_c=offsets_c))
    return replace(memory, running=replace(running, kept=kept))


_decoder = msgspec.msgpack.Decoder(Memory)


def load(path: Path) -> Memory:
    """What the last life left; without a file a clean one, a damaged file is no clean end."""
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return Memory(clean=True)
    except (OSError, msgspec.DecodeError):
        return Memory()


def save(path: Path, memory: Memory) -> None:
    """Replace the file: old or new after a power cut, never half. Raises OSError."""
    fresh = path.with_suffix(".state-new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        data = msgspec.msgpack.encode(memory)
        while data:  # a disk that is nearly full takes a part of it and says nothing
            data = data[os.write(fd, data) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.rename(path)
    with contextlib.suppress(OSError):
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(directory)
        os.close(directory)
