"""Named points in the talk of two real processes: what is said there is heard, and not carried.

A process that says something has done all that must come before it: `cmd.got` on the link means
that the journal is on the disk, `fact.ack` that the rows are committed, `start` on a control socket
that the grant is consumed. So a line that reads what it carries can kill a process exactly between
two of its steps, and no process needs a door for that.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

_TEXT_FRAME = 0x81
_HEAD_END = b"\r\n\r\n"


@dataclass
class Trap:
    """*spring* is called when a message called *name* comes by; True: it is carried all the same.

    Only once: afterwards *sprung* is set and everything passes.
    """

    name: str
    spring: Callable[[], bool]
    sprung: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout_s: float = 60.0) -> None:
        """Until it has sprung; fails when nobody says that."""
        assert self.sprung.wait(timeout_s), f"nobody said {self.name!r} within {timeout_s} s"


class Talk(Protocol):
    """One connection's conversation."""

    def passes(self, data: bytes, *, is_up: bool) -> tuple[bytes, bool]:
        """What of *data* is carried now, and whether the line ends there."""


class Traps:
    """What is waited for on one line, and what was said on it."""

    def __init__(self, talk: "Callable[[Traps], Talk]") -> None:
        self._talk = talk
        self._armed: list[Trap] = []
        self.said: list[str] = []
        self.asked: dict[str, str] = {}  # command id -> what it was, over all connections

    def talk(self) -> Talk:
        """For a new connection."""
        return self._talk(self)

    def arm(self, name: str, spring: Callable[[], bool]) -> Trap:
        """Wait for the next message called *name*."""
        trap = Trap(name, spring)
        self._armed.append(trap)
        return trap

    def lets_pass(self, names: list[str]) -> bool:
        """A message comes by; False: the line ends in front of it."""
        self.said += names
        for trap in [trap for trap in self._armed if trap.name in names]:
            self._armed.remove(trap)
            goes_on = trap.spring()
            trap.sprung.set()
            if not goes_on:
                return False
        return True


def _until_trapped(traps: Traps, frames: Iterator[tuple[bytes, list[str]]]) -> tuple[bytes, bool]:
    carried = bytearray()
    for frame, names in frames:
        if not traps.lets_pass(names):
            return bytes(carried), True
        carried += frame
    return bytes(carried), False


class ControlTalk:
    """Agent and sender: `start`, `event_ack`, `event started`, `outcome of start`, …"""

    def __init__(self, traps: Traps) -> None:
        self._traps = traps
        self._held = {True: bytearray(), False: bytearray()}

    def passes(self, data: bytes, *, is_up: bool) -> tuple[bytes, bool]:
        """What of *data* is carried now, and whether the line ends there."""
        held = self._held[is_up]
        held += data
        return _until_trapped(self._traps, self._frames(held))

    def _frames(self, held: bytearray) -> Iterator[tuple[bytes, list[str]]]:
        while len(held) >= 4 and len(held) >= (end := 4 + int.from_bytes(held[:4], "big")):
            frame = bytes(held[:end])
            del held[:end]
            yield frame, [self._name(msgspec.msgpack.decode(frame[4:]))]

    def _name(self, message: dict[str, Any]) -> str:
        kind: str = message["type"]
        if kind == "outcome":
            return f"outcome of {self._traps.asked.get(message['id'], 'something')}"
        if kind == "event":
            body = message["body"]
            return f"event {body.get('event', body['type'])}"
        if "id" in message:
            self._traps.asked[message["id"]] = kind
        return kind


class LinkTalk:
    """Agent and API: `cmd start`, `cmd.got`, `fact started`, `fact.ack`, … on websockets."""

    def __init__(self, traps: Traps) -> None:
        self._traps = traps
        self._held = {True: bytearray(), False: bytearray()}
        self._is_raw = {True: False, False: False}  # plain HTTP
        self._is_open = {True: False, False: False}

    def passes(self, data: bytes, *, is_up: bool) -> tuple[bytes, bool]:
        """What of *data* is carried now, and whether the line ends there."""
        if self._is_raw[is_up]:
            return data, False
        held = self._held[is_up]
        held += data
        head = b""
        if not self._is_open[is_up]:
            if _HEAD_END not in held:
                return b"", False
            end = held.index(_HEAD_END) + len(_HEAD_END)
            head = bytes(held[:end])
            del held[:end]
            if b"upgrade: websocket" not in head.lower():
                self._is_raw[is_up] = True
                return head + bytes(held), False
            self._is_open[is_up] = True
        carried, is_over = _until_trapped(self._traps, _websocket_frames(held))
        return head + carried, is_over


def _websocket_frames(held: bytearray) -> Iterator[tuple[bytes, list[str]]]:
    while (found := _payload(held)) is not None:
        end, payload = found
        frame = bytes(held[:end])
        del held[:end]
        yield frame, _link_names(payload) if frame[0] == _TEXT_FRAME else []


def _payload(held: bytearray) -> tuple[int, bytes] | None:
    """Where the first frame ends, and its unmasked payload; None while it is not whole."""
    if len(held) < 2:
        return None
    size, at = held[1] & 0x7F, 2
    more = {126: 2, 127: 8}.get(size, 0)
    if more:
        if len(held) < at + more:
            return None
        size, at = int.from_bytes(held[at : at + more], "big"), at + more
    mask = b"\0" * 4
    if held[1] & 0x80:
        mask, at = bytes(held[at : at + 4]), at + 4
    if len(held) < at + size:
        return None
    payload = bytes(byte ^ mask[n % 4] for n, byte in enumerate(held[at : at + size]))
    return at + size, payload


def _link_names(payload: bytes) -> list[str]:
    frame = msgspec.json.decode(payload)
    kind, body = frame["t"], frame["d"]
    if kind == "cmd":
        return [f"cmd {body['verb']}"]
    if kind == "fact":
        bodies = [fact["body"] for fact in body["facts"]]
        return [f"fact {each.get('event', each['type'])}" for each in bodies]
    return [str(kind)]


class HttpTalk:
    """A person's client and the API: `answer` is whatever the API says."""

    def __init__(self, traps: Traps) -> None:
        self._traps = traps

    def passes(self, data: bytes, *, is_up: bool) -> tuple[bytes, bool]:
        """What of *data* is carried now, and whether the line ends there."""
        return _until_trapped(self._traps, iter([(data, ["question" if is_up else "answer"])]))
