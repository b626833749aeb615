"""The order as Zahltag understands it, whatever shop it came from.

A connector fills it by its declared mapping; nothing here knows a vendor. Amounts are Decimals in
``Order.currency``, in the order's own price mode: gross prices contain the tax, net prices do not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class PriceMode(StrEnum):
    """Whether an order's prices contain the tax."""

    GROSS = "gross"
    NET = "net"


class CustomerKind(StrEnum):
    """Business or consumer: terms, notices and default interest differ by law."""

    B2B = "b2b"
    B2C = "b2c"


class PaymentStatus(StrEnum):
    """What the shop says of the money (C2 of SEEDS; the vendors' states are mapped to these).

    ``SUCCESSFUL`` the money is with the provider. ``OPEN`` it is awaited (advance transfer).
    ``LATER`` it was agreed to be paid after delivery (on account). ``FAILED`` an attempt failed.
    ``CHARGEBACK`` it was taken back. ``RISK`` the provider or shop suspects fraud.
    """

    SUCCESSFUL = "successful"
    OPEN = "open"
    FAILED = "failed"
    LATER = "later"
    CHARGEBACK = "chargeback"
    RISK = "risk"


class ChargeKind(StrEnum):
    """What a document-level charge is for."""

    SHIPPING = "shipping"
    FEE = "fee"


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address. Empty strings stand for what the source did not say.

    ``country`` is an ISO 3166-1 alpha-2 code in upper case.
    """

    name: str = ""
    company: str = ""
    street: str = ""
    extra: str = ""
    postcode: str = ""
    city: str = ""
    region: str = ""
    country: str = ""


NOWHERE = Address()


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who bought. ``external_id`` is the shop's customer id; a guest has none.

    ``language`` is ``de`` or ``en`` (other languages are served in English), ``""`` if unknown.
    """

    external_id: str = ""
    kind: CustomerKind = CustomerKind.B2C
    name: str = ""
    company: str = ""
    email: str = ""
    phone: str = ""
    vat_id: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One position: ``quantity`` x ``unit_price`` less ``discount`` (of the whole line).

    ``tax_rate`` is in percent (``Decimal("19")``); ``None`` where the source names none.
    ``discount`` is positive. ``shop_total`` is the line total the shop computed, if it says one.
    ``tax_reason`` says why a line at 0 percent bears no tax (BT-120) where a person confirmed it.
    ``category`` is the product type or category of the source, where it names one (routing).
    """

    name: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal | None
    sku: str = ""
    discount: Decimal = Decimal(0)
    discount_reason: str = ""
    shop_total: Decimal | None = None
    tax_reason: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class OrderCharge:
    """Shipping or a fee: ``amount`` less ``discount``, taxed at ``tax_rate`` percent."""

    kind: ChargeKind
    name: str
    amount: Decimal
    tax_rate: Decimal | None
    discount: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class OrderDiscount:
    """A discount on the whole order; ``amount`` is positive, in the order's price mode.

    ``tax_rate`` ``None``: it is split over the rates in proportion to the lines.
    """

    name: str
    amount: Decimal
    tax_rate: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderPayment:
    """What the shop says of the payment.

    ``provider`` and ``transaction_id`` together identify one movement of money for ever: the
    shop's word, the provider's event and the bank line about it are one payment. ``paid_amount``
    is what was received so far; ``due_date`` is set where the shop agreed a date of its own.
    """

    status: PaymentStatus
    method: str = ""
    provider: str = ""
    transaction_id: str = ""
    paid_amount: Decimal = Decimal(0)
    paid_on: date | None = None
    due_date: date | None = None
    vendor_status: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order or won deal, complete as the source gave it.

    ``total`` and ``total_tax`` are the shop's own figures: they are compared with ours and never
    trusted. ``modified_at`` orders the versions of one order that arrive out of order.
    ``deal_reference`` is the buyer's mark (BT-13), ``deal`` our own name of a won deal (BT-14):
    both are printed on the invoice. ``net_total`` is set where the source names no gross total:
    then ``total`` follows from the positions.
    ``terms_days`` are payment terms agreed for this order.
    ``owner`` is the user of ours who looks after it.
    """

    source: str
    channel: str
    order_no: str
    external_id: str
    placed_at: datetime
    modified_at: datetime
    currency: str
    price_mode: PriceMode
    buyer: Buyer
    billing: Address
    shipping: Address
    lines: tuple[OrderLine, ...]
    payment: OrderPayment
    total: Decimal
    total_tax: Decimal | None = None
    charges: tuple[OrderCharge, ...] = ()
    discounts: tuple[OrderDiscount, ...] = ()
    note: str = ""
    deal_reference: str = ""
    supply_date: date | None = None
    cancelled: bool = False
    test: bool = False
    risk_signals: tuple[str, ...] = ()
    deal: str = ""
    net_total: Decimal | None = None
    terms_days: int | None = None
    owner: str = ""
