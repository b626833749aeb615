"""Routing rules: the first that fits decides, they are read strictly, and they change no order."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RefusedError
from domain.order import CustomerKind
from domain.routing import Conditions, Routed, Rule, approval_wanted, fits, route, why
from domain.routing_file import read_rules
from tests.connectors.samples import read

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "routing.yaml"
ORDER = read("crm-ok")
texts = st.sampled_from(["HW-", "hw-pr", "SV", "service", "DE", "28", "crm", "shop", "Bremen", "x"])
lists = st.lists(texts, max_size=2).map(tuple)
amounts = st.none() | st.decimals(0, 5000, places=2)
conditions = st.builds(
    Conditions,
    sku_prefix=lists,
    category=lists,
    country=lists,
    region=lists,
    postcode_prefix=lists,
    channel=lists,
    customer=st.none() | st.sampled_from(CustomerKind),
    currency=st.sampled_from(["", "EUR", "CHF"]),
    amount_from=amounts,
    amount_below=amounts,
)
rules = st.lists(
    st.builds(
        Rule,
        name=st.text("abc", min_size=1, max_size=3),
        when=conditions,
        assignee=st.sampled_from(["", "anna"]),
        approval=st.sampled_from(["", "look"]),
        terms_days=st.none() | st.integers(0, 120),
        cost_centre=st.sampled_from(["", "4700"]),
        tags=st.lists(st.sampled_from("ab"), max_size=2).map(tuple),
    ),
    max_size=5,
)


@given(rules)
def test_the_first_rule_that_fits_decides(several: list[Rule]) -> None:
    """And none after it; without one nothing is decided, and there is nothing to say."""
    fitting = [rule for rule in several if fits(ORDER, rule.when)]
    routed = route(ORDER, several)

    assert routed.rule == (fitting[0].name if fitting else "")
    assert route(ORDER, fitting[:1]) == routed
    assert bool(why(routed)) == bool(fitting)
    if not fitting:
        assert routed == Routed()


@given(conditions, st.sampled_from(["amount_from", "currency", "sku_prefix", "country"]))
def test_one_condition_more_never_lets_more_orders_in(when: Conditions, name: str) -> None:
    """All conditions must hold: a rule without one fits whenever the rule with it does."""
    wider = replace(when, **{name: getattr(Conditions(), name)})

    assert fits(ORDER, wider) or not fits(ORDER, when)


@pytest.mark.parametrize(
    ("when", "fitting"),
    [
        (Conditions(), True),
        (Conditions(sku_prefix=("hw-",)), True),
        (Conditions(sku_prefix=("MK-",)), False),
        (Conditions(category=("Service",)), True),
        (Conditions(category=("software",)), False),
        (Conditions(country=("AT", "DE"), postcode_prefix=("28",)), True),
        (Conditions(postcode_prefix=("10",)), False),
        (Conditions(region=("bremen",)), True),
        (Conditions(channel=("crm",)), False),
        (Conditions(customer=CustomerKind.B2C), False),
        (Conditions(currency="EUR", amount_from=Decimal("2796.50")), True),
        (Conditions(currency="EUR", amount_below=Decimal("2796.50")), False),
        (Conditions(currency="CHF", amount_from=Decimal(1)), False),
    ],
)
def test_what_a_rule_can_ask(when: Conditions, *, fitting: bool) -> None:
    """Product type, region, channel, kind of customer, amount."""
    assert fits(ORDER, when) is fitting


def test_goods_are_routed_by_where_they_go() -> None:
    """The delivery address counts, if there is one."""
    swiss = replace(ORDER, shipping=replace(ORDER.billing, country="CH", postcode="8001"))

    assert fits(swiss, Conditions(country=("CH",)))
    assert not fits(swiss, Conditions(country=("DE",)))


def test_the_case_can_say_why() -> None:
    """Who, by which rule, with what consequences."""
    rule = Rule(
        "Hardware DE",
        assignee="anna",
        approval="check stock",
        terms_days=21,
        cost_centre="4700",
        tags=("hardware", "large"),
    )
    routed = route(ORDER, [rule])

    assert why(routed) == (
        "routed to anna by rule 'Hardware DE' (21 days to pay; needs an approval;"
        " cost centre 4700; tags hardware, large)"
    )
    assert approval_wanted(routed) == "check stock (rule 'Hardware DE')"


def test_the_sample_rules_are_read_and_route_the_sample_deal() -> None:
    """What ``samples/routing.yaml`` shows is right."""
    found = read_rules(yaml.safe_load(SAMPLE.read_text(encoding="utf-8")), {"admin", "anna"})

    assert route(ORDER, found).rule == "Large hardware deals"
    assert route(read("crm-pipedrive"), found) == Routed()


def rule(**changes: Any) -> dict[str, Any]:
    """Return a document with one rule."""
    return {"rules": [{"name": "a", "when": {}, "then": {"assignee": "anna"}, **changes}]}


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ([], ["the file"]),
        ({"rules": "x"}, ["rules"]),
        ({"rules": [], "rule": []}, ["the file"]),
        ({"rules": ["x"]}, ["rules.1"]),
        (rule(name=""), ["rules.1.name"]),
        (rule(name=None), ["rules.1.name"]),
        (rule(then=None), ["rules.1.then"]),
        (rule(then={"assignee": "nobody"}), ["rules.1.then.assignee"]),
        (rule(then={"terms_days": "30"}), ["rules.1.then.terms_days"]),
        (
            rule(then={"terms_days": 121, "color": 1}),
            ["rules.1.then.color", "rules.1.then.terms_days"],
        ),
        (rule(when="x"), ["rules.1.when"]),
        (rule(when={"country": "Germany"}), ["rules.1.when.country"]),
        (rule(when={"country": [False]}), ["rules.1.when.country"]),  # an unquoted NO
        (rule(when={"customer": "both"}), ["rules.1.when.customer"]),
        (rule(when={"amount_from": "10"}), ["rules.1.when.currency"]),
        (rule(when={"amount_from": 10, "currency": "EUR"}), ["rules.1.when.amount_from"]),
        (
            rule(when={"amount_from": "10", "amount_below": "10", "currency": "EUR"}),
            ["rules.1.when.amount_below"],
        ),
        (rule(when={"sku_prefix": []}), ["rules.1.when.sku_prefix"]),
        (
            rule(when={"colour": "red", "currency": "euro"}),
            ["rules.1.when.colour", "rules.1.when.currency"],
        ),
        ({"rules": [*rule()["rules"], *rule()["rules"]]}, ["rules.2.name"]),
    ],
)
def test_every_wrong_field_of_a_file_is_named(document: object, fields: list[str]) -> None:
    """All of them at once, and nothing is set."""
    with pytest.raises(RefusedError) as refused:
        read_rules(document, {"anna"})

    assert [problem.field for problem in refused.value.problems] == fields


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rules", "name", "when", "then", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_file_makes_it_stumble(document: object) -> None:
    """Whatever is in it: rules, or a refusal in words."""
    with contextlib.suppress(RefusedError):
        read_rules(document, {"anna"})


def test_users_who_have_left_keep_no_order_from_being_routed() -> None:
    """Stored rules are read without looking at names again."""
    assert read_rules(rule(then={"assignee": "gone"}), None)[0].assignee == "gone"
