"""What the order routes say of themselves in the specification."""

from typing import Literal

from api.describe import Doc, Query
from api.orders import answers, bodies

_STATE = "invalid_state_transition"
_WORDS = Literal[
    "pending", "in_progress", "partial", "fulfilled", "completed", "shipped", "cancelled"
]

LIST = Doc(
    summary="Orders, the newest first",
    answer=list[answers.OrderSummary],
    right="orders.read",
    paged=True,
    query=(
        Query(name="status", type=_WORDS, description="Only these; completed is fulfilled"),
        Query(name="status_filter", type=_WORDS, description="The same as `status`"),
        Query(name="platform", description="Only of this platform"),
    ),
)
GET = Doc(summary="One order", answer=answers.OrderAnswer, right="orders.read")
CREATE = Doc(
    summary="Add an order",
    answer=answers.OrderAnswer,
    right="orders.write",
    body=bodies.OrderCreateBody,
    problems=("product_not_found",),
)
UPDATE = Doc(
    summary="Change an order",
    answer=answers.OrderAnswer,
    right="orders.admin",
    body=bodies.OrderUpdateBody,
)
DELETE = Doc(summary="Delete an order; its jobs stay", status=204, right="orders.write")
SHIP = Doc(
    summary="An order is on its way",
    answer=answers.OrderAnswer,
    right="orders.write",
    body=bodies.OrderShipBody,
    problems=(_STATE,),
)
INVOICE = Doc(
    summary="The invoice of an order",
    answer=bytes,
    media="application/pdf",
    right="orders.invoice",
)
ADD_ITEM = Doc(
    summary="Add an item to an order",
    answer=answers.OrderItemAnswer,
    right="orders.write",
    body=bodies.OrderItemBody,
    problems=("product_not_found", "bad_request"),
)
UPDATE_ITEM = Doc(
    summary="Change an item",
    answer=answers.OrderItemAnswer,
    right="orders.admin",
    body=bodies.OrderItemUpdateBody,
)
REMOVE_ITEM = Doc(
    summary="Remove an item; jobs that make it stay", status=204, right="orders.write"
)
SCHEDULE = Doc(
    summary="Queue the jobs that an order still needs, and take its consumables from the stocks",
    description="Asked again it queues only what failed or was added since; consumables are taken "
    "once for every piece.",
    answer=answers.OrderScheduled,
    right="orders.write",
    problems=("bad_request", "conflict", "model_not_found", "not_gcode", "limit_exceeded", _STATE),
)
PRODUCTS = Doc(
    summary="Products by name",
    answer=list[answers.ProductAnswer],
    right="orders.read",
    paged=True,
)
PRODUCT = Doc(summary="One product", answer=answers.ProductAnswer, right="orders.read")
CREATE_PRODUCT = Doc(
    summary="Add a product",
    answer=answers.ProductAnswer,
    right="orders.write",
    body=bodies.ProductCreateBody,
    problems=("model_not_found",),
)
UPDATE_PRODUCT = Doc(
    summary="Change a product",
    answer=answers.ProductAnswer,
    right="orders.write",
    body=bodies.ProductUpdateBody,
)
DELETE_PRODUCT = Doc(
    summary="Delete a product; orders of it stay", status=204, right="orders.write"
)
ADD_COMPONENT = Doc(
    summary="A product is made of this model too",
    answer=answers.ComponentAnswer,
    right="orders.write",
    body=bodies.ComponentBody,
    problems=("model_not_found", "bad_request"),
)
REMOVE_COMPONENT = Doc(
    summary="A product is not made of this model", status=204, right="orders.write"
)
