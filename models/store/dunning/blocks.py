"""What keeps dunning away because people say so: blocks of a customer or of one invoice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import RowMapping, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from domain.errors import ConflictError, NotFoundError, RefusedError
from models.dunning_tables import DunningBlock
from models.store import customers, history
from models.store.dunning.telling import case_id_of, tell
from models.tables import Customer, InvoiceRow, OpenItem

BLOCK = "block"
DISPUTE = "dispute"
INSOLVENCY = "insolvency"
FARTHEST = timedelta(days=5 * 366)

_LIST = text("""
select b.id, c.customer_no, c.name, i.invoice_no, b.kind, b.since, b.until, b.reason, b.set_by,
       coalesce(t.open_amount, 0) as open_amount, i.currency
from dunning_block b join customer c on c.id = b.customer_id
left join invoice i on i.id = b.invoice_id left join open_item t on t.invoice_id = b.invoice_id
where b.lifted_at is null and (b.until is null or b.until >= cast(:today as date))
  and b.kind = any(cast(:kinds as text[]))
  and (cast(:number as text) is null or c.customer_no = :number)
order by b.since, b.id
""")


@dataclass(frozen=True, slots=True)
class Subject:
    """Who, or which invoice of whom, is meant; the customer is locked."""

    customer: Customer
    invoice_id: int | None = None
    invoice_no: str | None = None

    @property
    def name(self) -> str:
        """Say what is meant, for sentences."""
        if self.invoice_no is None:
            return f"Customer {self.customer.customer_no}"
        return f"Invoice {self.invoice_no}"


async def of_customer(
    session: AsyncSession, customer_no: str, invoice_no: str | None = None
) -> Subject:
    """Lock a customer and return it, or one invoice of it, as what is to be blocked."""
    customer = await customers.locked(session, customer_no)
    if invoice_no is None:
        return Subject(customer)
    invoice = await _invoice(session, invoice_no)
    if invoice.customer_id != customer.id:
        raise RefusedError(f"The invoice {invoice_no} is not one of customer {customer_no}.")
    return Subject(customer, invoice.id, invoice_no)


async def of_invoice(session: AsyncSession, invoice_no: str) -> Subject:
    """Lock the customer of an invoice and return the invoice as what is disputed."""
    invoice = await _invoice(session, invoice_no)
    return Subject(await customers.lock(session, invoice.customer_id), invoice.id, invoice_no)


async def block(
    session: AsyncSession,
    subject: Subject,
    *,
    until: date | None,
    reason: str,
    today: date,
    at: datetime,
    by: str,
) -> bool:
    """Keep dunning away until a day, or until it is lifted; False if exactly so already."""
    known = await current(session, subject, BLOCK, today)
    if known is not None:
        if (known.until, known.reason) == (until, reason):
            return False
        raise ConflictError(
            f"{subject.name} is blocked already{_until(known.until)}, with another reason or date:"
            f" lift that first with `zahltag block lift {_words(subject)}`."
        )
    if until is not None and not today <= until <= today + FARTHEST:
        raise RefusedError(
            f"The last day of a block must lie between {today} and {today + FARTHEST}; leave it"
            " out for a block without an end."
        )
    if subject.invoice_id is not None:
        await refuse_paid(session, subject)
    said = f"Dunning of {_object(subject)} is blocked{_until(until)}"
    await put(session, subject, BLOCK, since=today, until=until, reason=reason, at=at, by=by)
    await note(session, subject, "block_set", said, at=at, by=by)
    return True


async def lift(
    session: AsyncSession, subject: Subject, *, today: date, at: datetime, by: str
) -> bool:
    """Let dunning go on; False if the block was lifted before or has run out."""
    known = await current(session, subject, BLOCK, today)
    if known is not None:
        known.lifted_at, known.lifted_by = at, by
        await note(
            session, subject, "block_lifted", f"The block is lifted{_of(subject)}", at=at, by=by
        )
        return True
    number = subject.customer.customer_no
    if subject.invoice_id is None and await current(session, subject, INSOLVENCY, today):
        raise ConflictError(
            f"Customer {number} is insolvent, which is no block that can be lifted: where that is"
            f" over or was a mistake, say `zahltag customer solvent {number}`."
        )
    if subject.invoice_id is not None and await current(session, subject, DISPUTE, today):
        raise ConflictError(
            f"{subject.name} is disputed, not blocked: end that with"
            f" `zahltag dispute close {subject.invoice_no} --outcome ...`."
        )
    if await last(session, subject, BLOCK) is None:
        raise ConflictError(f"{subject.name} is not blocked; `zahltag block list` shows blocks.")
    return False


async def current(
    session: AsyncSession, subject: Subject, kind: str, today: date
) -> DunningBlock | None:
    """Return what holds now for exactly this customer or invoice; None if nothing does."""
    query = _of_subject(subject, kind).where(
        col(DunningBlock.lifted_at).is_(None),
        col(DunningBlock.until).is_(None) | (col(DunningBlock.until) >= today),
    )
    return (await session.exec(query.limit(1))).one_or_none()


async def last(session: AsyncSession, subject: Subject, kind: str) -> DunningBlock | None:
    """Return the last one of a kind, whatever became of it."""
    return (await session.exec(_of_subject(subject, kind).limit(1))).one_or_none()


async def put(
    session: AsyncSession,
    subject: Subject,
    kind: str,
    *,
    since: date,
    until: date | None,
    reason: str,
    at: datetime,
    by: str,
) -> None:
    """Store a block of any kind."""
    session.add(
        DunningBlock(
            customer_id=subject.customer.id or 0,
            invoice_id=subject.invoice_id,
            kind=kind,
            since=since,
            until=until,
            reason=reason,
            set_at=at,
            set_by=by,
        )
    )
    await session.flush()


async def note(
    session: AsyncSession, subject: Subject, event: str, said: str, *, at: datetime, by: str
) -> None:
    """Write the history line and let the dunning case look again."""
    history.note(session, case_id_of(subject.customer.customer_no), at, event, said, by)
    await tell(session, subject.customer.id or 0, at, f"{event}-{at.isoformat()}")


async def list_current(
    session: AsyncSession, kinds: Sequence[str], today: date, customer_no: str | None = None
) -> Sequence[RowMapping]:
    """Return what holds today, oldest first: of all customers or of one."""
    values = {"kinds": list(kinds), "today": today, "number": customer_no}
    return (await session.execute(_LIST, values)).mappings().all()


def _of_subject(subject: Subject, kind: str) -> SelectOfScalar[DunningBlock]:
    return (
        select(DunningBlock)
        .where(
            DunningBlock.customer_id == (subject.customer.id or 0),
            col(DunningBlock.invoice_id).is_not_distinct_from(subject.invoice_id),
            DunningBlock.kind == kind,
        )
        .order_by(col(DunningBlock.id).desc())
    )


async def _invoice(session: AsyncSession, invoice_no: str) -> InvoiceRow:
    query = select(InvoiceRow).where(InvoiceRow.invoice_no == invoice_no)
    found = (await session.exec(query)).one_or_none()
    if found is None:
        raise NotFoundError(f"There is no invoice {invoice_no}; `zahltag invoice list` shows them.")
    return found


async def refuse_paid(session: AsyncSession, subject: Subject) -> None:
    """Refuse an invoice on which nothing is open."""
    query = select(col(OpenItem.open_amount)).where(col(OpenItem.invoice_id) == subject.invoice_id)
    open_amount = (await session.exec(query)).one_or_none()
    if not open_amount:
        raise ConflictError(
            f"Nothing is open on invoice {subject.invoice_no}: it is not dunned anyway."
        )


def _until(until: date | None) -> str:
    return f" until {until}" if until else ""


def _of(subject: Subject) -> str:
    return f" of {_object(subject)}" if subject.invoice_no else ""


def _object(subject: Subject) -> str:
    return f"invoice {subject.invoice_no}" if subject.invoice_no else "the customer"


def _words(subject: Subject) -> str:
    option = f" --invoice {subject.invoice_no}" if subject.invoice_no else ""
    return f"{subject.customer.customer_no}{option}"
