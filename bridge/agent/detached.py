"""Starting processes that outlive the agent: own session, own log file, no secrets.

A sender goes on printing and a simulator stays plugged in when the agent is killed; the next agent
finds both again by their lock files.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import bridge

#: A log is begun anew when a process starts and finds it larger than this.
MAX_LOG_BYTES = 4 * 1024 * 1024
_ROOT = str(Path(bridge.__file__).resolve().parent.parent)


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of a detached process: what the agent has, without settings and secrets."""
    kept = {name: value for name, value in base.items() if not name.startswith("GANTRY_")}
    path = base.get("PYTHONPATH", "")
    kept["PYTHONPATH"] = _ROOT + (os.pathsep + path if path else "")
    return kept


class Children:
    """Starts detached processes and takes their exit codes, so that none stays a zombie."""

    def __init__(self, log_dir: Path) -> None:
        log_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._log_dir = log_dir
        self._processes: list[subprocess.Popen[bytes]] = []

    def log_path(self, name: str) -> Path:
        """Where the process *name* writes what it has to say."""
        return self._log_dir / f"{name}.log"

    def start(self, name: str, arguments: Sequence[str]) -> int:
        """Start `python ARGUMENTS` as *name*; its pid. Raises `OSError`."""
        self.reap()
        path = self.log_path(name)
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as log:
            path.chmod(0o600)
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment(os.environ),
                start_new_session=True,
            )
        self._processes.append(process)
        return process.pid

    def reap(self) -> None:
        """Take the exit codes of those that have ended."""
        self._processes = [process for process in self._processes if process.poll() is None]

    def ended(self, pid: int) -> bool:
        """Whether a process that was started here has ended."""
        self.reap()
        return all(process.pid != pid for process in self._processes)
