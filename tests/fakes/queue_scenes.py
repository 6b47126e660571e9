"""Printers and jobs for the rules, without rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from api.jobs.line import Waiting
from api.printers.models import Printer
from api.scheduler.board import Board
from api.scheduler.needs import Need, need_of
from api.scheduler.power import Budget, Load, Power
from api.scheduler.rules import Preflight, Scene, nothing_said
from api.scheduler.spots import Spot, spot_of
from schemas.jobs import JobState

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # a Monday


def spot(number: int = 1, *, reachable: bool = True, **fields: Any) -> Spot:
    """A free printer with a clear plate, but for *fields* of its row."""
    row = Printer(
        **{
            "id": number,
            "organization_id": 1,
            "name": f"P{number}",
            "slug": f"p{number}",
            "bridge_id": 7,
            "plate_policy": "self_clearing",
            "state": "operational",
            **fields,
        }
    )
    return spot_of(row, reachable=reachable)


def waiting(number: int = 1, **fields: Any) -> Waiting:
    """A job that anybody may print, but for *fields*."""
    values: dict[str, Any] = {
        "id": number,
        "organization_id": 1,
        "item_name": "Cube",
        "state": JobState.PENDING,
        "printer_id": None,
        "pinned": False,
        "pool_id": None,
        "blob_id": 1,
        "priority": 3,
        "quantity": 1,
        "duration_hours": None,
        "filament_type": None,
        "colors_required": None,
        "required_tags": (),
        "target_type": None,
        "target_filter": None,
    }
    return Waiting(**{**values, **fields})


def need(
    facts: Mapping[str, Any] | None = None,
    analysis: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Need:
    """What such a job asks for, with a file of which this is known."""
    return need_of(waiting(**fields), facts or {}, analysis or {})


def scene(
    spots: Sequence[Spot] = (),
    budgets: Sequence[Budget] = (),
    loads: Mapping[int, Load] | None = None,
    *,
    opens_at: datetime | None = None,
    preflight: Preflight = nothing_said,
    **more: Any,
) -> Scene:
    """What stands around: nothing, but for what is given."""
    power = Power(budgets, loads or {}, spots, NOW)
    return Scene(power=power, opens_at=opens_at, preflight=preflight, **more)


def board(*spots: Spot, around: Scene | None = None) -> Board:
    """These printers."""
    return Board(spots, around or scene(spots))


def who(of: Board, asked: Need) -> list[int]:
    """The numbers of the printers that may have such a job now."""
    fitting = of.fitting(asked)
    return [each.id for place, each in enumerate(of.spots) if fitting >> place & 1]


def slot(number: int, material: str, **more: Any) -> dict[str, Any]:
    """What people say of a slot."""
    return {"slot_number": number, "filament_type": material, **more}
