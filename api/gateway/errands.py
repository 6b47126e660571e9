"""What the wake-ups of a function are for: carry commands to rooms, run the queue, tell dashboards.

An errand that fails is logged and left to the next beat of its room or to the tick: whatever it
was to carry is in rows.
"""

import logging
from collections.abc import Awaitable, Callable

from api.gateway.feeds import FeedSockets
from api.gateway.links import LinkSockets
from api.scheduler.service import Scheduler

_log = logging.getLogger("gantry.gateway")


class Errands:
    """Runs errands by the names of wake-ups."""

    def __init__(self, links: LinkSockets, feeds: FeedSockets, scheduler: Scheduler) -> None:
        self._links = links
        self._feeds = feeds
        self._scheduler = scheduler

    async def run(self, names: frozenset[str]) -> None:
        """Do what *names* ask for; others are nobody's. Never raises."""
        for name in sorted(names):
            kind, _, number = name.partition(":")
            try:
                if kind == "bridge":
                    await self._links.push_bridge(int(number))
                elif kind == "scheduler":
                    await self._scheduler.step()
                elif kind == "events":
                    await self._feeds.push(int(number))
            except Exception:  # noqa: BLE001 - supervisor: see the module's text
                _log.exception("the errand %s failed; it is done again later", name)


Step = Callable[[], Awaitable[object]]


async def all_of(steps: dict[str, Step]) -> list[str]:
    """Run every step of a tick, whatever the others do; the names of those that failed."""
    failed = []
    for name, step in steps.items():
        try:
            await step()
        except Exception:  # noqa: BLE001 - supervisor: the other steps are due too
            _log.exception("the tick could not %s", name)
            failed.append(name)
    return failed
