"""Frames between agent and sender."""

import pytest

from bridge.control.framing import (
    MAX_FRAME_BYTES,
    encode,
    from_sender_reader,
    to_sender_reader,
)
from bridge.control.messages import Adopt, Gcode, Pause, Refused, ToSender
from bridge.errors import ControlError


def test_messages_survive_any_cut() -> None:
    """Three frames, one byte at a time, are three messages in order."""
    messages: list[ToSender] = [
        Adopt(epoch=3, agent_pid=7),
        Pause(id="a", grant="g"),
        Gcode(id="b", lines=["M105"]),
    ]
    reader = to_sender_reader()
    data = b"".join(encode(message) for message in messages)
    got = [one for byte in data for one in reader.feed(bytes([byte]))]
    assert got == messages


def test_both_directions_have_their_own_messages() -> None:
    """What a sender says is read by the agent's reader."""
    assert from_sender_reader().feed(encode(Refused(reason="old epoch"))) == [
        Refused(reason="old epoch")
    ]


@pytest.mark.parametrize(
    "data",
    [
        (MAX_FRAME_BYTES + 1).to_bytes(4, "big"),
        b"\x00\x00\x00\x01\xc1",
        b"\x00\x00\x00\x02\x81\x00",
    ],
)
def test_a_broken_peer_is_an_error(data: bytes) -> None:
    """Oversized, undecodable and unknown frames raise instead of growing memory."""
    with pytest.raises(ControlError):
        to_sender_reader().feed(data)


def test_an_oversized_message_is_not_sent() -> None:
    """The limit holds for our own side too."""
    with pytest.raises(ControlError, match="over"):
        encode(Gcode(id="x", lines=["M117 " + "a" * MAX_FRAME_BYTES]))
