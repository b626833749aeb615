"""What keeps an order from being invoiced: every problem at once, each with field and owner."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from domain.corrections import correctable
from domain.order import (
    Address,
    Buyer,
    ChargeKind,
    CustomerKind,
    OrderCharge,
    OrderPayment,
    PaymentStatus,
)
from domain.validation import order_problems
from domain.vat_ids import compact_vat_id, vat_id_country, vat_id_expectation
from tests.domain.orders import BONN, COMPANY, line, order


def fields(**changes: object) -> list[str]:
    """Return the fields with problems of a sound order with these changes."""
    return [problem.field for problem in order_problems(order(**changes), COMPANY)]


def test_a_sound_order_has_no_problem() -> None:
    """The builder's order passes."""
    assert order_problems(order(), COMPANY) == ()


def test_every_problem_is_found_at_once() -> None:
    """A thoroughly broken order needs one round of corrections, not ten."""
    broken = order(
        test=True,
        cancelled=True,
        buyer=Buyer(kind=CustomerKind.B2B, vat_id="DE123456789"),
        billing=Address(),
        shipping=Address(name="Lager", postcode="1234", country="DE"),
        lines=(line(name="", tax_rate=None), line(discount=Decimal(200), tax_rate=Decimal(18))),
        payment=OrderPayment(PaymentStatus.LATER, due_date=date(2031, 1, 1)),
    )
    problems = order_problems(broken, COMPANY)

    assert [problem.field for problem in problems] == [
        "test",
        "cancelled",
        "payment.due_date",
        "buyer.email",
        "buyer.vat_id",
        "billing.name",
        "billing.street",
        "billing.city",
        "billing.country",
        "billing.postcode",
        "shipping.street",
        "shipping.city",
        "shipping.postcode",
        "lines.1.name",
        "lines.2.discount",
        "lines.1.tax_rate",
        "lines.2.tax_rate",
    ]
    kinds = {problem.field: problem.kind for problem in problems}
    assert kinds["test"] == "test_order"
    assert kinds["cancelled"] == "cancelled_order"
    assert kinds["billing.street"] == "missing_address"
    assert kinds["buyer.email"] == "missing_contact"
    assert kinds["lines.2.tax_rate"] == "tax_deviation"
    assert {p.owner for p in problems if p.kind == "tax_deviation"} == {"accounting"}
    assert all(correctable(broken, problem.field) for problem in problems)


def test_problems_read_as_one_clause() -> None:
    """The exception shows field, expectation and finding."""
    problem = order_problems(order(billing=replace(BONN, postcode="5311")), COMPANY)[0]

    assert str(problem) == (
        "billing.postcode: expected five digits, such as 53113 (DE), found 5311"
    )


@pytest.mark.parametrize(
    ("country", "postcode", "good"),
    [
        ("DE", "01067", True),
        ("DE", "00123", False),
        ("DE", "5311", False),
        ("AT", "1010", True),
        ("AT", "0999", False),
        ("CH", "8001", True),
        ("LI", "9490", True),
        ("LI", "9500", False),
        ("NL", "1012 AB", True),
        ("GB", "NR14 7UX", True),
        ("GB", "?", False),
        ("IE", "", True),
        ("FR", "", False),
        ("JP", "100-0001", True),
    ],
)
def test_postcodes_are_checked_by_country(country: str, postcode: str, *, good: bool) -> None:
    """DE, AT, CH and LI exactly; elsewhere sanity."""
    where = replace(BONN, country=country, postcode=postcode)
    found = "billing.postcode" in fields(billing=where)

    assert found is not good


@pytest.mark.parametrize("country", ["XX", "Atlantis"])
def test_an_unknown_country_is_a_problem(country: str) -> None:
    """What is no country cannot be invoiced."""
    assert "billing.country" in fields(billing=replace(BONN, country=country, postcode="12345"))


@pytest.mark.parametrize(
    ("email", "good"),
    [
        ("a.b+c@example.org", True),
        ("müller@bücher.example", True),
        ("a@b", False),
        ("a b@example.org", False),
        ("a@@example.org", False),
        ("a@example..org", False),
        ("a@-example.org", False),
        ("<a@example.org>", False),
        ("x" * 65 + "@example.org", False),
        ("a@" + "b" * 63 + ".de", True),
    ],
)
def test_email_addresses_are_plausible(email: str, *, good: bool) -> None:
    """A mail to them could exist; whether it does, the mail server says."""
    assert ("buyer.email" in fields(buyer=Buyer(name="A", email=email))) is not good


@pytest.mark.parametrize(
    ("vat_id", "good"),
    [
        ("DE136695976", True),
        ("DE 136 695 976", True),
        ("DE136695977", False),
        ("ATU13585627", True),
        ("ATU13585628", False),
        ("CHE-100.155.212 MWST", True),
        ("CHE-100.155.213", False),
        ("EL094259216", True),
        ("NO995525828MVA", True),
        ("136695976", False),
        ("D", False),
    ],
)
def test_vat_ids_are_plausible(vat_id: str, *, good: bool) -> None:
    """Form and check digits in the EU and Switzerland; a sane form elsewhere."""
    assert (vat_id_expectation(vat_id) == "") is good


def test_vat_ids_know_their_country() -> None:
    """Greece writes EL."""
    assert compact_vat_id("CHE-100.155.212 MWST") == "CHE100155212MWST"
    assert (vat_id_country("EL094259216"), vat_id_country("de136695976")) == ("GR", "DE")


def test_a_delivery_address_of_its_own_is_checked_and_an_equal_one_is_not_twice() -> None:
    """One missing street is one problem."""
    broken = replace(BONN, street="")

    assert fields(billing=broken, shipping=broken) == ["billing.street"]
    assert fields(shipping=broken) == ["shipping.street"]


def test_an_order_without_lines_waits() -> None:
    """There is nothing to invoice."""
    assert fields(lines=()) == ["lines"]


def test_charges_and_due_dates_are_checked() -> None:
    """A discount greater than its charge, a due date before the order."""
    charge = OrderCharge(ChargeKind.SHIPPING, "DHL", Decimal(5), Decimal(19), discount=Decimal(6))
    due = OrderPayment(PaymentStatus.LATER, due_date=date(2026, 11, 15))

    assert fields(charges=(charge,), payment=due) == ["payment.due_date", "charges.1.discount"]
