"""VAT ids: whether their form can exist. Whether one is registered only VIES can say."""

from __future__ import annotations

import re

from stdnum.ch import uid
from stdnum.eu import vat

from domain.tax_rates import EU

_GREECE = {"EL": "GR"}
_ELSEWHERE = re.compile(r"[A-Z]{2}[A-Z0-9]{4,18}")


def compact_vat_id(text: str) -> str:
    """Strip blanks, dots and dashes: ``DE 136 695 976`` becomes ``DE136695976``."""
    return re.sub(r"[\s./-]", "", text).upper()


def vat_id_country(text: str) -> str:
    """Return the alpha-2 country a VAT id belongs to (EL is Greece, CHE Switzerland)."""
    prefix = compact_vat_id(text)[:2]
    return _GREECE.get(prefix, prefix)


def vat_id_expectation(text: str) -> str:
    """Return what would be expected instead of this VAT id, ``""`` if it is plausible.

    For the EU form and check digits are tested, for Switzerland the UID; elsewhere only that it
    begins with a country and has a sane length.
    """
    number = compact_vat_id(text)
    country = vat_id_country(number)
    if country in EU or number.startswith("XI"):
        return "" if vat.is_valid(number) else f"a VAT id of {country} whose check digits are right"
    if country == "CH":
        digits = re.sub(r"(?:MWST|TVA|IVA|HR)$", "", number)
        return (
            "" if uid.is_valid(digits) else "a UID such as CHE-123.456.788 with a right check digit"
        )
    if _ELSEWHERE.fullmatch(number):
        return ""
    return "a VAT id that begins with its country, such as DE136695976"
