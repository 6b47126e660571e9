"""Who uses a data directory: its farm, or one command that needs it for itself.

A lock of the operating system on `farm.lock`: it goes with the process that holds it, however that
ends. The processes of one farm share it.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_FILE = "farm.lock"


class InUse(RuntimeError):
    """Somebody else uses the data directory; the text says what to do."""


@contextmanager
def using(data_dir: Path) -> Iterator[None]:
    """As its farm, together with others. Raises `InUse` while a command has it for itself."""
    with _locked(data_dir, fcntl.LOCK_SH, "a restore is at work there; start the farm after it"):
        yield


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """For itself. Raises `InUse` while a farm runs on it."""
    with _locked(data_dir, fcntl.LOCK_EX, "a farm runs on it; stop that first"):
        yield


@contextmanager
def _locked(data_dir: Path, how: int, otherwise: str) -> Iterator[None]:
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / LOCK_FILE).open("ab") as lock:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"the data directory {data_dir} is in use: {otherwise}.") from None
        yield
