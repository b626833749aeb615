"""Every word of the documents in both languages, in one place.

A label missing in one language, or misspelt where it is used, is a type error: that is why this is
no catalogue file. Braces are filled by ``str.format`` with ready-made text.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labels:
    """The words of an invoice."""

    invoice: str
    cancellation: str
    cancels: str
    sample: str
    sample_note: str
    page: str
    number: str
    cancellation_number: str
    issued: str
    order_no: str
    ordered: str
    customer_no: str
    supplied: str
    supply_month: str
    due: str
    paid: str
    your_vat_id: str
    your_reference: str
    our_deal: str
    ship_to: str
    position: str
    description: str
    quantity: str
    unit_net: str
    unit_gross: str
    tax_rate: str
    amount_net: str
    amount_gross: str
    article_no: str
    discount: str
    discount_for: str
    order_discount: str
    shipping: str
    fee: str
    carried: str
    carried_over: str
    positions: str
    net: str
    tax: str
    rounding: str
    total: str
    included: str
    share_net: str
    share_gross: str
    prepaid: str
    prepaid_on: str
    payable: str
    pay_title: str
    settled: str
    paid_in_full: str
    paid_in_full_by: str
    paid_part: str
    nothing_to_pay: str
    credited: str
    please_pay: str
    recipient: str
    reference: str
    scan: str
    scan_alt: str
    default_notice: str
    reverse_charge: str
    intra_community: str
    export: str
    vat_id: str
    tax_number: str
    managing_directors: str
    rounding_per_line: str
    rounding_unrounded: str
    phone: str
    amount: str
    received: str
    payment_reference: str
    still_open: str


GERMAN = Labels(
    invoice="Rechnung",
    cancellation="Stornorechnung",
    cancels="Diese Stornorechnung hebt die Rechnung {number} in voller Höhe auf.",
    sample="MUSTER",
    sample_note="Muster, keine Rechnung im Sinne des § 14 UStG",
    page="Seite {page} von {pages}",
    number="Rechnungsnummer",
    cancellation_number="Belegnummer",
    issued="Rechnungsdatum",
    order_no="Bestellnummer",
    ordered="Bestelldatum",
    customer_no="Kundennummer",
    supplied="Leistungsdatum",
    supply_month="Leistungsmonat",
    due="Zahlbar bis",
    paid="Bezahlt am",
    your_vat_id="Ihre USt-IdNr.",
    your_reference="Ihre Referenz",
    our_deal="Unser Auftrag",
    ship_to="Lieferanschrift",
    position="Pos.",
    description="Bezeichnung",
    quantity="Menge",
    unit_net="Einzelpreis netto",
    unit_gross="Einzelpreis",
    tax_rate="USt.",
    amount_net="Betrag netto {currency}",
    amount_gross="Betrag {currency}",
    article_no="Art.-Nr. {sku}",
    discount="abzüglich Rabatt {amount}",
    discount_for="abzüglich {reason} {amount}",
    order_discount="Rabatt",
    shipping="Versand",
    fee="Gebühr",
    carried="Zwischensumme",
    carried_over="Übertrag",
    positions="Summe der Positionen",
    net="Nettobetrag",
    tax="zzgl. {rate} USt. auf {net}",
    rounding="Rundung",
    total="Gesamtbetrag",
    included="Enthaltene Umsatzsteuer",
    share_net="Netto",
    share_gross="Brutto",
    prepaid="Bereits gezahlt",
    prepaid_on="Bereits gezahlt am {date}",
    payable="Zahlbetrag",
    pay_title="So bezahlen Sie",
    settled="Betrag dankend erhalten",
    paid_in_full="Bezahlt am {date}. Es ist nichts mehr zu zahlen.",
    paid_in_full_by="Bezahlt am {date} per {method}. Es ist nichts mehr zu zahlen.",
    paid_part="Ihre Zahlung über {amount} haben wir abgezogen.",
    nothing_to_pay="Es ist nichts zu zahlen.",
    credited="Es ist nichts zu zahlen; was Sie bezahlt haben, verrechnen oder erstatten wir.",
    please_pay="Bitte überweisen Sie {amount} ohne Abzug bis zum {date}.",
    recipient="Empfänger",
    reference="Verwendungszweck",
    scan="Mit der Banking-App\nscannen und bezahlen",
    scan_alt="QR-Code für die Überweisung: {amount} an {name}",
    default_notice=(
        "Sie kommen spätestens in Verzug, wenn Sie nicht innerhalb von 30 Tagen nach Fälligkeit "
        "und Zugang dieser Rechnung zahlen (§ 286 Abs. 3 BGB)."
    ),
    reverse_charge="Steuerschuldnerschaft des Leistungsempfängers.",
    intra_community="Steuerfreie innergemeinschaftliche Lieferung.",
    export="Steuerfreie Ausfuhrlieferung.",
    vat_id="USt-IdNr.",
    tax_number="Steuernummer",
    managing_directors="Geschäftsführung",
    rounding_per_line="Rundung (Shop rundet die Steuer je Position)",
    rounding_unrounded="Rundung (Shop rechnet mit ungerundeten Positionen)",
    phone="Telefon",
    amount="Betrag",
    received="Eingegangen am",
    payment_reference="Zahlungsreferenz",
    still_open="Noch offen",
)

ENGLISH = Labels(
    invoice="Invoice",
    cancellation="Cancellation invoice",
    cancels="This document cancels invoice {number} in full.",
    sample="SAMPLE",
    sample_note="Sample, not an invoice for VAT purposes",
    page="Page {page} of {pages}",
    number="Invoice number",
    cancellation_number="Document number",
    issued="Invoice date",
    order_no="Order number",
    ordered="Order date",
    customer_no="Customer number",
    supplied="Date of supply",
    supply_month="Month of supply",
    due="Due date",
    paid="Paid on",
    your_vat_id="Your VAT ID",
    your_reference="Your reference",
    our_deal="Our deal",
    ship_to="Delivery address",
    position="No.",
    description="Description",
    quantity="Quantity",
    unit_net="Unit price net",
    unit_gross="Unit price",
    tax_rate="VAT",
    amount_net="Amount net {currency}",
    amount_gross="Amount {currency}",
    article_no="Item no. {sku}",
    discount="less discount {amount}",
    discount_for="less {reason} {amount}",
    order_discount="Discount",
    shipping="Shipping",
    fee="Fee",
    carried="Subtotal",
    carried_over="Carried forward",
    positions="Sum of items",
    net="Net amount",
    tax="plus {rate} VAT on {net}",
    rounding="Rounding",
    total="Total",
    included="VAT included",
    share_net="Net",
    share_gross="Gross",
    prepaid="Already paid",
    prepaid_on="Already paid on {date}",
    payable="Amount due",
    pay_title="How to pay",
    settled="Received with thanks",
    paid_in_full="Paid on {date}. Nothing more to pay.",
    paid_in_full_by="Paid on {date} by {method}. Nothing more to pay.",
    paid_part="We have deducted your payment of {amount}.",
    nothing_to_pay="There is nothing to pay.",
    credited="There is nothing to pay; what you have paid will be set off or refunded.",
    please_pay="Please transfer {amount} without deduction by {date}.",
    recipient="Payee",
    reference="Reference",
    scan="Scan with your\nbanking app to pay",
    scan_alt="QR code for the bank transfer: {amount} to {name}",
    default_notice=(
        "You will be in default at the latest if you do not pay within 30 days of the due date and "
        "receipt of this invoice (section 286 (3) of the German Civil Code)."
    ),
    reverse_charge="Reverse charge: VAT to be accounted for by the recipient.",
    intra_community="VAT-exempt intra-Community supply of goods.",
    export="VAT-exempt export of goods.",
    vat_id="VAT ID",
    tax_number="Tax number",
    managing_directors="Managing directors",
    rounding_per_line="Rounding (shop rounds the tax of each item)",
    rounding_unrounded="Rounding (shop adds up unrounded items)",
    phone="Phone",
    amount="Amount",
    received="Received on",
    payment_reference="Payment reference",
    still_open="Still open",
)


def labels(language: str) -> Labels:
    """Return the words of ``de``; every other language reads English."""
    return GERMAN if language == "de" else ENGLISH
