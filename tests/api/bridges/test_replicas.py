"""Rooms that hang on another API process."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from api.bridges.models import Bridge
from api.bridges.service import Bridges
from api.bus.shared import Received, SharedBus
from api.config import Settings
from api.events.models import Event
from api.events.service import Ledger
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey, hello_of


class Silence:
    """A channel that takes everything and brings nothing."""

    max_bytes = 1000

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        opened()
        await asyncio.Event().wait()

    async def publish(self, messages: Sequence[bytes]) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture
def here(ledger: Ledger, clock: FakeClock, settings: Settings) -> Bridges:
    return Bridges(ledger, clock, settings, SharedBus(Silence()))


@pytest.fixture
def there(ledger: Ledger, clock: FakeClock, settings: Settings) -> Bridges:
    return Bridges(ledger, clock, settings, SharedBus(Silence()))


async def test_a_silent_room_of_another_process_is_offline_here_as_soon_as_there(
    here: Bridges, there: Bridges, ledger: Ledger, clock: FakeClock
) -> None:
    """No second grace after the forty seconds of silence, and one event (safety R07)."""
    async with ledger.change() as change:
        bridge = await there.create(change, 1, "Room", AgentKey().public)
    opened = await there.open_session(bridge, hello_of(bridge.uid))
    await there.replicas.look()
    await here.replicas.look()
    assert here.online(bridge.id)
    clock.advance(40)
    await there.replicas.look()
    await there.close_session(bridge.id, opened.epoch, silent_s=40)
    await here.replicas.look()
    assert here.online(bridge.id), "for all that is known here it may come back"
    await there.report_lapsed()
    await here.replicas.look()
    assert not there.online(bridge.id)
    assert not here.online(bridge.id)
    await here.report_lapsed()
    assert await Event.filter(kind="bridge.offline").count() == 1
    gone_at = (await Bridge.get(id=bridge.id)).disconnected_at
    assert gone_at is not None and (clock.now() - gone_at).total_seconds() == 40
