"""A card in the simulated printer's slot: M20 to M25, M27 to M30, M524 (serial 6).

A print from it takes its bytes at a constant pace and moves nothing. What is written to it is kept,
as Marlin does it: between M28 and M29 every line that is accepted goes into the file, whatever it
says, and none is executed; one without a number is refused.
"""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bridge.simulator.pace import Pace
from bridge.simulator.receiver import Command

if TYPE_CHECKING:
    from bridge.simulator.machine import Handler, Machine

#: Bytes a print from the card takes a second at speed 1.
BYTES_PER_S = 2000.0
#: How Marlin ends a line that it writes.
LINE_END = b"\r\n"
_CLOSES = re.compile(rb"M29(?![0-9])")


@dataclass(slots=True)
class Storage:
    """What outlives a reset. *files* maps names to sizes in bytes, *written* to what was sent.

    *room_bytes*: what can still be written, None: no end of it.
    """

    files: dict[str, int]
    room_bytes: int | None = None
    written: dict[str, bytearray] = field(default_factory=dict)


class Card:
    """The card of one machine; a *storage* that is empty from the start is no card."""

    def __init__(self, storage: Storage, pace: Pace, *, inserted: bool) -> None:
        self._pace = pace
        self.storage = storage
        self.files = storage.files
        self.mounted = inserted
        self.saving: str | None = None
        self.opened: str | None = None
        self.runs = False
        self.started = False
        #: M524 has come; the main loop does it
        self.aborts = False
        self._at_bytes = 0.0
        self._since = 0.0

    @property
    def size_bytes(self) -> int:
        """Of the file that is open, 0 without one."""
        return self.files.get(self.opened or "", 0)

    def go(self, now: float) -> None:
        """Print what is open, on from where it is."""
        self.runs = self.started = True
        self._since = now

    def hold(self, now: float) -> None:
        """Stop where it is."""
        self._at_bytes = self.at_bytes(now)
        self.runs = False

    def at_bytes(self, now: float) -> float:
        """How much of the file is read."""
        run_s = self._pace.simulated_s(now - self._since) if self.runs else 0.0
        return min(float(self.size_bytes), self._at_bytes + run_s * BYTES_PER_S)

    def write(self, text: bytes) -> str | None:
        """A line for the file that is being written; what the printer says about it."""
        assert self.saving is not None
        if _CLOSES.search(text):
            self.saving = None
            return "Done saving file."
        data, storage = text + LINE_END, self.storage
        if storage.room_bytes is not None:
            if len(data) > storage.room_bytes:
                return "Error:error writing to file"
            storage.room_bytes -= len(data)
        storage.written[self.saving] += data
        self.files[self.saving] += len(data)
        return None

    def close(self) -> None:
        """Nothing is open."""
        self.opened, self.runs, self.started, self._at_bytes = None, False, False, 0.0


def _list(machine: "Machine", command: Command, now: float) -> None:
    """M20."""
    machine.say("Begin file list")
    for name, size_bytes in machine.card.files.items() if machine.card.mounted else ():
        machine.say(f"{name} {size_bytes}")
    machine.say("End file list")


def _mount(machine: "Machine", command: Command, now: float) -> None:
    """M21."""
    machine.card.mounted = bool(machine.profile.card)
    machine.say("echo:SD card ok" if machine.card.mounted else "echo:No SD card")


def _release(machine: "Machine", command: Command, now: float) -> None:
    """M22."""
    machine.card.close()
    machine.card.mounted = False
    machine.say("echo:SD card released")


def _select(machine: "Machine", command: Command, now: float) -> None:
    """M23 <name>."""
    card, name = machine.card, _name(command)
    card.close()
    if not card.mounted or name not in card.files:
        machine.say(f"open failed, File: {name}.")
        return
    card.opened = name
    machine.say(f"File opened: {name} Size: {card.size_bytes}")
    machine.say("File selected")


def _start(machine: "Machine", command: Command, now: float) -> None:
    """M24."""
    if machine.card.opened is not None and not machine.card.runs:
        machine.card.go(now)


def _pause(machine: "Machine", command: Command, now: float) -> None:
    """M25."""
    machine.card.hold(now)


def _report(machine: "Machine", command: Command, now: float) -> None:
    """M27; the end is told when somebody asks."""
    card = machine.card
    at_bytes = int(card.at_bytes(now))
    if not card.started:
        machine.say("Not SD printing")
    elif at_bytes >= card.size_bytes:
        card.close()
        machine.say("Done printing file")
    else:
        machine.say(f"SD printing byte {at_bytes}/{card.size_bytes}")


def _write(machine: "Machine", command: Command, now: float) -> None:
    """M28 <name>; without a card Marlin says nothing to it."""
    card, name = machine.card, _name(command)
    if not card.mounted:
        return
    card.close()
    machine.say(f"echo:Now fresh file: {name}")
    if not name or not _IS_NAME.fullmatch(name):
        machine.say(f"open failed, File: {name}.")
        return
    card.saving = name
    card.files[name], card.storage.written[name] = 0, bytearray()
    machine.say(f"Writing to file: {name}")


def _saved(machine: "Machine", command: Command, now: float) -> None:
    """M29 when nothing is being written: an `ok` and no more."""


def _delete(machine: "Machine", command: Command, now: float) -> None:
    """M30 <name>."""
    name = _name(command)
    machine.card.storage.written.pop(name, None)
    if machine.card.files.pop(name, None) is None:
        machine.say(f"Deletion failed, File: {name}.")
    else:
        machine.say(f"File deleted:{name}")


def _abort(machine: "Machine", command: Command, now: float) -> None:
    """M524: what is printed ends in the main loop; what is only open is closed."""
    if machine.card.runs:
        machine.card.aborts = True
    else:
        machine.card.close()


#: Names of eight and three characters.
_IS_NAME = re.compile(r"[^ ./\\]{1,8}(?:\.[^ ./\\]{1,3})?")


def _name(command: Command) -> str:
    return command.rest.decode("latin-1").strip()


HANDLERS: "dict[bytes, Handler]" = {
    b"M20": _list,
    b"M21": _mount,
    b"M22": _release,
    b"M23": _select,
    b"M24": _start,
    b"M25": _pause,
    b"M27": _report,
    b"M28": _write,
    b"M29": _saved,
    b"M30": _delete,
    b"M524": _abort,
}
