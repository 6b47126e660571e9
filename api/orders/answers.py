"""What the order and product routes answer (v1 contract, 2.9). Money in the farm's currency."""

from typing import Literal

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
    estimated_cost: float | None = Field(
        description="Of its jobs, by the rates when they were made; null: unknown"
    )
    actual_cost: float | None = Field(description="The same of its completed jobs")
    profit: float | None = Field(
        description="Revenue and shipping_charged less the fees, shipping_cost and estimated_cost"
    )
    margin_percent: float | None = Field(description="The profit in percent of what is paid")
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


class ConsumableDeducted(Answer):
    """What was taken from a stock for an order."""

    consumable_id: int
    name: str
    unit: str
    quantity: float = Field(description="Taken, in the unit")
    missing: float = Field(description="Needed as well, and not there")


class OrderScheduled(Answer):
    """The jobs that were missing are queued, the consumables taken from their stocks."""

    success: Literal[True]
    order_id: int
    jobs_created: int
    details: list[OrderJobMade]
    consumables_deducted: list[ConsumableDeducted]


class ComponentAnswer(Answer):
    """So many prints of a model for one product."""

    id: int
    product_id: int
    model_id: int
    quantity_needed: int
    notes: str | None
    model_name: str | None


class ConsumableAnswer(Answer):
    """Something beside filament that products need. Stocks in its unit."""

    id: int
    name: str
    sku: str | None
    unit: str
    cost_per_unit: float
    current_stock: float
    min_stock: float
    is_low_stock: bool
    vendor: str | None
    notes: str | None
    status: str
    created_at: Instant
    updated_at: Instant


class ConsumableMoveAnswer(Answer):
    """How a stock moved."""

    id: int
    quantity: float = Field(description="Put there; below 0: taken")
    missing: float = Field(description="To be taken as well, and not there")
    order_id: int | None
    user_id: int | None
    notes: str | None
    at: Instant


class ConsumableDetail(ConsumableAnswer):
    """A consumable with the latest moves of its stock, the newest first."""

    usage_history: list[ConsumableMoveAnswer]


class ConsumableDone(Answer):
    """It is done."""

    success: Literal[True]
    message: str


class ConsumableAdjusted(Answer):
    """What is there now."""

    success: Literal[True]
    id: int
    current_stock: float
    missing: float = Field(description="To be taken as well, and not there")
    is_low_stock: bool


class ProductConsumableAnswer(Answer):
    """So much of a consumable for one product."""

    id: int
    product_id: int
    consumable_id: int
    quantity_per_product: float
    notes: str | None
    consumable_name: str
    unit: str
    cost: float = Field(description="Money for one product")


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
    consumables: list[ProductConsumableAnswer]
    estimated_cogs: float | None = Field(
        description="Its prints by the rates of /pricing-config, and its consumables; null: unknown"
    )
    component_count: int
