"""Numbers, dates and account numbers as the reader is used to them (Babel's data, CLDR)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, get_currency_symbol

from domain.money import minor_units

_MINUS = "\N{MINUS SIGN}"
_ENGLISH_DATE = "d MMMM y"
_CONVENTIONS = {
    "de": frozenset({"DE", "AT", "CH", "LI", "LU", "IT", "BE"}),
    "en": frozenset({"GB", "IE", "US", "CA", "AU", "NZ", "SG", "IN", "ZA"}),
}


@lru_cache(maxsize=64)
def formats(language: str, country: str) -> Formats:
    """Return the conventions of a language in a country: Swiss German writes 1’234.50.

    German is as in Germany and English as in Britain where a country has no form of its own: a
    Dutch reader of English takes 1.234 for a number with decimals.
    """
    home = "DE" if language == "de" else "GB"
    territory = country if country in _CONVENTIONS[language] else home
    return Formats(Locale(language, territory))


@dataclass(frozen=True, slots=True)
class Formats:
    """Formats values for one locale."""

    locale: Locale

    def amount(self, value: Decimal, currency: str) -> str:
        """Format a sum with the currency's decimals and without its symbol: ``1.234,50``."""
        return self._number(value, minor_units(currency))

    def unit_price(self, value: Decimal, currency: str) -> str:
        """Format a price per piece, which may have more decimals than a sum (at most six)."""
        return self._number(value, max(minor_units(currency), min(_decimals(value), 6)))

    def quantity(self, value: Decimal) -> str:
        """Format a quantity without needless zeros: ``3``, ``1,5``."""
        return self._number(value, min(_decimals(value), 6))

    def percent(self, value: Decimal) -> str:
        """Format a rate that is given in percent: ``19 %``, ``8,1 %``; ``19%`` in English."""
        space = "" if self.locale.language == "en" else "\N{NO-BREAK SPACE}"
        return f"{self._number(value, _decimals(value))}{space}%"

    def money(self, value: Decimal, currency: str) -> str:
        """Format a sum with its symbol where the locale puts it: ``1.234,50 €``, ``€1,234.50``."""
        text = format_currency(value, currency, locale=self.locale, currency_digits=True)
        return text.replace("-", _MINUS)

    def symbol(self, currency: str) -> str:
        """Return the currency's symbol, or its code where it has none."""
        return get_currency_symbol(currency, locale=self.locale)

    def day(self, day: date) -> str:
        """Format a date beyond doubt: ``22.11.2026``, ``22 November 2026``."""
        german = self.locale.language == "de"
        return format_date(day, "dd.MM.y" if german else _ENGLISH_DATE, locale=self.locale)

    def short_day(self, day: date) -> str:
        """Format a date for a narrow column, beyond doubt: ``22.11.2026``, ``22 Nov 2026``."""
        german = self.locale.language == "de"
        return format_date(day, "dd.MM.y" if german else "d MMM y", locale=self.locale)

    def month(self, day: date) -> str:
        """Format a month: ``November 2026``."""
        return format_date(day, "MMMM y", locale=self.locale)

    def _number(self, value: Decimal, decimals: int) -> str:
        group, point = _separators(self.locale)
        text = f"{abs(value):,.{decimals}f}".replace(",", "\0").replace(".", point)
        sign = _MINUS if value < 0 else ""
        return sign + text.replace("\0", group)


def iban_groups(iban: str) -> str:
    """Write an IBAN in groups of four, held together by no-break spaces."""
    plain = "".join(iban.split())
    groups = (plain[start : start + 4] for start in range(0, len(plain), 4))
    return "\N{NO-BREAK SPACE}".join(groups)


@lru_cache(maxsize=64)
def _separators(locale: Locale) -> tuple[str, str]:
    """Return thousands separator and decimal mark, as the locale writes sums of money.

    Austria groups plain numbers by spaces and money by points: one document, one way.
    """
    group = "." if str(locale) == "de_AT" else locale.number_symbols["latn"]["group"]
    return group, locale.number_symbols["latn"]["decimal"]


def _decimals(value: Decimal) -> int:
    """Count the decimals that say something: 2.500 has one."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
