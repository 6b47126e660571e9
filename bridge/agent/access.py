"""Whether this process may work in a state directory; if not, whose it is and what to do.

Asked before anything begins: half a start would leave files of one user between those of another,
and a pairing that cannot be kept would use its code up.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from bridge.agent.errors import StateDirError
from bridge.control.whereabouts import user_name

#: What the agent and its senders write, beside what they make anew.
_FILES = ("agent.lock", "journal.sqlite3*", "status.json*", "log/*")
_FOLDERS = ("log", "spool", "blackbox", "boards")
_READ = ("identity.key", "pairing.json", "bridge.toml")


def check(state_dir: Path) -> None:
    """Raises `StateDirError` for what may not be written, or read, in *state_dir*.

    A directory that is not there is no trouble: it will be made.
    """
    if not os.path.lexists(state_dir):
        return
    state_dir, named = Path(os.path.realpath(state_dir)), state_dir  # chown -R follows no link
    if not os.path.lexists(state_dir):
        raise StateDirError(f"{named} leads to {state_dir}, which is not there: is it mounted?")
    if not state_dir.is_dir():
        raise StateDirError(f"{state_dir} is no directory: name another one with --state-dir")
    if os.access(state_dir, os.X_OK) and os.statvfs(state_dir).f_flag & os.ST_RDONLY:
        raise StateDirError(
            f"{state_dir} is on a file system that is read-only: mount it for writing. A disk or "
            "card that fails ends like that, too; dmesg tells. Prints that run go on meanwhile"
        )
    for path, mode in _needed(state_dir):
        if os.path.lexists(path) and not os.access(path, mode):
            remedy = "" if _is_mine(path) else f", or own it all: {_remedy(state_dir)}"
            raise StateDirError(f"{refused(path)}{remedy}")


def refused(path: Path) -> str:
    """That this user may not use *path*, and who may."""
    me = user_name(os.getuid())
    uid = _owner(path)
    if uid is None:  # it is inside of what we may not enter
        return f"user {me} may not use {path}: do this as the user of the bridge"
    if uid == os.getuid():
        return f"user {me} may not use {path}, which is his own: chmod u+rwX {path}"
    owner = user_name(uid)
    return f"user {me} may not use {path}, which belongs to {owner}: do this as {owner}"


def _needed(state_dir: Path) -> Iterator[tuple[Path, int]]:
    yield state_dir, os.R_OK | os.W_OK | os.X_OK
    for name in _FOLDERS:
        yield state_dir / name, os.R_OK | os.W_OK | os.X_OK
    for pattern in _FILES:
        yield from ((path, os.R_OK | os.W_OK) for path in state_dir.glob(pattern))
    for name in _READ:
        yield state_dir / name, os.R_OK


def _is_mine(path: Path) -> bool:
    return _owner(path) == os.getuid()


def _owner(path: Path) -> int | None:
    """Whose *path* is, or what it leads to."""
    for look in (path.stat, path.lstat):
        try:
            return look().st_uid
        except OSError:
            continue
    return None


def _remedy(state_dir: Path) -> str:
    return f"chown -R {user_name(os.getuid())} {state_dir}"
