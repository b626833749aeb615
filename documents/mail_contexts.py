"""What each kind of mail is about: plain values, formatted only when the mail is rendered.

``values`` are the names its template may use, ``details`` the table below the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import ClassVar

from documents.epc import epc_payload
from documents.formatting import Formats
from documents.labels import Labels
from documents.mail_base import Details, Reader, Values, bank_details
from domain.company import Company
from domain.invoice import Invoice


@dataclass(frozen=True, slots=True)
class InvoiceMail:
    """An invoice goes out; of a prepaid order it is the payment confirmation as well (G4)."""

    KIND: ClassVar[str] = "invoice"
    company: Company
    invoice: Invoice

    @property
    def reader(self) -> Reader:
        """Return the person the invoice is addressed to."""
        return Reader.of_invoice(self.invoice)

    @property
    def template(self) -> str:
        """Choose by what is left to pay."""
        if self.invoice.totals.payable > 0:
            return "invoice_open"
        return "invoice_paid" if self.invoice.totals.prepaid else "invoice_free"

    def values(self, form: Formats) -> Values:
        """Return the sums and dates of the invoice."""
        invoice = self.invoice
        totals, currency = invoice.totals, invoice.currency
        return {
            "invoice_no": invoice.number,
            "order_no": invoice.order_reference,
            "amount": form.money(totals.payable, currency),
            "total": form.money(totals.charged, currency),
            "prepaid": form.money(totals.prepaid, currency) if totals.prepaid else "",
            "paid_on": form.day(invoice.paid_on) if invoice.paid_on else "",
            "due_date": form.day(invoice.due_date),
            "qr_code": "yes" if epc_payload(invoice) else "",
        }

    def details(self, words: Labels, form: Formats) -> Details:
        """Return how to pay, or that it is paid."""
        invoice = self.invoice
        details = [(words.number, invoice.number), (words.order_no, invoice.order_reference)]
        if invoice.totals.payable <= 0:
            details.append((words.total, form.money(invoice.totals.charged, invoice.currency)))
            if invoice.paid_on:
                details.append((words.paid, form.day(invoice.paid_on)))
            return details
        amount = form.money(invoice.totals.payable, invoice.currency)
        details += [(words.payable, amount), (words.due, form.day(invoice.due_date))]
        return details + bank_details(self.company, invoice.remittance, words)


@dataclass(frozen=True, slots=True)
class PaymentConfirmationMail:
    """A payment arrived (G4). ``still_open`` is left to pay, ``surplus`` was paid too much.

    ``reference`` is what the payer or provider called the payment.
    """

    KIND: ClassVar[str] = "payment_confirmation"
    template: ClassVar[str] = "payment_confirmation"
    company: Company
    reader: Reader
    invoice_no: str
    order_no: str
    amount: Decimal
    currency: str
    received_on: date
    reference: str = ""
    still_open: Decimal = Decimal(0)
    surplus: Decimal = Decimal(0)
    due_date: date | None = None

    def values(self, form: Formats) -> Values:
        """Return the payment, and what it leaves open or too much."""

        def money(value: Decimal) -> str:
            return form.money(value, self.currency) if value > 0 else ""

        return {
            "invoice_no": self.invoice_no,
            "order_no": self.order_no,
            "amount": form.money(self.amount, self.currency),
            "received_on": form.day(self.received_on),
            "still_open": money(self.still_open),
            "surplus": money(self.surplus),
            "due_date": form.day(self.due_date) if self.due_date else "",
        }

    def details(self, words: Labels, form: Formats) -> Details:
        """Return the payment and what it was for."""
        details = [
            (words.amount, form.money(self.amount, self.currency)),
            (words.received, form.day(self.received_on)),
            (words.payment_reference, self.reference),
            (words.number, self.invoice_no),
            (words.order_no, self.order_no),
        ]
        if self.still_open > 0:
            details.append((words.still_open, form.money(self.still_open, self.currency)))
        return details


@dataclass(frozen=True, slots=True)
class PaymentRescueMail:
    """A payment failed or never came (C6): friendly, with the bank transfer as another way."""

    KIND: ClassVar[str] = "payment_rescue"
    template: ClassVar[str] = "payment_rescue"
    company: Company
    reader: Reader
    order_no: str
    amount: Decimal
    currency: str

    def values(self, form: Formats) -> Values:
        """Return the order and its sum."""
        return {"order_no": self.order_no, "amount": form.money(self.amount, self.currency)}

    def details(self, words: Labels, form: Formats) -> Details:
        """Return the bank transfer; the order number is its reference."""
        amount = (words.amount, form.money(self.amount, self.currency))
        return [amount, *bank_details(self.company, self.order_no, words)]


@dataclass(frozen=True, slots=True)
class DueDateChangedMail:
    """The day to pay by moved (F3)."""

    KIND: ClassVar[str] = "due_date_changed"
    template: ClassVar[str] = "due_date_changed"
    company: Company
    reader: Reader
    invoice_no: str
    order_no: str
    amount: Decimal
    currency: str
    previous: date
    due_date: date

    def values(self, form: Formats) -> Values:
        """Return the old and the new date."""
        return {
            "invoice_no": self.invoice_no,
            "order_no": self.order_no,
            "amount": form.money(self.amount, self.currency),
            "previous": form.day(self.previous),
            "due_date": form.day(self.due_date),
        }

    def details(self, words: Labels, form: Formats) -> Details:
        """Return the bank transfer with its new date."""
        reference = f"{self.invoice_no} {self.order_no}".strip()
        return [
            (words.payable, form.money(self.amount, self.currency)),
            (words.due, form.day(self.due_date)),
            *bank_details(self.company, reference, words),
        ]


@dataclass(frozen=True, slots=True)
class CancellationMail:
    """An order ended without its goods. ``cancellation_no`` is empty if nothing was invoiced."""

    KIND: ClassVar[str] = "cancellation"
    template: ClassVar[str] = "cancellation"
    company: Company
    reader: Reader
    order_no: str
    currency: str
    invoice_no: str = ""
    cancellation_no: str = ""
    refund: Decimal = Decimal(0)

    def values(self, form: Formats) -> Values:
        """Return the numbers, and what is paid back."""
        return {
            "order_no": self.order_no,
            "invoice_no": self.invoice_no,
            "cancellation_no": self.cancellation_no,
            "refund": form.money(self.refund, self.currency) if self.refund > 0 else "",
        }

    def details(self, words: Labels, form: Formats) -> Details:
        """Return the numbers of order, invoice and cancellation."""
        del form
        return [
            (words.order_no, self.order_no),
            (words.number, self.invoice_no),
            (words.cancellation_number, self.cancellation_no),
        ]
