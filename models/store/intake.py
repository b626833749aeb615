"""Order intake: what a shop says becomes a fact once, however often and in whatever order.

Inbox row, order, case, receipt and outbox row commit together; only then is the shop answered.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from domain.company import Company
from domain.duplicates import content_digest, fingerprint
from domain.errors import ConflictError
from domain.order import Order, OrderPayment, PaymentStatus
from models.codec import dump_order, load_order
from models.store import cases, history, new_orders, outbox, payments, tasks
from models.store.new_orders import NewOrder
from models.store.payments import Receipt
from models.tables import CaseFile, Inbox, SalesOrder


class Outcome(StrEnum):
    """What an arriving version of an order turned out to be."""

    NEW = "new"
    KNOWN = "known"
    PAYMENT = "payment"
    CHANGED = "changed"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One document that arrived: where, under which event id, when, byte for byte."""

    channel: str
    event_id: str
    kind: str
    body: bytes
    at: datetime
    by: str


def case_id_of(channel: str, order_no: str) -> str:
    """Return the case's id, safe in addresses and shells: ``order-<channel>-<order no>``."""
    plain = order_no.lstrip("#")
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", plain)
    if safe == plain:
        return f"order-{channel}-{safe}"
    # What had to be replaced must not make two order numbers one.
    return f"order-{channel}-{safe}-{hashlib.sha256(plain.encode()).hexdigest()[:8]}"


async def remember(session: AsyncSession, arrival: Arrival) -> bool:
    """Put the document into the inbox; False if this event is there already.

    ConflictError if the event id is there with another content.
    """
    sha256 = hashlib.sha256(arrival.body).hexdigest()
    statement = (
        insert(Inbox)
        .values(
            channel=arrival.channel,
            event_id=arrival.event_id,
            kind=arrival.kind,
            body=arrival.body,
            sha256=sha256,
            received_at=arrival.at,
        )
        .on_conflict_do_nothing()
        .returning(col(Inbox.id))
    )
    if (await session.exec(statement)).scalar_one_or_none() is not None:
        return True
    query = select(Inbox.sha256).where(
        Inbox.channel == arrival.channel, Inbox.event_id == arrival.event_id
    )
    if (await session.exec(query)).one() != sha256:
        raise ConflictError(
            f"The event {arrival.event_id} of {arrival.channel} is known with another content."
        )
    return False


def told_digest(row: SalesOrder) -> str:
    """Return the digest of what was last taken over from the shop, whoever corrected it since."""
    return row.digest or content_digest(load_order(row.content))


async def accept_order(
    session: AsyncSession, order: Order, arrival: Arrival, company: Company, *, strict: bool
) -> tuple[str, Outcome]:
    """Take an order in; return its case id and what the document turned out to be.

    ``strict``: another content under a known number is a ConflictError (a person submits it and
    should be told); else the shop's newer word is taken as far as the case allows.
    """
    new = new_order(order, arrival, company)
    if await new_orders.store(session, [new]):
        return new.case_id, Outcome.NEW
    if not await remember(session, arrival):
        return new.case_id, Outcome.KNOWN
    outcome = await _known_order(session, order, new.case_id, arrival, company, strict=strict)
    return new.case_id, outcome


def new_order(order: Order, arrival: Arrival, company: Company) -> NewOrder:
    """Return the order as it is stored if it turns out to be new."""
    case_id = case_id_of(order.channel, order.order_no)
    receipt = _receipt(order, case_id, arrival, company)
    return new_orders.prepared(order, case_id, arrival, receipt)


def _receipt(
    order: Order, case_id: str, arrival: Arrival, company: Company, known: Decimal = Decimal(0)
) -> Receipt | None:
    """Return the money that the shop tells of and we do not know yet; None if there is none.

    The shop names the sum paid so far. What the provider, the bank or a person told before is part
    of it, so only the difference is new money.
    """
    told = order.payment
    paid = told.paid_amount
    if told.status is PaymentStatus.SUCCESSFUL and not paid:
        paid = order.total
    if paid <= known:
        return None
    name = told.transaction_id or f"{order.channel}:{order.order_no}"
    return Receipt(
        provider=told.provider or order.channel,
        transaction_id=f"{name}:{paid}" if known else name,
        amount=paid - known,
        currency=order.currency,
        valid_on=told.paid_on or local_date(arrival.at, company.time_zone),
        source="shop",
        case_id=case_id,
    )


async def _receive(
    session: AsyncSession, row: SalesOrder, order: Order, arrival: Arrival, company: Company
) -> bool:
    """Book what the shop says was paid since; return whether there was any."""
    known = await payments.received(session, row.case_id, order.currency)
    receipt = _receipt(order, row.case_id, arrival, company, known)
    if receipt is None:
        return False
    receipt = replace(receipt, customer_id=row.customer_id)
    _, new = await payments.receive(session, receipt, arrival.at, by=arrival.by)
    return new


async def _known_order(
    session: AsyncSession,
    order: Order,
    case_id: str,
    arrival: Arrival,
    company: Company,
    *,
    strict: bool,
) -> Outcome:
    query = select(SalesOrder).where(SalesOrder.case_id == case_id)
    row = (await session.exec(query)).one_or_none()
    if row is None or row.order_no != order.order_no:
        raise ConflictError(f"The order number {order.order_no} is too much like another one.")
    await cases.lock(session, case_id)
    await session.refresh(row, with_for_update={"key_share": True})
    same = told_digest(row) == content_digest(order)
    if strict and not same:
        raise ConflictError(
            f"Order {order.order_no} of {order.channel} is known with another content."
            f" Nothing was changed; correct it with `zahltag case correct {case_id} FIELD=VALUE`."
        )
    if order.modified_at < row.modified_at:
        return Outcome.STALE
    new_money = await _receive(session, row, order, arrival, company)
    today = local_date(arrival.at, company.time_zone)
    await _follow(session, row, order, arrival, today, same=same)
    if new_money:
        return Outcome.PAYMENT
    return Outcome.KNOWN if same else Outcome.CHANGED


async def _follow(
    session: AsyncSession,
    row: SalesOrder,
    order: Order,
    arrival: Arrival,
    today: date,
    *,
    same: bool,
) -> None:
    """Take the shop's newer word over while nothing was invoiced; afterwards a person decides."""
    at, case_id = arrival.at, row.case_id
    query = select(CaseFile).where(CaseFile.id == case_id)
    file = (await session.exec(query)).one()
    row.modified_at = order.modified_at
    if same:
        stored = load_order(row.content)
        if stored.payment == order.payment:
            return
        row.content = dump_order(replace(stored, payment=_later(stored.payment, order.payment)))
        text = f"The shop says of the payment: {order.payment.status}"
        history.note(session, case_id, at, "payment_status", text, arrival.by)
        await outbox.tell(session, case_id, "order_changed", at, outbox_id=arrival.event_id)
    elif file.invoice_no is None and file.closed_at is None and row.revision == 1:
        row.content, row.digest = dump_order(order), None
        row.total, row.currency = order.total, order.currency
        row.fingerprint = fingerprint(order)
        row.revision += 1
        history.note(
            session, case_id, at, "order_changed", "The shop sent a newer version", arrival.by
        )
        await outbox.tell(session, case_id, "order_changed", at, outbox_id=arrival.event_id)
    else:
        await tasks.create(
            session,
            key=f"{case_id}:order_changed:{content_digest(order)[:16]}",
            kind="order_changed",
            title=f"Order {order.order_no} was changed in the shop",
            description="The shop sent another content after the order was corrected or invoiced."
            " Compare both, and correct or cancel where needed.",
            assignee="admin",
            due=today + timedelta(days=2),
            case_id=case_id,
            at=at,
            context={"event_id": arrival.event_id},
        )


def _later(known: OrderPayment, told: OrderPayment) -> OrderPayment:
    """Merge what is newly told of the payment into what is known; a due date once agreed stays."""
    return replace(told, due_date=told.due_date or known.due_date)
