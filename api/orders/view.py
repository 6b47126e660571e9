"""Orders and products as v1 shows them (2.9): from rows to JSON, nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.clock import iso
from api.orders.goods import Supplies
from api.orders.service import (
    Consumable,
    ConsumableMove,
    OrderItem,
    OrderView,
    Product,
    ProductComponent,
    ProductConsumable,
)

_OWN = (
    *("id", "order_number", "platform", "customer_name", "customer_email", "status"),
    *("tracking_number", "notes", "revenue", "platform_fees", "payment_fees"),
    *("shipping_charged", "shipping_cost", "labor_minutes"),
)


def item_fields(item: OrderItem, product: Product | None, fulfilled: int) -> dict[str, Any]:
    """An item."""
    price = item.unit_price
    return {
        "id": item.id,
        "order_id": item.order_id,
        "product_id": item.product_id,
        "quantity": item.quantity,
        "unit_price": price,
        "fulfilled_quantity": fulfilled,
        "created_at": iso(item.created_at),
        "product_name": product.name if product else None,
        "product_sku": product.sku if product else None,
        "subtotal": None if price is None else round(price * item.quantity, 2),
        "is_fulfilled": fulfilled >= item.quantity,
    }


def items_of(view: OrderView) -> list[dict[str, Any]]:
    """The items of an order."""
    fulfilled = view.progress.fulfilled
    return [
        item_fields(item, view.products.get(item.product_id), fulfilled[item.id])
        for item in view.items
    ]


def order_fields(view: OrderView) -> dict[str, Any]:
    """An order. It costs what its jobs do, as far as their rates tell."""
    row, items = view.order, items_of(view)
    return {
        **{name: getattr(row, name) for name in _OWN},
        "order_date": iso(row.order_date),
        "shipped_date": iso(row.shipped_date),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "items": items,
        "total_items": sum(item["quantity"] for item in items),
        "fulfilled_items": sum(item["fulfilled_quantity"] for item in items),
        "estimated_cost": view.costs.estimated,
        "actual_cost": view.costs.actual,
        **_profit(view),
        "jobs_total": view.progress.jobs_total,
        "jobs_complete": view.progress.jobs_complete,
    }


def _profit(view: OrderView) -> dict[str, float | None]:
    """What is left of what the customer pays; null where that or the cost is not known."""
    row, cost = view.order, view.costs.estimated
    if row.revenue is None or cost is None:
        return {"profit": None, "margin_percent": None}
    paid = row.revenue + (row.shipping_charged or 0.0)
    spent = (row.platform_fees, row.payment_fees, row.shipping_cost)
    profit = paid - cost - sum(money or 0.0 for money in spent)
    share = round(100 * profit / paid, 1) if paid else None
    return {"profit": round(profit, 2), "margin_percent": share}


def summary_fields(view: OrderView) -> dict[str, Any]:
    """An order in a list."""
    row, items = view.order, items_of(view)
    return {
        "id": row.id,
        "order_number": row.order_number,
        "platform": row.platform,
        "customer_name": row.customer_name,
        "status": row.status,
        "revenue": row.revenue,
        "order_date": iso(row.order_date),
        "item_count": len(items),
        "fulfilled": bool(items) and all(item["is_fulfilled"] for item in items),
    }


def component_fields(row: ProductComponent, models: Mapping[int, str]) -> dict[str, Any]:
    """A component."""
    return {
        "id": row.id,
        "product_id": row.product_id,
        "model_id": row.model_id,
        "quantity_needed": row.quantity_needed,
        "notes": row.notes,
        "model_name": models.get(row.model_id),
    }


_OF_CONSUMABLE = (
    *("id", "name", "sku", "unit", "cost_per_unit", "current_stock", "min_stock"),
    *("vendor", "notes", "status"),
)


def consumable_fields(row: Consumable) -> dict[str, Any]:
    """A consumable."""
    return {
        **{name: getattr(row, name) for name in _OF_CONSUMABLE},
        "is_low_stock": row.is_low,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def supply_fields(link: ProductConsumable, row: Consumable) -> dict[str, Any]:
    """A consumable of a product."""
    return {
        "id": link.id,
        "product_id": link.product_id,
        "consumable_id": row.id,
        "quantity_per_product": link.quantity_per_product,
        "notes": link.notes,
        "consumable_name": row.name,
        "unit": row.unit,
        "cost": round(link.quantity_per_product * row.cost_per_unit, 4),
    }


def deducted_fields(move: ConsumableMove, row: Consumable) -> dict[str, Any]:
    """What was taken from a stock."""
    return {
        "consumable_id": row.id,
        "name": row.name,
        "unit": row.unit,
        "quantity": abs(move.quantity),
        "missing": move.missing,
    }


def product_fields(
    row: Product,
    components: Sequence[ProductComponent],
    models: Mapping[int, str],
    consumables: Supplies,
    cost: float | None,
) -> dict[str, Any]:
    """A product. *cost*: of all that one is made of."""
    return {
        "id": row.id,
        "name": row.name,
        "sku": row.sku,
        "price": row.price,
        "description": row.description,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "components": [component_fields(each, models) for each in components],
        "consumables": [supply_fields(*each) for each in consumables],
        "estimated_cogs": cost,
        "component_count": len(components),
    }
