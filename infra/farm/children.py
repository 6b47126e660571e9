"""The farm's children: started, watched, started again when they die, ended together.

A child's standard error goes to a log file in the data directory; its last line is what a person
is shown when it does not come up. On Linux a child also ends when the farm itself is killed
(senders do not: they finish their prints).
"""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
#: Pauses between restarts of a child that keeps dying, in seconds; the last one repeats.
RESTART_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
HEALTHY_S = 10.0
STOP_GRACE_S = 10.0


class ChildFailed(RuntimeError):
    """A child ended before it was of use; the text is the last thing it said."""


@dataclass(slots=True)
class Child:
    """One long-running process and how to start it again. *arguments* follow ``python -m``."""

    name: str
    arguments: Sequence[str]
    log: Path
    on_restart: Callable[[str, str], None]
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    _stopping: bool = False
    _watcher: asyncio.Task[None] | None = field(default=None)

    @property
    def pid(self) -> int:
        """The process id; 0 while it is down."""
        process = self.process
        return process.pid if process is not None and process.returncode is None else 0

    async def start(self) -> None:
        """Start it and keep it running until `stop()`."""
        await self._spawn()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after 10 s; returns when it is gone."""
        self._stopping = True
        if self._watcher is not None:
            self._watcher.cancel()
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_GRACE_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_words(self) -> str:
        """The last line of its log."""
        return last_line(self.log) or f"{self.name} ended without a word"

    async def _spawn(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the farm, which ends them in order
                preexec_fn=_end_with_parent(os.getpid()),
            )

    async def _watch(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping:
            process = self.process
            assert process is not None
            started = loop.time()
            status = await process.wait()
            failures = 0 if loop.time() - started > HEALTHY_S else failures + 1
            pause_s = RESTART_PAUSES_S[min(failures, len(RESTART_PAUSES_S) - 1)]
            how = f"signal {-status}" if status < 0 else f"status {status}"
            self.on_restart(self.name, f"ended with {how}: {self.last_words()}")
            await asyncio.sleep(pause_s)
            await self._spawn()
            self.restarts += 1
            self.on_restart(self.name, f"started again as process {self.pid}")


async def run_once(name: str, arguments: Sequence[str], log: Path, **environ: str) -> None:
    """Run ``python -m arguments`` to its end. Raises `ChildFailed` unless it ends with 0."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **environ},
        )
        if await process.wait():
            raise ChildFailed(last_line(log) or f"{name} failed without a word")


def last_line(path: Path) -> str:
    """The last line of a log that says something, at most 500 characters; "" without one."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:500] for line in reversed(lines) if line.strip()), "")


def inherit_orphans() -> None:
    """Processes whose parent dies below us become ours, so that `collect()` can bury them."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)


def collect(pid: int) -> bool:
    """Whether the process *pid* is gone for good; buries it when it has ended and is ours."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return True
    except ChildProcessError:
        pass  # not ours: its own parent, or init, has to
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return state.rpartition(")")[2].split()[0] in ("Z", "X")


def _end_with_parent(parent: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)

    def before_exec() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return before_exec
