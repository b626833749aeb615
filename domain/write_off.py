"""How a loss on a receivable is split into its net part and the VAT that is corrected."""

from __future__ import annotations

from decimal import Decimal

from domain.invoice import Invoice
from domain.money import round_amount


def vat_shares(open_amount: Decimal, invoice: Invoice) -> list[tuple[Decimal, Decimal]]:
    """Return (rate, VAT) of the open part of an invoice, as far as each rate contributed to it.

    Rounded commercially per rate; what is left of the open amount is the net loss.
    Source: par. 17 (2) no. 1 UStG (a receivable that has become uncollectible).
    """
    charged = invoice.totals.charged
    if charged <= 0:
        return []
    return [
        (tax.rate, round_amount(open_amount * tax.tax / charged, invoice.currency))
        for tax in invoice.taxes
        if tax.tax
    ]
