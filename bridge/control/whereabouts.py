"""Where the senders of a bridge are that run already, whoever started them, and how.

The runtime directory follows from the environment and the user. An agent that is started otherwise
than the one before it (by hand, then by systemd) would look into another one: it would take senders
that print for dead, and tell so of their jobs.
"""

import os
import pwd
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ControlError

_MODULE = "bridge.sender"
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine; *uid*: whose it is."""

    pid: int
    uid: int
    arguments: tuple[str, ...]


def running() -> Iterator[Process]:
    """The processes that this one may see."""
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes()
            uid = entry.stat().st_uid
        except OSError:  # it has ended, or is none of our business
            continue
        yield Process(int(entry.name), uid, tuple(os.fsdecode(arguments).split("\0")))


def runtime_of_senders(processes: Iterable[Process], state_dir: Path, uid: int) -> Path | None:
    """The directory with the sockets of *uid*'s senders for *state_dir*; None when none runs.

    Raises `ControlError` when they are those of another user: nobody else can talk to them.
    """
    wanted = state_dir.resolve()
    found = [(process, socket) for process in processes if (socket := _socket(process, wanted))]
    foreign = [process for process, _ in found if process.uid != uid]
    if foreign:
        pids = ", ".join(str(process.pid) for process in foreign)
        owner, me = user_name(foreign[0].uid), user_name(uid)
        raise ControlError(
            f"senders of user {owner} (processes {pids}) work for the bridge in {state_dir}, and "
            f"this is user {me}: do this as {owner}; or let their prints end and end them as "
            f"{owner} with: python -m bridge stop --all --state-dir {state_dir}"
        )
    places = Counter(socket.parent for _, socket in found)
    return places.most_common(1)[0][0] if places else None


def user_name(uid: int) -> str:
    """How people call the user *uid*."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _socket(process: Process, state_dir: Path) -> Path | None:
    """The control socket of a sender for *state_dir*; None for any other process."""
    if _MODULE not in process.arguments:
        return None
    given = dict(zip(process.arguments, process.arguments[1:], strict=False))
    if "--socket" not in given or "--state-dir" not in given:
        return None
    return Path(given["--socket"]) if Path(given["--state-dir"]).resolve() == state_dir else None
