"""The sums below the lines: as a business reads them (net up) or a consumer (gross, tax within)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from documents.formatting import Formats
from documents.glyphs import printable
from documents.labels import Labels
from domain.invoice import DocumentAllowance, Invoice, RoundingMethod
from domain.positions import DISCOUNT


def totals_view(invoice: Invoice, words: Labels, form: Formats) -> dict[str, Any]:
    """Return ``lines`` (label, value, whether strong) and, for gross prices, the tax table."""
    totals, currency = invoice.totals, invoice.currency
    lines: list[tuple[str, str, bool]] = []
    if invoice.allowances:
        goods = sum((line.amount for line in invoice.lines), Decimal(0))
        lines.append((words.positions, form.amount(goods, currency), False))
        lines += [_allowance(each, invoice, words, form) for each in invoice.allowances]
    if not invoice.gross_prices:
        lines += _net_lines(invoice, words, form)
    lines.append((words.total, form.money(totals.charged, currency), True))
    if totals.prepaid:
        paid_on = invoice.paid_on
        label = words.prepaid_on.format(date=form.day(paid_on)) if paid_on else words.prepaid
        lines.append((label, form.amount(-totals.prepaid, currency), False))
        lines.append((words.payable, form.money(totals.payable, currency), True))
    return {
        "lines": [
            {"label": label, "value": value, "strong": strong} for label, value, strong in lines
        ],
        "taxes": _tax_table(invoice, words, form) if invoice.gross_prices else None,
    }


def _allowance(
    item: DocumentAllowance, invoice: Invoice, words: Labels, form: Formats
) -> tuple[str, str, bool]:
    """Return a charge or discount; its rate is named where the invoice has several."""
    known = {"shipping": words.shipping, "fee": words.fee, DISCOUNT: words.order_discount}
    label = known.get(item.reason) or printable(item.reason, longest_word=24, limit=80)
    if len(invoice.taxes) > 1:
        label += f" ({form.percent(item.tax_rate)})"
    amount = item.amount if item.charge else -item.amount
    return label, form.amount(amount, invoice.currency), False


def _net_lines(invoice: Invoice, words: Labels, form: Formats) -> list[tuple[str, str, bool]]:
    """Lead from the net by each rate's tax, and the rounding of the shop, to the total."""
    currency, totals = invoice.currency, invoice.totals
    lines = [(words.net, form.amount(totals.net, currency), False)]
    for tax in invoice.taxes:
        label = words.tax.format(
            rate=form.percent(tax.rate), net=form.amount(tax.taxable, currency)
        )
        lines.append((label, form.amount(tax.tax, currency), False))
    if totals.rounding:
        amount = form.amount(totals.rounding, currency)
        lines.append((_rounding_label(invoice, words), amount, False))
    return lines


def _rounding_label(invoice: Invoice, words: Labels) -> str:
    """Name BT-114 by the method it comes from: a difference with a cause, not a silent cent."""
    return {
        RoundingMethod.TAX_PER_RATE: words.rounding,
        RoundingMethod.TAX_PER_LINE: words.rounding_per_line,
        RoundingMethod.LINES_UNROUNDED: words.rounding_unrounded,
        RoundingMethod.TOTAL_ROUNDED_ONCE: words.rounding_unrounded,
    }[invoice.rounding_method]


def _tax_table(invoice: Invoice, words: Labels, form: Formats) -> dict[str, Any]:
    """Show how much net and tax the gross sum contains (R20 no. 7 and 8)."""
    currency, rounding = invoice.currency, invoice.totals.rounding
    rows = [
        [
            form.percent(tax.rate),
            form.amount(tax.taxable, currency),
            form.amount(tax.tax, currency),
            form.amount(tax.taxable + tax.tax, currency),
        ]
        for tax in invoice.taxes
    ]
    if rounding:
        rows.append([words.rounding, "", "", form.amount(rounding, currency)])
    return {
        "title": words.included,
        "head": [words.tax_rate, words.share_net, words.tax_rate, words.share_gross],
        "rows": rows,
    }
