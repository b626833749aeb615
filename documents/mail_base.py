"""What every kind of mail has in common: its reader, and what it must be able to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from documents.formatting import Formats, iban_groups
from documents.labels import Labels
from domain.company import Company
from domain.invoice import Invoice
from domain.order import Order

Details = list[tuple[str, str]]
Values = dict[str, str]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: ``name`` for the salutation (may be empty), ``language`` ``de`` or ``en``."""

    name: str
    language: str
    country: str = ""

    @classmethod
    def of_invoice(cls, invoice: Invoice) -> Reader:
        """Return the person the invoice is addressed to, else the company."""
        buyer = invoice.buyer
        return cls(buyer.address.name or buyer.name, invoice.language, buyer.address.country)

    @classmethod
    def of_order(cls, order: Order, language: str) -> Reader:
        """Return the person who ordered, else the company."""
        name = order.billing.name or order.buyer.name or order.billing.company
        return cls(name, language, order.billing.country)


class MailContext(Protocol):
    """One kind of mail with its values."""

    KIND: ClassVar[str]

    @property
    def company(self) -> Company:
        """The company that writes."""

    @property
    def reader(self) -> Reader:
        """Whom it writes to."""

    @property
    def template(self) -> str:
        """The template's file name without its ending."""

    def values(self, form: Formats) -> Values:
        """Return the names the template may use; ``""`` is false there."""

    def details(self, words: Labels, form: Formats) -> Details:
        """Return the table below the text, label and value; empty values are left out."""


def bank_details(company: Company, reference: str, words: Labels) -> Details:
    """Return what a bank transfer needs, but the sum."""
    return [
        (words.recipient, company.name),
        ("IBAN", iban_groups(company.iban)),
        ("BIC", company.bic),
        (words.reference, reference),
    ]
