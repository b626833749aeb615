"""Amounts of money: a Decimal with a currency, never a float.

Rounding is always commercial (half away from zero, "kaufmaennisch") to the currency's minor unit
and happens where it is named: ``rounded``. Plain arithmetic is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

# ISO 4217 active currencies that circulate, and the minor units of those that do not have two.
CURRENCIES = frozenset(
    """AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP
    BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL
    GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW
    KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN
    NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK
    SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS
    VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG""".split()  # noqa: SIM905 - a table is easier to read than a list of strings
)
_MINOR_UNITS = dict.fromkeys(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split(),  # noqa: SIM905
    0,
) | dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3)  # noqa: SIM905


def minor_units(currency: str) -> int:
    """Return how many decimals the currency's minor unit has (EUR 2, JPY 0, KWD 3)."""
    return _MINOR_UNITS.get(currency, 2)


def round_amount(amount: Decimal, currency: str) -> Decimal:
    """Round commercially (half away from zero) to the currency's minor unit."""
    return amount.quantize(_smallest(currency), rounding=ROUND_HALF_UP)


@lru_cache(maxsize=512)
def _smallest(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_units(currency))


def parse_decimal(text: str) -> Decimal:
    """Read a plain decimal number with a point; ValueError for anything else (NaN, 1e9)."""
    cleaned = text.strip()
    if not cleaned or not set(cleaned) <= set("+-.0123456789"):
        raise ValueError(f"not a decimal number: {text!r}")
    try:
        return Decimal(cleaned)
    except InvalidOperation as error:
        raise ValueError(f"not a decimal number: {text!r}") from error


def plain_number(number: Decimal) -> str:
    """Write a number as one says it, and equal ones equally: 19 for 19.00, 10 for 1E+1, 0 for -0.0.

    Digests contain it, so it stays as it is.
    """
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency. Amounts of two currencies never mix: ValueError."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise ValueError(f"unknown currency {self.currency!r}; expected an ISO 4217 code")
        if not self.amount.is_finite():
            raise ValueError("an amount of money must be a finite number")

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        return Money(self.amount * factor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Return nothing, in that currency."""
        return cls(Decimal(0), currency)

    def rounded(self) -> Money:
        """Round commercially to the minor unit."""
        return Money(round_amount(self.amount, self.currency), self.currency)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise ValueError(f"cannot mix {self.currency} and {other.currency}")
        return other.amount
