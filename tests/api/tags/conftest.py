"""A desk for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import databases
from tests.fakes.desk import Desk, open_desk


@pytest.fixture
async def desk(tmp_path: Path, engine: databases.Server | None) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, engine) as desk:
        yield desk
