"""The invoice as a finished value, from an order and the company's terms (E1-E5, R20).

``price`` and ``total_problems`` stand here too: whoever invoices needs nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from domain.calendar import local_date
from domain.company import Company, PaymentTerms, SupplyDatePolicy
from domain.invoice import DocumentType, Invoice, Party, Totals
from domain.order import Address, CustomerKind, Order, PriceMode
from domain.pricing import Priced, price, total_problems
from domain.tax_check import zero_rate_reason

__all__ = [
    "Priced",
    "build_cancellation",
    "build_invoice",
    "document_language",
    "price",
    "supply_date",
    "total_problems",
]

_GERMAN_SPEAKING = frozenset({"DE", "AT", "CH", "LI"})
_REMITTANCE_LENGTH = 140


def document_language(order: Order) -> str:
    """Return ``de`` or ``en``: the buyer's language, else that of the billing country."""
    language = order.buyer.language.lower()[:2]
    if not language:
        return "de" if order.billing.country in _GERMAN_SPEAKING else "en"
    return "de" if language == "de" else "en"


def supply_date(
    order: Order, company: Company, issue_date: date, paid_on: date | None
) -> tuple[date, bool]:
    """Return BT-72 and whether only its month is meant (par. 14 (4) no. 6 UStG, par. 31 (4) UStDV).

    What the shop says; else, paid before, the day of the payment; else the company's policy.
    """
    if order.supply_date is not None:
        return order.supply_date, False
    if paid_on is not None:
        return paid_on, False
    if company.supply_date_policy is SupplyDatePolicy.INVOICE_MONTH:
        return issue_date, True
    return local_date(order.placed_at, company.time_zone), False


def build_invoice(
    order: Order,
    company: Company,
    *,
    customer_no: str,
    number: str,
    issue_date: date,
    due_date: date,
    terms: PaymentTerms,
    prepaid: Decimal = Decimal(0),
    paid_on: date | None = None,
    language: str = "",
) -> Invoice:
    """Make the document with every field par. 14 (4) UStG wants.

    ``prepaid`` is what was received before (BT-113); what exceeds the total is the customer's and
    stays off the document. ``language`` overrides the one the order suggests. The order passed
    validation; RefusedError if it cannot be priced at all.
    """
    particulars = _Particulars(
        customer_no=customer_no,
        number=number,
        issue_date=issue_date,
        due_date=due_date,
        terms_days=terms.days,
        language=language or document_language(order),
        paid_on=paid_on,
    )
    priced = price(order, zero_rate_reason(order, company))
    priced = replace(priced, totals=_prepaid(priced.totals, prepaid))
    return _assemble(order, company, priced, particulars)


@dataclass(frozen=True, slots=True)
class _Particulars:
    """What neither the order nor the company says of an invoice."""

    customer_no: str
    number: str
    issue_date: date
    due_date: date
    terms_days: int
    language: str
    paid_on: date | None


def _assemble(order: Order, company: Company, priced: Priced, said: _Particulars) -> Invoice:
    supplied, month_only = supply_date(order, company, said.issue_date, said.paid_on)
    return Invoice(
        number=said.number,
        type=DocumentType.INVOICE,
        issue_date=said.issue_date,
        due_date=said.due_date,
        terms_days=said.terms_days,
        currency=order.currency,
        language=said.language,
        seller=seller_of(company),
        buyer=_buyer(order, said.customer_no),
        ship_to=_ship_to(order),
        lines=priced.lines,
        allowances=priced.allowances,
        taxes=priced.taxes,
        totals=priced.totals,
        order_reference=order.order_no,
        channel=order.channel,
        order_date=local_date(order.placed_at, company.time_zone),
        supply_date=supplied,
        supply_month_only=month_only,
        iban=company.iban,
        bic=company.bic,
        remittance=f"{said.number} {order.order_no}".strip()[:_REMITTANCE_LENGTH],
        gross_prices=order.price_mode is PriceMode.GROSS,
        sample=company.sample,
        paid_on=said.paid_on,
        payment_method=order.payment.method,
        buyer_note=order.note,
        deal_reference=order.deal_reference,
        sales_reference=order.deal,
        consumer_default_notice=_consumer_notice(order, company, priced.totals),
        seller_footer=footer_entries(company),
        rounding_method=priced.method,
    )


def build_cancellation(invoice: Invoice, number: str, issue_date: date) -> Invoice:
    """Make the corrected invoice (384, "Stornorechnung") that takes the whole invoice back.

    Quantities and sums are negated; unit prices stay positive (BR-27). Payments stay off it: what
    was paid is settled in the ledger.
    """
    return replace(
        invoice,
        number=number,
        type=DocumentType.CANCELLATION,
        issue_date=issue_date,
        due_date=issue_date,
        terms_days=0,
        lines=tuple(
            replace(
                line,
                quantity=-line.quantity,
                discount=-line.discount,
                amount=-line.amount,
                discount_net=-line.discount_net,
                net_amount=-line.net_amount,
            )
            for line in invoice.lines
        ),
        allowances=tuple(
            replace(item, amount=-item.amount, net_amount=-item.net_amount)
            for item in invoice.allowances
        ),
        taxes=tuple(replace(tax, taxable=-tax.taxable, tax=-tax.tax) for tax in invoice.taxes),
        totals=_negated(invoice.totals),
        remittance=number,
        preceding_invoice=invoice.number,
        consumer_default_notice=False,
    )


def _negated(totals: Totals) -> Totals:
    return Totals(
        lines=-totals.lines,
        allowances=-totals.allowances,
        charges=-totals.charges,
        net=-totals.net,
        tax=-totals.tax,
        gross=-totals.gross,
        prepaid=totals.prepaid - totals.prepaid,
        rounding=-totals.rounding,
        payable=-totals.charged,
    )


def _consumer_notice(order: Order, company: Company, totals: Totals) -> bool:
    """Tell whether par. 286 (3) BGB wants its notice: a consumer owes money to a German seller."""
    owed = totals.payable > 0 and company.address.country == "DE"
    return owed and order.buyer.kind is CustomerKind.B2C


def _prepaid(totals: Totals, prepaid: Decimal) -> Totals:
    """Deduct what was paid before: BT-115 = BT-112 - BT-113 + BT-114, never below zero."""
    paid = min(max(prepaid, totals.prepaid), totals.charged)
    return replace(totals, prepaid=paid, payable=totals.charged - paid)


def seller_of(company: Company) -> Party:
    """Return the company as the party of a document."""
    return Party(
        name=company.name,
        address=company.address,
        vat_id=company.vat_id,
        tax_number=company.tax_number,
        email=company.email,
        phone=company.phone,
    )


def _buyer(order: Order, customer_no: str) -> Party:
    """Name the buyer as the billing address does, else as the account does."""
    billing, buyer = order.billing, order.buyer
    return Party(
        name=billing.company or buyer.company or billing.name or buyer.name,
        address=billing,
        vat_id=buyer.vat_id,
        email=buyer.email,
        phone=buyer.phone,
        customer_no=customer_no,
        kind=buyer.kind,
    )


def _ship_to(order: Order) -> Address | None:
    """Return where the goods went if that is elsewhere (BG-13); an empty address says nothing."""
    shipping = order.shipping
    if shipping == order.billing or not (shipping.street or shipping.city):
        return None
    return shipping


def footer_entries(company: Company) -> tuple[tuple[str, str], ...]:
    """Return what the company says of itself at the foot of a document, name and value."""
    entries = (
        ("website", company.website),
        ("bank_name", company.bank_name),
        ("register_entry", company.register_entry),
        ("managing_directors", company.managing_directors),
    )
    return tuple((key, value) for key, value in entries if value)
