"""Invoices: what they say, in every alphabet, whatever somebody typed."""

import re
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest

from api.orders.forms import NewItem
from api.orders.invoice_pdf import UNKNOWN, _typeset, pdf_of
from api.orders.invoices import Invoice, Line, invoice_of, one_line
from api.orders.service import Orders
from tests.fakes.farm import Farm
from tests.fakes.ordering import model, ordered

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def invoice(**changed: Any) -> Invoice:
    line = Line(name="Lamp", sku="L-1", quantity=2, unit_price=20.0, amount=40.0)
    given: dict[str, Any] = {
        "seller": "Test farm",
        "number": "A-1",
        "ordered_on": "2026-01-01",
        "made_on": "2026-01-02",
        "customer": ["Ada"],
        "lines": [line],
        "shipping": 5.0,
        "total": 45.0,
    }
    return Invoice(**{**given, **changed})


def pages(body: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b(?!s)", body))


def content(body: bytes) -> bytes:
    """The streams of a PDF, as far as they are text."""
    found = b""
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", body, re.DOTALL):
        try:
            found += zlib.decompress(stream)
        except zlib.error:
            found += stream
    return found


def test_an_invoice_is_a_pdf_with_its_lines() -> None:
    """Names, prices and the total; no JavaScript, no links."""
    body = pdf_of(invoice())
    assert body.startswith(b"%PDF-") and body.rstrip().endswith(b"%%EOF")
    text = content(body)
    for word in (b"Invoice A-1", b"Lamp", b"L-1", b"40.00", b"Total: 45.00", b"Shipping: 5.00"):
        assert word in text, word
    assert b"/JavaScript" not in body and b"/URI" not in body


@pytest.mark.parametrize(
    "name",
    [
        "Łódź",
        "Ярослав",
        "Ελένη",
        "€ 5",
        "שלום",
        "日本語の花瓶",
        "🦊",
        "a" * 200,
        "**bold** [x](http://y)",
    ],
)
def test_every_alphabet_makes_a_document(name: str) -> None:
    """What has no shape is marked, and nothing fails."""
    line = Line(name=name, sku=name[:100], quantity=1, unit_price=None, amount=None)
    body = pdf_of(invoice(customer=[name], lines=[line] * 3, seller=name, number=name[:100]))
    assert body.startswith(b"%PDF-")
    assert pages(body) >= 1


def test_letters_without_a_shape_are_marked() -> None:
    """And the document says so; what there is a shape for stays."""
    from fpdf import FPDF

    family, kept, notes = _typeset(FPDF(), invoice(customer=["Яна 花"]))
    assert (family, kept.customer) == ("dejavu", [f"Яна {UNKNOWN}"])
    assert len(notes) == 1
    assert _typeset(FPDF(), invoice())[0] == "helvetica"


def test_many_lines_take_many_pages() -> None:
    """As many as an order can have."""
    line = Line(name="Lamp " * 30, sku="L", quantity=1, unit_price=1.0, amount=1.0)
    assert pages(pdf_of(invoice(lines=[line] * 200))) > 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada\r\nTotal: 0.00", "Ada Total: 0.00"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\x00\x07b\u2028c", "a b c"),
        ("  x  ", "x"),
    ],
)
def test_text_stays_on_its_line(text: str, shown: str) -> None:
    """Nobody's name looks like a line of the invoice, or runs backwards."""
    assert one_line(text) == shown


async def test_an_order_is_invoiced(farm: Farm, orders: Orders) -> None:
    """The items at their prices, and the shipping; what has no price is said."""
    number = await ordered(farm, orders, 3, (await model(farm), 1))
    await orders.update(farm.admin, number, {"shipping_charged": 4.5, "customer_name": "Ada"})
    made = invoice_of(await orders.invoiced(farm.admin, number), "Test farm", NOW)
    assert (made.number, made.customer, made.total) == ("A-1", ["Ada"], 64.5)
    assert (made.ordered_on, made.made_on, made.lacks_prices) == ("2026-01-01", "2026-01-02", False)
    product = await orders.products.create(farm.admin, {"name": "Gift"}, [])
    await orders.add_item(farm.admin, number, NewItem(product_id=product.id))
    made = invoice_of(await orders.invoiced(farm.admin, number), "Test farm", NOW)
    assert (made.total, made.lacks_prices) == (64.5, True)


async def test_an_order_at_an_agreed_price(farm: Farm, orders: Orders) -> None:
    """When no item has one, what was agreed for all of it counts, shipping included."""
    product = await orders.products.create(farm.admin, {"name": "Gift"}, [])
    values = {"revenue": 99.0, "shipping_charged": 9.0}
    order = await orders.create(farm.admin, values, [NewItem(product_id=product.id)])
    made = invoice_of(await orders.invoiced(farm.admin, order.order.id), "Test farm", NOW)
    assert (made.number, made.shipping, made.total) == (str(order.order.id), 9.0, 99.0)
