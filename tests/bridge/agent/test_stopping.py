"""`bridge stop`: senders are told to quit, and one that hears nothing ends all the same."""

import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from bridge.agent.stopping import end_simulators, quit_all
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


@pytest.mark.parametrize(
    ("does", "ended_by"), [("SIG_DFL", signal.SIGTERM), ("SIG_IGN", signal.SIGKILL)]
)
def test_simulators_are_ended_and_killed_when_they_hang(
    quick_dir: Path, does: str, ended_by: signal.Signals
) -> None:
    """There is no machine behind them: nothing is left running, whatever they do."""
    code = (
        "import signal, sys, time; from pathlib import Path; from bridge.control.lock import Lock; "
        f"signal.signal(signal.SIGTERM, signal.{does}); lock = Lock(Path(sys.argv[1])); "
        "print('up', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(quick_dir / "sim1.port.lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as simulator:
        assert simulator.stdout is not None and simulator.stdout.readline() == b"up\n"
        grace_s = 30.0 if ended_by is signal.SIGTERM else 0.0
        assert end_simulators(quick_dir, grace_s) == ("sim1",)
        assert simulator.wait(10) == -ended_by
    assert end_simulators(quick_dir) == ()
