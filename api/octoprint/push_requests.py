"""Apps that ask for a key, told to the people who may decide (OctoPrint contract, 7 and 8)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from api.bus.local import Bus
from api.feed.lasting import Lasting
from api.octoprint.app_keys import RIGHT, AppKeyRequest, AppKeyRequests
from api.principal import Principal

LOOK_EVERY_S = 2.0  # while requests are open: they die by time, without a wake-up

Asked = list[tuple[str, Mapping[str, Any]]]

_log = logging.getLogger("gantry.push")


class Follower(Protocol):
    """A client."""

    def asks(self, requests: Asked) -> None:
        """The requests that are open now, by their token."""


class _Desk:
    """The open requests for one person, and their clients."""

    def __init__(self) -> None:
        self.followers: dict[Follower, None] = {}
        self.open: Asked = []

    def show(self, requests: Asked) -> None:
        self.open = requests
        for each in tuple(self.followers):
            each.asks(requests)


class OpenRequests:
    """Looks for each person once, however many clients they have."""

    def __init__(self, requests: AppKeyRequests, bus: Bus) -> None:
        self._requests = requests
        self._bus = bus
        self._desks: Lasting[Principal, _Desk] = Lasting(self._desk)

    @asynccontextmanager
    async def told_to(self, follower: Follower, by: Principal) -> AsyncIterator[None]:
        """*follower* hears of what *by* may decide."""
        if not by.may(RIGHT):
            yield
            return
        async with self._desks.hold(by) as desk:
            desk.followers[follower] = None
            follower.asks(desk.open)
            try:
                yield
            finally:
                del desk.followers[follower]

    @asynccontextmanager
    async def _desk(self, by: Principal) -> AsyncIterator[_Desk]:
        desk = _Desk()
        task = asyncio.create_task(self._watch(desk, by))
        try:
            yield desk
        finally:
            task.cancel()

    async def _watch(self, desk: _Desk, by: Principal) -> None:
        with self._bus.listen(f"app_keys:{by.organization_id}") as bell:
            while True:
                try:
                    desk.show([_facts(row) for row in await self._requests.pending(by)])
                except Exception:  # noqa: BLE001 - supervisor: looked at again in a moment
                    _log.exception("open requests for keys could not be read")
                await bell.wait(LOOK_EVERY_S if desk.open else None)


def _facts(row: AppKeyRequest) -> tuple[str, Mapping[str, Any]]:
    told = {
        "app_name": row.app,
        "user_id": row.username or None,
        "remote_address": row.remote_address,
    }
    return row.user_token, told
