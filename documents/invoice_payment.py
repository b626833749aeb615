"""How an invoice is to be paid, or that it was: what a customer looks for first."""

from __future__ import annotations

from typing import Any

from documents.epc import epc_payload, epc_svg
from documents.formatting import Formats, iban_groups
from documents.glyphs import printable
from documents.labels import Labels
from domain.invoice import DocumentType, Invoice


def payment_view(invoice: Invoice, words: Labels, form: Formats) -> dict[str, Any]:
    """Return the sentences, the bank details and the QR code; of a paid invoice only the thanks."""
    if invoice.type is DocumentType.CANCELLATION:
        return _said(words.credited)
    if invoice.totals.payable <= 0:
        return _settled(invoice, words, form)
    amount = form.money(invoice.totals.payable, invoice.currency)
    text = words.please_pay.format(amount=amount, date=form.day(invoice.due_date))
    if invoice.totals.prepaid:
        prepaid = form.money(invoice.totals.prepaid, invoice.currency)
        text = f"{words.paid_part.format(amount=prepaid)} {text}"
    details = [
        [words.recipient, printable(invoice.seller.name)],
        ["IBAN", iban_groups(invoice.iban)],
        ["BIC", printable(invoice.bic)],
        [words.reference, printable(invoice.remittance)],
    ]
    payload = epc_payload(invoice)
    return {
        "title": words.pay_title,
        "text": text,
        "details": [[label, value] for label, value in details if value],
        "qr": epc_svg(payload) if payload else "",
        "qr_caption": words.scan,
        "qr_alt": words.scan_alt.format(amount=amount, name=printable(invoice.seller.name)),
    }


def _settled(invoice: Invoice, words: Labels, form: Formats) -> dict[str, Any]:
    """Say when and how it was paid, or that nothing was due in the first place."""
    if not invoice.totals.prepaid or invoice.paid_on is None:
        return _said(words.nothing_to_pay)
    method = printable(invoice.payment_method, limit=80)
    text = words.paid_in_full_by if method else words.paid_in_full
    date = form.day(invoice.paid_on)
    return _said(text.format(date=date, method=method), words.settled)


def _said(text: str, title: str = "") -> dict[str, Any]:
    return {
        "title": title,
        "text": text,
        "details": [],
        "qr": "",
        "qr_caption": "",
        "qr_alt": "",
    }
