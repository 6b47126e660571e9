"""One holder of a lock, and any number of those who only ask for him."""

import fcntl
import os
from pathlib import Path
from threading import Timer

import pytest

from bridge.control.lock import Lock, is_held, read_pid
from bridge.errors import LockHeld


def test_a_lock_has_one_holder_until_he_lets_go(tmp_path: Path) -> None:
    """The second is told who has it; the file stays."""
    path = tmp_path / "7.lock"
    assert not is_held(path)
    lock = Lock(path)
    assert is_held(path) and read_pid(path) == os.getpid()
    with pytest.raises(LockHeld):
        Lock(path)
    lock.release()
    assert not is_held(path)
    Lock(path).release()


def test_who_only_asks_is_not_taken_for_the_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bridge status` beside the agent: each would take the other's look for a sender that runs."""
    path = tmp_path / "7.lock"
    path.touch()
    answers: list[bool] = []
    real = fcntl.flock

    def meanwhile(fd: int, operation: int) -> None:
        real(fd, operation)
        if not answers:
            answers.append(True)
            answers[0] = is_held(path)

    monkeypatch.setattr(fcntl, "flock", meanwhile)
    assert not is_held(path)
    assert answers == [False]


def test_a_process_starts_although_somebody_asks_whether_it_runs(tmp_path: Path) -> None:
    """The asker has the lock for a moment; an agent or a sender ended itself over that."""
    path = tmp_path / "agent.lock"
    asker = os.open(path, os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(asker, fcntl.LOCK_SH)
    timer = Timer(0.01, os.close, [asker])
    timer.start()
    lock = Lock(path)
    timer.join()
    assert is_held(path)
    lock.release()
