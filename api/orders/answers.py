"""What the order and product routes answer (v1 contract, 2.9). Money in the farm's currency."""

from typing import Any, Literal

from pydantic import Field

from api.describe import Answer, Instant
from api.orders.forms import OrderStatus


class OrderItemAnswer(Answer):
    """So many of a product."""

    id: int
    order_id: int
    product_id: int
    quantity: int
    unit_price: float | None
    fulfilled_quantity: int = Field(description="Whole pieces that its jobs have printed")
    created_at: Instant
    product_name: str | None
    product_sku: str | None
    subtotal: float | None
    is_fulfilled: bool


class OrderAnswer(Answer):
    """An order with its items."""

    id: int
    order_number: str | None
    platform: str | None
    customer_name: str | None
    customer_email: str | None
    status: OrderStatus
    order_date: Instant | None
    shipped_date: Instant | None
    tracking_number: str | None
    notes: str | None
    revenue: float | None
    platform_fees: float | None
    payment_fees: float | None
    shipping_charged: float | None
    shipping_cost: float | None
    labor_minutes: int
    created_at: Instant
    updated_at: Instant
    items: list[OrderItemAnswer]
    total_items: int
    fulfilled_items: int
    estimated_cost: float | None
    actual_cost: float | None
    profit: float | None
    margin_percent: float | None
    jobs_total: int
    jobs_complete: int


class OrderSummary(Answer):
    """An order in a list."""

    id: int
    order_number: str | None
    platform: str | None
    customer_name: str | None
    status: OrderStatus
    revenue: float | None
    order_date: Instant | None
    item_count: int
    fulfilled: bool


class OrderJobMade(Answer):
    """A job that was queued for an order."""

    model: str
    item_id: int
    quantity: int = Field(description="Prints")
    quantity_on_bed: int = Field(description="Pieces a print")


class OrderScheduled(Answer):
    """The jobs that were missing are queued."""

    success: Literal[True]
    order_id: int
    jobs_created: int
    details: list[OrderJobMade]
    consumables_deducted: list[Any]


class ComponentAnswer(Answer):
    """So many prints of a model for one product."""

    id: int
    product_id: int
    model_id: int
    quantity_needed: int
    notes: str | None
    model_name: str | None


class ProductAnswer(Answer):
    """Something that is sold."""

    id: int
    name: str
    sku: str | None
    price: float | None
    description: str | None
    created_at: Instant
    updated_at: Instant
    components: list[ComponentAnswer]
    consumables: list[Any]
    estimated_cogs: float | None
    component_count: int
