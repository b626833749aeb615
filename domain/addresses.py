"""Addresses in one form (A3), whatever a shop's form let through. Pure, and idempotent.

What it deliberately does not do: guess a missing part, spell out "Str.", or check that a street
exists. An address service can do that later; a wrong guess on an invoice is worse than a question.
"""

from __future__ import annotations

import re

from domain.copies import with_parts
from domain.countries import country_code
from domain.order import NOWHERE, Address
from domain.texts import tidy

# Three letters before the digits at least: Mannheim's squares ("Q7") are names with a digit.
_HOUSE_NUMBER = re.compile(r"^(?P<street>.*[^\W\d_]{3}\.?)(?P<number>\d{1,4}\s?[a-zA-Z]?)$")
_PREFIXED_POSTCODE = re.compile(r"^(?P<country>[A-Z]{1,3})\s*-\s*(?P<postcode>\d{4,5})$")
_COUNTRY_PREFIXES = {"D": "DE", "A": "AT", "CH": "CH", "DE": "DE", "AT": "AT", "FL": "LI"}


def normalise_address(address: Address) -> Address:
    """Tidy every part; bring country to alpha-2, the postcode to capitals without its prefix.

    "D-12345" gives the postcode 12345 and, where no country is named, DE. "Hauptstr.5" gets the
    blank before its number; "Str." stays as the customer wrote it. A country that is not
    recognised stays as it is, so that the check of the order can show it.
    """
    if address is NOWHERE:
        return NOWHERE
    country = country_code(tidy(address.country))
    postcode, implied = _postcode(tidy(address.postcode).upper())
    return with_parts(
        address,
        name=tidy(address.name),
        company=tidy(address.company),
        street=_spaced(tidy(address.street)),
        extra=tidy(address.extra),
        postcode=postcode,
        city=tidy(address.city),
        region=tidy(address.region),
        country=country or implied,
    )


def _postcode(text: str) -> tuple[str, str]:
    """Split "D-12345" into the postcode and the country that it implies."""
    prefixed = _PREFIXED_POSTCODE.match(text)
    if prefixed and prefixed["country"] in _COUNTRY_PREFIXES:
        return prefixed["postcode"], _COUNTRY_PREFIXES[prefixed["country"]]
    return text, ""


def _spaced(street: str) -> str:
    """Put the missing blank before a house number: "Hauptstraße5a" becomes "Hauptstraße 5a"."""
    if street.rpartition(" ")[2].isdigit():
        return street
    glued = _HOUSE_NUMBER.match(street)
    return f"{glued['street']} {glued['number']}" if glued else street
