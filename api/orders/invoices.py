"""What an invoice says (v1 contract, 2.9): from an order to lines of text. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from api.orders.service import OrderView


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """So many of a product. None: nobody has named a price."""

    name: str
    sku: str
    quantity: int
    unit_price: float | None
    amount: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What somebody is to pay for, in the farm's currency, which has no name here."""

    seller: str
    number: str
    ordered_on: str
    made_on: str
    customer: Sequence[str]
    lines: Sequence[Line]
    shipping: float
    total: float

    @property
    def lacks_prices(self) -> bool:
        """Whether something is not in the total."""
        return any(line.amount is None for line in self.lines)


def invoice_of(view: OrderView, seller: str, now: datetime) -> Invoice:
    """The invoice of an order, made *now* by *seller*."""
    order = view.order
    lines = []
    for item in view.items:
        product = view.products.get(item.product_id)
        price = item.unit_price
        lines.append(
            Line(
                name=one_line(product.name if product else f"Product {item.product_id}"),
                sku=one_line((product.sku if product else None) or ""),
                quantity=item.quantity,
                unit_price=price,
                amount=None if price is None else round(price * item.quantity, 2),
            )
        )
    shipping = order.shipping_charged or 0.0
    known = [line.amount for line in lines if line.amount is not None]
    if not known and order.revenue is not None:
        known = [order.revenue - shipping]  # agreed for all of it
    people = (one_line(text or "") for text in (order.customer_name, order.customer_email))
    return Invoice(
        seller=one_line(seller),
        number=one_line(order.order_number or "") or str(order.id),
        ordered_on=_day(order.order_date or order.created_at),
        made_on=_day(now),
        customer=[text for text in people if text],
        lines=lines,
        shipping=shipping,
        total=round(sum(known) + shipping, 2),
    )


def one_line(text: str) -> str:
    """*text* on one line, without what a reader cannot see: controls, turns of direction."""
    words = ("".join(each if each.isprintable() else " " for each in text)).split()
    return " ".join(words)


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d")
