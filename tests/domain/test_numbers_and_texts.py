"""Numbers and texts in one form."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import plain_number
from domain.texts import tidy


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("19.00", "19"),
        ("1E+1", "10"),
        ("100", "100"),
        ("0.050", "0.05"),
        ("-0.0", "0"),
        ("1E-7", "0.0000001"),
        ("-2.50", "-2.5"),
    ],
)
def test_a_number_as_one_says_it(number: str, said: str) -> None:
    """Never with an exponent, and without a negative zero."""
    assert plain_number(Decimal(number)) == said


@given(st.decimals(-(10**9), 10**9, places=12), st.integers(0, 6))
def test_equal_numbers_are_written_equally(number: Decimal, zeros: int) -> None:
    """However many zeros follow; and it is the same number."""
    longer = Decimal(f"{number:f}" + "0" * zeros)
    assert plain_number(number) == plain_number(longer)
    assert Decimal(plain_number(number)) == number


@given(st.text())
def test_words_have_one_blank_between_them(text: str) -> None:
    """Quick ways to it for what is tidy already give what the long way gives."""
    assert tidy(text) == " ".join(unicodedata.normalize("NFC", text).split())
    assert tidy(tidy(text)) == tidy(text)
