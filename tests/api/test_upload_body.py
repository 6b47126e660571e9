"""A body is read to its end before a refusal ends; that of an upload is withheld from Quart."""

import asyncio

import pytest

from api.upload_body import Message, UploadBody, WholeBody, has_body, is_upload


class Wire:
    """A client that sends *chunks* and notes when the answer came."""

    def __init__(self, chunks: int, *, ends: bool = True) -> None:
        self.left = chunks
        self.ends = ends
        self.sent: list[tuple[str, int]] = []  # what was answered, with how many chunks left

    async def receive(self) -> Message:
        if not self.left and not self.ends:
            await asyncio.Event().wait()
        self.left -= 1
        return {"type": "http.request", "body": b"x", "more_body": self.left > 0}

    async def send(self, message: Message) -> None:
        self.sent.append((message["type"], self.left))


async def answer(body: WholeBody) -> None:
    await body.send({"type": "http.response.start"})
    await body.send({"type": "http.response.body"})


async def test_refusal_leaves_at_once_and_ends_with_the_body() -> None:
    """Who reads while sending knows at once; who still sends reads it too, no broken pipe."""
    wire = Wire(5)
    body = UploadBody(wire.receive, wire.send)
    await body.receive()
    await answer(body)
    body_of_answer = "http.response.body"
    assert wire.sent == [("http.response.start", 4), (body_of_answer, 4), (body_of_answer, 0)]


async def test_answer_to_a_whole_body_waits_for_nothing() -> None:
    """Nothing is asked of a client that has sent everything."""
    wire = Wire(1, ends=False)
    body = UploadBody(wire.receive, wire.send)
    await body.receive()
    await answer(body)
    assert wire.sent == [("http.response.start", 0), ("http.response.body", 0)]


async def test_client_that_went_away_is_not_waited_for() -> None:
    """A disconnect ends the body too."""

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    wire = Wire(0)
    await answer(UploadBody(gone, wire.send))
    assert len(wire.sent) == 3


async def test_client_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the answer; after a while the connection ends whatever else comes."""
    monkeypatch.setattr(UploadBody, "drain_s", 0.01)
    wire = Wire(2, ends=False)
    wire.left = 0
    await answer(UploadBody(wire.receive, wire.send))
    assert len(wire.sent) == 3


def test_only_multipart_posts_are_uploads() -> None:
    """Everything else is Quart's to read."""
    kind = [(b"content-type", b" Multipart/Form-Data; boundary=x")]
    assert is_upload({"method": "POST", "headers": kind})
    assert not is_upload({"method": "PUT", "headers": kind})
    assert not is_upload({"method": "POST", "headers": [(b"content-type", b"application/json")]})


async def test_whoever_reads_a_small_body_already_is_waited_for() -> None:
    """Quart's reader and the drain do not take each other's messages; the disconnect stays its."""
    bodies = asyncio.Queue[Message]()
    wire = Wire(0)
    body = WholeBody(bodies.get, wire.send)
    reader = asyncio.create_task(body.receive())
    await asyncio.sleep(0)
    answering = asyncio.create_task(answer(body))
    await asyncio.sleep(0.01)
    assert (len(wire.sent), answering.done()) == (2, False)
    bodies.put_nowait({"type": "http.request", "body": b"x", "more_body": True})
    assert (await reader)["body"] == b"x"
    bodies.put_nowait({"type": "http.request", "body": b"y", "more_body": False})
    await asyncio.wait_for(answering, 5)
    assert (len(wire.sent), bodies.empty()) == (3, True)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], False),
        ([(b"content-length", b"0")], False),
        ([(b"content-length", b"12")], True),
        ([(b"transfer-encoding", b"chunked")], True),
    ],
)
def test_a_request_says_whether_a_body_follows(
    headers: list[tuple[bytes, bytes]], expected: bool
) -> None:
    """Most do not; they are served as they come."""
    assert has_body({"method": "POST", "headers": headers}) is expected
