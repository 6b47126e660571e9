"""A disk that refuses: what was answered with an error does not come true later."""

import sqlite3
from typing import Any

import pytest
from tortoise.connection import get_connection
from tortoise.exceptions import OperationalError

from api.accounts.models import Organization
from api.db import Transaction
from tests.api.conftest import FakeClock


@pytest.fixture(scope="session")
def engine() -> None:
    """SQLite, whatever the other rooms' tests run on: it has its own way to fail."""


def _refuse(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the next *times* commits fail as a full disk makes them fail."""
    client: Any = get_connection("default")
    connection = client._connection
    commit = connection.commit
    left = [times]

    async def refused() -> None:
        if left[0]:
            left[0] -= 1
            raise sqlite3.OperationalError("database or disk is full")
        await commit()

    monkeypatch.setattr(connection, "commit", refused)


async def test_refused_commit_is_not_committed_by_the_next_transaction(
    database: None, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safety R33: found by the simulation; SQLite keeps such a transaction open."""
    with pytest.raises(OperationalError):
        async with Transaction():
            await Organization.create(id=2, name="Lost", created_at=clock.now())
            _refuse(monkeypatch, 1)
    async with Transaction():
        await Organization.create(id=3, name="Kept", created_at=clock.now())
    kept = [row.id for row in await Organization.all().order_by("id")]
    assert kept == [1, 3]


async def test_refused_begin_is_trouble_of_the_database(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safety R25: it is answered as 503 like every other refusal of the disk, not as a defect."""
    _refuse(monkeypatch, 1)
    with pytest.raises(OperationalError):
        async with Transaction():
            pass
