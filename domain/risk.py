"""What a person should look at before the goods leave (A5), and what the buyer asked for (A4).

Modest on purpose: a signal is a reason to look, never a verdict on a person. Nothing here is
learned from behaviour, and no one is refused automatically (art. 22 GDPR).
"""

from __future__ import annotations

import re
from decimal import Decimal

from domain.order import CustomerKind, Order, PaymentStatus

# Providers of throw-away mailboxes that shops see most; a list of all of them would never be one.
_DISPOSABLE = frozenset(
    """10minutemail.com byom.de discard.email einrot.com emailondeck.com fakeinbox.com
    getnada.com guerrillamail.com mailinator.com maildrop.cc mohmal.com muell.email sharklasers.com
    spoofmail.de temp-mail.org tempmail.com throwawaymail.com trash-mail.com trashmail.com
    trashmail.de wegwerfemail.de wegwerfmail.de yopmail.com""".split()  # noqa: SIM905
)
HIGH_GUEST_TOTAL = Decimal(1000)

_INSTRUCTIONS = {
    "neutral_packaging": r"neutral\w*\s+(?:verpack|versand|karton)|diskret|"
    r"neutral (?:packag|box)|plain (?:packag|box)|discreet",
    "gift": r"\bgeschenk|als präsent|\bgift|birthday present|grußkarte|greeting card",
    "delivery_date": r"liefertermin|wunschtermin|urlaub|nicht vor dem|not before|on holiday|"
    r"(?:liefer|zustell)\w*.{0,40}\b(?:bis|am|ab)\b|"
    r"deliver\w*.{0,40}\b(?:by|on|before|after)\b",
    "leave_with_neighbour": r"nachbar|neighbou?r|abstellgenehmigung|abstellort|"
    r"\b(?:vor der tür|garage|carport) (?:ab|hin)(?:stellen|legen)|leave (?:it|the parcel)",
    "vat_id_in_note": r"ust-?\s?id|umsatzsteuer-?id|uid-?(?:nr|nummer)|vat[\s-]?(?:id|no|number)|"
    r"\b(?:DE\s?\d{9}|ATU\s?\d{8}|CHE-?\d{3})",
    "separate_invoice": r"(?:separate|getrennte|eigene|abweichende)\w*\s+rechnung|"
    r"rechnung\s+(?:bitte\s+)?(?:getrennt|separat|an\s+(?:die\s+)?(?:firma|buchhaltung|zentrale))|"
    r"separate (?:invoice|bill)|(?:send the )?invoice (?:separately|to (?:our|the))",
}
_DETECTORS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in _INSTRUCTIONS.items()}


def risk_signals(order: Order) -> tuple[str, ...]:
    """Return reasons to look at the order, in plain words: the shop's own first, then ours.

    Ours are: billing and delivery in different countries; a throw-away mailbox; a guest (no
    customer account, no business) who wants goods for ``HIGH_GUEST_TOTAL`` or more on account.
    """
    signals = [*order.risk_signals]
    billing, shipping = order.billing.country, order.shipping.country
    if billing and shipping and billing != shipping:
        signals.append(f"billing and delivery country differ ({billing}, {shipping})")
    if order.buyer.email.rpartition("@")[2].casefold() in _DISPOSABLE:
        signals.append("the e-mail address is a throw-away mailbox")
    on_account = order.payment.status is PaymentStatus.LATER
    guest = not order.buyer.external_id and order.buyer.kind is CustomerKind.B2C
    if on_account and guest and order.total >= HIGH_GUEST_TOTAL:
        signals.append(f"a guest orders for {order.total} {order.currency} on account")
    return tuple(dict.fromkeys(signals))


def special_instructions(note: str) -> tuple[str, ...]:
    """Return what a buyer's note (Sonderhinweis) asks for, in German or English.

    Possible: ``neutral_packaging, gift, delivery_date, leave_with_neighbour, vat_id_in_note,
    separate_invoice``. A hint for the person who packs or invoices; the note stays the truth.
    """
    return tuple(name for name, detector in _DETECTORS.items() if detector.search(note))
