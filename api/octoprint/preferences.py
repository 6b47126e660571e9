"""Settings of a printer or pool that only OctoPrint's clients know, as rows of this face."""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from api.events.service import Happened, Ledger
from api.files.service import Tree
from api.octoprint.models import Preferences
from api.octoprint.visitor import Visit
from api.printers.rows import bell
from api.printers.service import Printers
from api.spelled import Rows

__all__ = ["Preferences", "PreferencesStore"]

#: The profile that every printer has from the beginning.
PROFILE_ID = "_default"

Build = Callable[[Preferences], Mapping[str, Any]]


def happened(visit: Visit, what: str, **data: Any) -> Happened:
    """What was done to the printer or pool of *visit*, for whoever listens."""
    kind, _, number = visit.tree.key.partition(":")
    if visit.pool is not None:
        data["pool_id"] = int(number)
    return Happened(
        visit.at.organization_id,
        f"{kind}.{what}",
        printer_id=None if visit.pool is not None else visit.printer.id,
        user_id=visit.by.user_id,
        data={"name": visit.at.name, **data},
    )


@lru_cache(16)
def _of_trees(count: int) -> Rows[Preferences]:
    values = ", ".join(f"${number}" for number in range(1, count + 1))
    return Rows(Preferences, f"tree IN ({values})")


class PreferencesStore:
    """The preferences of all organizations."""

    def __init__(self, ledger: Ledger, printers: Printers) -> None:
        """*printers* tell their bridges the offsets that are kept here."""
        self._ledger = ledger
        self._printers = printers
        printers.offsets_from(self.offsets_of)

    async def of(self, tree: str) -> Preferences:
        """What is kept for *tree*; nothing kept is an empty row."""
        return await Preferences.get_or_none(tree=tree) or Preferences(
            tree=tree,
            organization_id=0,
            settings={},
            profiles={},
            current=PROFILE_ID,
            offsets_c={},
        )

    async def offsets_of(self, printers: Collection[int]) -> dict[int, dict[str, float]]:
        """Temperature offsets in °C by printer and heater, of those that have any."""
        if not printers:
            return {}
        trees = {Tree.of_printer(number).key: number for number in printers}
        rows = await _of_trees(len(trees)).of(*trees)
        return {trees[row.tree]: row.offsets_c for row in rows if row.offsets_c}

    async def keep(
        self, visit: Visit, what: str, build: Build, *, told: Happened | None = None
    ) -> None:
        """Set the columns that *build* makes of the row as it is in this moment.

        *what* is said to the audit, *told* to whoever listens. The caller has checked the
        right. Whoever shows this printer builds its answers again.
        """
        tree = visit.tree.key
        mine = {"organization_id": visit.at.organization_id}
        async with self._ledger.change() as change:
            await Preferences.get_or_create(tree=tree, defaults=mine)
            row = await Preferences.filter(tree=tree).select_for_update().get()
            values = dict(build(row))
            row.update_from_dict(values)
            await row.save(update_fields=[*values])
            kind, _, number = tree.partition(":")
            change.note(visit.by, f"{kind}.{what}", (kind, number), fields=sorted(values))
            if told is not None:
                change.record(told)
            if visit.pool is None:
                change.wake(bell(visit.printer.id))
            if "offsets_c" in values:
                await self._printers.announce(change, visit.printer, structure=False, desired=True)
