"""An agent finds the senders of the one before it, with whatever environment that was started."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge.control.paths import runtime_dir
from bridge.control.whereabouts import Process, runtime_of_senders, user_name
from bridge.errors import ControlError

STATE = Path("/var/lib/room")
OURS = 1000


def sender(pid: int, runtime: str, state_dir: Path = STATE, uid: int = OURS) -> Process:
    line = f"python -m bridge.sender --socket {runtime}/7.sock --printer 7 --state-dir {state_dir}"
    return Process(pid, uid, (*line.split(), ""))


def test_senders_are_where_they_were_started() -> None:
    """Those of this bridge count, not those of another one, nor what only looks like one."""
    others = [
        sender(1, "/run/a", Path("/var/lib/hall")),
        Process(2, OURS, ("grep", "bridge.sender", "--state-dir", str(STATE))),
        Process(3, OURS, ("python", "-m", "bridge.sender", "--exit-when-done", "x.gcode")),
        Process(4, OURS, ("",)),
    ]
    assert runtime_of_senders(others, STATE, OURS) is None
    found = runtime_of_senders([*others, sender(5, "/run/b"), sender(6, "/run/b")], STATE, OURS)
    assert found == Path("/run/b")


def test_senders_of_another_user_keep_an_agent_from_starting() -> None:
    """It could not talk to them, and would call their prints failed: it says who may."""
    with pytest.raises(ControlError, match=r"processes 8\).*as root.*bridge stop --all"):
        runtime_of_senders([sender(8, "/run/b", uid=0)], STATE, OURS)
    assert (user_name(0), user_name(987654)) == ("root", "987654")


def test_an_agent_started_otherwise_finds_senders_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand in a session, then by systemd: XDG_RUNTIME_DIR differs, their sockets do not."""
    state = tmp_path / "state"
    with TemporaryDirectory(prefix="g") as first, TemporaryDirectory(prefix="g") as second:
        monkeypatch.setenv("XDG_RUNTIME_DIR", first)
        runtime = runtime_dir(state)
        line = ["bridge.sender", "--socket", str(runtime / "7.sock"), "--state-dir", str(state)]
        process = subprocess.Popen([sys.executable, "-c", "input()", *line], stdin=subprocess.PIPE)
        try:
            monkeypatch.setenv("XDG_RUNTIME_DIR", second)
            assert runtime_dir(state) == runtime
        finally:
            process.communicate()
        assert runtime_dir(state) != runtime, "nobody is there any more"
