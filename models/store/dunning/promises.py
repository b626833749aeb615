"""Promises to pay (Zahlungszusagen): one open per customer; a newer one replaces it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import ConflictError, NotFoundError, RefusedError
from domain.money import minor_units, round_amount
from models.dunning_tables import PaymentAgreement, PaymentPromise
from models.store import customers, history
from models.store.dunning import agreements
from models.store.dunning.agreements import INSTALMENTS, PROMISE, Agreement
from models.store.dunning.telling import case_id_of, tell
from models.store.sql import Statement
from models.tables import OpenItem

FARTHEST = timedelta(days=366)
_INSOLVENT = Statement("""
select from dunning_block b join customer c on c.id = b.customer_id
where c.customer_no = :customer_no and b.kind = 'insolvency' and b.lifted_at is null
""")


@dataclass(frozen=True, slots=True)
class Promise:
    """What a customer promises: ``amount`` None is all that is due by that day."""

    day: date
    amount: Decimal | None = None
    currency: str | None = None


async def add(
    session: AsyncSession,
    customer_no: str,
    promise: Promise,
    company: Company,
    *,
    today: date,
    at: datetime,
    by: str,
) -> bool:
    """Record a promise; False if exactly that one is open. Another open one is replaced."""
    customer = await customers.locked(session, customer_no)
    customer_id = customer.id or 0
    known = await agreements.current(session, customer_id)
    if known and known.row.kind == INSTALMENTS:
        raise ConflictError(
            f"Instalments are agreed with customer {customer_no}: cancel them first with"
            f" `zahltag instalments cancel {customer_no} --reason ...`."
        )
    if known and _is_the_same(known, promise):
        return False
    await refuse_insolvent(session, customer_no)
    check_day(promise.day, today, "payment date")
    items = await agreements.owed(session, customer_id)
    currency = currency_of(items, promise.currency, company.currency, customer_no)
    about = [item for item in items if item.currency == currency]
    if promise.amount is None:
        about = _due_by(await agreements.undisputed(session, about), promise.day, customer_no)
    else:
        check_amount(promise.amount, currency, about, customer_no)
    if known:
        agreements.end(known, ended_as="replaced", at=at, by=by)
        await session.flush()
        said = f"The promise for {known.dates[0].due_date} is replaced"
        history.note(session, case_id_of(customer_no), at, "promise_replaced", said, by)
    agreement = PaymentAgreement(
        customer_id=customer_id,
        kind=PROMISE,
        total=promise.amount,
        currency=currency,
        agreed_at=at,
        agreed_by=by,
    )
    await agreements.make(session, agreement, promise.day, about)
    what = "all that is due" if promise.amount is None else f"{promise.amount:.2f} {currency}"
    said = f"The customer promised to pay {what} by {promise.day}"
    history.note(session, case_id_of(customer_no), at, "promise_added", said, by)
    await tell(session, customer_id, at, f"agreement-{agreement.id}")
    return True


async def remove(
    session: AsyncSession, customer_no: str, promise_id: int | None, *, at: datetime, by: str
) -> bool:
    """Withdraw the customer's open promise; False if it was withdrawn before."""
    customer = await customers.locked(session, customer_no)
    customer_id = customer.id or 0
    known = await agreements.current(session, customer_id)
    if promise_id is not None and (known is None or known.dates[0].id != promise_id):
        return await _earlier(session, customer_id, customer_no, promise_id)
    if known is None:
        last = await agreements.latest(session, customer_id, PROMISE)
        if last and last.status == "withdrawn":
            return False
        raise ConflictError(
            f"No promise of customer {customer_no} is open; `zahltag promise list` shows them."
        )
    if known.row.kind == INSTALMENTS:
        raise _is_instalment(customer_no)
    agreements.end(known, ended_as="withdrawn", at=at, by=by)
    said = f"The promise for {known.dates[0].due_date} is withdrawn"
    history.note(session, case_id_of(customer_no), at, "promise_removed", said, by)
    await tell(session, customer_id, at, f"agreement-{known.row.id}-withdrawn")
    return True


async def show(session: AsyncSession, customer_no: str) -> Agreement:
    """Return the customer's last promise; NotFoundError if there never was one."""
    customer = await customers.get(session, customer_no)
    found = await agreements.latest(session, customer.id or 0, PROMISE)
    if found is None:
        raise NotFoundError(f"Customer {customer_no} has promised nothing.")
    return found


async def _earlier(
    session: AsyncSession, customer_id: int, customer_no: str, promise_id: int
) -> bool:
    """Say what became of a promise that is not the open one; False if it was withdrawn."""
    query = select(PaymentPromise).where(
        PaymentPromise.id == promise_id, PaymentPromise.customer_id == customer_id
    )
    found = (await session.exec(query)).one_or_none()
    if found is None:
        raise NotFoundError(
            f"Customer {customer_no} has no promise {promise_id}; `zahltag promise list` shows"
            " them."
        )
    if found.kind != PROMISE:
        raise _is_instalment(customer_no)
    if found.status == "withdrawn":
        return False
    raise ConflictError(f"The promise {promise_id} is {found.status}: it stays in the history.")


def _is_instalment(customer_no: str) -> ConflictError:
    return ConflictError(
        f"This is an instalment of a plan, which ends as a whole:"
        f" `zahltag instalments cancel {customer_no} --reason ...`."
    )


def _is_the_same(known: Agreement, promise: Promise) -> bool:
    return (
        known.dates[0].due_date == promise.day
        and known.row.total == promise.amount
        and promise.currency in {None, known.row.currency}
    )


async def refuse_insolvent(session: AsyncSession, customer_no: str) -> None:
    """Refuse to agree with an insolvent customer: it may no longer pay single creditors."""
    if await _INSOLVENT.row(session, customer_no=customer_no) is not None:
        raise ConflictError(
            f"Customer {customer_no} is insolvent: file the claims with the administrator; if that"
            f" is over or was a mistake, say `zahltag customer solvent {customer_no}` first."
        )


def check_day(day: date, today: date, what: str) -> None:
    """Refuse a day that is past or more than a year away."""
    if not today <= day <= today + FARTHEST:
        raise RefusedError(f"The {what} must lie between {today} and {today + FARTHEST}.")


def currency_of(items: Sequence[OpenItem], given: str | None, home: str, customer_no: str) -> str:
    """Return the currency that is meant: the given one, the only one, or the company's."""
    owed = {item.currency for item in items}
    if not owed:
        raise ConflictError(f"Customer {customer_no} owes nothing: there is nothing to agree on.")
    if given is not None and given not in owed:
        raise RefusedError(
            f"Customer {customer_no} owes nothing in {given}; name one of"
            f" {', '.join(sorted(owed))} as the currency."
        )
    if given is None and len(owed) > 1 and home not in owed:
        raise RefusedError(
            f"Customer {customer_no} owes in {' and '.join(sorted(owed))}: name the currency."
        )
    return given or (home if home in owed else owed.pop())


def check_amount(
    amount: Decimal, currency: str, items: Sequence[OpenItem], customer_no: str
) -> None:
    """Refuse a sum that is no money in that currency or more than the customer owes."""
    owed = sum((item.open_amount for item in items), Decimal(0))
    if amount <= 0 or round_amount(amount, currency) != amount:
        raise RefusedError(
            f"The amount must be above 0, with at most {minor_units(currency)} decimals in"
            f" {currency}."
        )
    if amount > owed:
        raise RefusedError(
            f"Customer {customer_no} owes {round_amount(owed, currency)} {currency}: agree on that"
            " sum or less."
        )


def _due_by(items: Sequence[OpenItem], day: date, customer_no: str) -> list[OpenItem]:
    due = [item for item in items if item.due_date is not None and item.due_date <= day]
    if not due:
        raise RefusedError(
            f"Nothing that customer {customer_no} owes and does not dispute is due by {day}: name"
            " an amount, or a later date."
        )
    return due
