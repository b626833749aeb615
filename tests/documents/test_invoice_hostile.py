"""What comes from outside is text, never markup, and never stops an invoice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.glyphs import MISSING, printable
from documents.invoice import render_invoice
from domain.order import OrderDiscount
from tests.documents.invoices import pages, sample_invoice, sample_order, text
from tests.domain.orders import BONN, line

MARKUP = "#panic(\"x\") *b* _i_ $x$ `raw` <l> @ref \\u{41} 'q' ]])}; //c /*"


def hostile(value: str) -> bytes:
    """Return an invoice with the text wherever text can come from outside."""
    order = sample_order(
        order_no=value,
        deal_reference=value,
        billing=replace(BONN, name=value, company=value, street=value, extra=value, city=value),
        shipping=replace(BONN, name=value, street="elsewhere"),
        lines=(line(name=value, sku=value, discount=Decimal(1), discount_reason=value), line()),
        discounts=(OrderDiscount(value, Decimal(1)),),
    )
    return render_invoice(sample_invoice(order))


def test_markup_is_printed_as_it_stands() -> None:
    """Typst code in a product name is a product name."""
    found = text(hostile(MARKUP))

    assert MARKUP.split(maxsplit=1)[0] in found
    assert "*b* _i_ $x$ `raw`" in found


@pytest.mark.parametrize(
    "value",
    [
        "W" * 500,
        "line\nbreak\r\n\ttab\x00\x1b[31m\x7f",
        "T-Shirt 🎉 👨‍👩‍👧 🇩🇪",
        "\u202eevil \u2066bidi\u200d",
        "lone \ud800 surrogate and \ue000 private use",
        "漢字 한국어 שלום مرحبا ไทย",
        "e\u0301 decomposed \ufb03 ligature ½ ﷽",
        "\"quotes\" 'single' „deutsche“ «guillemets» \\backslash {brace} {0}",
        "",
        " ",
    ],
)
def test_any_text_makes_an_invoice_of_few_pages(value: str) -> None:
    """Missing glyphs, control characters, words without a break: a PDF all the same."""
    found = pages(hostile(value))

    assert 1 <= len(found) <= 3
    assert "Gesamtbetrag" in " ".join(found)


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_printable_text_is_one_line_and_stable(value: str) -> None:
    """Cleaning twice changes nothing; nothing is longer than allowed, but for break marks."""
    clean = printable(value)

    assert "\n" not in clean
    assert clean == printable(clean.replace("\u200b", ""))
    assert len(clean.replace("\u200b", "")) <= 600


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=15, deadline=None)
def test_no_text_at_all_breaks_the_typesetting(value: str) -> None:
    """Hypothesis tries harder than we can."""
    order = sample_order(lines=(line(name=value, sku=value),), billing=replace(BONN, name=value))

    assert render_invoice(sample_invoice(order)).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Łódź, Đặng, Ζωή, Юлия, Straße", "Łódź, Đặng, Ζωή, Юлия, Straße"),
        ("T-Shirt 🎉 neu", "T-Shirt neu"),
        ("漢字", MISSING * 2),
        ("𝔘nicode Ａ", "Unicode A"),
        ("a\x00b\nc", "a b c"),
        ("x" * 45, "\u200b".join(["x" * 10] * 4 + ["x" * 5])),
        ("y" * 700, None),
    ],
)
def test_what_the_font_lacks_is_replaced(value: str, expected: str | None) -> None:
    """A plain form where there is one, a box for a letter, nothing for a symbol."""
    found = printable(value)

    if expected is None:
        assert found.endswith("…")
    else:
        assert found == expected


def test_wide_figures_get_wider_columns() -> None:
    """A billion is printed in full."""
    order = sample_order(
        lines=(line(quantity=Decimal("12345.678901"), unit_price=Decimal("98765.4321")),)
    )
    found = text(render_invoice(sample_invoice(order)))

    assert "12.345,678901" in found
    assert "98.765,4321" in found
    assert "1.219.326.311,23" in found
