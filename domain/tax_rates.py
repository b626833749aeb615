"""Which VAT rates exist where, and from when (E6, E12, E14): the table behind "tax deviation".

Sources: DE par. 12 and par. 28 UStG (16/5 percent: Zweites Corona-Steuerhilfegesetz, 2020-07-01 to
2020-12-31); AT par. 10 UStG 1994 (4.9 percent on basic food from 2026-07-01); CH art. 25 MWSTG and
the ordinance of 2022-12-09 (raised on 2024-01-01), Liechtenstein the same; all other member states:
the European Commission's TEDB as of 2026-09-29 (read through eu-vat-rates-data 2026.9.29, regional
rates left out). The table says which rates may appear, not which product bears which.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

_BEGINNING = date(2007, 1, 1)


@dataclass(frozen=True, slots=True)
class RatePeriod:
    """The rates in percent, standard rate first, that hold from a day until the next period."""

    valid_from: date
    rates: tuple[Decimal, ...]


def _since(valid_from: date, rates: str) -> RatePeriod:
    return RatePeriod(valid_from, tuple(Decimal(rate) for rate in rates.split()))


_SWISS = (_since(date(2018, 1, 1), "7.7 2.5 3.7"), _since(date(2024, 1, 1), "8.1 2.6 3.8"))

RATES: dict[str, tuple[RatePeriod, ...]] = {
    "DE": (
        _since(_BEGINNING, "19 7"),
        _since(date(2020, 7, 1), "16 5"),
        _since(date(2021, 1, 1), "19 7"),
    ),
    "AT": (
        _since(date(2016, 1, 1), "20 10 13"),
        _since(date(2026, 7, 1), "20 10 13 4.9"),
    ),
    "CH": _SWISS,
    "LI": _SWISS,
    "BE": (_since(_BEGINNING, "21 6 12"),),
    "BG": (_since(_BEGINNING, "20 9"),),
    "CY": (_since(_BEGINNING, "19 3 5 9"),),
    "CZ": (_since(date(2024, 1, 1), "21 12"),),
    "DK": (_since(_BEGINNING, "25"),),
    "EE": (_since(date(2024, 1, 1), "22 9 13"), _since(date(2025, 7, 1), "24 9 13")),
    "ES": (_since(_BEGINNING, "21 4 10"),),
    "FI": (
        _since(date(2024, 9, 1), "25.5 10 14"),
        _since(date(2026, 1, 1), "25.5 10 13.5"),
    ),
    "FR": (_since(_BEGINNING, "20 2.1 5.5 10"),),
    "GR": (_since(_BEGINNING, "24 4 6 13"),),
    "HR": (_since(_BEGINNING, "25 5 13"),),
    "HU": (_since(_BEGINNING, "27 5 18"),),
    "IE": (_since(_BEGINNING, "23 9 13.5"),),
    "IT": (_since(_BEGINNING, "22 4 5 10"),),
    "LT": (_since(date(2026, 1, 1), "21 5 12"),),
    "LU": (_since(date(2024, 1, 1), "17 3 8 14"),),
    "LV": (_since(_BEGINNING, "21 5 12"),),
    "MT": (_since(_BEGINNING, "18 5 7 12"),),
    "NL": (_since(_BEGINNING, "21 9"),),
    "PL": (_since(_BEGINNING, "23 5 8"),),
    "PT": (_since(_BEGINNING, "23 6 13"),),
    "RO": (_since(_BEGINNING, "19 5 9"), _since(date(2025, 8, 1), "21 11")),
    "SE": (_since(_BEGINNING, "25 6 12"),),
    "SI": (_since(_BEGINNING, "22 5 9.5"),),
    "SK": (_since(date(2025, 1, 1), "23 5 19"),),
}

EU = frozenset(RATES) - {"CH", "LI"}


def rates_on(country: str, day: date) -> tuple[Decimal, ...]:
    """Return the rates of a country on a day, standard rate first; nothing if none are known."""
    valid: tuple[Decimal, ...] = ()
    for period in RATES.get(country, ()):
        if period.valid_from <= day:
            valid = period.rates
    return valid


def vat_country(country: str, postcode: str) -> str:
    """Return the country whose VAT applies at an address, ``""`` outside every known VAT area.

    Büsingen and Helgoland are German but no "Inland" (par. 1 (2) UStG), Livigno and Campione are
    Italian, the Canaries, Ceuta and Melilla Spanish, Åland Finnish, yet outside the EU's VAT area
    (art. 6 of directive 2006/112/EC); Monaco is treated as France (art. 7).
    """
    if country == "MC":
        return "FR"
    outside = {
        "DE": ("78266", "27498"),
        "IT": ("23041", "22061"),
        "ES": ("35", "38", "51", "52"),
        "FI": ("22",),
    }
    if postcode.startswith(outside.get(country, ())):
        return ""
    return country if country in RATES else ""
