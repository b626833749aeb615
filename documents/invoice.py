"""The invoice as a PDF (E8): same invoice, same bytes, for ever.

What it deliberately does not do: compute. Every figure stands in the ``Invoice``.
"""

from __future__ import annotations

from documents.invoice_view import invoice_view
from documents.typesetting import typeset
from domain.invoice import Invoice


def render_invoice(invoice: Invoice) -> bytes:
    """Return the PDF (A-3a) of an invoice or of its cancellation, in the invoice's language.

    Takes some ten milliseconds of CPU without the GIL: fine in a thread, any thread.
    """
    return typeset("invoice.typ", invoice_view(invoice), invoice.issue_date)
