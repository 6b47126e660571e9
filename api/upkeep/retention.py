"""How long what happened is kept, and that it goes then (v1 2.2, 2.4 `/config/retention`).

Run once an hour and when somebody asks. A run removes so many batches and leaves the rest to the
next one; each is a transaction of its own. That entries of the audit trail went is an entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from api.clock import Clock
from api.events.rehearsal import is_rehearsed, would
from api.events.service import Ledger
from api.policies.service import Policies
from api.principal import Principal, system
from api.upkeep.shelves import SHELVES, Shelf

RETENTION = "retention"
#: Kept for what else the dialect has: there are no recordings here that could grow old.
ELSEWHERE = {"timelapses_days": 30}
BATCH_ROWS = 500
MOST_BATCHES = 20  # of one shelf in one run


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """How many rows of each shelf went, and whether there are more that are old enough."""

    deleted: Mapping[str, int]
    more: bool


class Retention:
    """Forgets in time."""

    def __init__(
        self,
        policies: Policies,
        ledger: Ledger,
        clock: Clock,
        shelves: Sequence[Shelf] = SHELVES,
    ) -> None:
        self._policies = policies
        self._ledger = ledger
        self._clock = clock
        self._shelves = tuple(shelves)

    async def days(self, by: Principal) -> dict[str, int]:
        """How many days each is kept, by its setting; 0: for ever."""
        by.require("farm.admin")
        return self._days(await self._policies.kept(RETENTION))

    async def set_days(self, by: Principal, given: Mapping[str, int]) -> dict[str, int]:
        """Keep what is *given* (0 to 3650 days, by setting) for so long; the rest stays."""
        by.require("farm.admin")
        async with self._ledger.change() as change:
            kept = {**await self._policies.read(RETENTION), **given}
            await self._policies.keep(change, RETENTION, kept)
            change.note(by, "config.retention_updated", ("config", RETENTION), **given)
        return self._days(kept)

    async def clean(self, by: Principal) -> Cleaned:
        """Remove what is older than it is kept; a rehearsal counts it."""
        by.require("farm.admin")
        if is_rehearsed():
            await self._rehearse(by)
        return await self._clean(by)

    async def sweep(self) -> int:
        """The same by the clock; how many rows went."""
        cleaned = await self._clean(system(1))
        return sum(cleaned.deleted.values())

    def _days(self, kept: Mapping[str, Any]) -> dict[str, int]:
        days = {one.setting: one.default_days for one in self._shelves if one.setting} | ELSEWHERE
        return {setting: int(kept.get(setting, default)) for setting, default in days.items()}

    async def _due(self) -> list[tuple[Shelf, Any]]:
        """The shelves that are not kept for ever, with their rows that are too old."""
        now, days = self._clock.now(), self._days(await self._policies.kept(RETENTION))
        kept = [
            (one, days[one.setting] if one.setting else one.default_days) for one in self._shelves
        ]
        return [(one, one.older(now - timedelta(days=number))) for one, number in kept if number]

    async def _rehearse(self, by: Principal) -> None:
        """Raises `Rehearsed` with what a run would remove."""
        async with self._ledger.change() as change:
            most = BATCH_ROWS * MOST_BATCHES
            found = {shelf.name: await rows.count() for shelf, rows in await self._due()}
            deleted = {name: min(count, most) for name, count in found.items()}
            would("retention_cleanup", deleted=deleted, more=deleted != found)
            change.note(by, "retention.cleaned", ("config", RETENTION))

    async def _clean(self, by: Principal) -> Cleaned:
        deleted: dict[str, int] = {}
        more = False
        for shelf, rows in await self._due():
            gone = await self._empty(shelf, rows)
            deleted[shelf.name] = gone
            more = more or (gone == BATCH_ROWS * MOST_BATCHES and await rows.exists())
        if any(deleted.values()):
            async with self._ledger.change() as change:
                change.note(by, "retention.cleaned", ("config", RETENTION), deleted=deleted)
        return Cleaned(deleted=deleted, more=more)

    async def _empty(self, shelf: Shelf, rows: Any) -> int:
        gone = 0
        for _ in range(MOST_BATCHES):
            async with self._ledger.change():
                found = await rows.limit(BATCH_ROWS).values(shelf.key)
                ids = [row[shelf.key] for row in found]
                if ids:
                    await shelf.clear(ids)
            gone += len(ids)
            if len(ids) < BATCH_ROWS:
                break
        return gone
