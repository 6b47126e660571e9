"""The farm's rules while the database is slow or away."""

import asyncio
from typing import Any

import pytest
from tortoise.exceptions import DBConnectionError

from api.policies.models import FarmSetting
from api.policies.service import QUIET, REMEMBERED_S, Policies
from tests.api.conftest import FakeClock


async def test_rules_that_are_read_too_late_hold_for_whoever_comes_next(
    policies: Policies, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is always slow must not keep a farm by its old rules for ever (safety S09).

    Another process has changed them, and no word of that came over the bus.
    """
    assert await policies.kept(QUIET) == {}
    await FarmSetting.create(name=QUIET, value={"enabled": True}, updated_at=clock.now())
    read, ends = FarmSetting.all, asyncio.Event()

    async def slow() -> list[FarmSetting]:
        await ends.wait()
        return await read()

    async def away() -> Any:
        raise DBConnectionError("away")

    monkeypatch.setattr("api.policies.service.ASK_S", 0.01)
    monkeypatch.setattr(FarmSetting, "all", slow)
    clock.advance(REMEMBERED_S)
    assert await policies.kept(QUIET) == {}, "nobody waits for it"
    ends.set()
    async with asyncio.timeout(10):
        while not await policies.kept(QUIET):
            await asyncio.sleep(0.01)
    monkeypatch.setattr(FarmSetting, "all", away)
    clock.advance(REMEMBERED_S)
    assert await policies.kept(QUIET) == {"enabled": True}
