"""Frames and their limits."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import (
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    BadFrame,
    UnknownType,
    decode,
    encode,
    encoded_size,
)
from schemas.facts import AlarmFact, Fact, FactBatch
from schemas.link import Beat, Frame, LiveSnap
from schemas.printer import Live, PrinterState


def test_frame_survives_the_wire() -> None:
    """Body, epoch and clock come back as they were."""
    frame = Frame(body=Beat(sent_ms=5, echo_ms=3, printing=2), epoch=7, mono_ms=99)
    assert decode(encode(frame)) == frame
    assert decode(encode(frame).encode()) == frame


def test_unknown_fields_are_ignored() -> None:
    """A newer peer may say more."""
    assert decode('{"t":"beat","x":1,"d":{"sent_ms":1,"new":[1]}}').body == Beat(sent_ms=1)


def test_unknown_type_names_itself() -> None:
    """It is answered with `nak unsupported`, never with a disconnect."""
    with pytest.raises(UnknownType) as caught:
        decode('{"t":"future","d":{}}')
    assert caught.value.name == "future"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"t":"beat"}',
        '{"t":"beat","d":{"sent_ms":"x"}}',
        '{"t":"beat","d":{"sent_ms":NaN}}',
        '{"t":"beat","d":{"sent_ms":1e999}}',
        '{"t":1,"d":{}}',
        '{"t":"beat","e":-1.5,"d":{"sent_ms":1}}',
        "\ud800",
    ],
)
def test_what_is_no_frame_is_refused(text: str) -> None:
    """Malformed, of the wrong shape, not finite: always `BadFrame`."""
    with pytest.raises(BadFrame):
        decode(text)


def test_size_and_depth_are_limited() -> None:
    """32 KiB and 32 levels, before anything is built."""
    with pytest.raises(BadFrame, match="over"):
        decode(b" " * (MAX_FRAME_BYTES + 1))
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    with pytest.raises(BadFrame, match="deeper"):
        decode('{"t":"beat","d":{"x":' + deep + "}}")
    brackets_in_a_text = '{"t":"beat","d":{"sent_ms":1,"x":"' + "[" * 100 + '\\"["}}'
    assert decode(brackets_in_a_text).body == Beat(sent_ms=1)


@pytest.mark.parametrize("text", ['"\\' * 16_000, '"' * 32_000, "[" * 32_000, '"\\\n' * 10_000])
def test_no_text_of_the_allowed_size_costs_much_time(text: str) -> None:
    """Quotes without an end made the depth check quadratic."""
    begun = time.process_time()  # another process may have the core
    with pytest.raises(BadFrame):
        decode('{"t":"beat","d":' + text)
    assert time.process_time() - begun < 0.25


def test_own_frame_over_the_limit_is_refused() -> None:
    """Larger bodies are split by whoever makes them."""
    lives = [Live(printer=n, state=PrinterState.OFFLINE, error="x" * 1000) for n in range(40)]
    with pytest.raises(BadFrame, match="live frame"):
        encode(Frame(body=LiveSnap(printers=lives)))
    assert encoded_size(LiveSnap(printers=lives)) > MAX_FRAME_BYTES


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_give_a_frame_or_a_bad_frame(data: bytes) -> None:
    """Nothing else ever leaves `decode`."""
    try:
        decoded = decode(data)
    except BadFrame as refused:
        assert str(refused)
    else:
        assert isinstance(decoded, Frame)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=100), st.integers(0, 2**60))
def test_any_text_comes_back(text: str, seq: int) -> None:
    """Control characters and every script survive; NUL, which no row can hold, is replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    assert decode(encode(Frame(body=alarm(text, seq)))).body == alarm(cleaned(text), seq)


def alarm(text: str, seq: int = 1) -> FactBatch:
    """A batch with one fact."""
    body = AlarmFact(printer=1, code="x", text=text)
    return FactBatch(journal_id="j", facts=[Fact(seq=seq, at_ms=0, boot_id="b", body=body)])


def cleaned(text: str) -> str:
    return text.replace("\0", "\ufffd")


@pytest.mark.parametrize(
    "text", ["\0", "a\0\0b", "\\\0", "\\u0000", "\\\\u0000", "\\\\\0\\", '"\0"', "\ufffd\0\1"]
)
def test_only_a_nul_is_replaced(text: str) -> None:
    """Not the six letters that JSON writes for one, however many backslashes stand before them."""
    assert decode(encode(Frame(body=alarm(text)))).body == alarm(cleaned(text))
