"""What the agent's tests share: a clock that stands, a journal that is quick."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bridge.agent.database import Clock
from bridge.agent.journal import Journal

NOW = Clock(mono_ms=1_000_000, boot="boot-a", wall_s=1_800_000_000)


@pytest.fixture
def quick_dir() -> Iterator[Path]:
    """A directory in memory where there is one: the tests are of order, not of disks."""
    base = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with TemporaryDirectory(dir=base) as name:
        yield Path(name)


@pytest.fixture
def journal(quick_dir: Path) -> Iterator[Journal]:
    """An empty journal."""
    opened = Journal(quick_dir / "journal.sqlite3")
    yield opened
    opened.close()


@pytest.fixture
def now() -> Clock:
    """A moment."""
    return NOW
