"""SockJS frames, and what a client may have said (OctoPrint contract, 8)."""

import pytest

from api.feed.sender import Over
from api.feed.sockjs import HEARTBEAT_S, SockJs, farewell, said
from tests.api.conftest import FakeClock


class Two:
    """A source with two texts."""

    closed: str | None = None

    def __init__(self) -> None:
        self.texts = ['{"a":1}', '{"b":2}']

    def data_to_send(self) -> str | None:
        return self.texts.pop(0) if self.texts else None

    def waiting(self) -> int:
        return len(self.texts)

    def deadline(self) -> float:
        return float("inf")

    def tick(self, now: float) -> None:
        del now


def test_it_opens_then_carries_then_beats(clock: FakeClock) -> None:
    """`o`, `a[…]` with the values as they are, `h` every 25 s."""
    frames = SockJs(Two(), clock)
    assert [frames.data_to_send() for _ in range(4)] == ["o", 'a[{"a":1}]', 'a[{"b":2}]', None]
    assert frames.deadline() == clock.monotonic() + HEARTBEAT_S
    clock.advance(HEARTBEAT_S)
    frames.tick(clock.monotonic())
    assert [frames.data_to_send() for _ in range(2)] == ["h", None]


def test_it_says_goodbye_with_code_and_reason() -> None:
    """`c[code,"reason"]`; nothing to who has gone."""
    assert farewell(Over(1012, "the server restarts")) == 'c[1012,"the server restarts"]'
    assert farewell(Over(None, "gone")) is None


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ('["a","b"]', ["a", "b"]),
        ('"a"', ["a"]),
        ("[]", []),
        ("[7]", None),
        ("{}", None),
        ("no", None),
        ("", None),
        (None, None),
    ],
)
def test_clients_say_an_array_of_strings(text: str | None, messages: list[str] | None) -> None:
    """Or one string; everything else is broken."""
    assert said(text) == messages
