"""Customers: who is who, and the lock that every posting and every letter takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from domain.invoicing import document_language
from domain.order import Order
from models.codec import dump_address
from models.store.sql import Statement
from models.tables import Customer

_HOLD = Statement("select from customer where id = :id for no key update")
_ENTER = Statement(r"""
select pg_advisory_xact_lock(hashtextextended(kind || '\:' || value, 0))
from unnest(cast(:kinds as text[]), cast(:identities as text[])) as given (kind, value)
where not exists (select from customer_identity i
  where i.kind = given.kind and i.value = given.value)
""")
# The newest data is taken over; what the order does not say stays.
_RECOGNISE = Statement("""
with identity as (select kind, value, n
    from unnest(cast(:kinds as text[]), cast(:identities as text[])) with ordinality
      as given (kind, value, n)),
  known as (select i.customer_id from customer_identity i join identity using (kind, value)
    order by n limit 1),
  seen as (update customer c set kind = :kind, name = :name,
      email = coalesce(nullif(:email, ''), c.email), phone = coalesce(nullif(:phone, ''), c.phone),
      vat_id = coalesce(nullif(:vat_id, ''), c.vat_id),
      language = coalesce(nullif(:language, ''), nullif(c.language, ''), :document_language),
      address = :address, updated_at = :at
    from known where c.id = known.customer_id returning c.id, c.customer_no),
  fresh as (insert into customer (customer_no, kind, name, email, phone, vat_id, language, address,
      created_at, updated_at)
    select 'K' || nextval('customer_number'), :kind, :name, :email, :phone, :vat_id,
      coalesce(nullif(:language, ''), :document_language), :address, :at, :at
    where not exists (select from known) returning id, customer_no),
  who as (select * from seen union all select * from fresh),
  kept as (insert into customer_identity (kind, value, customer_id)
    select identity.kind, identity.value, who.id from identity, who on conflict do nothing)
select id, customer_no from who
""")


@dataclass(frozen=True, slots=True)
class Recognised:
    """The customer of an order."""

    id: int
    customer_no: str


async def lock(session: AsyncSession, customer_id: int) -> Customer:
    """Lock the customer's row until the transaction ends (the settlement barrier) and return it."""
    query = select(Customer).where(Customer.id == customer_id).with_for_update(key_share=True)
    return (await session.exec(query)).one()


async def locked(session: AsyncSession, customer_no: str) -> Customer:
    """Return a customer as it is once its row is locked; NotFoundError if there is none.

    Read before it is locked, it may be older than the lock.
    """
    query = (
        select(Customer).where(Customer.customer_no == customer_no).with_for_update(key_share=True)
    )
    customer = (await session.exec(query.execution_options(populate_existing=True))).one_or_none()
    if customer is None:
        raise _unknown(customer_no)
    return customer


async def hold(session: AsyncSession, customer_id: int) -> None:
    """Take the same lock without reading the customer."""
    await _HOLD.run(session, id=customer_id)


async def get(session: AsyncSession, customer_no: str) -> Customer:
    """Return a customer; NotFoundError if there is none."""
    query = select(Customer).where(Customer.customer_no == customer_no)
    customer = (await session.exec(query)).one_or_none()
    if customer is None:
        raise _unknown(customer_no)
    return customer


def _unknown(customer_no: str) -> NotFoundError:
    return NotFoundError(f"There is no customer {customer_no}.")


async def list_all(session: AsyncSession) -> list[Customer]:
    """Return all customers by number."""
    return list(await session.exec(select(Customer).order_by(col(Customer.customer_no))))


async def recognise(session: AsyncSession, order: Order, at: datetime) -> Recognised:
    """Return the order's customer, locked and up to date; a new one gets a number.

    A customer is known by the shop's customer id, else by e-mail. Two that turn out to be one are
    merged by a person, never here. One order after the other may enter for an identity that is new;
    orders of a known one wait for the customer's row.
    """
    kinds, values = zip(*_identities(order), strict=True)
    buyer, billing = order.buyer, order.billing
    # Seen by the next statement: whoever entered for the same identity while we waited.
    await _ENTER.run(session, kinds=kinds, identities=values)
    row = await _RECOGNISE.one(
        session,
        kinds=kinds,
        identities=values,
        kind=buyer.kind,
        name=billing.company or buyer.company or billing.name or buyer.name,
        email=buyer.email,
        phone=buyer.phone,
        vat_id=buyer.vat_id,
        language=buyer.language,
        document_language=document_language(order),
        address=dump_address(billing),
        at=at,
    )
    return Recognised(row["id"], row["customer_no"])


def _identities(order: Order) -> list[tuple[str, str]]:
    found = []
    if order.buyer.external_id:
        found.append(("shop", f"{order.channel}:{order.buyer.external_id}"))
    if order.buyer.email:
        found.append(("email", order.buyer.email.casefold()))
    return found or [("order", f"{order.channel}:{order.order_no}")]


async def set_terms(session: AsyncSession, customer_no: str, days: int | None) -> None:
    """Agree payment terms of its own with a customer (F1); None: the company's again."""
    customer = await get(session, customer_no)
    customer.terms_days = days
