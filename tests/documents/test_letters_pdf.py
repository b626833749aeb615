"""The letter of a notice as the customer gets it, read back from the PDF."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from documents.notice_letter import render_notice_letter
from documents.notice_text import notice_text
from documents.transfer import code_payload
from domain.dunning.ladder import TEMPLATES
from domain.dunning.notice import AgreedPayment, Notice
from domain.order import Address, CustomerKind
from tests.documents.invoices import pages, text
from tests.documents.notices import COMPANY, recipient, sample_notice, some_lines

D = Decimal
MM = 72 / 25.4
LONG = Address(
    name="Dr. Dr. Maximilian-Alexander von Hohenstein-Weißenburg",
    company="Gesellschaft für außergewöhnlich lange Firmennamen und Beteiligungen mbH & Co. KG",
    street="Ludwig-van-Beethoven-Platz 123 a",
    extra="c/o Verwaltungsgebäude Nord, Hintereingang, 4. OG",
    postcode="1010",
    city="Wien",
    country="AT",
)


def pdf(notice: Notice, **company: Any) -> bytes:
    """Return the letter's bytes."""
    return render_notice_letter(notice, replace(COMPANY, **company)).pdf


def placed(content: bytes) -> list[tuple[str, float, float]]:
    """Return every piece of text of the first page with its place in mm from the top left."""
    found = list[tuple[str, float, float]]()
    page = PdfReader(BytesIO(content)).pages[0]
    height = float(page.mediabox.height)

    def visit(piece: str, matrix: Any, within: Any, *_: Any) -> None:
        if piece.strip():
            left = matrix[0] * within[4] + matrix[2] * within[5] + matrix[4]
            up = matrix[1] * within[4] + matrix[3] * within[5] + matrix[5]
            found.append((piece.strip(), left / MM, (height - up) / MM))

    page.extract_text(visitor_text=visit)
    return found


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_every_letter_says_what_its_mail_says(template: str, language: str) -> None:
    """One text for both: each paragraph stands on the letter, with invoices, sum and account."""
    notice = sample_notice(template, 3, recipient=recipient(language=language))
    found = text(pdf(notice))
    said = notice_text(notice, COMPANY, letter=True)
    german = language == "de"

    for paragraph in said.paragraphs:
        for line in paragraph:
            if line.isprintable():
                whole = line.replace("\u00a0", " ")
                assert "".join(whole.split()) in "".join(found.split())
    for words in (
        "Muster Handels GmbH · Musterstraße 12 · 10115 Berlin",
        "Katharina Brandt Adenauerallee 112 53113 Bonn",
        "RE-2026-00001 02.09.2026 16.09.2026 0 119,00" if german else "RE-2026-00001 2 Sept 2026",
        "387,00 €" if german else "€387.00",
        "DE89 3704 0044 0532 0130 00",
        "RE-2026-00001 RE-2026-00002 RE-2026-00003 K-10023",
        "M-2026-00017",
        "Zahlbar bis 03.12.2026" if german else "Payable by 3 December 2026",
        "Amtsgericht Charlottenburg, HRB 123456 B",
        "Seite 1 von 1" if german else "Page 1 of 1",
    ):
        assert words in found
    assert "antworten sie einfach" not in found.lower()


@pytest.mark.parametrize("address", [recipient().address, LONG], ids=["short", "long"])
@pytest.mark.parametrize("registered", [True, False])
def test_the_address_stands_in_the_window(address: Address, *, registered: bool) -> None:
    """DIN 5008 form B: the window is 85 x 45 mm, from 20 mm left and 45 mm top."""
    who = recipient(address=address, name=address.company or address.name)
    found = placed(pdf(sample_notice(recipient=who, registered_mail=registered)))

    def of(words: str) -> tuple[float, float]:
        return next((x, y) for piece, x, y in found if words in piece)

    sender = of("Muster Handels GmbH ·")
    name, city = of(address.name[:12]), of(address.city)
    assert 20 < sender[0] < 30
    assert 45 < sender[1] < 62.7
    for x, y in (name, city):
        assert 20 < x < 30
        assert 62.7 < y < 90
    below = [y for piece, _, y in found if "Guten Tag" in piece]
    assert below[0] > 98.5
    if registered:
        marked = of("Einschreiben")
        assert sender[1] < marked[1] < 62.7
    else:
        assert not any("Einschreiben" in piece for piece, _, _ in found)
    assert of("Datum")[0] == pytest.approx(125, abs=0.5)


def test_abroad_the_post_reads_more_languages() -> None:
    """And the country in capitals, last."""
    found = text(pdf(sample_notice(recipient=recipient(address=LONG), registered_mail=True)))

    assert "Einschreiben / Recommandé / Registered" in found
    assert "1010 Wien ÖSTERREICH" in found


def test_sixty_invoices_take_several_pages_and_one_sum() -> None:
    """The heading of the table again, the sum carried over, the last row with the sum."""
    letter = render_notice_letter(sample_notice("final_notice", 60), COMPANY)
    found = pages(letter.pdf)

    assert letter.pages == len(found) == 3
    assert [page.count("Rechnungsdatum") for page in found] == [1, 1, 0]
    assert [page.count("Offener Gesamtbetrag") for page in found] == [0, 1, 0]
    assert "Zwischensumme" in found[0]
    assert "Übertrag" in found[1]
    total = found[1].index("Offener Gesamtbetrag")
    assert found[1].index("RE-2026-00060") < total
    assert "24.840,00 €" in found[1][total:]
    assert "So bezahlen Sie" in found[2]
    assert "letztmalig" in found[2]
    assert all(f"Seite {number} von 3" in page for number, page in enumerate(found, 1))


@pytest.mark.parametrize("count", range(10, 30, 3))
def test_neither_sum_nor_greeting_nor_request_stands_alone(count: int) -> None:
    """Wherever the page ends."""
    found = pages(pdf(sample_notice("first_notice", count)))

    for page in found:
        assert ("Offener Gesamtbetrag" in page) <= ("RE-2026-" in page.split("Offener")[0])
        assert ("Wir bitten Sie" in page) == ("So bezahlen Sie" in page)
        assert ("Freundliche Grüße" in page) <= ("Sind Sie mit der Forderung" in page)


def test_the_code_asks_for_exactly_the_sum() -> None:
    """In an agreement the sum agreed; other currencies have no code, and none is promised."""
    agreed = (AgreedPayment(date(2026, 11, 16), D("50.25")),)
    instalment = sample_notice("instalment_reminder", 3, agreed=agreed)
    francs = sample_notice(lines=some_lines(currency="CHF"))

    assert "\nEUR387.00\n" in (code_payload(sample_notice(count=3), COMPANY) or "")
    assert "\nEUR50.25\n" in (code_payload(instalment, COMPANY) or "")
    assert (code_payload(sample_notice(), COMPANY) or "").endswith("\nRE-2026-00001 K-10023")
    assert code_payload(francs, COMPANY) is None
    assert "QR-Code" not in text(pdf(francs))
    assert "119,00 CHF" in text(pdf(francs))


def test_only_samples_are_marked() -> None:
    """A real company's letter bears no mark."""
    assert "MUSTER" in text(pdf(sample_notice()))
    assert "Muster, keine Zahlungsaufforderung" in text(pdf(sample_notice()))
    assert "MUSTER" not in text(pdf(sample_notice(), sample=False))
    assert "keine Zahlungsaufforderung" not in text(pdf(sample_notice(), sample=False))


def test_the_spool_gets_the_lines_of_the_window() -> None:
    """Without marks for line breaks."""
    who = recipient(address=replace(LONG, street="W" * 60), kind=CustomerKind.B2B)
    letter = render_notice_letter(sample_notice(recipient=who), COMPANY)

    assert letter.recipient[-2:] == ("1010 Wien", "ÖSTERREICH")
    assert "W" * 60 in letter.recipient
    assert (letter.pages, letter.country) == (1, "AT")


@pytest.mark.parametrize(
    "value",
    [
        '#panic("x") *b* $x$ `raw` <l> @ref',
        "W" * 500,
        "a\x00b\r\nc\x1b[31m",
        "漢字 שלום 🎉",
        " ",
        "",
    ],
)
def test_any_text_makes_a_letter_of_few_pages(value: str) -> None:
    """What comes from outside is text, and what the font lacks stops no letter."""
    address = Address(value, value, value, value, value, value, "", "DE")
    who = recipient(name=value, customer_no=value, address=address)
    notice = sample_notice(recipient=who, reference=value, lines=some_lines(3, invoice_no=value))
    letter = render_notice_letter(notice, COMPANY)

    assert 1 <= letter.pages <= 3
    assert "Offener Gesamtbetrag" in text(letter.pdf)


def test_the_same_notice_has_the_same_bytes_in_every_thread() -> None:
    """So that a letter made anew after a crash is the same letter."""
    notices = [sample_notice(count=count) for count in (1, 2, 3)]
    first = [pdf(notice) for notice in notices]

    with ThreadPoolExecutor(3) as threads:
        again = list(threads.map(pdf, notices * 2))
    assert again == first * 2


def test_the_file_is_a_tagged_pdf_a_with_title_and_language() -> None:
    """Archivable and accessible."""
    reader = PdfReader(BytesIO(pdf(sample_notice(recipient=recipient(language="en")))))
    metadata = reader.root_object["/Metadata"].get_object().get_data().decode()

    assert reader.root_object["/Lang"] == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == "Payment reminder"
    assert "<pdfaid:part>3</pdfaid:part>" in metadata
