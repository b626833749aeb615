"""What stands on an invoice, word by word: the template only places it.

The keys of the dictionaries are those the template reads; every value is ready to print.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any

from documents.formatting import Formats, formats
from documents.glyphs import printable
from documents.invoice_header import facts, footer, postal_lines, sender_line
from documents.invoice_payment import payment_view
from documents.invoice_totals import totals_view
from documents.labels import Labels, labels
from domain.invoice import DocumentType, Invoice, InvoiceLine, TaxCategory

# Column widths in mm: at least these; more where a figure is longer than usual.
_WIDTHS = {"quantity": 15.0, "unit": 24.0, "amount": 25.0}
_DIGIT = 1.75
_PADDING = 3.0


def invoice_view(invoice: Invoice) -> dict[str, Any]:
    """Return everything the template prints, formatted for the reader's language and country."""
    words = labels(invoice.language)
    form = formats(invoice.language, invoice.buyer.address.country)
    cancellation = invoice.type is DocumentType.CANCELLATION
    heading = printable(f"{words.cancellation if cancellation else words.invoice} {invoice.number}")
    home = invoice.seller.address.country
    rows = _rows(invoice, words, form)
    return {
        "lang": invoice.language,
        "heading": heading,
        "brand": printable(invoice.seller.name),
        "issued": [invoice.issue_date.year, invoice.issue_date.month, invoice.issue_date.day],
        "sample": words.sample if invoice.sample else "",
        "sample_note": words.sample_note if invoice.sample else "",
        "page": words.page,
        "sender": sender_line(invoice.seller),
        "recipient": postal_lines(invoice.buyer.name, invoice.buyer.address, home, form),
        "facts": facts(invoice, words, form),
        "intro": words.cancels.format(number=printable(invoice.preceding_invoice))
        if cancellation
        else "",
        "ship_to": _ship_to(invoice, words, form),
        "columns": _columns(invoice, words),
        "rows": rows,
        "widths": {
            name: max(least, _DIGIT * max(len(row[name]) for row in rows) + _PADDING)
            for name, least in _WIDTHS.items()
        },
        "carried": words.carried,
        "carried_over": words.carried_over,
        "totals": totals_view(invoice, words, form),
        "payment": payment_view(invoice, words, form),
        "notes": _notes(invoice, words),
        "footer": footer(invoice, words),
    }


def _ship_to(invoice: Invoice, words: Labels, form: Formats) -> list[str]:
    if invoice.ship_to is None:
        return []
    lines = postal_lines("", invoice.ship_to, invoice.seller.address.country, form)
    return [words.ship_to, ", ".join(lines)]


def _columns(invoice: Invoice, words: Labels) -> list[str]:
    gross = invoice.gross_prices
    return [
        words.position,
        words.description,
        words.quantity,
        words.unit_gross if gross else words.unit_net,
        words.tax_rate,
        (words.amount_gross if gross else words.amount_net).format(currency=invoice.currency),
    ]


def _rows(invoice: Invoice, words: Labels, form: Formats) -> list[dict[str, Any]]:
    """Return the lines; each bears the sum so far, which a page that ends there carries over."""
    running = accumulate(line.amount for line in invoice.lines)
    return [
        {
            "pos": str(line.position),
            "name": printable(line.name),
            "details": _details(line, invoice.currency, words, form),
            "quantity": form.quantity(line.quantity),
            "unit": form.unit_price(line.unit_price, invoice.currency),
            "rate": form.percent(line.tax_rate),
            "amount": form.amount(line.amount, invoice.currency),
            "running": form.amount(so_far, invoice.currency),
        }
        for line, so_far in zip(invoice.lines, running, strict=True)
    ]


def _details(line: InvoiceLine, currency: str, words: Labels, form: Formats) -> list[str]:
    """Return what stands below a line: its number, and the reduction agreed (R20 no. 7)."""
    details = [words.article_no.format(sku=printable(line.sku, limit=80))] if line.sku else []
    if line.discount:
        amount = form.amount(abs(line.discount), currency)
        reason = printable(line.discount_reason, limit=120)
        text = words.discount_for if reason else words.discount
        details.append(text.format(amount=amount, reason=reason))
    return details


def _notes(invoice: Invoice, words: Labels) -> list[str]:
    """Return what the law wants said: why no tax is due (R20 no. 8, R21), par. 286 (3) BGB."""
    known = {
        TaxCategory.REVERSE_CHARGE: words.reverse_charge,
        TaxCategory.INTRA_COMMUNITY: words.intra_community,
        TaxCategory.EXPORT: words.export,
    }
    notes = [known.get(tax.category) or printable(tax.exemption_reason) for tax in invoice.taxes]
    if invoice.consumer_default_notice:
        notes.append(words.default_notice)
    return [note for note in notes if note]
