"""The current picture of every printer, in memory: pure, *now* is passed in (seconds, monotonic).

One slot a printer, the newest picture wins. A slot counts its visible changes, so that whoever
caches an encoded answer knows when it is stale, and it knows when it wants to be written.
"""

from dataclasses import dataclass, field

from api.telemetry.history import History
from schemas.printer import ACTIVE, Live

SAVE_EVERY_S = 30.0
SAMPLE_EVERY_S = 60.0


@dataclass(slots=True)
class Slot:
    """One printer. *live* None: nothing was heard since it came to this bridge."""

    printer_id: int
    organization_id: int
    bridge_id: int | None
    live: Live | None = None
    heard_at: float = 0.0
    placed: bool = True  # False: read from a row, which does not say on which bridge
    changes: int = 0
    unsaved: bool = False
    is_relayed: bool = False  # another process hears it, and writes its rows
    saved_at: float = float("-inf")
    sampled_at: float = float("-inf")
    history: History = field(default_factory=History)

    def put(self, live: Live, now: float, wall_s: float) -> bool:
        """Take a newer picture; True when the printer's state moved. *wall_s*: since the epoch."""
        self.heard_at = now
        self.history.put(live.temps, wall_s)
        before = self.live
        if before == live:
            return False
        self.live = live
        self.changes += 1
        moved = before is None or before.state is not live.state
        if moved:
            self.saved_at = float("-inf")
        self.unsaved = True
        return moved

    def wants_saving(self, now: float) -> bool:
        """Changed, and either its state moved or the last time is 30 s ago."""
        return self.unsaved and now - self.saved_at >= SAVE_EVERY_S

    def was_saved(self, now: float) -> None:
        """Its picture is in a row. See `_spread`."""
        self.unsaved = False
        self.saved_at = self._spread(self.saved_at, now, SAVE_EVERY_S)

    def was_sampled(self, now: float) -> None:
        """Its temperatures are in a row. See `_spread`."""
        self.sampled_at = self._spread(self.sampled_at, now, SAMPLE_EVERY_S)

    def _spread(self, before: float, now: float, every_s: float) -> float:
        """When it counts as written: after the first time a thousand printers that came together
        go on one after the other, so that nobody waits for all their rows.
        """
        return now if before > float("-inf") else now - self.printer_id % every_s

    def wants_sample(self, now: float) -> bool:
        """It prints, and the last sample is a minute ago."""
        return (
            not self.is_relayed
            and self.live is not None
            and self.live.state in ACTIVE
            and now - self.sampled_at >= SAMPLE_EVERY_S
        )


class Slots:
    """All printers of this process."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}

    def get(self, printer_id: int) -> Slot | None:
        """The slot of a printer; None when it was never heard of."""
        return self._slots.get(printer_id)

    def of(self, printer_id: int, organization_id: int, bridge_id: int | None) -> Slot:
        """The slot of a printer that is on this bridge now; empty when it came from another."""
        slot = self._slots.get(printer_id)
        if slot is not None and not slot.placed:
            slot.bridge_id, slot.placed = bridge_id, True
        if slot is not None and slot.bridge_id == bridge_id:
            return slot
        fresh = Slot(printer_id, organization_id, bridge_id)
        if slot is not None:
            fresh.changes = slot.changes + 1
        self._slots[printer_id] = fresh
        return fresh

    def restore(self, printer_id: int, organization_id: int, live: Live, heard_at: float) -> None:
        """A picture from before the start; it does not replace what was heard since."""
        if printer_id not in self._slots:
            self._slots[printer_id] = Slot(
                printer_id, organization_id, None, live, heard_at, placed=False
            )

    def take(
        self, printer_id: int, organization_id: int, live: Live, heard_at: float, wall_s: float
    ) -> None:
        """A picture that another process heard at *heard_at*; older ones than ours are left."""
        slot = self._slots.get(printer_id)
        if slot is None:
            self.restore(printer_id, organization_id, live, heard_at)
        elif slot.live is None or heard_at > slot.heard_at:
            slot.put(live, heard_at, wall_s)
            slot.unsaved = False  # its row is where it comes from

    def all(self) -> list[Slot]:
        """Every slot."""
        return list(self._slots.values())
