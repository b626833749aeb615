"""The mails: both languages, both forms, nothing that a customer's name could break."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from jinja2.sandbox import SecurityError

import documents
from documents import mails
from documents.mails import (
    Attachment,
    CancellationMail,
    DueDateChangedMail,
    InvoiceMail,
    MailContext,
    PaymentConfirmationMail,
    PaymentRescueMail,
    Reader,
    build_message,
    render_mail,
)
from tests.documents.invoices import COMPANY, sample_invoice, sample_order
from tests.domain.orders import BONN

D = Decimal
READER = Reader("Erika Mustermann", "de", "DE")
SENT = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def contexts(reader: Reader = READER) -> list[MailContext]:
    """Return one of every kind and variant."""
    language = {"language": reader.language}
    return [
        InvoiceMail(COMPANY, sample_invoice(**language)),
        InvoiceMail(COMPANY, sample_invoice(prepaid=D(10), **language)),
        InvoiceMail(
            COMPANY, sample_invoice(prepaid=D(1000), paid_on=date(2026, 11, 20), **language)
        ),
        PaymentConfirmationMail(
            COMPANY, reader, "RE-1", "#7", D(100), "EUR", date(2026, 11, 30), "TX-9"
        ),
        PaymentConfirmationMail(
            COMPANY, reader, "RE-1", "#7", D(100), "EUR", date(2026, 11, 30), still_open=D(19)
        ),
        PaymentConfirmationMail(
            COMPANY, reader, "RE-1", "#7", D(100), "EUR", date(2026, 11, 30), surplus=D(5)
        ),
        PaymentRescueMail(COMPANY, reader, "#7", D(119), "EUR"),
        DueDateChangedMail(
            COMPANY, reader, "RE-1", "#7", D(119), "EUR", date(2026, 12, 6), date(2026, 12, 20)
        ),
        CancellationMail(COMPANY, reader, "#7", "EUR", "RE-1", "RE-2", D(119)),
        CancellationMail(COMPANY, reader, "#7", "EUR"),
    ]


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("index", range(10))
def test_every_mail_is_whole_in_both_forms_and_languages(language: str, index: int) -> None:
    """One subject line, a salutation, the company's particulars; no placeholder, no link."""
    mail = render_mail(contexts(replace(READER, language=language))[index])

    assert "\n" not in mail.subject
    for body in (mail.text, mail.html):
        assert COMPANY.register_entry in body
        assert COMPANY.email in body
        for rest in ("{{", "{%", "None", "\x01", "http", "href"):
            assert rest not in body
    greeting = "Guten Tag" if language == "de" else "Hello"
    assert mail.text.startswith(greeting)
    assert f'lang="{language}"' in mail.html


def test_an_open_invoice_says_how_much_until_when_and_where_to() -> None:
    """Everything a transfer needs, in text and in HTML."""
    mail = render_mail(InvoiceMail(COMPANY, sample_invoice()))
    amount = f"{sample_invoice().totals.payable:.2f}".replace(".", ",")

    assert mail.subject == "Ihre Rechnung RE-2026-00042 zur Bestellung ZT-1"
    for body in (mail.text, mail.html):
        plain = body.replace("\u00a0", " ")
        for words in (
            f"{amount} €",
            "06.12.2026",
            "DE89 3704 0044 0532 0130 00",
            "RE-2026-00042 ZT-1",
            "QR-Code",
        ):
            assert words in plain


def test_the_mail_of_a_prepaid_order_confirms_the_payment() -> None:
    """G4: date, amount, references; no request for money."""
    paid = sample_invoice(prepaid=D(1000), paid_on=date(2026, 11, 20))
    mail = render_mail(InvoiceMail(COMPANY, paid))

    assert mail.kind == "invoice"
    assert mail.subject.startswith("Zahlung erhalten")
    assert "20.11.2026" in mail.text
    assert "vollständig bezahlt" in mail.text
    assert "IBAN" not in mail.text


def test_a_code_that_is_not_there_is_not_promised() -> None:
    """Francs have no EPC code."""
    mail = render_mail(InvoiceMail(COMPANY, sample_invoice(sample_order(currency="CHF"))))

    assert "QR" not in mail.text


def test_a_part_payment_is_thanked_for_and_the_rest_named() -> None:
    """Paid in full is only said where it is."""
    whole, part, more = (render_mail(context).text for context in contexts()[3:6])

    assert "vollständig bezahlt. Es ist nichts mehr zu tun" in whole
    assert "TX-9" in whole
    assert "noch 19,00" in part
    assert "vollständig" not in part
    assert "5,00" in more


def test_the_rescue_is_friendly_and_offers_the_transfer() -> None:
    """C6: amount, account, the order number as the reference."""
    mail = render_mail(contexts()[6])

    assert "DE89" in mail.text
    assert "Verwendungszweck: #7" in mail.text
    for word in ("Mahnung", "Verzug", "sofort", "fällig"):
        assert word not in mail.text


def test_the_salutation_guesses_nothing() -> None:
    """The name as it is, the company's name for want of a person's, or none."""
    nobody = render_mail(PaymentRescueMail(COMPANY, Reader("", "de"), "#7", D(1), "EUR"))
    firm = sample_order(billing=replace(BONN, name="", company="Brandt KG"))

    assert nobody.text.startswith("Guten Tag,\n")
    assert "Guten Tag Brandt KG," in render_mail(InvoiceMail(COMPANY, sample_invoice(firm))).text


def test_names_are_text_in_html_and_in_templates() -> None:
    """Neither a tag nor an expression nor a second paragraph comes from a name."""
    name = '<script>x</script> {{ 7 * 7 }} & "q"\n\nBcc: a@b\r\x01\u202e'
    mail = render_mail(PaymentRescueMail(COMPANY, Reader(name, "de"), "#7", D(1), "EUR"))

    assert "<script>" not in mail.html
    assert "&lt;script&gt;" in mail.html
    assert "{{ 7 * 7 }}" in mail.text
    assert "\nBcc" not in mail.text
    assert mail.html.count("<th ") == 5


def test_an_unknown_name_in_a_template_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A mail with a hole is worse than none; and a template reaches nothing but its values."""
    (tmp_path / "de").mkdir()
    template = tmp_path / "de" / "payment_rescue.txt"
    context = PaymentRescueMail(COMPANY, READER, "#7", D(1), "EUR")
    monkeypatch.setattr(mails, "_TEMPLATES", tmp_path)
    for body in ("Subject {{ nonsense }}", "{{ name.__class__.__mro__ }}"):
        template.write_text(body, "utf-8")
        mails._environment.cache_clear()
        with pytest.raises((UndefinedError, SecurityError)):
            render_mail(context)
    mails._environment.cache_clear()


def test_every_template_belongs_to_both_languages() -> None:
    """A kind of mail that one language lacks would fail at the customer's expense."""
    root = Path(documents.__file__).with_name("templates") / "mail"

    german, english = ({file.name for file in (root / code).iterdir()} for code in ("de", "en"))
    assert german == english


def message_bytes(**changes: object) -> bytes:
    """Return the bytes of a mail with an attachment."""
    arguments = {
        "sender": COMPANY.email,
        "sender_name": COMPANY.name,
        "to": "erika@example.org",
        "message_id": "<abc@muster-handel.example>",
        "case_id": "order-zahltag-ZT-1",
        "date": SENT,
        "attachments": [Attachment("RE-2026-00042.pdf", b"%PDF-1.7 \x00\xff")],
    }
    content = render_mail(InvoiceMail(COMPANY, sample_invoice()))
    return build_message(content, **(arguments | changes)).as_bytes()  # type: ignore[arg-type]


def test_the_message_has_its_headers_forms_and_attachment() -> None:
    """Readable by a mail program and by ours."""
    message = message_from_bytes(message_bytes(), policy=policy.default)

    assert message["From"] == "Muster Handels GmbH <rechnung@muster-handel.example>"
    assert message["To"] == "erika@example.org"
    assert message["Message-ID"] == "<abc@muster-handel.example>"
    assert message["Date"] == "Sun, 22 Nov 2026 08:30:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message["X-Zahltag-Kind"], message["X-Zahltag-Case"]) == (
        "invoice",
        "order-zahltag-ZT-1",
    )
    assert "Guten Tag" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "<p " in message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == "RE-2026-00042.pdf"
    assert attachment.get_content() == b"%PDF-1.7 \x00\xff"


def test_a_resend_is_the_same_mail_byte_for_byte() -> None:
    """Boundaries included; another Message-ID is another mail."""
    assert message_bytes() == message_bytes()
    assert message_bytes() != message_bytes(message_id="<other@muster-handel.example>")


@pytest.mark.parametrize("header", ["case_id", "sender_name", "message_id"])
def test_no_value_begins_a_header_of_its_own(header: str) -> None:
    """Header injection: a line break is a blank."""
    raw = message_bytes(**{header: "<x@y>\r\nBcc: victim@example.org"})

    assert message_from_bytes(raw, policy=policy.default)["Bcc"] is None


@pytest.mark.parametrize("to", ["", "nobody", "a@b\r\nBcc: c@d", "a b@c.de", "@x.de", "x@"])
def test_what_is_no_address_is_refused(to: str) -> None:
    """Before anything is handed over."""
    with pytest.raises(ValueError, match=r"mail|[Aa]ddress|domain"):
        message_bytes(to=to)


def test_an_international_domain_is_sent_in_ascii() -> None:
    """IDNA for the domain; a local part with umlauts needs SMTPUTF8 and keeps them."""
    domain = message_from_bytes(message_bytes(to="erika@müller.example"), policy=policy.default)
    local = message_from_bytes(message_bytes(to="jürgen@example.org"), policy=policy.SMTPUTF8)

    assert domain["To"] == "erika@xn--mller-kva.example"
    assert local["To"] == "jürgen@example.org"


def test_a_mail_without_a_time_zone_has_no_date() -> None:
    """It would be the local time of nobody knows whom."""
    with pytest.raises(ValueError, match="offset"):
        message_bytes(date=SENT.replace(tzinfo=None))
