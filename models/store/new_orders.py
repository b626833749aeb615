"""New orders, stored as they come: one statement for one order or for many that arrived together.

What is not plainly new (a known event or order) is left alone: ``models.store.intake`` looks at
that one by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.duplicates import fingerprint
from domain.order import Order
from domain.order_case import Status
from models.codec import order_json
from models.store import ledger, outbox
from models.store.database import Database
from models.store.payments import Receipt, receive
from models.store.sql import Row, Statement

if TYPE_CHECKING:
    from models.store.intake import Arrival


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order that may be new, as it will be stored, and the money that came with it."""

    case_id: str
    row: tuple[Any, ...]
    receipt: Receipt | None
    at: datetime
    by: str


def prepared(order: Order, case_id: str, arrival: Arrival, receipt: Receipt | None) -> NewOrder:
    """Work out everything that is to be stored; the database is not asked yet."""
    row = {
        "case_id": case_id,
        "channel": arrival.channel,
        "event_id": arrival.event_id,
        "kind": arrival.kind,
        "body": arrival.body,
        "sha256": hashlib.sha256(arrival.body).hexdigest(),
        "at": arrival.at,
        "actor": arrival.by,
        "order_no": order.order_no,
        "source": order.source,
        "currency": order.currency,
        "total": order.total,
        "content": order_json(order),
        "fingerprint": fingerprint(order),
        "placed_at": order.placed_at,
        "modified_at": order.modified_at,
        "payment_status": order.payment.status.value,
        "said": f"Order {order.order_no} taken in from {order.channel} ({order.source})",
        "provider": receipt and receipt.provider,
        "transaction_id": receipt and receipt.transaction_id,
        "amount": receipt and receipt.amount,
        "valid_on": receipt and receipt.valid_on,
        "paid_said": receipt and f"{receipt.amount:.2f} {receipt.currency} received (shop)",
    }
    return NewOrder(case_id, tuple(row[name] for name in _COLUMNS), receipt, arrival.at, arrival.by)


async def store(session: AsyncSession, orders: Sequence[NewOrder]) -> set[int]:
    """Store those that are plainly new, with their cases; return their places in the sequence.

    Of several for one case only the first is. What commits at the same time elsewhere under one of
    the unique keys can make the whole statement fail (an integrity error): try again one by one.
    """
    stored = await _STORE.rows(session, **_columns(orders))
    for row in stored:
        new = orders[row["place"] - 1]
        if new.receipt and not row["booked"]:  # somebody told of that money before the order came
            await receive(session, new.receipt, new.at, by=new.by)
    return _places(stored)


async def commit(database: Database, orders: Sequence[NewOrder]) -> set[int]:
    """Do what ``store`` does, in a transaction of its own."""
    if any(order.receipt for order in orders):
        async with database.transaction() as session:
            return await store(session, orders)
    return _places(await database.at_once(_STORE, **_columns(orders)))


def _columns(orders: Sequence[NewOrder]) -> dict[str, list[Any]]:
    values = zip(*(order.row for order in orders), strict=True)
    return {name: list(column) for name, column in zip(_COLUMNS, values, strict=True)}


def _places(stored: Sequence[Row]) -> set[int]:
    return {row["place"] - 1 for row in stored}


_COLUMNS = {
    "case_id": "text",
    "channel": "text",
    "event_id": "text",
    "kind": "text",
    "body": "bytea",
    "sha256": "text",
    "at": "timestamptz",
    "actor": "text",
    "order_no": "text",
    "source": "text",
    "currency": "text",
    "total": "numeric",
    "content": "text",
    "fingerprint": "text",
    "placed_at": "timestamptz",
    "modified_at": "timestamptz",
    "payment_status": "text",
    "said": "text",
    "provider": "text",
    "transaction_id": "text",
    "amount": "numeric",
    "valid_on": "date",
    "paid_said": "text",
}

_STORE = Statement(f"""
with given as (
  select * from unnest({", ".join(f"cast(:{n} as {t}[])" for n, t in _COLUMNS.items())})
  with ordinality as given ({", ".join(_COLUMNS)}, place)
), plain as (
  select distinct on (case_id) * from given
  where not exists (select from inbox i
                    where i.channel = given.channel and i.event_id = given.event_id)
  order by case_id, place
), ordered as (
  insert into sales_order (channel, order_no, source, case_id, currency, total, content,
    fingerprint, placed_at, modified_at, received_at, revision, checked_revision, hold_reason)
  select channel, order_no, source, case_id, currency, total, cast(content as jsonb),
    fingerprint, placed_at, modified_at, at, 1, 0, ''
  from plain order by case_id  -- two batches that meet take their locks in one order
  on conflict do nothing returning id, case_id
), taken as (
  select plain.*, ordered.id as order_id from plain join ordered using (case_id)
), boxed as (
  insert into inbox (channel, event_id, kind, body, sha256, received_at)
  select channel, event_id, kind, body, sha256, at from taken order by channel, event_id
), opened as (
  insert into case_file (id, kind, order_id, channel, order_no, status, payment_status,
    fulfilment_status, return_status, accounting_status, amount_due, currency, next_step, why,
    waiting_for, needs_attention, overdue_noted, opened_at, updated_at)
  select case_id, 'order', order_id, channel, order_no, '{Status.CHECKING}', payment_status,
    'not_tracked', 'none', 'not_invoiced', total, currency,
    'check the order and the customer''s data', 'the order has not been checked yet',
    'nothing', false, false, at, at
  from taken
), paid as (
  insert into payment (provider, transaction_id, amount, currency, unallocated, valid_on,
    received_at, source, reference, invoice_no, payer_name, payer_iban, case_id)
  select provider, transaction_id, amount, currency, amount, valid_on,
    at, 'shop', '', '', '', '', case_id
  from taken where amount is not null and not exists (
    select from payment p
    where p.provider = taken.provider and p.transaction_id = taken.transaction_id)
  order by provider, transaction_id
  returning id, case_id, provider, amount, currency, valid_on, received_at
), entered as (
  insert into journal_entry (key, kind, valid_on, known_at, case_id, description)
  select 'payment-' || id || '\\:received', '{ledger.EntryKind.PAYMENT_RECEIVED}', valid_on,
    received_at, case_id, 'Receipt by ' || provider
  from paid order by id
  returning id, case_id
), posted as (
  insert into posting (entry_id, account, amount, currency, payment_id)
  select entered.id, account, sign * amount, currency, paid.id
  from paid join entered using (case_id)
  cross join (values ('{ledger.Account.CLEARING}', 1), ('{ledger.Account.UNALLOCATED}', -1))
    as side (account, sign)
  order by paid.id, sign desc
), noted as (
  insert into history (case_id, at, actor, event, text, detail)
  select case_id, at, actor, event, said, detail from (
    select place, 1 as step, case_id, at, actor, 'order_received' as event, said,
      cast('{{}}' as jsonb) as detail
    from taken
    union all
    select place, 2, case_id, at, actor, 'payment_received', paid_said,
      jsonb_build_object('payment', paid.id)
    from taken join paid using (case_id)
  ) line order by place, step
), told as (
  insert into outbox (case_id, signal, payload, created_at, due_at, attempts, last_error)
  select case_id, signal, payload, at, at, 0, '' from (
    select place, 1 as step, case_id, '{outbox.START}' as signal, at,
      cast('{{}}' as jsonb) as payload
    from taken
    union all
    select place, 2, case_id, 'payment_received', at, jsonb_build_object('payment_id', paid.id)
    from taken join paid using (case_id)
  ) row order by place, step
)
select place, paid.id is not null as booked, pg_notify('{outbox.CHANNEL}', '')
from taken left join paid using (case_id)
""")  # noqa: S608 - only names and constants of ours are put in
