"""The application's life: what a start that fails leaves behind."""

import threading
from pathlib import Path

import pytest
from tortoise.exceptions import OperationalError

from api.app import Application
from api.config import Settings
from api.db import open_database


async def test_a_start_that_fails_lets_the_process_end(tmp_path: Path) -> None:
    """The database fails in the middle of a start: its threads end, so the container does too."""
    settings = Settings(data_dir=tmp_path)
    context = await open_database(settings)
    with context:
        await context.generate_schemas()
        await context.connections.get("default").execute_script("DROP TABLE bridge")
    await context.close_connections()
    before = set(threading.enumerate())
    with pytest.raises(OperationalError):
        await Application(settings).startup()
    left = [each for each in threading.enumerate() if each not in before and not each.daemon]
    for each in left:
        each.join(30)
    assert [each for each in left if each.is_alive()] == []
