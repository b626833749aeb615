"""Who writes to whom about what: addresses, the info block and the footer of an invoice."""

from __future__ import annotations

from collections.abc import Mapping

from documents.formatting import Formats, iban_groups
from documents.glyphs import printable
from documents.labels import Labels
from domain.invoice import DocumentType, Invoice, Party
from domain.order import Address

_ADDRESS_WIDTH = 34
_FACT_WIDTH = 16


def sender_line(seller: Party) -> str:
    """Return the small line above the recipient that shows in the window (DIN 5008)."""
    place = f"{seller.address.postcode} {seller.address.city}".strip()
    return " · ".join(printable(part) for part in (seller.name, seller.address.street, place))


def postal_lines(name: str, address: Address, home: str, form: Formats) -> list[str]:
    """Write an address as the post wants it; a country other than ``home`` in capitals, last.

    ``name`` leads where the address does not say it itself.
    """
    lines = [address.company, address.name, address.extra, address.street]
    if name not in lines:
        lines.insert(0, name)
    lines.append(f"{address.postcode} {address.city}")
    if address.country != home:
        lines.append(form.locale.territories.get(address.country, address.country).upper())
    cleaned = (printable(line, longest_word=_ADDRESS_WIDTH, limit=200) for line in lines)
    return [line for line in cleaned if line]


def facts(invoice: Invoice, words: Labels, form: Formats) -> list[list[str]]:
    """Return the info block, label and value: numbers, dates and references."""
    cancellation = invoice.type is DocumentType.CANCELLATION
    supplied = form.month if invoice.supply_month_only else form.day
    pairs = [
        (words.cancellation_number if cancellation else words.number, invoice.number),
        (words.issued, form.day(invoice.issue_date)),
        (
            words.supply_month if invoice.supply_month_only else words.supplied,
            supplied(invoice.supply_date),
        ),
        _payment_date(invoice, words, form),
        # The deal's name begins with its number, which is the order number too.
        (words.order_no, "" if invoice.sales_reference else invoice.order_reference),
        (words.our_deal, invoice.sales_reference),
        (words.ordered, form.day(invoice.order_date)),
        (words.your_reference, invoice.deal_reference),
        (words.customer_no, invoice.buyer.customer_no),
        (words.your_vat_id, invoice.buyer.vat_id),
    ]
    return [
        [label, printable(value, longest_word=_FACT_WIDTH, limit=80)]
        for label, value in pairs
        if value
    ]


def _payment_date(invoice: Invoice, words: Labels, form: Formats) -> tuple[str, str]:
    """Return the day to pay by, or the day it was paid; neither for a cancellation."""
    if invoice.type is DocumentType.CANCELLATION:
        return words.due, ""
    if invoice.totals.payable > 0:
        return words.due, form.day(invoice.due_date)
    return words.paid, form.day(invoice.paid_on) if invoice.paid_on else ""


def footer(invoice: Invoice, words: Labels) -> list[list[str]]:
    """Return the columns at the foot of every page of an invoice."""
    return footer_columns(
        invoice.seller, dict(invoice.seller_footer), invoice.iban, invoice.bic, words
    )


def footer_columns(
    seller: Party, more: Mapping[str, str], iban: str, bic: str, words: Labels
) -> list[list[str]]:
    """Return the columns at the foot of a page: company, contact, register and tax, bank."""
    place = f"{seller.address.postcode} {seller.address.city}"
    directors = more.get("managing_directors", "")
    columns = [
        [seller.name, seller.address.street, place],
        [_labelled(words.phone, seller.phone), seller.email, more.get("website", "")],
        [
            more.get("register_entry", ""),
            _labelled(words.managing_directors, directors),
            _labelled(words.vat_id, seller.vat_id),
            _labelled(words.tax_number, seller.tax_number),
        ],
        [
            more.get("bank_name", ""),
            _labelled("IBAN", iban_groups(iban)),
            _labelled("BIC", bic),
        ],
    ]
    cleaned = [[printable(entry) for entry in column if entry.strip()] for column in columns]
    return [column for column in cleaned if column]


def _labelled(label: str, value: str) -> str:
    return f"{label} {value}" if value else ""
