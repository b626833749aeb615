"""What the demo does with each sample order, and how it should end: data, read by ``demo``.

``samples/orders/README.md`` says the same in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Correct:
    """Correct these fields once the case waits for it."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Decide:
    """Approve once the case waits for it, or reject with a reason."""

    reject: str = ""


@dataclass(frozen=True, slots=True)
class Pay:
    """Record these amounts once there is an invoice, each of them twice."""

    amounts: tuple[str, ...]
    currency: str = "EUR"


Act = Correct | Decide | Pay

INVOICE, CONFIRMATION, RESCUE = "invoice", "payment_confirmation", "payment_rescue"


@dataclass(frozen=True, slots=True)
class Story:
    """One sample order: what is done, the status it ends in, its total and the mails that go out.

    ``status`` is ``refused`` for what must leave no trace.
    """

    status: str
    total: str = ""
    mails: tuple[str, ...] = ()
    acts: tuple[Act, ...] = ()


REFUSED = "refused"

STORIES: Mapping[str, Story] = {
    # Paid afterwards: exactly, in two parts, too much.
    "zahltag-ok": Story("closed", "119.00", (INVOICE, CONFIRMATION), (Pay(("119.00",)),)),
    "woocommerce-ok": Story("closed", "73.90", (INVOICE, CONFIRMATION), (Pay(("50.00", "23.90")),)),
    "shopware-ok": Story("closed", "114.84", (INVOICE, CONFIRMATION), (Pay(("120.00",)),)),
    # Paid before: one mail, the invoice says that it is paid.
    "shopify-paid": Story("closed", "85.45", (INVOICE,)),
    "woocommerce-several-rates-shipping": Story("closed", "85.49", (INVOICE,)),
    "shopware-promotion": Story("closed", "97.20", (INVOICE,)),
    "zahltag-paid": Story("closed", "114.90", (INVOICE,)),
    # Not paid yet.
    "shopify-ok": Story("awaiting_payment", "64.70", (INVOICE,)),
    "shopify-b2b-net-discounts": Story("awaiting_payment", "289.41", (INVOICE,)),
    "shopify-chf": Story("awaiting_payment", "164.80", (INVOICE,)),
    "woocommerce-b2b-net-invoice": Story("awaiting_payment", "681.68", (INVOICE,)),
    "shopware-gross-three-rates": Story("awaiting_payment", "198.03", (INVOICE,)),
    "zahltag-gross-single-19-95": Story("awaiting_payment", "19.95", (INVOICE,)),
    "zahltag-60-lines": Story("awaiting_payment", "2550.90", (INVOICE,)),
    "zahltag-intra-community-at": Story("awaiting_payment", "1440.00", (INVOICE,)),
    # Won deals: waits for its money, and one that lacks an address and a tax rate.
    "crm-ok": Story("closed", "2796.50", (INVOICE, CONFIRMATION), (Pay(("2796.50",)),)),
    "crm-pipedrive": Story("awaiting_payment", "1764.00", (INVOICE,)),
    "crm-missing-fields": Story(
        "awaiting_payment",
        "1523.20",
        mails=(INVOICE,),
        acts=(
            Correct(
                {
                    "billing.street": "Schillerstraße 6",
                    "billing.postcode": "39576",
                    "lines.1.tax_rate": "19",
                }
            ),
        ),
    ),
    # Corrected by a person.
    "woocommerce-missing-address": Story(
        "awaiting_payment",
        mails=(INVOICE,),
        acts=(
            Correct(
                {
                    "billing.street": "Prager Straße 10",
                    "billing.postcode": "01069",
                    "shipping.street": "Prager Straße 10",
                    "shipping.postcode": "01069",
                }
            ),
        ),
    ),
    "zahltag-missing-tax-rate": Story(
        "awaiting_payment", mails=(INVOICE,), acts=(Correct({"lines.2.tax_rate": "19"}),)
    ),
    # A person is asked and has not answered.
    "zahltag-duplicate-of-ok": Story("needs_correction", "119.00"),
    "zahltag-total-off-by-a-cent": Story("needs_correction", "59.86"),
    "zahltag-test-order": Story("needs_correction"),
    # A person was asked and has decided.
    "zahltag-risk": Story("rejected", acts=(Decide(reject="the card is not the buyer's"),)),
    # The money failed to come, or was taken back.
    "zahltag-payment-failed": Story("payment_failed", mails=(RESCUE,)),
    "zahltag-chargeback": Story("payment_failed", mails=(RESCUE,)),
    "shopware-b2b-net-chargeback": Story("payment_failed", "754.22", (RESCUE,)),
    # Refused at the door.
    "crm-open-deal": Story(REFUSED),
    "crm-recurring": Story(REFUSED),
    "zahltag-bad-currency": Story(REFUSED),
    "zahltag-negative-quantity": Story(REFUSED),
}
