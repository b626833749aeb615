"""Random customers, as values for the reference and as rows in the database."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.facts import Account, Item
from domain.dunning.holds import Circumstances
from domain.dunning.ladder import Ladder
from models.dunning_tables import (
    Debtor,
    DunningBlock,
    DunningCall,
    DunningCaseRow,
    DunningNotice,
    PaymentPromise,
)
from models.tables import Customer, InvoiceRow, JournalEntry, OpenItem, Posting, Task

TODAY = date(2026, 3, 30)
AT = datetime(2026, 3, 30, 8, tzinfo=UTC)
# Around the boundaries of the examples.
AMOUNTS = [Decimal(t) for t in ("0.01 99.99 100.00 299.99 300.00 300.50 4000.00 4000.01".split())]  # noqa: SIM905
DAYS = (-30, -1, 0, 1, 6, 7, 8, 13, 14, 15, 40)


@dataclass(frozen=True, slots=True)
class Person:
    """One customer: what the reference is given, and what the database shall hold."""

    number: str
    account: Account
    circumstances: Circumstances


def ago(days: int) -> date:
    """So many days before today; negative: after it."""
    return TODAY - timedelta(days=days)


def people(count: int, seed: int) -> list[Person]:
    """Customers of every kind."""
    dice = random.Random(seed)  # noqa: S311 - tests want the same ones again
    return [_person(dice, f"P-{number:04}") for number in range(count)]


def _person(dice: random.Random, number: str) -> Person:
    maybe = lambda value, chance=0.3: value if dice.random() < chance else None  # noqa: E731
    items = tuple(
        Item(
            dice.choice(("EUR", "EUR", "EUR", "CHF")),
            dice.choice(AMOUNTS),
            maybe(ago(dice.choice(DAYS)), 0.95),
            disputed=dice.random() < 0.15,
        )
        for _ in range(dice.randrange(4))
    )
    notices = dice.randrange(4)
    ladder = Ladder(
        level=notices,
        notices=notices,
        calls=dice.randrange(3),
        last_notice_on=ago(dice.choice(DAYS[2:])) if notices else None,
    )
    dates = tuple(ago(dice.choice(DAYS)) for _ in range(dice.choice((0, 0, 0, 1, 2))))
    account = Account(
        items=items,
        problematic=dice.random() < 0.2,
        preferred_contact=dice.choice(("", "phone", "post", "email", "any")),
        credit_limit=maybe(dice.choice(AMOUNTS)),
        custom_fields=tuple(dice.choice(("", "A", "aB", "50%", "a_b")) for _ in range(7)),
        ladder=ladder if dice.random() < 0.7 else Ladder(),
        open_call_tasks=dice.choice((0, 0, 1, 2)),
        agreed_dates=dates,
        last_successful_call_on=maybe(ago(dice.choice(DAYS[2:]))),
    )
    circumstances = Circumstances(
        blocked=dice.random() < 0.1,
        notice_pending=dice.random() < 0.1,
        rejected_until=maybe(ago(dice.choice((-5, 0, 5))), 0.3),
        agreed_dates=dates,
        has_email=dice.random() < 0.8,
    )
    return Person(number, account, circumstances)


async def settle(session: AsyncSession, folk: list[Person], rule_id: int) -> None:
    """Write people into an empty database; ``rule_id`` is whose proposal they rejected, if any."""
    rows = defaultdict[type[SQLModel], list[SQLModel]](list)
    for customer_id, person in enumerate(folk, start=1):
        for row in (
            *_customer(customer_id, person),
            *_open_items(customer_id, person),
            *_ladders(customer_id, person),
            *_agreements(customer_id, person),
            *_notices(customer_id, person, rule_id),
        ):
            rows[type(row)].append(row)
    order = {table: place for place, table in enumerate(SQLModel.metadata.sorted_tables)}
    for kind in sorted(rows, key=lambda k: order[k.__table__]):  # type: ignore[attr-defined]
        session.add_all(rows[kind])
        await session.flush()


def _customer(customer_id: int, person: Person) -> Iterator[SQLModel]:
    account, found = person.account, person.circumstances
    yield Customer(
        id=customer_id,
        customer_no=person.number,
        kind="b2b",
        name=person.number,
        email="a@b.example" if found.has_email else "",
        address={},
        created_at=AT,
        updated_at=AT,
    )
    yield Debtor(
        customer_id=customer_id,
        problematic=account.problematic,
        preferred_contact=account.preferred_contact,
        credit_limit=account.credit_limit,
        updated_at=AT,
        **{f"custom_field_{n}": t for n, t in enumerate(account.custom_fields, start=1)},
    )
    if found.blocked:
        yield _block(customer_id, "block", until=TODAY)
    # What is over, and what is yet to come, says nothing.
    yield _block(customer_id, "block", until=ago(1))
    yield _block(customer_id, "block", since=ago(-500))


def _open_items(customer_id: int, person: Person) -> Iterator[SQLModel]:
    for number, item in enumerate(person.account.items):
        name, key = f"{person.number}-{number}", customer_id * 10 + number
        yield InvoiceRow(
            id=key,
            invoice_no=name,
            type="imported",
            case_id=f"imported-{name}",
            customer_id=customer_id,
            issue_date=ago(60),
            due_date=item.due_date or TODAY,
            currency=item.currency,
            charged=item.open_amount,
            paid_at_issue=False,
            content={},
            created_at=AT,
        )
        yield JournalEntry(
            id=key, key=name, kind="opening_balance", valid_on=TODAY, known_at=AT, description=name
        )
        for account, sign in (("receivables", 1), ("opening_balance", -1)):
            yield Posting(
                entry_id=key,
                account=account,
                amount=sign * item.open_amount,
                currency=item.currency,
                customer_id=customer_id,
                invoice_id=key,
            )
        yield OpenItem(
            invoice_id=key,
            invoice_no=name,
            case_id=f"imported-{name}",
            customer_id=customer_id,
            due_date=item.due_date,
            currency=item.currency,
            amount=item.open_amount,
            open_amount=item.open_amount,
        )
        if item.disputed:
            yield _block(customer_id, "dispute", invoice_id=key)
        yield _block(customer_id, "dispute", invoice_id=key, lifted_at=AT)


def _ladders(customer_id: int, person: Person) -> Iterator[SQLModel]:
    yield DunningCaseRow(
        id=customer_id,
        customer_id=customer_id,
        level=3,
        notices_count=3,
        last_notice_on=ago(300),
        started_at=AT - timedelta(days=400),
        ended_at=AT - timedelta(days=200),
    )
    ladder = person.account.ladder
    if ladder != Ladder():
        yield DunningCaseRow(
            id=customer_id + 10_000,
            customer_id=customer_id,
            level=ladder.level,
            notices_count=ladder.notices,
            calls_count=ladder.calls,
            last_notice_on=ladder.last_notice_on,
            started_at=AT - timedelta(days=100),
        )


def _agreements(customer_id: int, person: Person) -> Iterator[SQLModel]:
    """Promises, calls, and tasks to call."""
    account = person.account
    for day in account.agreed_dates:
        yield _promise(customer_id, day, "open")
    yield _promise(customer_id, ago(3), "kept")
    if account.last_successful_call_on:
        for day, successful in ((account.last_successful_call_on, True), (TODAY, False)):
            yield DunningCall(
                customer_id=customer_id,
                called_on=day,
                successful=successful,
                outcome="reached" if successful else "not_reached",
                noted_at=AT,
                noted_by="anna",
            )
    tasks = [("dunning_call", "open")] * account.open_call_tasks
    for number, (kind, status) in enumerate((*tasks, ("dunning_call", "done"), ("other", "open"))):
        yield Task(
            key=f"{person.number}:{number}",
            kind=kind,
            title="",
            description="",
            assignee="anna",
            due=TODAY,
            status=status,
            case_id=f"dunning-{person.number}",
            context={},
            created_at=AT,
        )


def _notices(customer_id: int, person: Person, rule_id: int) -> Iterator[SQLModel]:
    found = person.circumstances
    yield _notice(customer_id, status="sent", sent_at=AT)
    if found.notice_pending:
        yield _notice(customer_id, status="approved")
    if found.rejected_until:
        yield _notice(
            customer_id, status="dropped", not_before=found.rejected_until, rule_id=rule_id
        )


def _block(customer_id: int, kind: str, **more: Any) -> DunningBlock:
    values = {"since": ago(5), "until": None, "reason": "?", "set_at": AT, "set_by": "anna"}
    return DunningBlock(customer_id=customer_id, kind=kind, **{**values, **more})


def _promise(customer_id: int, day: date, status: str) -> PaymentPromise:
    return PaymentPromise(
        customer_id=customer_id,
        kind="promise",
        due_date=day,
        currency="EUR",
        status=status,
        agreed_at=AT,
        agreed_by="anna",
    )


def _notice(customer_id: int, **more: Any) -> DunningNotice:
    return DunningNotice(
        customer_id=customer_id,
        dunning_case_id=customer_id,
        level=1,
        raises_level=True,
        channel="email",
        template="payment_reminder",
        amount=Decimal(5),
        currency="EUR",
        why="?",
        proposed_at=AT,
        **more,
    )
