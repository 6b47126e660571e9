"""What people say about orders and products, and what follows from their jobs. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from api.errors import Invalid
from api.orders.models import OrderItem, OrderJob, ProductComponent
from schemas.jobs import JOB_OVER, JobState


class OrderStatus(StrEnum):
    """How far an order is."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    PARTIAL = "partial"
    FULFILLED = "fulfilled"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"


#: States that follow from the jobs; the others are what people said.
COMPUTED = frozenset({OrderStatus.IN_PROGRESS, OrderStatus.PARTIAL, OrderStatus.FULFILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """So many of a product, at a price of their own."""

    product_id: int
    quantity: int = 1
    unit_price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComponent:
    """So many prints of a model for one product."""

    model_id: int
    quantity_needed: int = 1
    notes: str | None = None


class Movement(StrEnum):
    """What somebody does to a stock."""

    RESTOCK = "restock"
    DEDUCT = "deduct"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMove:
    """So much is put to a stock or taken from it."""

    type: Movement
    quantity: float
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSupply:
    """So much of a consumable for one product."""

    consumable_id: int
    quantity_per_product: float = 1.0
    notes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilter:
    """Which orders; None: any."""

    status: OrderStatus | None = None
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order's jobs are. *fulfilled*: pieces that are printed whole, by item."""

    fulfilled: Mapping[int, int]
    jobs_total: int
    jobs_complete: int


@dataclass(frozen=True, slots=True)
class Costs:
    """What an order's jobs cost by the rates when they were made; None: of none is it known.

    *estimated*: of all that are wanted still or done; *actual*: of those that are done.
    """

    estimated: float | None
    actual: float | None


def parse_status(word: str | None) -> OrderStatus | None:
    """A status; the contract's MCP client says ``completed`` for fulfilled. Raises `Invalid`."""
    if word is None:
        return None
    try:
        return OrderStatus({"completed": "fulfilled"}.get(word, word))
    except ValueError:
        words = ", ".join(["completed", *OrderStatus])
        raise Invalid(
            f"status: one of {words}, not {word[:40]!r}", code="validation_failed", field="status"
        ) from None


def progress_of(
    items: Sequence[OrderItem],
    components: Mapping[int, Sequence[ProductComponent]],
    made: Sequence[OrderJob],
    states: Mapping[int, JobState],
) -> Progress:
    """What an order's jobs have come to. *components* by product; deleted jobs have no state."""
    parts: dict[tuple[int, int], int] = {}
    for one in made:
        if states.get(one.job_id) is JobState.COMPLETED:
            key = (one.item_id, one.component_id)
            parts[key] = parts.get(key, 0) + one.makes
    fulfilled = {}
    for item in items:
        whole = [
            parts.get((item.id, each.id), 0) // each.quantity_needed
            for each in components.get(item.product_id, ())
        ]
        fulfilled[item.id] = min([item.quantity, *whole]) if whole else 0
    complete = sum(states.get(one.job_id) is JobState.COMPLETED for one in made)
    return Progress(fulfilled, len(made), complete)


def costs_of(
    made: Sequence[OrderJob], states: Mapping[int, JobState], costs: Mapping[int, float]
) -> Costs:
    """What an order's jobs cost. *costs*: by job, where they are known."""
    wanted = [
        one.job_id
        for one in made
        if one.job_id in costs
        and (states.get(one.job_id) not in JOB_OVER or states[one.job_id] is JobState.COMPLETED)
    ]
    done = [job_id for job_id in wanted if states.get(job_id) is JobState.COMPLETED]
    estimated, actual = [
        round(sum(costs[job_id] for job_id in jobs), 2) if jobs else None for jobs in (wanted, done)
    ]
    return Costs(estimated, actual)


def status_of(items: Sequence[OrderItem], progress: Progress) -> OrderStatus:
    """The status of an order that is being made."""
    if items and all(progress.fulfilled[item.id] >= item.quantity for item in items):
        return OrderStatus.FULFILLED
    if progress.jobs_complete:
        return OrderStatus.PARTIAL
    return OrderStatus.IN_PROGRESS


def still_needed(
    item: OrderItem,
    component: ProductComponent,
    made: Sequence[OrderJob],
    states: Mapping[int, JobState],
) -> int:
    """How many pieces of *component* no job makes or has made for *item*; not those that failed."""
    given = sum(
        one.makes
        for one in made
        if (one.item_id, one.component_id) == (item.id, component.id)
        and one.job_id in states
        and (states[one.job_id] is JobState.COMPLETED or states[one.job_id] not in JOB_OVER)
    )
    return max(0, item.quantity * component.quantity_needed - given)
