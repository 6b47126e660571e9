"""`bridge stop`: senders are told to quit, and one that hears nothing ends all the same."""

from itertools import count

import pytest

from bridge.agent.stopping import quit_all
from tests.fakes.sender import FakeHome, FakeSender


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try comes at once."""
    monkeypatch.setattr("bridge.agent.stopping.ADOPT_AGAIN_S", 0.0)


async def test_senders_are_told_to_quit_and_cancel_their_prints_themselves() -> None:
    """None of them is killed: what is hot is cooled by its own sender."""
    home = FakeHome(FakeSender(1, grant="g1"), FakeSender(2))
    assert await quit_all(home, [1, 2], count(), timeout_s=30.0) == []
    assert [sender.quits for sender in home.senders.values()] == [[False], [False]]
    assert home.kills == []


async def test_sender_that_hangs_is_killed_after_some_tries() -> None:
    """Whoever ends a farm finds nothing running afterwards."""
    home = FakeHome(FakeSender(1))
    home.deaf = True
    assert await quit_all(home, [1], count(), timeout_s=30.0) == []
    assert home.kills == [1]


async def test_sender_that_goes_on_with_its_last_words_is_named() -> None:
    """It has been told, it answers, and it is not killed while it cools its printer."""
    home = FakeHome(sender := FakeSender(1, grant="g1"))
    sender.die = lambda: None  # type: ignore[method-assign]
    assert await quit_all(home, [1], count(), timeout_s=0.02) == [1]
    assert (sender.quits, home.kills) == ([False], [])
