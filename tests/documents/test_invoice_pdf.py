"""The invoice as the customer gets it, read back from the PDF."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from documents.invoice import render_invoice
from domain.company import SupplyDatePolicy
from domain.invoice import Invoice, RoundingMethod
from domain.invoicing import build_cancellation
from domain.order import OrderDiscount
from tests.documents.invoices import COMPANY, pages, sample_invoice, sample_order, text
from tests.domain.orders import BONN, line


def test_every_mandatory_field_of_par_14_stands_on_a_gross_invoice() -> None:
    """R20, field by field; the consumer reads gross prices and finds net and tax beside them."""
    found = text(render_invoice(sample_invoice()))

    for words in (
        "Muster Handels GmbH · Musterstraße 12 · 10115 Berlin",
        "Katharina Brandt Adenauerallee 112 53113 Bonn",
        "USt-IdNr. DE123456788",
        "Steuernummer 12/345/67890",
        "Rechnungsdatum 22.11.2026",
        "Rechnung RE-2026-00042",
        "Bestellnummer ZT-1",
        "Kundennummer K-10023",
        "Leistungsdatum 16.11.2026",
        "Kaffeebohnen Sorte 1",
        "Art.-Nr. KB-1",
        "abzüglich Mengenrabatt 1,50",
        "DHL Paket (19 %)",
        "Gutschein HERBST (7 %)",
        "Enthaltene Umsatzsteuer",
        "Amtsgericht Charlottenburg, HRB 123456 B",
        "Geschäftsführung Maria Muster",
        "ohne Abzug bis zum 06.12.2026",
        "§ 286 Abs. 3 BGB",
        "Seite 1 von 1",
    ):
        assert words in found


def test_net_per_rate_and_tax_are_printed_to_the_cent() -> None:
    """What stands on paper is what stands in the value."""
    invoice = sample_invoice()
    found = text(render_invoice(invoice))

    for tax in invoice.taxes:
        figures = (tax.taxable, tax.tax, tax.taxable + tax.tax)
        printed = " ".join(f"{figure:.2f}".replace(".", ",") for figure in figures)
        assert f"{tax.rate} % {printed}" in found
    charged = f"{invoice.totals.charged:.2f}".replace(".", ",")
    assert f"Gesamtbetrag {charged} €" in found


def test_a_business_reads_net_prices_and_the_tax_added() -> None:
    """With its VAT id, its reference, and no notice for consumers."""
    order = sample_order(net=True, deal_reference="PO 4500-88231")
    found = text(render_invoice(sample_invoice(order)))

    for words in (
        "Brandt & Söhne KG Katharina Brandt",
        "Betrag netto EUR",
        "Nettobetrag",
        "zzgl. 19 % USt. auf",
        "zzgl. 7 % USt. auf",
        "Ihre USt-IdNr. DE136695976",
        "Ihre Referenz PO 4500-88231",
    ):
        assert words in found
    assert "§ 286" not in found
    assert "Enthaltene" not in found


def test_a_won_deal_is_named_on_its_invoice() -> None:
    """Its number and name once (BT-14), beside the buyer's own order number (BT-13)."""
    order = sample_order(net=True, deal="9605180927 Regalanlage Nord", deal_reference="EK-118")
    order = replace(order, order_no="9605180927")
    found = text(render_invoice(sample_invoice(order)))

    assert "Unser Auftrag 9605180927 Regalanlage Nord" in found
    assert "Ihre Referenz EK-118" in found
    assert "Bestellnummer" not in found


def test_english_in_full() -> None:
    """No German word is left over, but the names of things."""
    order = sample_order(billing=replace(BONN, country="GB"), shipping=replace(BONN, street="X 1"))
    found = text(render_invoice(sample_invoice(order, language="en")))

    for words in (
        "Invoice RE-2026-00042",
        "Invoice date 22 November 2026",
        "Date of supply 16 November 2026",
        "Due date 6 December 2026",
        "Delivery address: Katharina Brandt, X 1, 53113 Bonn",
        "UNITED KINGDOM",
        "Item no. KB-1",
        "VAT included",
        "Please transfer €",
        "Page 1 of 1",
        "SAMPLE",
    ):
        assert words in found
    for word in ("Rechnung", "Betrag", "Seite", "USt.", "Umsatzsteuer", "Bestell", "Zahl"):
        assert word not in found


@pytest.mark.parametrize(("count", "least", "most"), [(1, 1, 1), (12, 1, 2), (60, 3, 5)])
def test_page_breaks_repeat_the_head_and_carry_the_sum(count: int, least: int, most: int) -> None:
    """Sums never stand alone: a page with the total has a line and the head of the table."""
    found = pages(render_invoice(sample_invoice(sample_order(count))))

    assert least <= len(found) <= most
    for number, page in enumerate(found, 1):
        assert f"Seite {number} von {len(found)}" in page
        has_lines = "Kaffeebohnen" in page
        assert ("Bezeichnung" in page) == has_lines
        assert ("Zwischensumme" in page) == (number < len(found) and has_lines)
        assert ("Übertrag" in page) == (number > 1 and has_lines)
        if "Gesamtbetrag" in page:
            assert has_lines
    assert sum(page.count("Kaffeebohnen") for page in found) == count


@pytest.mark.parametrize("count", range(9, 16))
def test_the_total_always_has_a_line_above_it(count: int) -> None:
    """Wherever the page happens to break."""
    found = pages(render_invoice(sample_invoice(sample_order(count, net=True))))

    (with_total,) = [page for page in found if "Gesamtbetrag" in page]
    assert f"Kaffeebohnen Sorte {count}\n" in with_total
    assert "Nettobetrag" in with_total


def test_a_paid_invoice_says_so_and_asks_for_nothing() -> None:
    """No QR code, no bank transfer, no notice of default."""
    paid = sample_invoice(prepaid=Decimal(1000), paid_on=date(2026, 11, 20))
    found = text(render_invoice(paid))

    assert "Betrag dankend erhalten" in found
    assert "Bezahlt am 20.11.2026 per PayPal. Es ist nichts mehr zu zahlen." in found
    assert "Zahlbetrag 0,00 €" in found
    assert "Leistungsdatum 20.11.2026" in found
    for words in ("Bitte überweisen", "Verwendungszweck", "§ 286", "Zahlbar bis"):
        assert words not in found


def test_a_part_payment_is_deducted_and_the_rest_asked_for() -> None:
    """BT-113 is thanked for, BT-115 is due."""
    found = text(render_invoice(sample_invoice(prepaid=Decimal("10.00"))))

    assert "Ihre Zahlung über 10,00 € haben wir abgezogen." in found
    assert "Bereits gezahlt −10,00" in found


def test_an_invoice_of_nothing_asks_for_nothing() -> None:
    """A voucher paid for all of it."""
    order = sample_order(discounts=(OrderDiscount("Gutschein", Decimal("119.1")),))
    order = replace(order, lines=(line(unit_price=Decimal("114.2")),))
    found = text(render_invoice(sample_invoice(order)))

    assert "Es ist nichts zu zahlen." in found
    assert "Bitte überweisen" not in found


def test_the_rounding_amount_is_printed_with_its_cause() -> None:
    """BT-114 is never a silent cent."""
    gross = sample_order(lines=(line(unit_price=Decimal("19.95")),), charges=(), discounts=())
    shop = sample_order(
        net=True,
        lines=(line(unit_price=Decimal("0.66")),) * 3,
        charges=(),
        discounts=(),
    )
    by_line = sample_invoice(replace(shop, total=Decimal("2.37")))

    assert "Rundung 0,01" in text(render_invoice(sample_invoice(gross)))
    assert by_line.rounding_method is RoundingMethod.TAX_PER_LINE
    printed = text(render_invoice(by_line))
    assert "Rundung (Shop rundet die Steuer je Position) 0,01" in printed
    assert "Gesamtbetrag 2,37 €" in printed


def test_the_month_of_supply_suffices() -> None:
    """Par. 31 (4) UStDV, where the company says so."""
    company = replace(COMPANY, supply_date_policy=SupplyDatePolicy.INVOICE_MONTH)

    assert "Leistungsmonat November 2026" in text(render_invoice(sample_invoice(company=company)))


def test_why_no_tax_is_due_is_said_in_words() -> None:
    """R20 no. 8 and R21: the statutory words, or those of the person who confirmed it."""
    for reason, words in (
        ("reverse charge", "Steuerschuldnerschaft des Leistungsempfängers."),
        ("§ 4 Nr. 14 UStG: Heilbehandlung", "§ 4 Nr. 14 UStG: Heilbehandlung"),
    ):
        lines = (line(tax_rate=Decimal(0), tax_reason=reason),)
        order = sample_order(net=True, lines=lines, charges=(), discounts=())
        assert words in text(render_invoice(sample_invoice(order)))


def test_swiss_and_austrian_readers_find_their_own_numbers() -> None:
    """de_CH and de_AT write sums in their own way; francs have no EPC code."""
    lines = (line(unit_price=Decimal("12345.50")),)
    swiss = sample_order(lines=lines, currency="CHF", billing=replace(BONN, country="CH"))
    austrian = sample_order(lines=lines, billing=replace(BONN, country="AT"))

    assert "CHF 12’348.40" in text(render_invoice(sample_invoice(swiss)))
    assert "€ 12.348,40" in text(render_invoice(sample_invoice(austrian)))
    assert "SCHWEIZ" in text(render_invoice(sample_invoice(swiss)))


def test_a_cancellation_names_the_invoice_it_takes_back() -> None:
    """It is a Stornorechnung, never a "Gutschrift", and asks for nothing."""
    cancelled = build_cancellation(sample_invoice(), "RE-2026-00043", date(2026, 12, 1))
    found = text(render_invoice(cancelled))

    assert "Stornorechnung RE-2026-00043" in found
    assert "hebt die Rechnung RE-2026-00042 in voller Höhe auf" in found
    assert "−" in found
    for words in ("Gutschrift", "gutgeschrieben", "Bitte überweisen", "Zahlbar bis"):
        assert words not in found


def test_only_samples_are_marked() -> None:
    """A real company's invoice bears no mark."""
    real = sample_invoice(company=replace(COMPANY, sample=False))

    assert "MUSTER" in text(render_invoice(sample_invoice()))
    assert "MUSTER" not in text(render_invoice(real))
    assert "Muster, keine Rechnung" not in text(render_invoice(real))


def test_the_file_is_a_tagged_pdf_a_with_title_and_language() -> None:
    """Archivable and accessible: PDF/A-3a and PDF/UA-1 as the metadata claims."""
    reader = PdfReader(BytesIO(render_invoice(sample_invoice())))
    metadata = reader.root_object["/Metadata"].get_object().get_data().decode()

    assert reader.root_object["/Lang"] == "de"
    assert reader.root_object["/MarkInfo"]["/Marked"]
    assert reader.metadata is not None
    assert reader.metadata.title == "Rechnung RE-2026-00042"
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata


def test_the_same_invoice_has_the_same_bytes_in_every_thread() -> None:
    """Same bytes for ever; compilers are never shared between threads."""
    invoices: list[Invoice] = [sample_invoice(sample_order(count)) for count in (1, 2, 3)]
    first = [render_invoice(invoice) for invoice in invoices]

    with ThreadPoolExecutor(4) as threads:
        again = list(threads.map(render_invoice, invoices * 4))
    assert again == first * 4
    assert len(set(first)) == 3
