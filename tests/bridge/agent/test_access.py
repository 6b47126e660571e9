"""A state directory that cannot be used is told of before anything is touched in it."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge import cli
from bridge.agent import access, status
from bridge.agent.errors import StateDirError
from bridge.control.lock import is_held
from bridge.control.whereabouts import user_name

STRANGER = 4321


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    (directory / "log").mkdir(parents=True)
    for name in ("agent.lock", "journal.sqlite3-wal", "identity.key", "log/sender-1.log"):
        (directory / name).touch()
    return directory


def deny(monkeypatch: pytest.MonkeyPatch, closed: Callable[[Path, int], bool]) -> None:
    """What *closed* names (path, mode) may not be used, as for a user who is not root."""
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not closed(path, mode) and may(path, mode))


@pytest.mark.parametrize(
    "name", ["", "log", "agent.lock", "journal.sqlite3-wal", "log/sender-1.log", "identity.key"]
)
def test_what_belongs_to_somebody_else_is_named_with_its_owner(
    name: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that root left behind: who owns it, and both ways out."""
    access.check(state)
    deny(monkeypatch, lambda path, mode: path == state / name and bool(mode & os.R_OK))
    monkeypatch.setattr(os, "getuid", lambda: STRANGER)
    owner = user_name((state / name).stat().st_uid)
    with pytest.raises(StateDirError) as caught:
        access.check(state)
    text = str(caught.value)
    assert f"may not use {state / name}, which belongs to {owner}: do this as {owner}" in text
    assert f"chown -R {user_name(os.getuid())} {state}" in text


def test_the_owner_of_what_a_link_leads_to_is_named(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of the link, who may be anybody; and chown -R would go no further than that."""
    link = state.with_name("link")
    link.symlink_to(state)
    deny(monkeypatch, lambda path, mode: bool(mode & os.W_OK))
    monkeypatch.setattr(os, "getuid", lambda: STRANGER)
    owner = user_name(state.stat().st_uid)
    with pytest.raises(StateDirError, match=f"do this as {owner}, .*chown -R {STRANGER} {state}$"):
        access.check(link)


def test_what_is_ones_own_and_closed_is_not_given_to_oneself(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mode 0500: "do this as pi" is no help to pi."""
    deny(monkeypatch, lambda path, mode: path == state and bool(mode & os.W_OK))
    with pytest.raises(StateDirError, match=f"which is his own: chmod u\\+rwX {state}$"):
        access.check(state)


def test_a_state_directory_that_is_none_is_told(state: Path) -> None:
    """A link to a disk that is not mounted, and a file."""
    link = state.with_name("link")
    link.symlink_to(state / "not mounted")
    with pytest.raises(StateDirError, match="is not there: is it mounted"):
        access.check(link)
    with pytest.raises(StateDirError, match="is no directory"):
        access.check(state / "identity.key")


def test_files_that_are_only_read_need_not_be_writable(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridge.toml that the administrator keeps, a backup that root made beside the journal."""
    (state / "bridge.toml").touch()
    (state / "backup.tar").touch()
    asked: list[Path] = []
    kept = {state / "bridge.toml", state / "backup.tar", state / "identity.key"}

    def closed(path: Path, mode: int) -> bool:
        asked.append(path)
        return path in kept and bool(mode & os.W_OK)

    deny(monkeypatch, closed)
    access.check(state)
    access.check(state / "not made yet")
    assert state / "bridge.toml" in asked


@pytest.mark.parametrize("arguments", [["run"], ["pair", "http://127.0.0.1:9"]])
def test_a_read_only_file_system_is_told_before_a_code_is_used_up(
    arguments: list[str],
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A pairing that nobody can keep does not begin: nobody is asked, nothing is made."""
    before = sorted(state.rglob("*"))
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=os.ST_RDONLY))
    assert cli.main([*arguments, "--state-dir", str(state)]) == cli.EXIT_FAILED
    told = capsys.readouterr().err
    assert told.startswith("bridge: ") and "read-only: mount it for writing" in told
    assert sorted(state.rglob("*")) == before


def test_status_says_who_may_ask(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not only that permission is denied."""
    lock = state / "agent.lock"
    monkeypatch.setattr(os, "getuid", lambda: STRANGER)

    def refuse(directory: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(directory / "agent.lock"))

    monkeypatch.setattr(status, "is_running", refuse)
    assert cli.main(["status", "--state-dir", str(state)]) == cli.EXIT_FAILED
    owner = user_name(lock.stat().st_uid)
    assert f"{lock}, which belongs to {owner}: do this as {owner}" in capsys.readouterr().err


def test_a_lock_is_looked_at_without_writing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only file system `bridge status` still says whether an agent runs."""
    opened, real = [], os.open

    def look(path: Path, flags: int) -> int:
        opened.append(flags)
        return real(path, flags)

    monkeypatch.setattr(os, "open", look)
    assert not is_held(state / "agent.lock")
    assert [flags & (os.O_WRONLY | os.O_RDWR) for flags in opened] == [0]
