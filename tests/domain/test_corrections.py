"""Corrections: all or none, in words; what is corrected reads back the same."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.correction_fields import CORRECTABLE
from domain.corrections import correct, correctable
from domain.errors import RefusedError
from domain.order import Address, ChargeKind, CustomerKind, OrderCharge, OrderDiscount
from tests.domain.orders import line, order

FULL = order(
    lines=(line(), line(name="Reise", tax_rate=None)),
    charges=(OrderCharge(ChargeKind.SHIPPING, "DHL", Decimal(5), None),),
    discounts=(OrderDiscount("Rabatt", Decimal(1), Decimal(5)),),
)


def test_each_kind_of_field_is_corrected() -> None:
    """Address, buyer, line, charge, discount, totals, dates and flags."""
    corrected = correct(
        FULL,
        {
            "billing.city": " Köln ",
            "billing.postcode": "d-50667",
            "shipping.country": "Österreich",
            "buyer.vat_id": "de 136 695 976",
            "buyer.kind": "B2B",
            "buyer.language": "EN",
            "lines.2.tax_rate": "8,1 %",
            "lines.1.tax_reason": "Export",
            "charges.1.tax_rate": "19",
            "discounts.1.tax_rate": "19",
            "total": "120.00",
            "payment.due_date": "2026-12-01",
            "supply_date": "2026-11-20",
            "cancelled": "nein",
            "test": "yes",
        },
    )

    assert (corrected.billing.city, corrected.billing.postcode) == ("Köln", "50667")
    assert corrected.shipping.country == "AT"
    assert (corrected.buyer.vat_id, corrected.buyer.kind) == ("DE136695976", CustomerKind.B2B)
    assert corrected.buyer.language == "en"
    assert corrected.lines[1].tax_rate == Decimal("8.1")
    assert corrected.lines[0].tax_reason == "Export"
    assert corrected.charges[0].tax_rate == corrected.discounts[0].tax_rate == 19
    assert corrected.total == 120
    assert corrected.payment.due_date == date(2026, 12, 1)
    assert corrected.supply_date == date(2026, 11, 20)
    assert (corrected.cancelled, corrected.test) == (False, True)
    assert replace(FULL, billing=FULL.billing) == FULL


def test_an_empty_value_clears() -> None:
    """A text or a date may be taken away."""
    corrected = correct(FULL, {"buyer.phone": "", "supply_date": ""})

    assert (corrected.buyer.phone, corrected.supply_date) == ("", None)


def test_all_bad_ones_are_named_and_nothing_is_corrected() -> None:
    """One sentence for the person, one problem for each field."""
    changes = {
        "billing.town": "Bonn",
        "currency": "CHF",
        "lines.3.tax_rate": "19",
        "lines.0.tax_rate": "19",
        "lines.1.tax_rate": "viel",
        "lines.1.quantity": "0",
        "lines.2.tax_rate": "101",
        "total": "-1",
        "total_tax": "1e999",
        "supply_date": "16.11.2026",
        "test": "vielleicht",
        "buyer.kind": "firma",
        "buyer.language": "fr",
        "buyer.name": "a\x00b",
        "billing.city": "Köln",
    }

    with pytest.raises(RefusedError) as refusal:
        correct(FULL, changes)

    assert [problem.field for problem in refusal.value.problems] == list(changes)[:-1]
    assert refusal.value.message.startswith(
        "Nothing was corrected: billing.town: expected one of billing.name, billing.company, "
    )
    by_field = {problem.field: problem.expected for problem in refusal.value.problems}
    assert "lines.N.tax_rate" in by_field["lines.3.tax_rate"]
    assert "(N from 1 to 2)" in by_field["lines.3.tax_rate"]
    assert "currency" not in by_field["currency"].split(", ")
    assert by_field["supply_date"] == "a date such as 2026-11-30"


def test_nothing_to_correct_is_refused() -> None:
    """A command without content has no effect to audit."""
    with pytest.raises(RefusedError, match="give at least one FIELD=VALUE"):
        correct(FULL, {})


def test_every_field_has_words_in_both_languages() -> None:
    """A person sees what a field means."""
    assert all(how.german and how.english for how in CORRECTABLE.values())


_VALUES = {
    "billing.name": st.from_regex(r"[A-Za-zäöüß]{1,20}( [A-Za-z]{1,20})?", fullmatch=True),
    "buyer.email": st.emails(),
    "lines.1.tax_rate": st.decimals(0, 100, places=1).map(str),
    "lines.2.unit_price": st.decimals(0, 10**6, places=2).map(str),
    "total": st.decimals(0, 10**6, places=2).map(str),
    "supply_date": st.dates().map(str),
    "billing.country": st.sampled_from(["DE", "AT", "CH", "FR"]),
}


@given(st.fixed_dictionaries({}, optional=_VALUES).filter(bool))
def test_what_was_corrected_reads_back_the_same(changes: dict[str, str]) -> None:
    """Round trip, and correcting the same again changes nothing."""
    corrected = correct(FULL, changes)

    for field, value in changes.items():
        group, *rest = field.split(".")
        found: object = getattr(corrected, group)
        if isinstance(found, tuple):
            found = found[int(rest[0]) - 1]
        found = getattr(found, rest[-1]) if rest else found
        assert str(found) == value.strip()
    assert correct(corrected, changes) == corrected


@given(st.dictionaries(st.text() | st.sampled_from(sorted(CORRECTABLE)), st.text(), min_size=1))
def test_whatever_is_asked_only_a_refusal_comes_back(changes: dict[str, str]) -> None:
    """No input makes anything else of it."""
    with contextlib.suppress(RefusedError):
        correct(FULL, changes)


def test_addresses_that_are_not_there_stay_away() -> None:
    """No delivery address is invented by a correction elsewhere."""
    assert correct(FULL, {"total": "1"}).shipping == Address()
    assert correctable(FULL, "lines.2.name") is not None
    assert correctable(FULL, "lines.99.name") is None
