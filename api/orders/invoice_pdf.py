"""Invoices as PDF (v1 contract, 2.9): one page of A4, or as many as the lines take.

Text in Latin-1 is set in a font that every reader of PDF has. Any other takes a font of our own,
embedded as far as it is used; letters that it has no shape for are shown as `UNKNOWN`, and the
document says that there are some. Slow enough (tens of milliseconds, half a second with the font,
seconds for the longest order) to be made in a thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from api.orders.invoices import Invoice, Line

if TYPE_CHECKING:  # heavy; who writes no invoice starts without
    from fpdf import FPDF

UNKNOWN = "\N{WHITE SQUARE}"
_FONT = Path(__file__).with_name("assets") / "DejaVuSans.ttf"
_MARGIN_MM = 20
_LINE_MM = 6
_NOT_SHOWN = f"Letters that this document has no shape for are shown as {UNKNOWN}."
_NO_PRICE = "Lines without a price are not in the total."


def pdf_of(invoice: Invoice) -> bytes:
    """The document."""
    from fpdf import FPDF

    pdf = FPDF(format="A4")
    pdf.set_margin(_MARGIN_MM)
    family, invoice, notes = _typeset(pdf, invoice)
    pdf.set_font(family, size=11)
    pdf.set_title(f"Invoice {invoice.number}")
    pdf.set_creator("Gantry")
    pdf.add_page()
    _head(pdf, invoice)
    _lines(pdf, invoice)
    if invoice.lacks_prices:
        notes = [*notes, _NO_PRICE]
    pdf.set_font(size=9)
    for note in notes:
        _paragraph(pdf, note, align="L")
    return bytes(pdf.output())


def _typeset(pdf: "FPDF", invoice: Invoice) -> tuple[str, Invoice, list[str]]:
    """The family of fonts that has the letters, the invoice in them, and what is to be noted."""
    letters = {letter for text in _texts(invoice) for letter in text}
    if all(ord(letter) < 256 for letter in letters):
        return "helvetica", invoice, []
    from fpdf.fonts import TTFFont

    pdf.add_font("dejavu", fname=_FONT)
    font = pdf.fonts["dejavu"]
    assert isinstance(font, TTFFont), "it was added from such a file"
    missing = {letter for letter in letters if ord(letter) not in font.cmap}
    if not missing:
        return "dejavu", invoice, []
    return "dejavu", _without(invoice, missing), [_NOT_SHOWN]


def _texts(invoice: Invoice) -> Iterator[str]:
    yield from (invoice.seller, invoice.number, *invoice.customer)
    for line in invoice.lines:
        yield from (line.name, line.sku)


def _without(invoice: Invoice, missing: set[str]) -> Invoice:
    table = str.maketrans(dict.fromkeys(missing, UNKNOWN))
    return replace(
        invoice,
        seller=invoice.seller.translate(table),
        number=invoice.number.translate(table),
        customer=[text.translate(table) for text in invoice.customer],
        lines=[
            replace(line, name=line.name.translate(table), sku=line.sku.translate(table))
            for line in invoice.lines
        ],
    )


def _head(pdf: "FPDF", invoice: Invoice) -> None:
    pdf.set_font(size=18)
    _paragraph(pdf, invoice.seller, align="L", line_mm=9)
    pdf.set_font(size=14)
    _paragraph(pdf, f"Invoice {invoice.number}", align="L", line_mm=9)
    pdf.set_font(size=11)
    _paragraph(pdf, f"Date: {invoice.made_on}    Ordered: {invoice.ordered_on}", align="L")
    pdf.ln(_LINE_MM)
    for text in invoice.customer:
        _paragraph(pdf, text, align="L")
    pdf.ln(_LINE_MM)


def _lines(pdf: "FPDF", invoice: Invoice) -> None:
    from fpdf.fonts import FontFace

    with pdf.table(
        col_widths=(42, 16, 14, 14, 14),
        text_align=("LEFT", "LEFT", "RIGHT", "RIGHT", "RIGHT"),
        borders_layout="HORIZONTAL_LINES",
        headings_style=FontFace(color=(90, 90, 90)),
        line_height=_LINE_MM,
    ) as table:
        for cells in (("Item", "SKU", "Quantity", "Price", "Amount"), *map(_cells, invoice.lines)):
            table.row(cells)
    pdf.ln(_LINE_MM)
    if invoice.shipping:
        _paragraph(pdf, f"Shipping: {_money(invoice.shipping)}", align="R")
    pdf.set_font(size=13)
    _paragraph(pdf, f"Total: {_money(invoice.total)}", align="R", line_mm=9)
    pdf.ln(_LINE_MM)


def _cells(line: Line) -> Sequence[str]:
    return (
        line.name,
        line.sku,
        str(line.quantity),
        _money(line.unit_price),
        _money(line.amount),
    )


def _money(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def _paragraph(pdf: "FPDF", text: str, *, align: str, line_mm: float = _LINE_MM) -> None:
    """*text* over the whole width, on as many lines as it takes."""
    pdf.multi_cell(0, line_mm, text, align=align, new_x="LMARGIN", new_y="NEXT")
