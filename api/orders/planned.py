"""The jobs that an order needs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.jobs.service import NewJob
from api.orders.models import ConsumableMove, Order, OrderItem, ProductComponent

#: The source of jobs that are made for an order; their details say for what, below this name.
SOURCE = "order"


@dataclass(frozen=True, slots=True)
class Planned:
    """Jobs that an order needs: so many prints of a component of an item."""

    item: OrderItem
    component: ProductComponent
    prints: int
    per_print: int


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What was queued for an order, and taken from the stocks with it."""

    planned: Sequence[Planned]
    moves: Sequence[ConsumableMove]


def new_job(row: Order, one: Planned) -> NewJob:
    """The job that makes *one* for the order *row*."""
    name = f"Order {row.order_number or row.id}, item {one.item.id}"
    return NewJob(
        item_name=name[:200],
        model_id=one.component.model_id,
        quantity=one.prints,
        source=SOURCE,
        details={
            SOURCE: {
                "order_id": row.id,
                "item_id": one.item.id,
                "component_id": one.component.id,
                "makes": one.prints * one.per_print,
            }
        },
    )
