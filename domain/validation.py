"""What is wrong with an order from the business's point of view, all of it at once (A2, B4, B6).

A connector has already refused what has no sound shape. What is found here is mended by a person:
each ``Problem`` names the field as ``case correct`` takes it, what is expected, and who can say.
Whether the shop's totals agree with ours is decided in ``domain.invoicing``, not here.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from domain.countries import CODES
from domain.errors import Problem
from domain.order import Address, Order
from domain.tax_check import tax_problems
from domain.vat_ids import vat_id_expectation

if TYPE_CHECKING:
    from domain.company import Company

_EMAIL = re.compile(
    r"(?=.{6,254}$)[^\s@<>(),;:\"\[\]\\]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}"
)
_POSTCODES = {
    "DE": (r"(?:0[1-9]|[1-9]\d)\d{3}", "five digits, such as 53113"),
    "AT": (r"[1-9]\d{3}", "four digits, such as 1010"),
    "CH": (r"[1-9]\d{3}", "four digits, such as 8001"),
    "LI": (r"94(?:8[5-9]|9[0-8])", "four digits from 9485 to 9498"),
    "BE": (r"[1-9]\d{3}", "four digits"),
    "CZ": (r"\d{3} ?\d{2}", "five digits"),
    "DK": (r"\d{4}", "four digits"),
    "ES": (r"\d{5}", "five digits"),
    "FR": (r"\d{5}", "five digits"),
    "IT": (r"\d{5}", "five digits"),
    "LU": (r"(?:L-)?\d{4}", "four digits"),
    "NL": (r"\d{4} ?[A-Z]{2}", "four digits and two letters, such as 1012 AB"),
    "PL": (r"\d{2}-?\d{3}", "five digits, such as 00-950"),
    "SE": (r"\d{3} ?\d{2}", "five digits"),
    "SK": (r"\d{3} ?\d{2}", "five digits"),
    "US": (r"\d{5}(?:-\d{4})?", "five digits, such as 10001"),
}
_ANY_POSTCODE = re.compile(r"[A-Z0-9][A-Z0-9 -]{1,10}")
_WITHOUT_POSTCODE = frozenset({"AE", "AG", "AO", "BS", "BW", "BZ", "HK", "IE", "PA", "QA"})
_LATEST_DUE = timedelta(days=365)


def order_problems(order: Order, company: Company) -> tuple[Problem, ...]:
    """Return everything that keeps this order from being invoiced as it stands; empty if nothing.

    The order of the problems is the order of the document: state, buyer, addresses, positions.
    """
    return (
        *_state_problems(order),
        *_buyer_problems(order),
        *_billing_problems(order),
        *_shipping_problems(order),
        *_line_problems(order),
        *tax_problems(order, company),
    )


def _state_problems(order: Order) -> list[Problem]:
    found = []
    if order.test:
        found.append(
            Problem(
                "test",
                "a real order: cancel the case, or set test=no if it is to be invoiced",
                "a test order",
                "test_order",
            )
        )
    if order.cancelled:
        found.append(
            Problem(
                "cancelled",
                "one that stands: cancel the case, or set cancelled=no if it is to be invoiced",
                "cancelled or wholly refunded in the shop",
                "cancelled_order",
            )
        )
    due, placed = order.payment.due_date, order.placed_at.date()
    if due and not placed <= due <= placed + _LATEST_DUE:
        expected = f"a date from {placed} on, within a year of the order"
        found.append(Problem("payment.due_date", expected, str(due), owner="accounting"))
    return found


def _buyer_problems(order: Order) -> list[Problem]:
    found = []
    email, vat_id = order.buyer.email, order.buyer.vat_id
    if not email:
        expected = "an e-mail address: the invoice goes there"
        found.append(Problem("buyer.email", expected, "nothing", "missing_contact"))
    elif not _EMAIL.fullmatch(email):
        found.append(Problem("buyer.email", "an e-mail address such as name@example.com", email))
    if vat_id and (expected := vat_id_expectation(vat_id)):
        found.append(Problem("buyer.vat_id", expected, vat_id, owner="accounting"))
    return found


def _billing_problems(order: Order) -> list[Problem]:
    found = _address_problems("billing", order.billing)
    if not (order.billing.name or order.billing.company or order.buyer.company):
        expected = "the full name of the recipient of the invoice (par. 14 (4) no. 1 UStG)"
        found.insert(0, Problem("billing.name", expected, "nothing", "missing_address"))
    return found


def _shipping_problems(order: Order) -> list[Problem]:
    """Check a delivery address of its own; none, or one equal to the billing address, is fine."""
    if order.shipping in (Address(), order.billing):
        return []
    return _address_problems("shipping", order.shipping)


def _address_problems(where: str, address: Address) -> list[Problem]:
    found = [
        Problem(f"{where}.{part}", expected, "nothing", "missing_address")
        for part, expected in (
            ("street", "street and house number"),
            ("city", "the town"),
            ("country", "the country as a two-letter code such as DE"),
        )
        if not getattr(address, part)
    ]
    if address.country and address.country not in CODES:
        expected = "a country as a two-letter code such as DE"
        found.append(Problem(f"{where}.country", expected, address.country))
    found += _postcode_problems(where, address)
    return found


def _postcode_problems(where: str, address: Address) -> list[Problem]:
    pattern, expected = _POSTCODES.get(address.country, ("", "the postcode"))
    if not address.postcode:
        if address.country in _WITHOUT_POSTCODE:
            return []
        return [Problem(f"{where}.postcode", expected, "nothing", "missing_address")]
    known = re.compile(pattern) if pattern else _ANY_POSTCODE
    if known.fullmatch(address.postcode):
        return []
    expected = f"{expected} ({address.country or 'country unknown'})"
    return [Problem(f"{where}.postcode", expected, address.postcode)]


def _line_problems(order: Order) -> list[Problem]:
    found = []
    if not order.lines:
        found.append(
            Problem(
                "lines",
                "at least one position to invoice: cancel the case, and submit the order anew",
                "none",
            )
        )
    for number, line in enumerate(order.lines, 1):
        if not line.name:
            expected = "what was sold (par. 14 (4) no. 5 UStG)"
            found.append(Problem(f"lines.{number}.name", expected, "nothing"))
        if line.discount > line.quantity * line.unit_price:
            expected = f"at most {line.quantity * line.unit_price}, the price of the line"
            found.append(Problem(f"lines.{number}.discount", expected, str(line.discount)))
    for number, charge in enumerate(order.charges, 1):
        if charge.discount > charge.amount:
            expected = f"at most {charge.amount}, the amount of the charge"
            found.append(Problem(f"charges.{number}.discount", expected, str(charge.discount)))
    return found
