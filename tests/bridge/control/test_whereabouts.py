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
    found = runtime_of_senders([*others, sender(5, "/run"), sender(6, "/run")], STATE, OURS)
    assert found == Path("/run")


def test_senders_of_another_user_keep_an_agent_from_starting() -> None:
    """It could not talk to them, and would call their prints failed: it says who may."""
    with pytest.raises(ControlError, match=r"processes 8\).*as root.*bridge stop --all"):
        runtime_of_senders([sender(8, "/run/b", uid=0)], STATE, OURS)
    assert (user_name(0), user_name(987654)) == ("root", "987654")


@pytest.mark.parametrize(("uid", "known"), [(0, ()), (OURS, ()), (4321, (8,))])
def test_senders_of_who_may_have_worked_here_count(
    uid: int, known: tuple[int, ...], tmp_path: Path
) -> None:
    """Root, the directory's owner, and whoever it was before it was given to somebody else."""
    uid = tmp_path.stat().st_uid if uid == OURS else uid
    with pytest.raises(ControlError, match="processes 8"):
        runtime_of_senders([sender(8, "/run", tmp_path, uid)], tmp_path, 1234567, known)


def test_what_a_stranger_calls_his_process_keeps_no_agent_from_starting(tmp_path: Path) -> None:
    """Anybody may start one that looks like a sender of this bridge; ours are found."""
    fake = sender(9, "/tmp/fake", tmp_path, 4321)
    assert runtime_of_senders([fake], tmp_path, OURS, known=(8,)) is None
    assert runtime_of_senders([fake, sender(8, "/run", tmp_path)], tmp_path, OURS) == Path("/run")


def test_a_directory_that_leads_to_itself_is_nobodys(tmp_path: Path) -> None:
    """It is only an argument of some process: it ended each start of an agent."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert runtime_of_senders([sender(9, "/run", loop, 4321)], STATE, OURS) is None


def test_senders_whose_sockets_are_gone_are_not_taken_for_dead(tmp_path: Path) -> None:
    """/run/user/1000 goes with the last session; the print that was begun in it goes on."""
    gone = sender(8, str(tmp_path / "gone"))
    with pytest.raises(ControlError, match=r"processes 8\).*gone with .*kill 8"):
        runtime_of_senders([gone], STATE, OURS)


def test_an_agent_started_otherwise_finds_senders_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand in a session, then by systemd: XDG_RUNTIME_DIR differs, their sockets do not."""
    state = tmp_path / "state"
    with TemporaryDirectory(prefix="g") as first, TemporaryDirectory(prefix="g") as second:
        monkeypatch.setenv("XDG_RUNTIME_DIR", first)
        runtime = runtime_dir(state)
        line = ["bridge.sender", "--socket", str(runtime / "7.sock"), "--state-dir", str(state)]
        process = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True); input()", *line],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:  # its command line can be read a moment after it has one
            assert process.stdout is not None and process.stdout.readline() == b"up\n"
            monkeypatch.setenv("XDG_RUNTIME_DIR", second)
            assert runtime_dir(state) == runtime
        finally:
            process.communicate()
        assert runtime_dir(state) != runtime, "nobody is there any more"
