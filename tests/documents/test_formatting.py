"""Numbers and dates per locale."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from documents.formatting import formats, iban_groups

D = Decimal


@pytest.mark.parametrize(
    ("language", "country", "amount", "money", "percent"),
    [
        ("de", "DE", "−1.234.567,50", "1.234,50 €", "8,1 %"),
        ("de", "AT", "−1.234.567,50", "€ 1.234,50", "8,1 %"),
        ("de", "CH", "−1’234’567.50", "EUR 1’234.50", "8.1 %"),
        ("en", "GB", "−1,234,567.50", "€1,234.50", "8.1%"),
        ("en", "DE", "−1,234,567.50", "€1,234.50", "8.1%"),
        ("en", "", "−1,234,567.50", "€1,234.50", "8.1%"),
    ],
)
def test_every_reader_finds_the_usual_form(
    language: str, country: str, amount: str, money: str, percent: str
) -> None:
    """English on the continent stays English in its numbers."""
    form = formats(language, country)
    found = (form.amount(D("-1234567.5"), "EUR"), form.money(D("1234.5"), "EUR"))
    found += (form.percent(D("8.10")),)

    assert tuple(each.replace("\u00a0", " ") for each in found) == (amount, money, percent)


def test_decimals_follow_the_currency_the_price_and_the_quantity() -> None:
    """A sum has the currency's, a price at least those, a quantity only what it needs."""
    form = formats("de", "DE")

    assert form.amount(D("1234"), "JPY") == "1.234"
    assert form.amount(D("1.5"), "KWD") == "1,500"
    assert form.unit_price(D("0.1234567"), "EUR") == "0,123457"
    assert form.unit_price(D("5"), "EUR") == "5,00"
    assert (form.quantity(D("3.000")), form.quantity(D("1.50"))) == ("3", "1,5")
    assert form.quantity(D("1E+2")) == "100"


def test_dates_and_accounts() -> None:
    """Dates that cannot be misread, IBANs in groups."""
    assert formats("de", "DE").day(date(2026, 11, 2)) == "02.11.2026"
    assert formats("en", "US").day(date(2026, 11, 2)) == "2 November 2026"
    assert formats("de", "DE").month(date(2026, 3, 1)) == "März 2026"
    assert iban_groups("DE89370400440532013000").split("\u00a0")[:2] == ["DE89", "3704"]
