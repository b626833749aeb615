"""The mapping engine: every problem at once, and never anything but a refusal."""

from __future__ import annotations

import contextlib
import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.conversions import AMOUNT, FLAG, LIMIT, MOMENT, plain_text, text
from connectors.mapping import Each, Field, read_document
from connectors.payments import read_payment
from connectors.shops import SHOPS
from connectors.shops.port import OrderEvent, parse_document
from domain.errors import RefusedError
from domain.validation import order_problems
from tests.connectors.samples import document
from tests.domain.orders import COMPANY

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1", "-1", "1e9", "NaN", "EUR", "\x00", "\ud800", "2026-11-16T09:00:00Z"])
)
_JSON = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def _places(found: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document."""
    if isinstance(found, dict):
        inner = [_places(value, (*at, key)) for key, value in found.items()]
    elif isinstance(found, list):
        inner = [_places(value, (*at, index)) for index, value in enumerate(found)]
    else:
        inner = []
    return [at, *(place for places in inner for place in places)]


_DOCUMENTS = {
    name: document(name)
    for name in (
        "shopify-b2b-net-discounts",
        "shopify-chf",
        "woocommerce-several-rates-shipping",
        "shopware-promotion",
        "zahltag-paid",
    )
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(_DOCUMENTS)), st.data())
def test_whatever_a_vendor_sends_only_a_refusal_comes_back(name: str, data: st.DataObject) -> None:
    """A real document with a few values replaced by anything is read, or refused in words.

    What is read can be checked: a gap is a problem of the order, never a crash.
    """
    changed = copy.deepcopy(_DOCUMENTS[name])
    places = _places(changed)[1:]
    for place in data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)):
        target = changed
        with contextlib.suppress(KeyError, IndexError, TypeError):
            for step in place[:-1]:
                target = target[step]
            if isinstance(target, list) or isinstance(place[-1], str):  # else it would be no JSON
                target[place[-1]] = data.draw(_JSON)
    with contextlib.suppress(RefusedError):
        event = SHOPS[name.partition("-")[0]].read(changed, channel="shop")
        if isinstance(event, OrderEvent):
            order_problems(event.order, COMPANY)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SHOPS)), st.dictionaries(st.text(max_size=4), _JSON, max_size=4))
def test_any_object_is_read_or_refused(source: str, anything: dict[str, object]) -> None:
    """No source trusts what it gets."""
    with contextlib.suppress(RefusedError):
        SHOPS[source].read(anything, channel="shop")
    with contextlib.suppress(RefusedError):
        read_payment(anything)
    SHOPS[source].event_id({}, anything)


@given(st.binary(max_size=60) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_body_is_parsed_or_refused(raw: bytes) -> None:
    """Not JSON, no object, not a number: one sentence."""
    with contextlib.suppress(RefusedError):
        assert isinstance(parse_document(raw), dict)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not JSON"),
        (b"<order/>", "not JSON"),
        (b"[1]", "no object"),
        (b'"text"', "no object"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": Infinity}', "not JSON"),
        (b"\xff{}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 5000, "not JSON"),
    ],
)
def test_what_is_no_order_document_is_refused(raw: bytes, said: str) -> None:
    """In one sentence."""
    with pytest.raises(RefusedError, match=said):
        parse_document(raw)


def test_numbers_are_kept_as_written() -> None:
    """No binary float between a shop's price and ours."""
    assert parse_document(b'{"a": 19.90}') == {"a": Decimal("19.90")}


ROWS = (
    Field("name", "name", text(14), required=True),
    Field(("price.now", "price.was"), "price", AMOUNT, default=Decimal(0)),
    Field("extras[key=colour].value", "colour"),
    Field("gift", "gift", FLAG),
    Each("parts", "parts", (Field("at", "at", MOMENT, required=True),), least=1, most=2),
)


def test_rows_read_paths_alternatives_selectors_and_lists() -> None:
    """Everything a row can say."""
    record = read_document(
        {
            "name": "  Tee \n grün ",
            "price": {"now": None, "was": "2.50"},
            "extras": [{"key": "size"}, {"key": "colour", "value": "blau"}, "odd"],
            "parts": [{"at": "2026-11-16T09:30:00+01:00"}],
        },
        ROWS,
        "thing",
    )

    assert (record.text("name"), record.text("colour")) == ("Tee grün", "blau")
    assert record.amount("price") == Decimal("2.50")
    assert record.flag("gift") is False
    assert record.rows("parts")[0].moment("at").isoformat() == "2026-11-16T08:30:00+00:00"


def test_every_problem_is_named_with_its_place() -> None:
    """The sentence shows five; the list has all."""
    odd = {
        "name": "too long a name",
        "price": "free",
        "extras": {"key": "colour"},
        "gift": "yes",
        "parts": [{"at": "today"}, 5],
    }
    with pytest.raises(RefusedError) as refusal:
        read_document(odd, ROWS, "thing")

    places = [problem.field for problem in refusal.value.problems]
    assert places == ["name", "price", "extras", "gift", "parts[0].at", "parts[1]"]
    assert refusal.value.message == (
        "The thing cannot be read: "
        "name: expected text of at most 14 characters without control characters, "
        "found 'too long a name'; price: expected an object, found 'free'; "
        "extras: expected a list, found an object; gift: expected true or false, found 'yes'; "
        "parts[0].at: expected a time with its offset such as 2026-11-16T09:30:00+01:00, "
        "found 'today'; and 1 more."
    )


def test_absurd_lists_are_refused_without_being_walked() -> None:
    """More items than allowed, or fewer."""
    for parts in ([], [{}] * 3):
        with pytest.raises(RefusedError, match="parts: expected a list of 1 to 2 items"):
            read_document({"name": "a", "parts": parts}, ROWS, "thing")


def test_what_is_missing_is_named_as_missing() -> None:
    """Null, blank and absent are the same to a vendor."""
    for gap in ({}, {"name": None}, {"name": " "}):
        with pytest.raises(RefusedError, match="found nothing"):
            read_document(gap, ROWS[:1], "thing")


def test_our_own_formats_refuse_what_no_row_reads() -> None:
    """A misspelt field would be lost without a word."""
    with pytest.raises(RefusedError, match="prise: expected one of the fields name, price"):
        read_document({"name": "a", "prise": 1}, ROWS[:2], "thing", strict=True)


@pytest.mark.parametrize(
    "value",
    [
        True,
        "1e3",
        "1,5",
        "",
        " x",
        "NaN",
        float("nan"),
        float("inf"),
        [],
        "-1",
        -1,
        "--1",
        LIMIT + 1,
        str(LIMIT * 10),
        Decimal("1e50"),
        Decimal("NaN"),
        "1" * 5000,
        10**400,
    ],
)
def test_amounts_are_plain_finite_and_sane(value: object) -> None:
    """Nothing that a spreadsheet or an attacker might send instead."""
    with pytest.raises((ValueError, ArithmeticError)):
        AMOUNT.read(value)


@pytest.mark.parametrize(
    ("value", "read"), [("19.90", "19.90"), (19.95, "19.95"), (0, "0"), (Decimal("1.5"), "1.5")]
)
def test_amounts_are_exact(value: object, read: str) -> None:
    """A float is taken as it prints."""
    assert AMOUNT.read(value) == Decimal(read)


def test_text_is_composed_and_free_of_control_characters() -> None:
    """NFC, one line; a lone surrogate could not be stored."""
    assert text().read("u\u0308ber\r\nmorgen") == "über morgen"
    assert text(lines=True).read(" a\nb ") == "a\nb"
    assert plain_text().read("Tee &ndash; <b>grün</b> 3 < 4") == "Tee – grün 3 < 4"
    for bad in ("a\x00", "\ud800", "\x9b", 5, None):
        with pytest.raises(ValueError):  # noqa: PT011 conversions raise it bare, the row has the words
            text().read(bad)
