"""Pools: printers that share one queue and one OctoPrint address (DESIGN 5, "pool").

Who belongs to a pool follows from its rows and the printers' tags, at every look: a printer that
is tagged joins at once. A pool without printers keeps its queue.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.clock import Clock
from api.errors import Invalid, NotFound
from api.events.service import Change, Happened, Ledger
from api.pools.models import Pool
from api.principal import Principal
from api.printers.forms import renamed
from api.printers.service import Printer, Printers

__all__ = ["NewPool", "Pool", "Pools"]

#: What an update may set; everything else in it is ignored.
SETTABLE = frozenset({"name", "printer_ids", "tags", "settings"})

DeleteHook = Callable[[Change, int], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPool:
    """A pool to be made."""

    name: str
    printer_ids: Collection[int] = ()
    tags: Collection[str] = ()


class Pools:
    """The pools of the farm."""

    def __init__(self, printers: Printers, ledger: Ledger, clock: Clock) -> None:
        self._printers = printers
        self._ledger = ledger
        self._clock = clock
        self._delete_hooks: list[DeleteHook] = []

    def when_deleted(self, hook: DeleteHook) -> None:
        """Call *hook* (change, pool id) in the transaction that deletes a pool."""
        self._delete_hooks.append(hook)

    # Reading. A key that is bound to a printer sees no pools: they reach beyond it.

    async def list(self, by: Principal) -> Sequence[Pool]:
        """The caller's pools by name."""
        by.require("printers.read")
        if by.printer_id is not None:
            return []
        rows = Pool.filter(organization_id=by.organization_id, deleted_at=None)
        return await rows.order_by("name", "id")

    async def get(self, by: Principal, pool_id: int) -> Pool:
        """One pool. Raises `NotFound` for what is not there or not the caller's."""
        row = await Pool.filter(id=pool_id, deleted_at=None).first()
        return _theirs(by, row, f"number {pool_id}")

    async def by_slug(self, by: Principal, slug: str) -> Pool:
        """The pool at this address. Raises `NotFound`."""
        return _theirs(by, await self.find_slug(slug), f"called {slug!r}")

    async def find_slug(self, slug: str) -> Pool | None:
        """The pool at this address, whosever it is; None when there is none. For the farm."""
        return await Pool.filter(slug=slug, deleted_at=None).first()

    async def printers_of(self, by: Principal, pool: Pool) -> Sequence[Printer]:
        """The printers of *pool*, in display order; with a key that is bound to one, only that."""
        rows = await self._printers.everything()
        return [row for row in rows if contains(pool, row) and by.reaches(row.id)]

    async def find(self, pool_ids: Collection[int]) -> Mapping[int, Pool]:
        """These pools, whosever they are, for the queue and for names; deleted ones are left out.

        The caller has been let see the ids.
        """
        if not pool_ids:
            return {}
        rows = await Pool.filter(id__in=sorted(pool_ids), deleted_at=None)
        return {row.id: row for row in rows}

    # Making and changing.

    async def create(self, by: Principal, new: NewPool) -> Pool:
        """Make a pool. Raises `Invalid` (``name_taken``) or `NotFound` (a printer)."""
        by.require("printers.write")
        now = self._clock.now()
        row = Pool(
            organization_id=by.organization_id,
            name=_named(new.name),
            printer_ids=await self._known(by, new.printer_ids),
            tags=[*dict.fromkeys(new.tags)],
            created_at=now,
            updated_at=now,
        )
        async with self._ledger.change() as change:
            await _check_free(row)
            row.slug = await self._printers.claim_slug(change, row.name, "pool")
            await row.save()
            _tell(change, by, row, "pool.created")
        return row

    async def update(self, by: Principal, pool_id: int, values: Mapping[str, Any]) -> Pool:
        """Set the settable fields in *values*; its address stays. Raises as `create` does."""
        by.require("printers.write")
        await self.get(by, pool_id)
        wanted = {name: value for name, value in values.items() if name in SETTABLE}
        if "name" in wanted:
            wanted["name"] = _named(wanted["name"])
        if "printer_ids" in wanted:
            wanted["printer_ids"] = await self._known(by, wanted["printer_ids"])
        if "tags" in wanted:
            wanted["tags"] = [*dict.fromkeys(wanted["tags"])]
        async with self._ledger.change() as change:
            row = await self._locked(pool_id)
            row.update_from_dict(wanted)
            await _check_free(row)
            row.updated_at = self._clock.now()
            await row.save()
            _tell(change, by, row, "pool.updated", fields=sorted(wanted))
        return row

    async def delete(self, by: Principal, pool_id: int) -> None:
        """Delete softly: its queued jobs are put on hold, its address is never used again."""
        by.require("printers.write")
        await self.get(by, pool_id)
        async with self._ledger.change() as change:
            row = await self._locked(pool_id)
            row.deleted_at = row.updated_at = self._clock.now()
            await row.save(update_fields=["deleted_at", "updated_at"])
            for hook in self._delete_hooks:
                await hook(change, pool_id)
            _tell(change, by, row, "pool.deleted")

    async def retag(self, change: Change, by: Principal, old: str, new: str) -> int:
        """Inside the caller's transaction, for who has checked the right: the caller's pools ask
        for *new* instead of tag *old*; how many did.
        """
        found = [row for row in await self.list(by) if old in row.tags]
        for row in found:
            row.tags = renamed(row.tags, old, new)
            row.updated_at = self._clock.now()
            await row.save(update_fields=["tags", "updated_at"])
            _tell(change, by, row, "pool.updated", fields=["tags"])
        return len(found)

    async def _known(self, by: Principal, printer_ids: Collection[int]) -> Sequence[int]:
        """*printer_ids* once each. Raises `NotFound` for one that is not the caller's."""
        return [(await self._printers.get(by, each)).id for each in dict.fromkeys(printer_ids)]

    @staticmethod
    async def _locked(pool_id: int) -> Pool:
        row = await Pool.filter(id=pool_id, deleted_at=None).first()
        if row is None:
            raise _missing(f"number {pool_id}")
        return row


def contains(pool: Pool, printer: Printer) -> bool:
    """Whether *printer* belongs to *pool*."""
    if printer.organization_id != pool.organization_id:
        return False
    return printer.id in pool.printer_ids or (
        bool(pool.tags) and set(pool.tags) <= set(printer.tags)
    )


def _theirs(by: Principal, row: Pool | None, what: str) -> Pool:
    if row is None or row.organization_id != by.organization_id or by.printer_id is not None:
        raise _missing(what)
    return row


def _missing(what: str) -> NotFound:
    return NotFound(f"There is no pool {what}.", code="pool_not_found")


def _named(name: str) -> str:
    stripped = name.strip()
    if not stripped:
        raise Invalid("name: a pool needs a name", code="validation_failed", field="name")
    return stripped


async def _check_free(row: Pool) -> None:
    others = Pool.filter(organization_id=row.organization_id, deleted_at=None, name=row.name)
    if await others.exclude(id=row.id or 0).exists():
        raise Invalid(f"Pool '{row.name}' already exists", code="name_taken")


def _tell(change: Change, by: Principal, row: Pool, kind: str, **data: Any) -> None:
    """The event, the audit entry, and the queue that has to look again."""
    facts = {"pool_id": row.id, "name": row.name, **data}
    change.record(Happened(row.organization_id, kind, user_id=by.user_id, data=facts))
    change.note(by, kind, ("pool", row.id), name=row.name, **data)
    change.wake("scheduler")
