"""Where the senders of a bridge are that run already, whoever started them, and how.

The runtime directory follows from the environment and the user. An agent that is started otherwise
than the one before it (by hand, then by systemd) would look into another one: it would take senders
that print for dead, and tell so of their jobs.
"""

import os
import pwd
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
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


def runtime_of_senders(
    processes: Iterable[Process], state_dir: Path, uid: int, known: Collection[int] = ()
) -> Path | None:
    """The directory with the sockets of *uid*'s senders for *state_dir*; None when none runs.

    *known*: processes that the agent before has written down as its senders. Raises `ControlError`
    when there are senders of another user, or none of their sockets is there any more: nobody can
    talk to them. What a process calls itself is no proof: of other users it counts with those who
    may have worked in *state_dir*, or any of them could keep an agent from starting.
    """
    wanted = os.path.realpath(state_dir)
    found = [(process, socket) for process in processes if (socket := _socket(process, wanted))]
    trusted = {0, _owner(state_dir)}
    foreign = [
        process
        for process, _ in found
        if process.uid != uid and (process.uid in trusted or process.pid in known)
    ]
    if foreign:
        pids = ", ".join(str(process.pid) for process in foreign)
        owner, me = user_name(foreign[0].uid), user_name(uid)
        raise ControlError(
            f"senders of user {owner} (processes {pids}) work for the bridge in {state_dir}, and "
            f"this is user {me}: do this as {owner}; or let their prints end and end them as "
            f"{owner} with: python -m bridge stop --all --state-dir {state_dir}"
        )
    own = [(process, socket.parent) for process, socket in found if process.uid == uid]
    places = Counter(place for _, place in own)
    if not places:
        return None
    used = places.most_common(1)[0][0]
    if not used.is_dir():
        raise ControlError(_out_of_reach(used, [process.pid for process, _ in own]))
    return used


def user_name(uid: int) -> str:
    """How people call the user *uid*."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _out_of_reach(runtime: Path, pids: list[int]) -> str:
    numbers = " ".join(map(str, pids))
    return (
        f"senders run (processes {numbers}) whose sockets are gone with {runtime}, as a session's "
        "are when it ends: nobody can talk to them. Their prints go on, and a sender ends by "
        f"itself when it has none; or end them, and their prints, with: kill {numbers}"
    )


def _owner(state_dir: Path) -> int | None:
    try:
        return state_dir.stat().st_uid
    except OSError:
        return None


def _socket(process: Process, state_dir: str) -> Path | None:
    """The control socket of a sender for *state_dir*; None for any other process."""
    if _MODULE not in process.arguments:
        return None
    given = dict(zip(process.arguments, process.arguments[1:], strict=False))
    if "--socket" not in given or "--state-dir" not in given:
        return None
    # `Path.resolve` raises for a link to itself, which anybody may name here
    is_ours = os.path.realpath(given["--state-dir"]) == state_dir
    return Path(given["--socket"]) if is_ours else None
