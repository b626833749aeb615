"""The company that invoices (the Mandant) and the terms it grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from domain.order import Address


class SupplyDatePolicy(StrEnum):
    """Which supply date an invoice bears when the shop names none (par. 14 (4) no. 6 UStG)."""

    ORDER_DATE = "order_date"
    INVOICE_MONTH = "invoice_month"


@dataclass(frozen=True, slots=True)
class PaymentTerms:
    """How long a customer has: ``days`` net from the invoice date (Zahlungsziel)."""

    days: int

    def __post_init__(self) -> None:
        if not 0 <= self.days <= 120:
            raise ValueError("payment terms must be between 0 and 120 days")


@dataclass(frozen=True, slots=True)
class Company:
    """Everything about the company that documents and decisions need.

    ``sample`` marks every document as a sample. ``invoice_series`` is the prefix of the gapless
    invoice numbers (``RE`` gives ``RE-2026-00001``); ``first_invoice_number`` is where a series
    that was begun elsewhere goes on. ``approval_above`` holds an order on account above that gross
    sum for a person's approval. A notice (Mahnschreiben) waits ``approval_days`` for its approval
    and is dropped then; after ``approval_escalation_days`` the substitute is asked.
    ``known_tax_rates`` are the rates (percent, per country of supply) that may appear on an invoice
    without a person's look.
    """

    name: str
    address: Address
    time_zone: str
    currency: str
    iban: str
    email: str
    vat_id: str = ""
    tax_number: str = ""
    bic: str = ""
    bank_name: str = ""
    phone: str = ""
    website: str = ""
    register_entry: str = ""
    managing_directors: str = ""
    language: str = "de"
    invoice_series: str = "RE"
    first_invoice_number: int = 1
    terms_b2c: PaymentTerms = PaymentTerms(14)
    terms_b2b: PaymentTerms = PaymentTerms(14)
    supply_date_policy: SupplyDatePolicy = SupplyDatePolicy.ORDER_DATE
    approval_above: Decimal | None = None
    approval_days: int = 7
    approval_escalation_days: int = 3
    sample: bool = False
    owners: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
