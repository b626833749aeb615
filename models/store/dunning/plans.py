"""Plans of instalments (Ratenzahlung): one open per customer; changed by cancelling it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.dunning.instalments import FEWEST, MOST, Every, split
from domain.errors import ConflictError, NotFoundError, RefusedError
from domain.money import round_amount
from models.dunning_tables import PaymentAgreement
from models.store import customers, history
from models.store.dunning import agreements, promises
from models.store.dunning.agreements import INSTALMENTS, Agreement
from models.store.dunning.telling import case_id_of, tell


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What is agreed: ``total`` None is all that is owed and not disputed."""

    count: int
    first: date
    every: Every
    total: Decimal | None = None
    currency: str | None = None


async def create(
    session: AsyncSession,
    customer_no: str,
    request: PlanRequest,
    company: Company,
    *,
    today: date,
    at: datetime,
    by: str,
) -> bool:
    """Agree on instalments; False if exactly these are open. An open promise is replaced."""
    customer = await customers.locked(session, customer_no)
    customer_id = customer.id or 0
    known = await agreements.current(session, customer_id)
    if known and known.row.kind == INSTALMENTS:
        if _is_the_same(known, request):
            return False
        raise ConflictError(
            f"Other instalments are agreed with customer {customer_no}: cancel them first with"
            f" `zahltag instalments cancel {customer_no} --reason ...`."
        )
    if not FEWEST <= request.count <= MOST:
        raise RefusedError(f"A plan has {FEWEST} to {MOST} instalments.")
    await promises.refuse_insolvent(session, customer_no)
    promises.check_day(request.first, today, "first instalment's date")
    items = await agreements.owed(session, customer_id)
    currency = promises.currency_of(items, request.currency, company.currency, customer_no)
    about = [item for item in items if item.currency == currency]
    if request.total is None:
        about = await agreements.undisputed(session, about)
        if not about:
            raise RefusedError(f"Customer {customer_no} disputes all that is owed: name a total.")
    owed = sum((item.open_amount for item in about), Decimal(0))
    total = round_amount(owed, currency) if request.total is None else request.total
    promises.check_amount(total, currency, about, customer_no)
    try:
        rows = split(total, currency, count=request.count, first=request.first, every=request.every)
    except ValueError as error:
        raise RefusedError(
            f"{total} {currency} cannot be paid in {request.count} instalments: take fewer."
        ) from error
    if known:
        agreements.end(known, ended_as="replaced", at=at, by=by)
        await session.flush()
        said = f"The promise for {known.dates[0].due_date} is replaced by instalments"
        history.note(session, case_id_of(customer_no), at, "promise_replaced", said, by)
    agreement = PaymentAgreement(
        customer_id=customer_id,
        kind=INSTALMENTS,
        total=total,
        currency=currency,
        every=request.every.value,
        agreed_at=at,
        agreed_by=by,
    )
    await agreements.make(session, agreement, rows, about)
    said = (
        f"{request.count} instalments agreed over {total:.2f} {currency}, from {request.first} on,"
        f" one a {request.every}"
    )
    history.note(session, case_id_of(customer_no), at, "instalments_agreed", said, by)
    await tell(session, customer_id, at, f"agreement-{agreement.id}")
    return True


async def cancel(
    session: AsyncSession, customer_no: str, *, reason: str, at: datetime, by: str
) -> bool:
    """End the open plan; False if the last one was cancelled before. What was paid stays paid."""
    customer = await customers.locked(session, customer_no)
    known = await show(session, customer_no)
    if known.status == "withdrawn":
        return False
    if known.status != "open":
        raise ConflictError(f"The instalments of customer {customer_no} are paid: nothing is left.")
    agreements.end(known, ended_as="withdrawn", at=at, by=by, reason=reason)
    said = "The instalments are cancelled"
    history.note(session, case_id_of(customer_no), at, "instalments_cancelled", said, by)
    await tell(session, customer.id or 0, at, f"agreement-{known.row.id}-withdrawn")
    return True


async def show(session: AsyncSession, customer_no: str) -> Agreement:
    """Return the customer's open plan, else the last one; NotFoundError if there never was one."""
    customer = await customers.get(session, customer_no)
    found = await agreements.latest(session, customer.id or 0, INSTALMENTS)
    if found is None:
        raise NotFoundError(f"No instalments were agreed with customer {customer_no}.")
    return found


def every(text: str) -> Every:
    """Read how far instalments lie apart; RefusedError says what is allowed."""
    spoken = {"weekly": Every.WEEK, "monthly": Every.MONTH, **{one.value: one for one in Every}}
    if text not in spoken:
        raise RefusedError(f"Instalments are paid every {' or '.join(Every)}, not {text[:60]!r}.")
    return spoken[text]


def _is_the_same(known: Agreement, request: PlanRequest) -> bool:
    row = known.row
    return (
        (row.every, len(known.dates), known.dates[0].due_date)
        == (request.every.value, request.count, request.first)
        and request.total in {None, row.total}
        and request.currency in {None, row.currency}
    )
