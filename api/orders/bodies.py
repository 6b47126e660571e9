"""Request bodies of the order and product routes (v1 contract, 2.9)."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from api.http import Body, RowId
from api.jobs.bodies import Moment
from api.orders.forms import Movement, NewComponent, NewItem, NewMove, NewSupply, OrderStatus

Short = Annotated[str, StringConstraints(max_length=100)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Customer = Annotated[str, StringConstraints(max_length=200)]
Mail = Annotated[str, StringConstraints(max_length=254)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Money = Annotated[float, Field(ge=-1e9, le=1e9)]
Quantity = Annotated[int, Field(ge=1, le=10_000)]
Minutes = Annotated[int, Field(ge=0, le=1_000_000)]
Amount = Annotated[float, Field(ge=0, le=1e9)]
MoreThanNothing = Annotated[float, Field(gt=0, le=1e9)]
Remark = Annotated[str, StringConstraints(max_length=500)]
Unit = Annotated[str, StringConstraints(min_length=1, max_length=32, strip_whitespace=True)]
Standing = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]


class OrderItemBody(Body):
    """An item of an order. *unit_price*: null takes the product's."""

    product_id: RowId
    quantity: Quantity = 1
    unit_price: Money | None = None

    def form(self) -> NewItem:
        """The same for the service."""
        return NewItem(**self.model_dump())


class OrderItemUpdateBody(Body):
    """``PATCH /orders/{id}/items/{id}``: only what is there is changed."""

    quantity: Quantity | None = None
    unit_price: Money | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent."""
        sent = self.model_dump(exclude_unset=True)
        return {k: v for k, v in sent.items() if v is not None or k != "quantity"}


class OrderFields(Body):
    """What both making and changing an order take. Money in the farm's currency."""

    order_number: Short | None = None
    platform: Short | None = None
    customer_name: Customer | None = None
    customer_email: Mail | None = None
    order_date: Moment | None = None
    notes: Text | None = None
    revenue: Money | None = None
    platform_fees: Money | None = None
    payment_fees: Money | None = None
    shipping_charged: Money | None = None
    shipping_cost: Money | None = None


class OrderCreateBody(OrderFields):
    """``POST /orders``: everything may be left out."""

    labor_minutes: Minutes = 0
    items: Annotated[list[OrderItemBody], Field(max_length=200)] | None = None

    def values(self) -> dict[str, Any]:
        """The order's own fields."""
        return self.model_dump(exclude={"items"})


class OrderUpdateBody(OrderFields):
    """``PATCH /orders/{id}``: only what is there is changed."""

    status: OrderStatus | None = None
    shipped_date: Moment | None = None
    tracking_number: Short | None = None
    labor_minutes: Minutes | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent."""
        sent = self.model_dump(exclude_unset=True)
        return {
            k: v for k, v in sent.items() if v is not None or k not in ("status", "labor_minutes")
        }


class OrderShipBody(Body):
    """``PATCH /orders/{id}/ship``. *shipped_date*: null is now."""

    tracking_number: Short | None = None
    shipped_date: Moment | None = None


class ComponentBody(Body):
    """A model that a product is made of."""

    model_id: RowId
    quantity_needed: Quantity = 1
    notes: Remark | None = None

    def form(self) -> NewComponent:
        """The same for the service."""
        return NewComponent(**self.model_dump())


class ProductCreateBody(Body):
    """``POST /products``."""

    name: Name
    sku: Short | None = None
    price: Money | None = None
    description: Text | None = None
    components: Annotated[list[ComponentBody], Field(max_length=100)] | None = None

    def values(self) -> dict[str, Any]:
        """The product's own fields."""
        return self.model_dump(exclude={"components"})


class ProductUpdateBody(Body):
    """``PATCH /products/{id}``: only what is there is changed."""

    name: Name | None = None
    sku: Short | None = None
    price: Money | None = None
    description: Text | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent."""
        sent = self.model_dump(exclude_unset=True)
        return {k: v for k, v in sent.items() if v is not None or k != "name"}


class ProductConsumableBody(Body):
    """A consumable that a product needs, in its unit."""

    consumable_id: RowId
    quantity_per_product: MoreThanNothing = 1.0
    notes: Remark | None = None

    def form(self) -> NewSupply:
        """The same for the service."""
        return NewSupply(**self.model_dump())


class ConsumableCreateBody(Body):
    """``POST /consumables``. Stocks in *unit*; *status*: only `active` ones are ever low."""

    name: Name
    sku: Short | None = None
    unit: Unit = "piece"
    cost_per_unit: Amount = 0
    current_stock: Amount = 0
    min_stock: Amount = 0
    vendor: Customer | None = None
    notes: Text | None = None
    status: Standing = "active"


class ConsumableUpdateBody(Body):
    """``PATCH /consumables/{id}``: only what is there is changed."""

    name: Name | None = None
    sku: Short | None = None
    unit: Unit | None = None
    cost_per_unit: Amount | None = None
    current_stock: Amount | None = None
    min_stock: Amount | None = None
    vendor: Customer | None = None
    notes: Text | None = None
    status: Standing | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent; null empties those that may be empty."""
        sent = self.model_dump(exclude_unset=True)
        return {k: v for k, v in sent.items() if v is not None or k in ("sku", "vendor", "notes")}


class ConsumableAdjustBody(Body):
    """``POST /consumables/{id}/adjust``."""

    type: Movement
    quantity: MoreThanNothing
    notes: Remark | None = None

    def form(self) -> NewMove:
        """The same for the service."""
        return NewMove(**self.model_dump())
