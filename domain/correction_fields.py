"""The fields of an order that a person may correct, what they are called, how a value is read.

Who bought what, where it goes, how it is taxed and what the totals are can be set right. What
identifies the order (number, channel, times), its currency and what was paid cannot: an order with
another currency is another order, and money is set right by payments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.money import parse_decimal
from domain.order import CustomerKind
from domain.texts import tidy
from domain.vat_ids import compact_vat_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST = 500
_LARGEST = Decimal(10) ** 9


@dataclass(frozen=True, slots=True)
class Correctable:
    """One field that may be corrected: what it is, in both languages, and how its value is read."""

    german: str
    english: str
    read: Callable[[str], object]


def _text(value: str) -> str:
    if len(value) > _LONGEST or any(ord(mark) < 32 for mark in value):
        raise ValueError(f"one line of at most {_LONGEST} characters")
    return tidy(value)


def _number(value: str) -> Decimal:
    """Read ``8.1``, and ``8,1`` as a German keyboard gives it."""
    cleaned = value.strip().removesuffix("%").strip()
    if cleaned.count(",") == 1 and "." not in cleaned:
        cleaned = cleaned.replace(",", ".")
    try:
        number = parse_decimal(cleaned)
    except ValueError:
        raise ValueError("a number such as 19.90") from None
    if not 0 <= number <= _LARGEST:
        raise ValueError(f"a number from 0 to {_LARGEST}")
    return number


def _quantity(value: str) -> Decimal:
    number = _number(value)
    if not number:
        raise ValueError("a quantity above 0")
    return number


def _rate(value: str) -> Decimal:
    number = _number(value)
    if number > 100:
        raise ValueError("a tax rate in percent, such as 19")
    return number


def _day(value: str) -> date | None:
    if not value.strip():
        return None
    try:
        return date.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("a date such as 2026-11-30") from None


def _days(value: str) -> int | None:
    cleaned = value.strip()
    if not cleaned:
        return None
    if not (cleaned.isascii() and cleaned.isdigit() and int(cleaned) <= 120):
        raise ValueError("a number of days from 0 to 120")
    return int(cleaned)


def _flag(value: str) -> bool:
    answers = {"yes": True, "ja": True, "true": True, "no": False, "nein": False, "false": False}
    if value.strip().casefold() not in answers:
        raise ValueError("yes or no")
    return answers[value.strip().casefold()]


def _kind(value: str) -> CustomerKind:
    if value.strip().casefold() not in tuple(CustomerKind):
        raise ValueError("b2b or b2c")
    return CustomerKind(value.strip().casefold())


def _language(value: str) -> str:
    if value.strip().casefold() not in ("de", "en", ""):
        raise ValueError("de or en")
    return value.strip().casefold()


def _vat_id(value: str) -> str:
    return compact_vat_id(_text(value))


_ADDRESS = {
    "name": Correctable("Name", "name", _text),
    "company": Correctable("Firma", "company", _text),
    "street": Correctable("Straße und Hausnummer", "street and house number", _text),
    "extra": Correctable("Adresszusatz", "address line 2", _text),
    "postcode": Correctable("Postleitzahl", "postcode", _text),
    "city": Correctable("Ort", "town", _text),
    "region": Correctable("Bundesland, Kanton", "region", _text),
    "country": Correctable("Land, zweistellig (DE)", "country, two letters (DE)", _text),
}
_LINE = {
    "name": Correctable("Bezeichnung", "description", _text),
    "sku": Correctable("Artikelnummer", "article number", _text),
    "quantity": Correctable("Menge", "quantity", _quantity),
    "unit_price": Correctable("Einzelpreis", "unit price", _number),
    "discount": Correctable("Rabatt der Position", "discount of the line", _number),
    "tax_rate": Correctable("Steuersatz in Prozent", "tax rate in percent", _rate),
    "tax_reason": Correctable("Grund der Steuerfreiheit", "why no tax is due", _text),
}
_CHARGE = {
    "amount": Correctable("Betrag", "amount", _number),
    "discount": Correctable("Rabatt", "discount", _number),
    "tax_rate": Correctable("Steuersatz in Prozent", "tax rate in percent", _rate),
}
_DISCOUNT = {
    "amount": Correctable("Betrag", "amount", _number),
    "tax_rate": Correctable("Steuersatz in Prozent", "tax rate in percent", _rate),
}

# The names as ``case correct`` takes them; N is the number of the position, from 1.
CORRECTABLE: Mapping[str, Correctable] = {
    **{f"billing.{part}": how for part, how in _ADDRESS.items()},
    **{f"shipping.{part}": how for part, how in _ADDRESS.items()},
    "buyer.name": Correctable("Name des Käufers", "buyer's name", _text),
    "buyer.company": Correctable("Firma des Käufers", "buyer's company", _text),
    "buyer.email": Correctable("E-Mail-Adresse", "e-mail address", _text),
    "buyer.phone": Correctable("Telefon", "phone", _text),
    "buyer.vat_id": Correctable("USt-IdNr. / UID", "VAT id", _vat_id),
    "buyer.kind": Correctable("Unternehmen oder Verbraucher", "business or consumer", _kind),
    "buyer.language": Correctable("Sprache der Belege", "language of documents", _language),
    **{f"lines.N.{part}": how for part, how in _LINE.items()},
    **{f"charges.N.{part}": how for part, how in _CHARGE.items()},
    **{f"discounts.N.{part}": how for part, how in _DISCOUNT.items()},
    "total": Correctable("Gesamtbetrag laut Shop", "the shop's total", _number),
    "net_total": Correctable("Nettobetrag laut Deal", "the deal's net total", _number),
    "total_tax": Correctable("Steuerbetrag laut Shop", "the shop's total tax", _number),
    "payment.due_date": Correctable("Fälligkeit laut Shop", "due date agreed in the shop", _day),
    "terms_days": Correctable("Zahlungsziel in Tagen", "payment terms in days", _days),
    "supply_date": Correctable("Leistungsdatum", "date of supply", _day),
    "deal_reference": Correctable("Bestellzeichen", "buyer's reference", _text),
    "cancelled": Correctable("Storniert", "cancelled", _flag),
    "test": Correctable("Testbestellung", "test order", _flag),
}
