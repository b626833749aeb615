"""Our own order: the connector and the published schema take the same documents."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from connectors.mapping_docs import json_schema
from connectors.shops import SHOPS
from connectors.shops.own import MAPPING
from domain.duplicates import content_digest, fingerprint
from domain.errors import RefusedError
from domain.order import ChargeKind, CustomerKind, PaymentStatus, PriceMode
from tests.connectors.samples import NAMES, REFUSED, document, read, read_as

SCHEMA = Draft202012Validator(json_schema(MAPPING, "order", ""))
OWN = [name for name in NAMES if name.startswith("zahltag-")]

FULL: dict[str, Any] = {
    "order_no": "Z-9",
    "external_id": "9f",
    "placed_at": "2026-11-16T09:30:00+01:00",
    "modified_at": "2026-11-16T09:31:00.5Z",
    "currency": "CHF",
    "prices": "gross",
    "buyer": {
        "customer_id": "K-9",
        "kind": "b2b",
        "name": "Reto Ammann",
        "company": "Ammann AG",
        "email": "reto@example.ch",
        "phone": "+41 44 555 01 23",
        "vat_id": "CHE-100.155.212 MWST",
        "language": "fr-CH",
    },
    "billing_address": {
        "name": "Reto Ammann",
        "company": "Ammann AG",
        "street": "Seestrasse 44",
        "extra": "2. Stock",
        "postcode": "8002",
        "city": "Zürich",
        "region": "ZH",
        "country": "Schweiz",
    },
    "shipping_address": {"street": "Lagerweg 1", "postcode": "8004", "city": "Zürich"},
    "lines": [
        {
            "sku": "A",
            "name": "Ware",
            "quantity": "2.5",
            "unit_price": "10.00",
            "discount": "1.00",
            "discount_reason": "Treue",
            "tax_rate": "8.1",
            "total": "24.00",
        },
        {"name": "Buch", "quantity": "1", "unit_price": "5", "tax_rate": "0", "tax_reason": "x"},
        {"name": "Zugabe", "quantity": "1", "unit_price": "0"},
    ],
    "charges": [
        {"kind": "shipping", "name": "Post", "amount": "9.00", "discount": "1", "tax_rate": "8.1"},
        {"kind": "fee", "name": "Nichts", "amount": "0.00", "tax_rate": "8.1"},
    ],
    "discounts": [{"name": "Bon", "amount": "2.00"}],
    "total": "35",
    "total_tax": "2.17",
    "payment": {
        "status": "successful",
        "method": "Karte",
        "provider": "stripe",
        "transaction_id": "pi_1",
        "paid_on": "2026-11-16",
    },
    "note": "Bitte\nklingeln",
    "deal_reference": "B-7",
    "supply_date": "2026-11-18",
    "cancelled": False,
    "test": False,
    "risk_signals": ["look"],
}


def test_every_documented_field_arrives() -> None:
    """The whole format, once."""
    order = read_as("zahltag", FULL)

    assert (order.source, order.channel, order.order_no) == ("zahltag", "shop", "Z-9")
    assert order.placed_at == datetime(2026, 11, 16, 8, 30, tzinfo=UTC)
    assert order.modified_at.second == 0
    assert order.price_mode is PriceMode.GROSS
    assert (order.buyer.kind, order.buyer.language) == (CustomerKind.B2B, "en")
    assert order.buyer.vat_id == "CHE100155212MWST"
    assert (order.billing.country, order.billing.extra) == ("CH", "2. Stock")
    assert order.shipping.street == "Lagerweg 1"
    assert order.lines[0].quantity == Decimal("2.5")
    assert (order.lines[0].discount, order.lines[0].shop_total) == (1, 24)
    assert (order.lines[1].tax_rate, order.lines[1].tax_reason) == (0, "x")
    assert order.lines[2].tax_rate == Decimal("8.1")  # free: takes the order's highest rate
    assert [charge.kind for charge in order.charges] == [ChargeKind.SHIPPING]
    assert order.discounts[0].tax_rate is None
    assert str(order.total) == "35.00"
    assert order.payment.status is PaymentStatus.SUCCESSFUL
    assert (order.payment.paid_amount, order.payment.paid_on) == (35, date(2026, 11, 16))
    assert (order.note, order.deal_reference) == ("Bitte\nklingeln", "B-7")
    assert order.supply_date == date(2026, 11, 18)
    assert order.risk_signals == ("look",)


def test_gaps_of_business_do_not_refuse_an_order() -> None:
    """No mail, no address, no rate: the order is taken, and its case waits."""
    bare = {
        "order_no": "Z-1",
        "placed_at": "2026-11-16T09:30:00+01:00",
        "currency": "EUR",
        "prices": "net",
        "lines": [{"name": "Ware", "quantity": "1", "unit_price": "1"}],
        "total": "1",
    }
    order = read_as("zahltag", bare)

    assert (order.external_id, order.modified_at) == ("Z-1", order.placed_at)
    assert order.payment.status is PaymentStatus.OPEN
    assert (order.buyer.kind, order.buyer.email) == (CustomerKind.B2C, "")
    assert order.lines[0].tax_rate is None
    assert SCHEMA.is_valid(bare)


def test_buyer_and_recipient_lend_each_other_their_names() -> None:
    """A11: a gap with one right answer is closed."""
    changed = copy.deepcopy(FULL)
    del changed["billing_address"]["name"], changed["billing_address"]["company"]
    order = read_as("zahltag", changed)

    assert (order.billing.name, order.billing.company) == ("Reto Ammann", "Ammann AG")


@pytest.mark.parametrize("name", OWN)
def test_schema_and_connector_agree_on_every_sample(name: str) -> None:
    """What the one takes, the other takes."""
    assert SCHEMA.is_valid(document(name)) is (name not in REFUSED)
    if name in REFUSED:
        with pytest.raises(RefusedError):
            read(name)
    else:
        read(name)


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 2),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.from_regex(r"-?[0-9]{1,11}(\.[0-9]{1,13})?", fullmatch=True),
    st.sampled_from(["b2b", "open", "EUR", "de", "gross", "1e2", " 1", "01", "0.0", "100.00"]),
    st.sampled_from(["2026-11-16T09:30:00Z", "2026-11-16", "16.11.2026", "2026-11-16T09:30"]),
    st.lists(st.just("x"), max_size=1),
    st.just({}),
)
_KEYS = ["order_no", "prices", "currency", "total", "placed_at", "test", "note", "risk_signals"]
_INNER = [("buyer", "kind"), ("buyer", "phone"), ("payment", "status"), ("payment", "paid_on")]
_LINE = ["name", "quantity", "unit_price", "tax_rate", "discount", "discuont"]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([*((key,) for key in _KEYS), *_INNER, *(("lines", 0, key) for key in _LINE)]),
    _VALUES,
)
def test_schema_and_connector_agree_on_any_change(place: tuple[Any, ...], value: object) -> None:
    """One value replaced by anything: both take it or both refuse it."""
    changed = copy.deepcopy(FULL)
    target: Any = changed
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    try:
        SHOPS["zahltag"].read(changed, channel="shop")
        taken = True
    except RefusedError:
        taken = False

    assert SCHEMA.is_valid(changed) is taken, (place, value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"currency": "EURO"}, "currency: expected a currency as an ISO 4217 code such as EUR"),
        ({"currency": "eur"}, "currency: expected"),
        ({"total": "-1.00"}, "total: expected an amount from 0 on, below 1000000000, as text"),
        ({"total": "1000000000"}, "total: expected an amount"),
        ({"total": 119.0}, "total: expected an amount"),
        ({"lines": []}, "lines: expected a list of 1 to 1000 items, found 0 items"),
        ({"lines": [{}] * 1001}, "lines: expected a list of 1 to 1000 items, found 1001 items"),
        ({"lines": {}}, "lines: expected a list, found an object"),
        ({"order_no": "a\x00b"}, "order_no: expected text of at most 64 characters"),
        ({"order_no": "x" * 65}, "order_no: expected text of at most 64 characters"),
        ({"order_no": None}, "order_no: expected text .*, found nothing"),
        ({"placed_at": "2026-11-16T09:30:00"}, "placed_at: expected a time with its offset"),
        ({"payment": {"status": "bezahlt"}}, "payment.status: expected one of successful, open"),
        ({"discuont": "5"}, "discuont: expected one of the fields order_no"),
        ({"buyer": "Anna"}, "buyer: expected an object, found 'Anna'"),
    ],
)
def test_each_refusal_says_what_is_expected(changes: dict[str, object], said: str) -> None:
    """In one sentence, with the field."""
    with pytest.raises(RefusedError, match=said) as refusal:
        SHOPS["zahltag"].read({**FULL, **changes}, channel="shop")
    assert refusal.value.problems
    assert refusal.value.message.startswith("The order cannot be read: ")


def test_the_event_id_is_the_sender_s_or_made_of_the_content() -> None:
    """Equal content is one event; the order of its fields does not matter."""
    own = SHOPS["zahltag"]
    turned = dict(reversed(FULL.items()))

    assert own.event_id({"Webhook-ID": "msg_1"}, FULL) == "msg_1"
    assert own.event_id({}, FULL) == own.event_id({}, turned) != own.event_id({}, {})


def test_the_duplicate_is_one_and_the_others_are_not() -> None:
    """Same customer, positions and total; another number, four minutes later."""
    first, double = read("zahltag-ok"), read("zahltag-duplicate-of-ok")

    assert fingerprint(first) == fingerprint(double)
    assert content_digest(first) != content_digest(double)
    assert first.order_no != double.order_no
    assert 0 < (double.placed_at - first.placed_at).total_seconds() < 600
