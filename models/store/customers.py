"""Customers: who is who, and the lock that every posting and every letter takes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from domain.invoicing import document_language
from domain.order import Order
from models.codec import dump_address
from models.tables import Customer, CustomerIdentity

_NUMBERS = "customer_number"


async def lock(session: AsyncSession, customer_id: int) -> Customer:
    """Lock the customer's row until the transaction ends (the settlement barrier) and return it."""
    query = select(Customer).where(Customer.id == customer_id).with_for_update()
    return (await session.exec(query)).one()


async def get(session: AsyncSession, customer_no: str) -> Customer:
    """Return a customer; NotFoundError if there is none."""
    query = select(Customer).where(Customer.customer_no == customer_no)
    customer = (await session.exec(query)).one_or_none()
    if customer is None:
        raise NotFoundError(f"There is no customer {customer_no}.")
    return customer


async def list_all(session: AsyncSession) -> list[Customer]:
    """Return all customers by number."""
    return list(await session.exec(select(Customer).order_by(col(Customer.customer_no))))


async def recognise(session: AsyncSession, order: Order, at: datetime) -> Customer:
    """Return the order's customer, locked and up to date; a new one gets a number.

    A customer is known by the shop's customer id, else by e-mail. Two that turn out to be one are
    merged by a person, never here. One order after the other may enter for one identity.
    """
    identities = _identities(order)
    for kind, value in identities:
        await session.exec(
            select(func.pg_advisory_xact_lock(func.hashtextextended(f"{kind}:{value}", 0)))
        )
    known = await _find(session, identities)
    customer = await (_update if known else _create)(session, known, order, at)
    await session.exec(
        insert(CustomerIdentity)
        .values([{"kind": k, "value": v, "customer_id": customer.id} for k, v in identities])
        .on_conflict_do_nothing()
    )
    return customer


def _identities(order: Order) -> list[tuple[str, str]]:
    found = []
    if order.buyer.external_id:
        found.append(("shop", f"{order.channel}:{order.buyer.external_id}"))
    if order.buyer.email:
        found.append(("email", order.buyer.email.casefold()))
    return found or [("order", f"{order.channel}:{order.order_no}")]


async def _find(session: AsyncSession, identities: list[tuple[str, str]]) -> int | None:
    for kind, value in identities:  # in this order: the shop's own id wins over the e-mail
        query = select(CustomerIdentity.customer_id).where(
            CustomerIdentity.kind == kind, CustomerIdentity.value == value
        )
        found = (await session.exec(query)).one_or_none()
        if found is not None:
            return found
    return None


async def _create(
    session: AsyncSession,
    _known: int | None,
    order: Order,
    at: datetime,
) -> Customer:
    number = (await session.exec(select(func.nextval(_NUMBERS)))).one()
    customer = Customer(
        customer_no=f"K{number}",
        address={},
        kind=order.buyer.kind,
        name="",
        created_at=at,
        updated_at=at,
    )
    _fill(customer, order, at)
    session.add(customer)
    await session.flush()
    return customer


async def _update(
    session: AsyncSession,
    known: int | None,
    order: Order,
    at: datetime,
) -> Customer:
    customer = await lock(session, known or 0)
    _fill(customer, order, at)
    await session.flush()
    return customer


def _fill(customer: Customer, order: Order, at: datetime) -> None:
    """Take the newest data over; what the order does not say stays."""
    buyer, billing = order.buyer, order.billing
    customer.kind = buyer.kind.value
    customer.name = billing.company or buyer.company or billing.name or buyer.name
    customer.email = buyer.email or customer.email
    customer.phone = buyer.phone or customer.phone
    customer.vat_id = buyer.vat_id or customer.vat_id
    customer.language = buyer.language or customer.language or document_language(order)
    customer.address = dump_address(billing)
    customer.updated_at = at


async def set_terms(session: AsyncSession, customer_no: str, days: int | None) -> None:
    """Agree payment terms of its own with a customer (F1); None: the company's again."""
    customer = await get(session, customer_no)
    customer.terms_days = days
