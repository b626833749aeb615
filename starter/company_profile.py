"""Reads the company's profile as people write it, and says every wrong field at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError
from stdnum import iban

from domain.company import Company, PaymentTerms
from domain.errors import Problem, RefusedError
from domain.money import CURRENCIES
from domain.order import Address
from models.codec import load_company

ROLES = ("admin", "finance", "viewer")
_PARTS: Mapping[str, type] = {
    "address": Address,
    "terms_b2c": PaymentTerms,
    "terms_b2b": PaymentTerms,
}
_EXPECTED = {
    "missing": "a value",
    "string_type": "text (put numbers in quotes)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_parsing": "true or false",
    "decimal_parsing": "a decimal number such as 5000.00",
    "dict_type": "names with a value each",
    "dataclass_type": "fields of its own, indented",
}


def read_profile(document: Mapping[str, Any]) -> Company:
    """Return the company, or RefusedError that says every wrong field in plain words."""
    problems = list(_unknown(document))
    company = None
    try:
        company = load_company(document)
    except ValidationError as error:
        problems += [_problem(one) for one in error.errors()]
    if company:
        problems += _wrong(company)
    if problems or company is None:
        said = "; ".join(str(problem) for problem in problems)
        raise RefusedError(f"The company was not set: {said}.", tuple(problems))
    return company


def _unknown(document: Mapping[Any, Any]) -> Iterator[Problem]:
    """Find misspelt fields: their values would be lost without a word."""
    for where, kind in {"": Company, **_PARTS}.items():
        part = document.get(where) if where else document
        known = [one.name for one in fields(kind)]
        for name in part if isinstance(part, dict) else ():
            if name not in known:
                place = f"{where}.{name}" if where else str(name)
                yield Problem(place, f"one of the fields {', '.join(known)}", "another")


def _problem(error: Any) -> Problem:  # noqa: ANN401 - pydantic's own shape
    place = ".".join(str(part) for part in error["loc"]) or "the file"
    said = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    given = "" if error["type"] == "missing" else repr(error["input"])[:40]
    return Problem(place, _EXPECTED.get(error["type"], said), given or "nothing")


def _expectations(company: Company) -> tuple[tuple[str, object, object, str], ...]:
    """Return (field, what was found, whether it is right, what is expected)."""
    return (
        ("name", company.name, company.name.strip(), "the company's full name"),
        ("time_zone", company.time_zone, _is_zone(company.time_zone), "such as Europe/Berlin"),
        ("currency", company.currency, company.currency in CURRENCIES, "a code such as EUR"),
        ("iban", company.iban, iban.is_valid(company.iban), "an IBAN with right check digits"),
        ("email", company.email, _matches(r"[^@\s]+@[^@\s]+", company.email), "an e-mail address"),
        ("language", company.language, company.language in {"de", "en"}, "de or en"),
        (
            "vat_id",
            "neither",
            company.vat_id or company.tax_number,
            "a VAT id or a tax_number: invoices must bear one",
        ),
        (
            "invoice_series",
            company.invoice_series,
            _matches(r"[A-Z][A-Z0-9-]{0,11}", company.invoice_series),
            "1 to 12 capital letters, digits and dashes, such as RE",
        ),
        (
            "first_invoice_number",
            company.first_invoice_number,
            0 < company.first_invoice_number < 10**9,
            "a number from 1",
        ),
        (
            "approval_above",
            company.approval_above,
            company.approval_above is None or company.approval_above >= 0,
            "a sum of 0 or more",
        ),
        (
            "approval_days",
            company.approval_days,
            1 <= company.approval_days <= 60,
            "a number of days from 1 to 60",
        ),
        (
            "approval_escalation_days",
            company.approval_escalation_days,
            1 <= company.approval_escalation_days <= company.approval_days,
            "a number of days from 1 to approval_days",
        ),
    )


def _wrong(company: Company) -> Iterator[Problem]:
    """Check what a well-formed profile must mean."""
    for field, found, right, expected in _expectations(company):
        if not right:
            yield Problem(field, expected, str(found) or "nothing")
    for part in ("street", "postcode", "city", "country"):
        if not getattr(company.address, part).strip():
            yield Problem(f"address.{part}", "a value: invoices must bear it", "nothing")
    for user, role in company.users.items():
        if role not in ROLES:
            yield Problem(f"users.{user}", f"one of {', '.join(ROLES)}", role)


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _matches(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None
