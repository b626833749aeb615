"""How a notice is to be paid: the bank transfer and its QR code, for exactly the sum asked for."""

from __future__ import annotations

from documents.epc import transfer_payload
from domain.company import Company
from domain.dunning.notice import Notice


def code_payload(notice: Notice, company: Company) -> str | None:
    """Return the text of the EPC code, or ``None`` where there can be none (other than euros)."""
    return transfer_payload(
        name=company.name,
        iban=company.iban,
        bic=company.bic,
        amount=notice.payable,
        currency=notice.currency,
        text=notice.remittance,
    )


def has_code(notice: Notice, company: Company) -> bool:
    """Tell whether a QR code can be drawn for it."""
    return code_payload(notice, company) is not None
