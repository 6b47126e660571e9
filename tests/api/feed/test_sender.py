"""The way out to a websocket: what is written, how much at once, and that others get their turn."""

import asyncio
from collections import deque
from typing import Any

import pytest
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import TextMessage

from api.feed.sender import BATCH_CHARACTERS, BATCHES, BoundedSender, Over, batched, framed
from tests.api.conftest import FakeClock


class Waiting:
    """A source of frames that wait already."""

    closed: str | None = None

    def __init__(self, *texts: str) -> None:
        self.texts = deque(texts)

    def data_to_send(self) -> str | None:
        """The next one."""
        return self.texts.popleft() if self.texts else None

    def waiting(self) -> int:
        """None are counted."""
        return 0

    def deadline(self) -> float:
        """Never."""
        return float("inf")

    def tick(self, now: float) -> None:
        """Nothing is due."""


def sender(source: Waiting, sent: list[Any], *, batches: bool) -> BoundedSender:
    """Writes what *source* has to *sent*."""

    async def send(message: Any) -> None:
        sent.append(message)

    return BoundedSender(source, send, FakeClock(), max_waiting=10, patience_s=5.0, batches=batches)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
def test_a_ready_made_frame_is_what_the_server_would_make(size: int) -> None:
    """RFC 6455, 5.2, at every length of a length; two bytes a character."""
    text = "é" * (size // 2) + "x" * (size % 2)
    server = Connection(ConnectionType.SERVER)
    assert framed(text) == server.send(TextMessage(data=text))


async def test_a_server_that_takes_frames_gets_many_at_once() -> None:
    """A thousand pictures are a few writes, whole frames in order."""
    texts = [f'{{"picture":{number},"of":"{"p" * 100}"}}' for number in range(1000)]
    sent: list[Any] = []
    await sender(Waiting(*texts), sent, batches=True).flush()
    assert b"".join(message["frames"] for message in sent) == b"".join(map(framed, texts))
    assert len(sent) < 10
    assert all(len(message["frames"]) < 2 * BATCH_CHARACTERS for message in sent)


async def test_another_server_gets_one_message_a_frame() -> None:
    """As ASGI has it."""
    sent: list[Any] = []
    await sender(Waiting("a", "b"), sent, batches=False).flush()
    assert sent == [{"type": "websocket.send", "text": text} for text in ("a", "b")]


async def test_a_socket_with_much_to_take_gives_others_their_turn() -> None:
    """Between two writes the event loop goes on."""
    texts = ["x" * BATCH_CHARACTERS] * 20
    sent: list[Any] = []
    turns = 0

    async def other() -> None:
        nonlocal turns
        while len(sent) < len(texts):
            turns += 1
            await asyncio.sleep(0)

    await asyncio.gather(other(), sender(Waiting(*texts), sent, batches=True).flush())
    assert turns >= len(texts) - 1


async def test_a_cut_socket_is_not_written_any_more() -> None:
    """What waits when a credential ends stays unsaid (safety S12)."""
    sent: list[Any] = []
    out = sender(Waiting("secret"), sent, batches=True)
    out.cut(4401, "over")
    with pytest.raises(Over, match="over"):
        await out.flush()
    assert sent == []


def test_a_server_says_that_it_takes_frames() -> None:
    """By an extension in the scope; without a word it takes none."""
    assert batched({"extensions": {BATCHES: {}}})
    assert not batched({"extensions": {"websocket.http.response": {}}})
    assert not batched({})


async def test_of_sockets_that_share_a_turn_one_makes_a_batch_at_a_time() -> None:
    """Twenty dashboards hear of the same thousand pictures at once; a command waits for one."""
    passes = 0
    made: list[int] = []

    class Counted(Waiting):
        def data_to_send(self) -> str | None:
            """The next one, and when it was asked for."""
            if self.texts:
                made.append(passes)
            return super().data_to_send()

    async def other() -> None:
        nonlocal passes
        while True:
            await asyncio.sleep(0)
            passes += 1

    async def send(message: Any) -> None:
        pass

    turn = asyncio.Lock()
    going = asyncio.create_task(other())
    out = [
        BoundedSender(
            Counted(*["x" * BATCH_CHARACTERS] * 5),
            send,
            FakeClock(),
            max_waiting=10,
            patience_s=5.0,
            batches=True,
            turn=turn,
        )
        for _ in range(10)
    ]
    await asyncio.gather(*(each.flush() for each in out))
    going.cancel()
    assert len(made) == 50
    assert len(set(made)) == 50
