"""Tags over all rooms of an organization: counted, renamed, deleted (v1 contract, 2.10).

Printers and records carry tags; pools, jobs and presets ask for them. A tag is renamed everywhere
at once, so that what was asked for is still there. Deleted it is only while nothing asks for it:
else prints would go to printers that nobody prepared for them.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from api.archives.service import Archives
from api.errors import Conflict, NotFound
from api.events.rehearsal import would
from api.events.service import Change, Ledger
from api.jobs.tagged import RequiredTags
from api.pools.service import Pools
from api.principal import Principal, system
from api.printers.service import Printers

__all__ = ["Tagged", "Tags"]

_NAMED = 50  # numbers that a refusal gives of each kind


class Tagged(Protocol):
    """Something with tags."""

    tags: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag, and how many of each kind have it or ask for it."""

    name: str
    printers: int
    pools: int
    archives: int
    jobs: int
    presets: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.printers + self.pools + self.archives + self.jobs + self.presets


class Tags:
    """The tags of every organization."""

    def __init__(
        self,
        printers: Printers,
        pools: Pools,
        archives: Archives,
        required: RequiredTags,
        ledger: Ledger,
    ) -> None:
        self._printers = printers
        self._pools = pools
        self._archives = archives
        self._required = required
        self._ledger = ledger

    async def list(self, by: Principal) -> Sequence[Tag]:
        """All of them, by name."""
        by.require("tags.read")
        farm = system(by.organization_id)
        printers = _counted(await self._printers.list(farm))
        pools = _counted(await self._pools.list(farm))
        archives = await self._archives.tags(farm)
        asked = await self._required.counts(by.organization_id)
        names = {*printers, *pools, *archives, *asked.jobs, *asked.presets}
        return [
            Tag(
                name=name,
                printers=printers[name],
                pools=pools[name],
                archives=archives[name],
                jobs=asked.jobs[name],
                presets=asked.presets[name],
            )
            for name in sorted(names)
        ]

    async def rename(self, by: Principal, old: str, new: str) -> int:
        """Tag *old* is called *new* everywhere; where both were, it is there once. How many had it.

        Raises `NotFound`.
        """
        by.require("tags.admin")
        async with self._ledger.change() as change:
            updated = await self._printers.upkeep.retag(change, by, old, new)
            updated += await self._pools.retag(change, by, old, new)
            updated += await self._archives.retag(change, by, old, new)
            updated += await self._required.rename(change, by, old, new)
            if not updated:
                raise _missing(old)
            _tell(change, by, "tag.renamed", name=old, new_name=new, updated=updated)
            would("rename_tag", old=old, new=new, would_update=updated)
        return updated

    async def delete(self, by: Principal, name: str) -> int:
        """Take a tag from everything that has it; from how many. Raises `NotFound`, or `Conflict`
        as long as a pool, a job or a preset asks for it.
        """
        by.require("tags.admin")
        async with self._ledger.change() as change:
            await self._check_unasked(by, name)
            updated = await self._printers.upkeep.retag(change, by, name, None)
            updated += await self._archives.retag(change, by, name, None)
            if not updated:
                raise _missing(name)
            _tell(change, by, "tag.deleted", name=name, updated=updated)
            would("delete_tag", tag=name, would_update=updated)
        return updated

    async def _check_unasked(self, by: Principal, name: str) -> None:
        pools = [row.id for row in await self._pools.list(by) if name in row.tags]
        jobs, presets = await self._required.asking(by.organization_id, name)
        asking = {"pools": pools, "jobs": [*jobs], "presets": [*presets]}
        told = [f"{len(ids)} {kind}" for kind, ids in asking.items() if ids]
        if told:
            raise Conflict(
                f"The tag {name!r} is asked for by {', '.join(told)}: their prints would go to "
                "printers that were not prepared. Change these first, or rename the tag.",
                pools=pools[:_NAMED],
                jobs=asking["jobs"][:_NAMED],
                presets=asking["presets"][:_NAMED],
            )


def _counted(rows: Iterable[Tagged]) -> Counter[str]:
    found = Counter[str]()
    for row in rows:
        found.update(set(row.tags))
    return found


def _tell(change: Change, by: Principal, action: str, **details: str | int) -> None:
    change.note(by, action, ("tag", ""), **details)
    change.wake("scheduler")


def _missing(name: str) -> NotFound:
    return NotFound(f"Nothing has the tag {name!r}.")
