"""What the floor says to the database: one statement where one will do, the chain's rows each."""

from __future__ import annotations

TAKE_IN = """
with arrived as (insert into inbox (channel, event_id, kind, body, sha256, received_at)
    values ($1, 'event-' || $2, 'order', $4, $5, $9)),
  o as (insert into sales_order (channel, order_no, source, case_id, currency, total, content,
      digest, fingerprint, placed_at, modified_at, received_at, revision, checked_revision,
      hold_reason)
    values ($1, $2, 'zahltag', $3, 'EUR', 119, $6, $7, $8, $9, $9, $9, 1, 0, '') returning id),
  f as (insert into case_file (id, kind, order_id, channel, order_no, status, payment_status,
      fulfilment_status, return_status, accounting_status, amount_due, currency, next_step, why,
      waiting_for, needs_attention, overdue_noted, opened_at, updated_at)
    select $3, 'order', o.id, $1, $2, 'checking', 'later', 'not_tracked', 'none', 'not_invoiced',
      119, 'EUR', 'check the order', 'it is new', 'nothing', false, false, $9, $9 from o),
  h as (insert into history (case_id, at, actor, event, text, detail)
    values ($3, $9, 'floor', 'order_received', 'Order ' || $2 || ' taken in', '{}'))
insert into outbox (case_id, signal, payload, created_at, due_at, delivered_at, attempts,
    last_error)
  values ($3, 'start', '{}', $9, $9, $9, 1, '')
"""

CHECK = """
with e as (insert into effect (key, case_id, step, request_sha256, result, done_at)
    values ($1 || ':check', $1, 'check', '', '{}', $2) on conflict do nothing returning key),
  o as (select s.id, s.channel, s.content -> 'buyer' as b, s.content -> 'billing' as a
    from sales_order s, e where s.case_id = $1),
  c as (insert into customer (customer_no, kind, name, email, phone, vat_id, language, address,
      created_at, updated_at)
    select 'K' || nextval('customer_number'), b ->> 'kind', a ->> 'company', b ->> 'email',
      b ->> 'phone', b ->> 'vat_id', b ->> 'language', a, $2, $2 from o returning id),
  i as (insert into customer_identity (kind, value, customer_id)
    select 'shop', o.channel || ':' || (b ->> 'external_id'), c.id from o, c
    union all select 'email', b ->> 'email', c.id from o, c),
  s as (update sales_order t set customer_id = c.id, checked_revision = 1 from o, c
    where t.id = o.id),
  f as (update case_file t set customer_id = c.id, status = 'invoicing', updated_at = $2 from c
    where t.id = $1)
insert into history (case_id, at, actor, event, text, detail)
  select $1, $2, 'floor', 'order_checked', 'Order checked', '{}' from c
"""

NUMBER = """
with e as (insert into effect (key, case_id, step, request_sha256, result, done_at)
    values ($1 || ':invoice', $1, 'invoice', '', '{}', $2) on conflict do nothing returning key),
  n as (insert into invoice_counter (series, year, last) select $3, $4, 1 from e
    on conflict (series, year) do update set last = invoice_counter.last + 1 returning last)
select n.last, o.id as order_id, o.content, c.id as customer_id, c.customer_no, c.email
from n, sales_order o join customer c on c.id = o.customer_id where o.case_id = $1
"""

INVOICE = """
with d as (insert into document (kind, filename, media_type, sha256, content, created_at)
    values ('invoice', $5 || '.pdf', 'application/pdf', $14, $15, $2) returning id),
  i as (insert into invoice (invoice_no, series, year, number, type, case_id, order_id,
      customer_id, issue_date, due_date, currency, net, tax, charged, paid_at_issue, content,
      document_id, created_at)
    select $5, $6, $7, $8, '380', $1, $3, $4, $9, $10, 'EUR', $11, $12,
      $11::numeric + $12::numeric, false, $13, d.id, $2 from d returning id, document_id),
  j as (insert into journal_entry (key, kind, valid_on, known_at, case_id, description)
    select 'invoice-' || i.id || ':issued', 'invoice_issued', $9, $2, $1, 'Invoice ' || $5 from i
    returning id),
  p as (insert into posting (entry_id, account, amount, currency, customer_id, invoice_id, tax_rate)
    select j.id, l.account, l.amount, 'EUR', l.customer_id, i.id, l.rate from i, j, (values
      ('receivables', $11::numeric + $12::numeric, $4::bigint, null::numeric),
      ('revenue', -$11::numeric, null, 19),
      ('output_vat', -$12::numeric, null, 19)) as l (account, amount, customer_id, rate)),
  t as (insert into open_item (invoice_id, invoice_no, case_id, customer_id, currency, amount,
      open_amount)
    select i.id, $5, $1, $4, 'EUR', $11::numeric + $12::numeric, $11::numeric + $12::numeric
    from i),
  m as (insert into outgoing_mail (key, case_id, kind, recipient, subject, message_id, document_id,
      state, attempts, intended_at, handing_over_at, outcome)
    select $1 || ':mail', $1, 'invoice', $16, $17, $18, i.document_id, 'handing_over', 1, $2, $2, ''
    from i)
insert into history (case_id, at, actor, event, text, detail)
  select $1, $2, 'floor', 'invoice_created', 'Invoice ' || $5, '{}' from i
"""

MAILED = """
with m as (update outgoing_mail set state = 'sent', outcome = 'accepted', settled_at = $2
    where key = $1 || ':mail' and state <> 'sent' returning id),
  e as (insert into effect (key, case_id, step, request_sha256, result, done_at)
    select $1 || step, $1, step, '', '{}', $2 from m, (values (':due'), (':task')) as s (step)),
  t as (update open_item set due_date = $3 from m where case_id = $1),
  k as (insert into task (key, kind, title, description, assignee, due, status, case_id, context,
      created_at, done_by, outcome)
    select $1 || ':task', 'follow_up_payment', 'Follow the payment up', '', 'admin', $3, 'open', $1,
      '{}', $2, '', '' from m),
  h as (insert into history (case_id, at, actor, event, text, detail)
    select $1, $2, 'floor', s.event, s.event, '{}'
    from m, (values ('mail_sent'), ('due_date_set'), ('task_created')) as s (event))
update case_file f set status = 'awaiting_payment', invoice_no = $4, due_date = $3,
    accounting_status = 'invoiced', next_step = 'wait for the payment',
    why = 'the invoice was mailed', waiting_for = 'payment', updated_at = $2
  from m where f.id = $1
"""

PAY = """
with i as (select case_id, customer_id from invoice where invoice_no = $1),
  p as (insert into payment (provider, transaction_id, amount, currency, unallocated, valid_on,
      received_at, source, reference, invoice_no, payer_name, payer_iban, case_id, customer_id)
    select 'manual', $2, $3, 'EUR', $3, $4, $5, 'manual', $2, $1, '', '', i.case_id, i.customer_id
    from i returning id),
  j as (insert into journal_entry (key, kind, valid_on, known_at, case_id, description)
    select 'payment-' || p.id || ':received', 'payment_received', $4, $5, i.case_id, 'Receipt'
    from p, i returning id),
  l as (insert into posting (entry_id, account, amount, currency, customer_id, payment_id)
    select j.id, s.account, s.amount, 'EUR', s.customer_id, p.id from p, j, i, lateral (values
      ('clearing', $3, null), ('unallocated', -$3, i.customer_id)) as s (account, amount,
      customer_id)),
  h as (insert into history (case_id, at, actor, event, text, detail)
    select i.case_id, $5, 'floor', 'payment_received', 'Money received', '{}' from i),
  b as (insert into outbox (case_id, signal, payload, created_at, due_at, delivered_at, attempts,
      last_error)
    select i.case_id, 'payment_received', '{}', $5, $5, $5, 1, '' from i)
select p.id from p
"""

RECONCILE = """
with e as (insert into effect (key, case_id, step, request_sha256, result, done_at)
    values ($1 || ':reconcile', $1, 'reconcile', '', '{}', $3) on conflict do nothing
    returning key),
  p as (select y.id, y.customer_id, y.unallocated, y.valid_on from payment y, e where y.id = $2
    for update of y),
  t as (select i.invoice_id, i.invoice_no, least(i.open_amount, p.unallocated) as amount
    from open_item i, p where i.case_id = $1 for update of i),
  j as (insert into journal_entry (key, kind, valid_on, known_at, case_id, description)
    select 'payment-' || p.id || ':allocated', 'payment_allocated', p.valid_on, $3, $1,
      'Payment settles ' || t.invoice_no from p, t returning id),
  l as (insert into posting (entry_id, account, amount, currency, customer_id, invoice_id,
      payment_id)
    select j.id, s.account, s.amount, 'EUR', p.customer_id, s.invoice_id, p.id
    from p, t, j, lateral (values ('unallocated', t.amount, null),
      ('receivables', -t.amount, t.invoice_id)) as s (account, amount, invoice_id)),
  a as (insert into allocation (payment_id, invoice_id, entry_id, amount, currency)
    select p.id, t.invoice_id, j.id, t.amount, 'EUR' from p, t, j),
  y as (update payment x set unallocated = x.unallocated - t.amount, reconciled_at = $3
    from p, t where x.id = p.id),
  i as (update open_item x set open_amount = x.open_amount - t.amount from t
    where x.invoice_id = t.invoice_id)
insert into history (case_id, at, actor, event, text, detail)
  select $1, $3, 'floor', 'payment_matched', 'Payment settles the invoice', '{}' from t
"""

PAID = """
select i.content, y.amount, y.currency, y.valid_on, y.transaction_id, c.email
from invoice i join payment y on y.case_id = i.case_id join customer c on c.id = i.customer_id
where i.case_id = $1
"""

CONFIRM = """
insert into outgoing_mail (key, case_id, kind, recipient, subject, message_id, state, attempts,
    intended_at, handing_over_at, outcome)
  values ($1 || ':confirmation', $1, 'payment_confirmation', $3, $4, $5, 'handing_over', 1, $2, $2,
    '') on conflict do nothing
"""

CLOSE = """
with m as (update outgoing_mail set state = 'sent', outcome = 'accepted', settled_at = $2
    where key = $1 || ':confirmation' and state <> 'sent' returning id),
  k as (update task t set status = 'done', outcome = 'case closed', done_by = 'floor', done_at = $2
    from m where t.case_id = $1),
  h as (insert into history (case_id, at, actor, event, text, detail)
    select $1, $2, 'floor', s.event, s.event, '{}'
    from m, (values ('mail_sent'), ('case_closed')) as s (event))
update case_file f set status = 'closed', payment_status = 'successful', amount_due = 0,
    accounting_status = 'settled', closed_as = 'closed', closed_at = $2, updated_at = $2,
    next_step = 'nothing', why = 'paid', waiting_for = 'nothing'
  from m where f.id = $1
"""
