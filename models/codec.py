"""Domain values as JSON for the database, and back: validated both ways."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from domain.company import Company
from domain.invoice import Invoice
from domain.order import Address, Order

Json = dict[str, Any]

_ORDER: TypeAdapter[Order] = TypeAdapter(Order)
_INVOICE: TypeAdapter[Invoice] = TypeAdapter(Invoice)
_COMPANY: TypeAdapter[Company] = TypeAdapter(Company)
_ADDRESS: TypeAdapter[Address] = TypeAdapter(Address)


def dump_order(order: Order) -> Json:
    """Return the order as JSON values."""
    value: Json = _ORDER.dump_python(order, mode="json")
    return value


def order_json(order: Order) -> str:
    """Return the order as JSON text: what ``dump_order`` returns, written out."""
    return _ORDER.dump_json(order).decode()


def load_order(value: Json) -> Order:
    """Read an order back."""
    return _ORDER.validate_python(value)


def read_order(text: str) -> Order:
    """Read an order as the database has it."""
    return _ORDER.validate_json(text)


def dump_invoice(invoice: Invoice) -> Json:
    """Return the invoice as JSON values."""
    value: Json = _INVOICE.dump_python(invoice, mode="json")
    return value


def load_invoice(value: Json) -> Invoice:
    """Read an invoice back."""
    return _INVOICE.validate_python(value)


def read_invoice(text: str) -> Invoice:
    """Read an invoice as the database has it."""
    return _INVOICE.validate_json(text)


def dump_company(company: Company) -> Json:
    """Return the company's profile as JSON values."""
    value: Json = _COMPANY.dump_python(company, mode="json")
    return value


def load_company(value: Any) -> Company:  # noqa: ANN401 - unchecked input is the point
    """Read a company's profile; pydantic's ValidationError lists every wrong field."""
    return _COMPANY.validate_python(value)


@lru_cache(maxsize=4)
def read_company(text: str) -> Company:
    """Read a company's profile as the database has it: the same text is read once."""
    return _COMPANY.validate_json(text)


def load_address(value: Json) -> Address:
    """Read an address back."""
    return _ADDRESS.validate_python(value)


def dump_address(address: Address) -> Json:
    """Return the address as JSON values."""
    value: Json = _ADDRESS.dump_python(address, mode="json")
    return value


def digest(value: Json) -> str:
    """Return the sha256 of the canonical JSON of a value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
