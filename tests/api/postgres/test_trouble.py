"""A PostgreSQL that takes no changes, or cannot be used at all."""

from dataclasses import replace

import pytest
from tortoise.exceptions import OperationalError

from api.accounts.models import Organization
from api.config import Settings
from api.db import DatabaseUnusable
from api.events.service import Happened, Ledger
from api.migrate import pending
from api.readiness import READ_ONLY, Readiness
from tests.api.postgres.conftest import Database


async def test_a_read_only_database_is_read_and_changes_wait(
    database: Database, ledger: Ledger
) -> None:
    """Readiness names the setting; when changes are taken again, so are ours (safety R21, R25)."""
    readiness = Readiness()
    assert await readiness.problems() == []
    make = f"ALTER DATABASE {database.name} SET default_transaction_read_only"
    await database.server.run(f"{make} = on")
    await database.end_backends()
    try:
        assert await Organization.all().count() == 1
        assert await readiness.problems() == [READ_ONLY]
        with pytest.raises(OperationalError):
            async with ledger.change(1) as change:
                change.record(Happened(organization_id=1, kind="a"))
    finally:
        await database.server.run(f"{make} = off")
        await database.end_backends()
    async with ledger.change(1) as change:
        change.record(Happened(organization_id=1, kind="b"))
    assert [event.kind for event in await ledger.read(1, 0, 9)] == ["b"]
    assert await readiness.problems() == []


async def test_a_database_that_is_not_there_is_named(
    database: Database, settings: Settings
) -> None:
    """One line that says where, and no password."""
    url = database.server.url("no_such_database").replace("postgres:@", "postgres:s3cret@")
    with pytest.raises(DatabaseUnusable, match="no_such_database") as raised:
        await pending(replace(settings, database_url=url))
    assert "s3cret" not in str(raised.value)
