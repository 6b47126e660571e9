"""The tick of cloud functions: what nobody asks for is done once a minute, by whichever process."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from api.app import Application
from api.config import Settings
from api.events.models import Event
from api.events.service import Happened
from api.function import PRUNE_MINUTES, SWEEP_MINUTE, Process
from api.migrate import migrate
from tests.api.conftest import FakeClock


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A process after its cold start, on a database of its own."""
    url = f"sqlite://{tmp_path / 'farm.sqlite3'}?busy_timeout=5000&synchronous=OFF"
    settings = Settings(data_dir=tmp_path, database_url=url, events_keep=100)
    asyncio.run(migrate(settings))
    process = Process(settings)
    yield process
    process.loop.run_until_complete(process.application.shutdown())
    process.loop.close()
    asyncio.set_event_loop(None)


def at_minute(process: Process, clock: FakeClock, minute: int) -> None:
    """Let it be *minute* past the hour."""
    moved = timedelta(minutes=(minute - clock.now().minute) % 60)
    clock.advance(moved.total_seconds())
    process.application.clock = clock


async def _many_events(application: Application) -> None:
    async with application.rooms.ledger.change(1) as change:
        for number in range(150):
            change.record(Happened(organization_id=1, kind=f"e{number}"))


def test_old_events_go_every_ten_minutes(process: Process, clock: FakeClock) -> None:
    """Not more often: between the tens everything stays."""
    process.run(_many_events(process.application))
    at_minute(process, clock, PRUNE_MINUTES + 1)
    assert process.run(process.tick()) == {"failed": []}
    assert process.run(_count()) == 150
    at_minute(process, clock, 2 * PRUNE_MINUTES)
    assert process.run(process.tick()) == {"failed": []}
    assert process.run(_count()) == 100


async def _count() -> int:
    return await Event.filter(kind__startswith="e").count()


def test_the_storage_is_swept_once_an_hour(
    process: Process, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever process has that minute's tick; each may live for one event only."""
    swept: list[datetime] = []

    async def sweep(now: datetime) -> int:
        swept.append(now)
        return 1

    monkeypatch.setattr(process.application.rooms.storage, "sweep", sweep)
    at_minute(process, clock, SWEEP_MINUTE - 1)
    assert process.run(process.tick()) == {"failed": []}
    assert swept == []
    at_minute(process, clock, SWEEP_MINUTE)
    assert process.run(process.tick()) == {"failed": []}
    assert swept == [clock.now()]


def test_one_step_that_fails_keeps_nobody_else_from_being_done(
    process: Process, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer names it, so that a schedule's alarm can."""
    done: list[str] = []

    async def broken() -> None:
        raise OSError("away")

    async def samples() -> None:
        done.append("samples")

    monkeypatch.setattr(process.application.rooms.scheduler, "step", broken)
    monkeypatch.setattr(process.application.rooms.telemetry, "step", samples)
    at_minute(process, clock, 1)
    assert process.run(process.tick()) == {"failed": ["expire commands and run the queue"]}
    assert done == ["samples"]
