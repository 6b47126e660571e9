"""Frames between agent and sender: four bytes of length, big endian, then one MessagePack message.

Pure. Both ends use it: the sender in its poll loop, the agent in its event loop.
"""

from typing import Any, Generic, TypeVar

import msgspec

from bridge.control.messages import FromSender, ToSender
from bridge.errors import ControlError

#: A frame above this is a broken peer, not a message.
MAX_FRAME_BYTES = 1024 * 1024
_HEADER_BYTES = 4

M = TypeVar("M")
_encoder = msgspec.msgpack.Encoder()


def encode(message: ToSender | FromSender) -> bytes:
    """*message* as one frame. Raises `ControlError` when it would be over 1 MiB."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise ControlError(f"a message of {len(body)} bytes is over {MAX_FRAME_BYTES}")
    return len(body).to_bytes(_HEADER_BYTES, "big") + body


class FrameReader(Generic[M]):
    """Bytes in, messages out; a frame may come in any number of pieces."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[M]:
        """The messages that *data* completes, oldest first.

        Raises `ControlError` on an oversized or undecodable frame; the reader is unusable then.
        """
        self._buffer += data
        messages: list[M] = []
        while len(self._buffer) >= _HEADER_BYTES:
            size = int.from_bytes(self._buffer[:_HEADER_BYTES], "big")
            if size > MAX_FRAME_BYTES:
                raise ControlError(f"a frame of {size} bytes is over {MAX_FRAME_BYTES}")
            end = _HEADER_BYTES + size
            if len(self._buffer) < end:
                break
            try:
                messages.append(self._decoder.decode(self._buffer[_HEADER_BYTES:end]))
            except msgspec.DecodeError as error:
                raise ControlError(f"not a control message: {error}") from None
            del self._buffer[:end]
        return messages


def to_sender_reader() -> FrameReader[ToSender]:
    """What a sender reads its owner with."""
    return FrameReader(ToSender)


def from_sender_reader() -> FrameReader[FromSender]:
    """What an agent reads its senders with."""
    return FrameReader(FromSender)
