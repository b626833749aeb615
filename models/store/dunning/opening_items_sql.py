"""The statements of ``opening_items``, in the order in which they run."""

from __future__ import annotations

_CUSTOM = tuple(f"custom_field_{n}" for n in range(1, 8))
COLUMNS = (
    *("line", "customer_no", "name", "kind", "email", "email_key", "phone", "vat_id", "language"),
    *("street", "postcode", "city", "country"),
    *("preferred_contact", "credit_limit", "manager", *_CUSTOM),
    *("invoice_no", "invoice_date", "due_date", "amount", "currency"),
    *("dunning_level", "notices_count", "last_notice_on"),
)

STAGE = f"""
create temporary table stage (
  line integer not null, customer_no text not null, name text not null, kind text not null,
  email text not null, email_key text not null, phone text not null, vat_id text not null,
  language text not null, street text not null, postcode text not null, city text not null,
  country text not null, preferred_contact text not null,
  credit_limit numeric, manager text not null, {" text not null, ".join(_CUSTOM)} text not null,
  invoice_no text not null, invoice_date date not null, due_date date not null,
  amount numeric not null, currency text not null, dunning_level integer not null,
  notices_count integer not null, last_notice_on date
) on commit drop
"""

# What a customer's lines must agree in.
_OF_CUSTOMER = (
    *("name", "kind", "email", "phone", "vat_id", "language", "street", "postcode", "city"),
    *("country", "preferred_contact", "credit_limit", "manager", *_CUSTOM),
)
_DIFFERS = ", ".join(f"('{name}', s.{name}::text, f.{name}::text)" for name in _OF_CUSTOMER)
_DIFFERENT = "({}) is distinct from ({})".format(
    ", ".join(f"s.{name}" for name in _OF_CUSTOMER), ", ".join(f"f.{name}" for name in _OF_CUSTOMER)
)


FINDINGS = f"""
select line, field, expected, found from (
  select s.line, 'invoice_no' as field, 'a number that stands in one line only' as expected,
         s.invoice_no || ', as in line ' || s.first_line as found
  from (select line, invoice_no, min(line) over (partition by invoice_no) as first_line
        from stage) s
  where s.line > s.first_line
  union all
  select s.line, d.field, 'the same for customer ' || s.customer_no || ' as in line ' || f.line,
         coalesce(nullif(d.given, ''), 'nothing')
  from (select distinct on (customer_no) * from stage order by customer_no, line) f
  join stage s on s.customer_no = f.customer_no and {_DIFFERENT}
  cross join lateral (values {_DIFFERS}) as d (field, given, wanted)
  where d.given is distinct from d.wanted
  union all
  select s.line, 'invoice_no', 'a number that is not one of our own invoices', s.invoice_no
  from stage s join invoice i on i.invoice_no = s.invoice_no and i.type <> 'imported'
  union all
  select s.line, d.field, d.wanted || ', as imported before for ' || s.invoice_no, d.given
  from stage s
  join invoice i on i.invoice_no = s.invoice_no and i.type = 'imported'
  join customer c on c.id = i.customer_id
  cross join lateral (values
    ('customer_no', s.customer_no, c.customer_no),
    ('invoice_date', s.invoice_date::text, i.issue_date::text),
    ('due_date', s.due_date::text, i.due_date::text),
    ('currency', s.currency, i.currency),
    ('amount', round(s.amount, 3)::text, i.charged::text)
  ) as d (field, given, wanted)
  where d.given <> d.wanted
) found
order by line, field limit $1
"""  # noqa: S608 - names of our own columns

# Whoever posts to a customer holds its lock.
LOCK_KNOWN_CUSTOMERS = """
select 1 from customer where customer_no in (select customer_no from stage)
order by id for no key update
"""

FRESH = """
create temporary table fresh on commit drop as
select s.* from stage s
where not exists (select from invoice i where i.invoice_no = s.invoice_no)
"""

# Our own numbers are K and digits: those that come with the file are not given again.
RESERVE_NUMBERS = """
select setval('customer_number', taken.highest) from (
  select max(substr(customer_no, 2)::bigint) as highest from fresh
  where customer_no ~ '^K[1-9][0-9]{0,14}$') taken
where taken.highest >= (select last_value from customer_number)
"""

CUSTOMERS = """
with added as (
  insert into customer (customer_no, kind, name, email, phone, vat_id, language, address,
                        created_at, updated_at)
  select distinct on (customer_no) customer_no, kind, name, email, phone, vat_id, language,
         jsonb_build_object('name', name, 'company', '', 'street', street, 'extra', '',
                            'postcode', postcode, 'city', city, 'region', '', 'country', country),
         $1::timestamptz, $1::timestamptz
  from fresh order by customer_no, line
  on conflict (customer_no) do nothing
  returning id)
select count(*) from added
"""

# A shop's order with the same e-mail is the same customer, unless two share the address.
IDENTITIES = """
insert into customer_identity (kind, value, customer_id)
select 'email', f.email_key, min(c.id)
from (select distinct email_key, customer_no from fresh where email_key <> '') f
join customer c on c.customer_no = f.customer_no
group by f.email_key having count(*) = 1
on conflict do nothing
"""

DEBTORS = f"""
insert into debtor (customer_id, problematic, preferred_contact, credit_limit, manager,
                    {", ".join(_CUSTOM)}, updated_at)
select distinct on (f.customer_no) c.id, false, f.preferred_contact, f.credit_limit, f.manager,
       {", ".join(f"f.{name}" for name in _CUSTOM)}, $1::timestamptz
from fresh f join customer c on c.customer_no = f.customer_no and c.created_at = $1::timestamptz
order by f.customer_no, f.line
on conflict do nothing
"""  # noqa: S608 - names of our own columns

NUMBERED = """
create temporary table numbered on commit drop as
select f.*, c.id as customer_id,
       nextval(pg_get_serial_sequence('invoice', 'id')) as invoice_id,
       nextval(pg_get_serial_sequence('journal_entry', 'id')) as entry_id
from (select * from fresh order by line) f join customer c on c.customer_no = f.customer_no
"""

INVOICES = """
insert into invoice (id, invoice_no, type, case_id, customer_id, issue_date, due_date, currency,
                     charged, paid_at_issue, content, created_at)
select invoice_id, invoice_no, 'imported', 'imported-' || invoice_no, customer_id, invoice_date,
       due_date, currency, amount, false, '{}', $1
from numbered
"""

OPEN_ITEMS = """
insert into open_item (invoice_id, invoice_no, case_id, customer_id, due_date, currency, amount,
                       open_amount)
select invoice_id, invoice_no, 'imported-' || invoice_no, customer_id, due_date, currency, amount,
       amount
from numbered
"""

ENTRIES = """
insert into journal_entry (id, key, kind, valid_on, known_at, case_id, description)
select entry_id, 'invoice-' || invoice_id || ':imported', 'opening_balance', $1, $2,
       'imported-' || invoice_no, 'Open item ' || invoice_no
from numbered
"""

POSTINGS = """
insert into posting (entry_id, account, amount, currency, customer_id, invoice_id)
select n.entry_id, side.account, side.sign * n.amount, n.currency, side.customer_id, n.invoice_id
from numbered n cross join lateral (values
  ('receivables', 1, n.customer_id), ('opening_balance', -1, null)
) as side (account, sign, customer_id)
"""

IMPORT = """
insert into open_item_import (sha256, lines, new_invoices, new_customers, imported_at, imported_by)
values ($1, $2, $3, $4, $5, $6) returning id
"""

ITEMS = """
insert into imported_item (invoice_id, import_id, line, notices_count, dunning_level,
                           last_notice_on)
select invoice_id, $1, line, notices_count, dunning_level, last_notice_on from numbered
"""

# The level is the customer's (X8): that of the item that went furthest. Without the day of the
# last notice, today counts as it: nobody is dunned too early, and nobody is forgotten.
CASES = """
insert into dunning_case (customer_id, level, notices_count, calls_count, last_notice_on,
                          carried_level, carried_notices, started_at)
select customer_id, max(dunning_level), max(notices_count), 0,
       coalesce(max(last_notice_on), $1::date), max(dunning_level), max(notices_count), $2
from numbered
group by customer_id having max(greatest(dunning_level, notices_count)) > 0
on conflict do nothing
"""
