"""The settings of a CRM channel, as people write them: strict, every wrong field named at once.

They say which vendor it is, what its tax keys mean (A9), what stands in for gaps (A11), which of
its custom fields mean what (A12), and where we write what became of the deal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from domain.countries import CODES
from domain.errors import Problem, RefusedError
from domain.money import CURRENCIES, parse_decimal

HUBSPOT, PIPEDRIVE = "hubspot", "pipedrive"
VENDORS = (HUBSPOT, PIPEDRIVE)
API_URLS = {HUBSPOT: "https://api.hubapi.com", PIPEDRIVE: "https://api.pipedrive.com"}
# What a deal does not say by a field of the vendor's own is read from these custom fields.
READS = ("vat_id", "purchase_order", "terms_days", "supply_date")
WRITES = ("invoice_no", "status", "due_date", "paid_on")
_DEFAULT_READS = {
    HUBSPOT: {
        "vat_id": "vat_id",
        "purchase_order": "purchase_order_number",
        "terms_days": "payment_terms_days",
        "supply_date": "supply_date",
    },
    PIPEDRIVE: {},
}
# Pipedrive's custom fields have keys that Pipedrive makes up: there can be no default.
_DEFAULT_WRITES = {
    HUBSPOT: {
        "invoice_no": "zahltag_invoice_no",
        "status": "zahltag_invoice_status",
        "due_date": "zahltag_due_date",
        "paid_on": "zahltag_paid_on",
    },
    PIPEDRIVE: {},
}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class CrmSettings:
    """The settings of one channel. ``vendor`` is ``""`` until one is set.

    ``tax_rates`` gives the rate (percent) of a tax key of HubSpot, ``owners`` our user for an
    owner's id. ``won_stages`` are HubSpot's stages that count as won; none: what HubSpot itself
    calls closed and won. ``reads`` and ``writes`` name custom fields; one that is not named is
    not read or not written. ``webhook_url`` is set where the CRM calls another address than ours.
    """

    vendor: str = ""
    api_url: str = ""
    tax_rates: Mapping[str, Decimal] = field(default_factory=dict)
    default_tax_rate: Decimal | None = None
    default_country: str = ""
    default_currency: str = ""
    owners: Mapping[str, str] = field(default_factory=dict)
    won_stages: tuple[str, ...] = ()
    reads: Mapping[str, str] = field(default_factory=dict)
    writes: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str = ""
    webhook_user: str = "zahltag"

    def dump(self) -> dict[str, Any]:
        """Return the settings as ``read_settings`` takes them."""
        if not self.vendor:
            return {}
        found: dict[str, Any] = {
            "vendor": self.vendor,
            "api_url": self.api_url,
            "tax_rates": {key: f"{rate:f}" for key, rate in self.tax_rates.items()},
            "default_tax_rate": None
            if self.default_tax_rate is None
            else f"{self.default_tax_rate:f}",
            "default_country": self.default_country,
            "default_currency": self.default_currency,
            "owners": dict(self.owners),
            "won_stages": list(self.won_stages),
            "reads": dict(self.reads),
            "writes": dict(self.writes),
            "webhook_url": self.webhook_url,
            "webhook_user": self.webhook_user,
        }
        return {key: value for key, value in found.items() if value not in (None, "")}


def defaults(vendor: str) -> CrmSettings:
    """Return what holds for a vendor where nothing is set."""
    return CrmSettings(
        vendor=vendor,
        api_url=API_URLS[vendor],
        reads=_DEFAULT_READS[vendor],
        writes=_DEFAULT_WRITES[vendor],
    )


def read_settings(document: object) -> CrmSettings:
    """Return the settings; RefusedError names every wrong field."""
    if not isinstance(document, Mapping):
        raise RefusedError(
            "The settings of a CRM channel are fields with values, beginning vendor."
        )
    if not document:
        return CrmSettings()
    vendor = document.get("vendor")
    if vendor not in VENDORS:
        expected = f"one of {', '.join(VENDORS)}"
        raise RefusedError(
            f"The settings name no vendor that is known; expected {expected}.",
            (Problem("vendor", expected, str(vendor or "nothing")[:40]),),
        )
    values, problems = {}, []
    for name, given in document.items():
        if name == "vendor" or given is None:
            continue
        if name not in _FIELDS:
            known = ", ".join(("vendor", *_FIELDS))
            problems.append(Problem(str(name)[:60], f"one of the fields {known}", "another"))
            continue
        try:
            values[name] = _FIELDS[name](given)
        except ValueError as error:
            problems.append(Problem(name, str(error), repr(given)[:60]))
    if problems:
        said = "; ".join(str(problem) for problem in problems)
        raise RefusedError(f"The settings were not taken: {said}.", tuple(problems))
    base = defaults(str(vendor))
    start = {name: getattr(base, name) for name in ("vendor", "api_url", "reads", "writes")}
    return CrmSettings(**{**start, **values})


def _url(value: object) -> str:
    """Take an address to which a token may be sent: https, or plain http on this machine."""
    address = urlsplit(value) if isinstance(value, str) else urlsplit("")
    safe = address.scheme == "https" or (address.scheme == "http" and address.hostname in _LOOPBACK)
    extra = address.query or address.fragment or address.username or address.password
    if not safe or not address.hostname or extra:
        raise ValueError("an https address such as https://api.hubapi.com")
    return str(value).rstrip("/")


def _rate(value: object) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,2}(\.\d{1,3})?", value):
        raise ValueError('a tax rate in percent, in quotes, such as "19"')
    return parse_decimal(value)


def _texts(value: object, read: Callable[[object], Any]) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > 500:
        raise ValueError("names with a value each")
    found = {}
    for key, one in value.items():
        if not isinstance(key, str) or not 0 < len(key) <= 100 or not key.isprintable():
            raise ValueError("names in quotes, each with a value")
        found[key] = read(one)
    return found


def _word(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 100 or not value.isprintable():
        raise ValueError("text of 1 to 100 characters")
    return value


def _custom_fields(known: tuple[str, ...]) -> Callable[[object], dict[str, str]]:
    def name(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_]{1,100}", value):
            raise ValueError("internal names of fields: letters, digits and underscores")
        return value

    def read(value: object) -> dict[str, str]:
        found = _texts(value, name)
        if unknown := sorted(set(found) - set(known)):
            raise ValueError(f"fields for {', '.join(known)}, not for {', '.join(unknown)}")
        return found

    return read


def _country(value: object) -> str:
    if not isinstance(value, str) or value not in CODES:
        raise ValueError("a country as two letters such as DE")
    return value


def _currency(value: object) -> str:
    if not isinstance(value, str) or value not in CURRENCIES:
        raise ValueError("a currency such as EUR")
    return value


def _list(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > 100:
        raise ValueError("a list of texts (put numbers in quotes)")
    return tuple(_word(one) for one in value)


_FIELDS: Mapping[str, Callable[[object], Any]] = {
    "api_url": _url,
    "tax_rates": lambda value: _texts(value, _rate),
    "default_tax_rate": _rate,
    "default_country": _country,
    "default_currency": _currency,
    "owners": lambda value: _texts(value, _word),
    "won_stages": _list,
    "reads": _custom_fields(READS),
    "writes": _custom_fields(WRITES),
    "webhook_url": _url,
    "webhook_user": _word,
}
