"""Every filter at its boundary, in the database: one below, exactly, one above, and no value at all.

A value that does not exist satisfies no comparison, ``!=`` and ``<`` included (X5).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from domain.dunning.facts import Account, Item
from domain.dunning.filters import FIELDS, Kind
from domain.dunning.ladder import Ladder
from domain.dunning.rule_file import read_rule
from models.store.database import Database
from models.store.dunning import selection
from starter.stack.throwaway import ThrowawayServer
from tests.conftest import NO_MAILBOX, make_settings
from tests.domain.dunning.rules import O1, condition

from .population import TODAY, Circumstances, Person, ago, settle

OVERDUE = Item("EUR", Decimal("350.00"), ago(30))
PLAIN = Account(items=(OVERDUE,))


def _owing(amount: str, currency: str = "EUR") -> Account:
    return Account(items=(Item(currency, Decimal(amount), ago(30)),))


def _due(days: int) -> Account:
    return Account(items=(Item("EUR", Decimal(1), ago(days)), Item("EUR", Decimal(1), ago(-9))))


def _ladder(**values: Any) -> Account:
    return replace(PLAIN, ladder=Ladder(**values))


# Field -> its boundary, and for each customer of the field which of these it has: its value lies
# below, is the boundary, lies above, or does not exist.
BELOW, EQUAL, ABOVE, NONE = "below", "equal", "above", "none"
WHOLE: dict[str, tuple[int, dict[str, list[Account]]]] = {
    "notices_count": (
        1,
        {BELOW: [PLAIN], EQUAL: [_ladder(level=1, notices=1)], ABOVE: [_ladder(notices=2)]},
    ),
    "calls_count": (
        1,
        {BELOW: [PLAIN], EQUAL: [_ladder(calls=1)], ABOVE: [_ladder(calls=2)]},
    ),
    "debt": (
        300,
        {
            BELOW: [_owing("299.99"), _owing("300.00", "USD")],
            EQUAL: [_owing("300.00")],
            ABOVE: [_owing("300.01"), _owing("300.50"), _owing("301.00"), PLAIN],
        },
    ),
    "days_since_last_notice": (
        8,
        {
            BELOW: [_ladder(notices=1, last_notice_on=ago(days)) for days in (0, 7)],
            EQUAL: [_ladder(notices=1, last_notice_on=ago(8))],
            ABOVE: [_ladder(notices=1, last_notice_on=ago(9))],
            NONE: [PLAIN],
        },
    ),
    "oldest_overdue_days": (
        7,
        {
            BELOW: [_due(1), _due(6)],
            EQUAL: [_due(7)],
            ABOVE: [_due(8)],
            NONE: [
                _due(0),
                _due(-1),
                Account(items=(Item("EUR", Decimal(1), ago(7), disputed=True),)),
            ],
        },
    ),
    "open_call_tasks": (
        1,
        {
            BELOW: [PLAIN],
            EQUAL: [replace(PLAIN, open_call_tasks=1)],
            ABOVE: [replace(PLAIN, open_call_tasks=2)],
        },
    ),
    "promise_overdue_days": (
        3,
        {
            BELOW: [replace(PLAIN, agreed_dates=(ago(2),))],
            EQUAL: [replace(PLAIN, agreed_dates=(ago(3), ago(1)))],
            ABOVE: [replace(PLAIN, agreed_dates=(ago(4), ago(-5)))],
            NONE: [PLAIN, replace(PLAIN, agreed_dates=(TODAY,))],
        },
    ),
    "days_since_successful_call": (
        3,
        {
            BELOW: [replace(PLAIN, last_successful_call_on=ago(2))],
            EQUAL: [replace(PLAIN, last_successful_call_on=ago(3))],
            ABOVE: [replace(PLAIN, last_successful_call_on=ago(4))],
            NONE: [PLAIN],
        },
    ),
}
HOLDS = {
    "=": {EQUAL},
    "!=": {BELOW, ABOVE},
    "<": {BELOW},
    "<=": {BELOW, EQUAL},
    ">": {ABOVE},
    ">=": {EQUAL, ABOVE},
}
_OVER = replace(PLAIN, credit_limit=Decimal("349.99"))
# Field, operator, value -> who is taken and who is not.
OTHERS: list[tuple[str, str, Any, list[Account], list[Account]]] = [
    ("is_problematic", "=", True, [replace(PLAIN, problematic=True)], [PLAIN]),
    ("is_problematic", "=", False, [PLAIN], [replace(PLAIN, problematic=True)]),
    (
        "credit_limit_exceeded",
        "=",
        True,
        [_OVER, replace(PLAIN, credit_limit=Decimal(0))],
        [PLAIN, replace(PLAIN, credit_limit=Decimal("350.00"))],
    ),
    (
        "credit_limit_exceeded",
        "=",
        False,
        [PLAIN, replace(PLAIN, credit_limit=Decimal("350.00"))],
        [_OVER],
    ),
    (
        "preferred_contact",
        "=",
        "any",
        [PLAIN, replace(PLAIN, preferred_contact="any")],
        [replace(PLAIN, preferred_contact="post")],
    ),
    ("preferred_contact", "=", "phone", [replace(PLAIN, preferred_contact="phone")], [PLAIN]),
]


def _custom(n: int, said: str) -> Account:
    texts = [""] * 7
    texts[n - 1] = said
    return replace(PLAIN, custom_fields=tuple(texts))


for number in range(1, 8):
    name = f"custom_field_{number}"
    other = _custom(number % 7 + 1, "A%")
    OTHERS += [
        (name, "=", "A%", [_custom(number, "A%")], [_custom(number, "xA%x"), other, PLAIN]),
        (name, "contains", "A%", [_custom(number, "xA%x")], [_custom(number, "AB"), other, PLAIN]),
    ]
CASES = [
    (
        field,
        operator,
        value,
        [a for place in HOLDS[operator] for a in people.get(place, [])],
        [
            a
            for place in {BELOW, EQUAL, ABOVE, NONE} - HOLDS[operator]
            for a in people.get(place, [])
        ],
    )
    for field, (value, people) in WHOLE.items()
    for operator in FIELDS[field].operators
] + OTHERS


@pytest_asyncio.fixture(scope="module")
async def everybody(postgres: ThrowawayServer) -> AsyncIterator[tuple[Database, dict[str, str]]]:
    """All accounts of all cases, as customers of one database; their numbers by their account."""
    accounts = {repr(a): a for *_, taken, left in CASES for a in (*taken, *left)}
    numbers = {key: f"B-{place:03}" for place, key in enumerate(accounts)}
    folk = [Person(numbers[key], a, Circumstances()) for key, a in accounts.items()]
    url = await postgres.database()
    database = Database.connect(make_settings(url, NO_MAILBOX))
    async with database.transaction() as session:
        await settle(session, folk, 0)
    yield database, numbers
    await database.close()
    await postgres.drop(url)


@pytest.mark.parametrize(("field", "operator", "value", "taken", "left"), CASES)
async def test_a_filter_at_its_boundary(
    everybody: tuple[Database, dict[str, str]],
    field: str,
    operator: str,
    value: Any,
    taken: list[Account],
    left: list[Account],
) -> None:
    """The database takes exactly those for whom the comparison holds."""
    database, numbers = everybody
    document = {**O1, "action": "mark_problematic", "filters": [condition(field, operator, value)]}
    document.pop("template")
    async with database.transaction() as session:
        rows = await selection.preview(
            session, read_rule(document), rule_id=0, today=TODAY, currency="EUR"
        )
    found = {row["customer_no"] for row in rows}
    assert taken
    assert {numbers[repr(account)] for account in taken} <= found
    assert not {numbers[repr(account)] for account in left} & found


def test_every_filter_and_operator_is_in_the_table() -> None:
    """Nothing of what the documents name was left out (L1 to L13)."""
    wanted = {(field, op.value) for field, spec in FIELDS.items() for op in spec.operators}
    assert {(field, operator) for field, operator, *_ in CASES} == wanted
    whole = {field for field, spec in FIELDS.items() if spec.kind is Kind.WHOLE}
    assert whole == set(WHOLE)
