"""Runtime directory, socket names and the lock."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge.control.lock import Lock, is_held, read_pid
from bridge.control.paths import MAX_SOCKET_PATH_BYTES, lock_path, runtime_dir, socket_path
from bridge.errors import ControlError, LockHeld


def test_a_long_state_directory_still_gives_a_short_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AF_UNIX paths end at 107 bytes whatever `--data` is."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    runtime = runtime_dir(tmp_path / ("long" * 60))
    assert len(os.fsencode(socket_path(runtime, 2**31))) <= MAX_SOCKET_PATH_BYTES
    assert runtime.stat().st_mode & 0o777 == 0o700


def test_two_bridges_of_one_user_never_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each state directory has its own runtime directory, the same at every start."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_dir(tmp_path / "a") == runtime_dir(tmp_path / "a")
    assert runtime_dir(tmp_path / "a") != runtime_dir(tmp_path / "b")


def test_a_directory_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write there could be our printer."""
    with TemporaryDirectory(prefix="g") as short:  # a long one is not taken in the first place
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        (Path(short) / "gantry").mkdir(mode=0o755)
        (Path(short) / "gantry").chmod(0o755)
        with pytest.raises(ControlError, match="0700"):
            runtime_dir(tmp_path / "a")


def test_a_socket_path_that_cannot_be_bound_is_refused() -> None:
    """The error says what to do."""
    with pytest.raises(ControlError, match="shorter"):
        socket_path(Path("/" + "x" * 107), 1)


def test_a_lock_has_one_holder_and_says_who(tmp_path: Path) -> None:
    """The second sender of a printer learns the pid of the first."""
    path = lock_path(tmp_path / "7.sock")
    assert not is_held(path)
    lock = Lock(path)
    assert is_held(path)
    with pytest.raises(LockHeld) as caught:
        Lock(path)
    assert caught.value.pid == os.getpid() == read_pid(path)
    lock.release()
    assert not is_held(path)
