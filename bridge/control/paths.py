"""Where sockets and locks of one bridge lie.

AF_UNIX paths end at 107 bytes, a state directory may be longer than that: the runtime directory is
short, private, and has a hash of the state directory in its name, so that two bridges of one user
never meet.
"""

import os
import stat
from collections.abc import Collection
from pathlib import Path

from bridge.errors import ControlError

#: sun_path has 108 bytes, the last is NUL.
MAX_SOCKET_PATH_BYTES = 107


def runtime_dir(state_dir: Path, known: Collection[int] = ()) -> Path:
    """The runtime directory of the bridge that keeps its state in *state_dir*; made if missing.

    Senders that run already stay where they are, whatever the environment says now; *known*: the
    processes of those that were written down. Raises `ControlError` when it, or one of them,
    belongs to somebody else, or others can enter it, or it is gone from under them.
    """
    import hashlib  # 4 MB of OpenSSL, which a sender does without

    from bridge.control import whereabouts

    uid = os.getuid()
    used = whereabouts.runtime_of_senders(whereabouts.running(), state_dir, uid, known)
    if used is not None:
        _check_private(used, uid)
        return used
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    name = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:12]
    if base and _fits(Path(base, "gantry", name)) and os.access(base, os.W_OK):
        parent = Path(base, "gantry")
    else:
        parent = Path("/tmp", f"gantry-{uid}")  # noqa: S108 - owner and mode are checked below
    for directory in (parent, parent / name):
        directory.mkdir(mode=0o700, exist_ok=True)
        _check_private(directory, uid)
    return parent / name


def socket_path(runtime: Path, printer: int | str) -> Path:
    """The control socket of one printer's sender. Raises `ControlError` when it is too long."""
    path = runtime / f"{printer}.sock"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise ControlError(
            f"the socket path {path} is longer than {MAX_SOCKET_PATH_BYTES} bytes; "
            "choose a shorter directory"
        )
    return path


def lock_path(socket: Path) -> Path:
    """The lock file beside a sender's socket; it outlives the sender."""
    return socket.with_suffix(".lock")


def state_path(socket: Path) -> Path:
    """Where a sender leaves what its next life must know: unacknowledged events and the latch."""
    return socket.with_suffix(".state")


def lines_path(socket: Path) -> Path:
    """Where a sender keeps its line numbers for a life after kill -9."""
    return socket.with_suffix(".lines")


def _fits(runtime: Path) -> bool:
    return len(os.fsencode(runtime / "0123456789.sock")) <= MAX_SOCKET_PATH_BYTES


def _check_private(directory: Path, uid: int) -> None:
    info = directory.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != uid or info.st_mode & 0o077:
        raise ControlError(
            f"{directory} must be a directory of user {uid} that nobody else can enter (mode 0700)"
        )
