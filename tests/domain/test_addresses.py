"""Addresses: one form, whatever the shop's form let through (A3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.addresses import normalise_address
from domain.countries import CODES, country_code
from domain.order import Address

_TEXT = st.text(max_size=20)
_STREETS = st.from_regex(r"[A-Za-zäß ]{0,12}\.?[0-9]{0,5} ?[a-z]?", fullmatch=True)


def test_the_whole_address_is_brought_to_one_form() -> None:
    """Blanks, capitals, the postcode's prefix and the country's name are set right at once."""
    messy = Address(
        name="  Anna \t Huber ", street="Hauptstr.5a", postcode="d-12345", city="Bonn ", country=""
    )

    assert normalise_address(messy) == Address(
        name="Anna Huber", street="Hauptstr. 5a", postcode="12345", city="Bonn", country="DE"
    )


@pytest.mark.parametrize(
    ("given_street", "expected"),
    [
        ("Hauptstraße5", "Hauptstraße 5"),
        ("Str. des 17. Juni 135", "Str. des 17. Juni 135"),
        ("Q7, 24", "Q7, 24"),
        ("C4", "C4"),
        ("Am Ring 12 b", "Am Ring 12 b"),
        ("Ringweg12 b", "Ringweg 12 b"),
        ("Postfach 100123", "Postfach 100123"),
    ],
)
def test_a_house_number_gets_its_blank_and_nothing_else_changes(
    given_street: str, expected: str
) -> None:
    """Mannheim's squares and dates in street names stay whole."""
    assert normalise_address(Address(street=given_street)).street == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Deutschland", "DE"),
        ("germany", "DE"),
        ("DEU", "DE"),
        ("at", "AT"),
        ("Österreich", "AT"),
        ("CHE", "CH"),
        ("Fürstentum Liechtenstein", "LI"),
        ("United States of America", "US"),
        ("UK", "GB"),
        ("Atlantis", "Atlantis"),
        ("ß", "ß"),
    ],
)
def test_countries_are_known_by_code_and_name(text: str, code: str) -> None:
    """An unknown name stays as it is, so that the check can show it."""
    assert country_code(text) == code


def test_a_named_country_is_not_overruled_by_the_postcode() -> None:
    """The prefix only fills a gap."""
    assert normalise_address(Address(postcode="A-1010", country="DE")).country == "DE"
    assert normalise_address(Address(postcode="A-1010")).country == "AT"


@given(
    st.builds(
        Address,
        name=_TEXT,
        street=_STREETS | _TEXT,
        postcode=_TEXT | st.from_regex(r"[A-Za-z]{0,3} ?- ?[0-9]{4,5}", fullmatch=True),
        city=_TEXT,
        country=_TEXT | st.sampled_from(["Deutschland", "usa", *sorted(CODES)]),
    )
)
def test_normalising_twice_changes_nothing_more(address: Address) -> None:
    """The form is final."""
    once = normalise_address(address)

    assert normalise_address(once) == once
