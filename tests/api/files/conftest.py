"""Fixtures of the files room: the service over a folder and the in-memory database."""

from collections.abc import AsyncIterator

import pytest

from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.files.service import Files
from api.storage import open_storage


async def chunks(content: bytes, step: int = 50_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), step):
        yield content[at : at + step]


@pytest.fixture
def files(ledger: Ledger, clock: Clock, settings: Settings) -> Files:
    return Files(open_storage(settings), ledger, clock, settings)
