"""A notice (Mahnschreiben) as a value: who owes what, since when, and until when it is to be paid.

What a notice says in words is the business of ``documents``; whether it goes out, of the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from domain.calendar import is_working_day
from domain.dunning.ladder import TEMPLATES
from domain.order import Address, CustomerKind

INSTALMENT_REMINDER = "instalment_reminder"
FINAL_NOTICE = "final_notice"

DAYS_TO_PAY = 10
"""Days that a reminder or notice leaves, from the day it is sent [our decision]."""

DAYS_TO_PAY_FINAL = 7
"""Days that the final notice leaves: everything was said before [our decision]."""

DAYS_OF_POST = 3
"""Days that a letter may take, added to the deadline: what counts is when it is read."""


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """An overdue invoice; ``notices_before`` is how many notices have named it already."""

    invoice_no: str
    invoice_date: date
    due_date: date
    open_amount: Decimal
    currency: str
    notices_before: int = 0

    def __post_init__(self) -> None:
        if self.open_amount <= 0:
            raise ValueError(f"invoice {self.invoice_no} is not open: it belongs in no notice")
        if self.notices_before < 0:
            raise ValueError("the number of notices cannot be negative")


@dataclass(frozen=True, slots=True)
class AgreedPayment:
    """A payment date agreed with the customer: a promise, or one instalment of a plan.

    ``amount`` is None where all that is open was promised.
    """

    due_date: date
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a notice is for: the address as on the letter, and how to speak to them.

    ``language`` is ``de`` or ``en``; other languages read English.
    """

    customer_no: str
    name: str
    address: Address
    kind: CustomerKind
    language: str

    @property
    def salutation_name(self) -> str:
        """Return the person's name where there is one, else the company's."""
        return self.address.name or self.name

    @property
    def is_consumer(self) -> bool:
        """Tell whether the customer is a consumer: law and tone differ."""
        return self.kind is CustomerKind.B2C


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, complete, in one currency: sums of different currencies are never one sum.

    Who owes in several gets a notice in each (``by_currency``). ``reference`` is ours and names it
    for ever; ``level`` is the Mahnstufe that it brings the customer to. ``deadline`` is the last
    day to pay, a working day (``notice_deadline``). ``agreed`` belongs to the reminder of
    instalments and says what was agreed and is asked for; then ``payable`` is that, not the total.
    """

    reference: str
    template: str
    level: int
    recipient: Recipient
    lines: tuple[NoticeLine, ...]
    sent_on: date
    deadline: date
    registered_mail: bool = False
    agreed: tuple[AgreedPayment, ...] = ()

    def __post_init__(self) -> None:
        if self.template not in TEMPLATES:
            raise ValueError(f"there is no template {self.template!r}; there are {TEMPLATES}")
        if not self.lines:
            raise ValueError("a notice without an open invoice asks for nothing")
        if len({line.currency for line in self.lines}) > 1:
            raise ValueError("a notice is in one currency; make one for each")
        if bool(self.agreed) != (self.template == INSTALMENT_REMINDER):
            raise ValueError(
                "agreed payments belong to the reminder of instalments, and only there"
            )
        if self.deadline < self.sent_on:
            raise ValueError("the deadline of a notice cannot be before it is sent")

    @property
    def currency(self) -> str:
        """Return the one currency of all lines."""
        return self.lines[0].currency

    @property
    def total(self) -> Decimal:
        """Return the sum of what is open."""
        return sum((line.open_amount for line in self.lines), Decimal(0))

    @property
    def payable(self) -> Decimal:
        """Return what is asked for now: the total, or what was agreed, never more than is open."""
        if not self.agreed or any(each.amount is None for each in self.agreed):
            return self.total
        return min(self.total, sum((each.amount or Decimal(0) for each in self.agreed), Decimal(0)))

    @property
    def missed(self) -> bool:
        """Tell whether an agreed date has passed: before it, a reminder is only a hint."""
        return any(each.due_date < self.sent_on for each in self.agreed)

    @property
    def repeats(self) -> bool:
        """Tell whether every invoice was named in a notice before: only then we may say so."""
        return all(line.notices_before > 0 for line in self.lines)

    @property
    def remittance(self) -> str:
        """Return what the customer is to write on the transfer, so that it finds its invoices.

        The invoice numbers if a transfer has room for them all (140 characters), else ours; the
        customer number always.
        """
        numbers = " ".join(line.invoice_no for line in self.lines)
        customer_no = self.recipient.customer_no
        whole = f"{numbers} {customer_no}"
        return whole if len(whole) <= 140 else f"{self.reference} {customer_no}"


def days_to_pay(template: str, *, by_letter: bool = False) -> int:
    """Return the days that a notice leaves from the day it is sent; letters are on the way."""
    days = DAYS_TO_PAY_FINAL if template == FINAL_NOTICE else DAYS_TO_PAY
    return days + DAYS_OF_POST if by_letter else days


def notice_deadline(sent_on: date, days: int, *places: Address) -> date:
    """Return the last day to pay: the day of sending not counted, and a working day at each place.

    Places are where the customer pays and where we are (par. 187 (1), 188 (1), 193 BGB; R4): it
    moves on until no place has a weekend or public holiday.
    """
    if days < 1:
        raise ValueError("a deadline leaves at least a day")
    return _working_day(sent_on + timedelta(days=days), places)


def deadline_of(
    template: str,
    sent_on: date,
    *places: Address,
    by_letter: bool = False,
    agreed: tuple[AgreedPayment, ...] = (),
) -> date:
    """Return the deadline that a notice sets; a payment agreed for later stays due when agreed."""
    if agreed and all(each.due_date >= sent_on for each in agreed):
        return _working_day(min(each.due_date for each in agreed), places)
    return notice_deadline(sent_on, days_to_pay(template, by_letter=by_letter), *places)


def _working_day(day: date, places: tuple[Address, ...]) -> date:
    """Return the day itself, or the next that is a working day at every place."""
    while not all(is_working_day(day, place.country, place.region) for place in places):
        day += timedelta(days=1)
    return day


def by_currency(lines: Iterable[NoticeLine], first: str) -> dict[str, tuple[NoticeLine, ...]]:
    """Group invoices by currency, the company's ``first``, each group the oldest due date first."""
    groups = dict[str, tuple[NoticeLine, ...]]()
    ordered = sorted(lines, key=lambda line: (line.currency != first, line.currency, line.due_date))
    for line in ordered:
        groups[line.currency] = (*groups.get(line.currency, ()), line)
    return groups
