"""The facts: orders, customers, invoices, payments, the journal, effects, tasks, history.

Besides the tables this sets up what the database itself guarantees: an append-only journal and
history, immutable documents and invoices, entries that sum to zero, open items and payments that
agree with the journal.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("journal_entry", "posting", "allocation", "history", "document", "invoice", "inbox")

GUARDS = """
create sequence customer_number start 10001;

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: what was written stays as it is', tg_table_name
    using errcode = 'integrity_constraint_violation';
end $$;

create function payment_is_a_fact() returns trigger language plpgsql as $$
begin
  if (new.provider, new.transaction_id, new.amount, new.currency, new.valid_on, new.received_at)
     is distinct from
     (old.provider, old.transaction_id, old.amount, old.currency, old.valid_on, old.received_at)
  then
    raise exception 'a payment is a fact: only what it settles may change'
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger payment_is_a_fact before update on payment
  for each row execute function payment_is_a_fact();

create function effect_is_final() returns trigger language plpgsql as $$
begin
  if old.result <> '{}'::jsonb or new.key <> old.key or new.request_sha256 <> old.request_sha256
  then
    raise exception 'an effect is final' using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$;
create trigger effect_is_final before update on effect
  for each row execute function effect_is_final();

create function entry_balances() returns trigger language plpgsql as $$
begin
  if exists (select from posting where entry_id = new.entry_id
             group by currency having sum(amount) <> 0) then
    raise exception 'the postings of journal entry % do not sum to zero', new.entry_id
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create constraint trigger entry_balances after insert on posting
  deferrable initially deferred for each row execute function entry_balances();

create function open_item_agrees() returns trigger language plpgsql as $$
declare booked numeric; held numeric;
begin
  select coalesce(sum(amount), 0) into booked from posting
    where invoice_id = new.invoice_id and account = 'receivables';
  select open_amount into held from open_item where invoice_id = new.invoice_id;
  if booked <> held then
    raise exception 'open item % shows %, the journal %', new.invoice_no, held, booked
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create constraint trigger open_item_agrees after insert or update on open_item
  deferrable initially deferred for each row execute function open_item_agrees();

create function payment_agrees() returns trigger language plpgsql as $$
declare booked numeric; held numeric;
begin
  select -coalesce(sum(amount), 0) into booked from posting
    where payment_id = new.id and account = 'unallocated';
  select unallocated into held from payment where id = new.id;
  if booked <> held then
    raise exception 'payment % has % left, the journal says %', new.id, held, booked
      using errcode = 'integrity_constraint_violation';
  end if;
  return null;
end $$;
create constraint trigger payment_agrees after insert or update on payment
  deferrable initially deferred for each row execute function payment_agrees();
"""


def upgrade() -> None:
    op.create_table(
        "case_exception",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("expected", sa.String(), nullable=False),
        sa.Column("found", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "case_exception_once",
        "case_exception",
        ["case_id", "kind", "field"],
        unique=True,
        postgresql_where=sa.text("resolved_at is null"),
    )
    op.create_index(op.f("ix_case_exception_case_id"), "case_exception", ["case_id"], unique=False)
    op.create_table(
        "channel",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "company",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("profile", postgresql.JSONB(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.CheckConstraint("id = 1", name="only_one_company"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_no", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=False),
        sa.Column("vat_id", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("address", postgresql.JSONB(), nullable=False),
        sa.Column("terms_days", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind in ('b2b', 'b2c')", name="kind"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_no"),
    )
    op.create_table(
        "document",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("filename", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "effect",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index(op.f("ix_effect_case_id"), "effect", ["case_id"], unique=False)
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("detail", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_history_case_id"), "history", ["case_id"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel", "event_id", name="inbox_event"),
    )
    op.create_table(
        "invoice_counter",
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", "year"),
    )
    op.create_table(
        "journal_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("valid_on", sa.Date(), nullable=False),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("case_id", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_journal_entry_case_id"), "journal_entry", ["case_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("signal", sa.String(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_outbox_case_id"), "outbox", ["case_id"], unique=False)
    op.create_index(
        "outbox_pending",
        "outbox",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at is null"),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=True),
        sa.Column("context", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.CheckConstraint("status in ('open','done')", name="status"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_task_case_id"), "task", ["case_id"], unique=False)
    op.create_table(
        "approval",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint("status in ('pending','approved','rejected')", name="status"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_approval_case_id"), "approval", ["case_id"], unique=False)
    op.create_table(
        "customer_identity",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.PrimaryKeyConstraint("kind", "value"),
    )
    op.create_index(
        op.f("ix_customer_identity_customer_id"), "customer_identity", ["customer_id"], unique=False
    )
    op.create_table(
        "outgoing_mail",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handing_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.CheckConstraint("state in ('intended','handing_over','sent','failed')", name="state"),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["document.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
        sa.UniqueConstraint("message_id"),
    )
    op.create_index(op.f("ix_outgoing_mail_case_id"), "outgoing_mail", ["case_id"], unique=False)
    op.create_table(
        "payment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("transaction_id", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("unallocated", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("valid_on", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("invoice_no", sa.String(), nullable=False),
        sa.Column("payer_name", sa.String(), nullable=False),
        sa.Column("payer_iban", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("unallocated between 0 and amount", name="unallocated"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("provider", "transaction_id", name="payment_once"),
    )
    op.create_index(op.f("ix_payment_case_id"), "payment", ["case_id"], unique=False)
    op.create_index(op.f("ix_payment_customer_id"), "payment", ["customer_id"], unique=False)
    op.create_index(op.f("ix_payment_transaction_id"), "payment", ["transaction_id"], unique=False)
    op.create_table(
        "sales_order",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("order_no", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("total", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("checked_revision", sa.Integer(), nullable=False),
        sa.Column("hold_reason", sa.String(), nullable=False),
        sa.Column("accepted", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id"),
        sa.UniqueConstraint("channel", "order_no", name="sales_order_number"),
    )
    op.create_index(
        op.f("ix_sales_order_customer_id"), "sales_order", ["customer_id"], unique=False
    )
    op.create_index(
        "sales_order_fingerprint", "sales_order", ["fingerprint", "placed_at"], unique=False
    )
    op.create_table(
        "case_file",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("order_no", sa.String(), nullable=False),
        sa.Column("invoice_no", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("payment_status", sa.String(), nullable=False),
        sa.Column("fulfilment_status", sa.String(), nullable=False),
        sa.Column("return_status", sa.String(), nullable=False),
        sa.Column("accounting_status", sa.String(), nullable=False),
        sa.Column("amount_due", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("next_step", sa.String(), nullable=False),
        sa.Column("next_step_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("waiting_for", sa.String(), nullable=False),
        sa.Column("needs_attention", sa.Boolean(), nullable=False),
        sa.Column("overdue_noted", sa.Boolean(), nullable=False),
        sa.Column("closed_as", sa.String(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "case_file_open",
        "case_file",
        ["status"],
        unique=False,
        postgresql_where=sa.text("closed_at is null"),
    )
    op.create_index(op.f("ix_case_file_customer_id"), "case_file", ["customer_id"], unique=False)
    op.create_index(op.f("ix_case_file_order_id"), "case_file", ["order_id"], unique=False)
    op.create_table(
        "invoice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("invoice_no", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("net", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("tax", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("charged", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("paid_at_issue", sa.Boolean(), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["document.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["sales_order.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("invoice_no"),
        sa.UniqueConstraint("series", "year", "number", name="invoice_gapless_number"),
    )
    op.create_index(
        "invoice_one_per_order",
        "invoice",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("type = '380'"),
    )
    op.create_index(op.f("ix_invoice_case_id"), "invoice", ["case_id"], unique=False)
    op.create_index(op.f("ix_invoice_customer_id"), "invoice", ["customer_id"], unique=False)
    op.create_table(
        "allocation",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["journal_entry.id"],
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payment.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_allocation_invoice_id"), "allocation", ["invoice_id"], unique=False)
    op.create_index(op.f("ix_allocation_payment_id"), "allocation", ["payment_id"], unique=False)
    op.create_table(
        "open_item",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_no", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("open_amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.CheckConstraint("open_amount between 0 and amount", name="open_amount"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.PrimaryKeyConstraint("invoice_id"),
        sa.UniqueConstraint("invoice_no"),
    )
    op.create_index(op.f("ix_open_item_case_id"), "open_item", ["case_id"], unique=False)
    op.create_index(
        "open_item_due",
        "open_item",
        ["customer_id", "due_date"],
        unique=False,
        postgresql_where=sa.text("open_amount > 0"),
    )
    op.create_table(
        "posting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=True),
        sa.Column("invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("tax_rate", sa.Numeric(precision=6, scale=3), nullable=True),
        sa.CheckConstraint("amount <> 0", name="amount_not_zero"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["journal_entry.id"],
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"],
            ["payment.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_posting_customer_id"), "posting", ["customer_id"], unique=False)
    op.create_index(op.f("ix_posting_entry_id"), "posting", ["entry_id"], unique=False)
    op.create_index(op.f("ix_posting_invoice_id"), "posting", ["invoice_id"], unique=False)
    op.create_index(op.f("ix_posting_payment_id"), "posting", ["payment_id"], unique=False)
    for statement in _statements(GUARDS):
        op.execute(statement)
    for table in APPEND_ONLY:
        op.execute(
            f"create trigger append_only before update or delete on {table}"
            " for each row execute function refuse_change()"
        )
    for table in (*APPEND_ONLY, "payment", "effect", "open_item"):
        op.execute(
            f"create trigger no_truncate before truncate on {table}"
            " for each statement execute function refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("The first revision holds the books: restore a backup instead.")


def _statements(sql: str) -> list[str]:
    """Split at the semicolons that end a line, functions kept whole."""
    parts, current, quoted = [], [], False
    for line in sql.splitlines():
        quoted ^= line.count("$$") % 2 == 1
        current.append(line)
        if line.rstrip().endswith(";") and not quoted:
            parts.append("\n".join(current))
            current = []
    return [part for part in parts if part.strip()]
