"""What a printer offers to the queue: its row, read once. Pure."""

from dataclasses import dataclass
from datetime import datetime

from ulid import ULID

from api.printers.plate import may_start
from api.printers.sending import is_sending
from api.printers.service import Printer, Printers
from api.scheduler.needs import color_name, material_name
from schemas.printer import ACTIVE, PrinterState, Profile

#: Slots with this in it hold something that nobody knows.
UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Slot:
    """What people said of one slot. *left_g* None: nobody knows how much."""

    number: int
    material: str
    colors: frozenset[str]
    left_g: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """One printer. *slots*: those that somebody has spoken of; none: nobody keeps track here.

    *held*: why its queue waits for a person. *granted_at*: when the start was given that holds it.
    *draws*: something runs on it, whoever started it. *is_sending*: a file goes to its own card.
    """

    id: int
    organization_id: int
    name: str
    tags: frozenset[str]
    model: str
    api_type: str
    profile: Profile
    slots: tuple[Slot, ...]
    by_hand: bool
    is_active: bool
    reachable: bool
    state: PrinterState
    held: str
    has_grant: bool
    granted_at: datetime | None
    plate_clear: bool
    is_sending: bool
    row: Printer

    @property
    def draws(self) -> bool:
        """Whether something is printed or heated for a print here."""
        return self.has_grant or self.state in ACTIVE

    @property
    def free(self) -> bool:
        """Whether the queue may look at it at all; its plate is another question."""
        return (
            not self.by_hand
            and self.reachable
            and self.is_active
            and self.state is PrinterState.OPERATIONAL
            and not self.has_grant
            and not self.is_sending
            and not self.held
        )


def spot_of(row: Printer, *, reachable: bool) -> Spot:
    """*row* as the rules look at it."""
    return Spot(
        id=row.id,
        organization_id=row.organization_id,
        name=row.name,
        tags=frozenset(row.tags),
        model=row.model or "",
        api_type=row.api_type or "",
        profile=Printers.profile(row),
        slots=_slots(row),
        by_hand=row.bridge_id is None,
        is_active=row.is_active,
        reachable=reachable,
        state=PrinterState(row.state),
        held=row.queue_hold,
        has_grant=row.active_grant is not None,
        granted_at=ULID.from_str(row.active_grant).datetime if row.active_grant else None,
        plate_clear=may_start(row.plate_policy, row.plate_state, explicit=False),
        is_sending=is_sending(row),
        row=row,
    )


class Spots:
    """Printers as spots; a row that has not changed is not looked at again."""

    def __init__(self) -> None:
        self._known: dict[int, Spot] = {}

    def of(self, row: Printer, *, reachable: bool) -> Spot:
        """The spot of *row*. A row in memory is replaced when it changes, never written to."""
        known = self._known.get(row.id)
        if known is None or known.row is not row or known.reachable is not reachable:
            known = self._known[row.id] = spot_of(row, reachable=reachable)
        return known

    def keep_only(self, ids: frozenset[int]) -> None:
        """Forget printers that are gone."""
        for gone in self._known.keys() - ids:
            del self._known[gone]


def _slots(row: Printer) -> tuple[Slot, ...]:
    return tuple(
        Slot(
            number=said["slot_number"],
            material=material_name(said.get("filament_type") or "PLA"),
            colors=frozenset(
                name
                for name in (color_name(said.get("color")), color_name(said.get("color_hex")))
                if name
            ),
            left_g=said.get("remaining"),
        )
        for said in row.slots
        if said["slot_number"] <= row.slot_count
    )
