"""The invoice in the terms of EN 16931-1 (semantic model): BT, BG numbers stand in the docstrings.

An ``Invoice`` is a finished value: its figures obey the standard's arithmetic (BR-CO-10..17) and
are never recomputed. ``domain.invoicing`` makes it from an order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.order import Address, CustomerKind


class DocumentType(StrEnum):
    """BT-3, UNTDID 1001: 380 invoice (Rechnung), 384 corrected invoice (Stornorechnung)."""

    INVOICE = "380"
    CANCELLATION = "384"


class TaxCategory(StrEnum):
    """BT-118/BT-151, UNCL5305: what kind of VAT applies."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    OUTSIDE = "O"


class RoundingMethod(StrEnum):
    """How the shop came to its total; all but the first leave a difference in BT-114 (R33, R34).

    ``TAX_PER_RATE`` is the standard's own: rounded lines, tax on the sum of each rate.
    ``TAX_PER_LINE`` the shop rounds the tax of every position. ``LINES_UNROUNDED`` it adds up the
    positions unrounded, then rounds the sum and the tax of each rate. ``TOTAL_ROUNDED_ONCE`` it
    rounds nothing but the total.
    """

    TAX_PER_RATE = "tax_per_rate"
    TAX_PER_LINE = "tax_per_line"
    LINES_UNROUNDED = "lines_unrounded"
    TOTAL_ROUNDED_ONCE = "total_rounded_once"


@dataclass(frozen=True, slots=True)
class Party:
    """Seller (BG-4) or buyer (BG-7): BT-27/BT-44 name, BG-5/BG-8 address, BT-31/BT-48 VAT id."""

    name: str
    address: Address
    vat_id: str = ""
    tax_number: str = ""
    email: str = ""
    phone: str = ""
    customer_no: str = ""
    kind: CustomerKind = CustomerKind.B2B


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """BG-25. ``position`` BT-126, ``quantity`` BT-129, ``unit_net_price`` BT-146 (unrounded at most
    six decimals), ``discount_net`` BT-136 (line allowance), ``net_amount`` BT-131,
    ``tax_category`` BT-151, ``tax_rate`` BT-152 in percent, ``name`` BT-153, ``sku`` BT-155.

    ``unit_price`` and ``amount`` are the figures as the shop showed them (gross in a gross-priced
    order): what a consumer's invoice prints beside the net breakdown.
    """  # noqa: D205

    position: int
    name: str
    sku: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal
    amount: Decimal
    unit_net_price: Decimal
    discount_net: Decimal
    net_amount: Decimal
    tax_category: TaxCategory
    tax_rate: Decimal
    discount_reason: str = ""


@dataclass(frozen=True, slots=True)
class DocumentAllowance:
    """BG-20 (allowance, ``charge`` false) or BG-21 (charge): BT-92/99 net amount, BT-95/102
    category, BT-96/103 rate, BT-97/104 reason. ``amount`` is the figure in the order's price mode.
    """  # noqa: D205

    charge: bool
    reason: str
    amount: Decimal
    net_amount: Decimal
    tax_category: TaxCategory
    tax_rate: Decimal


@dataclass(frozen=True, slots=True)
class TaxSubtotal:
    """BG-23: BT-118 category, BT-119 rate, BT-116 taxable amount, BT-117 tax (BT-116 x rate / 100,
    rounded commercially), BT-120 reason of exemption.
    """  # noqa: D205

    category: TaxCategory
    rate: Decimal
    taxable: Decimal
    tax: Decimal
    exemption_reason: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """BG-22: ``lines`` BT-106, ``allowances`` BT-107, ``charges`` BT-108, ``net`` BT-109, ``tax``
    BT-110, ``gross`` BT-112, ``prepaid`` BT-113, ``rounding`` BT-114, ``payable`` BT-115.

    payable = gross - prepaid + rounding. ``charged`` = gross + rounding is what the customer was
    charged in all: the shop's total, to the cent.
    """  # noqa: D205

    lines: Decimal
    allowances: Decimal
    charges: Decimal
    net: Decimal
    tax: Decimal
    gross: Decimal
    prepaid: Decimal
    rounding: Decimal
    payable: Decimal

    @property
    def charged(self) -> Decimal:
        """What the document claims in all, payments left aside (BT-112 + BT-114)."""
        return self.gross + self.rounding


@dataclass(frozen=True, slots=True)
class Invoice:
    """The document. ``number`` BT-1, ``issue_date`` BT-2, ``type`` BT-3, ``currency`` BT-5,
    ``due_date`` BT-9, ``terms_days`` for BT-20, ``buyer_reference``/``order_reference``
    BT-10/BT-13, ``deal_reference`` the buyer's mark (BT-13), ``sales_reference`` our won deal
    (BT-14), ``preceding_invoice`` BT-25, ``supply_date`` BT-72 (``supply_month_only``: print
    the month, par. 31 (4) UStDV), ``iban``/``bic`` BT-84/BT-86, ``remittance`` BT-83
    (Verwendungszweck).

    ``paid_on``/``payment_method`` are set when it was paid before it was made. ``gross_prices``:
    lines are shown with the gross figures. ``language`` is ``de`` or ``en``. ``sample`` marks it.
    ``rounding_method`` names the cause of a BT-114. ``seller_footer`` holds what the company says
    of itself beyond R20, by key: ``website``, ``bank_name``, ``register_entry``,
    ``managing_directors``.
    """  # noqa: D205

    number: str
    type: DocumentType
    issue_date: date
    due_date: date
    terms_days: int
    currency: str
    language: str
    seller: Party
    buyer: Party
    ship_to: Address | None
    lines: tuple[InvoiceLine, ...]
    allowances: tuple[DocumentAllowance, ...]
    taxes: tuple[TaxSubtotal, ...]
    totals: Totals
    order_reference: str
    channel: str
    order_date: date
    supply_date: date
    supply_month_only: bool
    iban: str
    bic: str
    remittance: str
    gross_prices: bool
    sample: bool = False
    paid_on: date | None = None
    payment_method: str = ""
    preceding_invoice: str = ""
    buyer_note: str = ""
    deal_reference: str = ""
    sales_reference: str = ""
    consumer_default_notice: bool = False
    seller_footer: tuple[tuple[str, str], ...] = ()
    rounding_method: RoundingMethod = RoundingMethod.TAX_PER_RATE
