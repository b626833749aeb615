"""Notices as mails: what each says and never says, in both languages; the user's own texts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from documents.mail_message import MailContent
from documents.manager_mail import MOST, HandedOver, ManagerMail, render_manager_mail
from documents.notice_check import check_templates, export_templates
from documents.notice_mail import render_notice_mail
from documents.notice_templates import SHIPPED, VARIABLES, BrokenTemplateError, names
from documents.notice_text import values
from domain.dunning.ladder import TEMPLATES
from domain.dunning.notice import AgreedPayment, Notice
from domain.money import Money
from domain.order import CustomerKind
from tests.documents.notices import COMPANY, SENT, recipient, sample_notice, some_lines

D = Decimal
NOTICES = TEMPLATES[:3]


def mail(notice: Notice, *, attached: bool = True, templates: Path | None = None) -> MailContent:
    """Return the mail, with plain blanks."""
    found = render_notice_mail(notice, COMPANY, attached=attached, templates=templates)
    plain = {0xA0: " ", 0x202F: " "}
    return replace(
        found,
        subject=found.subject.translate(plain),
        text=found.text.translate(plain),
        html=found.html.translate(plain),
    )


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("count", [1, 3])
def test_every_notice_says_what_it_must(template: str, language: str, count: int) -> None:
    """Number, dates, sum and earlier notices per invoice; sum, deadline, account, way to object."""
    notice = sample_notice(
        template, count, recipient=recipient(language=language), lines=some_lines(count)
    )
    found = mail(notice)
    german = language == "de"

    for body in (found.text, found.html):
        flat = " ".join(body.split())
        for line in notice.lines:
            assert line.invoice_no in flat
            assert f"{line.open_amount:.2f}".replace(".", "," if german else ".") in flat
        for words in (
            "02.09.2026" if german else "2 Sept 2026",
            "16.09.2026" if german else "16 Sept 2026",
            "03.12.2026" if german else "3 December 2026",
            "DE89 3704 0044 0532 0130 00",
            "K-10023",
            "Antworten Sie einfach auf diese E-Mail" if german else "Just reply to this e-mail",
            COMPANY.register_entry,
        ):
            assert words in flat
        for rest in ("{{", "{%", "None", "\x01", "\x02", "http", "href"):
            assert rest not in body
    total = sum(line.open_amount for line in notice.lines)
    assert f"{total:.2f}".replace(".", "," if german else ".") in found.text
    greeting = "Guten Tag Katharina Brandt," if german else "Hello Katharina Brandt,"
    assert found.text.startswith(greeting)
    assert f'lang="{language}"' in found.html
    assert found.kind == ("notice" if template in NOTICES else "instalment_reminder")


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_no_notice_claims_what_the_law_does_not_give(template: str, language: str) -> None:
    """No fee, no interest, no credit bureau; default only as a condition, and only at the end."""
    text = mail(sample_notice(template, recipient=recipient(language=language))).text.lower()

    for word in ("gebühr", "zinsen", "schufa", "auskunftei", "fee", "interest", "credit bureau"):
        assert word not in text
    default = "in verzug" if language == "de" else "in default"
    lawyer = "rechtsanwalt" if language == "de" else "law firm"
    assert (default in text) is (template == "final_notice")
    assert (lawyer in text) is (template == "final_notice")
    if template == "final_notice":
        assert ("soweit sie" if language == "de" else "as far as you are") in text


@pytest.mark.parametrize(
    ("template", "subject"),
    [
        ("payment_reminder", "Zahlungserinnerung zur Rechnung RE-2026-00001"),
        ("first_notice", "1. Mahnung zur Rechnung RE-2026-00001"),
        ("final_notice", "Letzte Mahnung zur Rechnung RE-2026-00001"),
        ("instalment_reminder", "Erinnerung an Ihre vereinbarte Zahlung"),
    ],
)
def test_the_subject_says_what_it_is(template: str, subject: str) -> None:
    """From friendly to firm."""
    assert mail(sample_notice(template)).subject == subject


def test_only_a_consumer_reads_to_whom_the_data_goes() -> None:
    """And only in the final notice; a Swiss company names no regulation of the EU."""
    business = recipient(kind=CustomerKind.B2B)
    swiss = replace(COMPANY, address=replace(COMPANY.address, country="CH"))

    assert "DSGVO" in mail(sample_notice("final_notice")).text
    assert "DSGVO" not in mail(sample_notice("final_notice", recipient=business)).text
    assert "DSGVO" not in mail(sample_notice("first_notice")).text
    found = render_notice_mail(sample_notice("final_notice"), swiss, attached=True).text
    assert "dorthin weiter." in " ".join(found.split())


@pytest.mark.parametrize("before", [0, 1])
def test_earlier_reminders_are_named_only_if_there_were_some(before: int) -> None:
    """Imported customers may begin at any template."""
    notice = sample_notice("first_notice", lines=some_lines(2, notices_before=before))

    assert ("trotz unserer Erinnerung" in mail(notice).text) is (before > 0)


def test_the_qr_code_is_named_only_where_it_is() -> None:
    """On the attached PDF, in euros."""
    francs = sample_notice(lines=some_lines(currency="CHF"))

    assert "QR-Code auf dem beigefügten PDF" in " ".join(mail(sample_notice()).text.split())
    assert "QR-Code" not in mail(sample_notice(), attached=False).text
    assert "QR-Code" not in mail(francs).text
    assert "119,00 CHF" in mail(francs).text


@pytest.mark.parametrize(
    ("agreed", "words"),
    [
        ((date(2026, 11, 16),), "bis zum 16.11.2026 vereinbart. Davon fehlen uns noch 50,00 €"),
        ((date(2026, 11, 30),), "für den 30.11.2026 ist die nächste Zahlung vereinbart: 50,00 €"),
        (
            (date(2026, 10, 16), date(2026, 11, 16)),
            "fehlen uns noch 100,00 €. Die erste war für den 16.10.2026",
        ),
    ],
)
def test_the_reminder_of_instalments_names_what_was_agreed(
    agreed: tuple[date, ...], words: str
) -> None:
    """Date and amount; before the date it is only a hint."""
    payments = tuple(AgreedPayment(day, D(50)) for day in agreed)
    lines = some_lines(open_amount=D(500))
    text = mail(sample_notice("instalment_reminder", agreed=payments, lines=lines)).text

    assert words in " ".join(text.split())
    assert f"Zu zahlen: {50 * len(agreed)},00 €" in " ".join(text.split())
    assert ("Vereinbart zum 16.11.2026: 50,00 €" in " ".join(text.split())) is (len(agreed) > 1)


def test_a_narrow_table_is_aligned_and_a_wide_one_stacked() -> None:
    """Plain text stays readable with invoice numbers of any length."""
    narrow = mail(sample_notice(count=2)).text.split("-- \n")[0].splitlines()
    wide = mail(sample_notice(lines=some_lines(invoice_no="X" * 60))).text

    header = next(line for line in narrow if "Rechnungsdatum" in line)
    rows = [line for line in narrow if line.startswith("  RE-2026")]
    assert {len(line) for line in rows} == {len(header)}
    assert all(len(line) <= 76 for line in narrow)
    assert "Fällig am:" in wide


def test_names_are_text_in_every_form() -> None:
    """Neither a tag nor an expression comes from a customer."""
    name = '<script>x</script> {{ total }} "q"\n\nBcc: a@b\x01\x02\u202e'
    address = replace(recipient().address, name=name)
    found = mail(
        sample_notice(
            recipient=recipient(address=address, customer_no=name),
            lines=some_lines(invoice_no=name),
        )
    )

    assert "<script>" not in found.html
    assert "{{ total }}" in found.text
    assert "\nBcc" not in found.text
    assert "\n" not in found.subject


def test_the_same_notice_is_the_same_mail() -> None:
    """A resend is no other mail."""
    assert mail(sample_notice()) == mail(sample_notice())


def own(folder: Path, text: str, name: str = "payment_reminder", language: str = "de") -> Path:
    """Write a text of the user's."""
    path = folder / "notices" / language / f"{name}.j2"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


WHOLE = "subject: S {{ total }}\nheading: H\n\nHallo {{ name }},\n\n{{ invoices }}\n\n{{ payment }}\n\nBye\n"


def test_a_text_of_the_user_s_replaces_ours(tmp_path: Path) -> None:
    """Only the one that is there; what is read counts at once."""
    own(tmp_path, "\ufeff" + WHOLE.replace("\n", "\r\n"))
    found = mail(sample_notice(), templates=tmp_path)

    assert found.subject == "S 119,00 €"
    assert found.text.startswith("Hallo Katharina Brandt,\n\n  Rechnung ")
    assert mail(sample_notice("first_notice"), templates=tmp_path) == mail(
        sample_notice("first_notice")
    )
    assert check_templates(tmp_path) == []
    own(tmp_path, WHOLE.replace("Hallo", "Moin"))
    assert mail(sample_notice(), templates=tmp_path).text.startswith("Moin")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (WHOLE.replace("{{ name }}", "{{ nmae }}"), 4, "there is no 'nmae'; allowed are name,"),
        (WHOLE.replace("{{ name }}", "{{ name"), 6, "expected token"),
        (WHOLE.replace("Bye", "{% if x %}"), 10, "x"),
        (WHOLE.replace("Bye", "{% for a in name %}"), 10, "Unexpected end of template"),
        (WHOLE.replace("Bye", "{{ name|shout }}"), 10, "shout"),
        (WHOLE.replace("Bye", "{{ name.__class__ }}"), 10, "unsafe"),
        (WHOLE.replace("Bye", "{{ level + name }}"), 10, "TypeError"),
        (WHOLE.replace("Bye", "{{ 1 / 0 }}"), 10, "ZeroDivisionError"),
        (WHOLE.replace("Bye", "{{ range(9) }}"), 10, "there is no 'range'"),
        (WHOLE.replace("Bye", "{% include 'x' %}"), 10, "includes nothing"),
        (WHOLE.replace("Bye", "{% if letter %}{{ total.x }}{% endif %}"), 10, "x"),
        (WHOLE.replace("Bye", "{% for a in name %}{{ a * 99999 }}{% endfor %}"), None, "64 KiB"),
        (WHOLE.replace("Bye", "a\x01b"), 10, "control character"),
        (WHOLE.replace("{{ payment }}", ""), None, "must hold {{ payment }} once"),
        (WHOLE.replace("{{ invoices }}", "see {{ invoices }}"), None, "must hold {{ invoices }}"),
        (WHOLE + "\n{{ payment }}\n", None, "must hold {{ payment }} once"),
        (WHOLE.replace("subject: S {{ total }}\n", ""), None, "a subject and a heading"),
        (WHOLE.replace("heading: H", "title: H"), None, "must begin with"),
        ("", None, "must begin with"),
        ("x" * 70_000, None, "longer than 64 KiB"),
    ],
)
def test_a_broken_text_is_named_before_anything_is_sent(
    tmp_path: Path, text: str, line: int | None, words: str
) -> None:
    """With file, line and what is allowed; ours is never taken in its place."""
    path = own(tmp_path, text)

    (problem,) = check_templates(tmp_path)
    assert (problem.path, problem.line) == (path, line)
    assert words in problem.what
    if "letter" not in text:
        with pytest.raises(BrokenTemplateError, match="Nothing was sent") as broken:
            mail(sample_notice(), templates=tmp_path)
        assert str(path) in broken.value.message


def test_a_text_in_another_encoding_is_named(tmp_path: Path) -> None:
    """Windows editors still do that."""
    own(tmp_path, "").write_bytes(WHOLE.replace("Bye", "Grüße").encode("cp1252"))

    (problem,) = check_templates(tmp_path)
    assert (problem.line, problem.what) == (10, "is not UTF-8: save it in that encoding")


def test_what_nobody_would_read_is_named(tmp_path: Path) -> None:
    """A misspelt name, another language, a folder too deep; no folder at all."""
    assert check_templates(None) == []
    assert "no folder" in check_templates(tmp_path / "nothing")[0].what
    assert "has no folder notices" in check_templates(tmp_path)[0].what
    own(tmp_path, WHOLE, "first_reminder")
    own(tmp_path, WHOLE, language="fr")
    own(tmp_path, WHOLE, ".hidden")

    assert {problem.path.name for problem in check_templates(tmp_path)} == {
        "first_reminder.j2",
        "payment_reminder.j2",
    }


def test_a_folder_that_is_not_mounted_is_no_reason_for_our_texts(tmp_path: Path) -> None:
    """Somebody meant to say something else."""
    with pytest.raises(BrokenTemplateError, match="has no folder notices"):
        mail(sample_notice(), templates=tmp_path / "unmounted")


def test_our_texts_are_written_out_for_editing_and_are_in_order(tmp_path: Path) -> None:
    """What is there already is left alone."""
    mine = own(tmp_path, WHOLE)
    written, kept = export_templates(tmp_path)

    assert kept == [mine]
    assert len(written) == len(names()) - 1 == 7
    assert mine.read_text("utf-8") == WHOLE
    assert check_templates(tmp_path) == []
    assert check_templates(SHIPPED) == []


def test_every_name_that_is_promised_is_there() -> None:
    """What the documents list is what a template gets."""
    documented = (Path(__file__).resolve().parents[2] / "docs" / "notices.md").read_text("utf-8")
    given = values(sample_notice(), COMPANY, letter=True, attached=False)

    assert {*given, "invoices", "payment"} == set(VARIABLES)
    assert [name for name in VARIABLES if f"`{name}`" not in documented] == []


def customers(count: int = 2) -> tuple[HandedOver, ...]:
    """Return customers, the second more overdue than the first."""
    return tuple(
        HandedOver(
            f"K-{number}",
            f"Kunde <{number}>",
            (Money(D("1234.50"), "EUR"), Money(D(20), "CHF")),
            (Money(D(119), "EUR"),) if number else (),
            number * 10 if number else None,
            number,
        )
        for number in range(count)
    )


def manager(**changes: Any) -> MailContent:
    """Return the mail to an account manager."""
    given: dict[str, Any] = {
        "company": COMPANY,
        "manager": "Maria Muster",
        "rule": "Große Schuldner",
        "day": SENT,
        "customers": customers(),
    }
    found = render_manager_mail(ManagerMail(**(given | changes)))
    return replace(found, text=found.text.replace("\u00a0", " "))


def test_the_manager_s_mail_lists_the_customers() -> None:
    """K6: number, name, debt, overdue, days, level; each currency's own sum, worst first."""
    found = manager()

    assert (found.kind, found.subject) == ("manager", "2 Kunden: Große Schuldner")
    assert found.text.startswith("Guten Tag Maria Muster,\n")
    text = " ".join(found.text.split())
    assert "K-1 Kunde <1> 1.234,50 € + 20,00 CHF 119,00 € 10 1 K-0 Kunde <0>" in text
    assert "– – 0" in text
    assert "Kunde &lt;1&gt;" in found.html


def test_the_manager_s_mail_is_in_the_company_s_language_and_bounded() -> None:
    """Whatever the customers speak, and however many they are."""
    english = manager(company=replace(COMPANY, language="en"), customers=customers(MOST + 7))

    assert english.subject == "507 customers: Große Schuldner"
    assert "and 7 more" in english.text
    assert english.text.count("Kunde <") == MOST
    assert manager(customers=customers(1)).subject == "1 Kunde: Große Schuldner"
