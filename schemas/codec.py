"""Frames to text and back, with the limits of the room link contract.

Raises `BadFrame` for what a peer must not send: over 32 KiB, deeper than 32, NaN, not JSON, a body
of the wrong shape; `UnknownType` for a type this version does not know. Texts may hold anything, as
printers do, but for NUL characters: no database keeps them in a text, so they are replaced here.
"""

import re
from typing import Any

import msgspec

from schemas.link import NAME_OF, TYPES, Body, Frame

MAX_FRAME_BYTES = 32 * 1024
MAX_DEPTH = 32

#: The closing quote is optional, so that a text without one is passed once and not from each quote.
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
#: JSON has no other way to say it, so bytes that do not hold this need no second look.
_NUL = b"\\u0000"
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
_REPLACEMENT = rb"\1\\ufffd"


class BadFrame(ValueError):
    """The peer sent something that is no frame. The text says what is wrong with it."""


class UnknownType(BadFrame):
    """A frame of a type that this version does not know: *name*."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown message type {name[:40]!r}")
        self.name = name


class _Wire(msgspec.Struct, omit_defaults=True):
    t: str
    d: msgspec.Raw
    e: int = 0
    m: int = 0


_wire_decoder = msgspec.json.Decoder(_Wire)
_encoder = msgspec.json.Encoder()
_body_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(body) for name, (body, _) in TYPES.items()
}


def encode(frame: Frame) -> str:
    """The frame as JSON text. Raises `BadFrame` when it would be over 32 KiB."""
    raw = msgspec.Raw(_encoder.encode(frame.body))
    wire = _Wire(t=NAME_OF[type(frame.body)], d=raw, e=frame.epoch, m=frame.mono_ms)
    data = _encoder.encode(wire)
    if len(data) > MAX_FRAME_BYTES:
        raise BadFrame(f"{wire.t} frame of {len(data)} bytes is over {MAX_FRAME_BYTES}")
    return data.decode()


def encoded_size(body: Body) -> int:
    """Bytes of the body alone; a frame adds less than 100."""
    return len(_encoder.encode(body))


def decode(text: str | bytes) -> Frame:
    """The frame in *text*; unknown fields are ignored. Raises `BadFrame` or `UnknownType`."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MAX_FRAME_BYTES:
        raise BadFrame(f"frame of {len(data)} bytes is over {MAX_FRAME_BYTES}")
    if _depth(data) > MAX_DEPTH:
        raise BadFrame(f"frame is nested deeper than {MAX_DEPTH}")
    if _NUL in data:
        data = _ESCAPED_NUL.sub(_REPLACEMENT, data)
    try:
        wire = _wire_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFrame(f"not a frame: {error}") from None
    decoder = _body_decoders.get(wire.t)
    if decoder is None:
        raise UnknownType(wire.t)
    try:
        body = decoder.decode(wire.d)
    except msgspec.DecodeError as error:
        raise BadFrame(f"{wire.t}: {error}") from None
    return Frame(body=body, epoch=wire.e, mono_ms=wire.m)


def _depth(data: bytes) -> int:
    depth = deepest = 0
    for match in _STRUCTURE.finditer(data):
        token = match.group()[0]
        if token in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif token in b"]}":
            depth -= 1
    return deepest
