"""A plan: which waiting job is likely to print where and when (v1 contract, 4.3). Pure.

Quarters of an hour over a horizon of days. The queue itself does not wait for a plan: it gives
every free printer the next job that fits. What the plan looks at is what does not pass by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from api.scheduler.board import NO_CHANGE_POINTS, PER_PINNED_JOB_POINTS, Board, places
from api.scheduler.hours import Hours
from api.scheduler.materials import color_match
from api.scheduler.needs import Need
from api.scheduler.rules import RULES
from api.scheduler.spots import Spot

SLOT_S = 900
_SLOT_POINTS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job to be placed. *hours* it takes; not before *earliest*, if that is set."""

    job_id: int
    need: Need
    hours: float
    earliest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How to plan: from *now*, so many days ahead, *setup_slots* for a change of colours."""

    now: datetime
    hours: Hours
    horizon_days: int
    setup_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The place of one job. *printer* None: it has none, and *note* says why."""

    job_id: int
    printer: Spot | None = None
    start: datetime | None = None
    end: datetime | None = None
    match_score: int | None = None
    has_setup: bool = False
    note: str = ""


@dataclass(slots=True)
class _Desk:
    """One printer's coming days."""

    spot: Spot
    next_start: datetime
    colors: frozenset[str]
    jobs: int = 0
    slot: int = field(default=0)


def plan(
    orders: Sequence[Order], board: Board, free_at: Sequence[datetime], terms: Terms
) -> list[Planned]:
    """A place for each of *orders*, in their order; *free_at*: by place on the board, in UTC."""
    desks = [
        _Desk(spot, at, frozenset(name for slot in spot.slots for name in slot.colors))
        for spot, at in zip(board.spots, free_at, strict=True)
    ]
    for desk in desks:
        _open(desk, desk.next_start, terms)
    end = terms.now + timedelta(days=terms.horizon_days)
    return [_place(order, board, desks, terms, end) for order in orders]


def _place(
    order: Order, board: Board, desks: Sequence[_Desk], terms: Terms, horizon: datetime
) -> Planned:
    able = board.everybody
    for rule in RULES:
        if rule.lasting:
            able &= board.passing(rule, order.need)
    found = [
        desks[place]
        for place in places(able)
        if desks[place].spot.is_active
        and (not desks[place].spot.by_hand or order.need.printer_id is not None)
    ]
    if not found:
        return Planned(job_id=order.job_id, note=f"Job {order.job_id}: no printer can have it.")
    desk = max(found, key=lambda each: _points(order, each))
    has_setup = bool(order.need.colors) and not set(order.need.colors) <= desk.colors
    start = desk.next_start
    if order.earliest is not None and order.earliest > start:
        start = _opening(order.earliest, terms)
    begin = start + timedelta(seconds=SLOT_S * terms.setup_slots * has_setup)
    end = begin + timedelta(seconds=_slots(order.hours) * SLOT_S)
    if start >= horizon:
        note = f"Job {order.job_id}: no room within {terms.horizon_days} days."
        return Planned(job_id=order.job_id, note=note)
    planned = Planned(
        job_id=order.job_id,
        printer=desk.spot,
        start=begin,
        end=end,
        match_score=color_match(order.need.colors, desk.spot),
        has_setup=has_setup,
    )
    desk.jobs += 1
    desk.colors = frozenset(order.need.colors) or desk.colors
    _open(desk, end, terms)
    return planned


def _points(order: Order, desk: _Desk) -> float:
    """The contract's score, without what is the same for every printer."""
    colors = order.need.colors
    loaded = sum(color in desk.colors for color in colors)
    match = 100 * loaded / len(colors) if colors else 50
    stays = not colors or loaded == len(colors)
    return (
        match
        + NO_CHANGE_POINTS * stays
        - _SLOT_POINTS * desk.slot
        - PER_PINNED_JOB_POINTS * desk.jobs
    )


def _open(desk: _Desk, at: datetime, terms: Terms) -> None:
    desk.next_start = _opening(max(at, terms.now), terms)
    desk.slot = int((desk.next_start - terms.now).total_seconds() // SLOT_S)


def _opening(at: datetime, terms: Terms) -> datetime:
    """The first quarter of an hour from *at* on in which something may start."""
    slot = _next_slot(at)
    opens_at = terms.hours.opens_at(slot)
    return slot if opens_at is None else _next_slot(opens_at)


def _next_slot(at: datetime) -> datetime:
    whole, rest = divmod(int(at.timestamp()), SLOT_S)
    is_on = rest == 0 and at.microsecond == 0
    return datetime.fromtimestamp((whole + (not is_on)) * SLOT_S, UTC)


def _slots(hours: float) -> int:
    return max(1, -(-round(hours * 3600) // SLOT_S))
