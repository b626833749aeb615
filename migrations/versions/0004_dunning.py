"""Dunning: rules, runs and what they took, notices, debtors, and open items from elsewhere.

The database itself guarantees: one customer, one step a day; one notice under way per customer; a
notice only moves forward; a dunning case that has ended stays ended; an invoice is either ours,
with order, number and document, or imported, without.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "dunning_rule_version",
    "dunning_claim",
    "dunning_skip",
    "dunning_call",
    "open_item_import",
    "imported_item",
)

NOTICE_MOVES_FORWARD = """
create function notice_moves_forward() returns trigger language plpgsql as $$
begin
  if new.status <> old.status and (old.status, new.status) not in (
       ('proposed', 'approved'), ('proposed', 'dropped'),
       ('approved', 'sent'), ('approved', 'unknown'), ('approved', 'dropped'),
       ('unknown', 'sent'), ('unknown', 'dropped'), ('sent', 'withdrawn'))
  then
    raise exception 'notice % is % and cannot become %', old.id, old.status, new.status
      using errcode = 'integrity_constraint_violation';
  end if;
  if (new.customer_id, new.dunning_case_id, new.level, new.amount, new.currency)
     is distinct from
     (old.customer_id, old.dunning_case_id, old.level, old.amount, old.currency)
     or old.sent_at is distinct from new.sent_at and old.sent_at is not null
  then
    raise exception 'notice % stays what was proposed: drop it and propose it anew', old.id
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$
"""

CASE_ENDS_ONCE = """
create function dunning_case_ends_once() returns trigger language plpgsql as $$
begin
  if old.ended_at is not null then
    raise exception 'dunning case % has ended: its ladder is history', old.id
      using errcode = 'integrity_constraint_violation';
  end if;
  return new;
end $$
"""


def upgrade() -> None:
    op.create_table(
        "dunning_rule",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_by", sa.String(), nullable=False),
        sa.CheckConstraint("priority >= 1", name="priority"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "dunning_rule_name",
        "dunning_rule",
        ["name"],
        unique=True,
        postgresql_where=sa.text("removed_at is null"),
    )
    op.create_table(
        "open_item_import",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("new_invoices", sa.Integer(), nullable=False),
        sa.Column("new_customers", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "debtor",
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("problematic", sa.Boolean(), nullable=False),
        sa.Column("preferred_contact", sa.String(), nullable=False),
        sa.Column("credit_limit", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("manager", sa.String(), nullable=False),
        sa.Column("custom_field_1", sa.String(), nullable=False),
        sa.Column("custom_field_2", sa.String(), nullable=False),
        sa.Column("custom_field_3", sa.String(), nullable=False),
        sa.Column("custom_field_4", sa.String(), nullable=False),
        sa.Column("custom_field_5", sa.String(), nullable=False),
        sa.Column("custom_field_6", sa.String(), nullable=False),
        sa.Column("custom_field_7", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "preferred_contact in ('','phone','post','email','any')", name="contact"
        ),
        sa.CheckConstraint("credit_limit >= 0", name="credit_limit"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.PrimaryKeyConstraint("customer_id"),
    )
    op.create_table(
        "dunning_case",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("notices_count", sa.Integer(), nullable=False),
        sa.Column("calls_count", sa.Integer(), nullable=False),
        sa.Column("last_notice_on", sa.Date(), nullable=True),
        sa.Column("carried_level", sa.Integer(), nullable=False),
        sa.Column("carried_notices", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ended_at >= started_at", name="ended_at"),
        sa.CheckConstraint(
            "level >= carried_level and carried_level >= 0 and notices_count >= carried_notices and carried_notices >= 0 and calls_count >= 0",
            name="counters",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "dunning_case_current",
        "dunning_case",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "dunning_rule_version",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["dunning_rule.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("rule_id", "version", name="dunning_rule_version_number"),
    )
    op.create_table(
        "payment_promise",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agreed_by", sa.String(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind in ('promise','instalment')", name="kind"),
        sa.CheckConstraint("status in ('open','kept','withdrawn')", name="status"),
        sa.CheckConstraint("amount > 0", name="amount"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "payment_promise_open",
        "payment_promise",
        ["customer_id", "due_date"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "dunning_call",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("dunning_case_id", sa.BigInteger(), nullable=True),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("called_on", sa.Date(), nullable=False),
        sa.Column("successful", sa.Boolean(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("noted_by", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["dunning_case_id"],
            ["dunning_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["task.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task_id"),
    )
    op.create_index(
        "dunning_call_successful",
        "dunning_call",
        ["customer_id", "called_on"],
        unique=False,
        postgresql_where=sa.text("successful"),
    )
    op.create_index(
        op.f("ix_dunning_call_dunning_case_id"), "dunning_call", ["dunning_case_id"], unique=False
    )
    op.create_table(
        "dunning_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("rule_version_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("slot", sa.DateTime(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("selected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.CheckConstraint("(kind = 'scheduled') = (slot is not null)", name="slot_of_kind"),
        sa.CheckConstraint("kind in ('scheduled','now')", name="kind"),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["dunning_rule.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rule_version_id"],
            ["dunning_rule_version.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("dunning_run_slot", "dunning_run", ["rule_id", "slot"], unique=True)
    op.create_table(
        "dunning_block",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=False),
        sa.CheckConstraint("kind <> 'dispute' or invoice_id is not null", name="dispute"),
        sa.CheckConstraint("kind <> 'insolvency' or invoice_id is null", name="insolvency"),
        sa.CheckConstraint("kind in ('block','dispute','insolvency')", name="kind"),
        sa.CheckConstraint("until >= since", name="until"),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "dunning_block_customer",
        "dunning_block",
        ["customer_id"],
        unique=False,
        postgresql_where=sa.text("lifted_at is null and invoice_id is null"),
    )
    op.create_index(
        "dunning_block_invoice",
        "dunning_block",
        ["invoice_id"],
        unique=False,
        postgresql_where=sa.text("lifted_at is null and invoice_id is not null"),
    )
    op.create_table(
        "dunning_claim",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("matched", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["dunning_run.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("customer_id", "day", "lane", name="dunning_claim_once"),
    )
    op.create_index("dunning_claim_run", "dunning_claim", ["run_id", "id"], unique=False)
    op.create_table(
        "dunning_skip",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["dunning_run.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "customer_id"),
    )
    op.create_table(
        "imported_item",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("notices_count", sa.Integer(), nullable=False),
        sa.Column("dunning_level", sa.Integer(), nullable=False),
        sa.Column("last_notice_on", sa.Date(), nullable=True),
        sa.CheckConstraint("notices_count >= 0 and dunning_level >= 0", name="history"),
        sa.ForeignKeyConstraint(
            ["import_id"],
            ["open_item_import.id"],
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.PrimaryKeyConstraint("invoice_id"),
    )
    op.create_index(
        op.f("ix_imported_item_import_id"), "imported_item", ["import_id"], unique=False
    )
    op.create_table(
        "dunning_notice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("dunning_case_id", sa.BigInteger(), nullable=False),
        sa.Column("claim_id", sa.BigInteger(), nullable=True),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("rule_version_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("raises_level", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("registered_mail", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("rendered_amount", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_by", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("not_before", sa.Date(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("mail_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status in ('sent','withdrawn')) = (sent_at is not null)", name="sent_at"
        ),
        sa.CheckConstraint("channel in ('email','letter')", name="channel"),
        sa.CheckConstraint(
            "status in ('proposed','approved','sent','dropped','withdrawn','unknown')",
            name="status",
        ),
        sa.CheckConstraint("level >= 0 and amount > 0", name="level_and_amount"),
        sa.CheckConstraint("rendered_amount between 0 and amount", name="rendered_amount"),
        sa.ForeignKeyConstraint(
            ["claim_id"],
            ["dunning_claim.id"],
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["document.id"],
        ),
        sa.ForeignKeyConstraint(
            ["dunning_case_id"],
            ["dunning_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["mail_id"],
            ["outgoing_mail.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["dunning_rule.id"],
        ),
        sa.ForeignKeyConstraint(
            ["rule_version_id"],
            ["dunning_rule_version.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("claim_id"),
    )
    op.create_index(
        "dunning_notice_customer", "dunning_notice", ["customer_id", "id"], unique=False
    )
    op.create_index(
        "dunning_notice_not_before",
        "dunning_notice",
        ["customer_id", "rule_id"],
        unique=False,
        postgresql_where=sa.text("not_before is not null"),
    )
    op.create_index(
        "dunning_notice_pending",
        "dunning_notice",
        ["customer_id"],
        unique=True,
        postgresql_where=sa.text("status in ('proposed','approved')"),
    )
    op.create_index(
        op.f("ix_dunning_notice_dunning_case_id"),
        "dunning_notice",
        ["dunning_case_id"],
        unique=False,
    )
    op.create_table(
        "dunning_notice_item",
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("proposed_amount", sa.Numeric(precision=18, scale=3), nullable=False),
        sa.Column("rendered_amount", sa.Numeric(precision=18, scale=3), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("notices_before", sa.Integer(), nullable=False),
        sa.CheckConstraint("notices_before >= 0", name="notices_before"),
        sa.CheckConstraint("proposed_amount > 0", name="proposed_amount"),
        sa.CheckConstraint("rendered_amount between 0 and proposed_amount", name="rendered_amount"),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
        ),
        sa.ForeignKeyConstraint(
            ["notice_id"],
            ["dunning_notice.id"],
        ),
        sa.PrimaryKeyConstraint("notice_id", "invoice_id"),
    )
    op.create_index(
        op.f("ix_dunning_notice_item_invoice_id"),
        "dunning_notice_item",
        ["invoice_id"],
        unique=False,
    )
    op.alter_column("invoice", "series", existing_type=sa.VARCHAR(), nullable=True)
    op.alter_column("invoice", "year", existing_type=sa.INTEGER(), nullable=True)
    op.alter_column("invoice", "number", existing_type=sa.INTEGER(), nullable=True)
    op.alter_column("invoice", "net", existing_type=sa.Numeric(18, 3), nullable=True)
    op.alter_column("invoice", "tax", existing_type=sa.Numeric(18, 3), nullable=True)
    op.alter_column("invoice", "order_id", existing_type=sa.BIGINT(), nullable=True)
    op.alter_column("invoice", "document_id", existing_type=sa.BIGINT(), nullable=True)
    op.create_index(
        "task_open_calls",
        "task",
        ["case_id"],
        unique=False,
        postgresql_where=sa.text("kind = 'dunning_call' and status = 'open'"),
    )
    op.create_check_constraint(
        "imported_or_ours",
        "invoice",
        "case when type = 'imported' then"
        " coalesce(series, year::text, order_id::text, document_id::text) is null else"
        " series is not null and year is not null and number is not null"
        " and order_id is not null and document_id is not null"
        " and net is not null and tax is not null end",
    )
    op.execute(NOTICE_MOVES_FORWARD)
    op.execute(
        "create trigger notice_moves_forward before update on dunning_notice"
        " for each row execute function notice_moves_forward()"
    )
    op.execute(CASE_ENDS_ONCE)
    op.execute(
        "create trigger dunning_case_ends_once before update on dunning_case"
        " for each row execute function dunning_case_ends_once()"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"create trigger append_only before update or delete on {table}"
            " for each row execute function refuse_change()"
        )
        op.execute(
            f"create trigger no_truncate before truncate on {table}"
            " for each statement execute function refuse_change()"
        )


def downgrade() -> None:
    raise NotImplementedError("What was dunned and imported is history: restore a backup instead.")
