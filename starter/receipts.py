"""Money comes in: recorded by a person, or told by a signed notice. A receipt is never lost.

Which case it is for is looked up here; what it settles is the case's business.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.payments import PaymentEventType, PaymentNotice
from domain.calendar import local_date
from domain.company import Company
from domain.errors import ConflictError, NotFoundError
from domain.money import minor_units
from models.store import company, history, intake, payments, targets, tasks
from models.store.database import Database
from models.store.intake import Arrival
from models.store.payments import Receipt
from models.store.targets import Target
from models.tables import Payment
from starter.imported_receipts import settle_imported
from starter.payment_checks import MANUAL, Entry, checked, day_problems, money_problems, refuse


@dataclass(frozen=True, slots=True)
class Noticed:
    """What became of a notice: the payment, its case, and what it turned out to be."""

    payment_id: int | None
    case_id: str | None
    outcome: str


async def record(
    database: Database, entry: Entry, *, at: datetime, by: str
) -> tuple[Payment, bool]:
    """Book what a person saw arrive; return the payment and whether it is new.

    Known by its reference: the same again changes nothing, another content is a ConflictError.
    """
    async with database.transaction() as session:
        today = local_date(at, (await company.get(session)).time_zone)
        receipt = checked(entry, today)
        target = await targets.of_invoice(session, entry.invoice_no)
        if target is None:
            raise NotFoundError(
                f"There is no invoice {entry.invoice_no}; `zahltag invoice list` shows them."
            )
        receipt = replace(
            receipt,
            case_id=None if target.imported else target.case_id,
            customer_id=target.customer_id,
        )
        payment, new = await payments.receive(session, receipt, at, by=by)
        if target.imported:
            await settle_imported(session, payment, receipt, target, at, by=by, new=new)
        other_day = entry.date is not None and payment.valid_on != receipt.valid_on
        if not new and other_day and payment.provider == MANUAL:
            raise ConflictError(
                f"The payment {entry.reference} is known with the date {payment.valid_on}, not"
                f" {receipt.valid_on}. Nothing was changed."
            )
        return payment, new


async def take_notice(database: Database, notice: PaymentNotice, arrival: Arrival) -> Noticed:
    """Take in a payment notice of a provider, bank or till; its signature was checked already."""
    async with database.transaction() as session:
        firm = await company.get(session)
        problems = money_problems(notice.amount, notice.currency)
        problems += day_problems(
            notice.valid_on, local_date(arrival.at, firm.time_zone), "valid_on"
        )
        refuse(problems)
        known = not await intake.remember(session, arrival)
        target = await _target(session, notice)
        case_id = target.case_id if target else None
        if known:
            return Noticed(None, case_id, "known")
        if notice.type is PaymentEventType.FAILED:
            await _note_failure(session, notice, case_id, arrival.at, firm)
            return Noticed(None, case_id, "failure_noted")
        return await _receive(session, notice, target, arrival, firm)


async def _target(session: AsyncSession, notice: PaymentNotice) -> Target | None:
    if notice.invoice_no:
        found = await targets.of_invoice(session, notice.invoice_no)
        if found:
            return found
    if notice.order_no:
        return await targets.of_order(session, notice.channel, notice.order_no)
    return None


async def _receive(
    session: AsyncSession,
    notice: PaymentNotice,
    target: Target | None,
    arrival: Arrival,
    firm: Company,
) -> Noticed:
    receipt = Receipt(
        provider=notice.provider,
        transaction_id=notice.transaction_id,
        amount=notice.amount,
        currency=notice.currency,
        valid_on=notice.valid_on,
        source="webhook",
        reference=notice.reference,
        invoice_no=notice.invoice_no,
        payer_name=notice.payer_name,
        payer_iban=notice.payer_iban,
        case_id=target.case_id if target and not target.imported else None,
        customer_id=target.customer_id if target else None,
    )
    try:
        payment, new = await payments.receive(session, receipt, arrival.at, by=arrival.by)
        if target and target.imported:
            await settle_imported(
                session, payment, receipt, target, arrival.at, by=arrival.by, new=new
            )
            return Noticed(payment.id, None, "received" if new else "known")
    except ConflictError as conflict:
        # The sender could repeat it for ever: a person has to ask which of the two words is true.
        await _ask_about_conflict(
            session, notice, arrival, firm, case_id=receipt.case_id, why=conflict.message
        )
        return Noticed(None, receipt.case_id, "conflict")
    if payment.case_id is None:
        await _ask_whose(session, payment, arrival.at, firm)
    outcome = "known" if not new else "received" if payment.case_id else "on_account"
    return Noticed(payment.id, payment.case_id, outcome)


async def _ask_whose(session: AsyncSession, payment: Payment, at: datetime, firm: Company) -> None:
    await tasks.create(
        session,
        key=f"payment-{payment.id}:unassigned",
        kind="payment_unassigned",
        title=f"Find out whose payment {payment.id} is",
        description="Money came in that names no invoice and no order we know. It is booked and"
        " stays on account until somebody says what it is for.",
        assignee=tasks.assignee(firm, "accounting"),
        due=tasks.within(local_date(at, firm.time_zone), 2),
        case_id=None,
        at=at,
        context={"payment_id": payment.id},
    )


async def _ask_about_conflict(
    session: AsyncSession,
    notice: PaymentNotice,
    arrival: Arrival,
    firm: Company,
    *,
    case_id: str | None,
    why: str,
) -> None:
    await tasks.create(
        session,
        key=f"payment-conflict:{arrival.channel}:{notice.event_id}",
        kind="payment_conflict",
        title=f"Two words about the payment {notice.transaction_id[:80]}",
        description=f"{why} Ask {notice.provider} which is true.",
        assignee=tasks.assignee(firm, "accounting"),
        due=tasks.within(local_date(arrival.at, firm.time_zone), 2),
        case_id=case_id,
        at=arrival.at,
        context={"event_id": notice.event_id},
    )


async def _note_failure(
    session: AsyncSession,
    notice: PaymentNotice,
    case_id: str | None,
    at: datetime,
    firm: Company,
) -> None:
    """Note that an attempt failed. No money moved, so nothing is booked: a person looks at it."""
    tried = f"{notice.amount:.{minor_units(notice.currency)}f} {notice.currency}"
    if case_id:
        text = f"A payment of {tried} by {notice.provider} failed"
        history.note(session, case_id, at, "payment_failed", text, f"channel {notice.provider}")
    await tasks.create(
        session,
        key=f"payment-failed:{notice.provider}:{notice.transaction_id}",
        kind="payment_attempt_failed",
        title=f"A payment of {tried} failed",
        description="The provider says that an attempt to pay failed. Ask the customer to pay"
        " another way if no other payment arrives.",
        assignee=tasks.assignee(firm, "customer care"),
        due=tasks.within(local_date(at, firm.time_zone), 2),
        case_id=case_id,
        at=at,
        context={"provider": notice.provider, "transaction_id": notice.transaction_id},
    )
